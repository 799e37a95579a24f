"""The largest of each window: max_pool1d, max_pool2d and max_pool3d."""

from __future__ import annotations

from dataclasses import replace
from math import inf, prod
from typing import Any

from netc.budget import spend
from netc.dims import AnyDim, Shape, at_least, value
from netc.ops.arrays import np
from netc.ops.code import Hole, Keyword
from netc.ops.contract import Array, Graph, Operand, given, integers, register, require, sample
from netc.ops.index_range import IndexRange, Known
from netc.ops.notation import apply, function
from netc.ops.pool import Pooling, onnx_pad
from netc.ops.window import Window

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


class MaxPooling(Pooling):
    """What max_pool1d, max_pool2d and max_pool3d share."""

    return_indices: bool
    short = "maxpool"
    dilated = True

    def shape(self, x: Shape) -> Shape | list[Shape]:
        y: Shape = super().shape(x)
        window = self.window()
        for axis, d in enumerate(window.dilation):
            if any(window.padding) and d > 1:
                require(
                    _meets_map(window, axis, x[axis + 2], y[axis + 2]),
                    "dilation",
                    f"with dilation {d}, a window on an axis of {x[axis + 2]} can lie in padding alone",
                )
        return [y, y] if self.return_indices else y

    def dtype(self, x: str) -> str | tuple[str, ...]:
        made = super().dtype(x)
        return (str(made), "int64") if self.return_indices else made

    def index_range(self, known: Known, x: Shape) -> IndexRange | tuple[IndexRange | None, ...] | None:
        """The place of the last element that a window covers, where all windows lie on the map."""
        if not self.return_indices:
            return None
        window = self.window()
        place: AnyDim = 0
        if any(window.padding):
            return None, None
        for n, last in zip(x[2:], window.reached(window.positions(x[2:])), strict=True):
            place = place * n + last - 1
        return None, IndexRange(place + 1)

    def forward(self, x: Array) -> Array:
        return self._found(x) if self.return_indices else self._largest(x)

    def _largest(self, x: Array) -> Array:
        window = self.window()
        padded, positions = _np_pad(x, window, -inf), window.positions(x.shape[2:])
        y = np.full((*x.shape[:2], *positions), -inf, x.dtype)
        for offset in window.offsets():
            np.maximum(y, window.view(padded, offset, positions), out=y)
        return y

    def _found(self, x: Array) -> tuple[Array, Array]:
        """The largest of each window and where on the map it is, row by row; the first where several are."""
        window, sizes = self.window(), x.shape[2:]
        places = np.arange(prod(sizes), dtype="int64").reshape(1, 1, *sizes)
        padded, places = _np_pad(x, window, -inf), _np_pad(places, window, -1)
        positions = window.positions(sizes)
        y = np.full((*x.shape[:2], *positions), -inf, x.dtype)
        found = np.full(y.shape, -1, "int64")
        for offset in window.offsets():
            element, place = (window.view(a, offset, positions) for a in (padded, places))
            better = (element > y) | np.isnan(element) | (found < 0)
            y, found = np.where(better, element, y), np.where(better, place, found)
        return y, found

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        if self.return_indices:
            (g, _), (_, found) = g, y
        else:
            also: dict[str, Any] = {"return_indices": True}
            _, found = apply(replace(self, **also), x)
        flat, positions = (*x.shape[:2], prod(x.shape[2:])), (*x.shape[:2], prod(found.shape[2:]))
        zeros = function("full_like", x, fill_value=0.0).reshape(flat)
        parts = found.reshape(positions), g.reshape(positions)
        return (function("scatter_add", zeros, *parts, axis=2).reshape(tuple(x.shape)),)

    def branch(self, x: Array) -> Array:
        return self._found(x)[1]

    def flops(self, y: Any, x: Shape) -> Any:
        window = self.window()
        return prod((*x[:2], *window.positions(x[2:]))) * (prod(window.kernel) - 1)

    def arguments(self) -> tuple[Hole | Keyword, ...]:
        return (
            *super().arguments(),
            Keyword("dilation", self._dilation(), 1),
            Keyword("ceil_mode", self.ceil_mode, False),
            Keyword("return_indices", self.return_indices, False),
        )

    def _dilation(self) -> Any:
        dilation = self.window().dilation
        return dilation[0] if len(set(dilation)) == 1 else dilation

    def onnx(self, graph: Graph, x: Operand) -> Any:
        window, operand, sizes = self.window(), str(x), x.shape[2:]
        ends = zip(window.kernel, window.begin, window.end, strict=True)
        if any(max(b, e) >= k for k, b, e in ends):  # more than onnxruntime lets MaxPool pad itself
            operand, sizes = onnx_pad(graph, x, window, -inf), window.padded(sizes)
            window = window.unpadded()
        elif graph.made_by(x) not in COMPUTES:
            # onnxruntime folds a zero Pad into the -inf padding of a MaxPool behind it: keep them apart
            operand = graph.node("Max", x, x)
        made = graph.node(
            "MaxPool",
            operand,
            outputs=1 + self.return_indices,
            ceil_mode=0,
            storage_order=0,
            dilations=list(window.dilation),
            kernel_shape=list(window.kernel),
            pads=list(window.padding),
            strides=list(window.stride),
        )
        if not self.return_indices:
            return made
        return made[0], self._onnx_places(graph, made[1], sizes, x.shape[2:])

    def _onnx_places(self, graph: Graph, found: str, pooled: Shape, sizes: Shape) -> str:
        """Positions on each map of `sizes`, from ONNX's on all maps of `pooled` sizes in a row."""
        if pooled == sizes:
            return str(graph.node("Mod", found, graph.sizes((prod(sizes),))))
        total = ""
        for axis, begin in enumerate(self.window().begin):
            behind, here = graph.sizes((prod(pooled[axis + 1 :]),)), graph.sizes((pooled[axis],))
            place = graph.node("Mod", graph.node("Div", found, behind), here)
            place = graph.node("Sub", place, graph.constant([begin], "int64"))
            place = graph.node("Mul", place, graph.sizes((prod(sizes[axis + 1 :]),)))
            total = graph.node("Add", total, place) if total else place
        return total


