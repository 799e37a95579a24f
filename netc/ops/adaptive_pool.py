"""Pooling to a given size: adaptive_avg_pool2d, adaptive_max_pool2d, global_avg_pool and global_max_pool.

Window i of o along an axis of n goes from floor(i n / o) to ceil((i + 1) n / o). Where o divides n the
windows are alike, and n may be free; else they differ in size, overlap, and are taken one by one.
"""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any, ClassVar

from netc.dims import AnyDim, Shape, divides, value
from netc.ops.code import Code, Hole, Keyword, call, method
from netc.ops.contract import OPS, Array, Graph, Op, Operand, register, require, sample
from netc.ops.notation import concat
from netc.ops.window import alike, pad, require_least, require_map

Bin = tuple[int, int]


class AdaptivePooling(Op):
    """What the adaptive pools share: `reduction` over each window, by `pooling` where windows are alike."""

    output_size: tuple[int, int]

    reduction: ClassVar[str]
    pooling: ClassVar[str]
    onnx_name: ClassVar[str]

    def shape(self, x: Shape) -> Shape:
        require_map(self.name, x, 4)
        require_least(1, output_size=self.output_size)
        for n, o in zip(x[2:], self.output_size, strict=True):
            if o != 1 and value(n) is None:
                require(
                    divides(o, n),
                    "output_size",
                    f"an axis of {n} cannot be proved a multiple of {o}, so its windows are not known",
                )
        return (*x[:2], *self.output_size)

    def forward(self, x: Array) -> Array:
        return self._axis(self._axis(x, 3), 2)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        """One pool where the windows are alike, else window by window; axis by axis where a size is free."""
        sizes = [value(n) for n in x.shape[2:]]
        if (kernel := self._kernel(x.shape[2:])) is not None:
            return (self._pool_vjp(kernel, g, y, x),)
        if None in sizes:
            return (self._axis_vjp(self._axis_vjp(g, self._axis(x, 3), 2), x, 3),)
        h, w = x.shape[2:]
        total: Array = None
        rows, columns = bins(h, self.output_size[0]), bins(w, self.output_size[1])
        for (i, (top, bottom)), (j, (left, right)) in product(enumerate(rows), enumerate(columns)):
            here = (slice(None), slice(None), slice(i, i + 1), slice(j, j + 1))
            window = x[:, :, top:bottom, left:right]
            part = self._pool_vjp((bottom - top, right - left), g[here], y[here], window)
            part = pad(part, (top, left), (h - bottom, w - right))
            total = part if total is None else total + part
        return (total,)

    def _axis(self, x: Array, axis: int) -> Array:
        """`x` with the windows of one axis reduced."""
        n, o = value(x.shape[axis]), self.output_size[axis - 2]
        if n is None or n % o == 0:
            return getattr(x.reshape(_apart(x.shape, axis, o)), self.reduction)((axis + 1,))
        parts = (x[_span(axis, *b)] for b in bins(n, o))
        return concat([getattr(part, self.reduction)((axis,), keepdims=True) for part in parts], axis)

    def _axis_vjp(self, g: Array, x: Array, axis: int) -> Array:
        """The gradient of `_axis`; for max, shared where several are largest."""
        n, o = value(x.shape[axis]), self.output_size[axis - 2]
        if n is None or n % o == 0:
            apart = x.reshape(_apart(x.shape, axis, o))
            return self._reduction_vjp(g, apart, axis + 1, keepdims=False).reshape(x.shape)
        total: Array = None
        for i, (start, end) in enumerate(bins(n, o)):
            here, window = g[_span(axis, i, i + 1)], x[_span(axis, start, end)]
            part = self._reduction_vjp(here, window, axis, keepdims=True)
            before, after = [0, 0], [0, 0]
            before[axis - 2], after[axis - 2] = start, n - end
            part = pad(part, before, after)
            total = part if total is None else total + part
        return total

    def _reduction_vjp(self, g: Array, x: Array, axis: int, keepdims: bool) -> Array:
        y = getattr(x, self.reduction)((axis,), keepdims=keepdims)
        return _op(self.reduction, axis=(axis,), keepdims=keepdims).vjp(g, y, x)[0]

    def _pool_vjp(self, kernel: tuple[int, int], g: Array, y: Array, x: Array) -> Array:
        return _op(self.pooling, kernel_size=kernel).vjp(g, y, x)[0]

    def _kernel(self, sizes: Shape) -> tuple[int, int] | None:
        """The size of the windows if they are alike and known."""
        known = [value(n) for n in sizes]
        wide = [n // o for n, o in zip(known, self.output_size, strict=True) if n is not None and n % o == 0]
        return (wide[0], wide[1]) if len(wide) == 2 else None

    def flops(self, y: Shape, x: Shape) -> Any:
        elements: AnyDim = prod(x[:2])
        for n, o in zip(x[2:], self.output_size, strict=True):
            size = None if o == 1 else value(n)
            elements = elements * (n if size is None else sum(end - start for start, end in bins(size, o)))
        return elements

    def torch(self, x: Operand) -> Code:
        return call(f"F.{self.name}", x, self._argument())

    def module(self, x: Shape) -> Code:
        return call(f"nn.{self.aliases[0]}", self._argument())

    def _argument(self) -> Hole:
        return Hole(alike(self.output_size), "output_size")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if self.output_size == (1, 1):
            return graph.reduce(self.onnx_name, x, [2, 3], keepdims=True)
        kernel = self._kernel(x.shape[2:])
        if kernel is not None and x.dtype == "float32":
            return _op(self.pooling, kernel_size=kernel).onnx(graph, x)
        across = self._onnx_axis(graph, x, x.shape, 3)
        return self._onnx_axis(graph, across, (*x.shape[:3], self.output_size[1]), 2)

    def _onnx_axis(self, graph: Graph, x: str, shape: Shape, axis: int) -> str:
        """The reduction over the windows of one axis; windows unlike each other are cut out one by one."""
        n, o = value(shape[axis]), self.output_size[axis - 2]
        if n is None or n % o == 0:
            apart = graph.node("Reshape", x, graph.sizes(_apart(shape, axis, o)), allowzero=0)
            return graph.reduce(self.onnx_name, apart, [axis + 1], keepdims=False)
        parts = []
        for start, end in bins(n, o):
            bounds = (graph.constant([number], "int64") for number in (start, end, axis))
            part = graph.node("Slice", x, *bounds)
            parts.append(graph.reduce(self.onnx_name, part, [axis], keepdims=True))
        out: str = graph.node("Concat", *parts, axis=axis)
        return out


@register("adaptive_avg_pool2d")
class AdaptiveAvgPool2d(AdaptivePooling):
    """y[p, q] = the mean of x over window p, q of output_size; dx adds g / elements to those of each window.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html
    """

    output_size: tuple[int, int]

    aliases = ("AdaptiveAvgPool2d",)
    short = "avgpool"
    reduction, pooling, onnx_name = "mean", "avg_pool2d", "ReduceMean"

    samples = (
        sample((2, 3, 4, 6), output_size=(2, 3), flops=144),
        sample((1, 2, 5, 7), output_size=(3, 2), flops=112),
        sample((1, 2, 4, 5), output_size=(1, 1), flops=40),
        sample((1, 2, 2, 3), output_size=(3, 5)),
        sample((1, 2, 4, 5), output_size=(2, 3)),
        sample((2, 4, 5), output_size=(1, 1), rejects="x", without=("torch",)),  # torch has no N there
        sample((1, 2, 4, 5), output_size=(2, 0), rejects="output_size", without=("torch",)),  # torch: empty
    )


@register("adaptive_max_pool2d")
class AdaptiveMaxPool2d(AdaptivePooling):
    """y[p, q] = the largest of x in window p, q of output_size; dx gives g to the first largest of each.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool2d.html
    """

    output_size: tuple[int, int]

    aliases = ("AdaptiveMaxPool2d",)
    short = "maxpool"
    reduction, pooling, onnx_name = "max", "max_pool2d", "ReduceMax"

    samples = (
        sample((2, 3, 4, 6), output_size=(2, 3), flops=144),
        sample((1, 2, 5, 7), output_size=(3, 2), flops=112),
        sample((1, 2, 4, 5), output_size=(1, 1), flops=40),
        sample((1, 2, 2, 3), output_size=(3, 5)),
        sample((1, 2, 4, 5), output_size=(2, 3)),
        sample((2, 4, 5), output_size=(1, 1), rejects="x", without=("torch",)),  # torch has no N there
        sample((1, 2, 4, 5), output_size=(0, 2), rejects="output_size", without=("torch",)),  # torch: empty
    )


class GlobalPooling(Op):
    """What the global pools share: `reduction` over height and width."""

    keepdims: bool

    reduction: ClassVar[str]
    torch_name: ClassVar[str]
    onnx_name: ClassVar[str]

    def shape(self, x: Shape) -> Shape:
        require_map(self.name, x, 4)
        return (*x[:2], 1, 1) if self.keepdims else x[:2]

    def forward(self, x: Array) -> Array:
        return getattr(x, self.reduction)((2, 3), keepdims=self.keepdims)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array | None, ...]:
        return _op(self.reduction, axis=(2, 3), keepdims=self.keepdims).vjp(g, y, x)

    def flops(self, y: Shape, x: Shape) -> Any:
        return prod(x)

    def torch(self, x: Operand) -> Code:
        return method(x, self.torch_name, "(2, 3)", Keyword("keepdim", self.keepdims, False))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.reduce(self.onnx_name, x, [2, 3], self.keepdims)


