"""Comparisons, which give bools."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from netc.ops.arithmetic import PAIRS, UNLIKE, Binary
from netc.ops.arrays import np
from netc.ops.code import Code, infix
from netc.ops.contract import DTYPES, Array, Graph, Operand, given, integers, register, sample

ALIKE = (
    *PAIRS,
    sample(integers((2, 3), 3), integers((2, 3), 3), flops=6),
    sample(integers((2, 3), 3), integers((2, 1), 3)),
    sample(integers((3,), 3, "int32"), integers((2, 1), 3, "int32")),
    sample(given(1.0, 2.0, nan, 0.0, inf), given(1.0, 3.0, nan, -0.0, inf)),
    *UNLIKE,
)
BOOLS = (given((True, False), (False, True), dtype="bool"), given(True, False, dtype="bool"))
ORDERED = (
    *ALIKE,
    sample(*BOOLS, rejects="a", without=("torch",)),  # torch compares bools
)


class Comparison(Binary):
    """What comparisons share; they have no gradient."""

    differentiable = False

    def dtype(self, a: str, b: str) -> str:
        super().dtype(a, b)
        return "bool"

    def branch(self, a: Array, b: Array) -> Array:
        return np.subtract(a > b, a < b, dtype="int8")


@register("eq")
class Eq(Comparison):
    """y = whether a is b.

    Two NaN are not the same, 0 and -0 are.
    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: none.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.eq.html
    """

    operator = "=="
    accepts = DTYPES
    onnx_name = "Equal"

    def forward(self, a: Array, b: Array) -> Array:
        return np.equal(a, b)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "==", b)

    samples = (*ALIKE, sample(*BOOLS))


@register("ne")
class Ne(Comparison):
    """y = whether a is not b.

    Two NaN are not the same, 0 and -0 are.
    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: none.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.ne.html
    """

    operator = "!="
    accepts = DTYPES

    def forward(self, a: Array, b: Array) -> Array:
        return np.not_equal(a, b)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "!=", b)

    def onnx(self, graph: Graph, a: Operand, b: Operand) -> Any:
        return graph.node("Not", graph.node("Equal", a, b))

    samples = (*ALIKE, sample(*BOOLS))


@register("lt")
class Lt(Comparison):
    """y = whether a < b.

    False where one of them is NaN.
    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: none.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.lt.html
    """

    operator = "<"
    onnx_name = "Less"

    def forward(self, a: Array, b: Array) -> Array:
        return np.less(a, b)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "<", b)

    samples = ORDERED


@register("le")
class Le(Comparison):
    """y = whether a <= b.

    False where one of them is NaN.
    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: none.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.le.html
    """

    operator = "<="
    onnx_name = "LessOrEqual"

    def forward(self, a: Array, b: Array) -> Array:
        return np.less_equal(a, b)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "<=", b)

    samples = ORDERED


@register("gt")
class Gt(Comparison):
    """y = whether a > b.

    False where one of them is NaN.
    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: none.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.gt.html
    """

    operator = ">"
    onnx_name = "Greater"

    def forward(self, a: Array, b: Array) -> Array:
        return np.greater(a, b)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, ">", b)

    samples = ORDERED


@register("ge")
class Ge(Comparison):
    """y = whether a >= b.

    False where one of them is NaN.
    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: none.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.ge.html
    """

    operator = ">="
    onnx_name = "GreaterOrEqual"

    def forward(self, a: Array, b: Array) -> Array:
        return np.greater_equal(a, b)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, ">=", b)

    samples = ORDERED
