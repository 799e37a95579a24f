"""Assertions: facts for the prover, contracts for callers, and the values that a failed one shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from netc.budget import spend
from netc.diagnostics import wording_shapes
from netc.dims import Dim, Learn, value
from netc.passes.elaboration import numbers
from netc.passes.elaboration.expressions import evaluate
from netc.passes.elaboration.frame import Frame
from netc.passes.elaboration.values import describe
from netc.syntax import tree

NOTES = 8  # of one assertion


def assert_holds(frame: Frame, statement: tree.Result) -> None:
    """Refuses an assertion that is false; one about `params` waits for the end of the body."""
    if "params" not in frame.env and mentions(statement.value, "params"):
        frame.deferred.append(statement)
        return
    frame.asserting = True
    try:
        holds = numbers.truth(evaluate(frame, statement.value), statement.value.span)
    except Learn as learn:
        learn.span = statement.value.span
        raise
    if not holds:
        frame.asserting = False
        raise frame.refuse(
            wording_shapes.assertion_failed(statement.value.span, _sides(frame, statement.value))
        )


def mentions(node: Any, name: str) -> bool:
    if isinstance(node, tree.Name):
        return node.text == name
    if isinstance(node, tuple):
        return any(mentions(n, name) for n in node)
    return isinstance(node, tree.Tree) and any(
        mentions(v, name) for k, v in vars(node).items() if k != "span"
    )


def _sides(frame: Frame, node: tree.Expression) -> list[tuple[str, str]]:
    """The values of a comparison's sides and of the names in it, where they are not what is written."""
    quiet = replace(frame, asserting=False)
    shown: dict[str, str] = {}
    for side in node.operands if isinstance(node, tree.Comparison) else ():
        shown[side.span.text] = _shown(evaluate(quiet, side))
    for name in _names_in(node):
        if isinstance(held := frame.env.get(name), int | float | str | Dim):
            shown.setdefault(name, _shown(held))
    return [(text, found) for text, found in shown.items() if text != found][:NOTES]


def _shown(found: Any) -> str:
    """A value with the numbers that the caller gives for sizes."""
    spend(1)
    if isinstance(found, list):
        return f"[{', '.join(map(_shown, found))}]"
    if isinstance(found, Dim):
        known = value(found)
        return str(found if known is None else known)
    return describe(found) if isinstance(found, bool) else str(found)


def _names_in(node: Any) -> Iterator[str]:
    """The names in an expression, in their order."""
    if isinstance(node, tree.Name):
        yield node.text
    elif isinstance(node, tuple):
        for part in node:
            yield from _names_in(part)
    elif isinstance(node, tree.Tree):
        for key, part in vars(node).items():
            if key not in ("span", "function"):
                yield from _names_in(part)


def parameter_count(frame: Frame) -> int | None:
    """How many numbers training may change, in all the instances so far, at the sizes that the caller gives."""
    from netc.passes.cost import count_parameters

    return value(count_parameters(frame.params.values(), frame.body, {}))
