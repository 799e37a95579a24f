"""What convolution layers share: their windows, parameters and gradients, and their spelling."""

from __future__ import annotations

from math import prod
from typing import Any, Literal

from netc.dims import AnyDim, Shape, divides
from netc.ops.code import Argument, Code, Hole, Keyword, call
from netc.ops.contract import Array, Graph, Init, Operand, Parameter, require
from netc.ops.correlate import correlate, input_vjp, weight_vjp
from netc.ops.edges import extend, extend_vjp, onnx_extend, require_source
from netc.ops.window import (
    Window,
    WindowOp,
    alike,
    known,
    require_fit,
    require_float32,
    require_least,
    require_map,
)

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


class Convolution(WindowOp):
    """What Conv1d, Conv2d and Conv3d share."""

    out_channels: AnyDim
    padding: Any
    groups: int
    bias: bool
    padding_mode: PaddingMode

    short = "conv"
    analytic = True

    def window(self) -> Window:
        kernel, dilation, padding = self.axes("kernel_size"), self.axes("dilation"), self.axes("padding")
        if padding == "valid":
            padding = (0,) * self.rank
        begin = end = padding
        if padding == "same":
            total = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
            begin = tuple(n // 2 for n in total)
            end = tuple(n - n // 2 for n in total)
        return Window(kernel, self.axes("stride"), dilation, begin, end)

    def shape(self, x: Shape, *params: Shape) -> Shape:
        require_map(self.name, x, self.rank + 2)
        self._require_attributes(x[1])
        window = self.window()
        require_source(self.padding_mode, window, x[2:])
        require_fit(window, x[2:])
        return (x[0], self.out_channels, *window.positions(x[2:]))

    def _require_attributes(self, channels: AnyDim) -> None:
        steps = {name: self.axes(name) for name in ("kernel_size", "stride", "dilation")}
        require_least(1, out_channels=(self.out_channels,), **steps, groups=(self.groups,))
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
        padding = self.axes("padding")
        if padding == "same":
            require(set(self.axes("stride")) == {1}, "padding", 'padding "same" needs stride 1')
        elif padding != "valid":
            require_least(0, padding=padding)

    def params(self, x: Shape, *params: Shape) -> dict[str, Parameter]:
        shape = (self.out_channels, x[1] // self.groups, *self.axes("kernel_size"))
        start = Init("fan_in", prod(shape[1:]))
        bias = {"bias": Parameter((self.out_channels,), start)} if self.bias else {}
        return {"weight": Parameter(shape, start)} | bias

    def forward(self, x: Array, weight: Array, bias: Array = None) -> Array:
        window = self.window()
        y = correlate(extend(x, window, self.padding_mode), weight, window.unpadded(), self.groups)
        if bias is not None:
            y = y + bias.reshape(-1, *(1,) * self.rank)
        return y

    def vjp(self, g: Array, y: Array, x: Array, weight: Array, bias: Array = None) -> tuple[Array, ...]:
        window, sizes = self.window(), x.shape[2:]
        padded = extend(x, window, self.padding_mode)
        dx = input_vjp(g, weight, window, self.groups, window.padded(sizes))
        d_weight = weight_vjp(g, padded, window, self.groups)
        d_bias = (g.sum((0, *range(2, self.rank + 2))),) if self.bias else ()
        return (extend_vjp(dx, window, self.padding_mode, sizes), d_weight, *d_bias)

    def flops(self, y: Shape, x: Shape, *params: Shape) -> Any:
        return 2 * self.macs(y, x) + self.bias * prod(y)

    def macs(self, y: Shape, x: Shape, *params: Shape) -> Any:
        return prod(y) * (x[1] // self.groups) * prod(self.axes("kernel_size"))

    def torch(self, x: Operand, weight: Operand, *bias: Operand) -> Code:
        operand: Argument = x
        window, padding = self.window(), self.padding
        if self.padding_mode != "zeros":
            ends = zip(reversed(window.begin), reversed(window.end), strict=True)
            widths = tuple(n for pair in ends for n in pair)
            operand = call("F.pad", x, Hole(widths, "padding"), Keyword("mode", self.padding_mode))
            padding = 0
        return call(
            f"F.conv{self.rank}d",
            operand,
            weight,
            *bias,
            *self._steps(padding),
            Keyword("groups", self.groups, 1),
        )

    def module(self, x: Shape, *params: Shape) -> Code:
        return call(
            f"nn.Conv{self.rank}d",
            Hole(x[1], "in_channels"),
            Hole(self.out_channels, "out_channels"),
            Hole(alike(self.axes("kernel_size")), "kernel_size"),
            *self._steps(self.padding),
            Keyword("groups", self.groups, 1),
            Keyword("bias", self.bias, True),
            Keyword("padding_mode", self.padding_mode, "zeros"),
        )

    def _steps(self, padding: Any) -> tuple[Keyword, ...]:
        padding = alike(padding) if isinstance(padding, tuple) else padding
        return (
            Keyword("stride", alike(self.axes("stride")), 1),
            Keyword("padding", padding, 0),
            Keyword("dilation", alike(self.axes("dilation")), 1),
        )

    def onnx(self, graph: Graph, x: Operand, weight: Operand, *bias: Operand) -> Any:
        require_float32("Conv", x)
        window, operand = self.window(), x
        if self.padding_mode != "zeros":
            operand = onnx_extend(graph, x, window, self.padding_mode)
            window = window.unpadded()
        return graph.node(
            "Conv",
            operand,
            weight,
            *bias,
            kernel_shape=known(weight.shape[2:]),
            strides=list(window.stride),
            dilations=list(window.dilation),
            pads=list(window.padding),
            group=self.groups,
        )
