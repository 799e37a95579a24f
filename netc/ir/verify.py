"""Checks that IR is well formed: what every pass must leave true of what it makes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netc.budget import spend
from netc.dims import AnyDim, Facts, Prover, Shape, proving, same, show, substitute
from netc.ir.module import Block, Call, Constant, Net, Node, Param, Path, Step, Value, blocks, operands
from netc.ir.walk import needed

VERIFY = 10  # the work of a node


class Malformed(AssertionError):
    """A pass made IR that breaks a rule: a bug of netc, not of a spec."""


def verify_net(net: Net) -> None:
    """Raises Malformed unless every block is sound in each of its instances.

    Values are defined before they are used; each node's outputs have the types that its op's rule gives;
    each call passes what the block takes; each parameter is owned by one instance.
    """
    extra = (*net.targets, *net.losses.values(), *net.metrics.values())
    seen: set[tuple[int, tuple[tuple[str, AnyDim], ...]]] = set()

    def visit(body: Sequence[Step], given: Mapping[str, AnyDim], facts: Facts) -> None:
        key = (id(body), tuple(given.items()))
        if key in seen:
            return
        seen.add(key)
        spend(VERIFY * len(body))
        with proving(Prover(given, facts)):
            _types(body)
        for step in body:
            if isinstance(step, Call):
                visit(step.block.body, {k: substitute(d, given) for k, d in step.sizes.items()}, facts)

    for block in blocks(net.block):
        _definitions(block, extra if block is net.block else ())
        _owners(block)
    inference = needed(net.block.body, net.block.outputs)
    visit(inference, {}, net.facts)
    beside = set(net.block.body).difference(inference)
    visit(tuple(step for step in net.block.body if step in beside), {}, net.training_facts)


def verify_nodes(
    inputs: Sequence[Value], nodes: Sequence[Node], outputs: Sequence[Value], facts: Facts
) -> None:
    """The same for a flat graph."""
    _order(nodes, {*inputs}, outputs)
    with proving(Prover({}, facts)):
        _types(nodes)


def _definitions(block: Block, extra: Sequence[Value]) -> None:
    made = {v for s in block.body for v in s.outputs}
    given = {*block.inputs, *(v for v in extra if v not in made)}
    _order(block.body, given, (*block.outputs, *extra))
    owned = {p.path for p in block.params}
    for step in block.body:
        if isinstance(step, Node):
            for param in step.params:
                if param.path not in owned:
                    raise Malformed(f"{block.name} reads {'.'.join(param.path)}, which it does not own")


def _order(body: Sequence[Step], given: set[Value], outputs: Sequence[Value]) -> None:
    known = set(given)
    for step in body:
        for value in operands(step):
            if value not in known and not isinstance(value, Param | Constant):
                raise Malformed(f"a value is used before it is made: {value.hint}")
        for value in step.outputs:
            if value in known:
                raise Malformed(f"a value is made twice: {value.hint}")
            known.add(value)
    for value in outputs:
        if value not in known and not isinstance(value, Param | Constant):
            raise Malformed(f"an output is never made: {value.hint}")


def _types(body: Sequence[Step]) -> None:
    for step in body:
        if isinstance(step, Node):
            _node(step)
        else:
            _call(step)


def _node(node: Node) -> None:
    shapes = [v.type.shape for v in node.inputs]
    made = node.op.shape(*shapes)
    several = made if isinstance(made, list) else [made]
    if len(several) != len(node.outputs):
        raise Malformed(f"{node.op.name} has {len(node.outputs)} outputs, not {len(several)}")
    dtypes = node.op.dtypes(len(several), *(v.type.dtype for v in node.inputs))
    for value, shape, dtype in zip(node.outputs, several, dtypes, strict=True):
        if value.type.dtype != dtype:
            raise Malformed(f"{node.op.name} makes {dtype}, not {value.type.dtype}")
        _alike(value.type.shape, shape, node.op.name)
    wanted = node.op.params(*shapes)
    if not node.given and [p.path[-1] for p in node.params] != list(wanted):
        raise Malformed(f"{node.op.name} lacks parameters")
    for param, (name, parameter) in zip(node.given or node.params, wanted.items(), strict=True):
        _alike(param.type.shape, parameter.shape, node.op.name, name)


def _call(call: Call) -> None:
    for inner, outer in zip(call.block.inputs, call.inputs, strict=True):
        if inner.type.dtype != outer.type.dtype:
            raise Malformed(f"{call.block.name} is given {outer.type.dtype}")
        _alike(tuple(substitute(d, call.sizes) for d in inner.type.shape), outer.type.shape, call.block.name)
    for inner, outer in zip(call.block.outputs, call.outputs, strict=True):
        _alike(tuple(substitute(d, call.sizes) for d in inner.type.shape), outer.type.shape, call.block.name)


def _alike(a: Shape, b: Shape, *names: str) -> None:
    if a == b:  # which asks no prover
        return
    if len(a) != len(b) or not all(same(p, q) for p, q in zip(a, b, strict=True)):
        raise Malformed(f"{'.'.join(names)}: {show(a)} is not {show(b)}")


def _owners(block: Block) -> None:
    leaves: set[Path] = {p.path for p in block.params}
    calls = {s.path for s in block.body if isinstance(s, Call)}
    for path in leaves | calls:
        for i in range(1, len(path)):
            if path[:i] in calls or path[:i] in leaves:
                raise Malformed(f"{'.'.join(path)} is within another instance")
