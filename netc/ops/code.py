"""PyTorch expressions with holes: what differs between instances of one class becomes its arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Hole:
    """A literal in an expression: a number, a bool, a string, a dimension, or a tuple of these.

    name: what a constructor argument that stands for it would be called.
    """

    value: Any
    name: str = "value"


@dataclass(frozen=True)
class Keyword:
    """A keyword argument, left out where it has its default (a default of ... is never left out)."""

    name: str
    value: Any
    default: Any = ...


Piece: TypeAlias = "str | Hole | Keyword"


@dataclass(frozen=True)
class Code:
    """An expression: text, holes and keyword arguments in turn.

    infix: it binds looser than a call, so that it needs parentheses inside anything but an argument list.
    """

    pieces: tuple[Piece, ...]
    infix: bool = False


Argument: TypeAlias = "str | Hole | Keyword | Code"


def call(function: str, *arguments: Argument) -> Code:
    """`function(arguments)`: an operand or other text as a str, a literal as a Hole or a Keyword."""
    pieces: list[Piece] = [function + "("]
    for i, argument in enumerate(arguments):
        if i and not isinstance(argument, Keyword):
            pieces.append(", ")
        pieces += argument.pieces if isinstance(argument, Code) else [argument]
    return Code((*pieces, ")"))


def method(x: str, name: str, *arguments: Argument) -> Code:
    """`x.name(arguments)`."""
    return call(f"{x}.{name}", *arguments)


def infix(a: str | Hole, operator: str, b: str | Hole) -> Code:
    """`a operator b`."""
    return Code((a, f" {operator} ", b), infix=True)
