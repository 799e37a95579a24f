"""Counts parameters and multiply-adds of a net, layer by layer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from netc.budget import spend
from netc.dims import AnyDim, Shape, substitute
from netc.ir.module import Call, Net, Node, Param, Path, Step, Value
from netc.ir.walk import needed
from netc.passes.initial import state
from netc.passes.inline import inline


@dataclass(frozen=True)
class Row:
    """A line of the table: a layer's path, op, output shape, parameters, multiply-adds and flops.

    Or that of a raw parameter or a buffer, whose layer is `param` or `buffer` and whose shape is its own; or of
    a whole block.
    """

    path: Path
    layer: str
    shape: Shape
    params: AnyDim
    macs: AnyDim
    flops: AnyDim


@dataclass(frozen=True)
class Cost:
    """The table of a net. params: trainable numbers, all heads included; macs and flops: of the outputs.

    beside: what has parameters that the outputs do not need: what only a loss reads, or nothing.
    """

    rows: tuple[Row, ...]
    beside: tuple[Row, ...]
    params: AnyDim
    macs: AnyDim
    flops: AnyDim


def cost(net: Net, depth: int | None = None) -> Cost:
    """The layers of `net` in order with what each costs; a layer used twice has its parameters counted once.

    depth: so many levels of blocks are opened, and those below are a row each; all unless it is given.
    """
    counted: set[Path] = set()
    rows = _table(net, net.block.outputs, counted, depth)
    every = [value for step in net.block.body for value in step.outputs]
    beside = [row for row in _table(net, every, counted, depth) if row.params != 0 or row.layer == "buffer"]
    unread = (param for param in state(net).values() if param.path not in counted)
    beside += map(_raw, unread)
    total = count_parameters(net.block.params, net.block.body, {})
    _, macs, flops = _sums(rows)
    return Cost(tuple(rows), tuple(beside), total, macs, flops)


def _table(net: Net, outputs: Sequence[Value], counted: set[Path], depth: int | None) -> list[Row]:
    """The rows of what `outputs` need; parameters that are `counted` count no more."""
    nodes = (_rows(node, counted) for node in inline(net, outputs).nodes)
    return list(_folded(needed(net.block.body, outputs), nodes, (), {}, depth))


def _rows(node: Node, counted: set[Path]) -> list[Row]:
    """The rows of the raw parameters and buffers that a node is the first to read, and its own; `counted` gains them."""
    raw = {v.path: v for v in node.inputs if isinstance(v, Param) and v.path not in counted}
    counted.update(raw)
    return [*map(_raw, raw.values()), _row(node, counted)]


def _folded(
    steps: Sequence[Step],
    nodes: Iterator[list[Row]],
    prefix: Path,
    sizes: Mapping[str, AnyDim],
    depth: int | None,
) -> Iterator[Row]:
    """The rows of `steps`, whose inlined nodes have the rows that `nodes` gives in turn."""
    for step in steps:
        if isinstance(step, Node):
            yield from next(nodes)
            continue
        body, path = needed(step.block.body, step.block.outputs), prefix + step.path
        inner = {name: substitute(dim, sizes) for name, dim in step.sizes.items()}
        rows = _folded(body, nodes, path, inner, depth - 1 if depth else depth)
        if depth == 0:
            shape = tuple(substitute(d, sizes) for d in step.outputs[0].type.shape)
            yield Row(path, step.block.name, shape, *_sums(rows))
        else:
            yield from rows


def _sums(rows: Iterable[Row]) -> tuple[AnyDim, AnyDim, AnyDim]:
    """Parameters, multiply-adds and flops of all."""
    params: AnyDim = 0
    macs: AnyDim = 0
    flops: AnyDim = 0
    for row in rows:
        params, macs, flops = params + row.params, macs + row.macs, flops + row.flops
    return params, macs, flops


def _raw(param: Param) -> Row:
    """The row of a parameter or a buffer by itself; what is not trained counts no parameters."""
    shape = param.type.shape
    if not param.trainable:
        return Row(param.path, "buffer", shape, 0, 0, 0)
    return Row(param.path, "param", shape, _numel(shape), 0, 0)


def _row(node: Node, counted: set[Path]) -> Row:
    """A node's row; its parameters count unless they are among those `counted`, which it enters."""
    fresh = [p for p in node.params if p.path not in counted and p.trainable]
    counted.update(p.path for p in node.params)
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
    spend(len(body))
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
