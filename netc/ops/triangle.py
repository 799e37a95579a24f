"""One side of a diagonal: tril, triu."""

from __future__ import annotations

from typing import Any

from netc.dims import Shape, show
from netc.ops.arrays import np
from netc.ops.code import Code, Keyword, method
from netc.ops.contract import DTYPES, Array, Graph, Op, Operand, integers, register, require, sample
from netc.ops.notation import function


class Triangle(Op):
    """What tril and triu share."""

    accepts = DTYPES
    analytic = True

    def shape(self, x: Shape) -> Shape:
        require(len(x) >= 2, "x", f"x is {show(x)}, which lacks the two axes of a matrix")
        return x

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0


@register("tril")
class Tril(Triangle):
    """y_ij = x_ij where j <= i + diagonal, else 0, on the last two axes.

    Shape: x [..., n, m] -> y of the same shape.
    Gradient: dx = tril(g).
    Source: torch.tril, https://docs.pytorch.org/docs/stable/generated/torch.tril.html
    """

    diagonal: int = 0

    def forward(self, x: Array) -> Array:
        return np.tril(x, self.diagonal)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (function("tril", g, diagonal=self.diagonal),)

    def torch(self, x: Operand) -> Code:
        return method(x, "tril", Keyword("diagonal", self.diagonal, 0))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Trilu", x, graph.constant(self.diagonal, "int64"), upper=0)

    samples = (
        sample((3, 4), flops=0),
        sample((4, 3)),
        sample((3, 4), diagonal=1),
        sample((3, 4), diagonal=-1),
        sample((3, 4), diagonal=-3),
        sample((3, 4), diagonal=5),
        sample((2, 3, 3)),
        sample((2, 2, 3, 4), diagonal=-1),
        sample((1, 4)),
        sample((4, 1), diagonal=-2),
        sample(integers((3, 4), 9), diagonal=1),
        sample(integers((3, 4), 2, "bool")),
        sample((3,), rejects="x"),
        sample((), rejects="x"),
    )


@register("triu")
class Triu(Triangle):
    """y_ij = x_ij where j >= i + diagonal, else 0, on the last two axes.

    Shape: x [..., n, m] -> y of the same shape.
    Gradient: dx = triu(g).
    Source: torch.triu, https://docs.pytorch.org/docs/stable/generated/torch.triu.html
    """

    diagonal: int = 0

    def forward(self, x: Array) -> Array:
        return np.triu(x, self.diagonal)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (function("triu", g, diagonal=self.diagonal),)

    def torch(self, x: Operand) -> Code:
        return method(x, "triu", Keyword("diagonal", self.diagonal, 0))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Trilu", x, graph.constant(self.diagonal, "int64"), upper=1)

    samples = (
        sample((3, 4), flops=0),
        sample((4, 3)),
        sample((3, 4), diagonal=1),
        sample((3, 4), diagonal=-1),
        sample((3, 4), diagonal=-3),
        sample((3, 4), diagonal=5),
        sample((2, 3, 3)),
        sample((2, 2, 3, 4), diagonal=-1),
        sample((1, 4)),
        sample((4, 1), diagonal=-2),
        sample(integers((3, 4), 9), diagonal=1),
        sample(integers((3, 4), 2, "bool")),
        sample((3,), rejects="x"),
        sample((), rejects="x"),
    )
