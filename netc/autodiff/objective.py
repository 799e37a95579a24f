"""Turns a net into the graph of one number to differentiate: its losses, or its outputs weighed at random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from netc.autodiff.reverse import pruned
from netc.autodiff.tape import Tape
from netc.diagnostics import Refused
from netc.diagnostics.wording_gradient import no_objective
from netc.dims import Prover, proving
from netc.ir.module import Net, Value
from netc.ops.contract import FLOATS
from netc.passes.locate import Located, locate


@dataclass(frozen=True)
class Objective:
    """located: its first output is the number, the rest is what it is made of. weights: the inputs by which outputs are weighed, if any."""

    located: Located
    weights: tuple[Value, ...]


def minimums(net: Net) -> Mapping[str, int]:
    """The least value of each free size of `net`."""
    return {c.name: c.minimum for c in net.constraints}


def differentiable(net: Net) -> bool:
    """Whether there is a number to differentiate."""
    return bool(net.losses) or any(v.type.dtype in FLOATS for v in net.block.outputs)


def objective(net: Net, weighed: bool = False) -> Objective:
    """The sum of the losses; for a net without any, of all elements of its outputs.

    weighed: the sum of all elements of the outputs and the losses, each times a weight.
    """
    outputs = tuple(v for v in net.block.outputs if v.type.dtype in FLOATS)
    if not differentiable(net):
        raise Refused(no_objective(net.block.span, net.name))
    located = locate(net, (*outputs, *net.losses) if weighed else net.losses or outputs)
    values = located.flat.outputs
    names = [f"weight {i + 1} of {v.hint or 'output'}" for i, v in enumerate(values)] if weighed else []
    weights = tuple(Value(name, v.type) for name, v in zip(names, values, strict=False))
    tape = Tape(list(located.flat.nodes), list(located.scopes))
    tape.at(("objective",), net.block.span)
    with proving(Prover(minimums=minimums(net))):
        terms = tape.wrap(values)
        if weights:
            terms = [y * w for y, w in zip(terms, tape.wrap(weights), strict=True)]
        terms = [term.sum() if term.shape else term for term in terms]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
    given = Located(replace(located.flat, inputs=(*located.flat.inputs, *weights)), located.scopes)
    return Objective(pruned(given, tape, [total.value, *values]), weights)
