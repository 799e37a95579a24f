"""Turns a graph and a point into how far rounding may move its outputs, so that a check can allow that and no more.

Every operand and every output of every node is off by up to UNIT of itself, at random and independently, for some runs:
what its outputs move by is what rounding may do to them, cancellation within sums and between nodes included, as it
happens at this point. UNIT is 64 times the rounding of float64: a node that sums many elements rounds many times.
Where a node would leave its smooth piece, its operands stay as they are.
Source: Parker, Monte Carlo Arithmetic (1997).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.interpret import Arrays, bound, computed, interpret
from netc.ir.module import Node, Value
from netc.passes.inline import Flat, in_float64

Array: TypeAlias = npt.NDArray[Any]
UNIT = 64 * float(np.finfo(np.float64).epsneg)
RUNS = 3


def off(array: Array, rng: np.random.Generator) -> Array:
    """`array` where each float is off by up to UNIT of itself; of a complex number both parts by the same share."""
    if array.dtype.kind not in "fc":
        return array
    return np.asarray(array * (1 + UNIT * rng.uniform(-1.0, 1.0, array.shape)))


def same_piece(a: Array | None, b: Array | None) -> bool:
    """Whether two points, by their branches, lie on one smooth piece of an op."""
    return a is None or b is None or np.array_equal(a, b)


def rounding(flat: Flat, inputs: Mapping[str, Array], weights: Mapping[str, Array]) -> Arrays:
    """For each output of `flat`, which has no free sizes, how far each of its elements moves at most."""
    most: list[Array] = []
    for seed in range(RUNS):
        run = _Run(flat, bound(flat, inputs, weights), np.random.default_rng([seed, 4]))
        exact = interpret(flat, inputs, weights, run.watch)
        moved = [np.abs(run.values[v] - y) for v, y in zip(flat.outputs, exact, strict=True)]
        most = [np.fmax(a, b) for a, b in zip(most or moved, moved, strict=True)]
    return tuple(most)


class _Run:
    """The values of a graph where everything is a little off, computed beside the exact ones."""

    def __init__(self, flat: Flat, values: dict[Value, Array], rng: np.random.Generator) -> None:
        self.flat, self.values, self.rng = flat, values, rng
        self.last = {v: i for i, node in enumerate(flat.nodes) for v in node.operands}
        self.last |= dict.fromkeys(flat.outputs, len(flat.nodes))

    def watch(self, index: int, operands: Sequence[Array], outputs: Sequence[Array]) -> None:
        """Follows one node of `interpret`."""
        node = self.flat.nodes[index]
        near = nearby(node, [self.values[v] for v in node.operands], node.op.branch(*operands), self.rng)
        made = computed(_wide(node), operands if near is None else near)
        for value, exact, y in zip(node.outputs, outputs, made, strict=True):
            held = exact.dtype.kind != "f" or not np.isfinite(y).all()
            self.values[value] = exact if held else off(y, self.rng)
        for value in (*node.operands, *node.outputs):
            if self.last.get(value, index) <= index:
                self.values.pop(value, None)


def nearby(
    node: Node, operands: Sequence[Array], branch: Array | None, rng: np.random.Generator
) -> list[Array] | None:
    """`operands`, each a little off; None where the node is then on another piece than `branch`."""
    near = [off(x, rng) for x in operands]
    if branch is None:
        return near
    return near if same_piece(branch, node.op.branch(*map(np.real, near))) else None


def _wide(node: Node) -> Node:
    return replace(node, op=in_float64(node.op))
