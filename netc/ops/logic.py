"""Bools: and, or, exclusive or, not, and the choice by a bool."""

from __future__ import annotations

from typing import Any, ClassVar

from netc.dims import Shape
from netc.ops.arithmetic import Binary, broadcast
from netc.ops.arrays import np
from netc.ops.code import Code, call
from netc.ops.contract import DTYPES, Array, Graph, Op, Operand, given, integers, register, require, sample
from netc.ops.elementwise import Elementwise
from netc.ops.notation import unbroadcast, where

BOOLS = (
    sample(
        given(True, True, False, False, dtype="bool"), given(True, False, True, False, dtype="bool"), flops=4
    ),
    sample(integers((2, 3, 4), 2, "bool"), integers((2, 3, 4), 2, "bool")),
    sample(integers((2, 3, 4), 2, "bool"), integers((3, 1), 2, "bool")),
    sample(integers((4, 1), 2, "bool"), integers((2, 1, 3), 2, "bool")),
    sample(integers((2, 3), 2, "bool"), integers((1, 1), 2, "bool")),
    sample(integers((1,), 2, "bool"), integers((2, 3), 2, "bool")),
    sample(integers((), 2, "bool"), integers((), 2, "bool")),
    sample(integers((7,), 2, "bool"), integers((1,), 2, "bool")),
    sample(integers((1, 3), 2, "bool"), integers((1, 3), 2, "bool")),
    sample(integers((2, 1, 3, 2), 2, "bool"), integers((1, 4, 1, 2), 2, "bool")),
    sample(integers((2, 3), 2, "bool"), integers((2,), 2, "bool"), rejects="b"),
    sample(integers((2, 3), 2, "bool"), integers((2, 3), 2, "bool"), axis=0, rejects="axis"),
    sample((2, 3), (2, 3), rejects="a", without=("torch",)),  # torch asks whether they are 0
    sample(integers((3,), 2, "bool"), integers((3,), 2), rejects="b", without=("torch",)),  # as above
)


class Logical(Binary):
    """What holds of a function of two bools."""

    accepts: ClassVar[tuple[str, ...]] = ("bool",)
    differentiable = False

    def torch(self, a: Operand, b: Operand) -> Code:
        return call(f"torch.{self.name}", a, b)


@register("logical_and")
class LogicalAnd(Logical):
    """y = whether a and b hold.

    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: none.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.logical_and.html
    """

    onnx_name = "And"

    def forward(self, a: Array, b: Array) -> Array:
        return np.logical_and(a, b)

    samples = BOOLS


@register("logical_or")
class LogicalOr(Logical):
    """y = whether a or b holds, or both.

    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: none.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.logical_or.html
    """

    onnx_name = "Or"

    def forward(self, a: Array, b: Array) -> Array:
        return np.logical_or(a, b)

    samples = BOOLS


@register("logical_xor")
class LogicalXor(Logical):
    """y = whether one of a and b holds and the other does not.

    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: none.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.logical_xor.html
    """

    onnx_name = "Xor"

    def forward(self, a: Array, b: Array) -> Array:
        return np.logical_xor(a, b)

    samples = BOOLS


@register("logical_not")
class LogicalNot(Elementwise):
    """y = whether x does not hold.

    Shape: x -> y of the same shape.
    Gradient: none.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.logical_not.html
    """

    accepts = ("bool",)
    differentiable = False

    def forward(self, x: Array) -> Array:
        return np.logical_not(x)

    def torch(self, x: Operand) -> Code:
        return call("torch.logical_not", x)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Not", x)

    samples = (
        sample(integers((3, 5), 2, "bool"), flops=15),
        sample(given(True, False, dtype="bool")),
        *(
            sample(integers(shape, 2, "bool"))
            for shape in ((), (1,), (7,), (3, 1), (2, 3, 4), (1, 2, 3), (2, 1, 3, 2), (2, 2, 2, 2))
        ),
        sample(integers((2, 3), 2, "bool"), axis=0, rejects="axis"),
        sample((2, 3), rejects="x", without=("torch",)),  # torch asks whether they are 0
    )


@register("where")
class Where(Op):
    """y = a where the condition holds, else b.

    What is not chosen has a gradient of 0; but where that is made of infinities on its way back, 0 times infinity
    is NaN: choose the operand first, log(where(x > 0, x, 1)), and then the result.
    Shape: condition, a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: da = g where it holds, db = g where it does not, each summed over where it was broadcast.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.where.html
    """

    operands = ("condition", "a", "b")
    numbers = True
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

    def selects(self, *numbers: Any) -> int | None:
        return None if numbers[0] is None else 1 if numbers[0] else 2

    def torch(self, condition: Operand, a: Operand, b: Operand) -> Code:
        return call("torch.where", condition, a, b)

    def onnx(self, graph: Graph, condition: Operand, a: Operand, b: Operand) -> Any:
        if a.dtype != "bool":
            return graph.node("Where", condition, a, b)
        chosen = graph.node("And", condition, a)  # onnxruntime chooses no bools
        return graph.node("Or", chosen, graph.node("And", graph.node("Not", condition), b))

    samples = (
        sample(given((True, False, True), (False, False, True), dtype="bool"), (2, 3), (2, 3), flops=0),
        sample(given(True, False, True, dtype="bool"), (2, 1), ()),
        sample(given(True, False, True, dtype="bool"), (), (2, 1)),
        sample(given(True, False, True, dtype="bool"), (), ()),
        sample(given(True, False, dtype="bool"), (3, 1), (4, 1, 1)),
        sample(integers((), 2, "bool"), (), ()),
        sample(integers((1,), 2, "bool"), (1,), (1,)),
        sample(integers((2, 1, 3), 2, "bool"), (4, 3), (2, 4, 1)),
        sample(given(True, False, True, dtype="bool"), integers((2, 3), 9), integers((2, 3), 9)),
        sample(integers((3,), 2, "bool"), integers((2, 3), 9, "int32"), integers((2, 1), 9, "int32")),
        sample(integers((2, 3), 2, "bool"), integers((2, 3), 2, "bool"), integers((3,), 2, "bool")),
        sample(given((True,), (False,), dtype="bool"), (3,), (1, 3)),
        sample((2, 3), (2, 3), (2, 3), rejects="condition"),
        sample(given(True, False, dtype="bool"), (2, 3), (2, 3), rejects="condition"),
        sample(given(True, False, True, dtype="bool"), (2, 3), (2,), rejects="b"),
        # torch promotes
        sample(integers((3,), 2, "bool"), (2, 3), integers((2, 3), 9), rejects="b", without=("torch",)),
    )
