"""Turns a net into the graph of one number to differentiate: its losses, or its outputs weighed at random."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from netc.autodiff.reverse import pruned
from netc.autodiff.tape import Tape
from netc.dims import Prover, proving
from netc.ir.module import Net, Value
from netc.ops.contract import FLOATS
from netc.passes.locate import Located, locate


@dataclass(frozen=True)
class Objective:
    """located: its first output is the number. weights: the inputs by which outputs are weighed, if any."""

    located: Located
    weights: tuple[Value, ...]


def minimums(net: Net) -> Mapping[str, int]:
    """The least value of each free size of `net`."""
    return {c.name: c.minimum for c in net.constraints}


def objective(net: Net) -> Objective:
    """The sum of the losses; for a net without any, of all elements of its outputs, each times a weight."""
    outputs = net.losses or tuple(v for v in net.block.outputs if v.type.dtype in FLOATS)
    located = locate(net, outputs)
    values = located.flat.outputs
    weights = (
        () if net.losses else tuple(Value(f"weight of {v.hint or i}", v.type) for i, v in enumerate(values))
    )
    tape = Tape(list(located.flat.nodes), list(located.scopes))
    tape.at(("objective",), net.block.span)
    with proving(Prover(minimums=minimums(net))):
        terms = tape.wrap(values)
        if weights:
            terms = [(y * w).sum() for y, w in zip(terms, tape.wrap(weights), strict=True)]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
    given = Located(replace(located.flat, inputs=(*located.flat.inputs, *weights)), located.scopes)
    return Objective(pruned(given, tape, [total.value]), weights)
