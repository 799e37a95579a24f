"""Windows as columns and back: unfold (im2col) and fold (col2im)."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import AnyDim, Shape, divides, same, show
from netc.ops.arrays import np
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import Array, Graph, Op, Operand, integers, register, require, sample
from netc.ops.notation import function
from netc.ops.window import Window, alike, require_fit, require_float32, require_least, require_map


class Columns(Op):
    """What unfold and fold share."""

    kernel_size: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]
    stride: tuple[int, int]
    analytic = True

    def window(self) -> Window:
        return Window(self.kernel_size, self.stride, self.dilation, self.padding, self.padding)

    def require_window(self, sizes: Shape) -> Window:
        """The window, which fits on a map of `sizes`."""
        require_least(1, kernel_size=self.kernel_size, dilation=self.dilation, stride=self.stride)
        require_least(0, padding=self.padding)
        require_fit(self.window(), sizes)
        return self.window()

    def steps(self) -> dict[str, Any]:
        """The attributes of the window."""
        return {name: getattr(self, name) for name in ("kernel_size", "dilation", "padding", "stride")}

    def arguments(self) -> tuple[Hole | Keyword, ...]:
        defaults = {"dilation": 1, "padding": 0, "stride": 1}
        steps = (Keyword(name, alike(getattr(self, name)), default) for name, default in defaults.items())
        return (Hole(alike(self.kernel_size), "kernel_size"), *steps)


@register("unfold")
class Unfold(Columns):
    """y[c k + i, p] = element i of the window at p on channel c; k is the number of elements of a window.

    Elements and positions are counted row by row. A convolution is a matrix product with these columns.
    Shape: x [N, C, H, W] -> y [N, C k, L], where L is the number of positions, of which H gives
    (H + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1, and so W.
    Gradient: dx is g folded: added up where its elements come from.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Unfold.html
    """

    kernel_size: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    stride: tuple[int, int] = (1, 1)

    aliases = ("Unfold",)

    def shape(self, x: Shape) -> Shape:
        require_map(self.name, x, 4)
        window = self.require_window(x[2:])
        return (x[0], x[1] * prod(self.kernel_size), prod(window.positions(x[2:])))

    def forward(self, x: Array) -> Array:
        window = self.window()
        padded = np.pad(x, ((0, 0), (0, 0), *zip(window.begin, window.end, strict=True)))
        positions = window.positions(x.shape[2:])
        parts = [window.view(padded, offset, positions) for offset in window.offsets()]
        return np.stack(parts, 2).reshape(self.shape(x.shape))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (function("fold", g, output_size=tuple(x.shape[2:]), **self.steps()),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        return call("F.unfold", x, *self.arguments())

    def module(self, x: Shape) -> Code:
        return call("nn.Unfold", *self.arguments())

    def onnx(self, graph: Graph, x: Operand) -> Any:
        """By two Gathers, of rows and of columns, for ONNX has no node for it."""
        out: str = x
        if any(self.padding):
            pads = graph.constant([0, 0, *self.padding, 0, 0, *self.padding], "int64")
            out = graph.node("Pad", x, pads, graph.constant(0.0, x.dtype), mode="constant")
        positions = self.window().positions(x.shape[2:])
        for axis in (1, 0):  # [N, C, H, W] -> [N, C, H, j, q] -> [N, C, i, p, j, q]
            out = graph.node("Gather", out, self._onnx_places(graph, axis, positions[axis]), axis=axis + 2)
        out = graph.node("Transpose", out, perm=[0, 1, 2, 4, 3, 5])
        return graph.node("Reshape", out, graph.sizes(self.shape(x.shape)), allowzero=0)

    def _onnx_places(self, graph: Graph, axis: int, count: AnyDim) -> str:
        """Where on an axis the elements of the windows are, [elements, positions]."""
        k, d, s = self.kernel_size[axis], self.dilation[axis], self.stride[axis]
        if isinstance(count, int):
            return graph.constant([[i * d + p * s for p in range(count)] for i in range(k)], "int64")
        last = graph.node("Squeeze", graph.sizes((count,)), graph.constant([0], "int64"))
        steps = graph.node("Range", graph.constant(0, "int64"), last, graph.constant(1, "int64"))
        starts = graph.node("Mul", steps, graph.constant(s, "int64"))
        places: str = graph.node("Add", graph.constant([[i * d] for i in range(k)], "int64"), starts)
        return places

    samples = (
        sample((2, 3, 4, 5), kernel_size=(2, 3), flops=0),
        sample((1, 2, 5, 6), kernel_size=2, stride=(2, 3)),
        sample((1, 2, 4, 3), kernel_size=3, padding=1),
        sample((1, 2, 5, 7), kernel_size=(2, 3), dilation=(3, 2), stride=(1, 2)),
        sample((2, 1, 3, 4), kernel_size=(3, 4)),
        sample((1, 3, 2, 3), kernel_size=1),
        sample((1, 1, 1, 1), kernel_size=1, padding=(1, 0)),
        sample((1, 2, 3, 4), kernel_size=(4, 2), padding=(2, 1), stride=3, dilation=(1, 3)),
        sample((3, 1, 2, 5), kernel_size=(1, 2), stride=(1, 2)),
        sample((1, 2, 6, 4), kernel_size=(2, 4), stride=(5, 1), padding=(0, 3)),
        sample((3, 4, 5), kernel_size=2, rejects="x", without=("torch",)),  # torch has no N there
        sample(integers((1, 3, 4, 5), 9), kernel_size=2, rejects="x", without=("torch",)),  # torch takes them
        sample((1, 3, 4, 5), kernel_size=(2, 0), rejects="kernel_size"),
        sample((1, 3, 4, 5), kernel_size=(5, 2), rejects="kernel_size"),
        sample((1, 3, 4, 5), kernel_size=3, dilation=2, rejects="kernel_size"),
        sample((1, 3, 4, 5), kernel_size=2, dilation=(1, 0), rejects="dilation"),
        sample((1, 3, 4, 5), kernel_size=2, stride=(0, 1), rejects="stride"),
        sample((1, 3, 4, 5), kernel_size=2, padding=(0, -1), rejects="padding"),
    )


@register("fold")
class Fold(Columns):
    """y[c, h, w] = the sum of all x[c k + i, p] whose element i of the window at p lies at h, w.

    k is the number of elements of a window; elements and positions are counted row by row. It is the adjoint
    of unfold, not its inverse: where windows overlap, it adds.
    Shape: x [N, C k, L] -> y [N, C, *output_size], where L is the number of positions on output_size.
    Gradient: dx is g unfolded.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Fold.html
    """

    output_size: tuple[AnyDim, AnyDim]
    kernel_size: tuple[int, int]
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    stride: tuple[int, int] = (1, 1)

    aliases = ("Fold",)

    def shape(self, x: Shape) -> Shape:
        require(len(x) == 3, "x", f"x is {show(x)}, but {self.name} takes 3 axes: [N, C k, L]")
        require_least(1, output_size=self.output_size)
        window = self.require_window(self.output_size)
        k = prod(self.kernel_size)
        require(
            divides(k, x[1]), "x", f"the {x[1]} rows of x are no multiple of the {k} elements of a window"
        )
        count = prod(window.positions(self.output_size))
        require(same(x[2], count), "x", f"x has {x[2]} columns, but there are {count} windows on the map")
        return (x[0], x[1] // k, *self.output_size)

    def forward(self, x: Array) -> Array:
        window, (n, channels, *sizes) = self.window(), self.shape(x.shape)
        positions = window.positions(tuple(sizes))
        parts = x.reshape(n, channels, prod(self.kernel_size), *positions)
        padded: Any = window.padded(tuple(sizes))
        y = np.zeros((n, channels, *padded), x.dtype)
        for i, offset in enumerate(window.offsets()):
            view = window.view(y, offset, positions)
            view += parts[:, :, i]
        (top, left), (h, w) = self.padding, sizes
        return y[:, :, top : top + h, left : left + w]

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (function("unfold", g, **self.steps()),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return prod(x)

    def torch(self, x: Operand) -> Code:
        return call("F.fold", x, Hole(self.output_size, "output_size"), *self.arguments())

    def module(self, x: Shape) -> Code:
        return call("nn.Fold", Hole(self.output_size, "output_size"), *self.arguments())

    def onnx(self, graph: Graph, x: Operand) -> Any:
        """By a transposed convolution with filters of a single 1 each: opset 17 has no Col2Im."""
        require_float32("ConvTranspose", x)
        window, k = self.window(), prod(self.kernel_size)
        positions = window.positions(self.output_size)
        maps = graph.sizes((x.shape[0] * (x.shape[1] // k), k, *positions))  # channels among the samples
        out = graph.node(
            "ConvTranspose",
            graph.node("Reshape", x, maps, allowzero=0),
            graph.constant(np.eye(k, dtype=x.dtype).reshape(k, 1, *self.kernel_size), x.dtype),
            kernel_shape=list(self.kernel_size),
            strides=list(self.stride),
            dilations=list(self.dilation),
            pads=[0, 0, 0, 0],
        )
        out = self._onnx_fit(graph, out, window, window.reached(positions), x.dtype)
        return graph.node("Reshape", out, graph.sizes(self.shape(x.shape)), allowzero=0)

    def _onnx_fit(self, graph: Graph, x: str, window: Window, reached: Shape, dtype: str) -> str:
        """The map behind the padding of `x`, with zeros where no window reaches."""
        rest = tuple(n - m for n, m in zip(window.padded(self.output_size), reached, strict=True))
        if rest != (0, 0):
            pads = graph.sizes((0, 0, 0, 0, 0, 0, *rest))
            x = graph.node("Pad", x, pads, graph.constant(0.0, dtype), mode="constant")
        if any(self.padding):
            ends = tuple(n + p for n, p in zip(self.output_size, self.padding, strict=True))
            starts = graph.constant(list(self.padding), "int64")
            x = graph.node("Slice", x, starts, graph.sizes(ends), graph.constant([2, 3], "int64"))
        return x

    samples = (
        sample((2, 12, 6), output_size=(3, 4), kernel_size=2, flops=144),
        sample((1, 6, 6), output_size=(5, 7), kernel_size=(2, 3), stride=(3, 2)),
        sample((1, 18, 12), output_size=(4, 3), kernel_size=3, padding=1),
        sample((1, 12, 4), output_size=(5, 7), kernel_size=(2, 3), dilation=(3, 2), stride=(1, 2)),
        sample((2, 12, 1), output_size=(3, 4), kernel_size=(3, 4)),
        sample((1, 3, 6), output_size=(2, 3), kernel_size=1),
        sample((1, 1, 3), output_size=(1, 1), kernel_size=1, padding=(1, 0)),
        sample((1, 8, 2), output_size=(3, 4), kernel_size=(4, 2), padding=(2, 1), stride=3, dilation=(1, 3)),
        sample((3, 2, 4), output_size=(2, 5), kernel_size=(1, 2), stride=(1, 2)),
        sample((1, 16, 7), output_size=(6, 4), kernel_size=(2, 4), stride=(5, 1), padding=(0, 3)),
        sample(
            (12, 6), output_size=(3, 4), kernel_size=2, rejects="x", without=("torch",)
        ),  # torch has no N there
        sample(integers((2, 12, 6), 9), output_size=(3, 4), kernel_size=2, rejects="x", without=("torch",)),
        sample((2, 13, 6), output_size=(3, 4), kernel_size=2, rejects="x"),
        sample((2, 12, 5), output_size=(3, 4), kernel_size=2, rejects="x"),
        sample((2, 12, 6), output_size=(0, 4), kernel_size=2, padding=1, rejects="output_size"),
        sample((2, 12, 6), output_size=(3, 4), kernel_size=(2, 0), rejects="kernel_size"),
        sample((2, 12, 6), output_size=(3, 4), kernel_size=(4, 2), rejects="kernel_size"),
        sample((2, 12, 6), output_size=(3, 4), kernel_size=2, dilation=(1, 0), rejects="dilation"),
        sample((2, 12, 6), output_size=(3, 4), kernel_size=2, stride=(0, 1), rejects="stride"),
        sample((2, 12, 6), output_size=(3, 4), kernel_size=2, padding=(0, -1), rejects="padding"),
    )
