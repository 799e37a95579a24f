"""Activations of straight pieces between two bounds: hard_sigmoid, hard_swish, hard_tanh, clamp."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from netc.dims import Shape
from netc.ops.arrays import np
from netc.ops.code import Code, Keyword, call, method
from netc.ops.contract import Array, Graph, Operand, given, register, require, sample
from netc.ops.elementwise import ANYWHERE, WHOLE, Elementwise, clip_node
from netc.ops.notation import where


def _gate(graph: Graph, x: Operand) -> Any:
    """min(max(x + 3, 0), 6) / 6."""

    def number(value: float) -> str:
        return graph.constant(value, x.dtype)

    raised = Operand.of(graph.node("Add", x, number(3.0)), x.shape, x.dtype)
    return graph.node("Div", clip_node(graph, raised, 0.0, 6.0), number(6.0))


@register("hard_sigmoid")
class HardSigmoid(Elementwise):
    """y = min(max(x / 6 + 1/2, 0), 1).

    Shape: x -> y of the same shape.
    Gradient: dx = g / 6 where -3 < x < 3, else 0; torch's own slope is 1/6 as float32 has it.
    Source: Howard et al., Searching for MobileNetV3 (2019), https://arxiv.org/abs/1905.02244
    """

    analytic = True
    aliases = ("hardsigmoid", "Hardsigmoid")
    cost = 4

    def forward(self, x: Array) -> Array:
        return np.minimum(np.maximum(x + 3, 0), 6) / 6

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (where(x > -3, where(x < 3, g / 6, 0.0), 0.0),)

    def branch(self, x: Array) -> Array:
        return np.add(x > -3, x >= 3, dtype="int8")

    def torch(self, x: Operand) -> Code:
        return call("F.hardsigmoid", x)

    def module(self, x: Shape) -> Code:
        return call("nn.Hardsigmoid")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if x.dtype == "float32":
            return graph.node("HardSigmoid", x, alpha=1 / 6, beta=0.5)
        return _gate(graph, x)

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=60),
        sample(given(-100.0, -3.5, -2.5, 2.5, 3.5, 100.0)),
        sample(given(-3.0, 0.0, 3.0), without=("numeric gradient",)),  # the kinks
        sample(given(-inf, inf), without=("gradient",)),  # not finite
        sample((2, 3), alpha=0.2, rejects="alpha"),
        WHOLE,
    )


@register("hard_swish")
class HardSwish(Elementwise):
    """y = x min(max(x + 3, 0), 6) / 6.

    Shape: x -> y of the same shape.
    Gradient: dx = 0 where x <= -3, g where x >= 3, else g (x / 3 + 1/2).
    Source: Howard et al., Searching for MobileNetV3 (2019), https://arxiv.org/abs/1905.02244
    """

    analytic = True
    aliases = ("hardswish", "Hardswish")
    cost = 5

    def forward(self, x: Array) -> Array:
        return x * (np.minimum(np.maximum(x + 3, 0), 6) / 6)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (where(x > -3, where(x < 3, g * (x / 3 + 0.5), g), 0.0),)

    def branch(self, x: Array) -> Array:
        return np.add(x > -3, x >= 3, dtype="int8")

    def torch(self, x: Operand) -> Code:
        return call("F.hardswish", x)

    def module(self, x: Shape) -> Code:
        return call("nn.Hardswish")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if x.dtype == "float32":
            return graph.node("HardSwish", x)
        return graph.node("Mul", x, _gate(graph, x))

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=75),
        sample(given(-100.0, -3.5, -2.5, 2.5, 3.5, 100.0)),
        sample(given(-3.0, 0.0, 3.0), without=("numeric gradient",)),  # the kinks
        sample((2, 3), beta=1.0, rejects="beta"),
        WHOLE,
    )


@register("hard_tanh")
class HardTanh(Elementwise):
    """y = min(max(x, min_val), max_val).

    Shape: x -> y of the same shape.
    Gradient: dx = g where min_val < x < max_val, else 0 (clamp passes it on at the edges, too).
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Hardtanh.html
    """

    analytic = True
    aliases = ("hardtanh", "Hardtanh")
    cost = 2
    min_val: float = -1.0
    max_val: float = 1.0

    def shape(self, x: Shape) -> Shape:
        low, high = self.min_val, self.max_val
        require(low < high, "max_val", f"max_val is {high:g}, which is not above min_val, {low:g}")
        return x

    def forward(self, x: Array) -> Array:
        return np.minimum(np.maximum(x, self.min_val), self.max_val)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (where(x > self.min_val, where(x < self.max_val, g, 0.0), 0.0),)

    def branch(self, x: Array) -> Array:
        return np.add(x > self.min_val, x >= self.max_val, dtype="int8")

    def torch(self, x: Operand) -> Code:
        return call("F.hardtanh", x, *self._arguments())

    def module(self, x: Shape) -> Code:
        return call("nn.Hardtanh", *self._arguments())

    def _arguments(self) -> tuple[Keyword, Keyword]:
        return Keyword("min_val", self.min_val, -1.0), Keyword("max_val", self.max_val, 1.0)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return clip_node(graph, x, self.min_val, self.max_val)

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=30),
        sample((2, 3, 4), min_val=-0.5, max_val=2),
        sample((2, 3, 4), min_val=0.25),
        sample(given(-1.0, 0.5, 1.0), without=("numeric gradient",)),  # the kinks
        sample(given(-inf, nan, inf), without=("gradient",)),  # not finite
        sample((2, 3), min_val=2.0, max_val=1.0, rejects="max_val"),
        sample((2, 3), max_val=-1, rejects="max_val", without=("torch",)),  # torch asserts
        sample((2, 3), min=0.0, rejects="min"),
        WHOLE,
    )


@register("clamp")
class Clamp(Elementwise):
    """y = min(max(x, min), max), one bound or both; `max` where it is less than `min`.

    Shape: x -> y of the same shape.
    Gradient: dx = g where min <= x <= max, at the edges, too; else 0.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.clamp.html
    """

    analytic = True
    aliases = ("clip",)
    min: float | None = None
    max: float | None = None

    def shape(self, x: Shape) -> Shape:
        require(self.min is not None or self.max is not None, "min", "clamp needs a bound: min, max or both")
        return x

    def forward(self, x: Array) -> Array:
        raised = x if self.min is None else np.maximum(x, self.min)
        return raised if self.max is None else np.minimum(raised, self.max)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        kept = g if self.min is None else where(x >= self.min, g, 0.0)
        return (kept if self.max is None else where(x <= self.max, kept, 0.0),)

    def branch(self, x: Array) -> Array:
        low, high = (-inf if self.min is None else self.min), (inf if self.max is None else self.max)
        return np.add(x >= low, x > high, dtype="int8")

    def flops(self, y: Shape, x: Shape) -> Any:
        bounds = [b for b in (self.min, self.max) if b is not None]
        return len(bounds) * super().flops(y, x)

    def torch(self, x: Operand) -> Code:
        return method(x, "clamp", Keyword("min", self.min, None), Keyword("max", self.max, None))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return clip_node(graph, x, self.min, self.max)

    samples = (
        sample((3, 5), min=-0.5, max=0.5, flops=30),
        sample((3, 5), min=0, flops=15),
        sample((2, 3, 4), max=0.25),
        sample((), min=-1.0, max=1.0),
        sample((1,), max=-0.5),
        sample((3, 1), min=-2, max=-0.5),
        sample((2, 1, 3, 2), min=-0.125, max=0.125),
        sample((2, 3), min=1.0, max=-1.0),
        sample(given(-1.0, 0.5, 1.0), min=-1.0, max=1.0, without=("numeric gradient",)),  # the kinks
        sample(given(-inf, nan, inf), min=0.0, max=1.0, without=("gradient",)),  # not finite
        sample(given(-1000.0, 0.5, 1000.0), min=-3.0),
        sample((2, 3), rejects="min"),
        sample((2, 3), min="x", rejects="min"),
        sample((2, 3), min_val=0.0, rejects="min_val"),
        WHOLE,
    )
