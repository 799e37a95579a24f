"""The matrix product."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import Shape, same, show
from netc.ops.arithmetic import broadcast
from netc.ops.arrays import np
from netc.ops.code import Code, infix
from netc.ops.contract import Array, Graph, Op, Operand, integers, register, require, sample
from netc.ops.notation import unbroadcast


@register("matmul")
class Matmul(Op):
    """y = a b, the matrix product over the last two axes, broadcast over the others.

    A vector on the left is a row, on the right a column, and its axis is dropped again.
    Shape: a [..., n, k] and b [..., k, m] -> y [..., n, m].
    Gradient: da = g b^T, db = a^T g, each summed over the axes along which it was broadcast.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.matmul.html
    """

    operator = "@"
    analytic = True
    operands = ("a", "b")

    def shape(self, a: Shape, b: Shape) -> Shape:
        require(len(a) > 0, "a", "a has no axes")
        require(len(b) > 0, "b", "b has no axes")
        inner = b[-2] if len(b) > 1 else b[0]
        require(
            same(a[-1], inner),
            "b",
            f"a is {show(a)} and b is {show(b)}: a has {a[-1]} columns, b has {inner} rows",
        )
        return (*broadcast(a[:-2], b[:-2]), *a[-2:-1], *(b[-1:] if len(b) > 1 else ()))

    def forward(self, a: Array, b: Array) -> Array:
        return np.matmul(a, b)

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        row = a.reshape((1, *a.shape)) if len(a.shape) == 1 else a
        column = b.reshape((*b.shape, 1)) if len(b.shape) == 1 else b
        batch = g.shape[: len(g.shape) - (len(a.shape) > 1) - (len(b.shape) > 1)]
        g = g.reshape((*batch, row.shape[-2], column.shape[-1]))
        da = unbroadcast(g @ _flip(column), row.shape)
        db = unbroadcast(_flip(row) @ g, column.shape)
        return da.reshape(a.shape), db.reshape(b.shape)

    def flops(self, y: Shape, a: Shape, b: Shape) -> Any:
        return 2 * self.macs(y, a, b)

    def macs(self, y: Shape, a: Shape, b: Shape) -> Any:
        return prod(y) * a[-1]

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "@", b)

    def onnx(self, graph: Graph, a: Operand, b: Operand) -> Any:
        return graph.node("MatMul", a, b)

    samples = (
        sample((3, 4), (4, 5), flops=120, macs=60),
        sample((2, 3, 4), (2, 4, 5), macs=120),
        sample((2, 1, 3, 4), (5, 4, 2), macs=240),
        sample((4,), (4, 5), macs=20),
        sample((2, 3, 4), (4,), macs=24),
        sample((4,), (4,), macs=4),
        sample((4,), (2, 4, 3), macs=24),
        sample((1, 3), (3, 1), macs=3),
        sample((3, 1), (1, 4), macs=12),
        sample((2, 3), (5, 3, 4), macs=120),
        sample((2, 3, 1, 4), (4, 2), macs=48),
        sample((1,), (1,), macs=1),
        sample((3, 4), (5, 4), rejects="b"),
        sample((3, 4), (), rejects="b"),
        sample((), (3, 4), rejects="a"),
        sample((2, 3, 4), (3, 4, 5), rejects="b"),
        sample((3, 4), (4, 5), transpose=True, rejects="transpose"),
        # torch multiplies whole numbers, ONNX Runtime by another kernel
        sample(integers((3, 4), 9), integers((4, 5), 9), rejects="a", without=("torch",)),
    )


def _flip(x: Array) -> Array:
    """x with its last two axes exchanged."""
    n = len(x.shape)
    return x.transpose((*range(n - 2), n - 1, n - 2))
