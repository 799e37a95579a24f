"""What transposed convolution layers, the adjoints of convolutions, share."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import AnyDim, Shape, at_least, divides
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import Array, Graph, Init, Operand, Parameter, require
from netc.ops.correlate import spread, transposed_vjp
from netc.ops.window import (
    Window,
    WindowOp,
    alike,
    by,
    crop,
    known,
    require_float32,
    require_least,
    require_map,
)


class TransposedConvolution(WindowOp):
    """What ConvTranspose1d, ConvTranspose2d and ConvTranspose3d share."""

    out_channels: AnyDim
    groups: int
    bias: bool

    short = "conv_transpose"
    analytic = True

    def window(self) -> Window:
        padding = self.axes("padding")
        return Window(self.axes("kernel_size"), self.axes("stride"), self.axes("dilation"), padding, padding)

    def shape(self, x: Shape, *params: Shape) -> Shape:
        require_map(self.name, x, self.rank + 2)
        self._require_attributes(x[1])
        full = self._full(x[2:])
        sizes = tuple(n - 2 * p for n, p in zip(full, self.axes("padding"), strict=True))
        for n, p in zip(sizes, self.axes("padding"), strict=True):
            require(at_least(n, 1), "padding", f"padding {p} leaves nothing of the {by(full)} map made")
        return (x[0], self.out_channels, *sizes)

    def _require_attributes(self, channels: AnyDim) -> None:
        steps = {name: self.axes(name) for name in ("kernel_size", "stride", "dilation")}
        require_least(1, out_channels=(self.out_channels,), **steps, groups=(self.groups,))
        require_least(0, padding=self.axes("padding"), output_padding=self.axes("output_padding"))
        require(
            divides(self.groups, channels),
            "groups",
            f"the {channels} channels of x cannot be divided into {self.groups} groups",
        )
        require(
            divides(self.groups, self.out_channels),
            "groups",
            f"the {self.out_channels} output channels cannot be divided into {self.groups} groups",
        )
        for more, stride in zip(self.axes("output_padding"), self.axes("stride"), strict=True):
            require(
                more < stride,
                "output_padding",
                f"output_padding must be less than the stride, {stride}, not {more}",
            )

    def _full(self, sizes: Shape) -> Shape:
        """The sizes of the map before padding crops it."""
        window, more = self.window(), self.axes("output_padding")
        steps = zip(sizes, window.stride, window.extent, more, strict=True)
        return tuple((n - 1) * stride + extent + m for n, stride, extent, m in steps)

    def params(self, x: Shape, *params: Shape) -> dict[str, Parameter]:
        shape = (x[1], self.out_channels // self.groups, *self.axes("kernel_size"))
        start = Init("fan_in", prod(shape[1:]))
        bias = {"bias": Parameter((self.out_channels,), start)} if self.bias else {}
        return {"weight": Parameter(shape, start)} | bias

    def forward(self, x: Array, weight: Array, bias: Array = None) -> Array:
        full = self._full(x.shape[2:])
        y = spread(x, weight, self.window(), self.groups, full)
        padding = self.axes("padding")
        y = crop(y, padding, tuple(n - 2 * p for n, p in zip(full, padding, strict=True)))
        return y if bias is None else y + bias.reshape(-1, *(1,) * self.rank)

    def vjp(self, g: Array, y: Array, x: Array, weight: Array, bias: Array = None) -> tuple[Array, ...]:
        grads = transposed_vjp(g, x, weight, self.window(), self.groups)
        return (*grads, *((g.sum((0, *range(2, self.rank + 2))),) if self.bias else ()))

    def flops(self, y: Shape, x: Shape, *params: Shape) -> Any:
        return 2 * self.macs(y, x) + self.bias * prod(y)

    def macs(self, y: Shape, x: Shape, *params: Shape) -> Any:
        return prod(x) * (self.out_channels // self.groups) * prod(self.axes("kernel_size"))

    def torch(self, x: Operand, weight: Operand, *bias: Operand) -> Code:
        return call(
            f"F.conv_transpose{self.rank}d",
            x,
            weight,
            *bias,
            *self._steps(),
            Keyword("groups", self.groups, 1),
            Keyword("dilation", alike(self.axes("dilation")), 1),
        )

    def module(self, x: Shape, *params: Shape) -> Code:
        return call(
            f"nn.ConvTranspose{self.rank}d",
            Hole(x[1], "in_channels"),
            Hole(self.out_channels, "out_channels"),
            Hole(alike(self.axes("kernel_size")), "kernel_size"),
            *self._steps(),
            Keyword("groups", self.groups, 1),
            Keyword("bias", self.bias, True),
            Keyword("dilation", alike(self.axes("dilation")), 1),
        )

    def _steps(self) -> tuple[Keyword, ...]:
        defaults = {"stride": 1, "padding": 0, "output_padding": 0}
        return tuple(Keyword(name, alike(self.axes(name)), default) for name, default in defaults.items())

    def onnx(self, graph: Graph, x: Operand, weight: Operand, *bias: Operand) -> Any:
        require_float32("ConvTranspose", x)
        window = self.window()
        return graph.node(
            "ConvTranspose",
            x,
            weight,
            *bias,
            kernel_shape=known(weight.shape[2:]),
            strides=list(window.stride),
            dilations=list(window.dilation),
            pads=list(window.padding),
            output_padding=list(self.axes("output_padding")),
            group=self.groups,
        )
