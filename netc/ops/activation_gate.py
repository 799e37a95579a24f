"""Activations that multiply x by a gate: silu, mish, gelu, glu."""

from __future__ import annotations

from math import pi
from math import sqrt as square_root
from typing import Any, Literal

from netc.dims import Shape, divides
from netc.ops.activation_exponential import softplus_node
from netc.ops.arrays import np
from netc.ops.attributes import axis_of
from netc.ops.code import Code, Keyword, call
from netc.ops.contract import Array, Graph, Op, Operand, given, register, require, sample
from netc.ops.elementwise import ANYWHERE, WHOLE, Elementwise
from netc.ops.notation import concat, erf, exp, function, sigmoid, tanh
from netc.ops.window import require_float32


@register("silu")
class Silu(Elementwise):
    """y = x sigmoid(x).

    Shape: x -> y of the same shape.
    Gradient: dx = g s (1 + x (1 - s)), s = sigmoid(x).
    Source: Elfwing, Uchibe and Doya, Sigmoid-Weighted Linear Units (2018), https://arxiv.org/abs/1702.03118
    """

    aliases = ("SiLU",)
    analytic = True
    cost = 5

    def forward(self, x: Array) -> Array:
        return x * sigmoid(x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        s = sigmoid(x)
        return (g * s * (1 + x * (1 - s)),)

    def torch(self, x: Operand) -> Code:
        return call("F.silu", x)

    def module(self, x: Shape) -> Code:
        return call("nn.SiLU")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Mul", x, graph.node("Sigmoid", x))

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=75),
        sample((2, 2, 2, 2, 2)),
        sample(given(-30.0, -1.0, 0.0, 30.0)),
        sample((2, 3), beta=1.0, rejects="beta"),
        WHOLE,
    )


@register("mish")
class Mish(Elementwise):
    """y = x tanh(log(1 + exp x)).

    Shape: x -> y of the same shape.
    Gradient: dx = g (t + x (1 - t^2) sigmoid(x)), t = tanh(log(1 + exp x)).
    Source: Misra, Mish: A Self Regularized Non-Monotonic Activation Function (2020),
    https://arxiv.org/abs/1908.08681
    """

    aliases = ("Mish",)
    analytic = True
    cost = 7

    def forward(self, x: Array) -> Array:
        """With e = exp(-|x|): tanh(log(1 + exp x)) is a quotient of polynomials of e."""
        positive = x.real > 0
        e = np.exp(np.where(positive, -x, x))
        above, rest = np.where(positive, 1 + 2 * e, e * (e + 2)), np.where(positive, 2 * e * e, 2)
        return x * (above / (above + rest))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        t = tanh(function("softplus", x))
        return (g * (t + x * (1 - t * t) * sigmoid(x)),)

    def torch(self, x: Operand) -> Code:
        return call("F.mish", x)

    def module(self, x: Shape) -> Code:
        return call("nn.Mish")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Mul", x, graph.node("Tanh", softplus_node(graph, x, x.dtype)))

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=105),
        sample(given(-30.0, -1.0, 0.0, 30.0)),
        sample(given(-800.0, -19.0, 19.0, 21.0, 800.0)),
        sample((2, 3), beta=1.0, rejects="beta"),
        WHOLE,
    )


