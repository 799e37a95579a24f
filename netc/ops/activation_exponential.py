"""Activations with an exponential below 0: elu, selu, celu and softplus."""

from __future__ import annotations

from typing import Any

from netc.dims import Shape
from netc.ops.activation import Rectifier, bend
from netc.ops.arrays import log_one_plus_exp, np
from netc.ops.code import Code, Keyword, call
from netc.ops.contract import Array, Graph, Operand, given, register, require, sample
from netc.ops.elementwise import ANYWHERE, WHOLE, Elementwise
from netc.ops.notation import exp, sigmoid, where


def _decay(graph: Graph, x: Operand, alpha: float, width: float = 1.0) -> Any:
    """alpha (exp(min(x, 0) / width) - 1)."""
    low = graph.node("Min", x, graph.constant(0.0, x.dtype))
    narrow = low if width == 1 else graph.node("Div", low, graph.constant(width, x.dtype))
    fallen = graph.node("Sub", graph.node("Exp", narrow), graph.constant(1.0, x.dtype))
    return graph.node("Mul", fallen, graph.constant(alpha, x.dtype))


@register("elu")
class Elu(Rectifier):
    """y = x where x > 0, else alpha (exp x - 1).

    Shape: x -> y of the same shape.
    Gradient: dx = g where x > 0, else g (y + alpha).
    Source: Clevert, Unterthiner and Hochreiter, Fast and Accurate Deep Network Learning by Exponential
    Linear Units (2016), https://arxiv.org/abs/1511.07289
    """

    analytic = True
    aliases = ("ELU",)
    cost = 3
    alpha: float = 1.0

    def forward(self, x: Array) -> Array:
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (where(x > 0, g, g * (y + self.alpha)),)

    def torch(self, x: Operand) -> Code:
        return call("F.elu", x, Keyword("alpha", self.alpha, 1.0))

    def module(self, x: Shape) -> Code:
        return call("nn.ELU", Keyword("alpha", self.alpha, 1.0))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if x.dtype == "float32":
            return graph.node("Elu", x, alpha=self.alpha)
        return bend(graph, x, _decay(graph, x, self.alpha))

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=45),
        sample((2, 3, 4), alpha=0.5),
        sample((2, 3), alpha=0),
        sample(given(-30.0, -1.0, 30.0, 1.0), alpha=2),
        sample(given(0.0, -1.0), alpha=2.0, without=("numeric gradient",)),  # a kink at 0
        sample((2, 3), alpha=None, rejects="alpha"),
        WHOLE,
    )


@register("selu")
class Selu(Rectifier):
    """y = scale x where x > 0, else scale alpha (exp x - 1).

    scale = 1.0507009873554805 and alpha = 1.6732632423543772 keep mean 0 and variance 1 from layer to layer.
    Shape: x -> y of the same shape.
    Gradient: dx = scale g where x > 0, else g (y + scale alpha).
    Source: Klambauer et al., Self-Normalizing Neural Networks (2017), https://arxiv.org/abs/1706.02515
    """

    analytic = True
    aliases = ("SELU",)
    cost = 4
    _scale, _alpha = 1.0507009873554805, 1.6732632423543772

    def forward(self, x: Array) -> Array:
        return self._scale * np.where(x > 0, x, self._alpha * np.expm1(np.minimum(x, 0)))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (where(x > 0, self._scale * g, g * (y + self._scale * self._alpha)),)

    def torch(self, x: Operand) -> Code:
        return call("F.selu", x)

    def module(self, x: Shape) -> Code:
        return call("nn.SELU")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if x.dtype == "float32":
            return graph.node("Selu", x, alpha=self._alpha, gamma=self._scale)
        bent = bend(graph, x, _decay(graph, x, self._alpha))
        return graph.node("Mul", bent, graph.constant(self._scale, x.dtype))

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=60),
        sample(given(-30.0, -1.0, 30.0, 1.0)),
        sample(given(0.0, -1.0), without=("numeric gradient",)),  # a kink at 0
        sample((2, 3), alpha=1.0, rejects="alpha"),
        WHOLE,
    )


