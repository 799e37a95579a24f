"""Turns a net into a table that compares its gradients with slopes measured in float64, and blames rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.backward import Gradients, backward
from netc.autodiff.differentiable import differentiable
from netc.autodiff.finite import NotFinite, finite, first_not_finite
from netc.autodiff.moving import Point
from netc.autodiff.row import TOLERANCE, Check, Row, typical_slope
from netc.autodiff.rules import BrokenRule, broken_rules
from netc.autodiff.subject import Subject
from netc.ir.module import Node, Value
from netc.passes.initial import numbers

Array: TypeAlias = npt.NDArray[np.float64]

DIRECTIONS = 20
WORK = 3e10  # multiply-adds that the default number of directions may cost
EVALUATIONS = 20  # of the graph for a direction, about


@dataclass(frozen=True)
class Report:
    """What a check of one net found. blamed: the rules at fault, where an error is too large.

    not_finite: why nothing could be compared, if so.
    """

    net: str
    sizes: Mapping[str, int]
    tolerance: float
    rows: tuple[Row, ...]
    blamed: tuple[BrokenRule, ...]
    not_finite: NotFinite | None = None

    @property
    def passed(self) -> bool:
        right = not any(row.too_large or row.too_many_kinks for row in self.rows)
        return right and self.not_finite is None and not self.zero

    @property
    def zero(self) -> bool:
        """Whether no parameter and no input has a slope."""
        return bool(self.rows) and all(row.zero for row in self.rows)

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

    tolerance: of slopes by complex steps; those by differences are held to no less than 1e-6. directions: how many at
    random for each; by the cost of the net unless given. told: is given each row.
    """
    wrt = tuple(differentiable(subject))
    gradients = backward(subject, wrt)
    if (stopped := not_finite(subject, gradients)) is not None:
        return Report(subject.net.name, subject.sizes, tolerance, (), (), stopped)
    if directions is None:
        directions = affordable(subject, len(wrt))
    rows = []
    check = started(subject, gradients, tolerance, seed)
    for value, array in zip(wrt, gradients.arrays, strict=True):
        rows.append(check.row(value, array, directions))
        told(rows[-1])
    blamed = broken_rules(subject, tolerance) if any(row.too_large for row in rows) else ()
    return Report(subject.net.name, subject.sizes, tolerance, tuple(rows), blamed)


def started(subject: Subject, gradients: Gradients, tolerance: float, seed: int) -> Check:
    """The check of a subject's operands, one by one."""
    point = Point(subject.located, subject.inputs, subject.weights)
    pairs = zip(gradients.wrt, gradients.arrays, strict=True)
    steepest = max((typical_slope(point.values[v], g) for v, g in pairs), default=0.0)
    return Check(point, np.random.default_rng([seed, 1]), steepest, tolerance, gradients.rounding)


def not_finite(subject: Subject, gradients: Gradients) -> NotFinite | None:
    """The node for which the number or a gradient is not finite, if one is not."""
    (number, *_), arrays = gradients.values, gradients.arrays
    if finite(number) and all(map(finite, arrays)):
        return None
    what = "a gradient" if finite(number) else "the loss" if subject.net.losses else "the sum of the outputs"
    return first_not_finite(gradients.located, subject.inputs, subject.weights, what)


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
    return backward(subject, wrt).arrays
