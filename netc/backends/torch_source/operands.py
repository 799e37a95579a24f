"""Tells where an expression needs brackets as the operand of another: by the operators of the two texts."""

from __future__ import annotations

import re

ATOM = 10
BINDING = {
    "**": 8,
    "-x": 7,
    "*": 6,
    "@": 6,
    "/": 6,
    "//": 6,
    "%": 6,
    "+": 5,
    "-": 5,
}  # comparisons and conditionals bind least
OPERATOR = re.compile(r" (\*\*|//|[-+*/%@]|[<>=!]=|[<>]|if) ")


def operator_of(code: str, infix: bool) -> str:
    """The operator that an expression over markers is made of; an empty one for what binds as a call does."""
    found = OPERATOR.search(code) if infix else None
    return found[1] if found else "-x" if infix else ""


def bracketed(code: str, operator: str, match: re.Match[str], inner: str) -> bool:
    """Whether an expression of the operator `inner` needs brackets in the place of a marker."""
    return needs_brackets(code, operator, match, BINDING.get(inner, 1) if inner else ATOM)


def needs_brackets(code: str, operator: str, match: re.Match[str], binding: int) -> bool:
    """Whether an expression that binds so tightly needs brackets in the place of a marker."""
    after = code[match.end() : match.end() + 1]
    if after in (".", "["):
        return binding < ATOM
    if not operator:
        before, behind = code[: match.start()], code[match.end() :]
        on_the_right = re.search(r"[-+*/%@=<>] ?$", before) is not None and not before.endswith("=")
        return binding < ATOM and (on_the_right or re.match(r" [-+*/%@<>]", behind) is not None)
    outer = BINDING.get(operator, 1)
    left = match.start() == 0
    return binding <= outer if outer in (1, 8) or not left else binding < outer
