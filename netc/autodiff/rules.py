"""Turns a failed gradient check into the rules at fault: each node by itself, against differences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.moving import Point, same_piece
from netc.autodiff.subject import Subject
from netc.ir.module import Node, Value
from netc.ops.contract import FLOATS

Array: TypeAlias = npt.NDArray[Any]

STEPS = (1e-4, 1e-5, 1e-6, 1e-7)
LOOSE = 1e-4  # of a rule that is right, differences are closer
SHOWN = 10


@dataclass(frozen=True)
class BrokenRule:
    """A node whose rule gives another gradient than differences of its own value do."""

    op: str
    place: str
    operand: str
    error: float


def broken_rules(subject: Subject, tolerance: float) -> tuple[BrokenRule, ...]:
    """The first of each op at fault, the worst first; none where each rule is right by itself."""
    point = Point(subject.located, subject.inputs, subject.weights)
    worst: dict[str, BrokenRule] = {}
    for index, node in enumerate(point.nodes):
        if node.op.differentiable and any(v.type.dtype in FLOATS for v in node.outputs):
            for broken in _check(point, index, node, max(tolerance, LOOSE)):
                worst.setdefault(node.op.name, broken)
    return tuple(sorted(worst.values(), key=lambda b: -b.error)[:SHOWN])


def _check(point: Point, index: int, node: Node, tolerance: float) -> Iterator[BrokenRule]:
    rng = np.random.default_rng(index)
    operands = [point.values[v] for v in node.operands]
    ys = [point.values[v] for v in node.outputs]
    gs = [rng.standard_normal(y.shape) if y.dtype.kind == "f" else None for y in ys]
    several = len(ys) > 1 or node.op.cuts
    with np.errstate(all="ignore"):
        found = node.op.vjp(tuple(gs) if several else gs[0], tuple(ys) if several else ys[0], *operands)
    for i, (value, gradient) in enumerate(zip(node.operands, found, strict=True)):
        if gradient is not None and (error := _error(node, operands, gs, i, gradient, rng)) > tolerance:
            yield BrokenRule(node.op.name, point.located.place(index), _operand(node, value, i), error)


def _operand(node: Node, value: Value, index: int) -> str:
    """What the op calls the operand, or the last part of a parameter's path."""
    names = node.op.operand_names(len(node.inputs))
    return names[index] if index < len(names) else value.hint.rsplit(".", 1)[-1] or "parameter"


def _error(
    node: Node,
    operands: Sequence[Array],
    gs: Sequence[Array | None],
    index: int,
    gradient: Any,
    rng: np.random.Generator,
) -> float:
    """The least relative error over step sizes at which the node stays on its smooth piece; 0 where none does."""
    direction = rng.standard_normal(operands[index].shape)
    told = float(np.sum(gradient * direction))
    before = node.op.branch(*operands)
    errors = []
    for step in STEPS:
        moved = [_moved(operands, index, sign * step * direction) for sign in (1, -1)]
        if not all(same_piece(before, node.op.branch(*m)) for m in moved):
            continue
        up, down = (_weighed(node, m, gs) for m in moved)
        slope = (up - down) / (2 * step)
        scale = max(abs(told), abs(slope), float(np.sqrt(np.sum(np.square(gradient)))), 1e-12)
        errors.append(abs(told - slope) / scale)
    return min(errors, default=0.0)


def _moved(operands: Sequence[Array], index: int, by: Array) -> list[Array]:
    return [x + by if i == index else x for i, x in enumerate(operands)]


def _weighed(node: Node, operands: Sequence[Array], gs: Sequence[Array | None]) -> float:
    with np.errstate(all="ignore"):
        made = node.op.forward(*operands)
    ys = made if isinstance(made, tuple | list) else (made,)
    return float(sum(np.sum(y * g) for y, g in zip(ys, gs, strict=True) if g is not None))
