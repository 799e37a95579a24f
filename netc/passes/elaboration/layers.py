"""Rules for labels, chains and calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from netc.diagnostics import Diagnostic, wording_calls, wording_names
from netc.ir.module import Path, Value
from netc.ops.contract import OPS
from netc.ops.initialiser import ROLES, Initialiser
from netc.passes.elaboration import numbers
from netc.passes.elaboration.apply import apply_layer
from netc.passes.elaboration.calls import bind_op, call_block, check_no_lists, split_operands
from netc.passes.elaboration.constants import listed_tensor
from netc.passes.elaboration.evaluate import each, evaluate, or_all, rule
from netc.passes.elaboration.frame import Frame
from netc.passes.elaboration.helpers import call_helper, check_layer, opened
from netc.passes.elaboration.hiding import hidden
from netc.passes.elaboration.names import text_of
from netc.passes.elaboration.naming import check_segment
from netc.passes.elaboration.operators import unrolled
from netc.passes.elaboration.results import check_led
from netc.passes.elaboration.shared import chosen_weights
from netc.passes.elaboration.starts import bind_initialiser, taken
from netc.passes.elaboration.values import (
    LAYERS,
    Alias,
    BlockLayer,
    Chain,
    HelperLayer,
    Instance,
    Labelled,
    Layer,
    OpLayer,
    Repeat,
    describe,
)
from netc.syntax import tree

ASKING = {"weights": chosen_weights, "tensor": listed_tensor}  # helpers that ask the block they stand in


@rule(tree.Labelled)
def _labelled(frame: Frame, node: tree.Labelled) -> Any:
    path = label(frame, node.label)
    for segment in path:
        check_segment(segment, node.label.span)
    made = opened(frame, evaluate(frame, node.step), node.step.span)
    if not isinstance(made, LAYERS) or isinstance(made, Instance):
        what = f"the instance `{'.'.join(made.path)}`" if isinstance(made, Instance) else describe(made)
        raise frame.refuse(
            hidden(frame, node.step, made, "E0507") or wording_names.label_on_value(node.step.span, what)
        )
    return Labelled(path, made, node.span)


def label(frame: Frame, node: tree.Expression) -> Path:
    """The path that a label spells: features.0, blocks[i], "layer{i + 1}"."""
    if isinstance(node, tree.Name):
        return (node.text,)
    if isinstance(node, tree.Number) and isinstance(node.value, int):
        return (str(node.value),)
    if isinstance(node, tree.Attribute):
        return (*label(frame, node.base), node.name)
    if (
        isinstance(node, tree.Index)
        and len(node.items) == 1
        and not isinstance(node.items[0], tree.Slice | tree.Ellipsis)
    ):
        segment = numbers.concrete(evaluate(frame, node.items[0]), node.items[0].span, "a label")
        if isinstance(segment, int | str) and not isinstance(segment, bool):
            return (*label(frame, node.base), str(segment))
    if isinstance(node, tree.Text):
        return tuple(text_of(frame, node).split("."))
    raise frame.refuse(wording_names.bad_label(node.span))


@rule(tree.Pipe)
def _pipe(frame: Frame, node: tree.Pipe) -> Any:
    first, *rest = node.steps
    start = or_all(frame, lambda: opened(frame, evaluate(frame, first), first.span), rest)
    if isinstance(start, LAYERS):
        return unrolled(frame, Chain((start, *_layers(frame, rest)), node.span), node.span)
    inputs = start if isinstance(start, tuple) else (start,)
    if not all(isinstance(x, Value) for x in inputs):
        raise frame.refuse(
            hidden(frame, first, start, "E0506") or wording_names.not_a_value(first.span, describe(start))
        )
    current: Any = start
    for i, step in enumerate(rest):
        inputs = current if isinstance(current, tuple) else (current,)
        led = i > 0 or not isinstance(first, tree.Tuple)
        current = or_all(frame, partial(_step, frame, step, inputs, led), rest, i + 1)
    return current


def _step(frame: Frame, node: tree.Expression, inputs: Sequence[Value], led: bool) -> Any:
    """What a step of a pipe makes. led: whether the inputs are what a step before gave, and not written out."""
    layer = _layer(frame, node)
    if led:
        check_led(frame, layer, inputs, node.span)
    return apply_layer(frame, layer, inputs, node.span)


def _layers(frame: Frame, nodes: Sequence[tree.Expression]) -> list[Any]:
    return [_is_layer(frame, node, made) for node, made in zip(nodes, each(frame, nodes), strict=True)]


def _layer(frame: Frame, node: tree.Expression) -> Any:
    return _is_layer(frame, node, evaluate(frame, node))


def _is_layer(frame: Frame, node: tree.Expression, made: Any) -> Any:
    if not isinstance(made, LAYERS):
        op = made if isinstance(made, str) and made in OPS else None
        raise frame.refuse(
            hidden(frame, node, made, "E0506") or wording_names.not_a_layer(node.span, describe(made), op)
        )
    return opened(frame, made, node.span)


@rule(tree.Call)
def _call(frame: Frame, node: tree.Call) -> Any:
    function = evaluate(frame, node.function)
    positional, keywords = _arguments(frame, node)
    if isinstance(function, Instance) and _is_name(function.layer) and not _tensors(positional, keywords):
        function = function.layer
    name = node.function.text if isinstance(node.function, tree.Name) else ""
    if isinstance(function, str) and function in ASKING:
        return ASKING[function](frame, positional, keywords, node)
    if numbers.is_helper_call(name, positional, bool(keywords)) and (
        isinstance(function, str) or _is_name(function)
    ):
        return numbers.help_with(name, positional, node.span)
    return call(frame, function, positional, keywords, node)


def call(
    frame: Frame, function: Any, positional: list[Any], keywords: dict[str, Any], node: tree.Call
) -> Any:
    """What a call of a layer, a helper or an initialiser makes."""
    if (
        isinstance(function, HelperLayer)
        and function.applies
        and isinstance(next(iter(positional), None), Value)
    ):
        return _apply_helper(frame, function, positional, keywords, node)
    if isinstance(function, HelperLayer):
        return call_helper(frame, function, positional, keywords, node)
    if isinstance(function, OpLayer):
        return _call_op(frame, function, positional, keywords, node)
    if isinstance(function, type) and issubclass(function, Initialiser):
        return bind_initialiser(frame, function, positional, keywords, node)
    if isinstance(function, BlockLayer):
        return _call_block(frame, function, positional, keywords, node)
    if isinstance(function, LAYERS) and _tensors(positional, keywords):
        return apply_layer(frame, function, tuple(positional), node.span)
    if isinstance(function, Labelled | Repeat):
        return _call_within(frame, function, positional, keywords, node)
    if isinstance(function, LAYERS):
        check_no_lists(frame, function, positional, node)
        raise frame.refuse(_complete(function, node))
    what = describe(function) if not isinstance(function, str) else f"`{function}`, so used,"
    raise frame.refuse(
        hidden(frame, node.function, function, "E0208")
        or wording_calls.not_callable(node.function.span, what)
    )


def _complete(layer: Layer, node: tree.Call) -> Diagnostic:
    what = "one instance" if isinstance(layer, Instance) else "a chain of layers"
    return wording_calls.already_called(node.span, node.function.span.text, what)


def _is_name(function: Any) -> bool:
    """Whether it is the name of an op or a block alone, which no call has given arguments."""
    return isinstance(function, OpLayer | BlockLayer) and function.arguments is None


def _tensors(positional: Sequence[Any], keywords: Mapping[str, Any]) -> bool:
    """Whether a call passes tensors and nothing else."""
    return bool(positional) and not keywords and all(isinstance(x, Value) for x in positional)


def _call_within(
    frame: Frame, layer: Labelled | Repeat, positional: list[Any], keywords: dict[str, Any], node: tree.Call
) -> Any:
    """A labelled or repeated layer that gets more arguments, with the tensors that it is applied to, if any."""
    inputs, rest = _split(positional, node)
    inner = call(frame, layer.layer, positional[len(inputs) :], keywords, rest)
    if isinstance(layer.layer, HelperLayer):
        inner = opened(frame, check_layer(frame, layer.layer, inner, node.span), node.span)
    made = replace(layer, layer=inner)
    if isinstance(made, Repeat):
        unrolled(frame, made, node.span)
    return apply_layer(frame, made, inputs, node.span) if inputs else made


def _apply_helper(
    frame: Frame, layer: HelperLayer, positional: list[Any], keywords: dict[str, Any], node: tree.Call
) -> Any:
    """The layer that a helper makes of the arguments behind the tensors, applied to these."""
    inputs, rest = _split(positional, node)
    if rest.arguments:
        made = call_helper(frame, layer, positional[len(inputs) :], keywords, rest)
        return apply_layer(frame, check_layer(frame, layer, made, node.span), inputs, node.span)
    return apply_layer(frame, layer, inputs, node.span)


def _split(positional: Sequence[Any], node: tree.Call) -> tuple[tuple[Value, ...], tree.Call]:
    """The tensors at the head of a call, and the call without them."""
    count = next((i for i, x in enumerate(positional) if not isinstance(x, Value)), len(positional))
    placed = [a for a in node.arguments if a.name is None]
    rest = tuple(a for a in node.arguments if a not in placed[:count])
    return tuple(positional[:count]), replace(node, arguments=rest)


def _arguments(frame: Frame, node: tree.Call) -> tuple[list[Any], dict[str, Any]]:
    named = [a for a in node.arguments if a.name is not None]
    seen: set[str | None] = set()
    for argument in named:
        if argument.name in seen:
            raise frame.refuse(
                wording_calls.duplicate_argument(argument.span, node.function.span.text, str(argument.name))
            )
        seen.add(argument.name)
    placed = [a.value for a in node.arguments if a.name is None]
    values = each(frame, [*placed, *(a.value for a in named)])
    return values[: len(placed)], {str(a.name): v for a, v in zip(named, values[len(placed) :], strict=True)}


def _call_op(
    frame: Frame, layer: OpLayer, positional: list[Any], keywords: dict[str, Any], node: tree.Call
) -> Any:
    if layer.op is not None and _tensors(positional, keywords):
        return apply_layer(frame, layer, tuple(positional), node.span)
    if layer.rest:
        raise frame.refuse(
            wording_calls.already_called(node.span, layer.kind.name, "a layer that holds a tensor")
        )
    operands, rest = split_operands(layer.kind, positional)
    inits = taken(frame, layer.kind, keywords, node)
    skipped = len(positional) - len(rest)
    made = bind_op(frame, layer, rest, keywords, node, skipped, operands is None)
    _check_inits(frame, layer, inits, made)
    made = replace(made, inits=(*layer.inits, *inits))
    if operands is None:
        return made
    names = made.kind.operands
    required = sum(not name.endswith("?") for name in names)
    if names[0].startswith("*") or required <= len(operands) <= len(names):
        return apply_layer(frame, made, tuple(operands), node.span)
    return replace(made, rest=tuple(operands), span=node.span)


def _check_inits(
    frame: Frame, layer: OpLayer, inits: Sequence[tuple[str, Initialiser]], made: OpLayer
) -> None:
    """Refuses how weights start where an earlier call has said it."""
    for keyword, role in ROLES.items():
        if role in dict(inits) and role in dict(layer.inits):
            at, before = made.places[keyword], layer.places.get(keyword)
            raise frame.refuse(wording_calls.duplicate_argument(at, layer.kind.name, keyword, before))


def _call_block(
    frame: Frame, layer: BlockLayer, positional: list[Any], keywords: dict[str, Any], node: tree.Call
) -> Any:
    count = next((i for i, x in enumerate(positional) if not isinstance(x, Value)), len(positional))
    inputs, rest = tuple(positional[:count]), positional[count:]
    check_no_lists(frame, layer, positional, node)
    if layer.arguments is not None and _is_preset(frame, node.function):
        placed = {p.name.text for p in layer.definition.tree.parameters[: len(rest)]}
        kept = tuple((k, v) for k, v in layer.arguments if k not in placed and k not in keywords)
        layer = replace(layer, arguments=kept)
    made = call_block(frame, layer, rest, keywords, node, count) if rest or keywords or not inputs else layer
    return apply_layer(frame, made, inputs, node.span) if inputs else made


def _is_preset(frame: Frame, node: tree.Expression) -> bool:
    """Whether `node` names a preset, whose arguments a call may replace."""
    return (
        isinstance(node, tree.Name)
        and node.text not in frame.env
        and isinstance(frame.definition.scope.get(node.text), Alias)
    )
