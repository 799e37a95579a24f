"""The mean of each window: avg_pool1d, avg_pool2d and avg_pool3d."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

from netc.dims import AnyDim, Shape, value
from netc.ops.arrays import np
from netc.ops.code import Hole, Keyword
from netc.ops.contract import Array, Graph, Operand, integers, register, sample
from netc.ops.notation import apply, function, table
from netc.ops.pool import Pooling, onnx_pad
from netc.ops.window import each, pad, require_float32


class AveragePooling(Pooling):
    """What avg_pool1d, avg_pool2d and avg_pool3d share."""

    count_include_pad: bool
    short = "avgpool"
    analytic = True

    def forward(self, x: Array) -> Array:
        window = self.window()
        padded = np.pad(x, ((0, 0), (0, 0), *zip(window.begin, window.end, strict=True)))
        positions = window.positions(x.shape[2:])
        y = np.zeros((*x.shape[:2], *positions), x.dtype)
        for offset in window.offsets():
            y += window.view(padded, offset, positions)
        return self._divide(y, x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        """One axis is spread after the other: a sum over windows is a sum of sums over rows."""
        window, total = self.window(), self._divide(g, x)
        for axis in range(self.rank):
            alone = window.only(axis)
            parts = ((offset, total) for offset in alone.offsets())
            total = alone.spread(parts, (*x.shape[2 : axis + 3], *total.shape[axis + 3 :]))
        return (total,)

    def _divide(self, sums: Array, x: Array) -> Array:
        """The window sums, each over the number of elements of its window."""
        counts = [self._counts(axis, n) for axis, n in enumerate(x.shape[2:])]
        if None in counts:
            return sums / self._counted(x)
        for axis, numbers in enumerate(counts):
            along = table(numbers, sums).reshape(-1, *(1,) * (self.rank - 1 - axis))
            sums = sums / along
        return sums

    def _counts(self, axis: int, n: AnyDim) -> list[int] | None:
        """The elements of each window along `axis`, one number where all are whole; None if not known."""
        window, k, p = self.window(), self.axes("kernel_size")[axis], self.margin[axis]
        if window.end[axis] == 0 or (self.count_include_pad and not self.ceil_mode):
            return [k]
        size, positions = value(n), value(window.positions((n,) * self.rank)[axis])
        if size is None or positions is None:
            return None
        low, high = (-p, size + p) if self.count_include_pad else (0, size)
        starts = range(-p, positions * window.stride[axis] - p, window.stride[axis])
        return [min(start + k, high) - max(start, low) for start in starts]

    def _counted(self, x: Array) -> Array:
        """The number of elements of each window on a map of free size: what the windows find of ones."""
        window = self.window()
        ones = function("full_like", x[:1, :1], fill_value=1.0)
        ones = pad(ones, window.begin, window.begin, float(self.count_include_pad))
        added = tuple(e - b for b, e in zip(window.begin, window.end, strict=True))
        ones = pad(ones, (0,) * self.rank, added)
        bare: dict[str, Any] = {"padding": each((0,) * self.rank), "ceil_mode": False}
        return apply(replace(self, **bare), ones) * float(prod(window.kernel))

    def flops(self, y: Shape, x: Shape) -> Any:
        return prod(y) * prod(self.axes("kernel_size"))

    def arguments(self) -> tuple[Hole | Keyword, ...]:
        return (
            *super().arguments(),
            Keyword("ceil_mode", self.ceil_mode, False),
            Keyword("count_include_pad", self.count_include_pad, True),
        )

    def onnx(self, graph: Graph, x: Operand) -> Any:
        require_float32("AveragePool", x)
        window, operand, counted = self.window(), str(x), self.count_include_pad
        if counted and window.end != window.begin:  # ONNX would count what ceil_mode adds
            declared = replace(window, end=window.begin)
            operand = onnx_pad(graph, x, declared, 0.0) if any(window.begin) else operand
            added = tuple(e - b for b, e in zip(window.begin, window.end, strict=True))
            window, counted = replace(window, begin=(0,) * self.rank, end=added), False
        return graph.node(
            "AveragePool",
            operand,
            ceil_mode=0,
            count_include_pad=int(counted),
            kernel_shape=list(window.kernel),
            pads=list(window.padding),
            strides=list(window.stride),
            dilations=[1] * self.rank if graph.opset >= 19 else None,
        )


@register("avg_pool1d")
class AvgPool1d(AveragePooling):
    """y[p] = the sum of x in the window at p over the number of elements there.

    That number counts `padding` unless count_include_pad is false, but never what ceil_mode adds. The
    stride is kernel_size unless given.
    Shape: x [N, C, L] -> y [N, C, (L + 2 padding - kernel_size) // stride + 1]; ceil_mode rounds up and drops
    a last window that begins behind the map.
    Gradient: dx = the sum of g / number over the windows that hold an element.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool1d.html
    """

    kernel_size: int
    stride: int | None = None
    padding: int = 0
    ceil_mode: bool = False
    count_include_pad: bool = True

    aliases = ("AvgPool1d",)
    samples = (
        sample((2, 3, 7), kernel_size=2, flops=36),
        sample((1, 2, 7), kernel_size=3, stride=2, padding=1),
        sample((1, 2, 7), kernel_size=3, stride=2, padding=1, count_include_pad=False),
        sample((1, 2, 6), kernel_size=3, stride=2, ceil_mode=True),
        sample((1, 2, 6), kernel_size=4, stride=3, padding=2, ceil_mode=True),
        sample((1, 2, 5), kernel_size=2, stride=3, padding=1, ceil_mode=True, count_include_pad=False),
        sample((2, 1, 5), kernel_size=1, stride=3, ceil_mode=True),
        sample((1, 1, 1), kernel_size=1),
        sample((1, 3, 4), kernel_size=4, stride=5),
        sample((3, 2, 9), kernel_size=3, stride=1, count_include_pad=False),
        sample((7, 8), kernel_size=2, rejects="x", without=("torch",)),  # torch has no N there
        sample(integers((1, 2, 8), 9), kernel_size=2, rejects="x", without=("torch",)),  # not in ONNX
        sample((1, 2, 8), kernel_size=0, rejects="kernel_size"),
        sample((1, 2, 8), kernel_size=9, rejects="kernel_size"),
        sample((1, 2, 8), kernel_size=2, stride=0, rejects="stride"),
        sample((1, 2, 8), kernel_size=3, padding=2, rejects="padding"),
        sample((1, 2, 8), kernel_size=3, padding=-1, rejects="padding"),
    )


@register("avg_pool2d")
class AvgPool2d(AveragePooling):
    """y[p, q] = the sum of x in the window at p, q over the number of elements there.

    That number counts `padding` unless count_include_pad is false, but never what ceil_mode adds. The
    stride is kernel_size unless given.
    Shape: x [N, C, H, W] -> y [N, C, (H + 2 padding - kernel_size) // stride + 1, and so W]; ceil_mode rounds
    up and drops a last window that begins behind the map.
    Gradient: dx = the sum of g / number over the windows that hold an element.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html
    """

    kernel_size: tuple[int, int]
    stride: tuple[int, int] | None = None
    padding: tuple[int, int] = (0, 0)
    ceil_mode: bool = False
    count_include_pad: bool = True

    aliases = ("AvgPool2d",)
    samples = (
        sample((2, 3, 6, 7), kernel_size=2, flops=216),
        sample((1, 2, 7, 6), kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), flops=240),
        sample((1, 2, 7, 6), kernel_size=(3, 2), stride=(2, 1), padding=1, count_include_pad=False),
        sample((1, 2, 6, 5), kernel_size=3, stride=(2, 3), ceil_mode=True),
        sample((1, 2, 6, 5), kernel_size=(3, 4), stride=2, padding=(1, 2), ceil_mode=True),
        sample(
            (1, 2, 6, 5), kernel_size=(3, 2), stride=3, padding=1, ceil_mode=True, count_include_pad=False
        ),
        sample((1, 2, 4, 5), kernel_size=1, stride=(2, 3), ceil_mode=True),
        sample((1, 1, 1, 1), kernel_size=2, padding=1),
        sample((2, 1, 3, 4), kernel_size=(3, 1), stride=1),
        sample((1, 2, 4, 3), kernel_size=(2, 3), stride=(5, 1), padding=(1, 0), count_include_pad=False),
        sample((2, 7, 8), kernel_size=2, rejects="x", without=("torch",)),  # torch has no N there
        sample(integers((1, 2, 7, 8), 9), kernel_size=2, rejects="x", without=("torch",)),  # not in ONNX
        sample((1, 2, 7, 8), kernel_size=(0, 2), rejects="kernel_size"),
        sample((1, 2, 7, 8), kernel_size=2, stride=(1, 0), rejects="stride"),
        sample((1, 2, 7, 8), kernel_size=3, padding=(2, 1), rejects="padding"),
        sample((1, 2, 7, 8), kernel_size=3, padding=(0, -1), rejects="padding"),
        sample((1, 2, 3, 4), kernel_size=(4, 2), rejects="kernel_size"),
    )


@register("avg_pool3d")
class AvgPool3d(AveragePooling):
    """y[p, q, r] = the sum of x in the window at p, q, r over the number of elements there.

    That number counts `padding` unless count_include_pad is false, but never what ceil_mode adds. The
    stride is kernel_size unless given.
    Shape: x [N, C, D, H, W] -> y [N, C, D', H', W'], each of the three as
    D' = (D + 2 padding - kernel_size) // stride + 1; ceil_mode rounds up and drops a last window that begins
    behind the map.
    Gradient: dx = the sum of g / number over the windows that hold an element.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool3d.html
    """

    filled = True
    kernel_size: tuple[int, int, int]
    stride: tuple[int, int, int] | None = None
    padding: tuple[int, int, int] = (0, 0, 0)
    ceil_mode: bool = False
    count_include_pad: bool = True

    aliases = ("AvgPool3d",)
    samples = (
        sample((2, 2, 4, 3, 5), kernel_size=2, flops=128),
        sample((1, 2, 3, 5, 4), kernel_size=(1, 3, 2), stride=(2, 2, 1), padding=(0, 1, 1)),
        sample((1, 2, 3, 5, 4), kernel_size=(2, 3, 2), stride=2, padding=1, count_include_pad=False),
        sample((1, 2, 5, 4, 6), kernel_size=3, stride=2, ceil_mode=True),
        sample((1, 1, 3, 4, 5), kernel_size=(2, 3, 4), stride=(3, 2, 2), padding=(1, 1, 2), ceil_mode=True),
        sample((1, 1, 3, 4, 5), kernel_size=2, stride=3, padding=1, ceil_mode=True, count_include_pad=False),
        sample((1, 2, 1, 1, 1), kernel_size=1),
        sample((1, 1, 2, 3, 4), kernel_size=1, stride=(1, 2, 3), ceil_mode=True),
        sample((2, 1, 2, 3, 7), kernel_size=(1, 1, 4), stride=(1, 2, 3)),
        sample((1, 3, 2, 2, 2), kernel_size=(2, 1, 2), stride=1, padding=(1, 0, 0)),
        sample((1, 1, 2, 2, 1), kernel_size=(1, 1, 2), ceil_mode=True, rejects="kernel_size"),
        sample((2, 4, 3, 5), kernel_size=2, rejects="x", without=("torch",)),  # torch has no N there
        sample(integers((1, 2, 4, 3, 5), 9), kernel_size=2, rejects="x", without=("torch",)),  # not in ONNX
        sample((1, 2, 4, 3, 5), kernel_size=(2, 2, 0), rejects="kernel_size"),
        sample((1, 2, 4, 3, 5), kernel_size=(2, 4, 2), rejects="kernel_size"),
        sample((1, 2, 4, 3, 5), kernel_size=2, stride=(1, 0, 1), rejects="stride"),
        sample((1, 2, 4, 3, 5), kernel_size=2, padding=(0, 2, 0), rejects="padding"),
        sample((1, 2, 4, 3, 5), kernel_size=2, padding=(0, 0, -1), rejects="padding"),
    )