def _np_pad(x: Array, window: Window, amount: float) -> Array:
    ends = tuple(zip(window.begin, window.end, strict=True))
    return np.pad(x, ((0, 0), (0, 0), *ends), constant_values=amount)


def _meets_map(window: Window, axis: int, n: AnyDim, positions: AnyDim) -> bool:
    """That each window has an element on the map; a map of at least `dilation` elements is always met."""
    size, count = value(n), value(positions)
    if size is None or count is None:
        return at_least(n, window.dilation[axis])
    begin, stride, dilation = window.begin[axis], window.stride[axis], window.dilation[axis]
    last = (count - 1) * stride - begin
    before = range(
        -begin, min(last + 1, 0), stride
    )  # the windows that begin in padding; `start % dilation` is on the map
    spend(len(before))
    reached = all(
        start % dilation < size and start % dilation - start < window.extent[axis] for start in before
    )
    return reached and last < size


LARGE_FIRST = given(((9.0, 1.0, 2.0, 3.0, 0.5, 8.0),))  # what padding would show


@register("max_pool1d")
class MaxPool1d(MaxPooling):
    """y[p] = the largest of x in the window at p; padding counts as -inf.

    The stride is kernel_size unless given. return_indices gives a second output: where on its axis each
    largest is. A NaN wins in torch and here; ONNX leaves it open.
    Shape: x [N, C, L] -> y [N, C, (L + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1]; ceil_mode
    rounds up and drops a last window that begins behind the map.
    Gradient: dx = g at the first largest element of each window.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool1d.html
    """

    analytic = True

    kernel_size: int
    stride: int | None = None
    padding: int = 0
    dilation: int = 1
    ceil_mode: bool = False
    return_indices: bool = False

    aliases = ("MaxPool1d",)
    samples = (
        sample((2, 3, 7), kernel_size=2, flops=18),
        sample((1, 2, 7), kernel_size=3, stride=2, padding=1),
        sample((1, 2, 6), kernel_size=3, stride=2, ceil_mode=True),
        sample((1, 2, 5), kernel_size=2, stride=3, padding=1, ceil_mode=True),
        sample((1, 2, 8), kernel_size=2, stride=1, padding=1, dilation=3),
        sample((2, 1, 5), kernel_size=1, stride=3, ceil_mode=True),
        sample((1, 1, 1), kernel_size=1),
        sample((2, 2, 7), kernel_size=3, stride=2, return_indices=True, flops=24),
        sample((2, 2, 7), kernel_size=2, padding=1, ceil_mode=True, return_indices=True),
        sample((1, 3, 6), kernel_size=2, stride=3, padding=1, ceil_mode=True, return_indices=True),
        sample(LARGE_FIRST, kernel_size=2, padding=1, dilation=2, ceil_mode=True, return_indices=True),
        sample((1, 2, 9), kernel_size=4, stride=2, padding=2, dilation=2),
        sample((7, 8), kernel_size=2, rejects="x", without=("torch",)),  # torch has no N there
        sample(integers((1, 2, 8), 9), kernel_size=2, rejects="x", without=("torch",)),  # not in ONNX
        sample((1, 2, 8), kernel_size=0, rejects="kernel_size"),
        sample((1, 2, 8), kernel_size=9, rejects="kernel_size"),
        sample((1, 2, 8), kernel_size=2, stride=0, rejects="stride"),
        sample((1, 2, 8), kernel_size=2, dilation=0, rejects="dilation"),
        sample((1, 2, 8), kernel_size=3, padding=2, rejects="padding"),
        sample((1, 2, 8), kernel_size=3, padding=-1, rejects="padding"),
        # torch gives -inf
        sample((1, 2, 1), kernel_size=2, padding=1, dilation=2, rejects="dilation", without=("torch",)),
    )


