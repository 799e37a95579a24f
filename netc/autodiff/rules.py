"""Turns a failed gradient check into the rules at fault: each node by itself, as a graph of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.backward import backward
from netc.autodiff.differentiable import differentiable
from netc.autodiff.moving import Point
from netc.autodiff.objective import added
from netc.autodiff.row import Check, Row
from netc.autodiff.subject import Subject
from netc.autodiff.tape import Tape
from netc.ir.module import Node, Value
from netc.ops.contract import FLOATS
from netc.passes.inline import Flat
from netc.passes.locate import Located

Array: TypeAlias = npt.NDArray[Any]

SHOWN = 10
DIRECTIONS = 3


@dataclass(frozen=True)
class BrokenRule:
    """A node whose rule gives another gradient than slopes of its own value do."""

    op: str
    place: str
    operand: str
    error: float


def broken_rules(subject: Subject, tolerance: float) -> tuple[BrokenRule, ...]:
    """The first of each op at fault, the worst first; none where each rule is right by itself."""
    point = Point(subject.located, subject.inputs, subject.weights)
    moved = set(differentiable(subject))
    worst: dict[str, BrokenRule] = {}
    for index, node in enumerate(point.nodes):
        if not node.op.differentiable:
            continue
        if any(v in moved for v in node.operands):
            moved.update(v for v in node.outputs if v.type.dtype in FLOATS)
            for slot, row in _rows(subject, point, index, moved, tolerance):
                if row.too_large and node.op.name not in worst:
                    place, operand = point.located.place(index), _operand(node, slot)
                    worst[node.op.name] = BrokenRule(node.op.name, place, operand, row.error)
    return tuple(sorted(worst.values(), key=lambda b: -b.error)[:SHOWN])


def _rows(
    subject: Subject, point: Point, index: int, moved: set[Value], tolerance: float
) -> Iterator[tuple[int, Row]]:
    """For each operand of a node that depends on what is differentiated by, its slot and its row."""
    node = point.nodes[index]
    slots = tuple(Value(f"operand {i}", v.type) for i, v in enumerate(node.operands))
    wanted = [i for i, v in enumerate(node.operands) if v in moved and v.type.dtype in FLOATS]
    alone = _alone(subject, point, index, slots)
    if not wanted or alone is None:
        return
    found = backward(alone, [slots[i] for i in wanted])
    rng = np.random.default_rng([index, 6])
    check = Check(Point(alone.located, alone.inputs, {}), rng, 0.0, tolerance, found.rounding)
    for i, array in zip(wanted, found.arrays, strict=True):
        yield i, check.row(slots[i], array, DIRECTIONS)


def _alone(subject: Subject, point: Point, index: int, slots: tuple[Value, ...]) -> Subject | None:
    """The weighed sum of what a node makes of its operands, which are inputs now; None where it makes no floats."""
    node = point.nodes[index]
    outputs = tuple(Value(v.hint, v.type) for v in node.outputs)
    count = len(node.inputs)
    copy = replace(node, inputs=slots[:count], params=(), given=slots[count:], outputs=outputs)
    floats = [v for v in outputs if v.type.dtype in FLOATS]
    if not floats:
        return None
    weights = tuple(Value(f"weight {i}", v.type) for i, v in enumerate(floats))
    tape = Tape([copy], [()])
    tape.at(("objective",), node.span)
    pairs = zip(tape.wrap(floats), tape.wrap(weights), strict=True)
    total = added([product.sum() if product.shape else product for product in (y * w for y, w in pairs)])
    flat = Flat((*slots, *weights), tuple(tape.nodes), (total.value,), {})
    rng = np.random.default_rng([index, 7])
    held = {s.hint: point.values[v] for s, v in zip(slots, node.operands, strict=True)}
    held |= {w.hint: rng.standard_normal(w.type.shape) for w in weights}  # type: ignore[arg-type]  # no free sizes
    return replace(
        subject, located=Located(flat, tuple(tape.scopes)), inputs=held, weights={}, weighing=weights
    )


def _operand(node: Node, index: int) -> str:
    """What the op calls the operand, or the last part of a parameter's path."""
    names, value = node.op.operand_names(len(node.inputs)), node.operands[index]
    return names[index] if index < len(names) else value.hint.rsplit(".", 1)[-1] or "parameter"
