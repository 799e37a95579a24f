"""Gives the values of a method names: a variable is taken again when what it held is no longer needed."""

from __future__ import annotations

import builtins
import keyword
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from netc.backends.torch_source.literal import IMPORTED, UNCLEAR
from netc.ir.module import Value

RESERVED = frozenset(
    {"self", *IMPORTED, *UNCLEAR, *keyword.kwlist, *keyword.softkwlist, *dir(builtins)} - {"_"}
)


@dataclass
class Variables:
    """Which variable holds which value. last: the line that needs each value last.

    pinned: how many expressions that wait for their line name a variable.
    """

    last: Mapping[Value, int]
    reserved: frozenset[str]
    held: dict[str, Value] = field(default_factory=dict)
    of: dict[Value, str] = field(default_factory=dict)
    pinned: Counter[str] = field(default_factory=Counter)

    def know(self, value: Value, name: str) -> None:
        self.of[value] = name
        self.held[name] = value

    def bind(self, value: Value, now: int, names: Iterable[str]) -> str:
        """A variable for `value` at line `now`: the first of `names` that is free, or the last numbered."""
        name = "x"
        for wanted in names:
            name = f"{wanted}_" if wanted in self.reserved else wanted
            if self.free(name, now):
                break
        else:
            base, n = name, 2
            while not self.free(name, now):
                name, n = f"{base}_{n}" if base[-1].isdigit() else f"{base}{n}", n + 1
        self.know(value, name)
        return name

    def free(self, name: str, now: int) -> bool:
        """Whether no value that is needed after line `now` is in the variable."""
        return not self.pinned[name] and (name not in self.held or self.last.get(self.held[name], -1) <= now)
