"""Softmax and its logarithm, along one axis."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, prod
from typing import Any

from netc.dims import Shape
from netc.ops.arrays import np
from netc.ops.attributes import axis_of
from netc.ops.code import Code, Keyword, call
from netc.ops.contract import Array, Graph, Op, Operand, given, register, sample
from netc.ops.notation import exp


@dataclass(frozen=True)
class AlongAxis(Op):
    """What softmax and its logarithm share."""

    analytic = True
    axis: int = -1

    def shape(self, x: Shape) -> Shape:
        axis_of(self.axis, len(x))
        return x

    def flops(self, y: Shape, x: Shape) -> Any:
        return 5 * prod(x)


@register("softmax")
class Softmax(AlongAxis):
    """y_i = exp(x_i - max x) / sum_j exp(x_j - max x) along `axis`; dx = y (g - sum(g y)).

    A row of nothing but -inf gives NaN, as in torch.
    Source: Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs (1990).
    """

    aliases = ("Softmax",)

    def forward(self, x: Array) -> Array:
        e = np.exp(x - x.max(self.axis, keepdims=True))
        return e / e.sum(self.axis, keepdims=True)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (y * (g - (g * y).sum(self.axis, keepdims=True)),)

    def torch(self, x: Operand) -> Code:
        return call("F.softmax", x, Keyword("dim", self.axis))

    def module(self, x: Shape) -> Code:
        return call("nn.Softmax", Keyword("dim", self.axis))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Softmax", x, axis=self.axis)

    samples = (
        sample((4, 5), flops=100),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=-3),
        sample(given((1000.0, 999.0), (-1000.0, -inf)), without=("numeric gradient",)),  # not finite
        sample(given((-inf, -inf), (1.0, 2.0)), without=("gradient",)),  # not finite
        sample((2, 3), axis=2, rejects="axis"),
        sample((), rejects="axis", without=("torch",)),  # torch takes a scalar for a vector of one
    )


@register("log_softmax")
class LogSoftmax(AlongAxis):
    """y_i = z_i - log sum_j exp z_j, z = x - max x, along `axis`; dx = g - exp(y) sum(g).

    Source: Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs (1990).
    """

    aliases = ("LogSoftmax",)

    def forward(self, x: Array) -> Array:
        z = x - x.max(self.axis, keepdims=True)
        return z - np.log(np.exp(z).sum(self.axis, keepdims=True))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g - exp(y) * g.sum(self.axis, keepdims=True),)

    def torch(self, x: Operand) -> Code:
        return call("F.log_softmax", x, Keyword("dim", self.axis))

    def module(self, x: Shape) -> Code:
        return call("nn.LogSoftmax", Keyword("dim", self.axis))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("LogSoftmax", x, axis=self.axis)

    samples = (
        sample((4, 5), flops=100),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=-3),
        sample(given((1000.0, 0.0), (-1000.0, -2000.0))),
        sample((2, 3), axis=-3, rejects="axis"),
    )
