"""How far values spread, and how long a vector is: var, std, norm over axes."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

from netc.dims import AnyDim, Shape, at_least
from netc.ops.arrays import np
from netc.ops.attributes import axes_of
from netc.ops.code import Code, Keyword, call
from netc.ops.contract import Array, Graph, Operand, given, integers, register, require, sample
from netc.ops.extent import Extent
from netc.ops.notation import extent, where
from netc.ops.reduce import Reduction, reduce_node


@dataclass(frozen=True)
class Spread(Reduction):
    """What var and std share: the mean square of x - mean x, divided by n - correction in the place of n."""

    correction: int = 1

    def shape(self, x: Shape) -> Shape:
        require(self.correction >= 0, "correction", f"correction is {self.correction}, which is less than 0")
        y = super().shape(x)
        n, left = self._counts(x)
        some = at_least(left, 1)
        require(some, "correction", f"{n} elements less a correction of {self.correction} leave none")
        return y

    def _counts(self, x: Shape) -> tuple[AnyDim, AnyDim]:
        """How many elements there are, and by how many the sum of squares is divided."""
        n = prod(x[i] for i in axes_of(self.axis, len(x)))
        return n, n - self.correction

    def _squares(self, x: Array) -> Array:
        """The variance; of complex x, no absolute values."""
        apart = x - np.mean(x, self.axis, keepdims=True)
        left: Any = self._counts(x.shape)[1]
        return np.asarray(np.sum(apart * apart, self.axis, keepdims=self.keepdims) / left)

    def _slope(self, x: Array) -> Array:
        """(x - mean x) / (n - correction)."""
        axes = axes_of(self.axis, len(x.shape))
        apart = x - x.mean(axes, keepdims=True) if axes else x - x
        return apart / extent(self._counts(x.shape)[1], x)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 4 * prod(x)

    def torch(self, x: Operand) -> Code:
        pieces = super().torch(x).pieces
        return Code((*pieces[:-1], Keyword("correction", self.correction, 1), pieces[-1]))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        axes = axes_of(self.axis, len(x.shape))
        apart = graph.node("Sub", x, reduce_node(graph, "ReduceMean", x, axes, True))
        total = reduce_node(graph, "ReduceSum", graph.node("Mul", apart, apart), axes, self.keepdims)
        return graph.node("Div", total, Extent(self._counts(x.shape)[1]).onnx(graph, x))


@register("var")
class Var(Spread):
    """y = sum of (x - mean x)^2 over `axis` / (n - correction), n being how many are summed.

    The default is the unbiased estimate, as in torch; numpy's default is correction=0.
    Shape: x [..., n, ...] -> y [..., ...]; [..., 1, ...] with `keepdims`; without `axis`, a scalar.
    Gradient: dx = 2 g (x - mean x) / (n - correction).
    Source: torch.var, https://docs.pytorch.org/docs/stable/generated/torch.var.html
    """

    analytic = True
    torch_name = "var"

    def forward(self, x: Array) -> Array:
        return self._squares(x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (2.0 * self._spread(g, x) * self._slope(x),)

    samples = (
        sample((2, 3, 4), flops=96),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=[0, -1], keepdims=True),
        sample((2, 3, 4), keepdims=True, correction=0),
        sample((5,), axis=0),
        sample((5,), correction=2),
        sample((4, 3), axis=-2, correction=3),
        sample((2, 1, 3), axis=1, correction=0),
        sample((), correction=0),
        sample(given(2.0, 2.0, 2.0)),
        sample(given((1.0, 2.0), (0.0, 4.0)), axis=1),
        sample((2, 3), axis=2, rejects="axis"),
        sample((2, 3), axis=[0, -2], rejects="axis"),
        sample((2, 3), axis=[], rejects="axis", without=("torch",)),  # torch reduces over all axes
        sample((2, 1), axis=1, rejects="correction", without=("torch",)),  # torch gives NaN
        sample((2, 3), correction=-1, rejects="correction", without=("torch",)),  # torch divides by n + 1
        sample(integers((2, 3), 9), rejects="x"),
    )


@register("std")
class Std(Spread):
    """y = sqrt(sum of (x - mean x)^2 over `axis` / (n - correction)), n being how many are summed.

    The default is correction=1, as in torch; numpy's default is correction=0.
    Shape: x [..., n, ...] -> y [..., ...]; [..., 1, ...] with `keepdims`; without `axis`, a scalar.
    Gradient: dx = g (x - mean x) / ((n - correction) y); 0 where y is 0.
    Source: torch.std, https://docs.pytorch.org/docs/stable/generated/torch.std.html
    """

    analytic = True
    torch_name = "std"

    def forward(self, x: Array) -> Array:
        return np.sqrt(self._squares(x))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (self._spread(_over(g, y), x) * self._slope(x),)

    def branch(self, x: Array) -> Array:
        return np.equal(self.forward(x), 0)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 4 * prod(x) + prod(y)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Sqrt", super().onnx(graph, x))

    samples = (
        sample((2, 3, 4), flops=97),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=[0, -1], keepdims=True),
        sample((2, 3, 4), keepdims=True, correction=0),
        sample((5,), axis=0),
        sample((5,), correction=2),
        sample((4, 3), axis=-2, correction=3),
        sample((2, 3, 2), axis=1, correction=0),
        sample(given(2.0, 2.0, 2.0), without=("numeric gradient",)),  # a kink
        sample(given((1.0, 2.0), (0.0, 4.0)), axis=1),
        sample((), correction=0, without=("numeric gradient",)),  # a kink
        sample((2, 3), axis=2, rejects="axis"),
        sample((2, 3), axis=[0, -2], rejects="axis"),
        sample((2, 3), axis=[], rejects="axis", without=("torch",)),  # torch reduces over all axes
        sample((2, 1), axis=1, rejects="correction", without=("torch",)),  # torch gives NaN
        sample((2, 3), correction=-1, rejects="correction", without=("torch",)),  # torch divides by n + 1
        sample(integers((2, 3), 9), rejects="x"),
    )


def _over(g: Array, y: Array) -> Array:
    """g / y; 0 where y is 0."""
    return where(y > 0, g / where(y > 0, y, 1.0), 0.0)


@register("norm")
class Norm(Reduction):
    """y = sqrt(sum of x^2 over `axis`).

    Shape: x [..., n, ...] -> y [..., ...]; [..., 1, ...] with `keepdims`; without `axis`, a scalar.
    Gradient: dx = g x / y; 0 where y is 0.
    Source: torch.linalg.vector_norm,
    https://docs.pytorch.org/docs/stable/generated/torch.linalg.vector_norm.html
    """

    analytic = True
    onnx_name = "ReduceL2"

    def forward(self, x: Array) -> Array:
        return np.sqrt(np.sum(x * x, self.axis, keepdims=self.keepdims))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (x * self._spread(_over(g, y), x),)

    def branch(self, x: Array) -> Array:
        return np.equal(self.forward(x), 0)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 2 * prod(x) + prod(y)

    def torch(self, x: Operand) -> Code:
        axes = self.axis[0] if self.axis is not None and len(self.axis) == 1 else self.axis
        how = (Keyword("dim", axes, None), Keyword("keepdim", self.keepdims, False))
        return call("torch.linalg.vector_norm", x, *how)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return super().onnx(graph, x) if x.shape else graph.node("Abs", x)

    samples = (
        sample((2, 3, 4), flops=49),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=[0, -1], keepdims=True),
        sample((2, 3, 4), keepdims=True),
        sample((5,), axis=0),
        sample((2, 3, 4), axis=-3),
        sample((2, 3, 4, 2), axis=[1, 2]),
        sample((1, 4), axis=1),
        sample(given(3.0, -4.0)),
        sample(given(0.0, 0.0), without=("numeric gradient",)),  # a kink
        sample(given((0.0, 0.0), (3.0, 4.0)), axis=1, without=("numeric gradient",)),  # a kink
        sample(given(-1.5, 0.25), axis=0, keepdims=True),
        sample((2, 3), axis=2, rejects="axis"),
        sample((2, 3), axis=[0, -2], rejects="axis"),
        sample((2, 3), axis=[], rejects="axis", without=("torch",)),  # torch reduces over all axes
        sample(integers((2, 3), 9), rejects="x"),
    )
