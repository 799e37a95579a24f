"""Turns a net into the graph of one number to differentiate: its losses, or its outputs weighed at random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from netc.autodiff.tape import Tape, Traced
from netc.diagnostics import Refused
from netc.diagnostics.wording_gradient import no_objective
from netc.dims import Prover, proving
from netc.ir.module import Net, Param, Value
from netc.ops.contract import FLOATS
from netc.ops.notation import cast
from netc.passes.inline import Flat
from netc.passes.locate import Located, locate


@dataclass(frozen=True)
class Objective:
    """located: its first output is the number, the rest is what it is made of. weights: the inputs by which outputs are weighed, if any."""

    located: Located
    weights: tuple[Value, ...]


def differentiable(net: Net) -> bool:
    """Whether there is a number to differentiate."""
    return bool(net.losses) or any(v.type.dtype in FLOATS for v in net.block.outputs)


def objective(net: Net, weighed: bool = False, beside: Sequence[Value] = ()) -> Objective:
    """The sum of the losses; for a net without any, of all elements of its outputs.

    weighed: the sum of all elements of the outputs and the losses, each times a weight. beside: more values of
    the net's body that the graph is to give.
    """
    outputs = tuple(v for v in net.block.outputs if v.type.dtype in FLOATS)
    if not differentiable(net):
        raise Refused(no_objective(net.block.span, net.name))
    losses = tuple(net.losses.values())
    wanted = (*outputs, *losses) if weighed else losses or outputs
    located = locate(net, (*wanted, *beside))
    values = located.flat.outputs[: len(wanted)]
    names = [f"weight {i + 1} of {v.hint or 'output'}" for i, v in enumerate(values)] if weighed else []
    weights = tuple(Value(name, v.type) for name, v in zip(names, values, strict=False))
    tape = Tape(list(located.flat.nodes), list(located.scopes))
    tape.at(("objective",), net.block.span)
    with proving(Prover(facts=net.training_facts)):
        terms = tape.wrap(values)
        if weights:
            terms = [y * w for y, w in zip(terms, tape.wrap(weights), strict=True)]
        total = added([term.sum() if term.shape or not tape.nodes else term for term in terms])
    inputs, outputs = (*located.flat.inputs, *weights), (total.value, *located.flat.outputs)
    flat = replace(located.flat, inputs=inputs, nodes=tuple(tape.nodes), outputs=outputs)
    return Objective(Located(flat, tuple(tape.scopes)), weights)


def trained(flat: Flat, of: Sequence[Value]) -> list[Param]:
    """The parameters that `of` depends on by ops that have gradients: those that torch gives one and updates."""
    reached = set(of)
    for node in reversed(flat.nodes):
        if node.op.differentiable and any(v in reached and v.type.dtype in FLOATS for v in node.outputs):
            reached.update(node.operands)
    return [param for param in flat.params.values() if param.trainable and param in reached]


def added(terms: Sequence[Traced]) -> Traced:
    """The sum of scalars, in float64 where one of them is."""
    widest = next((term for term in terms if term.dtype == "float64"), terms[0])
    total, *rest = (term if term.dtype == widest.dtype else cast(term, widest) for term in terms)
    for term in rest:
        total = total + term
    return total
