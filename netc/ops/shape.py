"""The same values in another shape: flatten, reshape, squeeze, unsqueeze."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import AnyDim, Shape, same, show
from netc.ops.attributes import axes_of, axis_of
from netc.ops.code import Code, Hole, Keyword, call, method
from netc.ops.contract import DTYPES, Array, Graph, Op, Operand, integers, register, require, sample
from netc.ops.layout import each, fill, reshape_node


class Reshaping(Op):
    """What holds of an op that gives the same values, in order, another shape."""

    elements_of = ("x",)
    accepts = DTYPES
    analytic = True

    def forward(self, x: Array) -> Array:
        return x.reshape(self.shape(x.shape))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g.reshape(x.shape),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0


@register("flatten")
class Flatten(Reshaping):
    """y = x with the axes from `start_dim` to `end_dim` made one.

    Shape: x [n0, ..., ns, ..., ne, ...] -> y [n0, ..., ns * ... * ne, ...]. A scalar has no axes and is refused.
    Gradient: dx = g in the shape of x.
    Source: torch.flatten, https://docs.pytorch.org/docs/stable/generated/torch.flatten.html
    """

    aliases = ("Flatten",)
    start_dim: int = 1
    end_dim: int = -1

    def shape(self, x: Shape) -> Shape:
        start = axis_of(self.start_dim, len(x), "start_dim")
        end = axis_of(self.end_dim, len(x), "end_dim")
        require(start <= end, "end_dim", f"start_dim {self.start_dim} lies behind end_dim {self.end_dim}")
        return (*x[:start], prod(x[start : end + 1]), *x[end + 1 :])

    def torch(self, x: Operand) -> Code:
        return method(x, "flatten", Hole(self.start_dim, "start_dim"), Keyword("end_dim", self.end_dim, -1))

    def module(self, x: Shape) -> Code:
        start = Keyword("start_dim", self.start_dim, 1)
        return call("nn.Flatten", start, Keyword("end_dim", self.end_dim, -1))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        y = self.shape(x.shape)
        if len(y) == 2 and x.shape[0] == y[0]:
            return graph.node("Flatten", x, axis=1)
        return reshape_node(graph, x, y)

    samples = (
        sample((2, 3, 4, 5), flops=0),
        sample((2, 3, 4, 5), start_dim=0),
        sample((2, 3, 4, 5), start_dim=1, end_dim=2),
        sample((2, 3, 4), start_dim=-2, end_dim=1),
        sample((2, 3, 4), start_dim=0, end_dim=1),
        sample((2, 3), start_dim=0, end_dim=0),
        sample((2, 3)),
        sample((5,), start_dim=0),
        sample((1, 3, 1, 4)),
        sample((2, 3, 4, 5), start_dim=2),
        sample((2, 3, 4, 5), start_dim=-3, end_dim=-2),
        sample((1, 1), start_dim=0),
        sample(integers((2, 3, 4), 9)),
        sample(integers((2, 3, 4), 2, "bool"), start_dim=0),
        sample((3,), rejects="start_dim"),
        sample((), start_dim=0, rejects="start_dim", without=("torch",)),  # torch gives a vector of one
        sample((2, 3, 4), end_dim=3, rejects="end_dim"),
        sample((2, 3, 4), start_dim=2, end_dim=1, rejects="end_dim"),
    )


@register("reshape")
class Reshape(Reshaping):
    """y = x in the shape `sizes`; one -1 is worked out from the rest, which must divide exactly.

    Values keep their order, the last axis running fastest. A size of 0, which ONNX takes for "as it was" and torch
    for an empty tensor, is refused.
    Shape: x [n0, n1, ...] -> y of `sizes`, with as many elements.
    Gradient: dx = g in the shape of x.
    Source: torch.reshape, https://docs.pytorch.org/docs/stable/generated/torch.reshape.html
    """

    variadic = "sizes"
    sizes: tuple[AnyDim, ...]

    def shape(self, x: Shape) -> Shape:
        return fill(self.sizes, prod(x), "sizes", f"x {show(x)}")

    def torch(self, x: Operand) -> Code:
        return method(x, "reshape", *each(self.sizes, "size"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if -1 in self.sizes and self.shape(x.shape) != x.shape:
            return graph.node("Reshape", x, graph.sizes(self.sizes))
        return reshape_node(graph, x, self.shape(x.shape))

    samples = (
        sample((2, 3, 4), sizes=[6, 4], flops=0),
        sample((2, 3, 4), sizes=[2, -1]),
        sample((2, 3, 4), sizes=[-1]),
        sample((1, 1), sizes=[1]),
        sample((2, 3, 4), sizes=[4, 3, 2]),
        sample((), sizes=[1, 1]),
        sample((1,), sizes=[]),
        sample((2, 3, 4), sizes=[2, 3, 4]),
        sample((2, 3, 4), sizes=[2, 1, -1, 2]),
        sample((5,), sizes=[5, 1]),
        sample(integers((2, 3), 9), sizes=[3, 2]),
        sample(integers((2, 3), 2, "bool"), sizes=[6]),
        sample((2, 3, 4), sizes=[5, -1], rejects="sizes"),
        sample((2, 3, 4), sizes=[5, 5], rejects="sizes"),
        sample((2, 3, 4), sizes=[-1, -1], rejects="sizes"),
        sample((2, 3, 4), sizes=[0, 24], rejects="sizes"),
        sample((2, 3, 4), sizes=["a"], rejects="sizes"),
    )


@register("squeeze")
class Squeeze(Reshaping):
    """y = x without the axes `axis`, each of size 1.

    Which axes must be said: torch without any would drop the batch where that is 1.
    Shape: x [..., 1, ...] -> y [..., ...].
    Gradient: dx = g in the shape of x.
    Source: torch.squeeze, https://docs.pytorch.org/docs/stable/generated/torch.squeeze.html
    """

    axis: tuple[int, ...]

    def shape(self, x: Shape) -> Shape:
        axes = axes_of(self.axis, len(x))
        for i in axes:
            require(same(x[i], 1), "axis", f"x is {show(x)}: axis {i} has size {x[i]}, not 1")
        return tuple(n for i, n in enumerate(x) if i not in axes)

    def torch(self, x: Operand) -> Code:
        return method(x, "squeeze", Hole(self.axis[0] if len(self.axis) == 1 else self.axis, "axis"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Squeeze", x, graph.constant(axes_of(self.axis, len(x.shape)), "int64"))

    samples = (
        sample((2, 1, 3), axis=1, flops=0),
        sample((1, 2, 1), axis=[0, -1]),
        sample((2, 1), axis=-1),
        sample((1,), axis=0),
        sample((1, 1), axis=[0, 1]),
        sample((2, 1, 3, 1), axis=3),
        sample((2, 1, 3, 1), axis=[-3, 3]),
        sample((1, 2, 3), axis=-3),
        sample((1, 1, 4), axis=1),
        sample(integers((2, 1), 9), axis=1),
        sample(integers((1, 3), 2, "bool"), axis=0),
        sample((2, 1, 3), axis=0, rejects="axis", without=("torch",)),  # torch leaves the axis
        sample((2, 1, 3), axis=3, rejects="axis"),
        sample((2, 1, 3), axis=[1, 1], rejects="axis"),
        sample((2, 1, 3), rejects="axis", without=("torch",)),  # torch drops every axis of size 1
    )


@register("unsqueeze")
class Unsqueeze(Reshaping):
    """y = x with one more axis, of size 1, which is its axis `axis`.

    Shape: x [..., ...] -> y [..., 1, ...].
    Gradient: dx = g in the shape of x.
    Source: torch.unsqueeze, https://docs.pytorch.org/docs/stable/generated/torch.unsqueeze.html
    """

    axis: int

    def shape(self, x: Shape) -> Shape:
        axis = axis_of(self.axis, len(x) + 1, operand="the result")
        return (*x[:axis], 1, *x[axis:])

    def torch(self, x: Operand) -> Code:
        return method(x, "unsqueeze", Hole(self.axis, "axis"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return unsqueeze_node(graph, x, axis_of(self.axis, len(x.shape) + 1))

    samples = (
        sample((2, 3), axis=1, flops=0),
        sample((2, 3), axis=-1),
        sample((2, 3), axis=0),
        sample((), axis=0),
        sample((), axis=-1),
        sample((5,), axis=1),
        sample((2, 3), axis=2),
        sample((2, 3), axis=-3),
        sample((1, 3), axis=-2),
        sample(integers((2, 3), 9), axis=1),
        sample(integers((2, 3), 2, "bool"), axis=0),
        sample((2, 3), axis=3, rejects="axis"),
        sample((2, 3), axis=-4, rejects="axis"),
    )


def unsqueeze_node(graph: Graph, x: str, axis: int) -> Any:
    return graph.node("Unsqueeze", x, graph.constant([axis], "int64"))
