"""Turns a spec and what it imports into the definitions of its blocks and nets."""

from __future__ import annotations

import posixpath
from collections import ChainMap
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from netc.diagnostics import Diagnostic, Refused, Source, Span, wording_names
from netc.ops.contract import OPS
from netc.ops.initialiser import INITIALISERS
from netc.passes.define import define
from netc.passes.elaboration.naming import snake_case
from netc.passes.elaboration.numbers import HELPERS
from netc.passes.elaboration.values import POISON, Alias, Definition
from netc.passes.standard import standard
from netc.syntax import parse, tree
from netc.syntax.text import read_text

FILES = 256
DEPTH = 16
BYTES = 8 << 20
ANY = "import"  # among the names that were lost: an import failed, which may have brought any name


@dataclass(frozen=True)
class Program:
    """A spec, read. nets: those of the file itself, in order. found: what could not be read.

    imported: the texts of the files that it imports, by their path from its folder.
    lost: the names that unreadable statements would have bound; a keyword stands for what it would have brought.
    """

    source: Source
    doc: str | None
    scope: Mapping[str, Any]
    nets: Mapping[str, Definition | Alias]
    train: tree.Train | None
    found: tuple[Diagnostic, ...]
    lost: frozenset[str]
    imported: Mapping[str, str] = field(default_factory=dict)


def complete(program: Program) -> list[str]:
    """The nets that need no arguments: presets, and those whose parameters all have defaults."""
    return [
        name
        for name, made in program.nets.items()
        if isinstance(made, Alias) or all(p.default is not None for p in made.tree.parameters)
    ]


def templates(program: Program) -> dict[str, list[str]]:
    """The nets that need arguments and that no preset gives any, with the parameters that lack a value."""
    used = {
        node.text
        for made in program.nets.values()
        if isinstance(made, Alias)
        for node in _names(made.tree.value)
    }
    return {
        name: [p.name.text for p in made.tree.parameters if p.default is None]
        for name, made in program.nets.items()
        if isinstance(made, Definition)
        and name not in used
        and any(p.default is None for p in made.tree.parameters)
    }


def _names(node: tree.Expression) -> list[tree.Name]:
    """The name that a preset's value calls."""
    while isinstance(node, tree.Call | tree.Group):
        node = node.function if isinstance(node, tree.Call) else node.inner
    return [node] if isinstance(node, tree.Name) else []


@dataclass
class _Reader:
    """Reads files by their path within the project; `read` gives the bytes of one."""

    read: Callable[[str], bytes]
    scopes: dict[str, dict[str, Any]] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)
    found: list[Diagnostic] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    total: int = 0

    def source(self, path: str, span: Span | None) -> Source:
        if len(self.scopes) >= FILES:
            raise Refused(wording_names.import_limit(span, f"{FILES} files"))
        try:
            data = self.read(path)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise Refused(wording_names.not_found(path, reason[0].lower() + reason[1:], span)) from None
        self.total += len(data)
        if self.total > BYTES:
            raise Refused(wording_names.import_limit(span, "8 MiB in all"))
        source = read_text(path, data)
        self.texts[path] = source.text
        return source


def load(path: str, read: Callable[[str], bytes]) -> Program:
    """The program in the file at `path`. `read` gives a file's bytes, or raises OSError.

    Raises Refused where nothing can be made of the file.
    """
    reader = _Reader(read)
    source = reader.source(path, None)
    file = _parse(reader, source)
    scope = _scope(reader, file, path, (path,))
    nets = {
        i.name.text: scope[i.name.text]
        for i in file.items
        if (isinstance(i, tree.Preset) or (isinstance(i, tree.Block) and i.role == "net"))
        and i.name.text in scope
    }
    _check_files(reader, nets)
    trains = [i for i in file.items if isinstance(i, tree.Train)]
    if len(trains) > 1:
        reader.found.append(wording_names.second_train(trains[1].span, trains[0].span))
    folder = posixpath.dirname(path) or "."
    imported = {posixpath.relpath(p, folder): text for p, text in reader.texts.items() if p != path}
    return Program(
        source,
        file.doc,
        scope,
        {k: v for k, v in nets.items() if v is not POISON},
        trains[0] if trains else None,
        tuple(reader.found),
        frozenset(reader.lost),
        imported,
    )


