"""Turns a program into everything that is wrong with it: its nets, and its recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from netc.budget import Exhausted, spending
from netc.diagnostics import Diagnostic, Refused, Span
from netc.diagnostics.wording_shapes import too_much_work
from netc.passes.elaborate import elaborate
from netc.passes.elaboration.frame import FOUND
from netc.passes.load import Program, complete
from netc.passes.recipe_tree import recipe_of
from netc.passes.resolve import resolve
from netc.passes.spell import spell


def check(
    program: Program,
    names: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
    dynamic: Sequence[str] = (),
    overrides: Sequence[str] = (),
) -> list[Diagnostic]:
    """Every finding, each once, in the order of the file.

    names: the nets; all that need no arguments otherwise. overrides: of the recipe, as `train.batch=64`.
    """
    found: dict[tuple[str, int, int], Diagnostic] = {}

    def keep(diagnostics: Sequence[Diagnostic]) -> None:
        for d in diagnostics:
            place = (id(d.span.source), d.span.start) if d.span else (0, len(found))
            found.setdefault((d.code, *place), d)

    keep(program.found)
    with spending() as work:
        for name in complete(program) if names is None else names:
            if len(found) >= FOUND or work.exhausted:
                break
            keep(_net(program, name, settings, dynamic))
        if not work.exhausted:
            keep(_rest(program, overrides))
    return sorted(found.values(), key=lambda d: (d.span.source.path, d.span.start) if d.span else ("", -1))


def _net(
    program: Program, name: str, settings: Mapping[str, Any] | None, dynamic: Sequence[str]
) -> Sequence[Diagnostic]:
    try:
        return list(spell(elaborate(program, name, settings, dynamic)))
    except Refused as refused:
        return refused.diagnostics
    except Exhausted:
        return [too_much_work(program.nets[name].tree.name.span)]


def _rest(program: Program, overrides: Sequence[str]) -> Sequence[Diagnostic]:
    """What is wrong whatever the sizes are, and with the recipe."""
    try:
        found = resolve(program)
        recipe_of(program.train, overrides)
    except Refused as refused:
        return [*found, *refused.diagnostics]
    except Exhausted:
        return [too_much_work(Span(program.source, 0, 0))]
    return found
