"""Turns a net of a program into IR: blocks, parameters and shapes, with everything that is wrong reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeAlias

from netc.budget import Budget, Exhausted, budget, spending
from netc.diagnostics import (
    Diagnostic,
    Refused,
    Source,
    Span,
    wording_calls,
    wording_names,
    wording_shapes,
    wording_weights,
)
from netc.dims import Learn, Prover, Unwieldy, names, proving
from netc.ir.module import Block, Call, Constraint, Net, blocks
from netc.ir.verify import verify_net
from netc.ir.walk import needed
from netc.ops.contract import OPS
from netc.passes.cost import count_parameters
from netc.passes.elaboration.calls import checked, with_defaults
from netc.passes.elaboration.expressions import preset
from netc.passes.elaboration.facts import Learnt, add, constraints_of, known, merged
from netc.passes.elaboration.frame import Frame, Session
from netc.passes.elaboration.inputs import declare
from netc.passes.elaboration.instantiate import (
    finish,
    thawed,
)
from netc.passes.elaboration.sizes import ELEMENTS
from netc.passes.elaboration.statements import elaborate_body
from netc.passes.elaboration.values import Alias, Definition, Poisoned
from netc.passes.load import Program
from netc.syntax import tree

ROUNDS = 64
Constraints: TypeAlias = Callable[[Sequence[str]], tuple[Constraint, ...]]


def elaborate(
    program: Program, name: str, settings: Mapping[str, Any] | None = None, dynamic: Sequence[str] = ()
) -> Net:
    """The net `name` of `program`.

    settings: values for its parameters, and numbers for its free sizes.
    dynamic: axes to leave free although the spec fixes them: `image.2`, a parameter that stands in a shape, or N, H,
    W, L by their place in an input.
    Raises Refused with every independent finding, those of reading the file included.
    """
    with spending() as work:
        return _elaborated(_Run(program, name, dict(settings or {}), frozenset(dynamic), work))


def _elaborated(run: _Run) -> Net:
    net, beside = run.elaborated({}, frozenset())
    if not net.constraints or not beside:
        return net
    try:
        apart, again = run.elaborated(dict(run.training), beside)
    except Refused:
        if run.work.exhausted:
            raise
        return net  # where what the losses need cannot be told apart, the outputs need it, too
    return apart if again >= beside else net


@dataclass
class _Run:
    """The elaborations of one net: what all of it needs of free sizes by now, and the work that is left."""

    program: Program
    name: str
    settings: Mapping[str, Any]
    dynamic: frozenset[str]
    work: Budget
    training: Learnt = field(default_factory=dict)

    def elaborated(self, training: Learnt, beside: frozenset[int]) -> tuple[Net, frozenset[int]]:
        """The net, and which of its statements only the losses need, by number.

        training: what is known where the statements `beside` run, in addition to what is learnt in the others.
        """
        span = self.program.nets[self.name].tree.span
        learnt: Learnt = {}
        for _ in range(ROUNDS):
            self.training = merged(learnt, training)
            session = Session(
                self.work,
                facts=known(learnt),
                training=known(self.training),
                beside=beside,
                dynamic=self.dynamic,
                lost=self.program.lost,
            )
            for diagnostic in self.program.found:
                session.report(Refused(diagnostic))
            try:
                constraints = partial(constraints_of, learnt=learnt, training=self.training)
                net = _elaborate(self.program, self.name, dict(self.settings), session, constraints)
            except Learn as learn:
                add(training if learn.beside else learnt, learn)
                continue
            except (Refused, Poisoned, RecursionError, Unwieldy, Exhausted) as error:
                session.report(_refused(error, span))
                net = None
            if session.found or net is None:
                raise Refused(*_in_order(session.found.values()))
            return net, _beside(net, session)
        raise Refused(wording_shapes.too_much(span, "the sizes need too many facts", ROUNDS))


def _beside(net: Net, session: Session) -> frozenset[int]:
    """The statements of the net that apply layers, none of which the outputs need."""
    if session.entangled:
        return frozenset()
    steps = set(needed(net.block.body, net.block.outputs))
    ran = session.statements.items()
    return frozenset(n for n, (a, b) in ran if a < b and steps.isdisjoint(net.block.body[a:b]))


def _refused(error: Exception, span: Span) -> Refused:
    """What stopped the elaboration outside the statements of a body, as findings."""
    if isinstance(error, RecursionError):
        return Refused(wording_shapes.too_deep(span))
    if isinstance(error, Unwieldy):
        return Refused(wording_shapes.arithmetic(span, str(error)))
    if isinstance(error, Exhausted):
        return _exhausted(error, span)
    return error if isinstance(error, Refused) else Refused()


def _exhausted(error: Exhausted, span: Span) -> Refused:
    """Where the work ran out, unless another finding says why the check ended."""
    if budget().closed:
        return Refused()
    frame, place = error.place or (None, span)
    finding = wording_shapes.too_much_work(place)
    return frame.refuse(finding) if frame is not None else Refused(finding)


def _in_order(found: Any) -> list[Diagnostic]:
    return sorted(found, key=lambda d: (d.span.source.path, d.span.start) if d.span else ("", -1))


def _elaborate(
    program: Program, name: str, settings: dict[str, Any], session: Session, constraints: Constraints
) -> Net | None:
    definition, given = _arguments(program, name, session)
    parameters = [p.name.text for p in definition.tree.parameters]
    frame = Frame(session, definition, {}, Prover({}, session.facts), (), True)
    with proving(frame.prover):
        for parameter in definition.tree.parameters:
            if parameter.name.text in settings:
                value = settings.pop(parameter.name.text)
                given[parameter.name.text] = checked(
                    frame, definition.name, parameter, _layer(value), parameter.span
                )
            elif parameter.name.text not in given and parameter.default is None:
                raise Refused(
                    wording_calls.missing_argument(
                        parameter.span,
                        definition.name,
                        parameter.name.text,
                        "a value, with --set or in a preset",
                    )
                )
        arguments = with_defaults(frame, definition.name, definition.tree.parameters, given)
        frame.env = dict(arguments)
        free = declare(frame, settings)
        if settings:
            raise Refused(*(wording_names.unknown_setting(key, [*parameters, *free]) for key in settings))
        session.stack.append(definition)
        elaborate_body(frame, definition.tree.body)
    if session.found:
        return None
    arguments = {k: arguments[k] for k in parameters}
    block = finish(frame, arguments, {n: session.size(n) for n in free})
    total = count_parameters(block.params, block.body, {}, buffers=True)
    if isinstance(total, int) and total >= ELEMENTS:
        raise Refused(wording_shapes.too_many_parameters(definition.tree.name.span, definition.name, total))
    _check_names(block, name, frame)
    block = replace(block, doc=block.doc or program.doc)
    net = Net(
        name,
        block,
        tuple(frame.targets),
        dict(frame.losses),
        dict(frame.metrics),
        constraints(free),
        tuple(free),
    )
    verify_net(net)
    _check_told(net)
    return net


def _check_told(net: Net) -> None:
    """Refuses outputs that need a size which only a target tells: they are computed without targets."""
    told = {name for v in net.block.inputs for dim in v.type.shape for name in names(dim)}
    for step in needed(net.block.body, net.block.outputs):
        sizes = [dim for v in step.outputs for dim in v.type.shape]
        sizes += step.sizes.values() if isinstance(step, Call) else ()
        for name in sorted({n for dim in sizes for n in names(dim)} - told):
            raise Refused(wording_weights.unknown_at_run_time(name, step.span))


def _check_names(net: Block, name: str, frame: Frame) -> None:
    """Refuses a size, an input or a target of the name of a block or the net: all would be names in the emitted module."""
    roles = {b.name: "block" for b in blocks(net) if b is not net} | {name: "net"}
    for value in (*frame.inputs, *frame.targets):
        if value.hint in roles:
            what = f"the name of a {roles[value.hint]}"
            raise Refused(wording_names.redefined(frame.origins[value], value.hint, None, what))
    for block in blocks(net):
        for taken in block.sizes:
            if taken in roles and block.span is not None:
                what = f"the name of a {roles[taken]}, and a size of `{block.name}`"
                raise Refused(wording_names.redefined(block.span, taken, None, what))


def _layer(value: Any) -> Any:
    """A parameter that is a layer may be set by the name of an op."""
    from netc.passes.elaboration.values import OpLayer

    return OpLayer(OPS[value], None) if isinstance(value, str) and value in OPS else value


def _arguments(program: Program, name: str, session: Session) -> tuple[Definition, dict[str, Any]]:
    """The net's definition, and the arguments that its presets give."""
    found = program.nets[name]
    if isinstance(found, Definition):
        return found, {}
    assert isinstance(found, Alias)
    empty = Source("", "")
    nothing = tree.Name(Span(empty, 0, 0), name)
    outside = Frame(
        session,
        Definition(tree.Block(nothing.span, "block", nothing, (), None, ()), program.scope),
        {},
        Prover(),
        (),
        False,
    )
    try:
        made = preset(outside, found)
    except Poisoned:
        raise Refused() from None
    return made.definition, {k: thawed(v) for k, v in made.arguments or ()}
