"""Running sums: cumsum."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import Shape
from netc.ops.arrays import np
from netc.ops.attributes import axis_of
from netc.ops.code import Code, Keyword, method
from netc.ops.contract import DTYPES, FLOATS, Array, Graph, Op, Operand, given, integers, register, sample
from netc.ops.notation import function
from netc.ops.reduce import wide, wide_node


@register("cumsum")
class Cumsum(Op):
    """y_i = x_0 + ... + x_i along `axis`.

    Whole numbers and bools are summed as int64, as in torch.
    Shape: x [..., n, ...] -> y of the same shape.
    Gradient: dx_i = g_i + ... + g_(n-1), the running sum from the other end.
    Source: torch.cumsum, https://docs.pytorch.org/docs/stable/generated/torch.cumsum.html
    """

    accepts = DTYPES
    analytic = True
    axis: int

    def shape(self, x: Shape) -> Shape:
        axis_of(self.axis, len(x))
        return x

    def dtype(self, x: str) -> str:
        return x if x in FLOATS else "int64"

    def forward(self, x: Array) -> Array:
        return np.cumsum(x, self.axis, dtype=wide(x))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        backwards = function("flip", g, axis=(self.axis,))
        return (function("flip", function("cumsum", backwards, axis=self.axis), axis=(self.axis,)),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return prod(x)

    def torch(self, x: Operand) -> Code:
        return method(x, "cumsum", Keyword("dim", self.axis))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("CumSum", wide_node(graph, x), graph.constant(self.axis, "int64"))

    samples = (
        sample((2, 5), axis=1, flops=10),
        sample((4, 3), axis=0),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=-1),
        sample((2, 3, 4), axis=-3),
        sample((6,), axis=0),
        sample((1,), axis=-1),
        sample((1, 4), axis=0),
        sample((2, 3, 2, 3), axis=2),
        sample(integers((2, 3), 9), axis=1),
        sample(given(2147483647, 1, dtype="int32"), axis=0),
        sample(integers((2, 3), 2, "bool"), axis=1),
        sample((2, 3), axis=2, rejects="axis"),
        sample((), axis=0, rejects="axis", without=("torch",)),  # torch takes a scalar for a vector of one
    )
