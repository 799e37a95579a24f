"""Prints values as Python source: literals, dimensions and docstrings."""

from __future__ import annotations

import ast
import builtins
import keyword
from typing import Any

from netc.backends.torch_source.draft import Text
from netc.dims import AnyDim, Dim, Quotient, Size


def literal(value: Any) -> str:
    """A value as Python source."""
    if isinstance(value, Text):
        return value.text
    if isinstance(value, Dim):
        return dimension(value)
    if isinstance(value, tuple):
        inner = ", ".join(map(literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e6:
        return repr(value)
    return repr(value)


def dimension(dim: AnyDim) -> str:
    """A size as an expression on variables named as the sizes."""
    if isinstance(dim, int):
        return str(dim)
    text = ""
    for monomial, coefficient in sorted(dim.terms, key=lambda t: not t[0]):
        factors = []
        left = abs(coefficient)
        for atom in monomial:
            if isinstance(atom, Size) and left % atom.multiple == 0:
                left //= atom.multiple
                factors.append(variable(atom.name))
            else:
                factors.append(_atom(atom))
        if left != 1 or not factors:
            factors.insert(0, str(left))
        if len(factors) > 1:
            factors = [f"({f})" if "//" in f else f for f in factors]
        part = " * ".join(factors)
        sign = "-" if coefficient < 0 else "+"
        text = f"{text} {sign} {part}" if text else (f"-{part}" if coefficient < 0 else part)
    return text


def variable(size: str) -> str:
    """The variable that holds a named size: `F` is torch.nn.functional, and words of Python are taken."""
    return f"{size}_" if size == "F" or keyword.iskeyword(size) or hasattr(builtins, size) else size


def _atom(atom: Size | Quotient) -> str:
    if isinstance(atom, Size):
        return variable(atom.name) if atom.multiple == 1 else f"{variable(atom.name)} // {atom.multiple}"
    above = dimension(atom.numerator)
    return f"({above}) // {dimension(atom.divisor)}" if not above.isidentifier() else f"{above} // {dimension(atom.divisor)}"


def docstring(text: str, indent: str) -> str:
    """A docstring as source lines; text that triple quotes could not hold safely is printed by repr."""
    safe = all(c.isprintable() or c == "\n" for c in text) and "\\" not in text and '"""' not in text \
        and not text.endswith('"')
    if safe:
        lines = [line.strip() for line in text.split("\n")]
        body = f"\n{indent}".join(lines).replace(f"\n{indent}\n", "\n\n")
        made = f'"""{body}"""' if len(lines) == 1 else f'"""{body}\n{indent}"""'
        made = "\n".join(line.rstrip() for line in made.split("\n"))
        if isinstance(ast.literal_eval(made), str):
            return made
    return repr(text)
