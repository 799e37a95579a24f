"""Prints values as Python source: literals, dimensions and docstrings."""

from __future__ import annotations

import ast
import builtins
import keyword
import math
import re
import textwrap
from collections.abc import Callable
from typing import Any

from netc.backends.torch_source.draft import Text
from netc.dims import AnyDim, Dim, Quotient, Size

WIDTH = 100
IMPORTED = frozenset({"torch", "nn", "F", "Tensor", "OrderedDict", "Training"})
UNCLEAR = frozenset({"l", "O", "I"})  # look like digits, so that linters refuse them


def literal(value: Any) -> str:
    """A value as Python source."""
    if isinstance(value, Text):
        return value.text
    if isinstance(value, Dim):
        return dimension(value)
    if isinstance(value, tuple):
        inner = ", ".join(map(literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return _string(value)
    return repr(value)


def _float(value: float) -> str:
    """The shortest digits; the square root of a small whole number and a small power of two as such."""
    fraction, exponent = math.frexp(value)
    if fraction == 0.5 and exponent < -10:
        return f"2**{exponent - 1}"
    square = round(value * value) if 1 < abs(value) < 1e3 else 0
    if not value.is_integer() and square**0.5 == value:
        return f"{square}**0.5"
    return re.sub(r"e([-+])0*", r"e\1", repr(value)).replace("e+", "e")


def _string(value: str) -> str:
    plain = value.isprintable() and '"' not in value and "\\" not in value
    return f'"{value}"' if plain else repr(value)


def variable(size: str) -> str:
    """The variable that holds a named size: words of Python and names of the module are taken."""
    taken = size in IMPORTED | UNCLEAR or keyword.iskeyword(size) or hasattr(builtins, size)
    return f"{size}_" if taken else size


def dimension(dim: AnyDim, name: Callable[[str], str] = variable) -> str:
    """A size as an expression; `name` gives the text for a named size."""
    if isinstance(dim, int):
        return str(dim)
    text = ""
    for monomial, coefficient in sorted(dim.terms, key=lambda t: not t[0]):
        part = _product(monomial, abs(coefficient), name)
        if text:
            text += f" - {part}" if coefficient < 0 else f" + {part}"
        else:
            text = f"-{part}" if coefficient < 0 else part
    return text


def _product(monomial: tuple[Size | Quotient, ...], left: int, name: Callable[[str], str]) -> str:
    factors = []
    for atom in monomial:
        if isinstance(atom, Size) and left % atom.multiple == 0:
            left //= atom.multiple
            factors.append(_factor(name(atom.name)))
        else:
            factors.append(_atom(atom, name))
    if left != 1 or not factors:
        factors.insert(0, str(left))
    if len(factors) > 1:
        factors = [f"({f})" if "//" in f else f for f in factors]
    return " * ".join(factors)


def _atom(atom: Size | Quotient, name: Callable[[str], str]) -> str:
    if isinstance(atom, Size):
        text = _factor(name(atom.name))
        return text if atom.multiple == 1 else f"{text} // {atom.multiple}"
    below = _factor(dimension(atom.divisor, name))
    return f"{_factor(dimension(atom.numerator, name))} // {below}"


def _factor(text: str) -> str:
    """An expression as a factor or a divisor: one that has an operator stands in parentheses."""
    return f"({text})" if " " in text else text


def docstring(text: str, indent: str) -> str:
    """A docstring as source lines; text that triple quotes could not hold safely is printed by repr."""
    safe = (
        all(c.isprintable() or c == "\n" for c in text)
        and "\\" not in text
        and '"""' not in text
        and not text.endswith('"')
    )
    if safe:
        lines = [
            line
            for paragraph in text.split("\n\n")
            for line in (*_paragraph(paragraph, len(indent), "\n\n" not in text), "")
        ][:-1]
        body = f"\n{indent}".join(lines)
        made = f'"""{body}"""' if len(lines) == 1 else f'"""{body}\n{indent}"""'
        made = "\n".join(line.rstrip() for line in made.split("\n"))
        if isinstance(ast.literal_eval(made), str):
            return made
    return repr(text)


def _paragraph(text: str, indent: int, alone: bool) -> list[str]:
    """The lines of a paragraph; prose with a line that became too long is filled anew."""
    lines = [line.strip() for line in text.split("\n")]
    quotes = 6 if alone else 3
    long = any(len(line) + indent + quotes > WIDTH for line in lines)
    if not long or any(re.match(r"\W", line) for line in lines if not line.startswith(("`", '"', "("))):
        return lines
    width = WIDTH - indent - quotes
    return textwrap.wrap(" ".join(lines), width, break_long_words=False, break_on_hyphens=False)
