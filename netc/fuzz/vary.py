"""Turns the attributes of a sample into others like them: at the edges of what an annotation takes."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields
from math import prod
from random import Random
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from netc.dims import AnyDim, Dim
from netc.ops.contract import Op

FLOATS = (0.0, 1.0, -1.0, 0.5, 2.0, 1e-3)
INTS = (0, 1, -1, 2, 3)
_ATTRIBUTES: dict[type[Op], Mapping[str, tuple[Any, Any]]] = {}


def attributes(op_class: type[Op]) -> Mapping[str, tuple[Any, Any]]:
    """For each attribute what it takes, and its default."""
    if op_class not in _ATTRIBUTES:
        hints = get_type_hints(op_class)
        _ATTRIBUTES[op_class] = {f.name: (hints[f.name], f.default) for f in fields(op_class)}
    return _ATTRIBUTES[op_class]


def varied(rng: Random, op_class: type[Op], given: Mapping[str, Any]) -> dict[str, Any]:
    """`given` with one or two attributes changed."""
    out = dict(given)
    known = [name for name in attributes(op_class) if name != op_class.extra]
    for name in rng.sample(known, min(len(known), rng.choice((1, 1, 2)))):
        hint, default = attributes(op_class)[name]
        if name in out and default is not MISSING and rng.random() < 0.2:
            del out[name]
        elif (value := out.get(name, default)) is not MISSING:
            out[name] = _other(rng, hint, value)
    return out


def _other(rng: Random, hint: Any, value: Any) -> Any:
    """A value near `value` that `hint` takes."""
    origin, members = get_origin(hint), get_args(hint)
    if isinstance(value, Dim):
        return rng.choice((value, 1, -1, 2))
    if origin is Literal:
        return rng.choice(members)
    if origin in (Union, types.UnionType):
        return _other_member(rng, members, value)
    if isinstance(value, bool) or hint is bool:
        return not value
    if isinstance(value, list | tuple):
        return _other_items(rng, members, list(value))
    if isinstance(value, float) or (hint is float and isinstance(value, int)):
        return rng.choice((*FLOATS, 2.0 * value, 0.5 * value, -value))
    if isinstance(value, int):
        return rng.choice((*INTS, value + 1, value - 1))
    return value


def _other_member(rng: Random, members: Sequence[Any], value: Any) -> Any:
    if type(None) in members and value is not None and rng.random() < 0.3:
        return None
    hint = rng.choice([m for m in members if m is not type(None)])
    if value is None:
        start = {int: 1, float: 0.5, bool: False}.get(hint)
        return _other(rng, hint, start) if start is not None or get_origin(hint) is Literal else [1]
    if get_origin(hint) is Literal or isinstance(value, str):
        return rng.choice(get_args(hint)) if get_origin(hint) is Literal else value
    return _other(rng, hint, value)


def _other_items(rng: Random, members: Sequence[Any], values: list[Any]) -> list[Any]:
    """A list with one item changed, dropped or added; or all items alike, or in another order."""
    endless = bool(members) and members[-1] is ...
    way = rng.random()
    if endless and values and way < 0.15:
        values.pop(rng.randrange(len(values)))
    elif endless and way < 0.3:
        values.append(rng.choice(values) if values else 1)
    elif values and way < 0.4:
        values = [rng.choice(values)] * len(values)
    elif way < 0.5:
        rng.shuffle(values)
    elif values:
        place = rng.randrange(len(values))
        hint = members[0] if endless else members[place] if place < len(members) else int
        values[place] = _other(rng, hint, values[place])
    return values


def proposals(
    op_class: type[Op], given: Mapping[str, Any], shape: Sequence[AnyDim]
) -> Iterator[dict[str, Any]]:
    """`given` with lists and strings that an operand of `shape` suggests: its sizes in some order, merged, cut."""
    for name, (hint, default) in attributes(op_class).items():
        if name == op_class.extra:
            continue
        held = given.get(name, None if default is MISSING else default)
        if isinstance(held, list | tuple) or "tuple" in str(hint):
            for value in _lists(shape):
                yield {**given, name: value}
        elif isinstance(held, int | Dim) and not isinstance(held, bool):
            for number in dict.fromkeys((*shape, *range(-len(shape), len(shape)))):
                yield {**given, name: number}


def _lists(shape: Sequence[AnyDim]) -> Iterator[list[Any]]:
    rank = len(shape)
    sizes = list(shape)
    yield sizes
    yield sizes[::-1]
    yield list(reversed(range(rank)))
    yield [*range(1, rank), 0]
    yield [-1]
    yield [1, *sizes]
    yield [*sizes, 1]
    yield [2, *sizes]
    for axis, n in enumerate(sizes):
        yield [axis]
        yield [2 if n == 1 else n for n in sizes]
        if axis + 1 < rank:
            yield [*sizes[:axis], n * sizes[axis + 1], *sizes[axis + 2 :]]
        if isinstance(n, int) and n > 1:
            yield [1, n - 1]
            yield [*sizes[:axis], *_factors(n), *sizes[axis + 1 :]]
            yield [1.0 + 0.25 * i for i in range(n)]
        if rank > 1:
            yield [*sizes[:axis], *sizes[axis + 1 :]]
    if rank:
        yield [sizes[0], prod(sizes[1:])]


def _factors(n: int) -> tuple[int, int]:
    small = next((k for k in (2, 3, 5) if n % k == 0), n)
    return small, n // small