@register("max_pool2d")
class MaxPool2d(MaxPooling):
    """y[p, q] = the largest of x in the window at p, q; padding counts as -inf.

    The stride is kernel_size unless given. return_indices gives a second output: where on its map, counted
    row by row, each largest is. A NaN wins in torch and here; ONNX leaves it open.
    Shape: x [N, C, H, W] -> y [N, C, (H + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1, and so
    W]; ceil_mode rounds up and drops a last window that begins behind the map.
    Gradient: dx = g at the first largest element of each window, row by row.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool2d.html
    """

    analytic = True

    kernel_size: tuple[int, int]
    stride: tuple[int, int] | None = None
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    ceil_mode: bool = False
    return_indices: bool = False

    aliases = ("MaxPool2d",)
    samples = (
        sample((2, 3, 6, 7), kernel_size=2, flops=162),
        sample((1, 2, 7, 6), kernel_size=(3, 2), stride=(2, 1), padding=(1, 0), flops=200),
        sample((1, 2, 6, 5), kernel_size=3, stride=2, ceil_mode=True),
        sample((1, 2, 5, 6), kernel_size=2, stride=(3, 2), padding=1, ceil_mode=True),
        sample((1, 2, 4, 5), kernel_size=1, stride=(2, 3), ceil_mode=True),
        sample((1, 2, 7, 8), kernel_size=(2, 3), stride=(2, 1), padding=1, dilation=(3, 2), ceil_mode=True),
        sample((1, 1, 1, 1), kernel_size=3, padding=1),
        sample((2, 2, 5, 4), kernel_size=(3, 2), stride=(2, 1), padding=1, return_indices=True, flops=300),
        sample((1, 2, 5, 6), kernel_size=2, stride=3, padding=1, ceil_mode=True, return_indices=True),
        sample((1, 3, 6, 5), kernel_size=(2, 1), stride=(1, 2), dilation=(2, 1), return_indices=True),
        sample((3, 1, 2, 9), kernel_size=(2, 4), stride=(1, 3)),
        sample((2, 7, 8), kernel_size=2, rejects="x", without=("torch",)),  # torch has no N there
        sample(integers((1, 2, 7, 8), 9), kernel_size=2, rejects="x", without=("torch",)),  # not in ONNX
        sample((1, 2, 7, 8), kernel_size=(2, 0), rejects="kernel_size"),
        sample((1, 2, 7, 8), kernel_size=2, stride=(0, 1), rejects="stride"),
        sample((1, 2, 7, 8), kernel_size=2, dilation=(0, 1), rejects="dilation"),
        sample((1, 2, 7, 8), kernel_size=3, padding=(1, 2), rejects="padding"),
        sample((1, 2, 7, 8), kernel_size=3, padding=(-1, 0), rejects="padding"),
        sample((1, 2, 3, 4), kernel_size=(3, 5), rejects="kernel_size"),
        sample((1, 2, 4, 5), kernel_size=(2, 3), dilation=(2, 3), rejects="kernel_size"),
        # torch gives -inf
        sample((1, 2, 1, 8), kernel_size=2, padding=1, dilation=2, rejects="dilation", without=("torch",)),
    )


