"""Runs the statements of a body; one that is refused is reported, and what depends on it is left alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netc.budget import ITEMS, Exhausted, spend
from netc.diagnostics import Refused, Span, wording_names, wording_shapes
from netc.dims import Dim, Learn, Unwieldy, value
from netc.ir.module import LOSS, ConstantTensor, Param, Type, Value
from netc.ops.contract import FLOATS, INTEGERS, OPERATORS, Init
from netc.passes.elaboration import numbers
from netc.passes.elaboration.apply import apply_op, take
from netc.passes.elaboration.assertions import assert_holds, mentions, parameter_count
from netc.passes.elaboration.expressions import evaluate, label
from netc.passes.elaboration.frame import FINDING, Frame
from netc.passes.elaboration.inputs import declared_shape
from netc.passes.elaboration.instantiate import check_dtype, dimension, enter
from netc.passes.elaboration.naming import check_segment, claim
from netc.passes.elaboration.results import unpacking
from netc.passes.elaboration.sizes import check_known
from netc.passes.elaboration.starts import check_met, raw_start, rule_of
from netc.passes.elaboration.values import (
    LAYERS,
    POISON,
    HelperLayer,
    Instance,
    Labelled,
    OneBranch,
    Poisoned,
    describe,
    lacking,
)
from netc.syntax import tree


def elaborate_body(frame: Frame, body: Sequence[tree.Statement]) -> None:
    """Runs `body`; assertions about the number of parameters come last."""
    run(frame, body)
    if frame.deferred:
        frame.env["params"] = parameter_count(frame)
    for statement in frame.deferred:
        _attempt(frame, statement)
    if (
        not frame.outputs
        and "output" not in frame.session.lost
        and not any(isinstance(s, tree.Output) for s in tree.all_statements(body))
    ):
        frame.session.report(
            frame.refuse(wording_names.no_output(frame.definition.tree.span, frame.definition.name))
        )
    if frame.is_net:
        check_met(frame)


def run(frame: Frame, body: Sequence[tree.Statement]) -> None:
    for statement in body:
        _attempt(frame, statement)


def _attempt(frame: Frame, statement: tree.Statement) -> None:
    """Runs one statement; what it would have bound is poisoned when it fails."""
    frame.session.spend(1)
    frame.hint = ""
    try:
        with frame.numbered():
            _check_apart(frame, statement)
            RULES[type(statement)](frame, statement)
    except Exhausted as error:
        if error.place is None or isinstance(statement, tree.For):
            error.place = (frame, statement.span)
        raise
    except (Refused, Poisoned, RecursionError, Unwieldy) as error:
        if isinstance(error, RecursionError):
            error = frame.refuse(wording_shapes.too_deep(statement.span))
        if isinstance(error, Unwieldy):
            error = frame.refuse(wording_shapes.arithmetic(statement.span, str(error)))
        if isinstance(error, Refused):
            frame.session.report(error)
            spend(FINDING + (len(frame.env) + len(frame.body)) // ITEMS)
        for name in bound([statement]):
            frame.env[name] = POISON
    except Learn as learn:
        learn.span = frame.users(learn.span or statement.span)
        raise
    finally:
        frame.asserting = False


def _check_apart(frame: Frame, statement: tree.Statement) -> None:
    """Notes where a statement that the outputs may need reads a number of those that only the losses need."""
    if not frame.of_losses or frame.prover.facts is frame.session.training:
        return
    read: Any = statement
    if isinstance(statement, tree.For | tree.If):  # what stands in it is seen when it runs
        read = statement.over if isinstance(statement, tree.For) else statement.test
    frame.session.entangled |= any(mentions(read, name) for name in frame.of_losses)


def bound(body: Sequence[tree.Statement]) -> list[str]:
    """The names that statements bind, whichever way they run."""
    names: dict[str, None] = {}
    for statement in tree.all_statements(body):
        spend(1)
        if isinstance(statement, tree.Assign):
            names.update((n.text, None) for n in statement.names)
        elif isinstance(statement, tree.RawParam):
            names[statement.declaration.name.text] = None
        elif isinstance(statement, tree.Input):
            names.update((d.name.text, None) for d in statement.declarations)
    return list(names)


# -- statements ---------------------------------------------------------------------------------------


def _input(frame: Frame, statement: tree.Input) -> None:
    """Inputs were entered when the block was called; a net's targets come here."""
    if statement.role == "target" and not frame.is_net and frame.definition.tree.role != "net":
        raise frame.refuse(wording_names.statement_in_block(statement.span, "target"))
    for declaration in statement.declarations:
        if statement.role == "target" and not frame.is_net:
            frame.env[declaration.name.text] = POISON  # a net that is a layer here is not trained here
            continue
        if statement.role == "input":
            if declaration.name.text not in frame.env:
                frame.env[declaration.name.text] = POISON
                raise frame.refuse(wording_names.input_not_first(statement.span))
            continue
        if declaration.type.dtype is None:
            raise frame.refuse(wording_shapes.dtype_needed(declaration.span, declaration.name.text))
        type_ = Type(check_dtype(frame, declaration.type.dtype), declared_shape(frame, declaration))
        enter(frame, declaration, type_, frame.targets)


