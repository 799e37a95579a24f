"""Convolution layers: Conv1d and Conv2d."""

from __future__ import annotations

from math import prod
from typing import Any, Literal

from netc.dims import AnyDim, Shape, divides
from netc.ops.code import Argument, Code, Hole, Keyword, call
from netc.ops.contract import (
    Array,
    Graph,
    Init,
    Op,
    Operand,
    Parameter,
    register,
    require,
    sample,
)
from netc.ops.correlate import correlate, input_vjp, weight_vjp
from netc.ops.edges import extend, extend_vjp, onnx_extend, require_source
from netc.ops.window import Window, alike, require_fit, require_float32, require_least, require_map

PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


class Convolution(Op):
    """What Conv1d and Conv2d share; `axes` are the sizes of an attribute, one an axis."""

    out_channels: AnyDim
    padding: Any
    groups: int
    bias: bool
    padding_mode: PaddingMode

    short = "conv"

    def axes(self, attribute: str) -> Any:
        """The attribute as a tuple with one value an axis, or as the word that it is."""
        given = getattr(self, attribute)
        return given if isinstance(given, tuple | str) else (given,)

    @property
    def rank(self) -> int:
        return int(self.name[-2])

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
            y += bias.reshape(-1, *(1,) * self.rank)
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
            kernel_shape=list(weight.shape[2:]),
            strides=list(window.stride),
            dilations=list(window.dilation),
            pads=list(window.padding),
            group=self.groups,
        )


@register("Conv1d")
class Conv1d(Convolution):
    """y[m, p] = b[m] + sum over c, k of w[m, c, k] x[c, p stride + k dilation - padding].

    dx is the transposed convolution of g by w; dw[m, c, k] = sum over p of g[m, p] times the x that
    w[m, c, k] meets; db = sum g.
    Weight and bias start uniform within 1/sqrt(in_channels / groups * kernel_size).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv1d.html
    """

    out_channels: AnyDim
    kernel_size: int
    stride: int = 1
    padding: int | Literal["same", "valid"] = 0
    dilation: int = 1
    groups: int = 1
    bias: bool = True
    padding_mode: PaddingMode = "zeros"

    samples = (
        sample((2, 3, 7), out_channels=4, kernel_size=3, flops=760, macs=360),
        sample((2, 4, 9), out_channels=6, kernel_size=3, stride=2, padding=2, groups=2, bias=False),
        sample((1, 2, 8), out_channels=3, kernel_size=4, padding="same", dilation=1),
        sample((1, 2, 8), out_channels=3, kernel_size=2, padding="valid", dilation=3),
        sample((2, 2, 5), out_channels=2, kernel_size=3, padding=2, padding_mode="circular"),
        sample((2, 2, 5), out_channels=2, kernel_size=3, stride=2, padding=2, padding_mode="reflect"),
        sample((3, 2), out_channels=2, kernel_size=1, rejects="x"),
        sample((1, 2, 4), out_channels=2, kernel_size=3, dilation=2, rejects="kernel_size"),
        sample(
            (1, 2, 4), out_channels=2, kernel_size=3, padding=4, padding_mode="reflect", rejects="padding"
        ),
        sample(
            (1, 2, 4), out_channels=2, kernel_size=3, padding=5, padding_mode="circular", rejects="padding"
        ),
    )


@register("Conv2d")
class Conv2d(Convolution):
    """y[m, p, q] = b[m] + sum over c, i, j of w[m, c, i, j] x[c, p s + i d - padding, q s + j d - padding].

    dx is the transposed convolution of g by w; dw[m, c, i, j] = sum over p, q of g[m, p, q] times the x that
    w[m, c, i, j] meets; db = sum g. Channels of a group see only the input channels of that group.
    Padding "same" puts the odd element on the right and at the bottom.
    Weight and bias start uniform within 1/sqrt(in_channels / groups * kernel height * kernel width).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html
    """

    out_channels: AnyDim
    kernel_size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] | Literal["same", "valid"] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    bias: bool = True
    padding_mode: PaddingMode = "zeros"

    samples = (
        sample((2, 3, 5, 7), out_channels=4, kernel_size=(3, 3), flops=6600, macs=3240),
        sample(
            (1, 4, 7, 6),
            out_channels=6,
            kernel_size=(3, 2),
            stride=(2, 1),
            padding=(1, 0),
            dilation=(1, 2),
            groups=2,
            bias=False,
            macs=1152,
        ),
        sample((2, 3, 6, 5), out_channels=6, kernel_size=(3, 3), stride=(2, 2), padding=(1, 1), groups=3),
        sample(
            (2, 5, 3, 4), out_channels=2, kernel_size=(1, 1), stride=(2, 2), bias=False, flops=160, macs=80
        ),
        sample((1, 2, 5, 6), out_channels=3, kernel_size=(4, 3), padding="same"),
        sample((1, 2, 5, 6), out_channels=3, kernel_size=(2, 3), padding="same", dilation=(3, 2)),
        sample((1, 2, 5, 6), out_channels=3, kernel_size=(2, 5), padding="valid", stride=(1, 3)),
        sample(
            (2, 2, 5, 4),
            out_channels=2,
            kernel_size=(3, 2),
            stride=(2, 1),
            padding=(1, 2),
            padding_mode="reflect",
        ),
        sample((2, 2, 5, 4), out_channels=2, kernel_size=(2, 4), padding="same", padding_mode="replicate"),
        sample((2, 2, 3, 4), out_channels=2, kernel_size=(3, 3), padding=(2, 1), padding_mode="circular"),
        sample((3, 5, 7), out_channels=4, kernel_size=(3, 3), rejects="x"),
        sample((1, 3, 5, 5), out_channels=4, kernel_size=(7, 7), padding=(0, 1), rejects="kernel_size"),
        sample((1, 3, 5, 7), out_channels=4, kernel_size=(3, 3), dilation=(3, 3), rejects="kernel_size"),
        sample((1, 3, 5, 7), out_channels=4, kernel_size=(0, 3), rejects="kernel_size"),
        sample((1, 3, 5, 7), out_channels=0, kernel_size=(3, 3), rejects="out_channels"),
        sample((1, 3, 5, 7), out_channels=4, kernel_size=(3, 3), stride=(1, 0), rejects="stride"),
        sample((1, 3, 5, 7), out_channels=4, kernel_size=(3, 3), dilation=(0, 1), rejects="dilation"),
        sample((1, 3, 5, 7), out_channels=4, kernel_size=(3, 3), groups=2, rejects="groups"),
        sample((1, 4, 5, 7), out_channels=3, kernel_size=(3, 3), groups=2, rejects="groups"),
        sample((1, 3, 5, 7), out_channels=4, kernel_size=(3, 3), padding=(0, -1), rejects="padding"),
        sample(
            (1, 3, 5, 7), out_channels=4, kernel_size=(3, 3), stride=(2, 2), padding="same", rejects="padding"
        ),
        sample(
            (1, 3, 5, 3),
            out_channels=4,
            kernel_size=(3, 3),
            padding=(1, 3),
            padding_mode="reflect",
            rejects="padding",
        ),
    )
