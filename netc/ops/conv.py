"""Convolution layers: Conv1d, Conv2d and Conv3d."""

from __future__ import annotations

from typing import Literal

from netc.dims import AnyDim
from netc.ops.contract import integers, register, sample
from netc.ops.convolution import Convolution, PaddingMode


@register("Conv1d")
class Conv1d(Convolution):
    """y[m, p] = b[m] + sum over c, k of w[m, c, k] x[c, p stride + k dilation - padding].

    Channels of a group see only the input channels of that group. Padding "same" puts the odd element on
    the right. Weight and bias start uniform within 1/sqrt(in_channels / groups * kernel_size).
    Shape: x [N, C, L] -> y [N, out_channels, (L + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1].
    Gradient: dx is the transposed convolution of g by w; dw[m, c, k] = sum over p of g[m, p] times the x
    that w[m, c, k] meets; db = sum g.
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
        sample((1, 2, 3), out_channels=2, kernel_size=2, padding=4, padding_mode="replicate"),
        sample((2, 3, 8), out_channels=6, kernel_size=3, stride=3, padding=1, groups=3),
        sample((1, 1, 1), out_channels=1, kernel_size=1),
        sample((2, 3, 6), out_channels=2, kernel_size=6, bias=False),
        sample((1, 2, 9), out_channels=2, kernel_size=2, stride=4, dilation=3),
        sample((1, 2, 4), out_channels=3, kernel_size=3, stride=5, padding=3),
        sample((3, 2), out_channels=2, kernel_size=1, rejects="x"),
        sample(integers((1, 2, 4), 9), out_channels=2, kernel_size=1, rejects="x"),
        sample((1, 2, 4), out_channels=0, kernel_size=3, rejects="out_channels"),
        sample((1, 2, 4), out_channels=2, kernel_size=0, rejects="kernel_size"),
        sample((1, 2, 4), out_channels=2, kernel_size=3, dilation=2, rejects="kernel_size"),
        sample((1, 2, 4), out_channels=2, kernel_size=7, padding=1, rejects="kernel_size"),
        sample((1, 2, 4), out_channels=2, kernel_size=3, stride=0, rejects="stride"),
        sample((1, 2, 4), out_channels=2, kernel_size=3, dilation=0, rejects="dilation"),
        sample((1, 2, 4), out_channels=2, kernel_size=3, groups=0, rejects="groups"),
        sample((1, 3, 4), out_channels=2, kernel_size=3, groups=2, rejects="groups"),
        sample((1, 4, 4), out_channels=3, kernel_size=3, groups=2, rejects="groups"),
        sample((1, 2, 4), out_channels=2, kernel_size=3, padding=-1, rejects="padding"),
        sample((1, 2, 4), out_channels=2, kernel_size=3, stride=2, padding="same", rejects="padding"),
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

    s is the stride and d the dilation, a number or one an axis. Channels of a group see only the input
    channels of that group. Padding "same" puts the odd element on the right and at the bottom.
    Weight and bias start uniform within 1/sqrt(in_channels / groups * kernel height * kernel width).
    Shape: x [N, C, H, W] -> y [N, out_channels, (H + 2 padding - d (kernel_size - 1) - 1) // s + 1, so W].
    Gradient: dx is the transposed convolution of g by w; dw[m, c, i, j] = sum over p, q of g[m, p, q] times
    the x that w[m, c, i, j] meets; db = sum g.
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
        sample((2, 3, 5, 7), out_channels=4, kernel_size=3, flops=6600, macs=3240),
        sample(
            (1, 4, 7, 6), out_channels=6, kernel_size=(3, 2), stride=(2, 1), groups=2, bias=False, macs=1080
        ),
        sample((1, 2, 7, 6), out_channels=3, kernel_size=(3, 2), padding=(1, 0), dilation=(1, 2)),
        sample((2, 3, 6, 5), out_channels=6, kernel_size=3, stride=2, padding=1, groups=3),
        sample((2, 5, 3, 4), out_channels=2, kernel_size=1, stride=2, bias=False, flops=160, macs=80),
        sample((1, 2, 5, 6), out_channels=3, kernel_size=(4, 3), padding="same"),
        sample((1, 2, 5, 6), out_channels=3, kernel_size=(2, 3), padding="same", dilation=(3, 2)),
        sample((1, 2, 5, 6), out_channels=3, kernel_size=(2, 5), padding="valid", stride=(1, 3)),
        sample((2, 2, 5, 4), out_channels=2, kernel_size=(3, 2), padding=(1, 2), padding_mode="reflect"),
        sample((2, 2, 5, 4), out_channels=2, kernel_size=(2, 4), padding="same", padding_mode="replicate"),
        sample((2, 2, 3, 4), out_channels=2, kernel_size=3, padding=(2, 1), padding_mode="circular"),
        sample((1, 2, 1, 1), out_channels=1, kernel_size=3, padding=1),
        sample((3, 5, 7), out_channels=4, kernel_size=3, rejects="x"),
        sample(integers((1, 3, 5, 7), 9), out_channels=4, kernel_size=3, rejects="x"),
        sample((1, 3, 5, 5), out_channels=4, kernel_size=7, padding=(0, 1), rejects="kernel_size"),
        sample((1, 3, 5, 7), out_channels=4, kernel_size=3, dilation=3, rejects="kernel_size"),
        sample((1, 3, 5, 7), out_channels=4, kernel_size=(0, 3), rejects="kernel_size"),
        sample((1, 3, 5, 7), out_channels=0, kernel_size=3, rejects="out_channels"),
        sample((1, 3, 5, 7), out_channels=4, kernel_size=3, stride=(1, 0), rejects="stride"),
        sample((1, 3, 5, 7), out_channels=4, kernel_size=3, dilation=(0, 1), rejects="dilation"),
        sample((1, 3, 5, 7), out_channels=4, kernel_size=3, groups=2, rejects="groups"),
        sample((1, 4, 5, 7), out_channels=3, kernel_size=3, groups=2, rejects="groups"),
        sample((1, 4, 5, 7), out_channels=4, kernel_size=3, groups=0, rejects="groups"),
        sample((1, 3, 5, 7), out_channels=4, kernel_size=3, padding=(0, -1), rejects="padding"),
        sample((1, 3, 5, 7), out_channels=4, kernel_size=3, stride=2, padding="same", rejects="padding"),
        sample(
            (1, 3, 5, 3), out_channels=4, kernel_size=3, padding=3, padding_mode="reflect", rejects="padding"
        ),
        sample(
            (1, 3, 5, 2), out_channels=4, kernel_size=3, padding=3, padding_mode="circular", rejects="padding"
        ),
    )


@register("Conv3d")
class Conv3d(Convolution):
    """y[m, p] = b[m] + sum over c, k of w[m, c, k] x[c, p stride + k dilation - padding], p and k in 3 axes.

    Channels of a group see only the input channels of that group. Padding "same" puts the odd element at
    the end. Weight and bias start uniform within 1/sqrt(in_channels / groups * elements of the kernel).
    Shape: x [N, C, D, H, W] -> y [N, out_channels, D', H', W'], each of the three as
    D' = (D + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1.
    Gradient: dx is the transposed convolution of g by w; dw[m, c, k] = sum over p of g[m, p] times the x
    that w[m, c, k] meets; db = sum g.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv3d.html
    """

    out_channels: AnyDim
    kernel_size: tuple[int, int, int]
    stride: tuple[int, int, int] = (1, 1, 1)
    padding: tuple[int, int, int] | Literal["same", "valid"] = (0, 0, 0)
    dilation: tuple[int, int, int] = (1, 1, 1)
    groups: int = 1
    bias: bool = True
    padding_mode: PaddingMode = "zeros"

    samples = (
        sample((2, 2, 3, 4, 5), out_channels=3, kernel_size=2, flops=4752, macs=2304),
        sample(
            (1, 4, 3, 5, 4), out_channels=6, kernel_size=(1, 3, 2), stride=(2, 1, 3), groups=2, bias=False
        ),
        sample((1, 2, 3, 4, 5), out_channels=2, kernel_size=(3, 2, 1), padding=(1, 0, 2), dilation=(1, 2, 3)),
        sample((1, 2, 2, 3, 4), out_channels=3, kernel_size=(2, 3, 4), padding="same"),
        sample((1, 1, 2, 3, 4), out_channels=2, kernel_size=(2, 1, 3), padding="valid", stride=(1, 2, 1)),
        sample((1, 2, 2, 3, 4), out_channels=4, kernel_size=2, stride=2, padding=1, groups=2),
        sample((1, 2, 2, 3, 4), out_channels=2, kernel_size=2, padding=(1, 2, 0), padding_mode="reflect"),
        sample((1, 1, 2, 3, 2), out_channels=2, kernel_size=2, padding=(1, 3, 2), padding_mode="replicate"),
        sample((1, 1, 2, 3, 2), out_channels=2, kernel_size=2, padding=(2, 0, 1), padding_mode="circular"),
        sample((2, 3, 1, 1, 1), out_channels=2, kernel_size=1),
        sample((1, 2, 1, 2, 3), out_channels=1, kernel_size=(1, 2, 3), bias=False),
        sample((3, 4, 5, 7), out_channels=4, kernel_size=3, rejects="x"),
        sample(integers((1, 2, 3, 4, 5), 9), out_channels=4, kernel_size=3, rejects="x"),
        sample((1, 2, 3, 4, 5), out_channels=0, kernel_size=2, rejects="out_channels"),
        sample((1, 2, 3, 4, 5), out_channels=2, kernel_size=(2, 5, 2), rejects="kernel_size"),
        sample((1, 2, 3, 4, 5), out_channels=2, kernel_size=2, dilation=(3, 1, 1), rejects="kernel_size"),
        sample((1, 2, 3, 4, 5), out_channels=2, kernel_size=(1, 2, 0), rejects="kernel_size"),
        sample((1, 2, 3, 4, 5), out_channels=2, kernel_size=2, stride=(1, 1, 0), rejects="stride"),
        sample((1, 2, 3, 4, 5), out_channels=2, kernel_size=2, dilation=(1, 0, 1), rejects="dilation"),
        sample((1, 2, 3, 4, 5), out_channels=2, kernel_size=2, groups=0, rejects="groups"),
        sample((1, 3, 3, 4, 5), out_channels=2, kernel_size=2, groups=2, rejects="groups"),
        sample((1, 2, 3, 4, 5), out_channels=3, kernel_size=2, groups=2, rejects="groups"),
        sample((1, 2, 3, 4, 5), out_channels=2, kernel_size=2, padding=(0, 0, -1), rejects="padding"),
        sample((1, 2, 3, 4, 5), out_channels=2, kernel_size=2, stride=2, padding="same", rejects="padding"),
        sample(
            (1, 1, 2, 3, 4),
            out_channels=2,
            kernel_size=2,
            padding=2,
            padding_mode="reflect",
            rejects="padding",
        ),
        sample(
            (1, 1, 2, 3, 4),
            out_channels=2,
            kernel_size=2,
            padding=3,
            padding_mode="circular",
            rejects="padding",
        ),
    )