def _param(frame: Frame, statement: tree.RawParam) -> None:
    declaration = statement.declaration
    name = declaration.name.text
    dtype = check_dtype(frame, declaration.type.dtype) if declaration.type.dtype else "float32"
    if statement.role == "param" and dtype not in FLOATS:
        raise frame.refuse(
            wording_shapes.float_param(getattr(declaration.type.dtype, "span", declaration.span), dtype)
        )
    shape = tuple(dimension(frame, e) for e in declaration.type.shape)
    check_segment(name, declaration.name.span)
    kind = "parameter" if statement.role == "param" else "buffer"
    check_known(frame, f"the {kind} `{name}`", shape, declaration.span)
    claim(frame, (name,), object(), statement, declaration.name.span)
    init, start = raw_start(frame, statement, Type(dtype, shape)) if statement.init else (Init("zeros"), None)
    made = Param(name, Type(dtype, shape), (name,), init, statement.role == "param", start=start)
    frame.params[(name,)] = made
    frame.env[name] = made
    frame.origins[made] = declaration.span


def _initialise(frame: Frame, statement: tree.Initialise) -> None:
    """From here on, in this body and in the blocks that it calls."""
    rule = rule_of(frame, statement)
    spend(len(frame.rules) // ITEMS)
    frame.rules = (*frame.rules, rule)
    frame.session.starting.append((frame, rule))


def _assign(frame: Frame, statement: tree.Assign) -> None:
    if len(statement.names) == 1:
        name = statement.names[0]
        frame.hint = name.text
        found = evaluate(frame, statement.value)
        frame.env[name.text] = _named(name.text, found)
        return
    found = evaluate(frame, statement.value)
    if isinstance(found, Value):
        found = _unpack(frame, found, statement)
    if not isinstance(found, list | tuple):
        raise frame.refuse(wording_shapes.cannot_unpack(statement.value.span, describe(found)))
    if len(found) != len(statement.names):
        names = unpacking(frame, found, [n.text for n in statement.names])
        text = statement.value.span.text
        raise frame.refuse(
            wording_shapes.wrong_count(
                _names(statement),
                len(statement.names),
                len(found),
                unpacked=names,
                value="..." if "\n" in text else text,
            )
        )
    for name, item in zip(statement.names, found, strict=True):
        if isinstance(item, Value) and not item.hint:
            object.__setattr__(item, "hint", name.text)
        frame.env[name.text] = _named(name.text, item)


def _names(statement: tree.Assign | tree.For) -> Span:
    return statement.names[0].span.to(statement.names[-1].span)


def _named(name: str, found: Any) -> Any:
    """A layer that is bound is one instance, which the binding names (or its label, where it has one)."""
    if isinstance(found, LAYERS) and (lacking(found) or isinstance(found, HelperLayer)):
        return found  # another name for it, until it has its arguments
    if isinstance(found, Labelled):
        return Instance(found.label, found.layer, found.span)
    if isinstance(found, LAYERS) and not isinstance(found, Instance):
        return Instance((name,), found, found.span)
    if isinstance(found, ConstantTensor) and not found.hint:
        object.__setattr__(found, "hint", name)
    return found


def _unpack(frame: Frame, x: Value, statement: tree.Assign) -> tuple[Value, ...]:
    """The parts of a tensor along its first axis, whose size must be known."""
    if not x.type.shape:
        raise frame.refuse(wording_shapes.cannot_unpack(statement.value.span, describe(x)))
    first = x.type.shape[0]
    count = value(first)
    if count is None:
        raise frame.refuse(
            wording_shapes.depends_on_free(
                statement.value.span,
                "the first axis of what is unpacked",
                sorted(numbers.free_names(first)) if isinstance(first, Dim) else [],
            )
        )
    if count != len(statement.names):
        note = wording_shapes.first_axis(statement.value.span.text, str(x.type), frame.origins.get(x))
        raise frame.refuse(wording_shapes.wrong_count(_names(statement), len(statement.names), count, note))
    parts = []
    for i, name in enumerate(statement.names):
        frame.hint = name.text
        parts.append(take(frame, x, (i,), statement.span))
    return tuple(parts)


def _for(frame: Frame, statement: tree.For) -> None:
    items = evaluate(frame, statement.over)
    if isinstance(items, Value):
        raise frame.refuse(wording_shapes.not_a_sequence(statement.over.span, describe(items)))
    if not isinstance(items, list | tuple):
        raise frame.refuse(wording_shapes.not_a_sequence(statement.over.span, describe(items)))
    spend(len(items))
    for item in items:
        _bind_loop(frame, statement, item)
        run(frame, statement.body)
    for name in bound(statement.body) if not items else ():
        frame.env.setdefault(name, OneBranch(statement.span))


def _bind_loop(frame: Frame, statement: tree.For, item: Any) -> None:
    if len(statement.names) == 1:
        frame.env[statement.names[0].text] = item
        return
    if not isinstance(item, list | tuple) or len(item) != len(statement.names):
        count = len(item) if isinstance(item, list | tuple) else 1
        raise frame.refuse(wording_shapes.wrong_count(_names(statement), len(statement.names), count))
    for name, part in zip(statement.names, item, strict=True):
        frame.env[name.text] = part


def _if(frame: Frame, statement: tree.If) -> None:
    test = numbers.truth(evaluate(frame, statement.test), statement.test.span)
    one_branch = set(bound(statement.then)) ^ set(bound(statement.other))
    new = [name for name in one_branch if name not in frame.env]
    run(frame, statement.then if test else statement.other)
    for name in sorted(new):
        frame.env[name] = OneBranch(statement.span)


def _output(frame: Frame, statement: tree.Output) -> None:
    for node in statement.values:
        try:
            found = evaluate(frame, node)
        except Poisoned:
            if frame.session.found:
                raise
            raise frame.refuse(wording_shapes.not_a_tensor(node.span, "output", TARGETED)) from None
        for item in found if isinstance(found, tuple) else (found,):
            if not isinstance(item, Value):
                raise frame.refuse(wording_shapes.not_a_tensor(node.span, "output", describe(item)))
            if item in _targeted(frame):
                raise frame.refuse(wording_shapes.not_a_tensor(node.span, "output", TARGETED))
            frame.outputs.append(item)


TARGETED = "a value that needs a target, which only training has"


def _targeted(frame: Frame) -> set[Value]:
    """The targets and what is computed from them."""
    found: set[Value] = set(frame.targets)
    spend(len(frame.body) if found else 0)
    for step in frame.body if found else ():
        if not found.isdisjoint(step.inputs):
            found.update(step.outputs)
    return found


def _result(frame: Frame, statement: tree.Result) -> None:
    """loss, metric and assert."""
    if statement.role == "assert":
        assert_holds(frame, statement)
        return
    if frame.definition.tree.role != "net":
        raise frame.refuse(wording_names.statement_in_block(statement.span, statement.role))
    if not frame.is_net:
        return
    node = statement.value.step if isinstance(statement.value, tree.Labelled) else statement.value
    name = _result_name(frame, statement)
    if name in frame.metrics or (name in frame.losses and (statement.role, name) != ("loss", LOSS)):
        other = "metric" if name in frame.metrics else "loss"
        raise frame.refuse(wording_names.redefined(node.span, name, None, f"the name of a {other}"))
    frame.hint = name if name.isidentifier() else ""
    found = evaluate(frame, node)
    if not isinstance(found, Value):
        raise frame.refuse(wording_shapes.not_a_tensor(node.span, statement.role, describe(found)))
    if found.type.shape and not (statement.role == "metric" and _adds_up(found.type)):
        raise frame.refuse(wording_shapes.loss_not_scalar(node.span, statement.role, str(found.type)))
    if statement.role == "metric":
        frame.metrics[name] = found
    else:
        frame.losses[name] = (
            _added(frame, frame.losses[name], found, node.span) if name in frame.losses else found
        )


def _adds_up(type_: Type) -> bool:
    """Whether a metric holds counts, which are summed over batches: whole numbers, as many in each batch."""
    return type_.dtype in INTEGERS and all(value(d) is not None for d in type_.shape)


NAMES = {
    "loss": re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}\Z"),
    "metric": re.compile(r"[A-Za-z0-9_ ./@%+-]{1,64}\Z"),
}


