"""Turns a net's blocks into one flat list of nodes, with whole paths and shapes in the net's free sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from netc.dims import AnyDim, Dim, substitute
from netc.ir.module import Block, Call, Net, Node, Param, Path, Step, Type, Value
from netc.ir.verify import verify_nodes
from netc.ir.walk import needed
from netc.ops.contract import Op


@dataclass(frozen=True)
class Flat:
    """A net without blocks. params: by whole path, those that `nodes` read, in the order of first use."""

    inputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]
    params: Mapping[Path, Param]


def inline(net: Net, outputs: Sequence[Value] | None = None) -> Flat:
    """The flat graph of `net` for `outputs` (its own outputs unless told otherwise).

    `outputs` are values of net.block.body, such as losses; what they do not need is left out.
    """
    wanted = tuple(outputs if outputs is not None else net.block.outputs)
    frame = _Frame((), {}, {}, {}, [])
    steps = needed(net.block.body, wanted)
    frame.run(steps)
    inputs = (*net.block.inputs, *net.targets)
    facts = net.facts if outputs is None else net.training_facts
    flat = Flat(inputs, tuple(frame.nodes), tuple(frame.value(v) for v in wanted), frame.params)
    verify_nodes(inputs, flat.nodes, flat.outputs, facts)
    return flat


@dataclass(frozen=True)
class _Frame:
    """An instance being inlined: its path, its sizes, and the flat value for each of its values."""

    prefix: Path
    sizes: Mapping[str, AnyDim]
    values: dict[Value, Value]
    params: dict[Path, Param]
    nodes: list[Node]

    def value(self, value: Value) -> Value:
        if isinstance(value, Param):
            return self.param(value)
        return self.values.get(value, value)

    def param(self, param: Param) -> Param:
        path = self.prefix + param.path
        if path not in self.params:
            self.params[path] = replace(param, path=path, type=self.type(param.type), owned=True)
        return self.params[path]

    def type(self, type_: Type) -> Type:
        if not self.sizes:
            return type_
        return Type(type_.dtype, tuple(substitute(d, self.sizes) for d in type_.shape))

    def run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            if isinstance(step, Node):
                self.node(step)
            else:
                self.call(step)

    def node(self, node: Node) -> None:
        outputs = tuple(Value(v.hint, self.type(v.type)) for v in node.outputs)
        self.values.update(zip(node.outputs, outputs, strict=True))
        path = self.prefix + node.path if node.path is not None else None
        inputs = tuple(self.value(v) for v in node.inputs)
        params = tuple(self.param(p) for p in node.params)
        op = with_sizes(node.op, self.sizes) if self.sizes else node.op
        self.nodes.append(Node(op, inputs, params, outputs, path, node.span))

    def call(self, call: Call) -> None:
        block: Block = call.block
        sizes = {name: substitute(dim, self.sizes) for name, dim in call.sizes.items()}
        given = {inner: self.value(outer) for inner, outer in zip(block.inputs, call.inputs, strict=True)}
        frame = _Frame(self.prefix + call.path, sizes, given, self.params, self.nodes)
        frame.run(needed(block.body, block.outputs))
        for inner, outer in zip(block.outputs, call.outputs, strict=True):
            self.values[outer] = frame.value(inner)


def in_float64(op: Op) -> Op:
    """`op` where what it would make float32, as a cast does, is float64 like all else."""
    narrow = [field.name for field in fields(op) if getattr(op, field.name) == "float32"]
    return replace(op, **dict.fromkeys(narrow, "float64")) if narrow else op


def with_sizes(op: Op, sizes: Mapping[str, AnyDim]) -> Op:
    """`op` with the named sizes in its attributes replaced by their values."""
    changed = {}
    for field in fields(op):
        held = getattr(op, field.name)
        if (made := _with_sizes(held, sizes)) is not held:
            changed[field.name] = made
    return replace(op, **changed) if changed else op


def _with_sizes(held: Any, sizes: Mapping[str, AnyDim]) -> Any:
    if isinstance(held, Dim):
        return substitute(held, sizes)
    if isinstance(held, tuple):
        made = tuple(_with_sizes(part, sizes) for part in held)
        return held if all(a is b for a, b in zip(made, held, strict=True)) else made
    return held
