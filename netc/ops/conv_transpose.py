"""Transposed convolution layers: ConvTranspose1d, ConvTranspose2d and ConvTranspose3d."""

from __future__ import annotations

from netc.dims import AnyDim
from netc.ops.contract import integers, register, sample
from netc.ops.convolution_transposed import TransposedConvolution


@register("ConvTranspose1d")
class ConvTranspose1d(TransposedConvolution):
    """y[m, p stride + k dilation - padding] += w[c, m, k] x[c, p], and b[m]: the adjoint of Conv1d.

    output_padding adds to the right; it must be less than the stride, which ONNX asks for.
    Weight and bias start uniform within 1/sqrt(out_channels / groups * kernel_size).
    Shape: x [N, C, L] -> y [N, out_channels, (L - 1) stride - 2 padding + dilation (kernel_size - 1) + 1
    + output_padding].
    Gradient: dx is the convolution of g by w; dw[c, m, k] = sum over p of x[c, p] times the g that
    w[c, m, k] made; db = sum g.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose1d.html
    """

    out_channels: AnyDim
    kernel_size: int
    stride: int = 1
    padding: int = 0
    output_padding: int = 0
    groups: int = 1
    bias: bool = True
    dilation: int = 1

    samples = (
        sample((2, 3, 4), out_channels=2, kernel_size=3, flops=312, macs=144),
        sample((2, 4, 5), out_channels=6, kernel_size=3, stride=2, padding=1, output_padding=1, groups=2),
        sample((1, 2, 4), out_channels=3, kernel_size=2, stride=3, dilation=2, bias=False),
        sample((1, 2, 4), out_channels=1, kernel_size=1, stride=3, output_padding=2),
        sample((1, 1, 1), out_channels=1, kernel_size=1),
        sample((2, 3, 5), out_channels=2, kernel_size=4, padding=3),
        sample((1, 2, 3), out_channels=2, kernel_size=2, stride=4),
        sample((2, 2, 4), out_channels=4, kernel_size=3, groups=2, dilation=3, padding=2),
        sample((1, 3, 2), out_channels=3, kernel_size=5, stride=2, groups=3, output_padding=1, bias=False),
        sample((3, 1, 2), out_channels=2, kernel_size=3, stride=3, padding=2, output_padding=1),
        sample((2, 4), out_channels=3, kernel_size=2, rejects="x"),
        sample(integers((1, 2, 4), 9), out_channels=3, kernel_size=2, rejects="x"),
        sample((1, 2, 2), out_channels=0, kernel_size=2, rejects="out_channels"),
        sample((1, 2, 2), out_channels=3, kernel_size=0, rejects="kernel_size"),
        sample((1, 2, 2), out_channels=3, kernel_size=2, stride=0, rejects="stride"),
        sample((1, 2, 2), out_channels=3, kernel_size=2, dilation=0, rejects="dilation"),
        sample((1, 2, 2), out_channels=2, kernel_size=2, groups=0, rejects="groups"),
        sample((1, 3, 2), out_channels=2, kernel_size=2, groups=2, rejects="groups"),
        sample((1, 2, 2), out_channels=3, kernel_size=2, groups=2, rejects="groups"),
        sample((1, 2, 2), out_channels=3, kernel_size=2, padding=-1, rejects="padding"),
        sample((1, 2, 2), out_channels=3, kernel_size=2, padding=2, rejects="padding"),
        sample((1, 2, 2), out_channels=3, kernel_size=2, output_padding=-1, rejects="output_padding"),
        sample(
            (1, 2, 2), out_channels=3, kernel_size=2, stride=2, output_padding=2, rejects="output_padding"
        ),
    )


