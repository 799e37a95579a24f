"""Gives the blocks of the standard library, each file of which is read when one of its blocks is first used."""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import netc.std
from netc.budget import Budget, spending
from netc.diagnostics import Source
from netc.passes.define import define
from netc.syntax import parse, tree
from netc.syntax.text import read_text

BLOCK = re.compile(r"^block (\w+)", re.MULTILINE)


@cache
def standard() -> Library:
    """The blocks of the standard library by name, which every file sees. Their helpers are their own."""
    return Library()


class Library(Mapping[str, Any]):
    """Knows the names of all blocks at once, and their definitions on demand."""

    def __init__(self) -> None:
        self._defined: dict[str, Any] = {}
        self._texts: dict[str, bytes] = {}
        self._file_of: dict[str, str] = {}
        self.sources: set[Source] = set()
        for entry in sorted(Path(netc.std.__file__).parent.glob("*.net")):
            self._texts[entry.name] = entry.read_bytes()
            names = BLOCK.findall(self._texts[entry.name].decode())
            self._file_of.update(dict.fromkeys(names, entry.name))

    def __getitem__(self, name: str) -> Any:
        if name not in self._defined:
            self._read(self._file_of[name])
        return self._defined[name]

    def __contains__(self, name: object) -> bool:
        return name in self._file_of

    def __iter__(self) -> Iterator[str]:
        return iter(self._file_of)

    def __len__(self) -> int:
        return len(self._file_of)

    def _read(self, path: str) -> None:
        source = read_text(f"std/{path}", self._texts[path])
        self.sources.add(source)
        with spending(
            Budget()
        ):  # not on that of the check that first asks: it would depend on what ran before
            file, found = parse(source)
        assert not found, found
        helpers: dict[str, Any] = {}
        scope = ChainMap(helpers, self)  # type: ignore[arg-type]  # only the first of the maps is written to
        for item in file.items:
            if isinstance(item, tree.Function):
                helpers[item.name.text] = define(item, scope)
            elif isinstance(item, tree.Block):
                self._defined[item.name.text] = define(item, scope)
