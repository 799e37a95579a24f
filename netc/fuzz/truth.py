"""Turns a flat graph into its values in float64, and into how far rounding can move them.

What an op may be off by, of itself (its floor, in units in the last place of float32): nothing where it only
moves values; 4 where it computes, as onnxruntime's tanh is off by 4.5 and its softplus by 3.6; and the square
root of the operations an element takes, as the rounding of a sum grows. It is relative to the element where
each has its own operand, else to the largest of the output, as sums cancel. An op of more than two operations
an element may be off as much as if each of its operands were rounded once more, and by one unit in the last
place of its largest output: differences cancel within it, as in gelu far below 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.interpret import bound, free_sizes, interpret, widen
from netc.deploy.deviation import relative_error
from netc.fuzz.held import require_sound
from netc.ir.module import Value
from netc.ops.contract import Op
from netc.passes.inline import Flat, with_sizes

Array: TypeAlias = npt.NDArray[Any]
ULP = 2.0**-23
ROUNDING = 4.0
FEW = 2  # operations of an element of which nothing cancels
RUNS = (
    (0.0, 1.0),
    (1.0, 1.0),
    (-1.0, 1.0),
    (0.0, 4.0),
)  # by how much an op is off: a part of its floor, and a random one


@dataclass(frozen=True)
class Truth:
    """The outputs of a graph, and for each how far it moves when every op is off by its floor."""

    values: tuple[Array, ...]
    spreads: tuple[float, ...]

    @property
    def spread(self) -> float:
        """The largest."""
        return max(self.spreads, default=0.0)


@dataclass(frozen=True)
class _Floor:
    """What an output may be off by; gathers: relative to its largest element; rounds: as if its operands were."""

    size: float = 0.0
    gathers: bool = False
    rounds: bool = False


def truth(flat: Flat, inputs: Mapping[str, Array], weights: Mapping[str, Array], seed: int = 0) -> Truth:
    """The values as `interpret` gives them, and their spreads."""
    floors: list[list[_Floor]] = []
    odd: set[Value] = (
        set()
    )  # what was computed from NaN or infinity: there kernels differ, and none is at fault
    start = bound(flat, inputs, weights)
    sizes = free_sizes([v for v in flat.inputs if v in start], inputs)

    def watch(index: int, operands: Sequence[Array], outputs: Sequence[Array]) -> None:
        node = flat.nodes[index]
        if any(v in odd for v in node.operands) or not all(np.isfinite(x).all() for x in operands):
            odd.update(node.outputs)
        op, given = with_sizes(node.op, sizes), operands[: len(node.inputs)]
        require_sound(op, given)
        floors.append([_floor(op, given, y) for y in outputs])

    with np.errstate(all="ignore"):
        values = interpret(flat, inputs, weights, watch)
        rng = np.random.default_rng(seed)
        moved = [_jittered(flat, start, sizes, floors, way, rng) for way in RUNS]
    spreads = (max(relative_error(y, m[i]) for m in moved) for i, y in enumerate(values))
    pairs = zip(flat.outputs, spreads, strict=True)
    return Truth(values, tuple(inf if value in odd else spread for value, spread in pairs))


def _floor(op: Op, operands: Sequence[Array], y: Array) -> _Floor:
    if y.dtype.kind != "f" or not y.size:
        return _Floor()
    shapes = [x.shape for x in operands]
    made: Any = op.shape(*shapes)
    flops = int(op.flops(made, *shapes))
    if flops == 0:
        return _Floor()
    gathers = any(x.size > y.size for x in operands) or flops > 16 * y.size
    return _Floor(ULP * (ROUNDING + sqrt(flops / y.size)), gathers, gathers or flops > FEW * y.size)


def _jittered(
    flat: Flat,
    start: Mapping[Value, Array],
    sizes: Mapping[str, int],
    floors: Sequence[Sequence[_Floor]],
    way: tuple[float, float],
    rng: np.random.Generator,
) -> tuple[Array, ...]:
    """The outputs where each element that an op computes is off by up to its floor."""
    values = dict(start)
    for node, floor in zip(flat.nodes, floors, strict=True):
        operands = [values[v] for v in node.operands]
        if any(f.rounds for f in floor):
            operands = [_moved(x, ULP, False, way, rng) for x in operands]
        made = with_sizes(node.op, sizes).forward(*operands)
        several = made if isinstance(made, tuple | list) else (made,)
        for value, y, f in zip(node.outputs, several, floor, strict=True):
            made = _moved(widen(y), f.size, f.gathers, way, rng)
            values[value] = _moved(made, ULP, True, way, rng) if f.rounds else made
    return tuple(values[v] for v in flat.outputs)


def _moved(y: Array, size: float, gathers: bool, way: tuple[float, float], rng: np.random.Generator) -> Array:
    if not size or y.dtype.kind != "f":
        return y
    scale = np.abs(y[np.isfinite(y)]).max(initial=0.0) if gathers else np.abs(y)
    return np.asarray(y + size * (way[0] + way[1] * rng.uniform(-1.0, 1.0, y.shape)) * scale)