@register("ConvTranspose2d")
class ConvTranspose2d(TransposedConvolution):
    """y[m, p s + i d - padding, q s + j d - padding] += w[c, m, i, j] x[c, p, q], and b[m]: Conv2d's adjoint.

    s is the stride and d the dilation, a number or one an axis. output_padding adds to the bottom and the
    right; it must be less than the stride, which ONNX asks for.
    Weight and bias start uniform within 1/sqrt(out_channels / groups * kernel height * kernel width).
    Shape: x [N, C, H, W] -> y [N, out_channels, (H - 1) s - 2 padding + d (kernel_size - 1) + 1
    + output_padding, and so W].
    Gradient: dx is the convolution of g by w; dw[c, m, i, j] = sum over p, q of x[c, p, q] times the g that
    w[c, m, i, j] made; db = sum g.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose2d.html
    """

    out_channels: AnyDim
    kernel_size: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    output_padding: tuple[int, int] = (0, 0)
    groups: int = 1
    bias: bool = True
    dilation: tuple[int, int] = (1, 1)

    samples = (
        sample((2, 3, 2, 4), out_channels=2, kernel_size=2, stride=2, flops=896, macs=384),
        sample(
            (1, 4, 3, 4), out_channels=6, kernel_size=(3, 2), stride=(2, 3), groups=2, bias=False, macs=864
        ),
        sample((1, 2, 3, 2), out_channels=2, kernel_size=(3, 2), stride=(2, 3), output_padding=(1, 2)),
        sample((2, 3, 4, 3), out_channels=3, kernel_size=3, stride=(2, 1), padding=1, groups=3),
        sample((1, 2, 3, 4), out_channels=3, kernel_size=(2, 3), dilation=(2, 1), padding=(0, 2)),
        sample((1, 2, 1, 1), out_channels=3, kernel_size=(4, 5), bias=False),
        sample((1, 2, 3, 4), out_channels=2, kernel_size=3, stride=2, padding=1, output_padding=1),
        sample((2, 2, 2, 3), out_channels=4, kernel_size=1, stride=(3, 2), groups=2),
        sample((1, 1, 4, 2), out_channels=1, kernel_size=(2, 3), padding=(1, 0), dilation=(3, 2)),
        sample((1, 4, 1, 3), out_channels=4, kernel_size=(1, 4), stride=(1, 2), padding=(0, 1), groups=4),
        sample((3, 5, 7), out_channels=4, kernel_size=3, rejects="x"),
        sample(integers((1, 3, 5, 7), 9), out_channels=4, kernel_size=3, rejects="x"),
        sample((1, 3, 5, 7), out_channels=0, kernel_size=3, rejects="out_channels"),
        sample((1, 3, 5, 7), out_channels=2, kernel_size=(3, 0), rejects="kernel_size"),
        sample((1, 3, 5, 7), out_channels=2, kernel_size=3, stride=(0, 1), rejects="stride"),
        sample((1, 3, 5, 7), out_channels=2, kernel_size=3, dilation=(1, 0), rejects="dilation"),
        sample((1, 3, 5, 7), out_channels=2, kernel_size=3, padding=(-1, 0), rejects="padding"),
        sample((1, 3, 1, 7), out_channels=2, kernel_size=(2, 3), padding=(1, 0), rejects="padding"),
        sample((1, 3, 5, 7), out_channels=2, kernel_size=3, output_padding=(0, -1), rejects="output_padding"),
        sample(
            (1, 3, 5, 7), out_channels=2, kernel_size=3, stride=2, output_padding=2, rejects="output_padding"
        ),
        sample((1, 3, 5, 7), out_channels=2, kernel_size=3, groups=0, rejects="groups"),
        sample((1, 3, 5, 7), out_channels=2, kernel_size=3, groups=2, rejects="groups"),
        sample((1, 4, 5, 7), out_channels=3, kernel_size=3, groups=2, rejects="groups"),
    )