def _check_files(reader: _Reader, nets: Mapping[str, Any]) -> None:
    """Reports nets whose names differ in capitals or underscores only: they would be compiled to the same files."""
    files: dict[str, Any] = {}
    for name, made in nets.items():
        if made is not POISON and files.setdefault(snake_case(name), made) is not made:
            other = files[snake_case(name)].tree.name
            reader.found.append(
                wording_names.same_files(made.tree.name.span, name, other.text, snake_case(name), other.span)
            )


def _parse(reader: _Reader, source: Source) -> tree.File:
    file, found = parse(source)
    reader.found += found
    reader.lost |= file.lost
    return file


def _scope(reader: _Reader, file: tree.File, path: str, chain: tuple[str, ...]) -> MutableMapping[str, Any]:
    """The names that a file sees: the standard library's, its imports' and its own."""
    scope: ChainMap[str, Any] = ChainMap({}, standard())  # type: ignore[arg-type]  # the first map takes what is new
    own: dict[str, Any] = {}
    reader.scopes[path] = own
    for item in file.items:
        try:
            if isinstance(item, tree.Import):
                _bring_in(reader, scope, own, _import(reader, item, path, chain), item.span)
            elif not isinstance(item, tree.Train):
                _define(scope, own, item.name.text, define(item, scope), item.name.span)
        except Refused as refused:
            reader.found += refused.diagnostics
            if isinstance(item, tree.Import):
                reader.lost.add(ANY)
            elif not isinstance(item, tree.Train):
                own.setdefault(item.name.text, POISON)
                scope.setdefault(item.name.text, POISON)
    return scope


def _bring_in(
    reader: _Reader,
    scope: MutableMapping[str, Any],
    own: dict[str, Any],
    names: Mapping[str, Any],
    span: Span,
) -> None:
    """Defines what an import brings; what came by another way already is no collision."""
    for name, made in names.items():
        try:
            if made is POISON:
                scope.setdefault(name, POISON)
            elif own.get(name) is not made:
                _define(scope, own, name, made, span)
        except Refused as refused:
            reader.found += refused.diagnostics


def _define(scope: MutableMapping[str, Any], own: dict[str, Any], name: str, made: Any, span: Span) -> None:
    what = (
        "a layer or function of the language"
        if name in OPS or name in HELPERS or name in INITIALISERS
        else "a block of the standard library"
        if name in standard()
        else "defined"
        if name in own
        else None
    )
    if what is not None:
        other = own[name].tree.name.span if name in own and own[name] is not POISON else None
        raise Refused(wording_names.redefined(span, name, other, what))
    own[name] = scope[name] = made


def _import(reader: _Reader, item: tree.Import, path: str, chain: tuple[str, ...]) -> dict[str, Any]:
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), item.path))
    root = posixpath.dirname(chain[0])
    inside = posixpath.relpath(target, root or ".")
    if (
        posixpath.isabs(item.path)
        or not item.path.endswith(".net")
        or "\\" in item.path
        or inside.startswith("..")
    ):
        raise Refused(wording_names.import_outside(item.span, item.path))
    if target in chain:
        raise Refused(wording_names.import_cycle(item.span, [*chain[chain.index(target) :], target]))
    if len(chain) > DEPTH:
        raise Refused(wording_names.import_limit(item.span, f"{DEPTH} files deep"))
    if target not in reader.scopes:
        _scope(reader, _parse(reader, reader.source(target, item.span)), target, (*chain, target))
    return reader.scopes[target]
