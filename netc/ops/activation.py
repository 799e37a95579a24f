"""Activations: relu and its kin, the sigmoids, gelu, silu, identity."""

from __future__ import annotations

from math import inf, nan, pi, prod
from math import sqrt as square_root
from typing import Any, ClassVar, Literal

from netc.dims import Shape
from netc.ops.arrays import np
from netc.ops.code import Code, Keyword, call
from netc.ops.contract import DTYPES, Array, Graph, Op, Operand, given, register, sample
from netc.ops.notation import erf, exp, sigmoid, tanh, where
from netc.ops.window import require_float32


def _bend(graph: Graph, x: Operand, below: str) -> Any:
    """x where it is positive, else `below`: onnxruntime has LeakyRelu and Elu only in float32."""
    return graph.node("Where", graph.node("Greater", x, graph.constant(0.0, x.dtype)), x, below)


class Elementwise(Op):
    """What holds of a function of each element."""

    cost: ClassVar[int] = 1  # operations an element

    def shape(self, x: Shape) -> Shape:
        return x

    def flops(self, y: Shape, x: Shape) -> Any:
        return self.cost * prod(x)


@register("relu")
class Relu(Elementwise):
    """y = max(x, 0); dx = g where x > 0, else 0.

    Source: Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines (2010).
    """

    aliases = ("ReLU",)

    def forward(self, x: Array) -> Array:
        return np.maximum(x, 0)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (where(x > 0, g, 0.0),)

    def branch(self, x: Array) -> Array:
        return x > 0

    def torch(self, x: Operand) -> Code:
        return call("F.relu", x)

    def module(self, x: Shape) -> Code:
        return call("nn.ReLU")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Relu", x)

    samples = (
        sample((3, 5), flops=15),
        sample((2, 3, 4)),
        sample(()),
        sample(given(-inf, nan, inf, -1.0), without=("gradient",)),  # not finite
        sample((2, 3), negative_slope=0.1, rejects="negative_slope"),
    )


@register("relu6")
class Relu6(Elementwise):
    """y = min(max(x, 0), 6); dx = g where 0 < x < 6, else 0.

    Source: Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10 (2010).
    """

    aliases = ("ReLU6",)
    cost = 2

    def forward(self, x: Array) -> Array:
        return np.minimum(np.maximum(x, 0), 6)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (where(x > 0, where(x < 6, g, 0.0), 0.0),)

    def branch(self, x: Array) -> Array:
        return np.add(x > 0, x >= 6, dtype="int8")

    def torch(self, x: Operand) -> Code:
        return call("F.relu6", x)

    def module(self, x: Shape) -> Code:
        return call("nn.ReLU6")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Clip", x, graph.constant(0.0, x.dtype), graph.constant(6.0, x.dtype))

    samples = (
        sample((3, 5), flops=30),
        sample(given(-2.0, -0.5, 0.25, 5.5, 6.5, 100.0)),
        sample(given((3.0, 7.0), (-1.0, 6.25))),
        sample((2, 3), alpha=2.0, rejects="alpha"),
    )


