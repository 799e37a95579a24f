"""Reductions over axes: sum, mean, prod, any, all."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

from netc.dims import Shape
from netc.ops.arrays import np
from netc.ops.attributes import axes_of
from netc.ops.code import Code, Keyword, method
from netc.ops.contract import (
    DTYPES,
    FLOATS,
    Array,
    Graph,
    Op,
    Operand,
    given,
    integers,
    register,
    require,
    sample,
    uniform,
)
from netc.ops.function import cast_node
from netc.ops.layout import each
from netc.ops.notation import cast, equal, expand, extent, function, where


@dataclass(frozen=True)
class Reduction(Op):
    """What holds of a reduction over several axes, all where `axis` is none."""

    torch_name: ClassVar[str]
    onnx_name: ClassVar[str]
    axis: tuple[int, ...] | None = None
    keepdims: bool = False

    def shape(self, x: Shape) -> Shape:
        require(self.axis != (), "axis", "axis is empty; leave it out to reduce over all axes")
        axes = axes_of(self.axis, len(x))
        kept = [1 if i in axes else n for i, n in enumerate(x) if self.keepdims or i not in axes]
        return tuple(kept)

    def _spread(self, g: Array, x: Array) -> Array:
        """What belongs to the output, laid along the axes of x."""
        axes = axes_of(self.axis, len(x.shape))
        return g.reshape(tuple(1 if i in axes else n for i, n in enumerate(x.shape)))

    def flops(self, y: Shape, x: Shape) -> Any:
        return prod(x)

    def torch(self, x: Operand) -> Code:
        if self.axis is None and not (self.keepdims and x.shape):
            return method(x, self.torch_name)
        axes = tuple(range(len(x.shape))) if self.axis is None else self.axis
        return method(
            x,
            self.torch_name,
            Keyword("dim", axes[0] if len(axes) == 1 else axes),
            Keyword("keepdim", self.keepdims, False),
        )

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return reduce_node(graph, self.onnx_name, x, axes_of(self.axis, len(x.shape)), self.keepdims)


def reduce_node(graph: Graph, name: str, x: str, axes: tuple[int, ...], keepdims: bool) -> Any:
    """A node for a reduction, of which there is none for a scalar: a scalar has no axes, and ONNX takes none to mean all."""
    return graph.reduce(name, x, axes, keepdims) if axes else graph.node("Identity", x)


def wide(x: Array) -> Any:
    """The dtype of a sum or a product of x."""
    return "int64" if x.dtype.kind in "biu" else x.dtype


def wide_node(graph: Graph, x: Operand) -> Any:
    """x in the dtype in which it is added up: onnxruntime lets the sum of int32 overflow."""
    return x if x.dtype in (*FLOATS, "int64") else cast_node(graph, x, "int64")


@register("sum")
class Sum(Reduction):
    """y = sum of x over `axis`.

    Whole numbers and bools are summed as int64, as in torch.
    Shape: x [..., n, ...] -> y [..., ...]; [..., 1, ...] with `keepdims`; without `axis`, a scalar.
    Gradient: dx = g, spread along `axis`.
    Source: torch.sum, https://docs.pytorch.org/docs/stable/generated/torch.sum.html
    """

    accepts = DTYPES
    analytic = True
    torch_name = "sum"
    onnx_name = "ReduceSum"

    def dtype(self, x: str) -> str:
        return x if x in FLOATS else "int64"

    def forward(self, x: Array) -> Array:
        return np.sum(x, self.axis, dtype=wide(x), keepdims=self.keepdims)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (expand(self._spread(g, x), x.shape),)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        axes = axes_of(self.axis, len(x.shape))
        return reduce_node(graph, self.onnx_name, wide_node(graph, x), axes, self.keepdims)

    samples = (
        sample((2, 3, 4), flops=24),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=[0, -1], keepdims=True),
        sample((2, 3, 4), keepdims=True),
        sample(()),
        sample((2, 3, 4, 5), axis=[1, 3]),
        sample((5,), axis=0),
        sample((1, 3), axis=0),
        sample((2, 3), axis=[-1, -2]),
        sample(integers((2, 3), 9), axis=1),
        sample(given(2147483647, 1, dtype="int32")),
        sample(given((True, False), (True, True), dtype="bool"), axis=0),
        sample((2, 3), axis=2, rejects="axis"),
        sample((2, 3), axis=[0, -2], rejects="axis"),
        sample((2, 3), axis=[], rejects="axis", without=("torch",)),  # torch reduces over all axes
        sample((2, 3), axis=1.5, rejects="axis"),
    )


@register("mean")
class Mean(Reduction):
    """y = sum of x over `axis` / n, n being how many are summed.

    Whole numbers are refused, as in torch; ONNX would truncate.
    Shape: x [..., n, ...] -> y [..., ...]; [..., 1, ...] with `keepdims`; without `axis`, a scalar.
    Gradient: dx = g / n, spread along `axis`.
    Source: torch.mean, https://docs.pytorch.org/docs/stable/generated/torch.mean.html
    """

    analytic = True
    torch_name = "mean"
    onnx_name = "ReduceMean"

    def forward(self, x: Array) -> Array:
        return np.mean(x, self.axis, keepdims=self.keepdims)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        n = prod(x.shape[i] for i in axes_of(self.axis, len(x.shape)))
        return (expand(self._spread(g / extent(n, g), x), x.shape),)

    samples = (
        sample((2, 3, 4), flops=24),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4, 5), axis=[2, 3]),
        sample((2, 3, 4), axis=[0, -1], keepdims=True),
        sample((2, 3, 4), keepdims=True),
        sample(()),
        sample((5,), axis=0),
        sample((1, 3), axis=0),
        sample((2, 1, 3), axis=1),
        sample((2, 3), axis=[-1, -2]),
        sample((2, 3), axis=-3, rejects="axis"),
        sample((2, 3), axis=[0, -2], rejects="axis"),
        sample((2, 3), axis=[], rejects="axis", without=("torch",)),  # torch reduces over all axes
        sample(integers((2, 3), 9), rejects="x"),
    )


@register("prod")
class Prod(Reduction):
    """y = product of x over `axis`, one axis or all.

    Whole numbers and bools are multiplied as int64, as in torch.
    Shape: x [..., n, ...] -> y [..., ...]; [..., 1, ...] with `keepdims`; without `axis`, a scalar.
    Gradient: dx_i = g times the product of all but x_i, zeros among them or not.
    Source: torch.prod, https://docs.pytorch.org/docs/stable/generated/torch.prod.html
    """

    accepts = DTYPES
    analytic = True
    torch_name = "prod"
    onnx_name = "ReduceProd"

    def shape(self, x: Shape) -> Shape:
        require(len(self.axis or (0,)) == 1, "axis", "prod takes one axis, or none for all")
        return super().shape(x)

    def dtype(self, x: str) -> str:
        return x if x in FLOATS else "int64"

    def forward(self, x: Array) -> Array:
        return np.prod(x, self.axis, dtype=wide(x), keepdims=self.keepdims)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        zero = equal(x, 0.0)
        rest = where(zero, 1.0, x)
        axes = axes_of(self.axis, len(x.shape))
        zeros = cast(zero, x).sum(axes, keepdims=True) if axes else cast(zero, x)
        others = self._spread(function("prod", rest, axis=self.axis, keepdims=self.keepdims), x)
        alone = where(equal(zeros, 1.0), others, 0.0)  # the product without the one zero
        return (self._spread(g, x) * where(zero, alone, self._spread(y, x) / rest),)

    def torch(self, x: Operand) -> Code:
        if self.axis is None and self.keepdims and x.shape:
            ones = tuple(1 for _ in x.shape)
            return Code((*method(x, "prod").pieces, *method("", "reshape", *each(ones, "size")).pieces))
        return super().torch(x)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        axes = axes_of(self.axis, len(x.shape))
        return reduce_node(graph, self.onnx_name, wide_node(graph, x), axes, self.keepdims)

    samples = (
        sample(uniform((2, 3, 4), 0.5, 2.0), flops=24),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=-1, keepdims=True),
        sample((2, 3), keepdims=True),
        sample(()),
        sample((5,), axis=0),
        sample((2, 1, 3), axis=1),
        sample(given((0.0, 2.0, 3.0), (0.0, 0.0, 4.0), (1.0, -2.0, 0.5)), axis=1),
        sample(given(2.0, 0.0, -3.0)),
        sample(integers((2, 3), 9), axis=1),
        sample(given(65536, 65536, dtype="int32")),
        sample(integers((2, 3), 2, "bool"), axis=0),
        sample((2, 3), axis=2, rejects="axis"),
        sample((2, 3), axis=[0, 1], rejects="axis"),
        sample((2, 3), axis=[], rejects="axis"),
    )


BOOLS = (
    given((True, False, True), (False, False, False), dtype="bool"),
    given((True, True, True), (False, True, True), dtype="bool"),
)
AXES: tuple[dict[str, Any], ...] = (
    {},
    {"axis": 0},
    {"axis": -1},
    {"axis": [0, 1]},
    {"axis": 1, "keepdims": True},
)


class Truth(Reduction):
    """What any and all share: bools in, bools out."""

    accepts = ("bool",)
    differentiable = False

    def onnx(self, graph: Graph, x: Operand) -> Any:
        axes = axes_of(self.axis, len(x.shape))
        found = reduce_node(graph, self.onnx_name, cast_node(graph, x, "int32"), axes, self.keepdims)
        return cast_node(graph, found, "bool")


@register("any")
class Any_(Truth):
    """y = whether x is true anywhere along `axis`.

    Shape: x [..., n, ...] -> y [..., ...]; [..., 1, ...] with `keepdims`; without `axis`, a scalar.
    Gradient: none.
    Source: torch.any, https://docs.pytorch.org/docs/stable/generated/torch.any.html
    """

    torch_name = "any"
    onnx_name = "ReduceMax"

    def forward(self, x: Array) -> Array:
        return np.any(x, self.axis, keepdims=self.keepdims)

    samples = (
        sample(integers((2, 3, 4), 2, "bool"), flops=24),
        *(sample(x, **attributes) for x in BOOLS for attributes in AXES),
        sample(integers((2, 3), 2, "bool"), axis=2, rejects="axis"),
        sample(integers((2, 3), 2, "bool"), axis=[0, -2], rejects="axis"),
        # torch takes the axes of an empty list for all or for none, as it stands
        sample(integers((2, 3), 2, "bool"), axis=[], rejects="axis", without=("torch",)),
        sample((2, 3), rejects="x", without=("torch",)),  # torch takes what is not 0 for true
    )


@register("all")
class All(Truth):
    """y = whether x is true everywhere along `axis`.

    Shape: x [..., n, ...] -> y [..., ...]; [..., 1, ...] with `keepdims`; without `axis`, a scalar.
    Gradient: none.
    Source: torch.all, https://docs.pytorch.org/docs/stable/generated/torch.all.html
    """

    torch_name = "all"
    onnx_name = "ReduceMin"

    def forward(self, x: Array) -> Array:
        return np.all(x, self.axis, keepdims=self.keepdims)

    samples = (
        sample(integers((2, 3, 4), 2, "bool"), flops=24),
        *(sample(x, **attributes) for x in BOOLS for attributes in AXES),
        sample(integers((2, 3), 2, "bool"), axis=2, rejects="axis"),
        sample(integers((2, 3), 2, "bool"), axis=[0, -2], rejects="axis"),
        # torch takes the axes of an empty list for all or for none, as it stands
        sample(integers((2, 3), 2, "bool"), axis=[], rejects="axis", without=("torch",)),
        sample((2, 3), rejects="x", without=("torch",)),  # torch takes what is not 0 for true
    )
