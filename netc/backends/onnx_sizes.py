"""Turns shapes that depend on free sizes into ONNX nodes that compute them from the shapes of the inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from netc.diagnostics import Refused
from netc.diagnostics.wording_weights import unknown_at_run_time
from netc.dims import AnyDim, Atom, Dim, Monomial, Shape, Size, decide, names, show, substitute
from netc.ir.module import Value


class Builder(Protocol):
    def constant(self, values: object, dtype: str) -> str: ...

    def enter_size(self, text: str, op_type: str, *inputs: str, **attributes: object) -> str: ...


class RunTimeSizes:
    """The sizes computed so far; each is a vector of one element."""

    def __init__(self, builder: Builder, inputs: Sequence[Value]) -> None:
        self._builder = builder
        self._inputs = inputs
        self._known: dict[AnyDim | Atom, str] = {}
        self._vectors: dict[Shape, str] = {}

    def vector(self, shape: Shape) -> str:
        if shape not in self._vectors:
            parts = [self._size(d) for d in shape]
            if len(parts) > 1:
                parts = [self._builder.enter_size(show(shape), "Concat", *parts, axis=0)]
            (self._vectors[shape],) = parts
        return self._vectors[shape]

    def _size(self, dim: AnyDim) -> str:
        if isinstance(dim, int):
            return self._builder.constant([dim], "int64")
        if dim not in self._known:
            self._known[dim] = self._sum(dim)
        return self._known[dim]

    def _sum(self, dim: Dim) -> str:
        if (single := _single(dim)) is not None:
            return self._whole(single)
        total = ""
        for monomial, coefficient in dim.terms:
            term = self._term(monomial, coefficient)
            total = self._builder.enter_size(str(dim), "Add", total, term) if total else term
        return total

    def _term(self, monomial: Monomial, coefficient: int) -> str:
        factors = [self._atom(atom) for atom in monomial]
        if coefficient != 1 or not factors:
            factors.append(self._size(coefficient))
        product, *rest = factors
        text = str(Dim(((monomial, coefficient),)))
        for factor in rest:
            product = self._builder.enter_size(text, "Mul", product, factor)
        return product

    def _atom(self, atom: Atom) -> str:
        if atom not in self._known:
            if isinstance(atom, Size):
                whole = self._whole(atom)
                alone = Dim((((atom,), 1),))
                made = whole if atom.multiple == 1 else self._quotient(alone, whole, atom.multiple)
            else:
                negative = not decide("least", atom.numerator, 0)
                above = self._size(atom.numerator)
                made = self._quotient(Dim((((atom,), 1),)), above, atom.divisor, negative)
            self._known[atom] = made
        return self._known[atom]

    def _quotient(self, dim: Dim, above: str, divisor: AnyDim, negative: bool = False) -> str:
        """Div truncates: what may be negative is first made divisible, by Mod, which floors."""
        below, text, enter = self._size(divisor), str(dim), self._builder.enter_size
        if negative:
            above = enter(f"{text}/whole", "Sub", above, enter(f"{text}/rest", "Mod", above, below, fmod=0))
        return enter(text, "Div", above, below)

    def _whole(self, size: Size) -> str:
        """The named size itself, from an axis of an input."""
        whole = Dim((((size,), size.multiple),))
        if whole not in self._known:
            self._known[whole] = self._read(size)
        return self._known[whole]

    def _read(self, size: Size) -> str:
        axes = [(value, i, d) for value in self._inputs for i, d in enumerate(value.type.shape)]
        for value, axis, dim in axes:
            if isinstance(dim, Dim) and _single(dim) == size:
                return self._builder.enter_size(size.name, "Shape", value.hint, start=axis, end=axis + 1)
        for value, axis, dim in axes:
            if isinstance(dim, Dim) and names(dim) == {size.name} and (line := _line(dim, size)):
                read = self._builder.enter_size(str(dim), "Shape", value.hint, start=axis, end=axis + 1)
                return self._solve(size, read, *line)
        raise Refused(unknown_at_run_time(size.name, None))

    def _solve(self, size: Size, read: str, slope: int, start: int) -> str:
        """The size where `slope` times it plus `start` is what was read."""
        enter = self._builder.enter_size
        rest = enter(size.name, "Sub", read, self._size(start)) if start else read
        return enter(size.name, "Div", rest, self._size(slope)) if slope != 1 else rest


def _single(dim: Dim) -> Size | None:
    """The size that `dim` is, where it is one."""
    (monomial, coefficient), *others = dim.terms
    atom = monomial[0] if len(monomial) == 1 else None
    return atom if isinstance(atom, Size) and not others and coefficient == atom.multiple else None


def _line(dim: Dim, size: Size) -> tuple[int, int] | None:
    """(a, b) where `dim` is a times the size plus b, the size being a multiple of what it is known in."""
    values = [substitute(dim, {size.name: k * size.multiple}) for k in (0, 1)]
    if len(dim.terms) > 2 or any(not isinstance(v, int) for v in values):
        return None
    if any(len(m) > 1 or not all(isinstance(a, Size) for a in m) for m, _ in dim.terms):
        return None
    start, step = values
    assert isinstance(start, int) and isinstance(step, int)
    return ((step - start) // size.multiple, start) if (step - start) % size.multiple == 0 else None
