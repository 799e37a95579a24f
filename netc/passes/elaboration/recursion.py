"""Finds blocks that would contain themselves, by the names that their bodies use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from netc.budget import budget, spend
from netc.passes.elaboration.values import Alias, Definition, Function
from netc.syntax import tree


def circle(definition: Definition) -> tuple[str, ...]:
    """The blocks from `definition` back to itself, by name; () where its body does not lead back to it.

    A layer that is passed to a block as an argument is no part of its body.
    """
    memo = budget().memo
    if ("circle", definition) not in memo:
        memo["circle", definition] = _circle(definition)
    found: tuple[str, ...] = memo["circle", definition]
    return found


def _circle(definition: Definition) -> tuple[str, ...]:
    before: dict[Any, Any] = {definition: None}
    waiting: list[Any] = [definition]
    for made in waiting:
        for found in _mentioned(made):
            if found is definition:
                return _path(before, made, definition.name)
            if found not in before:
                before[found] = made
                waiting.append(found)
    return ()


def _path(before: dict[Any, Any], last: Any, name: str) -> tuple[str, ...]:
    names = [name]
    while last is not None:
        names.append(last.tree.name.text)
        last = before[last]
    return tuple(reversed(names))


def _mentioned(made: Definition | Function | Alias) -> Iterator[Any]:
    """The blocks, helpers and presets whose names a definition uses."""
    node = made.tree.body if isinstance(made, Definition) else made.tree.value
    for name in _names(node):
        found = made.scope.get(name)
        if isinstance(found, Definition | Function | Alias):
            yield found


def _names(node: Any) -> Iterator[str]:
    waiting = [node]
    while waiting:
        part = waiting.pop()
        spend(1)
        if isinstance(part, tree.Name):
            yield part.text
        elif isinstance(part, tuple):
            waiting += part
        elif isinstance(part, tree.Tree):
            waiting += [held for key, held in vars(part).items() if key != "span"]
