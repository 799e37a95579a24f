"""Softmax, its logarithm, and the logarithm of what it divides by."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, prod
from typing import Any

from netc.dims import Shape
from netc.ops.arrays import np
from netc.ops.attributes import axes_of, axis_of
from netc.ops.code import Code, Hole, Keyword, call, method
from netc.ops.contract import Array, Graph, Op, Operand, given, register, require, sample
from netc.ops.elementwise import WHOLE
from netc.ops.notation import exp
from netc.ops.reduce import Reduction


@dataclass(frozen=True)
class AlongAxis(Op):
    """What softmax and its logarithm share."""

    analytic = True
    axis: int = -1
    temperature: float = 1.0

    def shape(self, x: Shape) -> Shape:
        axis_of(self.axis, len(x))
        t = self.temperature
        require(t > 0, "temperature", f"temperature must be positive, not {t:g}")
        return x

    def _cooled(self, x: Array) -> Array:
        """x / temperature, less its greatest, so that no power overflows."""
        z = x if self.temperature == 1 else x / self.temperature
        return z - z.max(self.axis, keepdims=True)

    def flops(self, y: Shape, x: Shape) -> Any:
        return (5 if self.temperature == 1 else 6) * prod(x)

    def _called(self, function: str, x: Operand) -> Code:
        over = () if self.temperature == 1 else (" / ", Hole(self.temperature, "temperature"))
        return Code((f"{function}(", x, *over, Keyword("dim", self.axis), ")"))

    def _module(self, layer: str) -> Code | None:
        """torch's layers have no temperature."""
        return call(layer, Keyword("dim", self.axis)) if self.temperature == 1 else None

    def _node(self, graph: Graph, op_type: str, x: Operand) -> Any:
        t = self.temperature
        z = x if t == 1 else graph.node("Div", x, graph.constant(t, x.dtype))
        return graph.node(op_type, z, axis=self.axis)


@register("softmax")
class Softmax(AlongAxis):
    """y_i = exp(z_i) / sum_j exp(z_j) along `axis`, z = x / temperature.

    A row of nothing but -inf gives NaN, as in torch; scaled_dot_product_attention gives 0 for it.
    Shape: x [..., n, ...] -> y of the same shape.
    Gradient: dx = y (g - sum(g y)) / temperature.
    Source: Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs (1990); for
    the temperature Hinton, Vinyals and Dean (2015), https://arxiv.org/abs/1503.02531
    """

    aliases = ("Softmax",)

    def forward(self, x: Array) -> Array:
        e = np.exp(self._cooled(x))
        return e / e.sum(self.axis, keepdims=True)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        dz = y * (g - (g * y).sum(self.axis, keepdims=True))
        return (dz if self.temperature == 1 else dz / self.temperature,)

    def torch(self, x: Operand) -> Code:
        return self._called("F.softmax", x)

    def module(self, x: Shape) -> Code | None:
        return self._module("nn.Softmax")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return self._node(graph, "Softmax", x)

    samples = (
        sample((4, 5), flops=100),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=-3),
        sample((2, 1, 3), axis=1),
        sample((7,)),
        sample((1,), axis=0),
        sample((2, 3, 4, 2), axis=2),
        sample((4, 5), temperature=2.0, flops=120),
        sample((3, 2, 4), axis=0, temperature=0.25),
        sample(given((1.0, 10.0, 1000.0), (-800.0, 0.0, 800.0)), temperature=3),
        sample(given((1000.0, 999.0), (-1000.0, -inf)), without=("numeric gradient",)),  # not finite
        sample(given((-inf, -inf), (1.0, 2.0)), without=("gradient",)),  # not finite
        sample((2, 3), axis=2, rejects="axis"),
        sample((2, 3), temperature=0, rejects="temperature", without=("torch",)),  # torch divides by 0
        sample((), rejects="axis", without=("torch",)),  # torch takes a scalar for a vector of one
        WHOLE,
    )


