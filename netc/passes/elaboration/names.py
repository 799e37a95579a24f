"""Rules for names and literals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from netc.diagnostics import Span, wording_names, wording_shapes
from netc.ops.contract import OPS
from netc.ops.initialiser import INITIALISERS
from netc.passes.elaboration import numbers
from netc.passes.elaboration.calls import missing_argument
from netc.passes.elaboration.evaluate import each, evaluate, rule
from netc.passes.elaboration.frame import Frame
from netc.passes.elaboration.values import (
    POISON,
    Alias,
    BlockLayer,
    Definition,
    Function,
    HelperLayer,
    OneBranch,
    OpLayer,
    Poisoned,
    describe,
    lacking,
)
from netc.syntax import tree


@rule(tree.Name)
def _name(frame: Frame, node: tree.Name) -> Any:
    return look_up(frame, node.text, node.span)


def look_up(frame: Frame, name: str, span: Span) -> Any:
    """What `name` stands for: in the block, its file, the standard library, the ops, the helpers."""
    if name in frame.env:
        found = frame.env[name]
        if found is POISON:
            raise Poisoned
        if isinstance(found, OneBranch):
            raise frame.refuse(wording_names.one_branch(span, name, found.span))
        return found
    if name in frame.definition.scope:
        return _global(frame, frame.definition.scope[name], span)
    if name in OPS:
        return OpLayer(OPS[name], None, span=span)
    if name in INITIALISERS:
        return INITIALISERS[name]
    if name in numbers.HELPERS:
        return name
    if name in frame.session.lost or "import" in frame.session.lost:
        raise Poisoned
    if owner := frame.owners.get((name,)):
        raise frame.refuse(wording_names.path_not_name(span, name, owner.span))
    known = [*frame.env, *frame.definition.scope, *OPS, *INITIALISERS, *numbers.HELPERS]
    raise frame.refuse(wording_names.unknown_name(span, name, known))


def _global(frame: Frame, found: Any, span: Span) -> Any:
    if isinstance(found, Definition):
        return BlockLayer(found, None, span)
    if isinstance(found, Function):
        return HelperLayer(found, None, span)
    if isinstance(found, Alias):
        return preset(frame, found)
    if found is POISON:
        raise Poisoned
    return found


def preset(frame: Frame, alias: Alias) -> BlockLayer:
    """The net that a preset names, with its arguments."""
    outside = within(frame, alias.tree.name, alias.scope)
    made = evaluate(outside, alias.tree.value)
    if not isinstance(made, BlockLayer) or made.definition.tree.role != "net":
        raise frame.refuse(wording_names.preset_not_net(alias.tree.value.span, describe(made)))
    if lacking(made):
        raise frame.refuse(missing_argument(made, alias.tree.value.span))
    return made


@rule(tree.Text)
def text_of(frame: Frame, node: tree.Text) -> str:
    return numbers.joined([p if isinstance(p, str) else _shown(frame, p) for p in node.parts], node.span)


def _shown(frame: Frame, part: tree.Expression) -> str:
    found = numbers.concrete(evaluate(frame, part), part.span, "a number in a string")
    if not isinstance(found, int | float | str):
        raise frame.refuse(wording_shapes.wrong_operands(part.span, "{}", describe(found), None))
    return describe(found) if isinstance(found, bool) else str(found)


@rule(tree.List)
def _list(frame: Frame, node: tree.List) -> list[Any]:
    return numbers.bounded(each(frame, node.items), node.span)


@rule(tree.Tuple)
def _tuple(frame: Frame, node: tree.Tuple) -> tuple[Any, ...]:
    return tuple(numbers.bounded(each(frame, node.items), node.span))


def within(frame: Frame, name: tree.Name, scope: Mapping[str, Any]) -> Frame:
    """`frame` with the names of another place in view: for helpers and presets."""
    return replace(
        frame, env={}, definition=Definition(tree.Block(name.span, "block", name, (), None, ()), scope)
    )


@rule(tree.Number, tree.Literal)
def _literal(frame: Frame, node: tree.Number | tree.Literal) -> Any:
    return node.value


@rule(tree.Group)
def _group(frame: Frame, node: tree.Group) -> Any:
    return evaluate(frame, node.inner)
