"""Turns a syntax tree into trees that are one step simpler, the boldest steps first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

from netc.diagnostics import Source, Span
from netc.fuzz.draws import HEAD, describe, rules
from netc.ir.module import Type
from netc.syntax import tree

NOWHERE = Span(Source("", ""), 0, 0)


def reductions(file: tree.File, types: Mapping[str, Type]) -> Iterator[tree.File]:
    """`file` with one thing left out, replaced or made smaller. types: of the values of its net, by name."""
    for step in (_fewer_results, _cut, _inlined, _bypassed, _smaller):
        for made in step(file, types):
            yield swept(made)


def swept(file: tree.File) -> tree.File:
    """`file` without what nothing uses, and without second names for a value."""
    file = replace(file, items=tuple(_unaliased(i) if isinstance(i, tree.Block) else i for i in file.items))
    while True:
        used = {n.text for n in names(file)}
        items = [_swept_block(i, used) if isinstance(i, tree.Block) else i for i in file.items]
        called = {n.text for i in items for n in names(i)}
        kept = [i for i in items if not isinstance(i, tree.Block) or i.role == "net" or i.name.text in called]
        made = replace(file, items=tuple(kept))
        if [len(getattr(i, "body", ())) for i in made.items] == [
            len(getattr(i, "body", ())) for i in file.items
        ]:
            return made
        file = made


def _unaliased(block: tree.Block) -> tree.Block:
    """`block` without statements that give a value another name, where no name is given twice."""
    bound = Counter(n.text for s in block.body for n in _bound(s))
    for at, statement in enumerate(block.body):
        if (
            isinstance(statement, tree.Assign)
            and isinstance(statement.value, tree.Name)
            and len(statement.names) == 1
        ):
            name, value = statement.names[0], statement.value
            if bound[name.text] == 1 and bound[value.text] == 1:
                body = (*block.body[:at], *(_renamed(s, name.text, value) for s in block.body[at + 1 :]))
                return _unaliased(replace(block, body=body))
    return block


def _bound(statement: tree.Statement) -> Iterator[tree.Name]:
    """The names that a statement gives, and those within it twice: they may be given again and again."""
    if isinstance(statement, tree.Input):
        yield from (d.name for d in statement.declarations)
    elif isinstance(statement, tree.Assign):
        yield from statement.names
    elif isinstance(statement, tree.For):
        yield from (n for inner in statement.body for n in (*_bound(inner), *_bound(inner)))


def _renamed(node: Any, old: str, new: tree.Name) -> Any:
    """A part of a tree with one name for another where it is read."""
    if isinstance(node, tree.Name):
        return new if node.text == old else node
    if isinstance(node, tuple):
        return tuple(_renamed(part, old, new) for part in node)
    if not isinstance(node, tree.Tree):
        return node
    read = [f.name for f in fields(node) if f.name not in ("name", "names", "span")]
    return replace(node, **{name: _renamed(getattr(node, name), old, new) for name in read})


def names(node: Any) -> Iterator[tree.Name]:
    """Every name that is read in a part of a tree."""
    if isinstance(node, tree.Name):
        yield node
    elif isinstance(node, tuple | list):
        for part in node:
            yield from names(part)
    elif isinstance(node, tree.Tree):
        for field in fields(node):
            if field.name not in ("name", "names", "span") or isinstance(node, tree.Attribute):
                yield from names(getattr(node, field.name))


def _swept_block(block: tree.Block, used: set[str]) -> tree.Block:
    body = tuple(s for s in block.body if _needed(s, used, block.role == "net"))
    declared = {d.name.text for s in body if isinstance(s, tree.Input) for d in s.declarations}
    doc = block.doc
    if doc and HEAD in doc:
        told = {name: rule for name, rule in rules(doc).items() if name in declared}
        doc = describe(told) if told else None
    return replace(block, body=body, doc=doc)


def _needed(statement: tree.Statement, used: set[str], net: bool) -> bool:
    if isinstance(statement, tree.Input):
        return not net or any(d.name.text in used for d in statement.declarations)
    if isinstance(statement, tree.Assign):
        return any(n.text in used for n in statement.names)
    return True


# -- statements ---------------------------------------------------------------------------------------
def _bodies(file: tree.File) -> Iterator[tuple[int, tree.Block]]:
    for i, item in enumerate(file.items):
        if isinstance(item, tree.Block):
            yield i, item


def _with(file: tree.File, i: int, block: tree.Block, body: Sequence[tree.Statement]) -> tree.File:
    items = (*file.items[:i], replace(block, body=tuple(body)), *file.items[i + 1 :])
    return replace(file, items=items)


def _fewer_results(file: tree.File, types: Mapping[str, Type]) -> Iterator[tree.File]:
    """One output alone, or one less; no loss, no metric."""
    for i, block in _bodies(file):
        for at, statement in enumerate(block.body):
            rest = [*block.body[:at], *block.body[at + 1 :]]
            if isinstance(statement, tree.Result):
                yield _with(file, i, block, rest)
            if isinstance(statement, tree.Output) and block.role == "net" and len(statement.values) > 1:
                for value in statement.values:
                    yield _with(file, i, block, [*rest, replace(statement, values=(value,))])
                for out in range(len(statement.values)):
                    kept = (*statement.values[:out], *statement.values[out + 1 :])
                    yield _with(file, i, block, [*rest, replace(statement, values=kept)])


def _cut(file: tree.File, types: Mapping[str, Type]) -> Iterator[tree.File]:
    """An input in the place of a statement of the net, and so of all before it: the latest first."""
    for i, block in _bodies(file):
        for at in reversed(range(len(block.body) if block.role == "net" else 0)):
            statement = block.body[at]
            if isinstance(statement, tree.Assign) and all(n.text in types for n in statement.names):
                declared = tuple(_declaration(n.text, types[n.text]) for n in statement.names)
                given = tree.Input(NOWHERE, "input", declared)
                yield _with(file, i, block, [given, *block.body[:at], *block.body[at + 1 :]])


def _declaration(name: str, type_: Type) -> tree.Declaration:
    shape = tuple(tree.Number(NOWHERE, d) if isinstance(d, int) else _name(str(d)) for d in type_.shape)
    return tree.Declaration(NOWHERE, _name(name), tree.TypeSpec(NOWHERE, _name(type_.dtype), shape))


def _name(text: str) -> tree.Name:
    return tree.Name(NOWHERE, text)


def _inlined(file: tree.File, types: Mapping[str, Type]) -> Iterator[tree.File]:
    """The body of a block in the place of a call, and that of a loop once."""
    blocks = {b.name.text: b for _, b in _bodies(file) if b.role == "block"}
    for i, block in _bodies(file):
        for at, statement in enumerate(block.body):
            instead: list[tree.Statement] | None = None
            if isinstance(statement, tree.For):
                instead = list(statement.body)
            elif isinstance(statement, tree.Assign):
                instead = _body_of(statement, blocks)
            if instead is not None:
                yield _with(file, i, block, [*block.body[:at], *instead, *block.body[at + 1 :]])


def _body_of(statement: tree.Assign, blocks: Mapping[str, tree.Block]) -> list[tree.Statement] | None:
    """What a call of a block stands for."""
    called = _called(statement.value)
    if called is None or called[0] not in blocks:
        return None
    block, arguments = blocks[called[0]], called[1]
    inputs = [d for s in block.body if isinstance(s, tree.Input) for d in s.declarations]
    outputs = next(s.values for s in block.body if isinstance(s, tree.Output))
    if len(inputs) != len(arguments) or len(outputs) != len(statement.names):
        return None
    settings = [tree.Assign(NOWHERE, (p.name,), p.default) for p in block.parameters if p.default is not None]
    given = [tree.Assign(NOWHERE, (d.name,), a) for d, a in zip(inputs, arguments, strict=True)]
    inner = [s for s in block.body if not isinstance(s, tree.Input | tree.Output)]
    made = [tree.Assign(NOWHERE, (n,), v) for n, v in zip(statement.names, outputs, strict=True)]
    return [*settings, *given, *inner, *made]


def _called(value: tree.Expression) -> tuple[str, list[tree.Expression]] | None:
    """The name that is called, and what it is given."""
    if isinstance(value, tree.Call) and isinstance(value.function, tree.Name):
        return value.function.text, [a.value for a in value.arguments if a.name is None]
    if isinstance(value, tree.Pipe) and len(value.steps) == 2 and isinstance(value.steps[1], tree.Name):
        first = value.steps[0]
        return value.steps[1].text, list(first.items) if isinstance(first, tree.Tuple) else [first]
    return None


def _bypassed(file: tree.File, types: Mapping[str, Type]) -> Iterator[tree.File]:
    """An operand in the place of what a statement makes."""
    for i, block in _bodies(file):
        for at, statement in enumerate(block.body):
            if isinstance(statement, tree.Assign) and not isinstance(statement.value, tree.Name):
                for read in names(statement.value):
                    values = [replace(statement, names=(n,), value=read) for n in statement.names]
                    yield _with(file, i, block, [*block.body[:at], *values, *block.body[at + 1 :]])


# -- expressions --------------------------------------------------------------------------------------
def _smaller(file: tree.File, types: Mapping[str, Type]) -> Iterator[tree.File]:
    yield from _variants(file)


def _variants(node: Any) -> Iterator[Any]:
    """A part of a tree with one expression in it simpler."""
    yield from _simpler(node)
    for field in fields(node):
        held = getattr(node, field.name)
        if field.name != "span" and isinstance(held, tree.Tree):
            yield from (replace(node, **{field.name: v}) for v in _variants(held))
        elif isinstance(held, tuple) and held and all(isinstance(part, tree.Tree) for part in held):
            for i, part in enumerate(held):
                for v in _variants(part):
                    yield replace(node, **{field.name: (*held[:i], v, *held[i + 1 :])})


def _simpler(node: Any) -> Iterator[Any]:
    if isinstance(node, tree.Call):
        for i, argument in enumerate(node.arguments):
            if argument.name is not None:
                yield replace(node, arguments=(*node.arguments[:i], *node.arguments[i + 1 :]))
    elif isinstance(node, tree.Pipe):
        for i in range(1, len(node.steps)):
            rest = (*node.steps[:i], *node.steps[i + 1 :])
            yield replace(node, steps=rest) if len(rest) > 1 else rest[0]
    elif isinstance(node, tree.Binary) and node.operator == "*" and isinstance(node.right, tree.Number):
        yield node.left
    elif isinstance(node, tree.Group):
        yield node.inner
    elif isinstance(node, tree.Number):
        low = (1, 2, node.value // 2, node.value - 1) if isinstance(node.value, int) else (1.0, 0.5, 2.0)
        yield from (replace(node, value=n) for n in dict.fromkeys(low) if 0 <= n < node.value)
    elif isinstance(node, tree.List) and len(node.items) > 1:
        yield from (
            replace(node, items=(*node.items[:i], *node.items[i + 1 :])) for i in range(len(node.items))
        )