@register("log_softmax")
class LogSoftmax(AlongAxis):
    """y_i = z_i - log sum_j exp(z_j) along `axis`, z = x / temperature.

    It is finite where the logarithm of softmax is not.
    Shape: x [..., n, ...] -> y of the same shape.
    Gradient: dx = (g - exp(y) sum(g)) / temperature.
    Source: Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs (1990).
    """

    aliases = ("LogSoftmax",)

    def forward(self, x: Array) -> Array:
        z = self._cooled(x)
        return z - np.log(np.exp(z).sum(self.axis, keepdims=True))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        dz = g - exp(y) * g.sum(self.axis, keepdims=True)
        return (dz if self.temperature == 1 else dz / self.temperature,)

    def torch(self, x: Operand) -> Code:
        return self._called("F.log_softmax", x)

    def module(self, x: Shape) -> Code | None:
        return self._module("nn.LogSoftmax")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return self._node(graph, "LogSoftmax", x)

    samples = (
        sample((4, 5), flops=100),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=-3),
        sample((2, 1, 3), axis=1),
        sample((7,)),
        sample((1,), axis=0),
        sample((2, 3, 4, 2), axis=2),
        sample((4, 5), temperature=2.0, flops=120),
        sample((3, 2, 4), axis=0, temperature=0.25),
        sample(given((1000.0, 0.0), (-1000.0, -2000.0))),
        sample(given((1.0, 10.0, 1000.0), (-800.0, 0.0, 800.0)), temperature=3),
        sample((2, 3), axis=-3, rejects="axis"),
        sample((2, 3), temperature=-1.0, rejects="temperature", without=("torch",)),  # which torch takes
        sample((), rejects="axis", without=("torch",)),  # torch takes a scalar for a vector of one
        WHOLE,
    )


@register("logsumexp")
class Logsumexp(Reduction):
    """y = log sum exp(x) over `axis`, all axes where it is none.

    Shape: x [..., n, ...] -> y without the axes summed over; of size 1 with `keepdims`.
    Gradient: dx = g exp(x - y), spread along `axis`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.logsumexp.html
    """

    analytic = True
    torch_name = "logsumexp"
    onnx_name = "ReduceLogSumExp"

    def forward(self, x: Array) -> Array:
        top = x.real.max(self.axis, keepdims=True)
        top = np.where(np.isfinite(top), top, 0)
        total = np.exp(x - top).sum(self.axis, keepdims=True)
        axes = () if self.keepdims else axes_of(self.axis, len(x.shape))
        return np.squeeze(np.log(total) + top, axes)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (self._spread(g, x) * exp(x - self._spread(y, x)),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 4 * prod(x)

    def torch(self, x: Operand) -> Code:
        axes = axes_of(self.axis, len(x.shape)) if self.axis is None else self.axis
        dim = axes[0] if len(axes) == 1 else axes
        return method(x, "logsumexp", Keyword("dim", dim), Keyword("keepdim", self.keepdims, False))

    samples = (
        sample((4, 5), flops=80),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=[0, -1]),
        sample((2, 3, 4), axis=-3, keepdims=True),
        sample((2, 3, 4), axis=[2, 1], keepdims=True),
        sample((2, 1, 3), axis=1),
        sample((1,)),
        sample((7,), axis=0, keepdims=True),
        sample((2, 3, 1, 2)),
        sample((3, 2), keepdims=True),
        sample(()),
        sample(given((1000.0, 1000.0), (-1000.0, -2000.0)), axis=-1),
        sample(given((-inf, -inf), (-inf, 1.0)), axis=1, without=("gradient",)),  # not finite
        sample((2, 3), axis=2, rejects="axis"),
        sample((2, 3), axis=[0, -2], rejects="axis"),
        sample((2, 3), axis=[], rejects="axis", without=("torch",)),  # torch reduces over all axes
        sample((2, 3), axis=1.5, rejects="axis"),
        WHOLE,
    )
