"""Comparisons, which give bools, and the choice by a bool."""

from __future__ import annotations

from math import nan
from typing import Any

from netc.dims import Shape
from netc.ops.arithmetic import NUMBERS, Binary, broadcast
from netc.ops.arrays import np
from netc.ops.code import Code, call, infix
from netc.ops.contract import DTYPES, Array, Graph, Op, Operand, given, integers, register, require, sample
from netc.ops.notation import unbroadcast, where


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

    Source: torch.eq, https://docs.pytorch.org/docs/stable/generated/torch.eq.html
    """

    operator = "=="
    accepts = DTYPES
    onnx_name = "Equal"

    def forward(self, a: Array, b: Array) -> Array:
        return np.equal(a, b)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "==", b)

    samples = (
        sample(integers((2, 3), 3), integers((2, 3), 3), flops=6),
        sample(integers((2, 3), 3), integers((2, 1), 3)),
        sample(given(1.0, 2.0, nan), given(1.0, 3.0, nan)),
        sample(given(True, False, dtype="bool"), given(True, True, dtype="bool")),
        sample((2, 3), (2,), rejects="b"),
    )


@register("ne")
class Ne(Comparison):
    """y = whether a is not b.

    Source: torch.ne, https://docs.pytorch.org/docs/stable/generated/torch.ne.html
    """

    operator = "!="
    accepts = DTYPES

    def forward(self, a: Array, b: Array) -> Array:
        return np.not_equal(a, b)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "!=", b)

    def onnx(self, graph: Graph, a: Operand, b: Operand) -> Any:
        return graph.node("Not", graph.node("Equal", a, b))

    samples = (
        sample(integers((2, 3), 3), integers((2, 3), 3), flops=6),
        sample(integers((2, 3), 3), integers((), 3)),
        sample(given(1.0, 2.0, nan), given(1.0, 3.0, nan)),
        sample((2, 3), (2,), rejects="b"),
    )


@register("lt")
class Lt(Comparison):
    """y = whether a < b.

    Source: torch.lt, https://docs.pytorch.org/docs/stable/generated/torch.lt.html
    """

    operator = "<"
    accepts = NUMBERS
    onnx_name = "Less"

    def forward(self, a: Array, b: Array) -> Array:
        return np.less(a, b)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "<", b)

    samples = (
        sample((2, 3), (2, 3), flops=6),
        sample((2, 3), ()),
        sample(integers((2, 3), 3), integers((2, 1), 3)),
        sample((2, 3), (4, 3), rejects="b"),
        # torch compares bools
        sample(given(True, dtype="bool"), given(True, dtype="bool"), rejects="a", without=("torch",)),
    )


@register("le")
class Le(Comparison):
    """y = whether a <= b.

    Source: torch.le, https://docs.pytorch.org/docs/stable/generated/torch.le.html
    """

    operator = "<="
    accepts = NUMBERS
    onnx_name = "LessOrEqual"

    def forward(self, a: Array, b: Array) -> Array:
        return np.less_equal(a, b)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "<=", b)

    samples = (
        sample((2, 3), (2, 3), flops=6),
        sample((), (2, 3)),
        sample(integers((2, 3), 3), integers((2, 1), 3)),
        sample((2, 3), (4, 3), rejects="b"),
    )


@register("gt")
class Gt(Comparison):
    """y = whether a > b.

    Source: torch.gt, https://docs.pytorch.org/docs/stable/generated/torch.gt.html
    """

    operator = ">"
    accepts = NUMBERS
    onnx_name = "Greater"

    def forward(self, a: Array, b: Array) -> Array:
        return np.greater(a, b)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, ">", b)

    samples = (
        sample((2, 3), (2, 3), flops=6),
        sample((2, 3), ()),
        sample(integers((2, 3), 3), integers((2, 1), 3)),
        sample((2, 3), (4, 3), rejects="b"),
    )


@register("ge")
class Ge(Comparison):
    """y = whether a >= b.

    Source: torch.ge, https://docs.pytorch.org/docs/stable/generated/torch.ge.html
    """

    operator = ">="
    accepts = NUMBERS
    onnx_name = "GreaterOrEqual"

    def forward(self, a: Array, b: Array) -> Array:
        return np.greater_equal(a, b)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, ">=", b)

    samples = (
        sample((2, 3), (2, 3), flops=6),
        sample((2, 3), ()),
        sample(integers((2, 3), 3), integers((2, 1), 3)),
        sample((2, 3), (4, 3), rejects="b"),
    )


@register("where")
class Where(Op):
    """y = a where the condition holds, else b; da = g where it holds, db = g where it does not.

    Source: torch.where, https://docs.pytorch.org/docs/stable/generated/torch.where.html
    """

    operands = ("condition", "a", "b")
    analytic = True
    accepts = DTYPES

    def shape(self, condition: Shape, a: Shape, b: Shape) -> Shape:
        chosen = broadcast(a, b)
        return broadcast(condition, chosen, "condition", ("condition", "the choice"))

    def dtype(self, condition: str, a: str, b: str) -> str:
        require(condition == "bool", "condition", f"condition is {condition}, not bool")
        require(a == b, "b", f"b is {b}, but a is {a}")
        return a

    def forward(self, condition: Array, a: Array, b: Array) -> Array:
        return np.where(condition, a, b)

    def vjp(self, g: Array, y: Array, condition: Array, a: Array, b: Array) -> tuple[None, Array, Array]:
        da, db = where(condition, g, 0.0), where(condition, 0.0, g)
        return None, unbroadcast(da, a.shape), unbroadcast(db, b.shape)

    def flops(self, y: Shape, condition: Shape, a: Shape, b: Shape) -> Any:
        return 0

    def torch(self, condition: Operand, a: Operand, b: Operand) -> Code:
        return call("torch.where", condition, a, b)

    def onnx(self, graph: Graph, condition: Operand, a: Operand, b: Operand) -> Any:
        return graph.node("Where", condition, a, b)

    samples = (
        sample(given((True, False, True), (False, False, True), dtype="bool"), (2, 3), (2, 3), flops=0),
        sample(given(True, False, True, dtype="bool"), (2, 1), ()),
        sample(given(True, False, True, dtype="bool"), integers((2, 3), 9), integers((2, 3), 9)),
        sample(given((True,), (False,), dtype="bool"), (3,), (1, 3)),
        sample((2, 3), (2, 3), (2, 3), rejects="condition"),
        sample(given(True, False, dtype="bool"), (2, 3), (2, 3), rejects="condition"),
        sample(given(True, False, True, dtype="bool"), (2, 3), (2,), rejects="b"),
        sample(
            given(True, False, True, dtype="bool"),
            (2, 3),
            integers((2, 3), 9),
            rejects="b",
            without=("torch",),
        ),  # torch promotes
    )
