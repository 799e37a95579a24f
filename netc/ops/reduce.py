"""Reductions over axes: sum, mean, max, min, argmax."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan, prod
from typing import Any, ClassVar

from netc.dims import Shape
from netc.ops.arrays import np
from netc.ops.attributes import axes_of, axis_of
from netc.ops.code import Code, Keyword, call, method
from netc.ops.contract import (
    DTYPES,
    FLOATS,
    INTEGERS,
    Array,
    Graph,
    Op,
    Operand,
    given,
    integers,
    register,
    require,
    sample,
)
from netc.ops.function import cast_node
from netc.ops.notation import cast, equal, expand, where


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
        return _reduce(graph, self.onnx_name, x, axes_of(self.axis, len(x.shape)), self.keepdims)


def _reduce(graph: Graph, name: str, x: str, axes: tuple[int, ...], keepdims: bool) -> Any:
    """A scalar has no axes, and ONNX takes none to mean all."""
    return graph.reduce(name, x, axes, keepdims) if axes else graph.node("Identity", x)


@register("sum")
class Sum(Reduction):
    """y = sum of x over `axis`; dx = g, spread along it. Whole numbers and bools are summed as int64.

    Source: torch.sum, https://docs.pytorch.org/docs/stable/generated/torch.sum.html
    """

    accepts = DTYPES
    torch_name = "sum"
    onnx_name = "ReduceSum"

    def dtype(self, x: str) -> str:
        return x if x in FLOATS else "int64"

    def forward(self, x: Array) -> Array:
        return np.sum(x, self.axis, dtype=x.dtype if x.dtype.kind == "f" else "int64", keepdims=self.keepdims)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (expand(self._spread(g, x), x.shape),)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        wide = x if x.dtype in (*FLOATS, "int64") else cast_node(graph, x, "int64")
        return _reduce(graph, self.onnx_name, wide, axes_of(self.axis, len(x.shape)), self.keepdims)

    samples = (
        sample((2, 3, 4), flops=24),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=[0, -1], keepdims=True),
        sample((2, 3, 4), keepdims=True),
        sample(()),
        sample(given(2147483647, 1, dtype="int32")),
        sample(given((True, False), (True, True), dtype="bool"), axis=0),
        sample((2, 3), axis=2, rejects="axis"),
        sample((2, 3), axis=[0, -2], rejects="axis"),
        sample((2, 3), axis=[], rejects="axis", without=("torch",)),  # torch reduces over all axes
        sample((2, 3), axis=1.5, rejects="axis"),
    )


@register("mean")
class Mean(Reduction):
    """y = sum of x over `axis` / n; dx = g / n, spread along it. Whole numbers are refused, as in torch.

    Source: torch.mean, https://docs.pytorch.org/docs/stable/generated/torch.mean.html
    """

    torch_name = "mean"
    onnx_name = "ReduceMean"

    def forward(self, x: Array) -> Array:
        return np.mean(x, self.axis, keepdims=self.keepdims)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        n = prod(x.shape[i] for i in axes_of(self.axis, len(x.shape)))
        return (expand(self._spread(g / n, x), x.shape),)

    samples = (
        sample((2, 3, 4), flops=24),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4, 5), axis=[2, 3]),
        sample((2, 3, 4), axis=[0, -1], keepdims=True),
        sample((2, 3), axis=-3, rejects="axis"),
        sample(integers((2, 3), 9), rejects="x"),
    )


class Extremum(Reduction):
    """What max and min share: elements that tie share the gradient."""

    accepts = (*FLOATS, *INTEGERS)

    def branch(self, x: Array) -> Array:
        return np.equal(x, self._spread(self.forward(x), x))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        hit = equal(x, self._spread(y, x))
        ties = cast(hit, x).sum(axes_of(self.axis, len(x.shape)), keepdims=True)
        return (where(hit, self._spread(g, x) / ties, 0.0),)


@register("max")
class Max(Extremum):
    """y = the greatest of x over `axis`; g goes to it, in equal parts where several are.

    Source: torch.amax, https://docs.pytorch.org/docs/stable/generated/torch.amax.html
    """

    torch_name = "amax"
    onnx_name = "ReduceMax"

    def forward(self, x: Array) -> Array:
        return np.max(x, self.axis, keepdims=self.keepdims)

    samples = (
        sample((2, 3, 4), flops=24),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=[0, -1], keepdims=True),
        sample(given((1.0, 3.0, 3.0), (2.0, 1.0, 0.0)), axis=1, without=("numeric gradient",)),  # a kink
        sample(integers((2, 3), 9), axis=1),
        sample((2, 3), axis=2, rejects="axis"),
        sample(given(True, False, dtype="bool"), rejects="x", without=("torch",)),  # torch takes bools
    )


@register("min")
class Min(Extremum):
    """y = the least of x over `axis`; g goes to it, in equal parts where several are.

    Source: torch.amin, https://docs.pytorch.org/docs/stable/generated/torch.amin.html
    """

    torch_name = "amin"
    onnx_name = "ReduceMin"

    def forward(self, x: Array) -> Array:
        return np.min(x, self.axis, keepdims=self.keepdims)

    samples = (
        sample((2, 3, 4), flops=24),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=[0, -1], keepdims=True),
        sample(given((1.0, 1.0, 3.0), (2.0, 1.0, 0.0)), axis=1, without=("numeric gradient",)),  # a kink
        sample(integers((2, 3), 9), axis=1),
        sample((2, 3), axis=2, rejects="axis"),
    )


@register("argmax")
class Argmax(Op):
    """y = the index of the greatest of x along `axis`, the first where several are; no gradient.

    NaN counts as the greatest in torch; in ONNX Runtime what it gives is unspecified.
    Source: torch.argmax, https://docs.pytorch.org/docs/stable/generated/torch.argmax.html
    """

    differentiable = False
    axis: int = -1
    keepdims: bool = False

    def shape(self, x: Shape) -> Shape:
        axis = axis_of(self.axis, len(x))
        return (*x[:axis], *((1,) if self.keepdims else ()), *x[axis + 1 :])

    def dtype(self, x: str) -> str:
        super().dtype(x)
        return "int64"

    def forward(self, x: Array) -> Array:
        return np.argmax(x, self.axis, keepdims=self.keepdims)

    def branch(self, x: Array) -> Array:
        return self.forward(x)

    def flops(self, y: Shape, x: Shape) -> Any:
        return prod(x)

    def torch(self, x: Operand) -> Code:
        return call(f"{x}.argmax", Keyword("dim", self.axis), Keyword("keepdim", self.keepdims, False))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("ArgMax", x, axis=self.axis, keepdims=int(self.keepdims), select_last_index=0)

    samples = (
        sample((2, 3, 4), flops=24),
        sample((2, 3, 4), axis=1, keepdims=True),
        sample((2, 3, 4), axis=-3),
        sample(given((1.0, 3.0, 3.0), (2.0, 2.0, 0.0))),
        # onnxruntime 1.31 passes over NaN unless it comes first
        sample(given((1.0, nan, 3.0), (inf, nan, nan)), without=("onnx",)),
        sample((2, 3), axis=2, rejects="axis"),
        sample((), rejects="axis", without=("torch",)),  # torch takes a scalar for a vector of one
        sample(integers((2, 3), 9), rejects="x", without=("torch",)),  # torch takes whole numbers
    )