def _added(frame: Frame, total: Value, loss: Value, span: Span) -> Value:
    """The sum of the losses without a name up to this one."""
    if total.type.dtype != loss.type.dtype:
        raise frame.refuse(wording_shapes.losses_differ(span, loss.type.dtype, total.type.dtype))
    made: Value = apply_op(frame, OPERATORS["+"](), (total, loss), span)
    return made


def _result_name(frame: Frame, statement: tree.Result) -> str:
    """The label, or what a loss or a metric is called without one."""
    node = statement.value
    if not isinstance(node, tree.Labelled):
        return LOSS if statement.role == "loss" else _metric_name(node)
    name = ".".join(label(frame, node.label))
    if not NAMES[statement.role].match(name) or (statement.role, name) == ("loss", LOSS):
        raise frame.refuse(wording_names.bad_result(node.label.span, statement.role, name))
    return name


def _metric_name(node: tree.Expression) -> str:
    while isinstance(node, tree.Pipe):
        node = node.steps[-1]
    while isinstance(node, tree.Call | tree.Group):
        node = node.function if isinstance(node, tree.Call) else node.inner
    return node.text if isinstance(node, tree.Name) else "metric"


RULES: Mapping[type, Callable[[Frame, Any], None]] = {
    tree.Input: _input,
    tree.RawParam: _param,
    tree.Assign: _assign,
    tree.For: _for,
    tree.If: _if,
    tree.Output: _output,
    tree.Result: _result,
    tree.Initialise: _initialise,
}