@register("max_pool3d")
class MaxPool3d(MaxPooling):
    """y[p, q, r] = the largest of x in the window at p, q, r; padding counts as -inf.

    The stride is kernel_size unless given. return_indices gives a second output: where on its map, counted
    row by row, each largest is. A NaN wins in torch and here; ONNX leaves it open.
    Shape: x [N, C, D, H, W] -> y [N, C, D', H', W'], each of the three as
    D' = (D + 2 padding - dilation (kernel_size - 1) - 1) // stride + 1; ceil_mode rounds up and drops a last
    window that begins behind the map.
    Gradient: dx = g at the first largest element of each window, row by row.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxPool3d.html
    """

    analytic = True

    kernel_size: tuple[int, int, int]
    stride: tuple[int, int, int] | None = None
    padding: tuple[int, int, int] = (0, 0, 0)
    dilation: tuple[int, int, int] = (1, 1, 1)
    ceil_mode: bool = False
    return_indices: bool = False

    aliases = ("MaxPool3d",)
    samples = (
        sample((2, 2, 4, 3, 5), kernel_size=2, flops=112),
        sample((1, 2, 3, 5, 4), kernel_size=(1, 3, 2), stride=(2, 2, 1), padding=(0, 1, 1)),
        sample((1, 2, 5, 4, 6), kernel_size=3, stride=2, ceil_mode=True, padding=1),
        sample((1, 1, 3, 4, 5), kernel_size=2, stride=(3, 2, 1), padding=1, ceil_mode=True),
        sample((1, 1, 4, 5, 6), kernel_size=(2, 2, 3), dilation=(3, 1, 2), stride=1),
        sample((1, 2, 4, 5, 6), kernel_size=(3, 2, 3), dilation=(1, 2, 2), stride=2, padding=1),
        sample((1, 2, 1, 1, 1), kernel_size=1),
        sample((2, 2, 4, 3, 5), kernel_size=(2, 3, 2), stride=(1, 1, 2), return_indices=True, flops=264),
        sample((1, 2, 3, 4, 5), kernel_size=2, padding=1, ceil_mode=True, return_indices=True),
        sample((1, 1, 4, 2, 5), kernel_size=2, stride=3, padding=1, ceil_mode=True, return_indices=True),
        sample((2, 1, 2, 3, 7), kernel_size=(1, 1, 4), stride=(1, 2, 3)),
        sample((2, 4, 3, 5), kernel_size=2, rejects="x", without=("torch",)),  # torch has no N there
        sample(integers((1, 2, 4, 3, 5), 9), kernel_size=2, rejects="x", without=("torch",)),  # not in ONNX
        sample((1, 2, 4, 3, 5), kernel_size=(2, 2, 0), rejects="kernel_size"),
        sample((1, 2, 4, 3, 5), kernel_size=(2, 4, 2), rejects="kernel_size"),
        sample((1, 2, 4, 3, 5), kernel_size=2, stride=(1, 0, 1), rejects="stride"),
        sample((1, 2, 4, 3, 5), kernel_size=2, dilation=(1, 1, 0), rejects="dilation"),
        sample((1, 2, 4, 3, 5), kernel_size=2, padding=(0, 2, 0), rejects="padding"),
        sample((1, 2, 4, 3, 5), kernel_size=2, padding=(0, 0, -1), rejects="padding"),
        # torch gives -inf
        sample((1, 2, 1, 3, 4), kernel_size=2, padding=1, dilation=2, rejects="dilation", without=("torch",)),
    )
