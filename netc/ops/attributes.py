"""Turns the compile-time arguments of a call into an op with checked, normalised attributes."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from netc.dims import Dim, value
from netc.ops.contract import Op, require

T = TypeVar("T", bound=Op)

WORDS: Mapping[Any, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a string",
    type(None): "none",
    Dim: "a size",
}
MANY = {2: "a pair", 3: "a triple"}


@dataclass(eq=False)
class BadArgument(Exception):
    """An argument that an op cannot take.

    kind: "unknown", "missing", "duplicate", "type" or "too_many". expected: in the user's words.
    """

    kind: str
    name: str
    value: Any = ...
    expected: str = ""

    def __post_init__(self) -> None:
        got = "" if self.value is ... else f", got {self.value!r}"
        super().__init__(f"{self.kind} argument {self.name}: expected {self.expected}{got}")


class _Unfit(Exception):
    """A value that an annotation does not take."""


def bind(op_class: type[T], positional: Sequence[Any], keywords: Mapping[str, Any]) -> T:
    """The op that the arguments make."""
    return complete(op_class, gather(op_class, positional, keywords, {}))


def gather(
    op_class: type[Op], positional: Sequence[Any], keywords: Mapping[str, Any], before: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments of a call by attribute, with those that calls `before` it gave; none is given twice."""
    hints = _hints(op_class)  # type: ignore[arg-type]  # mypy doubts that a class can be hashed
    given = _place(op_class, tuple(hints), positional, keywords)
    for name, argument in before.items():
        if name == op_class.extra:
            _check_extra(dict(argument), given.get(name, ()))
            argument = (*argument, *given.get(name, ()))
        elif name in given:
            raise BadArgument("duplicate", name, given[name], "one value")
        given[name] = argument
    return given


def _check_extra(before: Mapping[str, Any], more: Sequence[tuple[str, Any]]) -> None:
    for name, argument in more:
        if name in before:
            raise BadArgument("duplicate", name, argument, "one value")


def lacking(op_class: type[Op], given: Iterable[str]) -> str | None:
    """The first attribute that must be given and is not."""
    required = (field.name for field in fields(op_class) if field.default is MISSING)
    return next((name for name in required if name not in given), None)


def complete(op_class: type[T], given: Mapping[str, Any]) -> T:
    """The op that arguments by attribute make."""
    hints = _hints(op_class)  # type: ignore[arg-type]  # mypy doubts that a class can be hashed
    if name := lacking(op_class, given):
        raise BadArgument("missing", name, expected=expected(hints[name]))
    return op_class(**convert(op_class, given))


