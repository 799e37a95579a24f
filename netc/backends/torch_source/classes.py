"""Groups blocks of equal structure into classes; what differs in their instances is left to arguments."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from netc.backends.torch_source.constant_names import key_of, same_key
from netc.backends.torch_source.draft import Draft, Given, Module, draft, value_for
from netc.backends.torch_source.starts import said
from netc.dims import AnyDim, Dim, Facts, Prover, proving, substitute
from netc.ir.module import Block, Call, Param, Value, blocks
from netc.ops.code import Code, Keyword


@dataclass(frozen=True)
class Member:
    """One kind of instance of a class: the block, and what its sizes are."""

    block: Block
    given: Given


@dataclass
class Argument:
    """A constructor argument and its value for each member.

    parameter: the block's parameter that it is. size: the block's size that it is.
    """

    name: str
    column: tuple[Any, ...]
    parameter: str | None = None
    size: str | None = None


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
    """All classes of a net, callees first, the class of each block, and the names of all."""

    order: list[Class]
    of: dict[Block, Class]
    members: dict[tuple[Block, Any], int]
    drafts: dict[Block, Draft]
    names: set[str] = field(default_factory=set)

    def argument_of(self, call: Call, number: int, member: Member) -> Any:
        """The value of an argument of a called block's class, where `member` calls it."""
        which = self.members[call.block, key(called(call, member.given))]
        return self.of[call.block].arguments[number].column[which]


def classes_of(net_block: Block, kept: Collection[Value] = (), facts: Facts | None = None) -> Classes:
    """The classes for a net's block and every block that it calls.

    kept: values that its losses read. facts: what is known of free sizes.
    """
    members = _members(net_block)
    out = Classes([], {}, {}, {})
    signatures: dict[Any, Class] = {}
    for block in blocks(net_block):
        with proving(Prover(members[block][0], facts or {})):  # an op may ask about a size to spell itself
            out.drafts[block] = draft(block, kept if block is net_block else ())
        signature = _signature(block, out, members[block], block is net_block)
        if signature not in signatures:
            signatures[signature] = Class(block.name)
            out.order.append(signatures[signature])
        made = out.of[block] = signatures[signature]
        for given in members[block]:
            out.members[block, key(given)] = len(made.members)
            made.members.append(Member(block, given))
    return out


def key(given: Given) -> Any:
    return tuple(given.items())


def called(step: Call, given: Given) -> dict[str, AnyDim]:
    """The sizes of a called block in one instance of its caller."""
    return {name: substitute(dim, given) for name, dim in step.sizes.items()}


def _members(net_block: Block) -> dict[Block, list[Given]]:
    """Each block with the distinct sizes that its instances have, in the net's free sizes."""
    found: dict[Block, list[Given]] = {net_block: [{}]}
    seen: set[Any] = {(net_block, key({}))}
    left: list[tuple[Block, Given]] = [(net_block, {})]
    while left:
        block, given = left.pop()
        for step in block.body:
            if isinstance(step, Call):
                inner = called(step, given)
                if (step.block, key(inner)) not in seen:
                    seen.add((step.block, key(inner)))
                    found.setdefault(step.block, []).append(inner)
                    left.append((step.block, inner))
    return found


def _signature(block: Block, classes: Classes, givens: Sequence[Given], top: bool) -> Any:
    """What two blocks must share to be one class: everything but the values in holes."""
    made = classes.drafts[block]
    lines = []
    for step in block.body:
        code = made.lines.get(step)
        lines.append((
            step.path, tuple(made.index[v] for v in step.inputs),
            tuple((made.index[v], v.hint) for v in step.outputs),
            _masked(code, givens) if code is not None else None,
        ))  # fmt: skip
    raws = tuple(
        (name, p.trainable, p.init.kind, key_of(p), p.type.dtype, len(p.type.shape))
        for name, p in made.raws.items()
    )
    read = tuple((i, v.path) for v, i in made.index.items() if isinstance(v, Param))
    constants = tuple((made.index[v], name, same_key(v)) for v, name in made.constants.items())
    return (
        top, said(block), block.name, block.doc, tuple(block.parameters), tuple(v.hint for v in block.inputs),
        tuple(_modules(made.children, classes, givens)), raws, read, constants, tuple(lines),
        tuple(made.index[v] for v in block.outputs),
    )  # fmt: skip


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
