"""Turns a flat graph into its values in float64, and into how far rounding can move them.

What an op may be off by, of itself (its floor, in units in the last place of float32): nothing where it only
moves values; 4 where it computes, as onnxruntime's tanh is off by 4.5 and its softplus by 3.6; and the square
root of the operations an element takes, as the rounding of a sum grows. An element's floor is relative to
itself where each output has its own input, else to the largest of the output, as sums cancel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.interpret import bound, free_sizes, interpret, widen
from netc.deploy.deviation import relative_error
from netc.fuzz.fit import shares
from netc.ir.module import Node
from netc.passes.inline import Flat, with_sizes

Array: TypeAlias = npt.NDArray[Any]
ULP = 2.0**-23
ROUNDING = 4.0
RUNS = 2


@dataclass(frozen=True)
class Truth:
    """The outputs of a graph, and for each how far it moves when every op is off by its floor."""

    values: tuple[Array, ...]
    spreads: tuple[float, ...]

    @property
    def spread(self) -> float:
        """The largest."""
        return max(self.spreads, default=0.0)


def truth(flat: Flat, inputs: Mapping[str, Array], weights: Mapping[str, Array], seed: int = 0) -> Truth:
    """The values as `interpret` gives them, and their spreads."""
    floors: list[list[tuple[float, bool]]] = []

    def watch(index: int, operands: Sequence[Array], outputs: Sequence[Array]) -> None:
        _require_shares(flat.nodes[index], operands)
        floors.append([_floor(flat.nodes[index], operands, y) for y in outputs])

    with np.errstate(all="ignore"):
        values = interpret(flat, inputs, weights, watch)
        rng = np.random.default_rng(seed)
        moved = [_jittered(flat, inputs, weights, floors, rng) for _ in range(RUNS)]
    return Truth(values, tuple(max(relative_error(y, m[i]) for m in moved) for i, y in enumerate(values)))


def _require_shares(node: Node, operands: Sequence[Array]) -> None:
    """Refuses a program that hands an op numbers where it takes probabilities: torch raises, numpy gives NaN."""
    for slot, x in enumerate(operands[: len(node.inputs)]):
        if x.dtype.kind == "f" and shares(type(node.op), slot) and not ((x >= 0) & (x <= 1)).all():
            raise IndexError(f"operand {slot} of {node.op.name} is not within 0 to 1")


def _floor(node: Node, operands: Sequence[Array], y: Array) -> tuple[float, bool]:
    """The floor of an output, and whether it is relative to the largest element."""
    if y.dtype.kind != "f" or not y.size:
        return 0.0, False
    shapes = [x.shape for x in operands[: len(node.inputs)]]
    flops = _flops(node, shapes)
    if flops == 0:
        return 0.0, False
    gathers = any(x.size > y.size for x in operands) or flops > 16 * y.size
    return ULP * (ROUNDING + sqrt(flops / y.size)), gathers


def _flops(node: Node, shapes: Sequence[tuple[int, ...]]) -> int:
    """The operations of a node at the sizes that it has."""
    sizes: dict[str, int] = {}
    for value, shape in zip(node.inputs, shapes, strict=True):
        for dim, n in zip(value.type.shape, shape, strict=True):
            if not isinstance(dim, int) and str(dim).isidentifier():
                sizes[str(dim)] = n
    op = with_sizes(node.op, sizes)
    y: Any = op.shape(*shapes)
    return int(op.flops(y, *shapes))


def _jittered(
    flat: Flat,
    inputs: Mapping[str, Array],
    weights: Mapping[str, Array],
    floors: Sequence[Sequence[tuple[float, bool]]],
    rng: np.random.Generator,
) -> tuple[Array, ...]:
    """The outputs where each element that an op computes is off by up to its floor."""
    values = bound(flat, inputs, weights)
    sizes = free_sizes([v for v in flat.inputs if v in values], inputs)
    for node, floor in zip(flat.nodes, floors, strict=True):
        made = with_sizes(node.op, sizes).forward(*(values[v] for v in node.operands))
        several = made if isinstance(made, tuple | list) else (made,)
        for value, y, (size, gathers) in zip(node.outputs, several, floor, strict=True):
            values[value] = _moved(widen(y), size, gathers, rng)
    return tuple(values[v] for v in flat.outputs)


def _moved(y: Array, size: float, gathers: bool, rng: np.random.Generator) -> Array:
    if not size:
        return y
    scale = np.abs(y[np.isfinite(y)]).max(initial=0.0) if gathers else np.abs(y)
    return y + size * rng.uniform(-1.0, 1.0, y.shape) * scale