@register("celu")
class Celu(Rectifier):
    """y = x where x > 0, else alpha (exp(x / alpha) - 1).

    Shape: x -> y of the same shape.
    Gradient: dx = g where x > 0, else g exp(x / alpha).
    Source: Barron, Continuously Differentiable Exponential Linear Units (2017), https://arxiv.org/abs/1704.07483
    """

    analytic = True
    aliases = ("CELU",)
    cost = 4
    alpha: float = 1.0

    def shape(self, x: Shape) -> Shape:
        require(self.alpha > 0, "alpha", f"alpha must be positive, not {self.alpha:g}")
        return x

    def forward(self, x: Array) -> Array:
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0) / self.alpha))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (where(x > 0, g, g * exp(where(x > 0, 0.0, x) / self.alpha)),)

    def torch(self, x: Operand) -> Code:
        return call("F.celu", x, Keyword("alpha", self.alpha, 1.0))

    def module(self, x: Shape) -> Code:
        return call("nn.CELU", Keyword("alpha", self.alpha, 1.0))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if x.dtype == "float32":
            return graph.node("Celu", x, alpha=self.alpha)
        return bend(graph, x, _decay(graph, x, self.alpha, self.alpha))

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=60),
        sample((2, 3, 4), alpha=0.5),
        sample((2, 3), alpha=3),
        sample(given(-30.0, -1.0, 800.0, 1.0), alpha=1.5),
        sample(given(0.0, -1.0), alpha=2.0, without=("numeric gradient",)),  # its curvature jumps at 0
        sample((2, 3), alpha=0, rejects="alpha"),
        sample((2, 3), alpha=-1.0, rejects="alpha", without=("torch",)),  # which torch takes
        sample((2, 3), beta=1.0, rejects="beta"),
        WHOLE,
    )


def softplus_node(graph: Graph, x: str, dtype: str) -> Any:
    """log(1 + exp x), which onnxruntime has only in float32."""
    if dtype == "float32":
        return graph.node("Softplus", x)
    falling = graph.node("Exp", graph.node("Neg", graph.node("Abs", x)))
    rest = graph.node("Log", graph.node("Add", falling, graph.constant(1.0, dtype)))
    return graph.node("Add", graph.node("Max", x, graph.constant(0.0, dtype)), rest)


@register("softplus")
class Softplus(Elementwise):
    """y = log(1 + exp(beta x)) / beta; x itself where beta x > threshold.

    Shape: x -> y of the same shape.
    Gradient: dx = g sigmoid(beta x); g itself where beta x > threshold.
    Source: Dugas et al., Incorporating Second-Order Functional Knowledge for Better Option Pricing (2000);
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Softplus.html
    """

    analytic = True
    aliases = ("Softplus",)
    cost = 5
    beta: float = 1.0
    threshold: float = 20.0

    def shape(self, x: Shape) -> Shape:
        require(self.beta > 0, "beta", f"beta must be positive, not {self.beta:g}")
        return x

    def forward(self, x: Array) -> Array:
        z = self.beta * x
        return np.where(z > self.threshold, x, log_one_plus_exp(z) / self.beta)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        z = self.beta * x
        return (where(z > self.threshold, g, g * sigmoid(z)),)

    def branch(self, x: Array) -> Array:
        return self.beta * x > self.threshold

    def torch(self, x: Operand) -> Code:
        return call("F.softplus", x, *self._arguments())

    def module(self, x: Shape) -> Code:
        return call("nn.Softplus", *self._arguments())

    def _arguments(self) -> tuple[Keyword, Keyword]:
        return Keyword("beta", self.beta, 1.0), Keyword("threshold", self.threshold, 20.0)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        beta = graph.constant(self.beta, x.dtype)
        z = x if self.beta == 1 else graph.node("Mul", x, beta)
        soft = softplus_node(graph, z, x.dtype)
        y = soft if self.beta == 1 else graph.node("Div", soft, beta)
        if x.dtype == "float32" and self.threshold >= 20:  # from there on the two round alike
            return y
        straight = graph.node("Greater", z, graph.constant(self.threshold, x.dtype))
        return graph.node("Where", straight, x, y)

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=75),
        sample((2, 3, 4), beta=2.0),
        sample((2, 3, 4), beta=0.5, threshold=1.0),
        sample((5,), threshold=-0.25),
        sample((3, 4), threshold=0),
        sample(given(-800.0, -30.0, 0.0, 19.5, 20.5, 800.0)),
        sample(given(-3.0, 0.5, 3.0), beta=10, threshold=40.0),
        sample(given(1.0, 2.0, 3.0), beta=2, threshold=4.0, without=("numeric gradient",)),  # a jump at 2
        sample((2, 3), beta=0, rejects="beta", without=("torch",)),  # torch divides by 0
        sample((2, 3), beta=-1.0, rejects="beta", without=("torch",)),  # which torch takes
        sample((2, 3), threshold="x", rejects="threshold"),
        WHOLE,
    )
