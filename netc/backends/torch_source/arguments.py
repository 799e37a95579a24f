"""Explains what differs between the instances of a class by arguments, and adds those it needs."""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from netc.backends.torch_source.classes import Argument, Class, Classes, Member
from netc.backends.torch_source.draft import Child, value_for
from netc.backends.torch_source.literal import IMPORTED, dimension, literal
from netc.dims import Dim, size
from netc.ir.module import Block

Column = tuple[Any, ...]
ENOUGH = 3  # as many different values that a sum or a quotient explains are no coincidence
WORDS = frozenset("self super range getattr ValueError int float bool str tuple dict".split()) | IMPORTED


ARGUMENT = re.compile("\x01(\\w+)\x01")


def marked(name: str) -> str:
    """The text that stands for an argument: itself in a constructor, an attribute elsewhere."""
    return f"\x01{name}\x01"


class Explainer:
    """Writes holes of one class. inside: in a method other than __init__, where sizes are variables."""

    def __init__(self, classes: Classes, made: Class, inside: bool = False) -> None:
        self.classes, self.made, self.inside = classes, made, inside

    def hole(self, position: Callable[[Block], Any], name: str, owner: str) -> str:
        """The text for a hole; `position` finds what it holds in a member's block."""
        return self.text(tuple(position(m.block) for m in self.made.members), name, owner)

    def column(self, held: Sequence[Any]) -> Column:
        """The value of a hole for each member, from what it holds in each."""
        return tuple(self._value(h, m) for h, m in zip(held, self.made.members, strict=True))

    def _value(self, held: Any, member: Member) -> Any:
        if isinstance(held, Child):
            return self.classes.argument_of(held.call, held.argument, member)
        return value_for(held, member.given)

    def text(self, held: Column, name: str, owner: str) -> str:
        """A literal, an argument, an expression on arguments and sizes, or a new argument."""
        values = self.column(held)
        if alike(values) and not isinstance(values[0], Dim | tuple):
            return literal(values[0])
        if isinstance(values[0], tuple):
            return self._parts(held, values, name, owner)
        if (dim := self._dim(held)) is not None and (self.inside or isinstance(values[0], Dim)):
            return dimension(dim)
        if dim is not None:
            return self._size(dim, values, name)
        return self.known(values, name) or marked(self._new(values, name, owner).name)

    def _parts(self, held: Column, values: Column, name: str, owner: str) -> str:
        """A tuple, part by part."""
        count = len(values[0])
        within = held if all(isinstance(h, tuple) for h in held) else values
        parts = [self.text(tuple(h[i] for h in within), f"{name}{i}", owner) for i in range(count)]
        return f"({', '.join(parts)}{',' if count == 1 else ''})"

    def _dim(self, held: Column) -> Dim | None:
        """The size, in those of the block, that a hole holds in all members."""
        sizes = [self._origin(h) for h in held]
        first = sizes[0]
        return first if isinstance(first, Dim) and all(s == first for s in sizes) else None

    def _origin(self, held: Any) -> Any:
        """An argument that is a size of a called block, in the sizes of the caller."""
        if isinstance(held, Child):
            wanted = self.classes.of[held.call.block].arguments[held.argument].size
            return held.call.sizes.get(wanted) if wanted is not None else held
        return held

    # -- sizes of the block in its constructor --------------------------------------------------------

    def _size(self, dim: Dim, values: Column, name: str) -> str:
        if (found := self._equal(values, name)) is not None:
            return found
        return dimension(dim, lambda n: self._size_argument(n, name if dim == size(n) else n))

    def _size_argument(self, wanted: str, name: str) -> str:
        values = tuple(m.given[wanted] for m in self.made.members)
        if alike(values):
            return literal(values[0])
        found = self._equal(values, name)  # a multiple of an argument would be a coincidence
        return found or marked(self._new(values, self._size_name(wanted, name), wanted, wanted).name)

    def _size_name(self, wanted: str, name: str) -> str:
        """What torch calls a size that comes in, by preference as one that comes in (in_channels)."""
        called = [
            hole.name
            for code in _constructors(self.classes.drafts[self.made.block].children)
            for hole in code.pieces
            if not isinstance(hole, str) and hole.value == size(wanted)
        ]
        return next((n for n in called if n.startswith("in_")), called[0] if called else name)

    # -- what is known --------------------------------------------------------------------------------

    def known(self, values: Column, name: str = "") -> str | None:
        """An expression on arguments and parameters that has these values; numbers come from parameters first."""
        return (
            self._equal(values, name, sizes=False)
            or self._multiple(values, sizes=False)
            or self._equal(values, name)
            or self._multiple(values)
            or self._related(values)
            or self._product(values)
        )

    def _equal(self, values: Column, name: str, sizes: bool = True) -> str | None:
        fitting = [a for a in self._all() if _same(a.column, values) and (sizes or a.size is None)]
        best = next((a for a in fitting if _kin(a.name, name)), fitting[0] if fitting else None)
        return self._use(best) if best else None

    def _multiple(self, values: Column, sizes: bool = True) -> str | None:
        for argument, held in self._numbers(values):
            if (
                (sizes or argument.size is None)
                and held[0]
                and values[0] % held[0] == 0
                and (factor := values[0] // held[0]) > 1
                and all(v == factor * h for v, h in zip(values, held, strict=True))
            ):
                return f"{factor} * {self._use(argument)}"
        return None

    def _related(self, values: Column) -> str | None:
        """A sum or a quotient, where so many values agree that it is what is meant."""
        enough = len(set(values)) >= ENOUGH
        for argument, held in self._numbers(values):
            more = values[0] - held[0]
            if enough and all(v - h == more for v, h in zip(values, held, strict=True)):
                return f"{self._use(argument)} {'+' if more > 0 else '-'} {abs(more)}"
            for part in range(2, 9 if enough else 3):
                if all(v == h // part for v, h in zip(values, held, strict=True)):
                    return f"{self._use(argument)} // {part}"
        return None

    def _product(self, values: Column) -> str | None:
        if len(set(values)) < ENOUGH:
            return None
        every = list(self._numbers(values))
        for i, (a, first) in enumerate(every[:8]):
            for b, second in every[i + 1 : 8]:
                if all(v == x * y for v, x, y in zip(values, first, second, strict=True)):
                    return f"{self._use(a)} * {self._use(b)}"
        return None

    def _numbers(self, values: Column) -> Iterator[tuple[Argument, tuple[int, ...]]]:
        """The arguments that are whole numbers and differ, where the values are."""
        if all(type(v) is int for v in values):
            for argument in self._all():
                if all(type(v) is int for v in argument.column) and not alike(argument.column):
                    yield argument, argument.column

    def _all(self) -> Iterator[Argument]:
        """The arguments, and the parameters of the block that may become some."""
        yield from self.made.arguments
        entered = {a.parameter for a in self.made.arguments}
        for name in self.made.block.parameters:
            if name not in entered:
                column = tuple(m.block.parameters[name] for m in self.made.members)
                yield Argument(safe(self.classes, name), column, parameter=name)

    # -- new ones -------------------------------------------------------------------------------------

    def _use(self, argument: Argument) -> str:
        if not any(a.name == argument.name for a in self.made.arguments):
            self._enter(argument)
        return marked(argument.name)

    def _new(self, values: Column, name: str, owner: str, of: str | None = None) -> Argument:
        taken = {a.name for a in self.made.arguments} | {
            safe(self.classes, p) for p in self.made.block.parameters
        }
        name = safe(self.classes, name)
        if name in taken:
            name = f"{owner}_{name}" if owner.isidentifier() else f"{name}_2"
        base, n = name, 2
        while name in taken:
            name, n = f"{base}_{n}", n + 1
        return self._enter(Argument(name, values, size=of))

    def _enter(self, argument: Argument) -> Argument:
        """Adds it: what comes in first, then parameters in the order of the spec."""
        order = list(self.made.block.parameters)
        held = self.made.arguments
        position = len(held)
        if argument.parameter is None:
            position = sum(a.parameter is None for a in held)
        else:
            while (
                position
                and (before := held[position - 1].parameter) is not None
                and order.index(before) > order.index(argument.parameter)
            ):
                position -= 1
        held.insert(position, argument)
        return argument


def defaults(made: Class) -> Mapping[str, Any]:
    """The arguments at the end of the list that have a default in the spec, and it."""
    out: dict[str, Any] = {}
    for argument in reversed(made.arguments):
        if argument.parameter is None or argument.parameter not in made.block.defaults:
            break
        out[argument.name] = made.block.defaults[argument.parameter]
    return out


def is_default(value: Any, default: Any) -> bool:
    return type(value) is type(default) and value == default


def safe(classes: Classes, name: str) -> str:
    """An argument's name; one that the module needs for something else gets a stroke."""
    return f"{name}_" if name in WORDS or keyword.iskeyword(name) or name in classes.names else name


def alike(values: Sequence[Any]) -> bool:
    """Whether all are the same value of the same type."""
    return all(_equals(v, values[0]) for v in values)


def _equals(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


def _same(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return all(map(_equals, a, b))


def _kin(argument: str, hole: str) -> bool:
    """Whether an argument's name says what a hole is: kernel, kernel_size."""
    return bool(hole) and (argument == hole or hole.startswith(f"{argument}_"))


def _constructors(children: Any) -> Iterator[Any]:
    for module in children.values():
        if module.code is not None:
            yield module.code
        yield from _constructors(module.children)
