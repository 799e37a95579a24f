"""Roots and reciprocals of each element: sqrt, rsqrt, reciprocal."""

from __future__ import annotations

from math import inf
from typing import Any

from netc.ops.arrays import np
from netc.ops.contract import Array, Graph, Operand, given, register, sample, uniform
from netc.ops.elementwise import POSITIVE, WHOLE
from netc.ops.function import Function


@register("sqrt")
class Sqrt(Function):
    """y = square root of x.

    It is NaN below 0.
    Shape: x -> y of the same shape.
    Gradient: dx = g / (2 y), which is infinite at 0.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.sqrt.html
    """

    onnx_name = "Sqrt"
    analytic = True

    def forward(self, x: Array) -> Array:
        return np.sqrt(x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g / (2 * y),)

    samples = (
        *POSITIVE,
        sample(uniform((3, 5), 0.5, 2.0), flops=15),
        sample(uniform((4, 5), 1e-3, 1.0)),
        sample(given(0.0, 1.0, 4.0), without=("numeric gradient",)),  # not finite
        sample(given(-1.0, inf), without=("gradient",)),  # not finite
        sample((2, 3), axis=1, rejects="axis"),
        WHOLE,
    )


@register("rsqrt")
class Rsqrt(Function):
    """y = 1 / square root of x.

    It is infinite at 0 and NaN below.
    Shape: x -> y of the same shape.
    Gradient: dx = -g y^3 / 2.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.rsqrt.html
    """

    analytic = True
    cost = 2

    def forward(self, x: Array) -> Array:
        return 1 / np.sqrt(x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (-0.5 * g * (y * y * y),)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Reciprocal", graph.node("Sqrt", x))

    samples = (
        *POSITIVE,
        sample(uniform((3, 5), 0.5, 2.0), flops=30),
        sample(uniform((4, 5), 0.25, 1.0)),
        sample(given(0.0, 1.0, 4.0), without=("gradient",)),  # not finite
        sample(given(-1.0, inf), without=("gradient",)),  # not finite
        sample((2, 3), axis=1, rejects="axis"),
        WHOLE,
    )


@register("reciprocal")
class Reciprocal(Function):
    """y = 1 / x.

    Shape: x -> y of the same shape.
    Gradient: dx = -g y^2.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.reciprocal.html
    """

    onnx_name = "Reciprocal"
    analytic = True

    def forward(self, x: Array) -> Array:
        return 1 / x

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (-g * (y * y),)

    samples = (
        *POSITIVE,
        sample(uniform((3, 5), 0.5, 2.0), flops=15),
        sample(uniform((4, 5), -2.0, -0.25)),
        sample(given(-50.0, 40.0, 1000.0)),
        sample(given(0.0, inf), without=("gradient",)),  # not finite
        sample((2, 3), axis=1, rejects="axis"),
        WHOLE,
    )
