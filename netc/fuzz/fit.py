"""Turns a sample of an op and a type that is at hand into an application of the op to an operand of that type."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from netc.dims import AnyDim, Learn, Prover, Shape, Unwieldy, proving
from netc.fuzz.vary import proposals, varied
from netc.ir.module import Type
from netc.ops.attributes import BadArgument, bind
from netc.ops.contract import FLOATS, Draw, Mismatch, Op, Sample

LARGEST = 40  # of one axis
ELEMENTS = 400  # where free sizes are 2
AXES = 6
_DISTINCT: dict[tuple[type[Op], int], bool] = {}
_SHARES: dict[tuple[type[Op], int], bool] = {}


@dataclass(frozen=True)
class Fit:
    """An op, the types of its operands and of its outputs, and how the operands were drawn in the sample."""

    op: Op
    operands: tuple[Type, ...]
    outputs: tuple[Type, ...]
    draws: tuple[Draw, ...]


def good_samples(op_class: type[Op]) -> list[Sample]:
    """Those of an application that gives the same each time."""
    return [s for s in op_class.samples if not s.rejects and not bind(op_class, (), s.attributes).draws()]


def shares(op_class: type[Op], slot: int) -> bool:
    """Whether an operand holds shares or probabilities: in no sample is it outside of 0 to 1."""
    key = (op_class, slot)
    if key not in _SHARES:
        draws = [s.operands[slot] for s in good_samples(op_class) if slot < len(s.operands)]
        floats = [d for d in draws if d.dtype in FLOATS]
        _SHARES[key] = bool(floats) and all(map(_share, floats))
    return _SHARES[key]


def distinct(op_class: type[Op], slot: int) -> bool:
    """Whether an operand holds positions of which none stands twice in a map: in every sample they are given so."""
    key = (op_class, slot)
    if key not in _DISTINCT:
        draws = [s.operands[slot] for s in good_samples(op_class) if slot < len(s.operands)]
        given = [np.array(d.values) for d in draws if d.kind == "given" and d.dtype not in FLOATS]
        several = any(x.ndim > 2 and x[0, 0].size > 1 for x in given)
        _DISTINCT[key] = several and len(given) == len(draws) and not any(map(repeats, given))
    return _DISTINCT[key]


def repeats(x: Any) -> bool:
    """Whether a number stands twice in a map, which is what the axes after the first two hold."""
    maps = np.sort(x.reshape(*x.shape[:2], -1), -1) if x.ndim > 2 else np.zeros((1, 1))
    return bool((np.diff(maps, axis=-1) == 0).any()) or x.ndim < 3


def _share(draw: Draw) -> bool:
    if draw.kind == "given":
        return all(0 <= v <= 1 for v in _leaves(draw.values))
    return draw.kind == "uniform" and draw.low >= 0 and draw.high <= 1


def shape_of(draw: Draw) -> Shape:
    """The shape of a sample operand."""
    shape: list[int] = []
    values: Any = draw.values
    while draw.kind == "given" and isinstance(values, list | tuple):
        shape.append(len(values))
        values = values[0] if values else None
    return tuple(shape) if draw.kind == "given" else draw.shape


def fits(
    rng: Random, op_class: type[Op], sample: Sample, slot: int, type_: Type, tries: int
) -> Iterator[Fit]:
    """Applications of `op_class`, like `sample`, whose operand `slot` is of type `type_`."""
    operands = _follow(sample.operands, slot, type_)
    draws = [_widened(draw, shape_of(sample.operands[slot]), type_.shape) for draw in sample.operands]
    for given in _attributes(rng, op_class, sample, slot, type_, tries):
        made = applied(op_class, given, operands, draws)
        if made is not None:
            yield made


def applied(
    op_class: type[Op], given: Mapping[str, Any], operands: Sequence[Type], draws: Sequence[Draw]
) -> Fit | None:
    """The op on operands of these types; None where its rule refuses them, or asks something of free sizes."""
    try:
        with proving(Prover()):
            op = bind(op_class, (), given)
            made = op.shape(*(t.shape for t in operands))
            shapes = made if isinstance(made, list) else [made]
            dtypes = op.dtypes(len(shapes), *(t.dtype for t in operands))
            op.agree([t.shape for t in operands], [t.dtype for t in operands])
            params = op.params(*(t.shape for t in operands)).values()
    except (Mismatch, BadArgument, Learn, Unwieldy, ArithmeticError):
        return None
    if op.draws():  # in evaluation: no two targets draw alike
        return None
    if not shapes or not all(map(_modest, shapes)) or not all(map(_known, (p.shape for p in params))):
        return None
    outputs = tuple(Type(d, tuple(s)) for d, s in zip(dtypes, shapes, strict=True))
    return Fit(op, tuple(operands), outputs, tuple(draws))


def _known(shape: Shape) -> bool:
    return all(isinstance(n, int) and n <= LARGEST for n in shape)


def _modest(shape: Shape) -> bool:
    """Whether a tensor is small, and its sizes are what a spec can write."""
    elements = 1
    for n in shape:
        wide = n if isinstance(n, int) else sum(abs(c) * 2 ** len(m) for m, c in n.terms)
        if wide > LARGEST or wide < 1:
            return False
        elements *= wide
    return len(shape) <= AXES and elements <= ELEMENTS


def _follow(draws: Sequence[Draw], slot: int, type_: Type) -> tuple[Type, ...]:
    """The types of all operands, where that of `slot` becomes `type_` and the others keep what they share with it."""
    own = draws[slot]
    out = []
    for i, draw in enumerate(draws):
        if i == slot:
            out.append(type_)
            continue
        alike = draw.dtype == own.dtype or {draw.dtype, own.dtype, type_.dtype} <= set(FLOATS)
        out.append(
            Type(type_.dtype if alike else draw.dtype, followed(shape_of(draw), shape_of(own), type_.shape))
        )
    return tuple(out)


def _widened(draw: Draw, old: Shape, new: Shape) -> Draw:
    """How an operand is drawn: whole numbers that count along an axis of `old` do so along that of `new`."""
    if draw.dtype in FLOATS or draw.dtype == "bool":
        return draw
    high = int(draw.high) if draw.kind == "integers" else 1 + int(max(_leaves(draw.values), default=0))
    along = new[old.index(high)] if len(old) == len(new) and high in old else high
    return Draw(draw.shape, "integers", 0, along if isinstance(along, int) else 2, draw.dtype)


def _leaves(values: Any) -> Iterator[Any]:
    for value in values:
        yield from _leaves(value) if isinstance(value, list | tuple) else (value,)


def followed(shape: Shape, old: Shape, new: Shape) -> Shape:
    """`shape` with the sizes that it has in common with `old` as they are in `new`."""
    if shape == old:
        return new
    if len(old) != len(new):
        shared = len(old) - len(shape)
        tail = shape == old[shared:] if 0 <= shared <= len(new) else False
        return new[len(new) - len(shape) :] if tail and len(shape) <= len(new) else shape
    out: list[AnyDim] = []
    for axis, n in enumerate(shape):
        behind = axis + len(old) - len(shape)
        if axis < len(old) and old[axis] == n:
            out.append(new[axis])
        elif 0 <= behind < len(old) and old[behind] == n:
            out.append(new[behind])
        else:
            out.append(new[old.index(n)] if n != 1 and n in old else n)
    return tuple(out)


def _attributes(
    rng: Random, op_class: type[Op], sample: Sample, slot: int, type_: Type, tries: int
) -> Iterator[dict[str, Any]]:
    """Attributes to try: the sample's own, adapted to the sizes, changed at random, and suggested by the sizes."""
    base = dict(sample.attributes)
    old, new = shape_of(sample.operands[slot]), type_.shape
    adapted = (
        {name: _adapted(value, old, new) for name, value in base.items()} if len(old) == len(new) else base
    )
    first = [adapted, base]
    if rng.random() < 0.6:
        first.insert(0, varied(rng, op_class, adapted))
        first.insert(0, varied(rng, op_class, base))
    yield from first
    for _ in range(tries):
        yield varied(rng, op_class, rng.choice((base, adapted)))
    suggested = list(proposals(op_class, base, new))
    rng.shuffle(suggested)
    yield from suggested[: 4 * tries]


def _adapted(value: Any, old: Shape, new: Shape) -> Any:
    """An attribute with the sizes of the sample's operand replaced by those at hand."""
    if isinstance(value, list | tuple):
        return [_adapted(v, old, new) for v in value]
    if type(value) is int and value > 1 and value in old:
        return new[old.index(value)]
    return value
