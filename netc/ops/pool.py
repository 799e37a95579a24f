"""Pooling over sliding windows: max_pool2d and avg_pool2d.

torch's ceil_mode equals floor mode with more padding at the end: min(padding + stride - 1, extent - 1). That
many keeps a last window that begins on the map or in its left padding, and drops one that begins behind.
"""

from __future__ import annotations

from dataclasses import replace
from math import inf, prod
from typing import Any

from netc.dims import AnyDim, Shape, at_least, value
from netc.ops.arrays import np
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import Array, Graph, Mismatch, Op, Operand, integers, register, require, sample
from netc.ops.notation import equal, where
from netc.ops.window import Window, alike, pad, require_fit, require_float32, require_least, require_map

# nodes that an optimiser never removes, so that what follows them does not follow a Pad
COMPUTES = {
    "Conv",
    "ConvTranspose",
    "BatchNormalization",
    "LayerNormalization",
    "MaxPool",
    "AveragePool",
    "Relu",
    "LeakyRelu",
    "Elu",
    "Gelu",
    "Sigmoid",
    "Tanh",
    "Clip",
    "Concat",
    "Gemm",
    "MatMul",
}


class Pooling(Op):
    """What max_pool2d and avg_pool2d share."""

    kernel_size: tuple[int, int]
    stride: tuple[int, int] | None
    padding: tuple[int, int]
    ceil_mode: bool

    @property
    def holes(self) -> tuple[int, int]:
        """The dilation."""
        return (1, 1)

    def window(self) -> Window:
        stride = self.stride or self.kernel_size
        window = Window(self.kernel_size, stride, self.holes, self.padding, self.padding)
        if not self.ceil_mode:
            return window
        steps = zip(self.padding, stride, window.extent, strict=True)
        return replace(window, end=tuple(min(p + s - 1, extent - 1) for p, s, extent in steps))

    def shape(self, x: Shape) -> Shape:
        require_map(self.name, x, 4)
        require_least(1, kernel_size=self.kernel_size, stride=self.stride or (1, 1), dilation=self.holes)
        require_least(0, padding=self.padding)
        for p, k in zip(self.padding, self.kernel_size, strict=True):
            require(p <= k // 2, "padding", f"padding may be at most half the kernel ({k // 2}), not {p}")
        window = self.window()
        require_fit(window, x[2:])
        return (*x[:2], *window.positions(x[2:]))

    def _arguments(self) -> tuple[Hole | Keyword, ...]:
        return (
            Hole(alike(self.kernel_size), "kernel_size"),
            Keyword("stride", alike(self.window().stride), alike(self.kernel_size)),
            Keyword("padding", alike(self.padding), 0),
        )


@register("max_pool2d")
class MaxPool2d(Pooling):
    """y[p, q] = the largest of x in the window at p, q; padding counts as -inf.

    dx gives g to the first largest element of each window, row by row. A NaN wins in torch and here; ONNX
    leaves it open.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html
    """

    kernel_size: tuple[int, int]
    stride: tuple[int, int] | None = None
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    ceil_mode: bool = False

    aliases = ("MaxPool2d",)
    short = "maxpool"

    @property
    def holes(self) -> tuple[int, int]:
        return self.dilation

    def shape(self, x: Shape) -> Shape:
        y = super().shape(x)
        window = self.window()
        for axis, d in enumerate(self.dilation):
            if any(window.padding) and d > 1:
                require(
                    _meets_map(window, axis, x[axis + 2], y[axis + 2]),
                    "dilation",
                    f"with dilation {d}, a window on an axis of {x[axis + 2]} can lie in padding alone",
                )
        return y

    def forward(self, x: Array) -> Array:
        window = self.window()
        ends = tuple(zip(window.begin, window.end, strict=True))
        padded = np.pad(x, ((0, 0), (0, 0), *ends), constant_values=-inf)
        positions = window.positions(x.shape[2:])
        y = np.full((*x.shape[:2], *positions), -inf, x.dtype)
        for offset in window.offsets():
            np.maximum(y, window.view(padded, offset, positions), out=y)
        return y

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        window = self.window()
        padded = pad(x, window.begin, window.end, -inf)
        parts = []
        for offset in window.offsets():
            largest = equal(window.view(padded, offset, y.shape[2:]), y)
            parts.append((offset, where(largest, g, 0.0)))
            g = where(largest, 0.0, g)
        return (window.spread(parts, x.shape[2:]),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return prod(y) * (prod(self.kernel_size) - 1)

    def torch(self, x: Operand) -> Code:
        return call("F.max_pool2d", x, *self._all_arguments())

    def module(self, x: Shape) -> Code:
        return call("nn.MaxPool2d", *self._all_arguments())

    def _all_arguments(self) -> tuple[Hole | Keyword, ...]:
        return (
            *self._arguments(),
            Keyword("dilation", alike(self.dilation), 1),
            Keyword("ceil_mode", self.ceil_mode, False),
        )

    def onnx(self, graph: Graph, x: Operand) -> Any:
        window, operand = self.window(), str(x)
        ends = zip(self.kernel_size, window.begin, window.end, strict=True)
        if any(max(b, e) >= k for k, b, e in ends):  # more than onnxruntime lets MaxPool pad itself
            operand, window = _onnx_pad(graph, x, window, -inf), window.unpadded()
        elif graph.made_by(x) not in COMPUTES:
            # onnxruntime folds a zero Pad into the -inf padding of a MaxPool behind it: keep them apart
            operand = graph.node("Max", x, x)
        return graph.node(
            "MaxPool",
            operand,
            ceil_mode=0,
            storage_order=0,
            dilations=list(self.dilation),
            kernel_shape=list(self.kernel_size),
            pads=list(window.padding),
            strides=list(window.stride),
        )

    samples = (
        sample((2, 3, 6, 7), kernel_size=(2, 2), flops=162),
        sample((1, 2, 7, 6), kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), flops=200),
        sample((1, 2, 6, 5), kernel_size=(3, 3), stride=(2, 2), ceil_mode=True),
        sample((1, 2, 5, 6), kernel_size=(2, 2), stride=(3, 2), padding=(1, 1), ceil_mode=True),
        sample((1, 2, 4, 5), kernel_size=(1, 1), stride=(2, 3), ceil_mode=True),
        sample(
            (1, 2, 7, 8), kernel_size=(2, 3), stride=(2, 1), padding=(1, 1), dilation=(3, 2), ceil_mode=True
        ),
        sample((2, 7, 8), kernel_size=(2, 2), rejects="x", without=("torch",)),  # torch has no N there
        sample(integers((1, 2, 7, 8), 9), kernel_size=(2, 2), rejects="x", without=("torch",)),  # not in ONNX
        sample((1, 2, 7, 8), kernel_size=(2, 0), rejects="kernel_size"),
        sample((1, 2, 7, 8), kernel_size=(2, 2), stride=(0, 1), rejects="stride"),
        sample((1, 2, 7, 8), kernel_size=(2, 2), dilation=(0, 1), rejects="dilation"),
        sample((1, 2, 7, 8), kernel_size=(3, 3), padding=(1, 2), rejects="padding"),
        sample((1, 2, 7, 8), kernel_size=(3, 3), padding=(-1, 0), rejects="padding"),
        sample((1, 2, 3, 4), kernel_size=(3, 5), rejects="kernel_size"),
        sample((1, 2, 4, 5), kernel_size=(2, 3), dilation=(2, 3), rejects="kernel_size"),
        sample(
            (1, 2, 1, 8),
            kernel_size=(2, 2),
            padding=(1, 1),
            dilation=(2, 1),
            rejects="dilation",
            without=("torch",),
        ),  # torch gives -inf
    )


def _meets_map(window: Window, axis: int, n: AnyDim, positions: AnyDim) -> bool:
    """That each window has an element on the map; a map of at least `dilation` elements is always met."""
    size, count = value(n), value(positions)
    if size is None or count is None:
        return at_least(n, window.dilation[axis])
    starts = range(-window.begin[axis], count * window.stride[axis] - window.begin[axis], window.stride[axis])
    reach = range(0, window.extent[axis], window.dilation[axis])
    return all(any(0 <= start + i < size for i in reach) for start in starts)


def _onnx_pad(graph: Graph, x: Operand, window: Window, amount: float) -> str:
    pads = graph.constant([0, 0, *window.begin, 0, 0, *window.end], "int64")
    out: str = graph.node("Pad", x, pads, graph.constant(amount, x.dtype), mode="constant")
    return out


@register("avg_pool2d")
class AvgPool2d(Pooling):
    """y[p, q] = the sum of x in the window at p, q over the number of elements there.

    That number counts `padding` unless count_include_pad is false, but never what ceil_mode adds.
    dx adds g / number to each element of a window.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AvgPool2d.html
    """

    kernel_size: tuple[int, int]
    stride: tuple[int, int] | None = None
    padding: tuple[int, int] = (0, 0)
    ceil_mode: bool = False
    count_include_pad: bool = True

    aliases = ("AvgPool2d",)
    short = "avgpool"

    def forward(self, x: Array) -> Array:
        window = self.window()
        ends = tuple(zip(window.begin, window.end, strict=True))
        padded = np.pad(x, ((0, 0), (0, 0), *ends))
        positions = window.positions(x.shape[2:])
        y = np.zeros((*x.shape[:2], *positions), x.dtype)
        for offset in window.offsets():
            y += window.view(padded, offset, positions)
        return self._divide(y, x.shape[2:])

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        """Rows and columns are spread in turn: a window sum is a sum of row sums."""
        window, share = self.window(), self._divide(g, x.shape[2:])
        rows = [((i, 0), share) for i in range(self.kernel_size[0])]
        tall = window.only(0).spread(rows, (x.shape[2], share.shape[3]))
        columns = [((0, j), tall) for j in range(self.kernel_size[1])]
        return (window.only(1).spread(columns, x.shape[2:]),)

    def _divide(self, sums: Array, sizes: Shape) -> Array:
        """The window sums, each over the number of elements of its window."""
        for axis, n in enumerate(sizes):
            counts = np.asarray(self._counts(axis, n), sums.dtype)
            sums = sums / (counts.reshape(-1, 1) if axis == 0 else counts)
        return sums

    def _counts(self, axis: int, n: AnyDim) -> list[int]:
        """The number of elements of each window along `axis`; a single number where all are whole."""
        window, k, p = self.window(), self.kernel_size[axis], self.padding[axis]
        if window.end[axis] == 0 or (self.count_include_pad and not self.ceil_mode):
            return [k]
        size, positions = value(n), value(window.only(axis).positions((n, n))[axis])
        if size is None or positions is None:
            raise Mismatch("x", f"the gradient of {self.name} with padding needs a known size, not {n}")
        low, high = (-p, size + p) if self.count_include_pad else (0, size)
        starts = range(-p, positions * window.stride[axis] - p, window.stride[axis])
        return [min(start + k, high) - max(start, low) for start in starts]

    def flops(self, y: Shape, x: Shape) -> Any:
        return prod(y) * prod(self.kernel_size)

    def torch(self, x: Operand) -> Code:
        return call("F.avg_pool2d", x, *self._all_arguments())

    def module(self, x: Shape) -> Code:
        return call("nn.AvgPool2d", *self._all_arguments())

    def _all_arguments(self) -> tuple[Hole | Keyword, ...]:
        return (
            *self._arguments(),
            Keyword("ceil_mode", self.ceil_mode, False),
            Keyword("count_include_pad", self.count_include_pad, True),
        )

    def onnx(self, graph: Graph, x: Operand) -> Any:
        require_float32("AveragePool", x)
        window, operand, counted = self.window(), str(x), self.count_include_pad
        if counted and window.end != window.begin:  # ONNX would count what ceil_mode adds
            declared = replace(window, end=window.begin)
            operand = _onnx_pad(graph, x, declared, 0.0) if any(window.begin) else operand
            added = tuple(e - b for b, e in zip(window.begin, window.end, strict=True))
            window, counted = replace(window, begin=(0, 0), end=added), False
        dilations = [1, 1] if graph.opset >= 19 else None
        return graph.node(
            "AveragePool",
            operand,
            ceil_mode=0,
            count_include_pad=int(counted),
            kernel_shape=list(self.kernel_size),
            pads=list(window.padding),
            strides=list(window.stride),
            dilations=dilations,
        )

    samples = (
        sample((2, 3, 6, 7), kernel_size=(2, 2), flops=216),
        sample((1, 2, 7, 6), kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), flops=240),
        sample((1, 2, 7, 6), kernel_size=(3, 2), stride=(2, 1), padding=(1, 1), count_include_pad=False),
        sample((1, 2, 6, 5), kernel_size=(3, 3), stride=(2, 3), ceil_mode=True),
        sample((1, 2, 6, 5), kernel_size=(3, 4), stride=(2, 2), padding=(1, 2), ceil_mode=True),
        sample(
            (1, 2, 6, 5),
            kernel_size=(3, 2),
            stride=(2, 3),
            padding=(1, 1),
            ceil_mode=True,
            count_include_pad=False,
        ),
        sample((1, 2, 4, 5), kernel_size=(1, 1), stride=(2, 3), ceil_mode=True),
        sample((2, 7, 8), kernel_size=(2, 2), rejects="x", without=("torch",)),  # torch has no N there
        sample((1, 2, 7, 8), kernel_size=(0, 2), rejects="kernel_size"),
        sample((1, 2, 7, 8), kernel_size=(2, 2), stride=(1, 0), rejects="stride"),
        sample((1, 2, 7, 8), kernel_size=(3, 3), padding=(2, 1), rejects="padding"),
        sample((1, 2, 7, 8), kernel_size=(3, 3), padding=(0, -1), rejects="padding"),
        sample((1, 2, 3, 4), kernel_size=(4, 2), rejects="kernel_size"),
    )
