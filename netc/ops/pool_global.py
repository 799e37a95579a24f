"""Pooling of whole maps: global_avg_pool and global_max_pool."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from netc.dims import Shape
from netc.ops.arrays import np
from netc.ops.code import Code, Keyword, method
from netc.ops.contract import OPS, Array, Graph, Op, Operand, integers, register, sample
from netc.ops.window import require_map


class GlobalPooling(Op):
    """What the global pools share: `reduction` over all axes of the map."""

    keepdims: bool

    reduction: ClassVar[str]
    torch_name: ClassVar[str]
    onnx_name: ClassVar[str]

    def shape(self, x: Shape) -> Shape:
        require_map(self.name, x, 3, 4, 5)
        return (*x[:2], *(1 for _ in x[2:])) if self.keepdims else x[:2]

    def _axes(self, x: Shape) -> tuple[int, ...]:
        return tuple(range(2, len(x)))

    def forward(self, x: Array) -> Array:
        return getattr(x, self.reduction)(self._axes(x.shape), keepdims=self.keepdims)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array | None, ...]:
        over: dict[str, Any] = {"axis": self._axes(x.shape), "keepdims": self.keepdims}
        return OPS[self.reduction](**over).vjp(g, y, x)

    def flops(self, y: Shape, x: Shape) -> Any:
        return prod(x)

    def torch(self, x: Operand) -> Code:
        axes = self._axes(x.shape)
        text = str(axes) if len(axes) > 1 else str(axes[0])
        return method(x, self.torch_name, text, Keyword("keepdim", self.keepdims, False))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.reduce(self.onnx_name, x, self._axes(x.shape), self.keepdims)


@register("global_avg_pool")
class GlobalAvgPool(GlobalPooling):
    """y[n, c] = the mean of x[n, c] over its map: length, height and width, or depth, too.

    Shape: x [N, C, ...], a map of 1 to 3 axes -> y [N, C]; with keepdims, [N, C, 1, ...].
    Gradient: dx = g / the number of elements of a map.
    Source: Lin, Chen and Yan (2013), Network in network, arXiv:1312.4400.
    """

    keepdims: bool = False

    analytic = True
    reduction, torch_name, onnx_name = "mean", "mean", "ReduceMean"
    samples = (
        sample((2, 3, 4, 5), flops=120),
        sample((1, 2, 3, 1), keepdims=True),
        sample((2, 1, 1, 1)),
        sample((3, 2, 1, 4)),
        sample((2, 3, 5)),
        sample((2, 3, 5), keepdims=True),
        sample((1, 4, 1)),
        sample((2, 3, 2, 3, 4), flops=144),
        sample((2, 1, 3, 1, 2), keepdims=True),
        sample((1, 2, 1, 1, 1)),
        sample((2, 3), rejects="x", without=("torch",)),  # torch: the mean over whichever axes
        sample((2, 3, 1, 2, 2, 3), rejects="x", without=("torch",)),  # the same
        sample(integers((2, 3, 4), 9), rejects="x"),
    )


@register("global_max_pool")
class GlobalMaxPool(GlobalPooling):
    """y[n, c] = the largest of x[n, c] on its map: over length, height and width, or depth, too.

    Shape: x [N, C, ...], a map of 1 to 3 axes -> y [N, C]; with keepdims, [N, C, 1, ...].
    Gradient: dx = g at the largest element, shared where several are largest.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.amax.html
    """

    analytic = True

    keepdims: bool = False

    reduction, torch_name, onnx_name = "max", "amax", "ReduceMax"

    def branch(self, x: Array) -> Array:
        """The elements that are largest: which share, where they are several."""
        maps = x.reshape((*x.shape[:2], -1))
        return np.equal(maps, maps.max(2, keepdims=True))

    samples = (
        sample((2, 3, 4, 5), flops=120),
        sample((1, 2, 3, 1), keepdims=True),
        sample((2, 1, 1, 1)),
        sample((3, 2, 1, 4)),
        sample((2, 3, 5)),
        sample((2, 3, 5), keepdims=True),
        sample((1, 4, 1)),
        sample((2, 3, 2, 3, 4), flops=144),
        sample((2, 1, 3, 1, 2), keepdims=True),
        sample((1, 2, 1, 1, 1)),
        sample((2, 3), rejects="x", without=("torch",)),  # torch: the largest over whichever axes
        sample((2, 3, 1, 2, 2, 3), rejects="x", without=("torch",)),  # the same
        sample(integers((2, 3, 4), 9), rejects="x", without=("torch",)),  # torch takes whole numbers, too
    )
