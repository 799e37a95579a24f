"""Gives an op by its name or operator; the file that defines it is imported when the op is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TYPE_CHECKING

from netc.ops import catalog

if TYPE_CHECKING:
    from netc.ops.contract import Op


class Registry(Mapping[str, "type[Op]"]):
    """Ops by key. The catalog knows every key at once; a class is there once its file has been imported."""

    def __init__(self, files: Mapping[str, str]) -> None:
        """`files`: the keys that each file of netc/ops enters, with spaces between them."""
        self._file_of = {key: file for file, keys in files.items() for key in keys.split()}
        self._ops: dict[str, type[Op]] = {}

    def enter(self, key: str, op: type[Op]) -> None:
        """Enters an op; raises ValueError where another one has the key."""
        if key in self._ops:
            raise ValueError(f"two ops are named {key}")
        self._ops[key] = op

    def remove(self, *keys: str) -> None:
        """Takes back what was entered."""
        for key in keys:
            del self._ops[key]

    def entered(self) -> Mapping[str, type[Op]]:
        """The ops whose files have been imported."""
        return self._ops

    def __getitem__(self, key: str) -> type[Op]:
        """The op of that key; raises KeyError where there is none."""
        if key not in self._ops:
            import_module(f"netc.ops.{self._file_of[key]}")
        return self._ops[key]

    def __contains__(self, key: object) -> bool:
        return key in self._ops or key in self._file_of

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*self._file_of, *self._ops))

    def __len__(self) -> int:
        return len(self._file_of.keys() | self._ops.keys())


OPS = Registry(catalog.NAMES)
OPERATORS = Registry(catalog.OPERATORS)
