"""Rules for attributes and indices."""

from __future__ import annotations

from typing import Any

from netc.budget import ITEMS, spend
from netc.diagnostics import Span, wording_shapes
from netc.dims import Dim
from netc.ir.module import Value
from netc.ops.contract import OPERATORS, OPS
from netc.passes.elaboration import numbers
from netc.passes.elaboration.apply import apply_op, take
from netc.passes.elaboration.evaluate import evaluate, rule
from netc.passes.elaboration.frame import Frame
from netc.passes.elaboration.results import several
from netc.passes.elaboration.shared import read_parameter
from netc.passes.elaboration.values import (
    POISON,
    Instance,
    Poisoned,
    describe,
)
from netc.syntax import tree


@rule(tree.Attribute)
def _attribute(frame: Frame, node: tree.Attribute) -> Any:
    names: list[str] = [node.name]
    base = node.base
    while isinstance(base, tree.Attribute):
        names.insert(0, base.name)
        base = base.base
    found = evaluate(frame, base)
    if not isinstance(found, Instance):
        if isinstance(found, Value) and node.name == "shape":
            return list(found.type.shape)
        part = Span(node.span.source, node.base.span.end, node.span.end)
        raise frame.refuse(wording_shapes.no_attribute(part, node.name, describe(found), [*OPS, "shape"]))
    return read_parameter(frame, found, tuple(names), node.span)


@rule(tree.Index)
def _index(frame: Frame, node: tree.Index) -> Any:
    base = evaluate(frame, node.base)
    if isinstance(base, Value):
        return _index_tensor(frame, base, node)
    if (
        len(node.items) != 1
        or isinstance(node.items[0], tree.Ellipsis)
        or not isinstance(base, list | tuple | str)
    ):
        behind = node.span.text[len(node.base.span.text) :]
        help_ = several(frame, base, behind) if isinstance(base, tuple) else None
        raise frame.refuse(wording_shapes.cannot_index(node.span, describe(base), help_))
    item = node.items[0]
    if isinstance(item, tree.Slice):
        return _slice(frame, base, item)
    position = numbers.concrete(evaluate(frame, item), item.span, "an index")
    whole = isinstance(position, int) and not isinstance(position, bool)
    if not whole or not -len(base) <= position < len(base):
        if not whole:
            raise frame.refuse(wording_shapes.cannot_index(item.span, describe(base)))
        raise frame.refuse(wording_shapes.bad_index(item.span, position, len(base)))
    found = base[position]
    if found is POISON:
        raise Poisoned
    return found


def _slice(frame: Frame, base: Any, item: tree.Slice) -> Any:
    """A part of a list or a string."""
    start, stop, step = (_bound(frame, b, describe(base)) for b in (item.start, item.stop, item.step))
    if step == 0:
        raise frame.refuse(wording_shapes.no_step(item.step.span if item.step else item.span))
    spend(len(range(*slice(start, stop, step).indices(len(base)))) // ITEMS)
    return base[start:stop:step]


def _bound(frame: Frame, node: tree.Expression | None, what: str) -> int | None:
    """A whole number that is known, of a range of `what`; None where it is left out."""
    if node is None:
        return None
    found = numbers.concrete(evaluate(frame, node), node.span, "a bound")
    if not isinstance(found, int) or isinstance(found, bool):
        raise frame.refuse(wording_shapes.cannot_index(node.span, what))
    return found


def _index_tensor(frame: Frame, x: Value, node: tree.Index) -> Any:
    items: list[Any] = []
    rank = len(x.type.shape)
    for item in node.items:
        if isinstance(item, tree.Ellipsis):
            items += [None] * max(0, rank - len(node.items) + 1)
        elif isinstance(item, tree.Slice):
            bounds = tuple(None if b is None else evaluate(frame, b) for b in (item.start, item.stop))
            bounds = (*bounds, _bound(frame, item.step, "a tensor"))
            items.append(None if bounds == (None, None, None) else bounds)
        else:
            items.append(_position(frame, item, node))
    if any(isinstance(item, Value) for item in items):
        return _index_by_tensor(frame, x, items, node)
    return take(frame, x, _numbers(items, node, frame), node.span)


def _numbers(items: list[Any], node: tree.Index, frame: Frame) -> list[Any]:
    """Positions and ranges, which are numbers and sizes."""
    for item in items:
        for part in item if isinstance(item, tuple) else (item,):
            if part is not None and (isinstance(part, bool) or not isinstance(part, int | Dim)):
                raise frame.refuse(wording_shapes.cannot_index(node.span, "a tensor"))
    return [
        item if item is None or isinstance(item, tuple) else numbers.concrete(item, node.span, "an index")
        for item in items
    ]


def _index_by_tensor(frame: Frame, x: Value, items: list[Any], node: tree.Index) -> Any:
    """x[:, positions, 1:]: ranges beside a tensor of positions are taken first; a number beside it is refused."""
    tensors = [axis for axis, item in enumerate(items) if isinstance(item, Value)]
    rest = [None if isinstance(item, Value) else item for item in items]
    if len(tensors) > 1 or any(item is not None and not isinstance(item, tuple) for item in rest):
        raise frame.refuse(wording_shapes.cannot_index(node.span, "a tensor"))
    if any(item is not None for item in rest):
        x = take(frame, x, _numbers(rest, node, frame), node.span)
    kind: Any = OPERATORS["x[index]"]
    return apply_op(frame, kind(tensors[0]), (x, items[tensors[0]]), node.span)


def _position(frame: Frame, item: tree.Expression, node: tree.Index) -> Any:
    """A position in an axis; none stands for no axis here."""
    found = evaluate(frame, item)
    if found is None or isinstance(found, tuple):
        raise frame.refuse(wording_shapes.cannot_index(node.span, "a tensor"))
    return found
