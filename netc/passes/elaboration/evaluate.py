"""Evaluates expressions: to numbers, tensors (which adds nodes to the block) and layers.

The rules for each kind of expression register themselves; `expressions` imports them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from netc.diagnostics import Diagnostic, Refused
from netc.passes.elaboration.frame import FOUND, Frame
from netc.passes.elaboration.values import Poisoned
from netc.syntax import tree

RULES: dict[type, Callable[[Frame, Any], Any]] = {}

R = TypeVar("R", bound=Callable[[Frame, Any], Any])


def rule(*kinds: type) -> Callable[[R], R]:
    """Enters a function as what evaluates these kinds of expressions."""

    def enter(function: R) -> R:
        RULES.update(dict.fromkeys(kinds, function))
        return function

    return enter


def evaluate(frame: Frame, node: tree.Expression) -> Any:
    """The value of `node`. Raises Refused, or Poisoned where it depends on what was reported already."""
    frame.session.budget.spend(1)
    return RULES[type(node)](frame, node)


def each(frame: Frame, nodes: Iterable[tree.Expression]) -> list[Any]:
    """The values of `nodes`; what is wrong with any of them is reported together."""
    out: list[Any] = []
    found: list[Diagnostic] = []
    poisoned = False
    for node in nodes:
        if len(found) >= FOUND:
            break
        try:
            out.append(evaluate(frame, node))
        except Refused as refused:
            found += refused.diagnostics
        except Poisoned:
            poisoned = True
    if found:
        raise Refused(*found)
    if poisoned:
        raise Poisoned
    return out


def or_all(frame: Frame, attempt: Callable[[], Any], rest: Sequence[tree.Expression], after: int = 0) -> Any:
    """What `attempt` gives; where it is refused, with what else is wrong in `rest[after:]`, which it would have led to."""
    try:
        return attempt()
    except (Refused, Poisoned) as error:
        others = [
            n.right if isinstance(n, tree.Binary) else n
            for n in rest[after:]
            if not isinstance(n, tree.Binary) or n.operator not in ("and", "or")
        ]
        try:
            each(frame, others)
        except Refused as refused:
            raise Refused(
                *(error.diagnostics if isinstance(error, Refused) else ()), *refused.diagnostics
            ) from None
        except Poisoned:
            pass
        raise
