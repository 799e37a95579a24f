"""Activations of the shape of an S: sigmoid, tanh, softsign."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from netc.dims import Shape
from netc.ops.arrays import magnitude, np
from netc.ops.code import Code, call
from netc.ops.contract import Array, Graph, Operand, given, register, sample
from netc.ops.elementwise import ANYWHERE, WHOLE, Elementwise
from netc.ops.notation import function


@register("sigmoid")
class Sigmoid(Elementwise):
    """y = 1 / (1 + exp(-x)).

    ONNX Runtime gives exactly 0 for x <= -18: take bce_with_logits or log_softmax for a logarithm. The ONNX
    target writes log(sigmoid(x)) as -softplus(-x).
    Shape: x -> y of the same shape.
    Gradient: dx = g y (1 - y).
    Source: Rumelhart, Hinton and Williams, Learning Representations by Back-propagating Errors (1986).
    """

    aliases = ("Sigmoid",)
    analytic = True
    cost = 4

    def forward(self, x: Array) -> Array:
        positive = x.real > 0
        small = np.exp(np.where(positive, -x, x))  # which never overflows
        return np.where(positive, 1, small) / (1 + small)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g * y * (1 - y),)

    def torch(self, x: Operand) -> Code:
        return call("torch.sigmoid", x)

    def module(self, x: Shape) -> Code:
        return call("nn.Sigmoid")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Sigmoid", x)

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=60),
        sample(given(-800.0, -19.0, 0.0, 19.0, 800.0)),
        sample(given(-inf, nan, inf), without=("gradient",)),  # not finite
        sample((2, 3), axis=1, rejects="axis"),
        WHOLE,
    )


@register("tanh")
class Tanh(Elementwise):
    """y = tanh x.

    Shape: x -> y of the same shape.
    Gradient: dx = g (1 - y^2).
    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 4.5.
    """

    aliases = ("Tanh",)
    analytic = True

    def forward(self, x: Array) -> Array:
        return np.tanh(x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g * (1 - y * y),)

    def torch(self, x: Operand) -> Code:
        return call("torch.tanh", x)

    def module(self, x: Shape) -> Code:
        return call("nn.Tanh")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Tanh", x)

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=15),
        sample(given(-50.0, 0.0, 50.0)),
        sample(given(-inf, nan, inf), without=("gradient",)),  # not finite
        sample((2, 3), axis=1, rejects="axis"),
        WHOLE,
    )


@register("softsign")
class Softsign(Elementwise):
    """y = x / (1 + |x|).

    Shape: x -> y of the same shape.
    Gradient: dx = g / (1 + |x|)^2.
    Source: Bergstra et al., Quadratic Polynomials Learn Better Image Features (2009).
    """

    analytic = True
    aliases = ("Softsign",)
    cost = 3

    def forward(self, x: Array) -> Array:
        return x / (1 + magnitude(x))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        below = 1 + function("abs", x)
        return (g / (below * below),)

    def branch(self, x: Array) -> Array:
        return x > 0  # its curvature jumps at 0

    def torch(self, x: Operand) -> Code:
        return call("F.softsign", x)

    def module(self, x: Shape) -> Code:
        return call("nn.Softsign")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if x.dtype == "float32":
            return graph.node("Softsign", x)
        below = graph.node("Add", graph.node("Abs", x), graph.constant(1.0, x.dtype))
        return graph.node("Div", x, below)

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=45),
        sample(given(-1000.0, -0.5, 0.5, 1000.0)),
        sample(given(0.0, 1.0)),
        sample((2, 3), axis=1, rejects="axis"),
        WHOLE,
    )
