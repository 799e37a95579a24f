"""Groups blocks of equal structure into classes, and finds the constructor arguments that tell them apart."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netc.backends.torch_source.draft import (
    Child,
    Given,
    Line,
    Module,
    constructor,
    expression,
    tree_of,
    value_for,
)
from netc.backends.torch_source.literal import literal
from netc.dims import Dim, Prover, Shape, ceil_divide, proving, show, substitute
from netc.ir.module import Block, Call, Node, Param, Path, Value, blocks
from netc.ops.code import Code, Keyword


@dataclass(frozen=True)
class Member:
    """One kind of instance of a class: the block, and what its sizes are."""

    block: Block
    given: Given


@dataclass
class Argument:
    """A constructor argument and its value for each member."""

    name: str
    column: tuple[Any, ...]
    parameter: bool


@dataclass(eq=False)
class Class:
    """One emitted class: members of equal structure, the first of which shows it."""

    name: str
    members: list[Member] = field(default_factory=list)
    arguments: list[Argument] = field(default_factory=list)

    @property
    def block(self) -> Block:
        return self.members[0].block


@dataclass
class Classes:
    """All classes of a net, callees first, and the class of each block."""

    order: list[Class]
    of: dict[Block, Class]
    members: dict[tuple[Block, Any], int]
    drafts: dict[Block, Draft]


@dataclass(frozen=True, eq=False)
class Draft:
    """What a block's class says: its children, its raw parameters and the lines of its body, in order."""

    children: Mapping[str, Module]
    raws: tuple[Param, ...]
    lines: Mapping[Any, Line]
    index: Mapping[Value, int]


def classes_of(net_block: Block, kept: Collection[Value] = (), minimums: Mapping[str, int] | None = None) -> Classes:
    """The classes for a net's block and every block that it calls.

    kept: values that its losses read. minimums: the least value of each free size.
    """
    minimums = minimums or {}
    members = _members(net_block)
    out = Classes([], {}, {}, {})
    signatures: dict[Any, Class] = {}
    for block in blocks(net_block):
        with proving(Prover(members[block][0], minimums)):  # an op may ask about a size to spell itself
            out.drafts[block] = draft(block, kept)
        signature = _signature(block, out, members[block])
        if signature not in signatures:
            signatures[signature] = Class(block.name)
            out.order.append(signatures[signature])
        made = out.of[block] = signatures[signature]
        for given in members[block]:
            out.members[block, key(given)] = len(made.members)
            made.members.append(Member(block, given))
    _name(out)
    return out


def key(given: Given) -> Any:
    return tuple(given.items())


def _members(net_block: Block) -> dict[Block, list[Given]]:
    """Each block with the distinct sizes that its instances have, in the net's free sizes."""
    found: dict[Block, list[Given]] = {}
    seen: set[Any] = set()

    def visit(block: Block, given: Given) -> None:
        if (block, key(given)) in seen:
            return
        seen.add((block, key(given)))
        found.setdefault(block, []).append(given)
        for step in block.body:
            if isinstance(step, Call):
                visit(step.block, called(step, given))

    visit(net_block, {})
    return found


def called(step: Call, given: Given) -> Given:
    """The sizes of a called block in one instance of its caller."""
    return {name: substitute(dim, given) for name, dim in step.sizes.items()}


def draft(block: Block, kept: Collection[Value] = ()) -> Draft:
    """The parts of a block's class; values are numbered in order, parameters of the block's own by path."""
    index: dict[Value, int] = {}
    for value in block.inputs:
        index[value] = len(index)
    lines: dict[Any, Line] = {}
    for step in block.body:
        for value in (*step.inputs, *(step.params if isinstance(step, Node) else ())):
            if value not in index:
                index[value] = len(index)
        if isinstance(step, Node) and (constructor(step) is None):
            lines[step] = Line(step.outputs, expression(step, index), step.inputs)
        for value in step.outputs:
            index[value] = len(index)
    for value in block.outputs:
        index.setdefault(value, len(index))
    raws = tuple(p for p in block.params if len(p.path) == 1)
    return Draft(tree_of(block, kept), raws, lines, index)


# -- structure ----------------------------------------------------------------------------------------


