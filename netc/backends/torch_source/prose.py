"""Turns the docstring of a block into that of one of its classes, which has some of the parameters alone."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Any

from netc.backends.torch_source.classes import Class
from netc.backends.torch_source.layout import STEP
from netc.backends.torch_source.literal import WIDTH, literal

SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`])")
TIE = "\x01"  # a space at which no line ends
QUOTED = re.compile(r"`(\w+)`")


def doc_of(made: Class) -> str:
    """The block's docstring on the parameters that the class has, and with the numbers of others.

    What is said of one that is off, or 0, is left out, but for the first paragraph.
    """
    first, *others = (made.block.doc or "").split("\n\n")
    fixed = _fixed(made)
    return "\n\n".join([first, *filter(None, (_told(paragraph, fixed) for paragraph in others))])


def _fixed(made: Class) -> Mapping[str, Any]:
    """The parameters that are no arguments of the class, and are the same in all members."""
    entered = {a.parameter for a in made.arguments}
    return {
        name: value
        for name, value in made.block.parameters.items()
        if name not in entered and all(repr(m.block.parameters[name]) == repr(value) for m in made.members)
    }


def _told(paragraph: str, fixed: Mapping[str, Any]) -> str:
    """A paragraph with what holds for these values."""
    if not any(name in fixed for name in QUOTED.findall(paragraph)):
        return paragraph
    sentences = [_sentence(s, fixed) for s in SENTENCE.split(paragraph)]
    width = WIDTH - len(STEP) - len('"""')
    lines = textwrap.wrap(
        re.sub(r"\s+", " ", " ".join(filter(None, sentences))), width, break_on_hyphens=False
    )
    return "\n".join(lines).replace(TIE, " ")


def _sentence(text: str, fixed: Mapping[str, Any]) -> str:
    """A sentence without the clauses on what is off; empty where none is left."""
    kept = [c for c in _clauses(text[:-1]) if not any(_is_off(fixed.get(n, ...)) for n in QUOTED.findall(c))]
    if not kept:
        return ""
    said = "; ".join(kept) + text[-1]
    return QUOTED.sub(lambda m: _numbered(m[0], fixed.get(m[1])), said[:1].upper() + said[1:])


def _clauses(text: str) -> list[str]:
    """The parts at semicolons; one that names nothing belongs to the one before."""
    clauses: list[str] = []
    for clause in text.split("; "):
        if clauses and not QUOTED.search(clause):
            clauses[-1] += f"; {clause}"
        else:
            clauses.append(clause)
    return clauses


def _is_off(value: Any) -> bool:
    return value is None or (isinstance(value, bool | int | float) and not value)


def _numbered(word: str, value: Any) -> str:
    """A parameter's name with its number."""
    return f"{word}{TIE}={TIE}{literal(value)}" if type(value) in (int, float) else word
