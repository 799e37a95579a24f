"""Turns a net into its flat graph, the attributes of ops in the net's sizes, and the place of each node."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from netc.dims import AnyDim, Dim, substitute
from netc.ir.module import Net, Node, Path, Step, Value
from netc.ir.walk import needed
from netc.ops.contract import Op
from netc.passes.inline import Flat, inline

T = TypeVar("T", bound=Op)


@dataclass(frozen=True)
class Located:
    """A flat graph, and for each node the path of the instance that it stands in (its own excluded)."""

    flat: Flat
    scopes: tuple[Path, ...]

    def place(self, index: int) -> str:
        """What messages call a node: its path, or its op within the instance that holds it."""
        node = self.flat.nodes[index]
        return ".".join(node.path if node.path is not None else (*self.scopes[index], node.op.name))


def locate(net: Net, outputs: Sequence[Value] | None = None) -> Located:
    """The flat graph of `net` for `outputs` (its own unless told otherwise)."""
    flat = inline(net, outputs)
    wanted = net.block.outputs if outputs is None else outputs
    walked = tuple(_walk(needed(net.block.body, wanted), (), {}))
    nodes = tuple(replace(node, op=op) for node, (op, _) in zip(flat.nodes, walked, strict=True))
    return Located(replace(flat, nodes=nodes), tuple(scope for _, scope in walked))


def _walk(steps: Sequence[Step], scope: Path, sizes: Mapping[str, AnyDim]) -> Iterator[tuple[Op, Path]]:
    """The ops in the order in which `inline` lays them out."""
    for step in steps:
        if isinstance(step, Node):
            yield resized(step.op, sizes), scope
        else:
            inner = {name: substitute(dim, sizes) for name, dim in step.sizes.items()}
            yield from _walk(needed(step.block.body, step.block.outputs), scope + step.path, inner)


def resized(op: T, sizes: Mapping[str, AnyDim]) -> T:
    """`op` with the sizes among its attributes replaced by their values."""
    if not sizes:
        return op
    given = {field.name: getattr(op, field.name) for field in fields(op)}
    changed = {name: _in(value, sizes) for name, value in given.items() if _has_size(value)}
    return replace(op, **changed) if changed else op


def _has_size(value: Any) -> bool:
    return isinstance(value, Dim) or (isinstance(value, tuple) and any(map(_has_size, value)))


def _in(value: Any, sizes: Mapping[str, AnyDim]) -> Any:
    if isinstance(value, tuple):
        return tuple(_in(v, sizes) for v in value)
    return substitute(value, sizes) if isinstance(value, Dim) else value
