"""Turns a net into its flat graph and the place of each node in the blocks of the spec."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from netc.ir.module import Net, Node, Path, Step, Value
from netc.ir.walk import needed
from netc.passes.inline import Flat, inline


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
    scopes = tuple(_scopes(needed(net.block.body, wanted), ()))
    if len(scopes) != len(flat.nodes):
        raise ValueError("the nodes are not laid out as the blocks are")
    return Located(flat, scopes)


def _scopes(steps: Sequence[Step], scope: Path) -> Iterator[Path]:
    """The instance of each node, in the order in which `inline` lays them out."""
    for step in steps:
        if isinstance(step, Node):
            yield scope
        else:
            yield from _scopes(needed(step.block.body, step.block.outputs), scope + step.path)
