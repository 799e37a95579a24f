"""Turns an operand, its gradient and a point into a row of a gradient check: the worst of some directions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite, sqrt
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.moving import Point, takes_complex
from netc.autodiff.stencil import Slope, complex_slope, difference_slope, moved_slopes
from netc.ir.module import Param, Value

Array: TypeAlias = npt.NDArray[np.float64]

TOLERANCE = 1e-12  # of slopes by complex steps, beyond which rounding must explain an error
DIFFERENCES = 1e-6  # of slopes by differences
EXPLAINED = 1e-6  # at most, by rounding
NOTHING = 1e-4  # of the steepest operand's slope: what is less is held against that, as the rounding of the steepest
NOTHING_BY_DIFFERENCES = 1e-8
SKIPPED = 0.05  # of the directions of an operand that may meet kinks


@dataclass(frozen=True)
class Row:
    """One parameter or input. error: the relative error of the worst of its directions; allowed: what it may be.

    kinks: the places of the nodes at which directions were given up. step: the narrowest one used.
    zero: whether every element of the gradient is 0.
    """

    name: str
    kind: str  # "parameter" or "input"
    shape: tuple[int, ...]
    method: str  # "complex step" or "differences"
    directions: int
    skipped: int
    error: float
    step: float
    kinks: tuple[str, ...]
    zero: bool = False
    allowed: float = DIFFERENCES

    @property
    def too_large(self) -> bool:
        return not self.error <= self.allowed

    @property
    def too_many_kinks(self) -> bool:
        return self.skipped > SKIPPED * self.directions


@dataclass
class Check:
    """The check of one operand after the other. steepest: the slope that the steepest of them has, about.

    rounding: how far rounding may move each element of the gradient of an operand; computed where it is asked for.
    widest: the step of differences to start from, as the operands before suggest.
    """

    point: Point
    rng: np.random.Generator
    steepest: float
    tolerance: float
    rounding: Callable[[Value], Array]
    widest: int = 0

    def row(self, value: Value, gradient: Array, directions: int) -> Row:
        after = self.point.after(value)
        analytic = all(takes_complex(self.point.nodes[i]) for i in after)
        held = self.point.values[value]
        error, allowed, skipped, step, kinks = 0.0, self._least(analytic), 0, 1.0, dict[str, None]()
        for _ in range(directions):
            direction = size_of(held) * self.rng.standard_normal(held.shape)
            slope = self._slope(value, direction, after, analytic)
            if slope.value is None:
                skipped += 1
                kinks[slope.kink] = None
                continue
            step = min(step, slope.step)
            found, limit = self._error(value, gradient, direction, slope, after, analytic)
            if not found / limit <= error / allowed:
                error, allowed = found, limit
        path = ".".join(value.path) if isinstance(value, Param) else value.hint
        kind = "parameter" if isinstance(value, Param) else "input"
        method = "complex step" if analytic else "differences"
        zero = not np.any(gradient)
        return Row(
            path, kind, held.shape, method, directions, skipped, error, step, tuple(kinks), zero, allowed
        )

    def _least(self, analytic: bool) -> float:
        """The error that is always allowed."""
        return self.tolerance if analytic else max(self.tolerance, DIFFERENCES)

    def _slope(self, value: Value, direction: Array, after: tuple[int, ...], analytic: bool) -> Slope:
        if analytic:
            return complex_slope(self.point, value, direction, after)
        slope, self.widest = difference_slope(self.point, value, direction, after, max(0, self.widest - 1))
        return slope

    def _error(
        self,
        value: Value,
        gradient: Array,
        direction: Array,
        slope: Slope,
        after: tuple[int, ...],
        analytic: bool,
    ) -> tuple[float, float]:
        """The difference over the larger slope or a typical one, and what it may be."""
        told, least = float(np.sum(gradient * direction)), self._least(analytic)
        assert slope.value is not None
        if not isfinite(told) or not isfinite(slope.value):
            return float("inf"), least
        nothing = NOTHING if analytic else NOTHING_BY_DIFFERENCES
        typical = max(typical_slope(self.point.values[value], gradient), nothing * self.steepest)
        difference, scale = abs(told - slope.value), max(abs(told), abs(slope.value), typical)
        if not analytic:
            difference = max(0.0, difference - self._noise(slope))
        error = difference / scale if scale else 0.0
        if analytic and error > least:
            least = max(least, min(EXPLAINED, self._moves(value, direction, slope.value, after) / scale))
        return error, least

    def _noise(self, slope: Slope) -> float:
        """What rounding of the number makes of a slope by differences."""
        number = abs(float(self.point.outputs[0]))
        eps = float(np.finfo(np.float64).eps)
        return 0.0 if slope.spread == 0.0 else 8 * eps * max(number, 1e-3) / slope.step

    def _moves(self, value: Value, direction: Array, slope: float, after: tuple[int, ...]) -> float:
        """How far rounding may move the slope that the gradient tells, and the one by a complex step."""
        told = sqrt(np.sum(np.square(self.rounding(value) * direction)))
        found = moved_slopes(self.point, value, direction, after)
        return told + max((abs(s - slope) for s in found if isfinite(s)), default=0.0)


def size_of(held: Array) -> float:
    """What an element of an operand is about, which a direction takes its own size from."""
    return sqrt(np.mean(np.square(held))) or 1.0


def typical_slope(held: Array, gradient: Array) -> float:
    """The standard deviation of the slope along a random direction."""
    return size_of(held) * sqrt(np.sum(np.square(gradient)))
