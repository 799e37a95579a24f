"""Turns a net into whole Jacobians, by the gradient graph and by differences, and compares them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.differentiable import differentiable
from netc.autodiff.gradcheck import Report
from netc.autodiff.interpret import interpret
from netc.autodiff.moving import Point
from netc.autodiff.reverse import reverse
from netc.autodiff.row import DIFFERENCES, TOLERANCE, Row
from netc.autodiff.rules import broken_rules
from netc.autodiff.subject import Subject
from netc.diagnostics import Refused
from netc.diagnostics.wording_gradient import too_large_for_jacobian
from netc.ir.module import Param, Value
from netc.passes.initial import numbers

Array: TypeAlias = npt.NDArray[Any]

LIMIT = 3_000_000  # elements of all Jacobians together
STEPS = (1e-3, 1e-5, 1e-7)
FLAT = 1e-5  # of the steepest operand's: a Jacobian that is smaller counts as so large, as it may be all rounding


def jacobians(
    subject: Subject, tolerance: float = TOLERANCE, told: Callable[[Row], None] = lambda row: None
) -> Report:
    """Compares every element of the Jacobian of all outputs and losses, for each parameter and float input.

    subject: one that is weighed: its number is the sum of the elements of its other outputs times weights.
    """
    wrt = tuple(differentiable(subject))
    point = Point(subject.located, subject.inputs, subject.weights)
    count = sum(prod(numbers(w.type.shape)) for w in subject.weighing)
    total = count * sum(point.values[v].size for v in wrt)
    if total > LIMIT:
        raise Refused(too_large_for_jacobian(subject.net.block.span, subject.net.name, total, LIMIT))
    told_by_graph = _by_graph(subject, wrt, point)
    least = FLAT * max((float(np.abs(j).max(initial=0.0)) for j in told_by_graph), default=0.0)
    rows = []
    for value, jacobian in zip(wrt, told_by_graph, strict=True):
        row = _row(point, value, jacobian, len(subject.weighing), max(least, 1e-12))
        rows.append(replace(row, allowed=max(tolerance, DIFFERENCES)))
        told(rows[-1])
    blamed = broken_rules(subject, tolerance) if any(row.too_large for row in rows) else ()
    return Report(subject.net.name, subject.sizes, tolerance, tuple(rows), blamed)


def _by_graph(subject: Subject, wrt: tuple[Value, ...], point: Point) -> list[Array]:
    """For each of `wrt` its Jacobian [outputs, elements]: a row is the gradient of one output element."""
    backward = reverse(subject.located, subject.located.flat.outputs[:1], wrt, {})
    weights = subject.weighing
    rows: list[tuple[Array, ...]] = []
    skipped = len(subject.located.flat.outputs)
    for weight in weights:
        for i in range(prod(numbers(weight.type.shape))):
            given = {w.hint: np.zeros(subject.inputs[w.hint].shape) for w in weights}
            given[weight.hint].flat[i] = 1.0
            rows.append(interpret(backward.flat, {**subject.inputs, **given}, subject.weights)[skipped:])
    return [np.stack([row[k].ravel() for row in rows]) for k in range(len(wrt))]


def _row(point: Point, value: Value, jacobian: Array, compared: int, least: float) -> Row:
    """compared: how many of the outputs that follow the number; buffers follow those. least: what errors are over."""
    after, held = point.after(value), point.values[value]
    scale = max(float(np.abs(jacobian).max(initial=0.0)), least)
    error, skipped, narrowest = 0.0, 0, 1.0
    kinks: dict[str, None] = {}
    for i in range(held.size):
        column, step, kink = _column(point, value, i, after, compared)
        if column is None:
            skipped += 1
            kinks[kink] = None
        else:
            narrowest = min(narrowest, step)
            error = max(error, float(np.abs(column - jacobian[:, i]).max(initial=0.0)) / scale)
    path = ".".join(value.path) if isinstance(value, Param) else value.hint
    kind = "parameter" if isinstance(value, Param) else "input"
    return Row(path, kind, held.shape, "Jacobian", held.size, skipped, error, narrowest, tuple(kinks))


def _column(
    point: Point, value: Value, element: int, after: tuple[int, ...], compared: int
) -> tuple[Array | None, float, str]:
    """The slopes of the outputs compared along one element, by 5-point differences at the widest step without a kink."""
    kink = ""
    for step in STEPS:
        found = {}
        for k in (2, -2, 1, -1):
            to = point.values[value].copy()
            to.flat[element] += k * step
            moved = point.move(value, to, after, watch=abs(k) == 2)
            if moved.kink is not None:
                kink = moved.kink
                break
            found[k] = np.concatenate([y.ravel() for y in moved.outputs[1 : 1 + compared]])
        else:
            return (8 * (found[1] - found[-1]) - (found[2] - found[-2])) / (12 * step), step, ""
    return None, 0.0, kink
