"""Turns a graph and one point into the values near it: what one operand moved along a direction changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.interpret import bound, computed
from netc.ir.module import Node, Value
from netc.passes.inline import in_float64
from netc.passes.locate import Located

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Moved:
    """The outputs there, and the place of a node that has left its smooth piece, if one has."""

    outputs: tuple[Array, ...]
    kink: str | None

    @property
    def number(self) -> Any:
        """The first output, which is a scalar."""
        return self.outputs[0][()]


class Point:
    """A graph without free sizes, computed at one point; all its values are held."""

    def __init__(self, located: Located, given: Mapping[str, Array], weights: Mapping[str, Array]) -> None:
        self.located = located
        self.nodes: tuple[Node, ...] = tuple(
            node if (op := in_float64(node.op)) is node.op else replace(node, op=op)
            for node in located.flat.nodes
        )
        self.values: dict[Value, Array] = bound(located.flat, given, weights)
        self.branches: list[Array | None] = []
        for node in self.nodes:
            operands = [self.values[v] for v in node.operands]
            self.values.update(zip(node.outputs, _outputs(node, operands), strict=True))
            self.branches.append(node.op.branch(*operands))

    @property
    def outputs(self) -> tuple[Array, ...]:
        return tuple(self.values[v] for v in self.located.flat.outputs)

    def after(self, value: Value) -> tuple[int, ...]:
        """The nodes that depend on `value`, in order; not by what stops gradients, whose output stays."""
        changed, found = {value}, []
        for i, node in enumerate(self.nodes):
            if not node.op.held and any(v in changed for v in node.operands):
                changed.update(node.outputs)
                found.append(i)
        return tuple(found)

    def move(self, value: Value, to: Array, after: tuple[int, ...], watch: bool) -> Moved:
        """The outputs where `value` is `to`; watch: whether to look for nodes that leave their piece."""
        values: dict[Value, Array] = {value: to}
        kink: str | None = None
        for i in after:
            node = self.nodes[i]
            operands = [values[v] if v in values else self.values[v] for v in node.operands]
            if watch and kink is None and self._left(i, operands):
                kink = self.located.place(i)
            values.update(zip(node.outputs, _outputs(node, operands), strict=True))
        outputs = self.located.flat.outputs
        return Moved(tuple(values[v] if v in values else self.values[v] for v in outputs), kink)

    def _left(self, index: int, operands: list[Array]) -> bool:
        """Whether node `index` is on another smooth piece than at the point."""
        return not same_piece(self.branches[index], self.nodes[index].op.branch(*operands))


def same_piece(a: Array | None, b: Array | None) -> bool:
    """Whether two points, by their branches, lie on one smooth piece of an op."""
    return a is None or b is None or np.array_equal(a, b)


def takes_complex(node: Node) -> bool:
    """Whether a complex step goes through `node`: what has no gradient goes by the real parts."""
    return node.op.analytic or not node.op.differentiable


def _outputs(node: Node, operands: list[Array]) -> tuple[Array, ...]:
    if not node.op.differentiable:
        operands = [np.real(x) for x in operands]
    with np.errstate(all="ignore"):
        return computed(node, operands)