def _signature(block: Block, classes: Classes, givens: Sequence[Given]) -> Any:
    """What two blocks must share to be one class: everything but the values in holes."""
    made = classes.drafts[block]
    lines = []
    for step in block.body:
        code = made.lines[step].code if isinstance(step, Node) and step in made.lines else None
        lines.append((
            step.path, tuple(made.index[v] for v in step.inputs), tuple((made.index[v], v.hint) for v in step.outputs),
            _masked(code, givens) if code is not None else None,
        ))
    raws = tuple((p.path, p.init.kind, len(p.type.shape)) for p in made.raws)
    return (block.name, block.doc, tuple(block.parameters), tuple(v.hint for v in block.inputs),
            tuple(_modules(made.children, classes, givens)), raws, tuple(lines),
            tuple(made.index[v] for v in block.outputs))


def _modules(children: Mapping[str, Module], classes: Classes, givens: Sequence[Given]) -> Iterator[Any]:
    for name, module in children.items():
        if module.call is not None:
            yield name, id(classes.of[module.call.block])
        elif module.code is not None:
            yield name, _masked(module.code, givens)
        else:
            yield name, module.sequential, tuple(_modules(module.children, classes, givens))


def _masked(code: Code, givens: Sequence[Given]) -> Any:
    out: list[Any] = []
    for piece in code.pieces:
        if isinstance(piece, str):
            out.append(piece)
        else:
            name = piece.name if isinstance(piece, Keyword) else ""
            out.append((name, _dynamic(piece.value, givens)))
    return tuple(out)


def _dynamic(held: Any, givens: Sequence[Given]) -> Any:
    """The text of what is known only at run time; how many parts a tuple has."""
    if isinstance(held, tuple):
        return tuple(_dynamic(part, givens) for part in held)
    if isinstance(held, Dim) and any(isinstance(value_for(held, g), Dim) for g in givens):
        return str(held)
    return None


# -- arguments ----------------------------------------------------------------------------------------


def column(classes: Classes, made: Class, position: Callable[[Block], Any]) -> tuple[Any, ...]:
    """The values of one hole over the members of a class; `position` finds the hole in a block's draft."""
    return tuple(_resolve(classes, position(m.block), m) for m in made.members)


def _resolve(classes: Classes, held: Any, member: Member) -> Any:
    if isinstance(held, Child):
        callee = classes.of[held.call.block]
        which = classes.members[held.call.block, key(called(held.call, member.given))]
        return callee.arguments[held.argument].column[which]
    return value_for(held, member.given)


def explain(made: Class, values: tuple[Any, ...], name: str, owner: str, create: bool = True) -> str | None:
    """The text for a hole: a literal, an argument, a multiple of one, or a new argument."""
    first = values[0]
    if all(_alike(v, first) for v in values):
        return literal(first)
    if isinstance(first, tuple) and all(isinstance(v, tuple) and len(v) == len(first) for v in values):
        parts = [explain(made, tuple(v[i] for v in values), f"{name}{i}", owner, create) for i in range(len(first))]
        if all(p is not None for p in parts):
            return f"({', '.join(str(p) for p in parts)}{',' if len(parts) == 1 else ''})"
        return None
    if any(isinstance(v, Dim | tuple) for v in values):
        texts = {literal(v) for v in values}
        return texts.pop() if len(texts) == 1 else None
    return _by_argument(made, values) or (_new(made, values, name, owner) if create else None)


def _alike(a: Any, b: Any) -> bool:
    return type(a) is type(b) and a == b


def _same(a: Sequence[Any], b: Sequence[Any]) -> bool:
    return all(map(_alike, a, b))


def _by_argument(made: Class, values: tuple[Any, ...]) -> str | None:
    for argument in made.arguments:
        if _same(argument.column, values):
            return argument.name
    for name in made.block.parameters:
        if _same(parameter_column(made, name), values):
            return _enter(made, name, values, True).name
    whole = all(type(v) is int for v in values)
    for name, held in _numbers(made) if whole else ():
        for text, fits in _relations(name, held, values):
            if fits:
                if not any(a.name == name for a in made.arguments):
                    _enter(made, name, held, True)
                return text
    return None


def parameter_column(made: Class, name: str) -> tuple[Any, ...]:
    return tuple(m.block.parameters[name] for m in made.members)


def _numbers(made: Class) -> Iterator[tuple[str, tuple[int, ...]]]:
    known = {a.name: a.column for a in made.arguments}
    for name in made.block.parameters:
        known.setdefault(name, parameter_column(made, name))
    for name, held in known.items():
        if all(type(v) is int for v in held) and len(set(held)) > 1:
            yield name, held


