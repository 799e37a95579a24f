"""How parameters start: initialisers in calls, in `param` and `init` statements, and which of them holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from netc.budget import spend
from netc.diagnostics import Note, Span, wording_constants, wording_shapes
from netc.dims import Shape, decide, show
from netc.ir.module import Call, ConstantTensor, Step, Type, Value
from netc.ops.attributes import BadArgument, bind, parameters_of
from netc.ops.contract import FLOATS, Init, Mismatch, Op, Parameter, require
from netc.ops.initialiser import ROLES, Initialiser, role, start_keywords
from netc.passes.elaboration.calls import call_places, wrong_call
from netc.passes.elaboration.evaluate import evaluate
from netc.passes.elaboration.frame import Frame
from netc.passes.elaboration.hiding import hidden
from netc.passes.elaboration.numbers import concrete
from netc.passes.elaboration.precision import LARGEST, representable
from netc.passes.elaboration.values import OpLayer, Rule, describe
from netc.syntax import tree


def bind_initialiser(
    frame: Frame,
    kind: type[Initialiser],
    positional: Sequence[Any],
    keywords: Mapping[str, Any],
    node: tree.Call,
) -> Initialiser:
    """The initialiser that a call makes."""
    called: Any = kind  # what binds the arguments of ops binds these: they are fields of a dataclass, too
    places = call_places(called, node, 0)

    def number(value: Any, name: str) -> Any:
        return concrete(value, places.get(name, node.span))

    names = [name for name, _, _ in parameters_of(called)]
    try:
        return bind(  # type: ignore[no-any-return]
            called,
            [number(v, n) for v, n in zip(positional, [*names, *positional], strict=False)],
            {name: number(value, name) for name, value in keywords.items()},
        )
    except BadArgument as error:
        raise frame.refuse(wrong_call(error, called, places, node)) from None
    except Mismatch as error:
        at = places.get(error.at, node.span)
        raise frame.refuse(wording_shapes.mismatch(at, kind.name, error.message, {}, ())) from None


def initialiser(frame: Frame, found: Any, node: tree.Expression) -> Initialiser:
    """The initialiser that an expression has given; one named alone takes its defaults."""
    if isinstance(found, type) and issubclass(found, Initialiser):
        return bind_initialiser(frame, found, (), {}, tree.Call(node.span, node, ()))
    if not isinstance(found, Initialiser):
        text = f"`{node.span.text}`" if isinstance(node, tree.Name | tree.Call) else describe(found)
        raise frame.refuse(hidden(frame, node, found, "E0414") or wording_shapes.bad_init(node.span, text))
    return found


def taken(
    frame: Frame, kind: type[Op], keywords: dict[str, Any], node: tree.Call
) -> tuple[tuple[str, Initialiser], ...]:
    """What `init=` and `bias_init=` say, which are taken out of `keywords`; none is as if not written.

    Where an op has an attribute of that name, only an initialiser is meant for its weights.
    """
    known, out = start_keywords(kind), []
    for argument in node.arguments:
        name = argument.name
        own = known and name in ROLES and _initialises(keywords.get(name))
        if name in keywords and (name in known or own):
            value = keywords.pop(name)
            if value is not None:
                out.append((ROLES[name], initialiser(frame, value, argument.value)))
    return tuple(out)


def _initialises(value: Any) -> bool:
    return isinstance(value, Initialiser) or (isinstance(value, type) and issubclass(value, Initialiser))


def started(
    frame: Frame, op: Op, wanted: Mapping[str, Parameter], layer: OpLayer | None, dtype: str, span: Span
) -> dict[str, Parameter]:
    """The parameters of an instance of `op` on values of `dtype`, each with how it starts."""
    if layer is not None and layer.inits:
        _check_used(frame, op, wanted, layer, span)
    made = (
        (name, p, _start(frame, op, name, p, layer, p.dtype or dtype, span)) for name, p in wanted.items()
    )
    return {name: p if init is p.init else replace(p, init=init) for name, p, init in made}


def _check_used(frame: Frame, op: Op, wanted: Mapping[str, Parameter], layer: OpLayer, span: Span) -> None:
    """Refuses `init=` of a layer that has no weights, and `bias_init=` of one that has no bias."""
    held = {role(name) for name, parameter in wanted.items() if parameter.trainable}
    for keyword, wanted_role in ROLES.items():
        if wanted_role in dict(layer.inits) and wanted_role not in held:
            at = layer.places.get(keyword, span)
            raise frame.refuse(wording_shapes.no_such_start(at, op.name, keyword, wanted_role))


def _start(
    frame: Frame, op: Op, name: str, parameter: Parameter, layer: OpLayer | None, dtype: str, span: Span
) -> Init:
    """How the parameter `name` of an instance of `op` starts: by its call, by a statement, or by itself."""
    which = role(name)
    if not parameter.trainable or not which:
        return parameter.init
    spend(len(frame.rules))
    fitting = [r for r in frame.rules if _holds(r, op, which, parameter.shape)]
    frame.session.met.update(fitting)
    said = dict(layer.inits) if layer is not None else {}
    if which in said:
        keyword = next(k for k, r in ROLES.items() if r == which)
        at = layer.places.get(keyword, span) if layer is not None else span
        return _fitted(frame, said[which], parameter, dtype, f"{op.name}.{name}", at, ())
    if not fitting:
        return parameter.init
    rule = fitting[-1]
    notes = (Note("it holds for this layer", span),)
    return _fitted(frame, rule.by, parameter, dtype, f"{op.name}.{name}", rule.span, notes)


def _holds(rule: Rule, op: Op, which: str, shape: Shape) -> bool:
    if rule.role != which:
        return False
    if rule.kind is None:
        return which == "bias" or len(shape) >= 2
    return type(op) is rule.kind


def _fitted(
    frame: Frame,
    by: Initialiser,
    parameter: Parameter,
    dtype: str,
    name: str,
    at: Span,
    notes: tuple[Note, ...],
) -> Init:
    check_fits(frame, by, Type(dtype, parameter.shape), name, at, notes)
    return replace(parameter.init, kind=by.name, a=0.0, b=0.0, by=by)


def check_fits(
    frame: Frame, by: Initialiser, type_: Type, name: str, at: Span, notes: tuple[Note, ...] = ()
) -> None:
    """Refuses an initialiser for a parameter of a shape that it cannot fill, or of a dtype that does not hold its numbers."""
    try:
        by.fits(type_.shape)
        _check_held(by, type_.dtype)
    except Mismatch as error:
        raise frame.refuse(
            wording_shapes.init_misfit(at, by.name, name, show(type_.shape), error.message, notes)
        ) from None


def _check_held(by: Initialiser, dtype: str) -> None:
    """Requires that the numbers of an initialiser, and those that it draws, are neither infinite in `dtype` nor zero there alone."""
    if dtype not in FLOATS:
        return
    for f in fields(by):
        number = getattr(by, f.name)
        held = not isinstance(number, float) or representable(number, dtype)
        require(held, f.name, f"{dtype} does not hold {number}, its `{f.name}`")
    require(by.reach <= LARGEST[dtype], "", f"its numbers may exceed what {dtype} holds")


def rule_of(frame: Frame, statement: tree.Initialise) -> Rule:
    """What an `init` statement says: `init kind: initialiser`, `init kind.bias: ...`, `init bias: ...` or for all."""
    node = statement.value
    label: tree.Expression | None = node.label if isinstance(node, tree.Labelled) else None
    value = node.step if isinstance(node, tree.Labelled) else node
    by = initialiser(frame, evaluate(frame, value), value)
    which = "weight"
    if isinstance(label, tree.Attribute) and label.name in ROLES.values():
        which, label = label.name, label.base
    if isinstance(label, tree.Name) and label.text in ROLES.values() and label.text not in frame.env:
        return Rule(None, label.text, by, value.span)
    return Rule(None if label is None else _kind(frame, label), which, by, value.span)


def check_met(frame: Frame) -> None:
    """Reports the `init` statements of a net that have started nothing, and those of the blocks that it calls.

    Those of a block with parameters are left out: its layers may depend on these.
    """
    if frame.session.found:
        return  # a layer that is not there might have been one that they are for
    for inside, rule in frame.session.starting:
        if rule not in frame.session.met and (inside.is_net or not inside.definition.tree.parameters):
            above = next(_placed(inside.body, rule), None)
            kind = rule.kind.name if rule.kind else None
            frame.session.report(
                inside.refuse(wording_shapes.starts_nothing(rule.span, kind, rule.role, above))
            )


def _placed(body: Sequence[Step], rule: Rule) -> Iterator[Span]:
    """Where the layers stand that a rule would have held for, had it been above them."""
    for step in body:
        spend(1)
        if isinstance(step, Call):
            yield from (step.span for _ in _placed(step.block.body, rule))
        elif any(p.trainable and _holds(rule, step.op, role(p.path[-1]), p.type.shape) for p in step.params):
            yield step.span


def _kind(frame: Frame, label: tree.Expression) -> type[Op]:
    """The kind of layer that stands before the colon."""
    if not isinstance(label, tree.Name):
        raise frame.refuse(wording_shapes.bad_init_kind(label.span, f"`{label.span.text}`"))
    found = evaluate(frame, label)
    if not isinstance(found, OpLayer) or found.op is not None or found.kind.params is Op.params:
        what = "a tensor" if isinstance(found, Value) else f"`{label.text}`"
        raise frame.refuse(wording_shapes.bad_init_kind(label.span, what))
    return found.kind


def raw_start(frame: Frame, statement: tree.RawParam, type_: Type) -> tuple[Init, ConstantTensor | None]:
    """How a `param` or a `buffer` starts: by an initialiser, or as a tensor known at compile time."""
    node, name = statement.init, statement.declaration.name.text
    assert node is not None
    found = evaluate(frame, node)
    if isinstance(found, ConstantTensor):
        alike = len(found.type.shape) == len(type_.shape) and found.type.dtype == type_.dtype
        sizes = zip(found.type.shape, type_.shape, strict=False)
        if not alike or not all(decide("zero", a - b) is True for a, b in sizes):
            place = statement.declaration.span
            raise frame.refuse(
                wording_constants.start_of_other_type(node.span, name, str(type_), str(found.type), place)
            )
        return Init("tensor"), found
    if isinstance(found, list | tuple):
        raise frame.refuse(wording_constants.list_as_start(node.span, name))
    if isinstance(found, Value):
        raise frame.refuse(wording_constants.start_not_known(node.span, name, describe(found)))
    by = initialiser(frame, found, node)
    if type_.dtype not in FLOATS and not by.whole(type_.dtype):
        raise frame.refuse(
            wording_constants.start_of_whole_numbers(node.span, name, type_.dtype, node.span.text)
        )
    check_fits(frame, by, type_, name, node.span)
    return Init(by.name, by=by), None