@register("leaky_relu")
class LeakyRelu(Elementwise):
    """y = x where x > 0, else slope x; dx = g where x > 0, else slope g.

    Source: Maas, Hannun and Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models (2013).
    """

    aliases = ("LeakyReLU",)
    cost = 2
    negative_slope: float = 0.01

    def forward(self, x: Array) -> Array:
        return np.where(x > 0, x, self.negative_slope * x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (where(x > 0, g, self.negative_slope * g),)

    def branch(self, x: Array) -> Array:
        return x > 0

    def torch(self, x: Operand) -> Code:
        return call("F.leaky_relu", x, Keyword("negative_slope", self.negative_slope, 0.01))

    def module(self, x: Shape) -> Code:
        return call("nn.LeakyReLU", Keyword("negative_slope", self.negative_slope, 0.01))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if x.dtype == "float32":
            return graph.node("LeakyRelu", x, alpha=self.negative_slope)
        return _bend(graph, x, graph.node("Mul", x, graph.constant(self.negative_slope, x.dtype)))

    samples = (
        sample((3, 5), flops=30),
        sample((2, 3, 4), negative_slope=0.2),
        sample((2, 3), negative_slope=1),
        sample((2, 3), negative_slope="x", rejects="negative_slope"),
    )


@register("elu")
class Elu(Elementwise):
    """y = x where x > 0, else alpha (exp x - 1); dx = g where x > 0, else g (y + alpha).

    Source: Clevert, Unterthiner and Hochreiter, Fast and Accurate Deep Network Learning by Exponential
    Linear Units (2016), https://arxiv.org/abs/1511.07289
    """

    aliases = ("ELU",)
    cost = 3
    alpha: float = 1.0

    def forward(self, x: Array) -> Array:
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (where(x > 0, g, g * (y + self.alpha)),)

    def branch(self, x: Array) -> Array:
        return x > 0

    def torch(self, x: Operand) -> Code:
        return call("F.elu", x, Keyword("alpha", self.alpha, 1.0))

    def module(self, x: Shape) -> Code:
        return call("nn.ELU", Keyword("alpha", self.alpha, 1.0))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if x.dtype == "float32":
            return graph.node("Elu", x, alpha=self.alpha)
        lower = graph.node("Exp", graph.node("Min", x, graph.constant(0.0, x.dtype)))
        from_zero = graph.node("Sub", lower, graph.constant(1.0, x.dtype))
        return _bend(graph, x, graph.node("Mul", from_zero, graph.constant(self.alpha, x.dtype)))

    samples = (
        sample((3, 5), flops=45),
        sample((2, 3, 4), alpha=0.5),
        sample(given(-30.0, -1.0, 30.0, 1.0), alpha=2),
        sample((2, 3), alpha=None, rejects="alpha"),
    )


@register("sigmoid")
class Sigmoid(Elementwise):
    """y = 1 / (1 + exp(-x)); dx = g y (1 - y).

    ONNX Runtime gives exactly 0 for x <= -18: take bce_with_logits or log_softmax, never log(sigmoid(x)).
    Source: Rumelhart, Hinton and Williams, Learning Representations by Back-propagating Errors (1986).
    """

    aliases = ("Sigmoid",)
    cost = 4

    def forward(self, x: Array) -> Array:
        return np.exp(-np.logaddexp(0, -x))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g * y * (1 - y),)

    def torch(self, x: Operand) -> Code:
        return call("torch.sigmoid", x)

    def module(self, x: Shape) -> Code:
        return call("nn.Sigmoid")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Sigmoid", x)

    samples = (
        sample((3, 5), flops=60),
        sample((2, 3, 4)),
        sample(given(-800.0, -19.0, 0.0, 19.0, 800.0)),
        sample((2, 3), axis=1, rejects="axis"),
    )


@register("tanh")
class Tanh(Elementwise):
    """y = tanh x; dx = g (1 - y^2).

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
        sample((3, 5), flops=15),
        sample((2, 3, 4)),
        sample(given(-50.0, 0.0, 50.0)),
        sample((2, 3), axis=1, rejects="axis"),
    )


@register("gelu")
class Gelu(Elementwise):
    """y = x P(x), P(x) = (1 + erf(x / sqrt 2)) / 2; dx = g (P(x) + x exp(-x^2 / 2) / sqrt(2 pi)).

    approximate="tanh": P(x) = (1 + tanh u) / 2, u = sqrt(2 / pi) (x + 0.044715 x^3), and
    dx = g (P(x) + x (1 - tanh^2 u) u' / 2).
    Source: Hendrycks and Gimpel, Gaussian Error Linear Units (2016), https://arxiv.org/abs/1606.08415
    """

    aliases = ("GELU",)
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
        sample((3, 5), flops=75),
        sample((3, 5), approximate="tanh"),
        sample(given(-20.0, -0.5, 0.0, 0.5, 20.0)),
        sample(given(-20.0, -0.5, 0.0, 0.5, 20.0), approximate="tanh"),
        sample((2, 3), approximate="erf", rejects="approximate"),
    )


@register("silu")
class Silu(Elementwise):
    """y = x s, s = sigmoid(x); dx = g s (1 + x (1 - s)).

    Source: Elfwing, Uchibe and Doya, Sigmoid-Weighted Linear Units (2018), https://arxiv.org/abs/1702.03118
    """

    aliases = ("SiLU",)
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
        sample((3, 5), flops=75),
        sample((2, 3, 4)),
        sample(given(-30.0, -1.0, 0.0, 30.0)),
        sample((2, 3), beta=1.0, rejects="beta"),
    )


@register("identity")
class Identity(Elementwise):
    """y = x; dx = g.

    Source: torch.nn.Identity.
    """

    aliases = ("Identity",)
    analytic = True
    accepts = DTYPES
    cost = 0

    def forward(self, x: Array) -> Array:
        return x

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g,)

    def torch(self, x: Operand) -> Code:
        return Code((x,))

    def module(self, x: Shape) -> Code:
        return call("nn.Identity")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Identity", x)

    samples = (
        sample((3, 5), flops=0),
        sample(()),
        sample(given(1, 2, 3, dtype="int64")),
        sample((2, 3), p=1.0, rejects="p"),
    )
