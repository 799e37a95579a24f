"""Losses of the difference between x and a target of its shape: squares, absolute values, and between both."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from netc.dims import Shape, same, show
from netc.ops.arrays import magnitude, np
from netc.ops.code import Code, Keyword, call
from netc.ops.contract import Array, Draw, Graph, Op, Operand, given, integers, register, require, sample
from netc.ops.notation import function, maximum, where

PAIRS = (
    sample((2, 3, 4), (2, 3, 4)),
    sample((5,), (5,)),
    sample((3, 1), (3, 1)),
    sample((1, 1, 2), (1, 1, 2)),
    sample((2, 1, 3, 2), (2, 1, 3, 2)),
    sample((), ()),
    sample(Draw((2, 3), dtype="float64"), Draw((2, 3), dtype="float64")),
    sample(given(1e3, -1e3), given(-2.0, 3.0)),
)
MISFITS = (
    sample((3, 1), (3,), rejects="target", without=("torch",)),  # torch warns and broadcasts
    sample((3,), (), rejects="target", without=("torch",)),  # the same
    sample((3, 2), (2, 3), rejects="target"),
    sample(integers((3,), 2), integers((3,), 2), rejects="x", without=("torch",)),  # some torch takes
    sample((3,), integers((3,), 2), rejects="target", without=("torch",)),  # torch promotes
)


class Elementwise(Op):
    """What the losses share that compare x with a target of its shape; nothing is broadcast."""

    operands = ("x", "target")
    cost: ClassVar[int] = 3  # operations an element

    def shape(self, x: Shape, target: Shape) -> Shape:
        alike = len(x) == len(target) and all(same(n, m) for n, m in zip(x, target, strict=True))
        require(alike, "target", f"target is {show(target)}, but x is {show(x)}")
        return ()

    def flops(self, y: Shape, x: Shape, target: Shape) -> Any:
        return self.cost * prod(x)


def mean_node(graph: Graph, x: str, rank: int) -> Any:
    """The mean of all elements."""
    return graph.reduce("ReduceMean", x, tuple(range(rank)), False) if rank else graph.node("Identity", x)


class Deviation(Elementwise):
    """What the losses share that are means of a function of d = x - target."""

    def each(self, d: Array) -> Array:
        """The loss of each difference, in numpy."""
        raise NotImplementedError

    def slope(self, g: Array, d: Array) -> Array:
        """Its derivative times g, in the shared notation."""
        raise NotImplementedError

    def onnx_each(self, graph: Graph, d: str, dtype: str) -> Any:
        """Its nodes."""
        raise NotImplementedError

    def forward(self, x: Array, target: Array) -> Array:
        return np.mean(self.each(x - target))

    def vjp(self, g: Array, y: Array, x: Array, target: Array) -> tuple[Array, Array]:
        dx = self.slope(g / prod(x.shape), x - target)
        return dx, -dx

    def onnx(self, graph: Graph, x: Operand, target: Operand) -> Any:
        each = self.onnx_each(graph, graph.node("Sub", x, target), x.dtype)
        return mean_node(graph, each, len(x.shape))


def bent(d: Array, at: float) -> Array:
    """The pieces of a function that bends at `at` and at its negative: -1, 0 or 1."""
    return np.where(d > at, 1, np.where(d < -at, -1, 0))


def clamped(d: Array, at: float) -> Array:
    """d within -at..at."""
    return function("minimum", maximum(d, -at), at)


@register("mse")
class Mse(Deviation):
    """y = mean of (x - t)^2 over all elements.

    Nothing is broadcast: [N, 1] beside [N], which torch spreads to [N, N], is refused.
    Shape: x [...], target of the same shape -> a single number.
    Gradient: dx = 2 g (x - t) / n, n being the number of elements; dt = -dx.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """

    aliases = ("MSELoss", "mse_loss")
    analytic = True

    def each(self, d: Array) -> Array:
        return d**2

    def slope(self, g: Array, d: Array) -> Array:
        return 2 * g * d

    def onnx_each(self, graph: Graph, d: str, dtype: str) -> Any:
        return graph.node("Mul", d, d)

    def torch(self, x: Operand, target: Operand) -> Code:
        return call("F.mse_loss", x, target)

    samples = (
        sample((2, 3), (2, 3), flops=18),
        sample(given(1.0, 2.0), given(1.0, 2.0)),
        *PAIRS,
        *MISFITS,
    )


@register("half_sum_of_squares")
class HalfSumOfSquares(Deviation):
    """y = 1/2 sum of (x - t)^2 over all elements.

    As lectures write it: a sum over the examples of a batch, too, and no mean. So its gradient grows with the
    batch; divide by N, or take a lower rate, where batches are large.
    Shape: x [...], target of the same shape -> a single number.
    Gradient: dx = g (x - t), dt = -dx.
    Source: Bishop, Pattern Recognition and Machine Learning (2006), equation 5.14.
    """

    analytic = True

    def forward(self, x: Array, target: Array) -> Array:
        return np.sum((x - target) ** 2) / 2

    def vjp(self, g: Array, y: Array, x: Array, target: Array) -> tuple[Array, Array]:
        dx = g * (x - target)
        return dx, -dx

    def torch(self, x: Operand, target: Operand) -> Code:
        summed = call("F.mse_loss", x, target, Keyword("reduction", "sum"))
        return Code((*summed.pieces, " / 2"), infix=True)

    def onnx(self, graph: Graph, x: Operand, target: Operand) -> Any:
        d = graph.node("Sub", x, target)
        squares = graph.node("Mul", d, d)
        rank = len(x.shape)
        total = graph.reduce("ReduceSum", squares, tuple(range(rank)), False) if rank else squares
        return graph.node("Mul", total, graph.constant(0.5, x.dtype))

    samples = (
        sample((2, 3), (2, 3), flops=18),
        sample(given(1.0, 2.0), given(0.0, 4.0)),
        *PAIRS,
        *MISFITS,
    )


@register("l1")
class L1(Deviation):
    """y = mean of |x - t| over all elements.

    Shape: x [...], target of the same shape -> a single number.
    Gradient: dx = g sign(x - t) / n, which is 0 where x is t; dt = -dx.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.L1Loss.html
    """

    analytic = True
    aliases = ("L1Loss", "l1_loss", "mae")

    def each(self, d: Array) -> Array:
        return magnitude(d)

    def slope(self, g: Array, d: Array) -> Array:
        return where(d > 0, g, where(d < 0, -g, 0.0))

    def branch(self, x: Array, target: Array) -> Array:
        return bent(x - target, 0.0)

    def onnx_each(self, graph: Graph, d: str, dtype: str) -> Any:
        return graph.node("Abs", d)

    def torch(self, x: Operand, target: Operand) -> Code:
        return call("F.l1_loss", x, target)

    samples = (
        sample((2, 3), (2, 3), flops=18),
        sample(given(1.0, 2.0, 3.0), given(1.0, 3.0, 2.5), without=("numeric gradient",)),  # a kink
        *PAIRS,
        *MISFITS,
    )


@register("smooth_l1")
class SmoothL1(Deviation):
    """y = mean of (d^2 / (2 beta) where |d| < beta, else |d| - beta / 2), d = x - t.

    It is l1 with its kink rounded off, and `huber` divided by `beta`.
    Shape: x [...], target of the same shape -> a single number.
    Gradient: dx = g / n (d / beta, within -1..1); dt = -dx.
    Source: Girshick, Fast R-CNN (2015), https://arxiv.org/abs/1504.08083
    """

    analytic = True
    aliases = ("SmoothL1Loss", "smooth_l1_loss")
    cost = 6
    beta: float = 1.0

    def __post_init__(self) -> None:
        require(
            self.beta > 0, "beta", f"beta is {self.beta}, but must be above 0 (without rounding it is l1)"
        )

    def each(self, d: Array) -> Array:
        size = magnitude(d)
        return np.where(size < self.beta, d**2 / (2 * self.beta), size - self.beta / 2)

    def slope(self, g: Array, d: Array) -> Array:
        return g * clamped(d / self.beta, 1.0)

    def branch(self, x: Array, target: Array) -> Array:
        return bent(x - target, self.beta)

    def onnx_each(self, graph: Graph, d: str, dtype: str) -> Any:
        size, half = graph.node("Abs", d), graph.constant(self.beta / 2, dtype)
        near = graph.node("Mul", graph.node("Mul", d, d), graph.constant(0.5 / self.beta, dtype))
        small = graph.node("Less", size, graph.constant(self.beta, dtype))
        return graph.node("Where", small, near, graph.node("Sub", size, half))

    def torch(self, x: Operand, target: Operand) -> Code:
        return call("F.smooth_l1_loss", x, target, Keyword("beta", self.beta, 1.0))

    samples = (
        sample((2, 3), (2, 3), flops=36),
        sample((2, 3, 4), (2, 3, 4), beta=0.25),
        sample((4, 2), (4, 2), beta=3),
        sample(
            given(0.5, -0.5, 4.0), given(0.0, 0.0, -4.0), beta=0.5, without=("numeric gradient",)
        ),  # bends
        sample((2, 3), (2, 3), beta=0.0, rejects="beta", without=("torch",)),  # torch takes l1
        *PAIRS,
        *MISFITS,
    )


@register("huber")
class Huber(Deviation):
    """y = mean of (d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2)), d = x - t.

    Shape: x [...], target of the same shape -> a single number.
    Gradient: dx = g / n (d within -delta..delta); dt = -dx.
    Source: Huber, Robust Estimation of a Location Parameter (1964), https://doi.org/10.1214/aoms/1177703732
    """

    analytic = True
    aliases = ("HuberLoss", "huber_loss")
    cost = 6
    delta: float = 1.0

    def __post_init__(self) -> None:
        require(self.delta > 0, "delta", f"delta is {self.delta}, but must be above 0")

    def each(self, d: Array) -> Array:
        size = magnitude(d)
        return np.where(size <= self.delta, d**2 / 2, self.delta * (size - self.delta / 2))

    def slope(self, g: Array, d: Array) -> Array:
        return g * clamped(d, self.delta)

    def branch(self, x: Array, target: Array) -> Array:
        return bent(x - target, self.delta)

    def onnx_each(self, graph: Graph, d: str, dtype: str) -> Any:
        size, delta = graph.node("Abs", d), graph.constant(self.delta, dtype)
        near = graph.node("Mul", graph.node("Mul", d, d), graph.constant(0.5, dtype))
        far = graph.node("Mul", graph.node("Sub", size, graph.constant(self.delta / 2, dtype)), delta)
        return graph.node("Where", graph.node("Greater", size, delta), far, near)

    def torch(self, x: Operand, target: Operand) -> Code:
        return call("F.huber_loss", x, target, Keyword("delta", self.delta, 1.0))

    samples = (
        sample((2, 3), (2, 3), flops=36),
        sample((2, 3, 4), (2, 3, 4), delta=0.25),
        sample((4, 2), (4, 2), delta=3),
        sample(
            given(0.5, -0.5, 4.0), given(0.0, 0.0, -4.0), delta=0.5, without=("numeric gradient",)
        ),  # bends
        sample((2, 3), (2, 3), delta=-1.0, rejects="delta"),
        *PAIRS,
        *MISFITS,
    )
