"""What the pools to a given size share: their windows, one axis after the other.

Window i of o along an axis of n goes from floor(i n / o) to ceil((i + 1) n / o). Where o divides n the
windows are alike, and n may be free; else they differ in size, overlap, and are taken one by one.
"""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from netc.dims import AnyDim, Shape, divides, value
from netc.ops.code import Code, Hole, call
from netc.ops.contract import OPS, Array, Graph, Op, Operand, require
from netc.ops.notation import concat
from netc.ops.window import WindowOp, alike, each, require_least, require_map


class AdaptivePooling(WindowOp):
    """What the adaptive pools share: `reduction` over each window, by `pooling` where windows are alike."""

    reduction: ClassVar[str]
    pooling: ClassVar[str]
    onnx_name: ClassVar[str]

    def shape(self, x: Shape) -> Shape:
        require_map(self.name, x, self.rank + 2)
        sizes: Shape = self.axes("output_size")
        require_least(1, output_size=sizes)
        for n, o in zip(x[2:], sizes, strict=True):
            if o != 1 and value(n) is None:
                require(
                    divides(o, n),
                    "output_size",
                    f"an axis of {n} cannot be proved a multiple of {o}, so its windows are not known",
                )
        return (*x[:2], *sizes)

    def forward(self, x: Array) -> Array:
        for axis in reversed(range(2, self.rank + 2)):
            x = self.reduced(x, axis)
        return x

    def reduced(self, x: Array, axis: int) -> Array:
        """`x` with the windows of one axis reduced."""
        if self.even(x.shape[axis], axis):
            return getattr(x.reshape(self.apart(x.shape, axis)), self.reduction)((axis + 1,))
        parts = (getattr(part, self.reduction)((axis,), keepdims=True) for part in self.cut(x, axis))
        return concat(list(parts), axis)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        """Back from the axis that `forward` reduces last."""
        rows = self.before(x)
        for axis in range(2, self.rank + 2):
            g = self.axis_vjp(g, rows[axis - 2], axis, x.shape[axis])
        return (g,)

    def before(self, x: Array) -> list[Array]:
        """What `forward` reduces along each axis, as far as gradients read it."""
        raise NotImplementedError

    def axis_vjp(self, g: Array, x: Array, axis: int, n: AnyDim) -> Array:
        """The gradient for x, whose `axis`, of n, `reduced` reduces."""
        raise NotImplementedError

    def size(self, axis: int) -> int:
        return int(self.axes("output_size")[axis - 2])

    def even(self, n: AnyDim, axis: int) -> bool:
        """Whether the windows on an axis of n are alike."""
        known = value(n)
        return known is None or known % self.size(axis) == 0

    def bins(self, n: int, axis: int) -> list[tuple[int, int]]:
        """Where each window on an axis of n starts and ends."""
        o = self.size(axis)
        return [(i * n // o, -(-(i + 1) * n // o)) for i in range(o)]

    def apart(self, shape: Shape, axis: int) -> Shape:
        """`shape` with `axis` in two: its windows, all alike, and the elements of each."""
        o = self.size(axis)
        return (*shape[:axis], o, shape[axis] // o, *shape[axis + 1 :])

    def cut(self, x: Array, axis: int) -> list[Array]:
        """The windows of `x` on one axis."""
        lead = (slice(None),) * axis
        return [x[(*lead, slice(start, end))] for start, end in self.bins(x.shape[axis], axis)]

    def flops(self, y: Shape, x: Shape) -> Any:
        elements: AnyDim = prod(x[:2])
        for axis, n in enumerate(x[2:], 2):
            known = None if self.size(axis) == 1 else value(n)
            covered = n if known is None else sum(end - start for start, end in self.bins(known, axis))
            elements = elements * covered
        return elements

    def torch(self, x: Operand) -> Code:
        return call(f"F.{self.name}", x, self._argument())

    def module(self, x: Shape) -> Code:
        return call(f"nn.{self.aliases[0]}", self._argument())

    def _argument(self) -> Hole:
        return Hole(alike(self.axes("output_size")), "output_size")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        axes = range(2, self.rank + 2)
        if set(self.axes("output_size")) == {1}:
            return graph.reduce(self.onnx_name, x, list(axes), keepdims=True)
        if x.dtype == "float32" and all(value(n) and self.even(n, a) for a, n in enumerate(x.shape[2:], 2)):
            kernel = each(tuple((value(n) or 0) // self.size(axis) for axis, n in enumerate(x.shape[2:], 2)))
            return op(self.pooling, kernel_size=kernel).onnx(graph, x)
        out: str = x
        shape = x.shape
        for axis in reversed(axes):
            out = self._onnx_axis(graph, out, shape, axis)
            shape = (*shape[:axis], self.size(axis), *shape[axis + 1 :])
        return out

    def _onnx_axis(self, graph: Graph, x: str, shape: Shape, axis: int) -> str:
        """The reduction over the windows of one axis; windows unlike each other are cut out one by one."""
        n = shape[axis]
        if self.even(n, axis):
            split = graph.node("Reshape", x, graph.sizes(self.apart(shape, axis)), allowzero=0)
            return graph.reduce(self.onnx_name, split, [axis + 1], keepdims=False)
        parts = []
        for start, end in self.bins(value(n) or 0, axis):
            bounds = (graph.constant([number], "int64") for number in (start, end, axis))
            part = graph.node("Slice", x, *bounds)
            parts.append(graph.reduce(self.onnx_name, part, [axis], keepdims=True))
        out: str = graph.node("Concat", *parts, axis=axis)
        return out


def op(name: str, **attributes: Any) -> Op:
    return OPS[name](**attributes)
