"""Names that are each given once: a taken one gets a number behind it."""

from __future__ import annotations

from collections.abc import Iterable


class Names:
    """The names given so far."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._next = dict.fromkeys(taken, 2)

    def free(self, name: str) -> str:
        """`name`, or where that is taken `name_2`, `name_3` and so on."""
        if name not in self._next:
            self._next[name] = 2
            return name
        number = self._next[name]
        while (numbered := f"{name}_{number}") in self._next:
            number += 1
        self._next[name] = number + 1
        self._next[numbered] = 2
        return numbered
