"""Slices chosen by a tensor of positions: index_select, which is also x[index]."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import AnyDim, Dim, Shape
from netc.ops.arrays import np
from netc.ops.attributes import axis_of
from netc.ops.code import Code
from netc.ops.contract import (
    DTYPES,
    OPERATORS,
    Array,
    Graph,
    Op,
    Operand,
    given,
    integers,
    register,
    sample,
)
from netc.ops.gather import require_index
from netc.ops.index_range import IndexRange, Known
from netc.ops.notation import expand, function, where


@register("index_select")
class IndexSelect(Op):
    """y[i, j, k] = x[i, index[j], k], here for axis 1: the slices of x along `axis` at the positions `index`.

    It is also written x[index] and x[:, index], where index is a tensor. Unlike torch.index_select it takes an
    index of any number of axes, which take the place of the one. Positions from -1 down count from the end;
    those outside the axis are refused at run time.
    Shape: x [a, n, b], index [m, ...] -> y [a, m, ..., b].
    Gradient: dx = the slices of g added up at the positions they were taken from.
    Source: torch.index_select, https://docs.pytorch.org/docs/stable/generated/torch.index_select.html
    """

    operands = ("x", "index")
    accepts = DTYPES
    analytic = True
    axis: int

    def shape(self, x: Shape, index: Shape) -> Shape:
        axis = axis_of(self.axis, len(x))
        return (*x[:axis], *index, *x[axis + 1 :])

    def dtype(self, x: str, index: str) -> str | tuple[str, ...]:
        require_index(index)
        return super().dtype(x)

    def forward(self, x: Array, index: Array) -> Array:
        return np.take(x, index, self.axis)

    def vjp(self, g: Array, y: Array, x: Array, index: Array) -> tuple[Array, None]:
        axis = axis_of(self.axis, len(x.shape))
        before, behind = x.shape[:axis], x.shape[axis + 1 :]
        count = prod(index.shape)
        from_start = where(index < 0, index + _size(x, axis), index)
        places = from_start.reshape((*(1 for _ in before), count, *(1 for _ in behind)))
        slices = g.reshape((*before, count, *behind))
        zeros = function("full_like", x, fill_value=0.0)
        return function("scatter_add", zeros, expand(places, slices.shape), slices, axis=axis), None

    def below(self, x: Shape, index: Shape) -> tuple[AnyDim | None, ...]:
        return None, x[self.axis]

    def index_range(self, known: Known, x: Shape, index: Shape) -> IndexRange | None:
        return known[0] if known[0] and known[0].each else None

    def flops(self, y: Shape, x: Shape, index: Shape) -> Any:
        return 0

    def torch(self, x: Operand, index: Operand) -> Code:
        whole = ":, " * axis_of(self.axis, len(x.shape))
        return Code((x, f"[{whole}", index, "]"))

    def onnx(self, graph: Graph, x: Operand, index: Operand) -> Any:
        return graph.node("Gather", x, index, axis=self.axis)

    samples = (
        sample((4, 3), integers((2,), 4), axis=0, flops=0),
        sample((2, 5), integers((7,), 5), axis=1),
        sample((2, 4, 5), integers((3,), 4), axis=-2),
        sample((2, 4, 5), integers((2, 3), 5), axis=2),
        sample((2, 4, 5), integers((3, 1), 2), axis=0),
        sample((5, 2), integers((), 5), axis=0),
        sample((5,), integers((3,), 5), axis=0),
        sample((2, 5), given(-1, 0, -5, 4, -1, dtype="int64"), axis=1),
        sample((1, 3), given(0, 0, dtype="int64"), axis=0),
        sample((3, 2), given((0, 0), (2, 0), dtype="int64"), axis=0),
        sample(integers((4, 3), 9), integers((2,), 4), axis=0),
        sample(integers((4, 3), 2, "bool"), integers((2,), 3), axis=1),
        sample((4, 3), integers((2,), 4), axis=2, rejects="axis"),
        sample((4, 3), integers((2,), 4), axis=-3, rejects="axis"),
        sample((4, 3), (2,), axis=0, rejects="index"),
        # torch takes int32, too
        sample((4, 3), integers((2,), 4, "int32"), axis=0, rejects="index", without=("torch",)),
    )


OPERATORS.enter("x[index]", IndexSelect)


def _size(x: Array, axis: int) -> Array:
    """How many positions there are along `axis`, as a whole number."""
    n = x.shape[axis]
    return function("positions", x, axis=axis).max(0) + 1 if isinstance(n, Dim) else n
