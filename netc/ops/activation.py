"""Activations of straight pieces: step, relu and its kin, the identity."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from netc.dims import AnyDim, Shape, at_least, decide, same, show
from netc.ops.arrays import np
from netc.ops.code import Code, Keyword, call
from netc.ops.contract import (
    DTYPES,
    Array,
    Graph,
    Init,
    Op,
    Operand,
    Parameter,
    given,
    register,
    require,
    sample,
)
from netc.ops.elementwise import ANYWHERE, WHOLE, Elementwise, clip_node
from netc.ops.notation import unbroadcast, where


def bend(graph: Graph, x: Operand, below: str) -> Any:
    """x where it is positive, else `below`: onnxruntime has LeakyRelu and its kin only in float32."""
    return graph.node("Where", graph.node("Greater", x, graph.constant(0.0, x.dtype)), x, below)


class Rectifier(Elementwise):
    """What bends at 0."""

    def branch(self, x: Array) -> Array:
        return x > 0


@register("step")
class Step(Rectifier):
    """y = 1 where x > 0, else 0.

    The perceptron's threshold. It is 0 at 0, as the derivative of relu is, and where x is NaN.
    Shape: x -> y of the same shape.
    Gradient: none; it is 0 on both sides of the step.
    Source: Rosenblatt, The Perceptron (1958), https://doi.org/10.1037/h0042519
    """

    differentiable = False

    def forward(self, x: Array) -> Array:
        return np.asarray(x > 0).astype(x.dtype)

    def torch(self, x: Operand) -> Code:
        return call("torch.sign", call("F.relu", x))  # it has a gradient, of 0, which a comparison has not

    def onnx(self, graph: Graph, x: Operand) -> Any:
        positive = graph.node("Greater", x, graph.constant(0.0, x.dtype))
        return graph.node("Where", positive, graph.constant(1.0, x.dtype), graph.constant(0.0, x.dtype))

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=15),
        sample(given(-1.5, -0.0, 0.0, 1e-30)),
        sample(given(-inf, inf, nan)),
        sample((2, 3), threshold=0.5, rejects="threshold"),
        WHOLE,
    )


@register("relu")
class Relu(Rectifier):
    """y = max(x, 0).

    Shape: x -> y of the same shape.
    Gradient: dx = g where x > 0, else 0.
    Source: Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines (2010).
    """

    analytic = True
    aliases = ("ReLU",)

    def forward(self, x: Array) -> Array:
        return np.maximum(x, 0)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (where(x > 0, g, 0.0),)

    def torch(self, x: Operand) -> Code:
        return call("F.relu", x)

    def module(self, x: Shape) -> Code:
        return call("nn.ReLU")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Relu", x)

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=15),
        sample(given(-inf, nan, inf, -1.0), without=("gradient",)),  # not finite
        sample(given(-0.0, 0.0, 1.0), without=("numeric gradient",)),  # a kink at 0
        sample((2, 3), negative_slope=0.1, rejects="negative_slope"),
        WHOLE,
    )


@register("relu6")
class Relu6(Elementwise):
    """y = min(max(x, 0), 6).

    Shape: x -> y of the same shape.
    Gradient: dx = g where 0 < x < 6, else 0.
    Source: Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10 (2010).
    """

    analytic = True
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
        return clip_node(graph, x, 0.0, 6.0)

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=30),
        sample(given(-2.0, -0.5, 0.25, 5.5, 6.5, 100.0)),
        sample(given((3.0, 7.0), (-1.0, 6.25))),
        sample(given(0.0, 6.0), without=("numeric gradient",)),  # the kinks
        sample(given(-inf, nan, inf), without=("gradient",)),  # not finite
        sample((2, 3), alpha=2.0, rejects="alpha"),
        WHOLE,
    )


@register("leaky_relu")
class LeakyRelu(Rectifier):
    """y = x where x > 0, else negative_slope x.

    Shape: x -> y of the same shape.
    Gradient: dx = g where x > 0, else negative_slope g.
    Source: Maas, Hannun and Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models (2013).
    """

    analytic = True
    aliases = ("LeakyReLU",)
    cost = 2
    negative_slope: float = 0.01

    def forward(self, x: Array) -> Array:
        return np.where(x > 0, x, self.negative_slope * x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (where(x > 0, g, self.negative_slope * g),)

    def torch(self, x: Operand) -> Code:
        return call("F.leaky_relu", x, Keyword("negative_slope", self.negative_slope, 0.01))

    def module(self, x: Shape) -> Code:
        return call("nn.LeakyReLU", Keyword("negative_slope", self.negative_slope, 0.01))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if x.dtype == "float32":
            return graph.node("LeakyRelu", x, alpha=self.negative_slope)
        return bend(graph, x, graph.node("Mul", x, graph.constant(self.negative_slope, x.dtype)))

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=30),
        sample((2, 3, 4), negative_slope=0.2),
        sample((2, 3), negative_slope=1),
        sample((4,), negative_slope=-0.5),
        sample((4,), negative_slope=0),
        sample(given(0.0, -1.0), without=("numeric gradient",)),  # a kink at 0
        sample((2, 3), negative_slope="x", rejects="negative_slope"),
        WHOLE,
    )


@register("PReLU")
class Prelu(Op):
    """y = x where x > 0, else weight x.

    One weight for all, or with `num_parameters` one for each channel, which is axis 1. It starts at `init`.
    Shape: x [N, C, ...] -> y of the same shape; weight [num_parameters].
    Gradient: dx = g where x > 0, else g weight; d_weight = the sum of g x where x <= 0.
    Source: He, Zhang, Ren and Sun, Delving Deep into Rectifiers (2015), https://arxiv.org/abs/1502.01852
    """

    analytic = True
    aliases = ("prelu",)
    short = "prelu"
    num_parameters: AnyDim = 1
    init: float = 0.25

    def shape(self, x: Shape, *params: Shape) -> Shape:
        n = self.num_parameters
        require(at_least(n, 1), "num_parameters", f"num_parameters must be at least 1, not {n}")
        if not self._alone:
            require(
                len(x) > 1 and same(x[1], n),
                "num_parameters",
                f"x is {show(x)}: its axis 1 is not the {n} channels of num_parameters",
            )
        return x

    @property
    def _alone(self) -> bool:
        """Whether all channels share one weight."""
        return self.num_parameters == 1 or decide("zero", self.num_parameters - 1) is True

    def params(self, x: Shape, *params: Shape) -> dict[str, Parameter]:
        return {"weight": Parameter((self.num_parameters,), Init("constant", self.init))}

    def forward(self, x: Array, weight: Array) -> Array:
        return np.where(x > 0, x, self._spread(weight, len(x.shape)) * x)

    def vjp(self, g: Array, y: Array, x: Array, weight: Array) -> tuple[Array, Array]:
        slope = self._spread(weight, len(x.shape))
        d_slope = unbroadcast(where(x > 0, 0.0, g * x), slope.shape)
        return where(x > 0, g, g * slope), d_slope.reshape(weight.shape)

    def branch(self, x: Array, weight: Array) -> Array:
        return x > 0

    def _spread(self, weight: Array, rank: int) -> Array:
        """The weight along the axes of x."""
        return weight.reshape(weight.shape[: rank - 1] + (1,) * (rank - 2) if rank > 1 else (1,) * rank)

    def flops(self, y: Shape, x: Shape, *params: Shape) -> Any:
        return LeakyRelu().flops(y, x)

    def torch(self, x: Operand, weight: Operand) -> Code:
        return call("F.prelu", x, weight)

    def module(self, x: Shape, *params: Shape) -> Code:
        return call(
            "nn.PReLU",
            Keyword("num_parameters", self.num_parameters, 1),
            Keyword("init", self.init, 0.25),
        )

    def onnx(self, graph: Graph, x: Operand, weight: Operand) -> Any:
        rank = len(x.shape)
        if rank == 0:
            weight = graph.node("Squeeze", weight, graph.constant([0], "int64"))
        elif rank > 2:  # ONNX aligns the slope at the last axis, torch at axis 1
            weight = graph.node("Unsqueeze", weight, graph.constant(list(range(1, rank - 1)), "int64"))
        if x.dtype == "float32":
            return graph.node("PRelu", x, weight)
        return bend(graph, x, graph.node("Mul", x, weight))

    samples = (
        sample((3, 5), flops=30),
        sample((2, 3, 4, 5), num_parameters=3, flops=240),
        sample((2, 3), num_parameters=3),
        sample((4, 2, 3), num_parameters=2, init=0.1),
        sample((2, 3, 3), num_parameters=3, init=0),
        sample((2, 3, 4, 5)),
        sample((1, 1, 4), num_parameters=1),
        sample((2, 3, 1, 2, 3), num_parameters=3, init=-0.5),
        sample((5,)),
        sample(()),
        sample(given((0.0, -1.0), (2.0, -3.0)), num_parameters=2, without=("numeric gradient",)),  # a kink
        sample((2, 3, 4), num_parameters=4, rejects="num_parameters"),
        sample((3,), num_parameters=3, rejects="num_parameters"),
        sample((2, 3), num_parameters=0, rejects="num_parameters", without=("torch",)),  # torch makes nothing
        sample((2, 3), init="x", rejects="init"),
        WHOLE,
    )


@register("identity")
class Identity(Elementwise):
    """y = x.

    Shape: x -> y of the same shape.
    Gradient: dx = g.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Identity.html
    """

    aliases = ("Identity",)
    elements_of = ("x",)
    accepts = DTYPES
    analytic = True
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
        *ANYWHERE,
        sample((3, 5), flops=0),
        sample(given(1, 2, 3, dtype="int64")),
        sample(given((True, False), (False, True), dtype="bool")),
        sample(given(-inf, nan, inf), without=("gradient",)),  # not finite
        sample((2, 3), p=1.0, rejects="p"),
    )
