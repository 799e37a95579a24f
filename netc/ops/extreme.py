"""The greater and the lesser of two, element by element."""

from __future__ import annotations

from math import inf, nan

from netc.dims import Shape
from netc.ops.arithmetic import PAIRS, UNLIKE, WHOLE_PAIRS, Binary
from netc.ops.arrays import np
from netc.ops.code import Code, call
from netc.ops.contract import Array, Operand, given, register, sample
from netc.ops.index_range import IndexRange, Known, apart, numbers_of
from netc.ops.notation import unbroadcast, where

EXTREMES = (
    *PAIRS,
    sample(given(1.0, 2.0, 3.0), given(1.0, 3.0, 2.0), without=("numeric gradient",)),  # a kink at ties
    sample(given(nan, 1.0, -inf), given(2.0, nan, inf), without=("gradient",)),  # not finite
    *WHOLE_PAIRS,
    *UNLIKE,
    sample(
        given(True, dtype="bool"), given(True, dtype="bool"), rejects="a", without=("torch",)
    ),  # torch takes bools
)


class Extreme(Binary):
    """What maximum and minimum share. torch's take tensors alone; clamp, which takes a number, has another slope at it."""

    numbers = False

    def branch(self, a: Array, b: Array) -> Array:
        return np.subtract(a > b, a < b, dtype="int8")

    def torch(self, a: Operand, b: Operand) -> Code:
        return call(f"torch.{self.name}", a, b)


@register("maximum")
class Maximum(Extreme):
    """y = the greater of a and b; NaN where one of them is.

    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: g goes to the greater, half to each where they are equal.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.maximum.html
    """

    analytic = True
    onnx_name = "Max"

    def index_range(self, known: Known, a: Shape, b: Shape) -> IndexRange | None:
        numbers = numbers_of(known) if apart(a, b) else None
        return IndexRange(max(numbers)) if numbers else None

    def forward(self, a: Array, b: Array) -> Array:
        return np.maximum(a, b)

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        da = where(a > b, g, where(a < b, 0.0, 0.5 * g))
        return unbroadcast(da, a.shape), unbroadcast(g - da, b.shape)

    samples = (sample((2, 3, 5), (2, 3, 5), flops=30), *EXTREMES)


@register("minimum")
class Minimum(Extreme):
    """y = the lesser of a and b; NaN where one of them is.

    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: g goes to the lesser, half to each where they are equal.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.minimum.html
    """

    analytic = True
    onnx_name = "Min"

    def index_range(self, known: Known, a: Shape, b: Shape) -> IndexRange | None:
        numbers = numbers_of(known) if apart(a, b) else None
        return IndexRange(min(numbers)) if numbers else None

    def forward(self, a: Array, b: Array) -> Array:
        return np.minimum(a, b)

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        da = where(a < b, g, where(a > b, 0.0, 0.5 * g))
        return unbroadcast(da, a.shape), unbroadcast(g - da, b.shape)

    samples = (sample((2, 3, 5), (2, 3, 5), flops=30), *EXTREMES)
