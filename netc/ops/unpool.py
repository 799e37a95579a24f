"""Elements put back where max pooling found them: max_unpool1d, max_unpool2d and max_unpool3d."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import AnyDim, Shape, at_least, same, show
from netc.ops.arrays import np
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import Array, Draw, Graph, Operand, given, register, require, sample
from netc.ops.notation import function
from netc.ops.window import Window, WindowOp, alike, require_least, require_map


class MaxUnpooling(WindowOp):
    """What max_unpool1d, max_unpool2d and max_unpool3d share."""

    operands = ("x", "indices")
    short = "unpool"
    analytic = True
    kernel_size: Any
    stride: Any
    output_size: Any

    def window(self) -> Window:
        kernel, padding = self.axes("kernel_size"), self.axes("padding")
        stride = self.axes("stride") if self.stride is not None else kernel
        return Window(kernel, stride, (1,) * self.rank, padding, padding)

    def shape(self, x: Shape, indices: Shape) -> Shape:
        require_map(self.name, x, self.rank + 2)
        alike = len(indices) == len(x) and all(same(n, m) for n, m in zip(indices, x, strict=True))
        require(alike, "indices", f"indices is {show(indices)}, but each element of x, {show(x)}, needs one")
        window = self.window()
        require_least(1, kernel_size=window.kernel, stride=window.stride)
        require_least(0, padding=window.begin)
        for s, k in zip(window.stride, window.kernel, strict=True):
            overlap = "windows that overlap find an element twice, and which of them is put back is not told"
            require(s >= k, "stride", f"stride must be at least the kernel, {k}, not {s}: {overlap}")
        usual = tuple(
            n - b - e for n, b, e in zip(window.reached(x[2:]), window.begin, window.end, strict=True)
        )
        for n, p in zip(usual, window.begin, strict=True):
            require(at_least(n, 1), "padding", f"padding {p} leaves nothing of a map of {n + 2 * p}")
        if self.output_size is None:
            return (*x[:2], *usual)
        for n, m, s in zip(self.axes("output_size"), usual, window.stride, strict=True):
            near = at_least(n - m + s, 1) and at_least(m + s - n, 1) and at_least(n, 1)
            require(near, "output_size", f"output_size must be within {s - 1} of {m}, not {n}")
        return (*x[:2], *self.axes("output_size"))

    def dtype(self, x: str, indices: str) -> str | tuple[str, ...]:
        require(indices == "int64", "indices", f"indices is {indices}, but positions are int64")
        return super().dtype(x)

    def below(self, x: Shape, indices: Shape) -> tuple[AnyDim | None, ...]:
        return None, prod(self.shape(x, indices)[2:])

    def forward(self, x: Array, indices: Array) -> Array:
        shape = self.shape(x.shape, indices.shape)
        y = np.zeros((*x.shape[:2], prod(shape[2:])), x.dtype)
        np.put_along_axis(y, indices.reshape(*x.shape[:2], -1), x.reshape(*x.shape[:2], -1), 2)
        return y.reshape(shape)

    def vjp(self, g: Array, y: Array, x: Array, indices: Array) -> tuple[Array, None]:
        flat = (*x.shape[:2], prod(g.shape[2:])), (*x.shape[:2], prod(x.shape[2:]))
        found = function("gather", g.reshape(flat[0]), indices.reshape(flat[1]), axis=2)
        return found.reshape(tuple(x.shape)), None

    def flops(self, y: Shape, x: Shape, indices: Shape) -> Any:
        return 0

    def torch(self, x: Operand, indices: Operand) -> Code:
        window, size = self.window(), self.axes("output_size")
        return call(
            f"F.{self.name}",
            x,
            indices,
            Hole(alike(window.kernel), "kernel_size"),
            Keyword("stride", alike(window.stride), alike(window.kernel)),
            Keyword("padding", alike(window.begin), 0),
            Keyword("output_size", None if self.output_size is None else size, None),
        )

    def onnx(self, graph: Graph, x: Operand, indices: Operand) -> Any:
        """By ScatterElements: MaxUnpool counts positions on through all maps, and knows no float64."""
        shape = self.shape(x.shape, indices.shape)
        flat = graph.sizes((*x.shape[:2], prod(x.shape[2:])))
        parts = (graph.node("Reshape", part, flat, allowzero=0) for part in (indices, x))
        whole = graph.sizes((*shape[:2], prod(shape[2:])))
        zeros = graph.node("Expand", graph.constant(0.0, x.dtype), whole)
        made = graph.node("ScatterElements", zeros, *parts, axis=2)
        return graph.node("Reshape", made, graph.sizes(shape), allowzero=0)


def places(*values: Any) -> Draw:
    """Indices, given for one sample of the batch."""
    return given(values, dtype="int64")


@register("max_unpool1d")
class MaxUnpool1d(MaxUnpooling):
    """y[indices[p]] = x[p], and 0 elsewhere.

    indices are those of max_pool1d with return_indices, on the axis of y. Positions are distinct within a
    channel, so windows must not overlap; PyTorch refuses positions outside y when it runs.
    Shape: x [N, C, L] and indices of the same -> y [N, C, (L - 1) stride - 2 padding + kernel_size], or
    output_size, which tells apart the sizes that pooling makes L of. The stride is kernel_size unless given.
    Gradient: dx[p] = g[indices[p]].
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxUnpool1d.html
    """

    kernel_size: int
    stride: int | None = None
    padding: int = 0
    output_size: AnyDim | None = None

    aliases = ("MaxUnpool1d",)
    samples = (
        sample((1, 2, 3), places((0, 3, 4), (1, 2, 5)), kernel_size=2, flops=0),
        sample((1, 2, 2), places((0, 3), (2, 4)), kernel_size=2, output_size=5),
        sample((1, 2, 2), places((0, 2), (2, 1)), kernel_size=2, output_size=3),
        sample((1, 1, 3), places((0, 5, 10)), kernel_size=3, stride=4),
        sample((1, 1, 3), places((0, 4, 2)), kernel_size=3, padding=1),
        sample((1, 3, 1), places((0,), (1,), (2,)), kernel_size=3),
        sample((1, 1, 1), places((0,)), kernel_size=1),
        sample((1, 1, 2), places((3, 0)), kernel_size=1, stride=4),
        sample((1, 2, 3), places((0, 1, 2), (2, 0, 1)), kernel_size=2, padding=1),
        sample((1, 1, 2), places((6, 1)), kernel_size=4, stride=5, output_size=12),
        sample(
            (2, 3), given((0, 3, 4), (1, 2, 5), dtype="int64"), kernel_size=2, rejects="x", without=("torch",)
        ),
        sample((1, 2, 3), places((0, 3), (1, 2)), kernel_size=2, rejects="indices"),
        sample((1, 1, 2), given(0, 3, dtype="int64"), kernel_size=2, rejects="indices"),
        sample((1, 1, 2), given(((0, 3),), dtype="int32"), kernel_size=2, rejects="indices"),
        sample(
            given(((1, 2),), dtype="int64"), places((0, 3)), kernel_size=2, rejects="x", without=("torch",)
        ),
        sample((1, 1, 2), places((0, 1)), kernel_size=0, stride=2, rejects="kernel_size", without=("torch",)),
        sample((1, 1, 2), places((0, 1)), kernel_size=2, stride=0, rejects="stride", without=("torch",)),
        sample((1, 1, 2), places((0, 1)), kernel_size=2, padding=-1, rejects="padding", without=("torch",)),
        sample((1, 1, 2), places((0, 1)), kernel_size=2, padding=2, rejects="padding", without=("torch",)),
        sample(
            (1, 1, 2), places((0, 1)), kernel_size=3, stride=2, rejects="stride", without=("torch",)
        ),  # torch guesses
        sample((1, 1, 2), places((0, 1)), kernel_size=2, output_size=6, rejects="output_size"),
        sample((1, 1, 2), places((0, 1)), kernel_size=2, output_size=2, rejects="output_size"),
    )


@register("max_unpool2d")
class MaxUnpool2d(MaxUnpooling):
    """y at indices[p, q], counted row by row, = x[p, q], and 0 elsewhere.

    indices are those of max_pool2d with return_indices. Positions are distinct within a channel, so
    windows must not overlap; PyTorch refuses positions outside y when it runs.
    Shape: x [N, C, H, W] and indices of the same -> y [N, C, (H - 1) stride - 2 padding + kernel_size, and so
    W], or output_size, which tells apart the sizes that pooling makes H and W of. The stride is kernel_size
    unless given.
    Gradient: dx[p, q] = g at indices[p, q].
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxUnpool2d.html
    """

    kernel_size: tuple[int, int]
    stride: tuple[int, int] | None = None
    padding: tuple[int, int] = (0, 0)
    output_size: tuple[AnyDim, AnyDim] | None = None

    aliases = ("MaxUnpool2d",)
    samples = (
        sample(
            (1, 1, 2, 3), places(((0, 3, 5), (13, 20, 17))), kernel_size=(2, 2), output_size=(4, 7), flops=0
        ),
        sample((1, 2, 1, 2), places(((5, 2),), ((0, 7),)), kernel_size=2),
        sample((1, 1, 2, 2), places(((0, 4), (10, 14))), kernel_size=2, output_size=(3, 5)),
        sample((1, 1, 2, 2), places(((0, 4), (20, 24))), kernel_size=3, stride=(3, 4)),
        sample((1, 1, 2, 2), places(((0, 2), (6, 8))), kernel_size=3, padding=1),
        sample((1, 3, 1, 1), places(((1,),), ((0,),), ((3,),)), kernel_size=2),
        sample((1, 1, 1, 1), places(((0,),)), kernel_size=1),
        sample((1, 1, 2, 1), places(((0,), (6,))), kernel_size=1, stride=(3, 2), output_size=(4, 2)),
        sample((1, 1, 1, 3), places(((1, 0, 2),)), kernel_size=(1, 3), padding=(0, 1)),
        sample((1, 1, 2, 2), places(((11, 1), (2, 5))), kernel_size=(1, 3), stride=(2, 3)),
        sample(
            (1, 1, 2), places((0, 3)), kernel_size=2, rejects="x", without=("torch",)
        ),  # torch has no N there
        sample((1, 1, 1, 2), places(((0,), (3,))), kernel_size=2, rejects="indices"),
        sample((1, 1, 1, 2), places((0, 3)), kernel_size=2, rejects="indices"),
        sample((1, 1, 1, 2), given((((0, 3),),), dtype="int32"), kernel_size=2, rejects="indices"),
        sample(places(((1, 2),)), places(((0, 3),)), kernel_size=2, rejects="x", without=("torch",)),
        sample(
            (1, 1, 1, 2),
            places(((0, 1),)),
            kernel_size=(2, 0),
            stride=2,
            rejects="kernel_size",
            without=("torch",),
        ),
        sample(
            (1, 1, 1, 2),
            places(((0, 1),)),
            kernel_size=2,
            stride=(1, 0),
            rejects="stride",
            without=("torch",),
        ),
        sample(
            (1, 1, 1, 2),
            places(((0, 1),)),
            kernel_size=2,
            padding=(0, -1),
            rejects="padding",
            without=("torch",),
        ),
        sample(
            (1, 1, 1, 2),
            places(((0, 1),)),
            kernel_size=2,
            padding=(1, 0),
            rejects="padding",
            without=("torch",),
        ),
        sample(
            (1, 1, 1, 2), places(((0, 1),)), kernel_size=3, stride=2, rejects="stride", without=("torch",)
        ),
        sample((1, 1, 1, 2), places(((0, 1),)), kernel_size=2, output_size=(2, 6), rejects="output_size"),
        sample((1, 1, 1, 2), places(((0, 1),)), kernel_size=2, output_size=(0, 4), rejects="output_size"),
    )


@register("max_unpool3d")
class MaxUnpool3d(MaxUnpooling):
    """y at indices[p, q, r], counted row by row, = x[p, q, r], and 0 elsewhere.

    indices are those of max_pool3d with return_indices. Positions are distinct within a channel, so
    windows must not overlap; PyTorch refuses positions outside y when it runs.
    Shape: x [N, C, D, H, W] and indices of the same -> y [N, C, (D - 1) stride - 2 padding + kernel_size, and
    so H, W], or output_size, which tells apart the sizes that pooling makes D, H and W of. The stride is
    kernel_size unless given.
    Gradient: dx[p, q, r] = g at indices[p, q, r].
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MaxUnpool3d.html
    """

    kernel_size: tuple[int, int, int]
    stride: tuple[int, int, int] | None = None
    padding: tuple[int, int, int] = (0, 0, 0)
    output_size: tuple[AnyDim, AnyDim, AnyDim] | None = None

    aliases = ("MaxUnpool3d",)
    samples = (
        sample((1, 1, 1, 2, 1), places((((0,), (7,)),)), kernel_size=2, flops=0),
        sample((1, 2, 1, 1, 2), places((((9, 2),),), (((0, 15),),)), kernel_size=2),
        sample((1, 1, 1, 2, 2), places((((0, 4), (10, 29)),)), kernel_size=2, output_size=(2, 3, 5)),
        sample((1, 1, 2, 1, 2), places((((0, 4),), ((44, 71),))), kernel_size=3),
        sample((1, 1, 2, 1, 2), places((((0, 2),), ((8, 5),))), kernel_size=3, padding=1),
        sample((1, 3, 1, 1, 1), places((((1,),),), (((0,),),), (((7,),),)), kernel_size=2),
        sample((1, 1, 1, 1, 1), places((((0,),),)), kernel_size=1),
        sample((1, 1, 2, 1, 1), places((((0,),), ((3,),))), kernel_size=1, stride=(3, 1, 2)),
        sample((1, 1, 1, 1, 3), places((((1, 0, 2),),)), kernel_size=(1, 1, 3), padding=(0, 0, 1)),
        sample((1, 1, 1, 2, 2), places((((11, 1), (2, 5)),)), kernel_size=(2, 1, 3), stride=(2, 2, 3)),
        sample((1, 1, 1, 2), places(((0, 3),)), kernel_size=2, rejects="x", without=("torch",)),
        sample((1, 1, 1, 1, 2), places((((0,), (3,)),)), kernel_size=2, rejects="indices"),
        sample((1, 1, 1, 1, 2), places(((0, 3),)), kernel_size=2, rejects="indices"),
        sample((1, 1, 1, 1, 2), given(((((0, 3),),),), dtype="int32"), kernel_size=2, rejects="indices"),
        sample(places((((1, 2),),)), places((((0, 3),),)), kernel_size=2, rejects="x", without=("torch",)),
        sample(
            (1, 1, 1, 1, 2),
            places((((0, 1),),)),
            kernel_size=0,
            stride=2,
            rejects="kernel_size",
            without=("torch",),
        ),
        sample((1, 1, 1, 1, 2), places((((0, 1),),)), kernel_size=2, stride=0, rejects="stride"),
        sample(
            (1, 1, 1, 1, 2),
            places((((0, 1),),)),
            kernel_size=2,
            padding=-1,
            rejects="padding",
            without=("torch",),
        ),
        sample(
            (1, 1, 1, 1, 2),
            places((((0, 1),),)),
            kernel_size=2,
            padding=1,
            rejects="padding",
            without=("torch",),
        ),
        sample(
            (1, 1, 1, 1, 2),
            places((((0, 1),),)),
            kernel_size=3,
            stride=2,
            rejects="stride",
            without=("torch",),
        ),
        sample(
            (1, 1, 1, 1, 2), places((((0, 1),),)), kernel_size=2, output_size=(2, 2, 6), rejects="output_size"
        ),
    )
