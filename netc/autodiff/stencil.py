"""Turns a point and a direction into the slope of the number there: complex step, or 5-point differences."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.moving import Point
from netc.autodiff.rounding import RUNS
from netc.ir.module import Value

Array: TypeAlias = npt.NDArray[Any]

STEPS = tuple(10.0**-k for k in range(2, 10))  # of the operand's own size, from the widest
RATIOS = (1.0, 0.5, 0.25)  # the three step sizes that are compared
NEAR = 1e-12  # within which a kink counts as met, where slopes are by complex steps
COMPLEX = 1e-30  # so small that its square is lost: the imaginary part is the exact slope


@dataclass(frozen=True)
class Slope:
    """value: the slope, None where every step meets a kink, with its place. spread: how far two step sizes differ."""

    value: float | None
    spread: float = 0.0
    step: float = 0.0
    kink: str = ""


def complex_slope(point: Point, value: Value, direction: Array, after: tuple[int, ...]) -> Slope:
    """By a complex step, where every op on the way takes one: exact but for rounding, on the point's own piece.

    A kink at the point itself is told by a real step next to nothing.
    Source: Squire and Trapp (1998), Using complex variables to estimate derivatives of real functions.
    """
    near = point.move(value, point.values[value] + NEAR * direction, after, watch=True)
    if near.kink is not None:
        return Slope(None, kink=near.kink)
    moved = point.move(value, point.values[value] + COMPLEX * 1j * direction, after, watch=False)
    return Slope(float(np.imag(moved.number)) / COMPLEX, 0.0, COMPLEX)


def moved_slopes(point: Point, value: Value, direction: Array, after: tuple[int, ...]) -> list[float]:
    """What the slope by a complex step would be where all on the way is off as rounding may take it, some times."""
    to = point.values[value] + COMPLEX * 1j * direction
    rngs = (np.random.default_rng([seed, 5]) for seed in range(RUNS))
    return [float(np.imag(point.rounded(value, to, after, rng).number)) / COMPLEX for rng in rngs]


def difference_slope(
    point: Point, value: Value, direction: Array, after: tuple[int, ...], widest: int = 0
) -> tuple[Slope, int]:
    """By central 5-point differences at three step sizes, the widest at which no node leaves its smooth piece.

    Of the three the one is taken that differs least from its neighbour. widest: the place in STEPS to start
    from; the place found is given back.
    """
    kink = ""
    for rung in range(widest, len(STEPS)):
        at: dict[float, float] = {}
        step = STEPS[rung]
        kink = _evaluate(point, value, direction, after, (2 * step, -2 * step), at, watch=True)
        if not kink:
            inner = {sign * scale * step * ratio for ratio in RATIOS for scale in (1, 2) for sign in (1, -1)}
            _evaluate(point, value, direction, after, sorted(inner - set(at)), at, watch=False)
            return _best([(_five_point(at, step * ratio), step * ratio) for ratio in RATIOS]), rung
    return Slope(None, kink=kink), widest


def _evaluate(
    point: Point,
    value: Value,
    direction: Array,
    after: tuple[int, ...],
    steps: Any,
    at: dict[float, float],
    watch: bool,
) -> str:
    """Fills in the number at each step; gives the place of the first kink met."""
    for step in steps:
        moved = point.move(value, point.values[value] + step * direction, after, watch)
        if moved.kink is not None:
            return moved.kink
        at[step] = float(moved.number)
    return ""


def _five_point(at: dict[float, float], h: float) -> float:
    return (8 * (at[h] - at[-h]) - (at[2 * h] - at[-2 * h])) / (12 * h)


def _best(found: list[tuple[float, float]]) -> Slope:
    pairs = [(abs(a - b), b, step) for (a, _), (b, step) in zip(found, found[1:], strict=False)]
    spread, value, step = min(pairs)
    return Slope(value, spread, step)