@register("gelu")
class Gelu(Elementwise):
    """y = x P(x), P(x) = (1 + erf(x / sqrt 2)) / 2.

    With approximate="tanh", P(x) = (1 + tanh u) / 2, u = sqrt(2 / pi) (x + 0.044715 x^3).
    Shape: x -> y of the same shape.
    Gradient: dx = g (P(x) + x exp(-x^2 / 2) / sqrt(2 pi)); with "tanh", g (P(x) + x (1 - tanh^2 u) u' / 2).
    Source: Hendrycks and Gimpel, Gaussian Error Linear Units (2016), https://arxiv.org/abs/1606.08415
    """

    aliases = ("GELU",)
    analytic = True
    cost = 5
    approximate: Literal["none", "tanh"] = "none"

    def forward(self, x: Array) -> Array:
        return x * self._share(x)

    def _share(self, x: Array) -> Array:
        if self.approximate == "tanh":
            return 0.5 * (1 + tanh(square_root(2 / pi) * (x + 0.044715 * (x * x * x))))
        return 0.5 * (1 + erf(x * square_root(0.5)))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        p = self._share(x)
        if self.approximate == "tanh":
            slope = square_root(2 / pi) * (1 + 3 * 0.044715 * (x * x))
            return (g * (p + 2 * x * p * (1 - p) * slope),)
        return (g * (p + x * exp(-0.5 * (x * x)) / square_root(2 * pi)),)

    def torch(self, x: Operand) -> Code:
        return call("F.gelu", x, Keyword("approximate", self.approximate, "none"))

    def module(self, x: Shape) -> Code:
        return call("nn.GELU", Keyword("approximate", self.approximate, "none"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if self.approximate == "none":
            require_float32("Erf", x)
        if graph.opset >= 20:
            return graph.node("Gelu", x, approximate=self.approximate)

        def number(value: float) -> str:
            return graph.constant(value, x.dtype)

        if self.approximate == "tanh":
            cube = graph.node("Mul", x, graph.node("Mul", x, x))
            inner = graph.node("Add", x, graph.node("Mul", cube, number(0.044715)))
            bent = graph.node("Tanh", graph.node("Mul", inner, number(square_root(2 / pi))))
        else:
            bent = graph.node("Erf", graph.node("Mul", x, number(square_root(0.5))))
        return graph.node("Mul", graph.node("Mul", x, number(0.5)), graph.node("Add", bent, number(1.0)))

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=75),
        sample((2, 3, 4), approximate="tanh"),
        sample((), approximate="tanh"),
        sample(given(-20.0, -0.5, 0.0, 0.5, 20.0)),
        sample(given(-20.0, -0.5, 0.0, 0.5, 20.0), approximate="tanh"),
        sample((2, 3), approximate="erf", rejects="approximate"),
        WHOLE,
    )


@register("glu")
class Glu(Op):
    """y = a sigmoid(b), where x is a and then b along `axis`.

    Shape: x [..., 2 n, ...] -> y [..., n, ...].
    Gradient: da = g sigmoid(b), db = g y (1 - sigmoid(b)); dx is da and then db.
    Source: Dauphin et al., Language Modeling with Gated Convolutional Networks (2017),
    https://arxiv.org/abs/1612.08083
    """

    aliases = ("GLU",)
    analytic = True
    axis: int = -1

    def shape(self, x: Shape) -> Shape:
        axis = axis_of(self.axis, len(x))
        require(
            divides(2, x[axis]), "axis", f"axis {self.axis} of x has {x[axis]} elements, which is not even"
        )
        return (*x[:axis], x[axis] // 2, *x[axis + 1 :])

    def _halves(self, x: Array) -> tuple[Array, Array]:
        axis = axis_of(self.axis, len(x.shape))
        half, lead = x.shape[axis] // 2, (slice(None),) * axis
        return x[(*lead, slice(0, half))], x[(*lead, slice(half, 2 * half))]

    def forward(self, x: Array) -> Array:
        a, b = self._halves(x)
        return a * sigmoid(b)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        s = sigmoid(self._halves(x)[1])
        return (concat((g * s, g * y * (1 - s)), self.axis),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return Silu().flops(y, y)

    def torch(self, x: Operand) -> Code:
        return call("F.glu", x, Keyword("dim", self.axis, -1))

    def module(self, x: Shape) -> Code:
        return call("nn.GLU", Keyword("dim", self.axis, -1))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        half = self.shape(x.shape)[axis_of(self.axis, len(x.shape))]
        a, b = graph.node("Split", x, graph.sizes((half, half)), outputs=2, axis=self.axis)
        return graph.node("Mul", a, graph.node("Sigmoid", b))

    samples = (
        sample((3, 10), flops=75),
        sample((2, 6, 3), axis=1),
        sample((4, 3, 2), axis=0),
        sample((4, 3, 2), axis=-3),
        sample((2, 3, 4, 6), axis=-1),
        sample((1, 2), axis=-1),
        sample((2, 1), axis=0),
        sample((2,)),
        sample((8,), axis=0),
        sample((1, 4, 3, 1), axis=-3),
        sample(given((-800.0, 1.0, -800.0, 800.0), (2.0, 3.0, -1.0, 0.0))),
        sample((2, 3), rejects="axis"),
        sample((2, 4), axis=2, rejects="axis"),
        sample((), rejects="axis"),
        WHOLE,
    )
