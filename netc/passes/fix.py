"""Turns a flat graph with free sizes into the same graph at given sizes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netc.dims import substitute
from netc.ir.module import Node, Param, Type, Value
from netc.passes.inline import with_sizes
from netc.passes.locate import Located


def fix(located: Located, sizes: Mapping[str, int]) -> Located:
    """`located` where each size in `sizes` is the number it stands for; its values are new ones."""
    made: dict[Value, Value] = {}

    def of(value: Value) -> Value:
        if value not in made:
            shape = tuple(substitute(d, sizes) for d in value.type.shape)
            made[value] = (
                value if shape == value.type.shape else _retyped(value, Type(value.type.dtype, shape))
            )
        return made[value]

    def node(old: Node) -> Node:
        inputs, outputs, given = (tuple(map(of, vs)) for vs in (old.inputs, old.outputs, old.given))
        op = with_sizes(old.op, sizes)
        return replace(old, op=op, inputs=inputs, outputs=outputs, given=given)

    flat = located.flat
    inputs, outputs = tuple(map(of, flat.inputs)), tuple(map(of, flat.outputs))
    nodes = tuple(map(node, flat.nodes))
    return Located(replace(flat, inputs=inputs, nodes=nodes, outputs=outputs), located.scopes)


def _retyped(value: Value, type_: Type) -> Value:
    if isinstance(value, Param):
        raise ValueError(f"the shape of {value.hint} depends on a free size")
    return Value(value.hint, type_)
