"""Counts parameters and multiply-adds of a net, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from netc.dims import AnyDim, Shape, substitute
from netc.ir.module import Call, Net, Node, Param, Path, Step
from netc.passes.inline import inline


@dataclass(frozen=True)
class Row:
    """One layer of the table: its path, the op, the output's shape, parameters, multiply-adds and flops."""

    path: Path
    layer: str
    shape: Shape
    params: AnyDim
    macs: AnyDim
    flops: AnyDim


@dataclass(frozen=True)
class Cost:
    """The table of a net. params: trainable numbers, all heads included; macs and flops: of the outputs.

    beside: the layers with parameters that the outputs do not need: what only a loss reads, or nothing.
    """

    rows: tuple[Row, ...]
    beside: tuple[Row, ...]
    params: AnyDim
    macs: AnyDim
    flops: AnyDim


def cost(net: Net) -> Cost:
    """The layers of `net` in order with what each costs; a layer used twice has its parameters counted once."""
    counted: set[Path] = set()
    rows = [_row(node, counted) for node in inline(net).nodes]
    every = [value for step in net.block.body for value in step.outputs]
    beside = [row for node in inline(net, every).nodes if (row := _row(node, counted)).params != 0]
    total = count_parameters(net.block.params, net.block.body, {})
    macs: AnyDim = 0
    flops: AnyDim = 0
    for row in rows:
        macs, flops = macs + row.macs, flops + row.flops
    return Cost(tuple(rows), tuple(beside), total, macs, flops)


def _row(node: Node, counted: set[Path]) -> Row:
    """A node's row; its parameters count unless they are among those `counted`, which it enters."""
    fresh = [p for p in node.params if p.path not in counted and p.trainable]
    counted.update(p.path for p in fresh)
    shapes = [v.type.shape for v in (*node.inputs, *node.params)]
    macs, flops = (count(node.made, *shapes) for count in (node.op.macs, node.op.flops))
    params = count_parameters(fresh, (), {})
    return Row(node.path or (), node.op.name, node.outputs[0].type.shape, params, macs, flops)


def count_parameters(
    own: Iterable[Param], body: Sequence[Step], given: Mapping[str, AnyDim], buffers: bool = False
) -> AnyDim:
    """The trainable numbers of a block's instance whose sizes are `given`; with `buffers`, those, too."""
    total: AnyDim = 0
    for param in own:
        if param.owned and (param.trainable or buffers):
            total = total + _numel(tuple(substitute(d, given) for d in param.type.shape))
    seen: set[Path] = set()
    for step in body:
        if isinstance(step, Call) and step.path not in seen:
            seen.add(step.path)
            sizes = {k: substitute(d, given) for k, d in step.sizes.items()}
            total = total + count_parameters(step.block.params, step.block.body, sizes, buffers)
    return total


def _numel(shape: Shape) -> AnyDim:
    total: AnyDim = 1
    for dim in shape:
        total = total * dim
    return total
