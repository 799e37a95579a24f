"""The greatest and the least over axes, and where they are: max, min, argmax, argmin."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, nan, prod
from typing import Any, ClassVar

from netc.dims import Shape
from netc.ops.arrays import np
from netc.ops.attributes import axes_of, axis_of
from netc.ops.code import Code, Keyword, method
from netc.ops.contract import FLOATS, INTEGERS, Array, Graph, Op, Operand, given, integers, register, sample
from netc.ops.index_range import IndexRange, Known
from netc.ops.notation import cast, equal, where
from netc.ops.reduce import Reduction


class Extremum(Reduction):
    """What max and min share: elements that tie share the gradient."""

    accepts = (*FLOATS, *INTEGERS)

    def branch(self, x: Array) -> Array:
        return np.equal(x, self._spread(self.forward(x), x))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        hit = equal(x, self._spread(y, x))
        axes = axes_of(self.axis, len(x.shape))
        ties = cast(hit, x).sum(axes, keepdims=True) if axes else cast(hit, x)
        return (where(hit, self._spread(g, x) / ties, 0.0),)


@register("max")
class Max(Extremum):
    """y = max x over `axis`.

    Shape: x [..., n, ...] -> y [..., ...]; [..., 1, ...] with `keepdims`; without `axis`, a scalar.
    Gradient: dx = g where x is y, in equal parts where several are; else 0.
    Source: torch.amax, https://docs.pytorch.org/docs/stable/generated/torch.amax.html
    """

    analytic = True
    torch_name = "amax"
    onnx_name = "ReduceMax"

    def index_range(self, known: Known, x: Shape) -> IndexRange | None:
        (of_x,) = known
        return IndexRange(of_x.below, each=of_x.each) if of_x else None

    def forward(self, x: Array) -> Array:
        return np.max(x, self.axis, keepdims=self.keepdims)

    samples = (
        sample((2, 3, 4), flops=24),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=[0, -1], keepdims=True),
        sample(given((1.0, 3.0, 3.0), (2.0, 1.0, 0.0)), axis=1, without=("numeric gradient",)),  # a kink
        sample((2, 3, 4), keepdims=True),
        sample((5,), axis=0),
        sample(()),
        sample((2, 1, 3), axis=1),
        sample((2, 3, 4, 5), axis=[1, -1]),
        sample(given(-3.0, -1.0, -2.0)),
        sample(integers((2, 3), 9, "int32")),
        sample(integers((2, 3), 9), axis=1),
        sample((2, 3), axis=2, rejects="axis"),
        sample((2, 3), axis=[0, -2], rejects="axis"),
        sample((2, 3), axis=[], rejects="axis", without=("torch",)),  # torch reduces over all axes
        sample(given(True, False, dtype="bool"), rejects="x", without=("torch",)),  # torch takes bools
    )


@register("min")
class Min(Extremum):
    """y = min x over `axis`.

    Shape: x [..., n, ...] -> y [..., ...]; [..., 1, ...] with `keepdims`; without `axis`, a scalar.
    Gradient: dx = g where x is y, in equal parts where several are; else 0.
    Source: torch.amin, https://docs.pytorch.org/docs/stable/generated/torch.amin.html
    """

    analytic = True
    torch_name = "amin"
    onnx_name = "ReduceMin"

    def forward(self, x: Array) -> Array:
        return np.min(x, self.axis, keepdims=self.keepdims)

    samples = (
        sample((2, 3, 4), flops=24),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=[0, -1], keepdims=True),
        sample(given((1.0, 1.0, 3.0), (2.0, 1.0, 0.0)), axis=1, without=("numeric gradient",)),  # a kink
        sample((2, 3, 4), keepdims=True),
        sample((5,), axis=0),
        sample(()),
        sample((2, 1, 3), axis=1),
        sample((2, 3, 4, 5), axis=[1, -1]),
        sample(given(-3.0, -1.0, -2.0)),
        sample(integers((2, 3), 9, "int32")),
        sample(integers((2, 3), 9), axis=1),
        sample((2, 3), axis=2, rejects="axis"),
        sample((2, 3), axis=[0, -2], rejects="axis"),
        sample((2, 3), axis=[], rejects="axis", without=("torch",)),  # torch reduces over all axes
        sample(given(True, False, dtype="bool"), rejects="x", without=("torch",)),  # torch takes bools
    )


@dataclass(frozen=True)
class Place(Op):
    """What argmax and argmin share."""

    onnx_name: ClassVar[str]
    differentiable = False
    accepts = (*FLOATS, *INTEGERS)
    axis: int = -1
    keepdims: bool = False

    def shape(self, x: Shape) -> Shape:
        axis = axis_of(self.axis, len(x))
        return (*x[:axis], *((1,) if self.keepdims else ()), *x[axis + 1 :])

    def dtype(self, x: str) -> str:
        super().dtype(x)
        return "int64"

    def index_range(self, known: Known, x: Shape) -> IndexRange:
        return IndexRange(x[axis_of(self.axis, len(x))], each=True)

    def branch(self, x: Array) -> Array:
        return self.forward(x)

    def flops(self, y: Shape, x: Shape) -> Any:
        return prod(x)

    def torch(self, x: Operand) -> Code:
        return method(x, self.name, Keyword("dim", self.axis), Keyword("keepdim", self.keepdims, False))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node(self.onnx_name, x, axis=self.axis, keepdims=int(self.keepdims), select_last_index=0)


@register("argmax")
class Argmax(Place):
    """y = the index of the greatest of x along `axis`, the first where several are.

    NaN counts as the greatest in torch; in ONNX Runtime what it gives is unspecified.
    Shape: x [..., n, ...] -> y [..., ...], int64; [..., 1, ...] with `keepdims`.
    Gradient: none.
    Source: torch.argmax, https://docs.pytorch.org/docs/stable/generated/torch.argmax.html
    """

    onnx_name = "ArgMax"

    def forward(self, x: Array) -> Array:
        return np.argmax(x, self.axis, keepdims=self.keepdims)

    samples = (
        sample((2, 3, 4), flops=24),
        sample((2, 3, 4), axis=1, keepdims=True),
        sample((2, 3, 4), axis=-3),
        sample((2, 3, 4, 5), axis=2),
        sample((5,)),
        sample((2, 1), axis=1),
        sample((1, 3), axis=0, keepdims=True),
        sample(integers((2, 3), 9), axis=1),
        sample(integers((5, 2), 3, "int32"), axis=0),
        sample(given((1.0, 3.0, 3.0), (2.0, 2.0, 0.0))),
        # onnxruntime 1.31 passes over NaN unless it comes first
        sample(given((1.0, nan, 3.0), (inf, nan, nan)), without=("onnx",)),
        sample((2, 3), axis=2, rejects="axis"),
        sample((), rejects="axis", without=("torch",)),  # torch takes a scalar for a vector of one
        sample(integers((2, 3), 2, "bool"), rejects="x"),
    )


@register("argmin")
class Argmin(Place):
    """y = the index of the least of x along `axis`, the first where several are.

    NaN counts as the least in torch; in ONNX Runtime what it gives is unspecified.
    Shape: x [..., n, ...] -> y [..., ...], int64; [..., 1, ...] with `keepdims`.
    Gradient: none.
    Source: torch.argmin, https://docs.pytorch.org/docs/stable/generated/torch.argmin.html
    """

    onnx_name = "ArgMin"

    def forward(self, x: Array) -> Array:
        return np.argmin(x, self.axis, keepdims=self.keepdims)

    samples = (
        sample((2, 3, 4), flops=24),
        sample((2, 3, 4), axis=1, keepdims=True),
        sample((2, 3, 4), axis=-3),
        sample((2, 3, 4, 5), axis=2),
        sample((5,)),
        sample((2, 1), axis=1),
        sample((1, 3), axis=0, keepdims=True),
        sample(integers((2, 3), 9), axis=1),
        sample(integers((5, 2), 3, "int32"), axis=0),
        sample(given((1.0, 1.0, 3.0), (2.0, 2.0, 0.0))),
        sample((2, 3), axis=2, rejects="axis"),
        sample((), rejects="axis", without=("torch",)),  # torch takes a scalar for a vector of one
        sample(integers((2, 3), 2, "bool"), rejects="x"),
    )
