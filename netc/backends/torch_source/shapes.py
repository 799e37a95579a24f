"""Writes the shape of a value for a comment: in numbers, arguments and the names of sizes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from netc.backends.torch_source.arguments import alike
from netc.backends.torch_source.classes import Argument, Class
from netc.dims import AnyDim, Dim, Shape, ceil_divide, names, show, size, substitute

MOST = 8  # operands whose sizes are written as a sum


def shape_text(made: Class, shapes: Sequence[Shape], operands: Sequence[Sequence[Shape]] = ()) -> str:
    """The shape that a value has in each member. operands: the shapes of what it is made of, likewise."""
    parts = []
    for axis in range(len(shapes[0])):
        held = tuple(shape[axis] for shape in shapes)
        text = _axis(made, held)
        parts.append(text if text is not None else _sum(made, held, operands, axis) or "_")
    return show(tuple(parts))  # type: ignore[arg-type]  # show takes anything that can be printed


def _axis(made: Class, held: Sequence[AnyDim]) -> str | None:
    values = _values(made, held)
    if alike(values) and isinstance(values[0], int):
        return str(values[0])
    first = held[0]
    if isinstance(first, Dim) and all(h == first for h in held):
        return _named(made, first, values)
    return _argument(made, values) or _quotient(made, held, values)


def _values(made: Class, held: Sequence[AnyDim]) -> tuple[AnyDim, ...]:
    return tuple(substitute(h, m.given) for h, m in zip(held, made.members, strict=True))


def _named(made: Class, dim: Dim, values: Sequence[AnyDim]) -> str:
    """A size of the block, with those that are arguments called as these."""
    argued = {a.size: size(a.name) for a in made.arguments if a.size is not None}
    for name in names(dim) - set(argued):
        column = [m.given.get(name) for m in made.members]
        if found := next((a for a in made.arguments if _fits(a, column)), None):
            argued[name] = size(found.name)
    return _half(made, dim, values) or str(substitute(dim, argued))


def _half(made: Class, dim: Dim, values: Sequence[AnyDim]) -> str | None:
    """H//2 for what is (H + 1)//2 in general and the same here."""
    found = re.fullmatch(r"\((\w+) [-+] \d+\)//(\d+)( [-+] \d+)?", str(dim))
    if not found:
        return None
    held, part = [m.given.get(found[1]) for m in made.members], int(found[2])
    fits = all(isinstance(h, int) and v == h // part for h, v in zip(held, values, strict=True))
    return f"{found[1]}//{part}" if fits else None


def _fits(argument: Argument, values: Sequence[Any]) -> bool:
    return not alike(argument.column) and all(
        type(a) is type(b) and a == b for a, b in zip(argument.column, values, strict=True)
    )


def _argument(made: Class, values: Sequence[AnyDim]) -> str | None:
    """An argument, a multiple or a part of one, or a product of two."""
    if not all(type(v) is int for v in values):
        return None
    for argument in made.arguments:
        if _fits(argument, values):
            return argument.name
    for argument in made.arguments:
        if all(type(a) is int for a in argument.column) and not alike(argument.column):
            for k in range(2, 9):
                if all(v == k * a for v, a in zip(values, argument.column, strict=True)):
                    return f"{k}*{argument.name}"
                if all(v == a // k for v, a in zip(values, argument.column, strict=True)):
                    return f"{argument.name}//{k}"
    for i, a in enumerate(made.arguments):
        for b in made.arguments[i + 1 :]:
            pairs = list(zip(values, a.column, b.column, strict=True))
            if all(type(x) is int and type(y) is int and v == x * y for v, x, y in pairs):
                return f"{a.name}*{b.name}"
    return None


def _quotient(made: Class, held: Sequence[AnyDim], values: Sequence[AnyDim]) -> str | None:
    """A size over an argument, such as a stride that differs between members: H//stride."""
    wanted = set.intersection(*(names(h) for h in held))
    for name in sorted(wanted):
        above = [m.given[name] for m in made.members]
        for argument in made.arguments:
            if any(type(k) is not int or k < 1 for k in argument.column):
                continue
            pairs = list(zip(values, above, argument.column, strict=True))
            if all(v == h // k for v, h, k in pairs):
                return f"{name}//{argument.name}"
            if all(v == ceil_divide(h, k) for v, h, k in pairs):
                return f"ceil({name}/{argument.name})"
    return None


def _sum(made: Class, held: Sequence[AnyDim], operands: Sequence[Sequence[Shape]], axis: int) -> str | None:
    """The sizes of the operands, where these add up."""
    ranks = {len(shape) for shapes in operands for shape in shapes}
    if not 2 <= len(operands) <= MOST or len(ranks) != 1 or axis >= ranks.pop():
        return None
    columns = [tuple(shape[axis] for shape in shapes) for shapes in operands]
    totals = zip(*(_values(made, column) for column in columns), strict=True)
    if any(sum(parts) != v for parts, v in zip(totals, _values(made, held), strict=True)):
        return None
    texts = [_axis(made, column) for column in columns]
    return None if None in texts else " + ".join(t for t in texts if t)
