"""Channels laid out as a finer map, and back: pixel_shuffle and pixel_unshuffle."""

from __future__ import annotations

from typing import Any

from netc.dims import AnyDim, Shape, divides
from netc.ops.code import Code, Hole, call
from netc.ops.contract import Array, Graph, Op, Operand, integers, register, require, sample
from netc.ops.notation import function
from netc.ops.window import require_least, require_map


@register("pixel_shuffle")
class PixelShuffle(Op):
    """y[n, c, h r + i, w r + j] = x[n, c r^2 + i r + j, h, w], where r is `upscale_factor`.

    After a convolution to C r^2 channels it is an upsampling that is learnt.
    Shape: x [N, C r^2, H, W] -> y [N, C, H r, W r].
    Gradient: dx = pixel_unshuffle(g).
    Source: Shi et al. (2016), arXiv:1609.05158;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelShuffle.html
    """

    aliases = ("PixelShuffle",)
    analytic = True
    upscale_factor: int

    def shape(self, x: Shape) -> Shape:
        require_map("pixel_shuffle", x, 4)
        require_least(1, upscale_factor=(self.upscale_factor,))
        r = self.upscale_factor
        require(
            divides(r * r, x[1]),
            "upscale_factor",
            f"the {x[1]} channels of x are not a multiple of {r} x {r}",
        )
        return (x[0], x[1] // (r * r), x[2] * r, x[3] * r)

    def forward(self, x: Array) -> Array:
        r = self.upscale_factor
        n, c, h, w = self.shape(x.shape)
        return _regrouped(x, (n, c, r, r, x.shape[2], x.shape[3]), (0, 1, 4, 2, 5, 3), (n, c, h, w))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (function("pixel_unshuffle", g, downscale_factor=self.upscale_factor),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        return call("F.pixel_shuffle", x, Hole(self.upscale_factor, "upscale_factor"))

    def module(self, x: Shape) -> Code:
        return call("nn.PixelShuffle", Hole(self.upscale_factor, "upscale_factor"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("DepthToSpace", x, blocksize=self.upscale_factor, mode="CRD")

    samples = (
        sample((2, 12, 2, 3), upscale_factor=2, flops=0),
        sample((1, 9, 2, 3), upscale_factor=3),
        sample((2, 4, 1, 5), upscale_factor=2),
        sample((1, 8, 3, 1), upscale_factor=2),
        sample((3, 16, 1, 2), upscale_factor=4),
        sample((2, 3, 4, 5), upscale_factor=1),
        sample((1, 1, 2, 3), upscale_factor=1),
        sample((2, 18, 1, 1), upscale_factor=3),
        sample((1, 20, 2, 3), upscale_factor=2),
        sample((5, 4, 2, 2), upscale_factor=2),
        sample((2, 6, 2, 3), upscale_factor=2, rejects="upscale_factor"),
        sample((2, 4, 2, 3), upscale_factor=0, rejects="upscale_factor"),
        sample((4, 2, 3), upscale_factor=2, rejects="x", without=("torch",)),  # torch means [C, H, W]
        sample(
            integers((2, 4, 2, 3), 5), upscale_factor=2, rejects="x", without=("torch",)
        ),  # torch takes any
    )


@register("pixel_unshuffle")
class PixelUnshuffle(Op):
    """y[n, c r^2 + i r + j, h, w] = x[n, c, h r + i, w r + j], where r is `downscale_factor`.

    Shape: x [N, C, H r, W r] -> y [N, C r^2, H, W].
    Gradient: dx = pixel_shuffle(g).
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelUnshuffle.html
    """

    aliases = ("PixelUnshuffle",)
    analytic = True
    downscale_factor: int

    def shape(self, x: Shape) -> Shape:
        require_map("pixel_unshuffle", x, 4)
        require_least(1, downscale_factor=(self.downscale_factor,))
        r = self.downscale_factor
        for n in x[2:]:
            require(divides(r, n), "downscale_factor", f"an axis of {n} is not a multiple of {r}")
        return (x[0], x[1] * (r * r), x[2] // r, x[3] // r)

    def _apart(self, shape: Shape) -> Shape:
        """The shape in which each map is r x r maps."""
        r = self.downscale_factor
        return (shape[0], shape[1], shape[2] // r, r, shape[3] // r, r)

    def forward(self, x: Array) -> Array:
        y: tuple[AnyDim, ...] = self.shape(x.shape)
        return _regrouped(x, self._apart(x.shape), (0, 1, 3, 5, 2, 4), y)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (function("pixel_shuffle", g, upscale_factor=self.downscale_factor),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        return call("F.pixel_unshuffle", x, Hole(self.downscale_factor, "downscale_factor"))

    def module(self, x: Shape) -> Code:
        return call("nn.PixelUnshuffle", Hole(self.downscale_factor, "downscale_factor"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        """SpaceToDepth would have the channels of a position together."""
        apart = graph.node("Reshape", x, graph.sizes(self._apart(x.shape)), allowzero=0)
        moved = graph.node("Transpose", apart, perm=[0, 1, 3, 5, 2, 4])
        return graph.node("Reshape", moved, graph.sizes(self.shape(x.shape)), allowzero=0)

    samples = (
        sample((2, 3, 4, 6), downscale_factor=2, flops=0),
        sample((1, 1, 6, 3), downscale_factor=3),
        sample((2, 1, 2, 10), downscale_factor=2),
        sample((1, 2, 6, 2), downscale_factor=2),
        sample((3, 1, 4, 8), downscale_factor=4),
        sample((2, 3, 4, 5), downscale_factor=1),
        sample((1, 1, 2, 3), downscale_factor=1),
        sample((2, 2, 3, 3), downscale_factor=3),
        sample((1, 5, 4, 6), downscale_factor=2),
        sample((5, 1, 4, 4), downscale_factor=2),
        sample((2, 3, 4, 5), downscale_factor=2, rejects="downscale_factor"),
        sample((2, 3, 4, 6), downscale_factor=-1, rejects="downscale_factor"),
        sample((3, 4, 6), downscale_factor=2, rejects="x", without=("torch",)),  # torch means [C, H, W]
        sample(
            integers((2, 3, 4, 6), 5), downscale_factor=2, rejects="x", without=("torch",)
        ),  # torch takes any
    )


def _regrouped(x: Array, apart: Shape, order: tuple[int, ...], together: Shape) -> Array:
    return x.reshape(apart).transpose(order).reshape(together)
