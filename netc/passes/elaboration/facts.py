"""Turns what elaboration learns of free sizes into the constraints of a net, each with the place that demands it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

from netc.diagnostics import Refused, wording_shapes
from netc.dims import Fact, Facts, Learn, joined
from netc.ir.module import Constraint

KINDS = ("multiple", "least", "most")
Learnt: TypeAlias = dict[tuple[str, str], Constraint]  # by size and kind


def add(learnt: Learnt, learn: Learn) -> None:
    """Enters a fact; Refused where no size meets it and those that are known of the same size."""
    fact = learn.fact
    key = (fact.name, _kind(fact))
    held = learnt.get(key)
    new = Constraint(held.fact.joined(fact) if held else fact, learn.span or (held.span if held else None))
    others = [c for c in learnt.values() if c.fact.name == fact.name]
    others = [c for c in others if not c.fact.joined(new.fact).possible]
    if others:
        raise Refused(wording_shapes.no_such_size(new.span, str(fact), [(str(c), c.span) for c in others]))
    learnt[key] = new


def known(learnt: Learnt) -> Facts:
    """The facts, one for each size."""
    return joined(c.fact for c in learnt.values())


def merged(*several: Learnt) -> Learnt:
    """What is learnt in all of them."""
    out: Learnt = {}
    for learnt in several:
        for key, constraint in learnt.items():
            held = out.get(key)
            out[key] = replace(constraint, fact=held.fact.joined(constraint.fact)) if held else constraint
    return out


def constraints_of(free: Sequence[str], learnt: Learnt, training: Learnt) -> tuple[Constraint, ...]:
    """What is learnt of each free size, and then what only the losses need of it beside."""
    out: list[Constraint] = []
    for name in free:
        outputs = list(_demands(name, learnt))
        facts = [c.fact for c in outputs]
        out += outputs
        out += [replace(c, training=True) for c in _demands(name, training) if c.fact not in facts]
    return tuple(out)


def _demands(name: str, learnt: Learnt) -> Iterator[Constraint]:
    """What is learnt of a size; a least size is left out where a multiple of it says as much."""
    multiple = learnt.get((name, "multiple"))
    for kind in KINDS:
        constraint = learnt.get((name, kind))
        implied = kind == "least" and constraint and multiple and multiple.fact.least >= constraint.fact.least
        if constraint and not implied:
            yield constraint


def _kind(fact: Fact) -> str:
    if fact.multiple > 1:
        return "multiple"
    return "least" if fact.maximum is None else "most"