def _relations(name: str, held: Sequence[int], values: Sequence[int]) -> Iterator[tuple[str, bool]]:
    factor = values[0] // held[0] if held[0] else 0
    yield f"{factor} * {name}", factor > 1 and all(v == factor * h for v, h in zip(values, held, strict=True))
    more = values[0] - held[0]
    yield f"{name} {'+' if more > 0 else '-'} {abs(more)}", more != 0 and all(
        v == h + more for v, h in zip(values, held, strict=True))
    for part in range(2, 9):
        yield f"{name} // {part}", all(v == h // part for v, h in zip(values, held, strict=True))


def _new(made: Class, values: tuple[Any, ...], name: str, owner: str) -> str:
    taken = {a.name for a in made.arguments} | set(made.block.parameters)
    if name in taken:
        name = f"{owner}_{name}" if owner.isidentifier() else f"{name}_2"
    base, n = name, 2
    while name in taken:
        name, n = f"{base}_{n}", n + 1
    return _enter(made, name, values, False).name


def _enter(made: Class, name: str, values: tuple[Any, ...], parameter: bool) -> Argument:
    argument = Argument(name, values, parameter)
    order = list(made.block.parameters)
    position = len(made.arguments)
    if not parameter:
        position = sum(not a.parameter for a in made.arguments)
    else:
        while position and made.arguments[position - 1].parameter and \
                order.index(made.arguments[position - 1].name) > order.index(name):
            position -= 1
    made.arguments.insert(position, argument)
    return argument


def shape_text(made: Class, position: Callable[[Block], Shape]) -> str:
    """The shape of a value for a comment: numbers, arguments and the names of sizes."""
    parts = []
    shapes = [position(m.block) for m in made.members]
    for axis, dim in enumerate(shapes[0]):
        values = tuple(substitute(shape[axis], m.given) for shape, m in zip(shapes, made.members, strict=True))
        texts = {str(shape[axis]) for shape in shapes}
        if all(_alike(v, values[0]) for v in values) and isinstance(values[0], int):
            parts.append(str(values[0]))
        elif (name := next((a.name for a in made.arguments if _same(a.column, values)), None)) is not None:
            parts.append(name)
        elif len(texts) == 1:
            parts.append(str(dim))
        else:
            parts.append(_related(made, values) or _divided(made, values) or "_")
    return show(tuple(parts))  # type: ignore[arg-type]


def _related(made: Class, values: tuple[Any, ...]) -> str | None:
    if not all(type(v) is int for v in values):
        return None
    for argument in made.arguments:
        if all(type(v) is int for v in argument.column):
            for text, fits in _relations(argument.name, argument.column, values):
                if fits:
                    return text.replace(" * ", "*").replace(" // ", "//")
    return None


def _divided(made: Class, values: tuple[Any, ...]) -> str | None:
    """A size over an argument, such as a stride that differs between members: H//stride."""
    for name in made.block.sizes:
        held = [m.given.get(name) for m in made.members]
        for argument in made.arguments:
            if any(type(k) is not int or k < 1 for k in argument.column):
                continue
            if all(v == h // k for v, h, k in zip(values, held, argument.column, strict=True)):
                return f"{name}//{argument.name}"
            if all(v == ceil_divide(h, k) for v, h, k in zip(values, held, argument.column, strict=True)):
                return f"ceil({name}/{argument.name})"
    return None


# -- names --------------------------------------------------------------------------------------------


def _name(classes: Classes) -> None:
    """Each class its own name: the plainest of a block's variants keeps the block's, others say what they add."""
    taken: set[str] = set()
    by_name: dict[str, list[Class]] = {}
    for made in classes.order:
        by_name.setdefault(made.block.name, []).append(made)
    for name, variants in by_name.items():
        plain = min(variants, key=lambda c: len(_paths(c)))
        taken.add(name)
        for made in variants:
            if made is plain:
                continue
            camel = _addition(classes, plain, made)
            candidate, n = name + camel, 2
            while candidate in taken:
                candidate, n = f"{name}{camel}{n}", n + 1
            taken.add(candidate)
            made.name = candidate


def _addition(classes: Classes, plain: Class, made: Class) -> str:
    """What a variant has and the plain one lacks: a child, else a function."""
    held = {p[0] for p in _paths(plain)}
    extra = next((p[0] for p in _paths(made) if p[0] not in held and not p[0][-1].isdigit()), "")
    functions = {type(s.op) for s in plain.block.body if isinstance(s, Node)}
    function = next((s.op.name for s in made.block.body if isinstance(s, Node) and s.path is None and type(s.op) not in functions), "")
    return "".join(part.capitalize() for part in (extra or function).replace("-", "_").split("_"))


def _paths(made: Class) -> list[Path]:
    return [s.path for s in made.block.body if s.path is not None and constructor(s) is not None]
