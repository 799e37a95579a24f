"""What is known of the whole numbers in a tensor of positions: the size that they are positions of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netc.dims import AnyDim, Shape


@dataclass(frozen=True)
class IndexRange:
    """Whole numbers from 0 that stay below `below`, and do reach below - 1, for some input at least.

    ramp: they are a vector that rises by 1 to its end, or one number, below - 1. each: every element by itself may
    reach it, so that any part of the tensor does.
    """

    below: AnyDim
    ramp: bool = False
    each: bool = False


Known = Sequence[IndexRange | None]  # of operands, None where nothing is known


def widest(ranges: Known) -> IndexRange | None:
    """That of tensors all of whose elements stand in one; None where it cannot be told."""
    known = [r for r in ranges if r is not None]
    if not known or len(known) < len(ranges):
        return None
    numbers = [r.below for r in known if isinstance(r.below, int)]
    alike = all(r.below == known[0].below for r in known)
    if not alike and len(numbers) < len(known):
        return None
    return IndexRange(known[0].below if alike else max(numbers), each=all(r.each for r in known))


def numbers_of(ranges: Known) -> list[int] | None:
    """What all of them stay below, where these are numbers."""
    numbers = [r.below for r in ranges if r is not None and isinstance(r.below, int)]
    return numbers if len(numbers) == len(ranges) else None


def apart(a: Shape, b: Shape) -> bool:
    """Whether every element of a meets every element of b: along no axis do both have more than one."""
    shared = range(1, min(len(a), len(b)) + 1)
    return all(a[-i] == 1 or b[-i] == 1 for i in shared)
