"""The axes in another order: transpose, permute."""

from __future__ import annotations

from typing import Any

from netc.dims import Shape
from netc.ops.arrays import np
from netc.ops.attributes import axis_of
from netc.ops.code import Code, Hole, method
from netc.ops.contract import DTYPES, Array, Graph, Op, Operand, integers, register, require, sample
from netc.ops.layout import each


class Reordering(Op):
    """What holds of an op that puts axes in another order: axis i of y is axis `order[i]` of x."""

    elements_of = ("x",)
    accepts = DTYPES
    analytic = True

    def order(self, rank: int) -> tuple[int, ...]:
        raise NotImplementedError

    def shape(self, x: Shape) -> Shape:
        return tuple(x[i] for i in self.order(len(x)))

    def forward(self, x: Array) -> Array:
        return np.transpose(x, self.order(len(x.shape)))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        order = self.order(len(x.shape))
        return (g.transpose(tuple(order.index(i) for i in range(len(order)))),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if not x.shape:
            return graph.node("Identity", x)
        return graph.node("Transpose", x, perm=self.order(len(x.shape)))


@register("transpose")
class Transpose(Reordering):
    """y = x with the axes `dim0` and `dim1` exchanged.

    Shape: x [..., n, ..., m, ...] -> y [..., m, ..., n, ...].
    Gradient: dx = g with the same axes exchanged.
    Source: torch.transpose, https://docs.pytorch.org/docs/stable/generated/torch.transpose.html
    """

    dim0: int
    dim1: int

    def order(self, rank: int) -> tuple[int, ...]:
        a, b = axis_of(self.dim0, rank, "dim0"), axis_of(self.dim1, rank, "dim1")
        return tuple(b if i == a else a if i == b else i for i in range(rank))

    def torch(self, x: Operand) -> Code:
        return method(x, "transpose", Hole(self.dim0, "dim0"), Hole(self.dim1, "dim1"))

    samples = (
        sample((2, 3, 4), dim0=1, dim1=2, flops=0),
        sample((2, 3, 4, 5), dim0=-1, dim1=0),
        sample((2, 3), dim0=1, dim1=1),
        sample((2, 3), dim0=0, dim1=1),
        sample((2, 3), dim0=-2, dim1=-1),
        sample((5,), dim0=0, dim1=-1),
        sample((1, 4), dim0=0, dim1=1),
        sample((2, 1, 3, 1), dim0=1, dim1=2),
        sample((2, 3, 4, 5, 6), dim0=3, dim1=1),
        sample(integers((2, 3, 4), 9), dim0=0, dim1=2),
        sample(integers((3, 2), 2, "bool"), dim0=0, dim1=1),
        sample((2, 3), dim0=0, dim1=2, rejects="dim1"),
        sample((), dim0=0, dim1=0, rejects="dim0", without=("torch",)),  # torch takes a scalar for a vector
        sample((2, 3), dim0=-3, dim1=0, rejects="dim0"),
    )


@register("permute")
class Permute(Reordering):
    """y[i_d0, i_d1, ...] = x[i_0, i_1, ...]: axis k of y is axis dims[k] of x.

    Shape: x [n0, n1, ...] -> y [n_d0, n_d1, ...].
    Gradient: dx = g with its axes put back.
    Source: torch.permute, https://docs.pytorch.org/docs/stable/generated/torch.permute.html
    """

    variadic = "dims"
    dims: tuple[int, ...]

    def order(self, rank: int) -> tuple[int, ...]:
        order = tuple(axis_of(d, rank, "dims") for d in self.dims)
        every = sorted(order) == list(range(rank))
        require(every, "dims", f"x has axes 0 to {rank - 1}; dims must name each once")
        return order

    def torch(self, x: Operand) -> Code:
        return method(x, "permute", *each(self.dims, "dim"))

    samples = (
        sample((2, 3, 4), dims=[2, 0, 1], flops=0),
        sample((2, 3, 4, 5), dims=[0, 2, -1, 1]),
        sample((2, 3), dims=[1, 0]),
        sample((2, 3), dims=[0, 1]),
        sample((5,), dims=[0]),
        sample((), dims=[]),
        sample((1, 3, 1), dims=[2, 1, 0]),
        sample((2, 3, 4), dims=[-1, -3, -2]),
        sample((2, 3, 4, 5, 6), dims=[4, 0, 3, 1, 2]),
        sample(integers((2, 3, 4), 9), dims=[1, 2, 0]),
        sample(integers((3, 2), 2, "bool"), dims=[1, 0]),
        sample((2, 3, 4), dims=[0, 1], rejects="dims"),
        sample((2, 3, 4), dims=[0, 1, 1], rejects="dims"),
        sample((2, 3), dims=[0, 2], rejects="dims"),
    )