@register("global_avg_pool")
class GlobalAvgPool(GlobalPooling):
    """y[n, c] = the mean of x[n, c] over height and width; dx = g / (H W).

    Source: Lin, Chen and Yan (2013), Network in network, arXiv:1312.4400.
    """

    keepdims: bool = False

    reduction, torch_name, onnx_name = "mean", "mean", "ReduceMean"
    samples = (
        sample((2, 3, 4, 5), flops=120),
        sample((1, 2, 3, 1), keepdims=True),
        sample((2, 1, 1, 1)),
        sample((3, 2, 1, 4)),
        sample((2, 3, 4), rejects="x"),
    )


@register("global_max_pool")
class GlobalMaxPool(GlobalPooling):
    """y[n, c] = the largest of x[n, c] over height and width; dx = g there, shared where several are largest.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.amax.html
    """

    keepdims: bool = False

    reduction, torch_name, onnx_name = "max", "amax", "ReduceMax"
    samples = (
        sample((2, 3, 4, 5), flops=120),
        sample((1, 2, 3, 1), keepdims=True),
        sample((2, 1, 1, 1)),
        sample((3, 2, 1, 4)),
        sample((2, 3, 4), rejects="x"),
    )


def _op(name: str, **attributes: Any) -> Op:
    return OPS[name](**attributes)


def bins(n: int, o: int) -> list[Bin]:
    """Where each of o windows on an axis of n starts and ends."""
    return [(i * n // o, -(-(i + 1) * n // o)) for i in range(o)]


def _apart(shape: Shape, axis: int, o: int) -> Shape:
    """`shape` with `axis` in two: its o windows, all alike, and the elements of each."""
    return (*shape[:axis], o, shape[axis] // o, *shape[axis + 1 :])


def _span(axis: int, start: int, end: int) -> tuple[slice, ...]:
    return (*(slice(None),) * axis, slice(start, end))
