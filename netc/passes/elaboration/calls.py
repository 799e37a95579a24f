"""Turns the arguments of a call into an op's attributes or a block's parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any

from netc.budget import spend
from netc.diagnostics import Diagnostic, Span, habits, wording_calls, wording_constants, wording_shapes
from netc.dims import Dim
from netc.ir.module import Value
from netc.ops.attributes import BadArgument, complete, convert, gather, lacking, parameters_of
from netc.ops.contract import OPS, Mismatch, Op
from netc.ops.initialiser import start_keywords
from netc.passes.elaboration.annotations import UNFIT, expected, fit, unfit_item
from netc.passes.elaboration.evaluate import evaluate
from netc.passes.elaboration.frame import Frame
from netc.passes.elaboration.numbers import concrete, is_number
from netc.passes.elaboration.values import (
    LAYERS,
    BlockLayer,
    Chain,
    HelperLayer,
    Instance,
    Labelled,
    Layer,
    OpLayer,
    Repeat,
    describe,
    template,
    unfinished,
)
from netc.passes.elaboration.values import lacking as lacking_of
from netc.syntax import tree


def split_operands(kind: type[Op], positional: list[Any]) -> tuple[list[Any] | None, list[Any]]:
    """The operands among `positional` and the arguments left; None where the first operand is lacking.

    A call with enough values for every operand, one of them a tensor, has them all; with fewer
    tensors it lacks the first, and they are the others. A number alone never is an operand, nor is one in the
    place of an optional operand.
    """
    names = kind.operands
    if names[0].startswith("*"):
        if positional and isinstance(positional[0], str):  # an equation stands before what it is about
            operands, rest = split_operands(kind, positional[1:])
            return operands, [positional[0], *rest]
        count = next((i for i, x in enumerate(positional) if not _holds_tensors(x)), len(positional))
        if count:
            return [v for x in positional[:count] for v in x], positional[count:]
        count = next((i for i, x in enumerate(positional) if not isinstance(x, Value)), len(positional))
        return (positional[:count] or None), positional[count:]
    wanted = len(names)
    head = positional[:wanted]
    if (
        len(head) == wanted
        and any(isinstance(x, Value) for x in head)
        and all(
            isinstance(x, Value) or (is_number(x) and not name.endswith("?"))
            for x, name in zip(head, names, strict=True)
        )
    ):
        return head, positional[wanted:]
    count = next((i for i, x in enumerate(positional) if not isinstance(x, Value)), len(positional))
    return (positional[:count] or None), positional[count:]


def _holds_tensors(x: Any) -> bool:
    return isinstance(x, list | tuple) and any(isinstance(item, Value) for item in x)


def check_no_lists(frame: Frame, layer: Layer, positional: Sequence[Any], node: tree.Call) -> None:
    """Refuses a list of tensors where a layer takes them one by one."""
    for argument, value in zip((a for a in node.arguments if a.name is None), positional, strict=False):
        if _holds_tensors(value):
            name, wanted = node.function.span.text, inputs_of(layer)
            raise frame.refuse(wording_calls.tensors_in_list(argument.span, name, wanted, len(value)))


def inputs_of(layer: Layer) -> int:
    """How many tensors `layer` takes at most."""
    if isinstance(layer, OpLayer):
        return len(layer.kind.operands)
    if isinstance(layer, BlockLayer):
        declared = (s for s in layer.definition.tree.body if isinstance(s, tree.Input) and s.role == "input")
        return sum(len(s.declarations) for s in declared)
    if isinstance(layer, Chain):
        return inputs_of(layer.steps[0])
    return inputs_of(layer.layer) if isinstance(layer, Labelled | Repeat | Instance) else 1


def bind_op(
    frame: Frame,
    layer: OpLayer,
    positional: Sequence[Any],
    keywords: dict[str, Any],
    node: tree.Call,
    skipped: int,
    waits: bool = False,
) -> OpLayer:
    """`layer` with the arguments of a call. `skipped`: how many positional ones were operands.

    waits: whether it may lack arguments, which a later call gives.
    """
    kind = layer.kind
    places = {**layer.places, **call_places(kind, node, skipped)}
    if not skipped and positional and _holds_tensors(positional[0]):
        at = next(a.span for a in node.arguments if a.name is None)
        raise frame.refuse(
            wording_calls.tensors_in_list(at, kind.name, len(kind.operands), len(positional[0]))
        )
    for name, given in keywords.items():
        if isinstance(given, (Value, *LAYERS)) and name not in operand_words(kind):
            raise frame.refuse(
                wording_calls.wrong_argument(
                    places.get(name, node.span), kind.name, name, describe(given), "a number or setting"
                )
            )
    try:
        given = gather(kind, positional, keywords, dict(layer.arguments or ()))
        if waits and lacking(kind, given):
            convert(kind, given)
            op = None
        else:
            op = complete(kind, given)
    except BadArgument as error:
        wrong = wrong_call(error, kind, places, node, skipped, layer.places.get(error.name))
        help_ = _list_for_tensor(kind, positional, node, skipped)
        raise frame.refuse(replace(wrong, help=help_) if help_ else wrong) from None
    except Mismatch as error:
        raise frame.refuse(
            wording_shapes.mismatch(places.get(error.at, node.span), kind.name, error.message, {}, ())
        ) from None
    return OpLayer(kind, op, (), places, node.span, arguments=tuple(sorted(given.items())))


def _list_for_tensor(kind: type[Op], positional: Sequence[Any], node: tree.Call, skipped: int) -> str | None:
    """What to write where a list of numbers stands in the place of a tensor, with more arguments behind it."""
    if not positional or kind.operands[0].startswith("*") or len(positional) + skipped < 2:
        return None
    first = positional[0]
    while isinstance(first, list | tuple) and first:
        first = first[0]
    if skipped >= len(kind.operands) or first is positional[0] or not is_number(first):
        return None
    return wording_constants.list_as_tensor(_positional(node, skipped)[0].span.text)


def operand_words(kind: type[Op]) -> list[str]:
    """The names of the operands of an op, which stand in their order; none where it takes any number."""
    return [operand.rstrip("?") for operand in kind.operands if not operand.startswith("*")]


def call_places(kind: type[Op], node: tree.Call, skipped: int) -> dict[str, Span]:
    """Where the argument for each attribute stands."""
    names = [name for name, _, _ in parameters_of(kind) if name != kind.extra]
    positional = _positional(node, skipped)
    places = {name: a.span for name, a in zip(names, positional, strict=False)}
    if kind.variadic and len(positional) > names.index(kind.variadic):
        rest = positional[names.index(kind.variadic) :]
        places[kind.variadic] = rest[0].span.to(rest[-1].span)
    return places | {a.name: a.span for a in node.arguments if a.name is not None}


def _positional(node: tree.Call, skipped: int) -> list[tree.Argument]:
    """The arguments without a name that are not operands: all but `skipped`, which an equation may precede."""
    placed = [a for a in node.arguments if a.name is None]
    first = 1 if skipped and isinstance(placed[0].value, tree.Text) else 0
    return placed[:first] + placed[first + skipped :]


def wrong_call(
    error: BadArgument,
    kind: type[Op],
    places: dict[str, Span],
    node: tree.Call,
    skipped: int = 0,
    before: Span | None = None,
) -> Any:
    """What is wrong with a call. before: where an earlier call has given the argument at fault."""
    known = [*(name for name, _, _ in parameters_of(kind)), *start_keywords(kind)]
    at = places.get(error.name, node.span)
    if error.kind == "unknown":
        return wording_calls.unknown_argument(at, kind.name, error.name, known, operand_words(kind))
    if error.kind == "missing":
        return wording_calls.missing_argument(node.span, kind.name, error.name, error.expected)
    if error.kind == "duplicate":
        return wording_calls.duplicate_argument(at, kind.name, error.name, before)
    if error.kind == "too_many" and len(kind.operands) > 1 and is_number(error.value):
        lacking = kind.operands[-1].rstrip("?")
        return wording_shapes.number_for_tensor(node.span, kind.name, lacking, describe(error.value))
    if error.kind == "too_many":
        return _too_many(error, kind, node, skipped)
    wanted = next((w for w in ITEMS if error.expected.startswith(f"{w} or a ")), None)
    for i, item in enumerate(error.value if wanted and isinstance(error.value, list | tuple) else ()):
        if not isinstance(item, (*ITEMS[wanted], Dim)) or isinstance(item, bool):  # type: ignore[index]
            return _wrong_item(at, kind.name, error.name, error.expected, f"[{i}]", item, str(wanted))
    got = f'"{error.value}"' if isinstance(error.value, str) else describe(error.value)
    return wording_calls.wrong_argument(at, kind.name, error.name, got, error.expected)


def _too_many(error: BadArgument, kind: type[Op], node: tree.Call, skipped: int) -> Any:
    """The first argument without a name that an op does not take, said with the inputs that it takes."""
    takers = [name for name, _, _ in parameters_of(kind) if name != kind.extra]
    at = _positional(node, skipped)[len(takers)].span
    name = node.function.span.text if OPS.get(node.function.span.text) is kind else kind.name
    inputs = operand_words(kind)
    given = [a.span.text for a in node.arguments if a.name is None]
    help_ = habits.operand_habit(name, inputs, given) if isinstance(error.value, Value) else None
    return wording_calls.too_many_arguments(at, name, error.expected, inputs, help_)


ITEMS: dict[str, tuple[type, ...]] = {"a whole number": (int,), "a number": (int, float)}


def _wrong_item(span: Span, layer: str, name: str, expected: str, place: str, item: Any, wanted: str) -> Any:
    got = describe(item).removeprefix("the number ")
    return wording_calls.wrong_item(span, layer, name, expected, place, got, wanted)


def call_block(
    frame: Frame,
    layer: BlockLayer | HelperLayer,
    positional: Sequence[Any],
    keywords: dict[str, Any],
    node: tree.Call,
    skipped: int,
) -> Any:
    """`layer` with the arguments of a call, closed for another block."""
    given, places = bind_parameters(frame, layer, positional, keywords, node, skipped)
    shut = {key: closed(frame, value, places.get(key, node.span)) for key, value in given.items()}
    both = dict(layer.arguments or ()) | shut
    return replace(
        layer, arguments=tuple(sorted(both.items())), span=node.span, places={**layer.places, **places}
    )


def closed(frame: Frame, value: Any, span: Span) -> Any:
    """An argument as it means the same in another block: numbers for sizes, no tensors, instances as templates.

    Raises Refused where it holds a tensor or depends on a free size.
    """
    if isinstance(value, Value) or (isinstance(value, OpLayer) and value.rest):
        raise frame.refuse(wording_calls.tensor_in_argument(span, describe(value)))
    if isinstance(value, Dim):
        return concrete(value, span, "an argument of a block")
    if isinstance(value, list | tuple):
        spend(len(value))
        return tuple(closed(frame, v, span) for v in value)
    if isinstance(value, OpLayer) and value.op is not None:
        held = {f.name: getattr(value.op, f.name) for f in fields(value.op)}
        op = replace(value.op, **{k: closed(frame, v, span) for k, v in held.items()})
        return replace(value, op=op, arguments=_closed_pairs(frame, value.arguments, span))
    if isinstance(value, OpLayer):
        return replace(value, arguments=_closed_pairs(frame, value.arguments, span))
    if isinstance(value, Instance):
        return closed(frame, value.layer, span)
    if isinstance(value, Chain):
        return replace(value, steps=closed(frame, value.steps, span))
    return (
        replace(value, layer=closed(frame, value.layer, span))
        if isinstance(value, Labelled | Repeat)
        else value
    )


def _closed_pairs(frame: Frame, pairs: Any, span: Span) -> Any:
    return None if pairs is None else tuple((key, closed(frame, value, span)) for key, value in pairs)


def bind_parameters(
    frame: Frame,
    layer: BlockLayer | HelperLayer,
    positional: Sequence[Any],
    keywords: dict[str, Any],
    node: tree.Call,
    skipped: int = 0,
) -> tuple[dict[str, Any], dict[str, Span]]:
    """The arguments of a call by parameter, checked, and where they stand; none that an earlier call gave."""
    name, parameters = layer.definition.name, layer.definition.tree.parameters
    known = [p.name.text for p in parameters]
    places = {a.name: a.span for a in node.arguments if a.name is not None}
    spans = [a.value.span for a in node.arguments if a.name is None][skipped:]
    if len(positional) > len(known):
        most = f"at most {len(known)} argument{'s' * (len(known) != 1)}" if known else "no arguments"
        last = positional[len(known)]
        help_ = habits.TENSORS_FIRST.format(name) if isinstance(last, Value) else None
        raise frame.refuse(wording_calls.too_many_arguments(spans[len(known)], name, most, help_=help_))
    given = dict(zip(known, positional, strict=False))
    places |= dict(zip(known, spans, strict=False))
    for key, value in keywords.items():
        if key not in known:
            raise frame.refuse(wording_calls.unknown_argument(places[key], name, key, known))
        if key in given:
            raise frame.refuse(wording_calls.duplicate_argument(places[key], name, key))
        given[key] = value
    before = dict(layer.arguments or ())
    for key in given:
        if key in before:
            place = places.get(key, node.span)
            raise frame.refuse(wording_calls.duplicate_argument(place, name, key, layer.places.get(key)))
    for parameter in parameters:
        key = parameter.name.text
        if key in given:
            given[key] = checked(frame, name, parameter, given[key], places.get(key, node.span))
    return given, {key: places[key] for key in given if key in places}


def with_defaults(
    frame: Frame, name: str, parameters: Sequence[tree.Parameter], given: dict[str, Any]
) -> dict[str, Any]:
    """`given` with the defaults of what is not; a default may use the parameters before it."""
    from dataclasses import replace

    inside = replace(frame, env=dict(given))
    for parameter in parameters:
        key = parameter.name.text
        if key not in inside.env and parameter.default is not None:
            found = template(evaluate(inside, parameter.default))
            inside.env[key] = checked(frame, name, parameter, found, parameter.default.span)
    return inside.env


def checked(frame: Frame, name: str, parameter: tree.Parameter, value: Any, span: Span) -> Any:
    """An argument as its annotation asks for it."""
    key, annotation = parameter.name.text, parameter.annotation
    if (annotation is None or annotation.name != "layer") and (call := unfinished(value)):
        raise frame.refuse(missing_argument(call, call.span or span))
    if isinstance(value, Value) and annotation is not None:
        raise frame.refuse(
            wording_calls.wrong_argument(span, name, key, describe(value), expected(annotation))
        )
    if isinstance(value, Dim):
        value = concrete(value, span, f"`{key}`")
    if annotation is None:
        return value
    fitted = fit(annotation, value)
    if fitted is UNFIT and (item := unfit_item(annotation, value)):
        place, found, wanted = item
        raise frame.refuse(_wrong_item(span, name, key, expected(annotation), place, found, expected(wanted)))
    if fitted is UNFIT:
        raise frame.refuse(
            wording_calls.wrong_argument(span, name, key, describe(value), expected(annotation))
        )
    return fitted


def missing_argument(
    layer: OpLayer | BlockLayer | HelperLayer, span: Span, applied: bool = False
) -> Diagnostic:
    """What `layer` lacks where its value is asked for, or where it is `applied`, at `span`."""
    key = lacking_of(layer) or ""
    if isinstance(layer, OpLayer):
        takes = next(takes for name, takes, _ in parameters_of(layer.kind) if name == key)
        return wording_calls.missing_argument(span, layer.kind.name, key, takes, layer.span)
    parameter = next(p for p in layer.definition.tree.parameters if p.name.text == key)
    takes = expected(parameter.annotation)
    helper = applied and isinstance(layer, HelperLayer)
    return wording_calls.missing_argument(span, layer.definition.name, key, takes, layer.span, helper)
