"""Tells where a binding hides a layer, a function, a block or a helper of its name, of a name that is used as such."""

from __future__ import annotations

from typing import Any

from netc.diagnostics import Diagnostic, Span, wording_names
from netc.ops.contract import OPS, Op
from netc.ops.initialiser import INITIALISERS
from netc.passes.elaboration import numbers
from netc.passes.elaboration.frame import Frame
from netc.passes.elaboration.values import Alias, Definition, Function, describe
from netc.syntax import tree


def hidden(frame: Frame, node: tree.Expression, value: Any, code: str) -> Diagnostic | None:
    """A finding on a name that stands for `value`, where without its binding it would be what is meant; else None."""
    if not isinstance(node, tree.Name) or node.text not in frame.env:
        return None
    kind = _kind(frame, node.text)
    place = _bound(frame.definition.tree, node)
    return (
        wording_names.hides(code, node.span, node.text, kind, describe(value), place)
        if kind and place
        else None
    )


def _kind(frame: Frame, name: str) -> str | None:
    """What `name` would be without a binding in the body."""
    made = frame.definition.scope.get(name)
    if isinstance(made, Definition):
        return made.tree.role
    if isinstance(made, Alias):
        return "net"
    if isinstance(made, Function):
        return "helper"
    if name in OPS:
        return "function" if OPS[name].params is Op.params else "layer"
    return "initialiser" if name in INITIALISERS else "function" if name in numbers.HELPERS else None


def _bound(block: tree.Block, node: tree.Name) -> Span | None:
    """Where the name was bound last before it is used."""
    spans = [p.span for p in block.parameters if p.name.text == node.text]
    for statement in tree.all_statements(block.body):
        if isinstance(statement, tree.Input):
            spans += [d.span for d in statement.declarations if d.name.text == node.text]
        elif isinstance(statement, tree.RawParam) and statement.declaration.name.text == node.text:
            spans.append(statement.declaration.span)
        elif isinstance(statement, tree.Assign | tree.For):
            spans += [n.span for n in statement.names if n.text == node.text]
    return next((span for span in reversed(spans) if span.start < node.span.start), None)
