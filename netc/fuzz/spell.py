"""Turns an op and the names of its operands into the text of a call, in one of the ways the language has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, fields
from math import isfinite
from random import Random
from typing import Any

from netc.dims import Dim
from netc.dims.polynomial import Size
from netc.ops.contract import Op

CONSTANTS = {True: "true", False: "false", None: "none"}
INDEX, SIGN = "[]", "-x"  # operators that do not stand between two operands


class Unspellable(Exception):
    """A value that the language has no literal for."""


def literal(value: Any) -> str:
    """A value as a spec writes it."""
    if value is None or isinstance(value, bool):
        return CONSTANTS[value]
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, Dim):
        return dimension(value)
    if isinstance(value, float) and not isfinite(value):
        raise Unspellable(str(value))
    return repr(value)


def dtype_argument(dtype: str) -> str:
    """What a call of `tensor` says of the dtype, where it is not what is inferred from the numbers."""
    return "" if dtype in ("float32", "int64", "bool") else f', dtype="{dtype}"'


def dimension(dim: int | Dim) -> str:
    """A size as an expression of named sizes."""
    if isinstance(dim, int):
        return str(dim)
    return " + ".join(_term(monomial, coefficient) for monomial, coefficient in dim.terms)


def is_spellable(dim: int | Dim) -> bool:
    """Whether a spec can write the size."""
    try:
        return bool(dimension(dim))
    except Unspellable:
        return False


def _term(monomial: Sequence[Any], coefficient: int) -> str:
    if not all(isinstance(atom, Size) and atom.multiple == 1 for atom in monomial):
        raise Unspellable("a size that was divided")
    factors = [atom.name for atom in monomial]
    return " * ".join([str(coefficient), *factors] if coefficient != 1 or not factors else factors)


def spelled(rng: Random, op: Op, operands: Sequence[str]) -> str:
    """`op` applied to `operands`: by its operator, as a call or as a step of a chain."""
    plain = not arguments(op)
    if op.operator == INDEX:
        return f"{operands[0]}{_index(op)}"
    if op.operator == SIGN and rng.random() < 0.5:
        return f"-{operands[0]}"
    if op.operator and op.operator != SIGN and plain and rng.random() < 0.5:
        return f"{operands[0]} {op.operator} {operands[1]}"
    if rng.random() < 0.3 and not any(_number(name) for name in operands):
        given = operands[0] if len(operands) == 1 else f"({', '.join(operands)})"
        return f"{given} -> {layer(rng, op)}"
    return f"{_name(rng, op)}({', '.join([*operands, *_arguments(rng, op)])})"


def layer(rng: Random, op: Op) -> str:
    """`op` as a layer, which lacks its operands."""
    given = _keywords(arguments(op), op)
    return f"{_name(rng, op)}({', '.join(given)})" if given else _name(rng, op)


def arguments(op: Op) -> dict[str, Any]:
    """The attributes that are not as they would be without being told."""
    held = {f.name: (getattr(op, f.name), f.default) for f in fields(op)}
    return {name: value for name, (value, default) in held.items() if default is MISSING or value != default}


def _arguments(rng: Random, op: Op) -> list[str]:
    given = arguments(op)
    if (
        op.variadic in given
        and len(op.operands) == 1
        and given[op.variadic]
        and list(given) == [op.variadic]
        and rng.random() < 0.5
    ):
        return list(map(literal, given[op.variadic]))
    head: list[str] = []
    names = [f.name for f in fields(op) if f.name not in (op.extra, op.variadic)]
    for name in names if len(op.operands) == 1 else ():
        if next(iter(given), "") != name or rng.random() < 0.7:
            break
        head.append(literal(given.pop(name)))
    return head + _keywords(given, op)


def _keywords(given: dict[str, Any], op: Op) -> list[str]:
    named = {name: value for name, value in given.items() if name != op.extra} | dict(given.get(op.extra, ()))
    return [f"{name}={literal(value)}" for name, value in named.items()]


def _name(rng: Random, op: Op) -> str:
    return rng.choice((op.name, *op.aliases)) if rng.random() < 0.2 else op.name


def _number(text: str) -> bool:
    return text.lstrip("-")[:1].isdigit()


def _index(op: Op) -> str:
    (items,) = (getattr(op, f.name) for f in fields(op))
    return f"[{', '.join(map(_item, items))}]" if items else "[...]"


def _item(item: Any) -> str:
    if item is None:
        return ":"
    if not isinstance(item, tuple):
        return literal(item)
    start, stop, step = ("" if bound is None else literal(bound) for bound in item)
    return f"{start}:{stop}" + (f":{step}" if step else "")