@register("ConvTranspose3d")
class ConvTranspose3d(TransposedConvolution):
    """y[m, p stride + k dilation - padding] += w[c, m, k] x[c, p], and b[m], p and k in 3 axes.

    It is the adjoint of Conv3d. output_padding adds to the end of each axis; it must be less than the stride, which ONNX asks for.
    Weight and bias start uniform within 1/sqrt(out_channels / groups * elements of the kernel).
    Shape: x [N, C, D, H, W] -> y [N, out_channels, D', H', W'], each of the three as
    D' = (D - 1) stride - 2 padding + dilation (kernel_size - 1) + 1 + output_padding.
    Gradient: dx is the convolution of g by w; dw[c, m, k] = sum over p of x[c, p] times the g that
    w[c, m, k] made; db = sum g.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ConvTranspose3d.html
    """

    out_channels: AnyDim
    kernel_size: tuple[int, int, int]
    stride: tuple[int, int, int] = (1, 1, 1)
    padding: tuple[int, int, int] = (0, 0, 0)
    output_padding: tuple[int, int, int] = (0, 0, 0)
    groups: int = 1
    bias: bool = True
    dilation: tuple[int, int, int] = (1, 1, 1)

    samples = (
        sample((1, 2, 2, 3, 4), out_channels=3, kernel_size=2, flops=2484, macs=1152),
        sample(
            (1, 4, 2, 3, 2), out_channels=6, kernel_size=(1, 3, 2), stride=(2, 1, 3), groups=2, bias=False
        ),
        sample((2, 2, 1, 2, 3), out_channels=2, kernel_size=3, stride=2, padding=1, output_padding=1),
        sample((1, 1, 2, 2, 3), out_channels=2, kernel_size=(2, 3, 1), dilation=(2, 1, 3), padding=(1, 1, 0)),
        sample((1, 2, 1, 1, 1), out_channels=1, kernel_size=(2, 3, 4)),
        sample((1, 3, 2, 1, 2), out_channels=3, kernel_size=2, groups=3, stride=(1, 2, 3)),
        sample((1, 2, 2, 2, 2), out_channels=2, kernel_size=1, stride=(3, 1, 2), output_padding=(2, 0, 1)),
        sample((2, 1, 3, 2, 1), out_channels=2, kernel_size=2, bias=False),
        sample((1, 2, 3, 2, 4), out_channels=1, kernel_size=(3, 1, 2), padding=(2, 0, 1)),
        sample((1, 2, 2, 3, 2), out_channels=4, kernel_size=2, stride=2, groups=2, dilation=2, padding=1),
        sample((1, 2, 3, 4), out_channels=2, kernel_size=2, rejects="x"),
        sample(integers((1, 2, 2, 3, 4), 9), out_channels=2, kernel_size=2, rejects="x"),
        sample((1, 2, 2, 3, 4), out_channels=0, kernel_size=2, rejects="out_channels"),
        sample((1, 2, 2, 3, 4), out_channels=2, kernel_size=(2, 0, 2), rejects="kernel_size"),
        sample((1, 2, 2, 3, 4), out_channels=2, kernel_size=2, stride=(1, 1, 0), rejects="stride"),
        sample((1, 2, 2, 3, 4), out_channels=2, kernel_size=2, dilation=(0, 1, 1), rejects="dilation"),
        sample((1, 2, 2, 3, 4), out_channels=2, kernel_size=2, groups=0, rejects="groups"),
        sample((1, 3, 2, 3, 4), out_channels=2, kernel_size=2, groups=2, rejects="groups"),
        sample((1, 2, 2, 3, 4), out_channels=3, kernel_size=2, groups=2, rejects="groups"),
        sample((1, 2, 2, 3, 4), out_channels=2, kernel_size=2, padding=(0, 0, -1), rejects="padding"),
        sample((1, 2, 1, 3, 4), out_channels=2, kernel_size=2, padding=1, rejects="padding"),
        sample((1, 2, 2, 3, 4), out_channels=2, kernel_size=2, output_padding=-1, rejects="output_padding"),
        sample((1, 2, 2, 3, 4), out_channels=2, kernel_size=2, output_padding=1, rejects="output_padding"),
    )
