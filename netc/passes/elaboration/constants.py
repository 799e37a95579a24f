"""Turns lists of numbers into tensors known at compile time, and ops on such tensors into others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

from netc.diagnostics import Span, wording_constants
from netc.ir.module import Constant, ConstantTensor, Node, Type, Value
from netc.ops.arrays import np
from netc.ops.contract import DTYPES, FLOATS, INTEGERS, Op
from netc.passes.elaboration.frame import Frame
from netc.passes.elaboration.numbers import concrete
from netc.passes.elaboration.values import LAYERS, POISON, Poisoned, describe
from netc.passes.inline import in_float64
from netc.syntax import tree

ELEMENTS = 1_000_000  # of a tensor that is computed at compile time
AXES = 16
SHARE = 16  # elements and operations that are as much work as evaluating an expression


def listed_tensor(
    frame: Frame, positional: Sequence[Any], keywords: Mapping[str, Any], node: tree.Call
) -> ConstantTensor:
    """`tensor([...])`: the numbers of a list, of lists of the same length for more axes."""
    numbers, asked = _arguments(frame, positional, keywords, node)
    at = node.arguments[0].value.span
    shape, elements = _laid_out(frame, numbers, at)
    if bool in (kinds := set(map(type, elements))) and len(kinds) > 1:
        raise frame.refuse(wording_constants.mixed(at))
    dtype = asked or _dtype(elements)
    for element in elements:
        if not _holds(dtype, element):
            raise frame.refuse(wording_constants.other_dtype(at, _shown(element), dtype))
    array = np.array(elements, "float64" if dtype in FLOATS else dtype).reshape(shape)
    made = ConstantTensor("", Type(dtype, shape), array)
    frame.origins[made] = node.span
    return made


def _arguments(
    frame: Frame, positional: Sequence[Any], keywords: Mapping[str, Any], node: tree.Call
) -> tuple[Sequence[Any], str | None]:
    """The list, and the dtype that is asked for."""
    if len(positional) != 1 or keywords.keys() - {"dtype"}:
        raise frame.refuse(wording_constants.bad_call(node.span))
    (numbers,) = positional
    dtype = keywords.get("dtype")
    if "dtype" in keywords and dtype not in DTYPES:
        at = next(a.value.span for a in node.arguments if a.name == "dtype")
        raise frame.refuse(wording_constants.unknown_dtype(at, dtype if isinstance(dtype, str) else None))
    if not isinstance(numbers, list | tuple):
        raise frame.refuse(wording_constants.not_a_list(node.arguments[0].value.span, describe(numbers)))
    return numbers, dtype


def _laid_out(frame: Frame, numbers: Sequence[Any], at: Span) -> tuple[tuple[int, ...], list[Any]]:
    """The shape of nested lists, and what they hold in order."""
    shape: list[int] = []
    level: list[Any] = [numbers]
    while level and isinstance(level[0], list | tuple):
        lengths = {len(part) if isinstance(part, list | tuple) else None for part in level}
        if len(lengths) > 1 or 0 in lengths or len(shape) == AXES:
            raise frame.refuse(wording_constants.ragged(at, len(lengths) > 1, AXES))
        shape.append(len(level[0]))
        frame.session.spend(sum(map(len, level)))
        level = [item for part in level for item in part]
    return tuple(shape), [_number(frame, item, at) for item in level]


def _number(frame: Frame, item: Any, at: Span) -> int | float | bool:
    if item is POISON:
        raise Poisoned
    found = concrete(item, at, "a number of a tensor")
    if not isinstance(found, int | float):
        what = "a layer" if isinstance(item, LAYERS) else describe(item)
        raise frame.refuse(wording_constants.not_a_number(at, what, isinstance(item, Value)))
    return found


def _dtype(elements: Sequence[Any]) -> str:
    kinds = set(map(type, elements))
    return "bool" if kinds == {bool} else "int64" if kinds == {int} else "float32"


def _holds(dtype: str, element: Any) -> bool:
    """Whether a number is one of `dtype`: nothing is rounded to a whole number, nothing overflows."""
    from netc.passes.elaboration.precision import representable

    if isinstance(element, bool) or dtype == "bool":
        return isinstance(element, bool) and dtype == "bool"
    return representable(element, dtype) and (dtype not in INTEGERS or isinstance(element, int))


def _shown(element: Any) -> str:
    return describe(element) if isinstance(element, bool) else str(element)


def is_constant(op: Op, inputs: Sequence[Value]) -> bool:
    """Whether `op` on `inputs` is known at compile time: a tensor from numbers is among them, and nothing else."""
    return (
        any(isinstance(v, ConstantTensor) for v in inputs)
        and all(isinstance(v, Constant) for v in inputs)
        and not op.trains
    )


def folded(
    frame: Frame, op: Op, inputs: Sequence[Value], types: Sequence[Type], span: Span
) -> tuple[ConstantTensor, ...]:
    """What `op` makes of constants, in float64 where that is floats."""
    shapes = [v.type.shape for v in inputs]
    made = [t.shape for t in types]
    sizes = [prod(d for d in shape if isinstance(d, int)) for shape in made]
    if max(sizes) > ELEMENTS:
        raise frame.refuse(wording_constants.too_large(span, max(sizes), ELEMENTS))
    operations = op.flops(made if len(made) > 1 or op.cuts else made[0], *shapes)
    frame.session.spend((sum(sizes) + int(operations)) // SHARE)
    arrays = _computed(frame, op, inputs, span)
    outputs = tuple(
        ConstantTensor("", t, np.asarray(a, "float64" if t.dtype in FLOATS else t.dtype))
        for t, a in zip(types, arrays, strict=True)
    )
    node = Node(op, tuple(inputs), (), outputs, None, span)
    for output in outputs:
        if output.type.dtype in FLOATS and not _finite(output):
            raise frame.refuse(wording_constants.not_finite(span, output.type.dtype))
        object.__setattr__(output, "made", node)
        frame.origins[output] = span
    return outputs


def _computed(frame: Frame, op: Op, inputs: Sequence[Value], span: Span) -> tuple[Any, ...]:
    operands = [
        np.asarray(v.number, "float64" if v.type.dtype in FLOATS else v.type.dtype)
        for v in inputs
        if isinstance(v, Constant)
    ]
    try:
        with np.errstate(all="ignore"):  # what is not finite is refused
            made = in_float64(op).forward(*operands)
    except IndexError as error:
        raise frame.refuse(wording_constants.no_such_position(span, op.name, str(error))) from None
    return tuple(made) if isinstance(made, tuple | list) else (made,)


def _finite(tensor: ConstantTensor) -> bool:
    """Whether every number stays finite in its dtype."""
    with np.errstate(all="ignore"):
        return bool(np.isfinite(tensor.number.astype(tensor.type.dtype)).all())
