"""A size as a number among values: extent, with which a rule divides by how many elements there are."""

from __future__ import annotations

from typing import Any

from netc.dims import AnyDim, Shape, at_least
from netc.ops.arrays import np
from netc.ops.code import Code, Hole, method
from netc.ops.contract import Array, Graph, Op, Operand, given, integers, register, require, sample
from netc.ops.function import cast_node


@register("extent")
class Extent(Op):
    """y = `size`, as a scalar in the dtype of x.

    Of x only the dtype counts. It brings a size that is known at run time alone, such as the batch, into
    arithmetic: the mean over a batch of N, written as a sum, is divided by extent(x, N).
    Shape: x [...], any -> y [], a scalar.
    Gradient: none.
    Source: torch.Tensor.new_tensor, https://docs.pytorch.org/docs/stable/generated/torch.Tensor.new_tensor.html
    """

    differentiable = False
    size: AnyDim

    def shape(self, x: Shape) -> Shape:
        require(at_least(self.size, 1), "size", f"size must be at least 1, not {self.size}")
        return ()

    def forward(self, x: Array) -> Array:
        return np.asarray(self.size, x.dtype)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        return method(x, "new_tensor", Hole(self.size, "size"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if isinstance(self.size, int):
            return graph.constant(float(self.size), x.dtype)
        vector = cast_node(graph, graph.sizes((self.size,)), x.dtype)
        return graph.node("Squeeze", vector, graph.constant([0], "int64"))

    samples = (
        sample((2, 3), size=3, flops=0),
        sample((2, 3), size=2),
        sample((5,), size=5),
        sample((), size=1),
        sample((), size=7),
        sample((1, 4), size=4),
        sample((3, 1, 2), size=12),
        sample((2, 2), size=1000000),
        sample(given(-1.5, 0.0), size=2),
        sample(given(1.0, dtype="float64"), size=9),
        sample((2, 3), size=0, rejects="size", without=("torch",)),  # torch has any number
        sample((2, 3), size=-2, rejects="size", without=("torch",)),  # the same
        sample(integers((2, 3), 5), size=3, rejects="x", without=("torch",)),  # the same
    )
