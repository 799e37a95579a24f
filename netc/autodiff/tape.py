"""Turns operators on values of a graph into nodes, each checked by the rules of its op."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from netc.diagnostics import Refused, Span
from netc.diagnostics.wording_gradient import unproved
from netc.dims import Dim, Learn, Shape, Unwieldy, names
from netc.ir.module import Constant, Node, Path, Type, Value
from netc.ops.contract import FLOATS, OPERATORS, Array, Mismatch, Op
from netc.ops.notation import extent, function


@dataclass(eq=False)
class Tape:
    """A graph that grows: its nodes, and for each the place in the spec that it belongs to.

    The same op on the same operands is one node. scope, span: of the nodes that are added next.
    """

    nodes: list[Node] = field(default_factory=list)
    scopes: list[Path] = field(default_factory=list)
    scope: Path = ()
    span: Span | None = None
    made: dict[tuple[Any, ...], tuple[Value, ...]] = field(default_factory=dict)
    constants: dict[tuple[str, str], Constant] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.made |= {(n.op, *(id(v) for v in n.operands)): n.outputs for n in self.nodes}

    def at(self, scope: Path, span: Span) -> None:
        """What is added next belongs to `scope`."""
        self.scope, self.span = scope, span

    def add(self, node: Node, scope: Path) -> None:
        """A node as it stands."""
        self.nodes.append(node)
        self.scopes.append(scope)

    def wrap(self, values: Iterable[Value]) -> list[Traced]:
        """`values` with operators."""
        return [Traced(value, self) for value in values]

    def apply(self, op: Op, operands: Sequence[Any]) -> Any:
        """What `op` gives: a traced value, or a tuple where the op has several outputs."""
        values = self._values(operands)
        inputs, given = self._split(op, values)
        shapes = [v.type.shape for v in inputs]
        try:
            made = op.shape(*shapes)
            dtypes = op.dtypes(len(made) if isinstance(made, list) else 1, *(v.type.dtype for v in inputs))
        except (Mismatch, Learn, Unwieldy) as error:
            place, free = ".".join(self.scope), free_sizes(inputs)
            raise Refused(unproved(self._here(), place, op.name, str(error), free)) from None
        numbers = [_number(v) for v in values]
        chosen = op.selects(*numbers)
        if chosen is not None and isinstance(made, tuple) and values[chosen].type == Type(dtypes[0], made):
            return Traced(values[chosen], self)
        if made == () and (number := _folded(op, values, numbers, dtypes[0])) is not None:
            return Traced(self.constant(number, dtypes[0]), self)
        key = (op, *(id(v) for v in values))
        if key not in self.made:
            kinds = zip(dtypes, made if isinstance(made, list) else [made], strict=True)
            outputs = tuple(Value("", Type(*kind)) for kind in kinds)
            self.add(Node(op, inputs, (), outputs, None, self._here(), given), self.scope)
            self.made[key] = outputs
        traced = tuple(self.wrap(self.made[key]))
        return traced if isinstance(made, list) else traced[0]

    def constant(self, number: Any, dtype: str) -> Constant:
        """A number or an array of numbers as a value; floats take the dtype given, the rest keeps its own.

        Its digits are kept whatever the dtype is: a target rounds them, float64 does not.
        """
        array = np.asarray(number)
        floats = array.dtype.kind == "f" or not isinstance(number, np.ndarray)
        if floats:
            array = array.astype("float64" if dtype in FLOATS else dtype)
        if array.shape:
            return Constant("", Type(dtype if floats else str(array.dtype), array.shape), array)
        plain = number if isinstance(number, bool | int | float) else array.item()
        return self.constants.setdefault((dtype, repr(plain)), Constant(str(plain), Type(dtype, ()), plain))

    def _values(self, operands: Sequence[Any]) -> tuple[Value, ...]:
        traced = [o for o in operands if isinstance(o, Traced)]
        dtype = next((o.dtype for o in traced if o.dtype != "bool"), "float32")
        out: list[Value] = []
        for operand in operands:
            if isinstance(operand, Dim):
                operand = extent(operand, next(o for o in traced if o.dtype in FLOATS))
            out.append(operand.value if isinstance(operand, Traced) else self.constant(operand, dtype))
        return tuple(out)

    def _split(self, op: Op, values: tuple[Value, ...]) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
        """The operands, and what stands in the place of parameters."""
        required = sum(not name.endswith("?") for name in op.operands)
        if op.operands and op.operands[-1].startswith("*"):
            return values, ()
        own = len(op.params(*(v.type.shape for v in values[:required])))
        return values[: len(values) - own], values[len(values) - own :]

    def _here(self) -> Span:
        if self.span is None:
            raise ValueError("a tape is told where it stands before anything is added")
        return self.span


@dataclass(frozen=True, eq=False)
class Traced:
    """A value of a graph that grows, with numpy's operators: what gradient rules are run on."""

    value: Value
    tape: Tape

    __array_ufunc__ = None  # so that an array on the left leaves the operator to this

    @property
    def shape(self) -> Shape:
        return self.value.type.shape

    @property
    def dtype(self) -> str:
        return self.value.type.dtype

    def apply_op(self, op: Op, operands: Sequence[Any]) -> Any:
        return self.tape.apply(op, operands)

    def reshape(self, shape: Shape) -> Traced:
        return self if tuple(shape) == self.shape else self._apply("reshape", sizes=tuple(shape))

    def transpose(self, axes: Sequence[int]) -> Traced:
        return self._apply("permute", dims=tuple(axes))

    def sum(self, axis: Any = None, keepdims: bool = False) -> Traced:
        return self._apply("sum", axis=_axes(axis), keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Traced:
        return self._apply("mean", axis=_axes(axis), keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Traced:
        return self._apply("max", axis=_axes(axis), keepdims=keepdims)

    def __getitem__(self, items: Any) -> Traced:
        parts = items if isinstance(items, tuple) else (items,)
        ranges = tuple((p.start, p.stop, p.step) if isinstance(p, slice) else p for p in parts)
        kept = tuple(None if r == (None, None, None) else r for r in ranges)
        return self._operator("[]", self, items=kept)

    def __neg__(self) -> Traced:
        return self._operator("-x", self)

    def __add__(self, other: Array) -> Traced:
        return self._operator("+", self, other)

    def __radd__(self, other: Array) -> Traced:
        return self._operator("+", other, self)

    def __sub__(self, other: Array) -> Traced:
        return self._operator("-", self, other)

    def __rsub__(self, other: Array) -> Traced:
        return self._operator("-", other, self)

    def __mul__(self, other: Array) -> Traced:
        return self._operator("*", self, other)

    def __rmul__(self, other: Array) -> Traced:
        return self._operator("*", other, self)

    def __truediv__(self, other: Array) -> Traced:
        return self._operator("/", self, other)

    def __rtruediv__(self, other: Array) -> Traced:
        return self._operator("/", other, self)

    def __pow__(self, other: Array) -> Traced:
        return self._operator("**", self, other)

    def __rpow__(self, other: Array) -> Traced:
        return self._operator("**", other, self)

    def __matmul__(self, other: Array) -> Traced:
        return self._operator("@", self, other)

    def __rmatmul__(self, other: Array) -> Traced:
        return self._operator("@", other, self)

    def __lt__(self, other: Array) -> Traced:
        return self._operator("<", self, other)

    def __le__(self, other: Array) -> Traced:
        return self._operator("<=", self, other)

    def __gt__(self, other: Array) -> Traced:
        return self._operator(">", self, other)

    def __ge__(self, other: Array) -> Traced:
        return self._operator(">=", self, other)

    def _apply(self, name: str, **attributes: Any) -> Traced:
        made: Traced = function(name, self, **attributes)
        return made

    def _operator(self, symbol: str, *operands: Any, **attributes: Any) -> Traced:
        made: Traced = self.tape.apply(OPERATORS[symbol](**attributes), operands)
        return made


def _number(value: Value) -> Any:
    """The number that a value is, None where it is none."""
    return value.number if isinstance(value, Constant) and not value.type.shape else None


def _folded(op: Op, values: Sequence[Value], numbers: Sequence[Any], dtype: str) -> Any:
    """What `op` makes of numbers alone, in float64; None where it waits for a size or is not finite in its dtype."""
    if None in numbers or any(isinstance(a, Dim) for a in vars(op).values()):
        return None
    kinds = ["float64" if v.type.dtype in FLOATS else v.type.dtype for v in values]
    with np.errstate(all="ignore"):
        made = op.forward(*(np.asarray(n, kind) for n, kind in zip(numbers, kinds, strict=True)))
        finite = np.isfinite(np.asarray(made).astype(dtype)).all()
    return np.asarray(made).item() if finite else None


def free_sizes(values: Sequence[Value]) -> list[str]:
    """The names of the sizes in the shapes of `values` that are free, as they come."""
    dims = [d for v in values for d in v.type.shape if isinstance(d, Dim)]
    return list(dict.fromkeys(name for d in dims for name in sorted(names(d))))


def _axes(axis: Any) -> tuple[int, ...] | None:
    return (axis,) if isinstance(axis, int) else axis
