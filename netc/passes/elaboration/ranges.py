"""Follows what is known of whole numbers from op to op, so that an index which reaches too far is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netc.dims import AnyDim, Guard, Shape, at_least, decide, names, prover, same, size, substitute
from netc.ir.module import Constant, Value
from netc.ops.arrays import np
from netc.ops.contract import INTEGERS, Mismatch, Op
from netc.ops.index_range import IndexRange, Known
from netc.passes.elaboration.frame import Frame
from netc.syntax import tree

HIDDEN = ".below"


def ranges_of(frame: Frame, values: Sequence[Value]) -> Known:
    """What is known of each value."""
    return [_constant(v) if isinstance(v, Constant) else frame.ranges.get(v) for v in values]


def _constant(value: Constant) -> IndexRange | None:
    numbers = np.asarray(value.number)
    if value.type.dtype not in INTEGERS or numbers.min() < 0:
        return None
    rises = numbers.ndim <= 1 and bool((np.diff(np.atleast_1d(numbers)) == 1).all())
    return IndexRange(int(numbers.max()) + 1, ramp=rises, each=not numbers.ndim)


def check_indices(op: Op, known: Known, shapes: Sequence[Shape]) -> None:
    """Raises Mismatch where an operand reaches what it has nothing to point at."""
    if not any(known):
        return
    limits = zip(op.operand_names(len(known)), known, op.below(*shapes), strict=True)
    for operand, held, limit in limits:
        if held is None or limit is None:
            continue
        if not _fits(limit - held.below):
            reached, limit = (prover().known(d) for d in (held.below - 1, limit))
            raise Mismatch(operand, f"{operand} goes up to {reached}, but must stay below {limit}")


def _fits(left: AnyDim) -> bool:
    """Whether `left` is at least 0, where need be by a multiple that makes it 0: less is lost than by a largest size."""
    return (decide("least", left, 0) is None and same(left, 0)) or at_least(left, 0)


def keep_ranges(
    frame: Frame, op: Op, known: Known, shapes: Sequence[Shape], outputs: Sequence[Value]
) -> None:
    """Enters what is known of the outputs of `op`."""
    made = op.index_range(known, *shapes)
    several = made if isinstance(made, tuple) else (made,) * len(outputs)
    for value, held in zip(outputs, several, strict=True):
        if held is not None and value.type.dtype in INTEGERS:
            frame.ranges[value] = held


def hidden(declared: Sequence[tree.Declaration], known: Known) -> dict[str, AnyDim]:
    """What the inputs of a block stay below, each as a size that the block does not see."""
    pairs = zip(declared, known, strict=True)
    return {f"{d.name.text}{HIDDEN}": held.below for d, held in pairs if held is not None}


def without_ranges(guards: Sequence[Guard]) -> list[Guard]:
    """The questions that a block asks of its sizes alone."""
    return [g for g in guards if not any(name.endswith(HIDDEN) for name in names(g.dim))]


def enter_ranges(frame: Frame, known: Known) -> None:
    """Enters what the caller knows of the inputs of a block."""
    for value, held in zip(frame.inputs, known, strict=True):
        if held is not None:
            frame.ranges[value] = IndexRange(size(f"{value.hint}{HIDDEN}"), held.ramp, held.each)


def in_caller(known: Known, sizes: Mapping[str, AnyDim]) -> Known:
    """What is known of the outputs of a block, in the sizes of its caller."""
    return [held and IndexRange(substitute(held.below, sizes), held.ramp, held.each) for held in known]
