"""Turns a net into a table that compares its gradients with slopes measured in float64, and blames rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod, sqrt
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.differentiable import differentiable
from netc.autodiff.interpret import interpret
from netc.autodiff.moving import Point, takes_complex
from netc.autodiff.reverse import reverse
from netc.autodiff.rules import BrokenRule, broken_rules
from netc.autodiff.stencil import Slope, complex_slope, difference_slope
from netc.autodiff.subject import Subject
from netc.ir.module import Node, Param, Value
from netc.passes.initial import numbers

Array: TypeAlias = npt.NDArray[np.float64]

TOLERANCE = 1e-6
NOTHING = (
    1e-8  # of the steepest operand's slope: below it a gradient is rounding, as of a bias before a BatchNorm
)
SKIPPED = 0.05  # of the directions of an operand that may meet kinks
DIRECTIONS = 20
WORK = 3e10  # multiply-adds that the default number of directions may cost
EVALUATIONS = 20  # of the graph for a direction, about


@dataclass(frozen=True)
class Row:
    """One parameter or input. error: the largest relative error over its directions.

    kinks: the places of the nodes at which directions were given up. steps: the narrowest step used.
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

    @property
    def too_many_kinks(self) -> bool:
        return self.skipped > SKIPPED * self.directions


@dataclass(frozen=True)
class Report:
    """What a check of one net found. blamed: the rules at fault, where an error is too large."""

    net: str
    sizes: Mapping[str, int]
    tolerance: float
    rows: tuple[Row, ...]
    blamed: tuple[BrokenRule, ...]

    @property
    def passed(self) -> bool:
        right = all(row.error <= self.tolerance and not row.too_many_kinks for row in self.rows)
        return right and not (self.rows and all(row.zero for row in self.rows))

    @property
    def worst(self) -> float:
        return max((row.error for row in self.rows), default=0.0)


def gradcheck(
    subject: Subject,
    tolerance: float = TOLERANCE,
    directions: int | None = None,
    seed: int = 0,
    told: Callable[[Row], None] = lambda row: None,
) -> Report:
    """Compares the gradient of the subject's number for each float parameter and input with slopes.

    directions: how many at random for each; by the cost of the net unless given. told: is given each row.
    """
    wrt = tuple(differentiable(subject))
    if directions is None:
        directions = affordable(subject, len(wrt))
    gradients = gradients_of(subject, wrt)
    point = Point(subject.located, subject.inputs, subject.weights)
    rng = np.random.default_rng([seed, 1])
    typical = [_typical(point.values[v], g) for v, g in zip(wrt, gradients, strict=True)]
    least = NOTHING * max(typical, default=0.0)
    rows, widest = [], 0
    for value, gradient, scale in zip(wrt, gradients, typical, strict=True):
        row, widest = _row(point, value, gradient, max(scale, least), rng, directions, widest)
        told(row)
        rows.append(row)
    report = Report(subject.net.name, subject.sizes, tolerance, tuple(rows), ())
    if all(row.error <= tolerance for row in rows):
        return report
    return Report(subject.net.name, subject.sizes, tolerance, tuple(rows), broken_rules(subject, tolerance))


def affordable(subject: Subject, count: int) -> int:
    """How many directions for each of so many operands."""
    macs = sum(_macs(node) for node in subject.located.flat.nodes)
    wanted = WORK / (EVALUATIONS * max(1, count) * max(1, macs))
    return max(1, min(DIRECTIONS, int(wanted)))


def _macs(node: Node) -> int:
    """Multiply-adds, and one for each element made."""
    made = sum(prod(numbers(v.type.shape)) for v in node.outputs)
    return int(node.op.macs(node.made, *(v.type.shape for v in node.operands))) + made


def gradients_of(subject: Subject, wrt: Sequence[Value]) -> tuple[Array, ...]:
    """The gradients by the graph that `reverse` makes."""
    backward = reverse(subject.located, subject.located.flat.outputs[:1], wrt, {})
    made = interpret(backward.flat, subject.inputs, subject.weights)
    return made[len(subject.located.flat.outputs) :]


def _row(
    point: Point,
    value: Value,
    gradient: Array,
    typical: float,
    rng: np.random.Generator,
    directions: int,
    widest: int,
) -> tuple[Row, int]:
    """The row of one operand.

    typical: what slopes are about. widest: the step to start from, as what was found before suggests.
    """
    after = point.after(value)
    analytic = all(takes_complex(point.nodes[i]) for i in after)
    held = point.values[value]
    size = _size(held)
    error, skipped, step, kinks = 0.0, 0, 1.0, dict[str, None]()
    for _ in range(directions):
        direction = size * rng.standard_normal(held.shape)
        if analytic:
            slope = complex_slope(point, value, direction, after)
        else:
            slope, widest = difference_slope(point, value, direction, after, max(0, widest - 1))
        if slope.value is None:
            skipped += 1
            kinks[slope.kink] = None
            continue
        step = min(step, slope.step)
        error = max(error, _error(float(np.sum(gradient * direction)), slope, typical, _noise(point, slope)))
    path = ".".join(value.path) if isinstance(value, Param) else value.hint
    kind = "parameter" if isinstance(value, Param) else "input"
    method = "complex step" if analytic else "differences"
    zero = not np.any(gradient)
    return Row(path, kind, held.shape, method, directions, skipped, error, step, tuple(kinks), zero), widest


def _size(held: Array) -> float:
    """What an element of an operand is about, which a direction takes its own size from."""
    return sqrt(np.mean(np.square(held))) or 1.0


def _typical(held: Array, gradient: Array) -> float:
    """The standard deviation of the slope along a random direction."""
    return _size(held) * sqrt(np.sum(np.square(gradient)))


def _noise(point: Point, slope: Slope) -> float:
    """What rounding of the number makes of the slope."""
    number = abs(float(point.outputs[0]))
    return 0.0 if slope.spread == 0.0 else 8 * np.finfo(np.float64).eps * max(number, 1e-3) / slope.step


def _error(told: float, slope: Slope, typical: float, noise: float) -> float:
    """The difference, but for what rounding explains, over the larger slope or a typical one."""
    assert slope.value is not None
    if not np.isfinite(told) or not np.isfinite(slope.value):
        return float("inf")
    difference = max(0.0, abs(told - slope.value) - noise)
    return difference / scale if (scale := max(abs(told), abs(slope.value), typical)) else 0.0
