"""Runs helpers: with the arguments of a call, and where one stands for the layer that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netc.diagnostics import Span, wording_names
from netc.ir.module import Value
from netc.passes.elaboration.calls import bind_parameters, call_block, missing_argument, with_defaults
from netc.passes.elaboration.evaluate import evaluate
from netc.passes.elaboration.frame import COPY, Frame
from netc.passes.elaboration.instantiate import thawed
from netc.passes.elaboration.names import within
from netc.passes.elaboration.values import LAYERS, Function, HelperLayer, describe, lacking
from netc.syntax import tree


def call_helper(
    frame: Frame, layer: HelperLayer, positional: list[Any], keywords: dict[str, Any], node: tree.Call
) -> Any:
    """What a call makes: the helper's value, or the helper with these arguments where it lacks others."""
    given, places = bind_parameters(frame, layer, positional, keywords, node)
    together = _before(layer) | given
    required = (p.name.text for p in layer.definition.tree.parameters if p.default is None)
    if all(name in together for name in required):
        return _run(frame, layer.definition, together, node.span)
    made = HelperLayer(layer.definition, tuple(together.items()), node.span, {**layer.places, **places})
    if any(isinstance(x, Value) for x in given.values()):
        raise frame.refuse(missing_argument(made, node.span))
    return call_block(frame, layer, positional, keywords, node, 0)


def opened(frame: Frame, layer: Any, span: Span) -> Any:
    """`layer`, or what it makes where it is a helper that lacks nothing."""
    while isinstance(layer, HelperLayer) and not lacking(layer):
        layer = check_layer(frame, layer, _run(frame, layer.definition, _before(layer), span), span)
    return layer


def check_layer(frame: Frame, helper: HelperLayer, made: Any, span: Span) -> Any:
    """What a helper has made, where a layer is wanted."""
    if not isinstance(made, LAYERS):
        raise frame.refuse(wording_names.helper_no_layer(span, helper.definition.name, describe(made)))
    return made


def _before(layer: HelperLayer) -> dict[str, Any]:
    return {key: thawed(value) for key, value in layer.arguments or ()}


def _run(frame: Frame, function: Function, given: Mapping[str, Any], span: Span) -> Any:
    if function in frame.helpers:
        names = [*(f.name for f in frame.helpers), function.name]
        raise frame.refuse(wording_names.recursion(span, names))
    frame.session.spend(2 * COPY)
    inside = within(frame, function.tree.name, function.scope)
    inside.helpers = (*frame.helpers, function)
    inside.env = with_defaults(inside, function.name, function.tree.parameters, dict(given))
    return evaluate(inside, function.tree.value)