def convert(op_class: type[Op], given: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by attribute, each as its annotation asks for it."""
    hints = _hints(op_class)  # type: ignore[arg-type]  # mypy doubts that a class can be hashed
    return {name: _checked(name, hints[name], given[name]) for name in given}


def parameters_of(op_class: type[Op]) -> list[tuple[str, str, Any]]:
    """Each attribute: its name, what it takes, and its default (dataclasses.MISSING where it has none)."""
    hints = _hints(op_class)  # type: ignore[arg-type]  # mypy doubts that a class can be hashed
    return [(field.name, expected(hints[field.name]), field.default) for field in fields(op_class)]


def axis_of(axis: int, rank: int, at: str = "axis", operand: str = "x") -> int:
    """`axis`, which may count from the end, counted from the start."""
    require(-rank <= axis < rank, at, f"{operand} has {_axes(rank)}, so axis {axis} does not exist")
    return axis % rank


def axes_of(axes: Sequence[int] | None, rank: int, at: str = "axis", operand: str = "x") -> tuple[int, ...]:
    """`axes` counted from the start, in ascending order; all axes for None."""
    if axes is None:
        return tuple(range(rank))
    found = [axis_of(axis, rank, at, operand) for axis in axes]
    require(len(set(found)) == len(found), at, f"{at} names an axis twice: {', '.join(map(str, axes))}")
    return tuple(sorted(found))


def _axes(rank: int) -> str:
    return "no axes" if rank == 0 else "1 axis" if rank == 1 else f"{rank} axes"


@cache
def _hints(op_class: type[Op]) -> dict[str, Any]:
    hints = get_type_hints(op_class)
    return {field.name: hints[field.name] for field in fields(op_class)}


def _place(
    op_class: type[Op], names: tuple[str, ...], positional: Sequence[Any], keywords: Mapping[str, Any]
) -> dict[str, Any]:
    """The arguments by the name of their attribute."""
    takers = tuple(name for name in names if name != op_class.extra)
    given: dict[str, Any] = {}
    if op_class.variadic and (rest := positional[takers.index(op_class.variadic) :]):
        positional = positional[: takers.index(op_class.variadic)]
        alone = len(rest) == 1 and isinstance(rest[0], list | tuple)
        given[op_class.variadic] = rest[0] if alone else tuple(rest)
    if len(positional) > len(takers):
        most = f"at most {len(takers)} argument{'s' * (len(takers) != 1)}" if takers else "no arguments"
        raise BadArgument("too_many", takers[-1] if takers else "", positional[len(takers)], most)
    given |= zip(takers, positional, strict=False)
    for name, argument in keywords.items():
        if name in given:
            raise BadArgument("duplicate", name, argument, "one value")
        if name in takers:
            given[name] = argument
        elif op_class.extra:
            given[op_class.extra] = (*given.get(op_class.extra, ()), (name, argument))
        else:
            raise BadArgument("unknown", name, argument, ", ".join(takers) or "no arguments")
    return given


def _checked(name: str, hint: Any, argument: Any) -> Any:
    try:
        return _convert(hint, argument)
    except _Unfit:
        words = expected(hint)
        if isinstance(argument, Dim):
            words += ", known at compile time"
        raise BadArgument("type", name, argument, words) from None


def _convert(hint: Any, argument: Any) -> Any:
    """`argument` as `hint` asks for it."""
    origin = get_origin(hint)
    if origin is Literal:
        return _fit(any(type(argument) is type(c) and argument == c for c in get_args(hint)), argument)
    if origin is tuple:
        return _convert_tuple(get_args(hint), argument)
    if origin in (Union, types.UnionType):
        return _convert_union(get_args(hint), argument)
    if hint in (int, float):
        return _convert_number(hint, argument)
    return _fit(isinstance(argument, hint), argument)


def _convert_number(hint: type[int] | type[float], argument: Any) -> int | float:
    known = value(argument) if isinstance(argument, Dim) else argument
    if isinstance(known, bool) or not isinstance(known, int if hint is int else int | float):
        raise _Unfit
    try:
        return hint(known)
    except OverflowError:
        raise _Unfit from None


def _convert_union(members: tuple[Any, ...], argument: Any) -> Any:
    if isinstance(argument, Dim) and Dim in members:
        return argument
    for member in members:
        try:
            return _convert(member, argument)
        except _Unfit:
            continue
    raise _Unfit


def _convert_tuple(members: tuple[Any, ...], argument: Any) -> tuple[Any, ...]:
    """A list element by element; a single value stands for all elements alike, or for a list of one."""
    endless = members[-1] is ...
    if not isinstance(argument, list | tuple):
        _fit(len(set(members) - {...}) == 1, argument)
        return (_convert(members[0], argument),) * (1 if endless else len(members))
    _fit(endless or len(argument) == len(members), argument)
    each = members[:1] * len(argument) if endless else members
    return tuple(_convert(hint, element) for hint, element in zip(each, argument, strict=True))


def _fit(condition: bool, argument: Any) -> Any:
    if not condition:
        raise _Unfit
    return argument


def expected(hint: Any) -> str:
    """What an annotation takes, in the user's words."""
    members = get_args(hint)
    origin = get_origin(hint)
    if origin is Literal:
        choices = ", ".join(map(str, members))
        return f"one of {choices}" if len(members) > 1 else choices
    if origin is tuple:
        element = expected(members[0])
        if members[-1] is ...:
            return f"{element} or a list of them"
        if len(set(members)) == 1:
            return f"{element} or {MANY.get(len(members), str(len(members)))} of them"
        return f"a list of {', '.join(map(expected, members))}"
    if origin in (Union, types.UnionType):
        return ", or ".join(expected(m) for m in members if not (m is int and Dim in members))
    return WORDS[hint]
