"""The layer that is linear in each of two inputs: Bilinear."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import AnyDim, Shape, at_least, same, show
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import Array, Graph, Init, Op, Operand, Parameter, integers, register, require, sample

LETTERS = "abcdefgh"


@register("Bilinear")
class Bilinear(Op):
    """y_o = x1^T W_o x2 + b_o on the last axes.

    Weight and bias start uniform within 1/sqrt(in1_features).
    Shape: x1 [..., I], x2 [..., J] -> y [..., out_features], the axes before alike.
    Gradient: dx1 = sum_o g_o W_o x2, dx2 = sum_o g_o W_o^T x1, dW_o = sum g_o x1 x2^T, db = sum g, where the
    last two sums run over all axes but the last.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Bilinear.html
    """

    out_features: AnyDim
    bias: bool = True

    operands = ("x1", "x2")
    analytic = True

    def shape(self, x1: Shape, x2: Shape, *params: Shape) -> Shape:
        for name, x in (("x1", x1), ("x2", x2)):
            require(len(x) >= 1, name, f"{name} is a scalar, but Bilinear takes at least 1 axis: [..., D]")
        alike = len(x1) == len(x2) and all(same(n, m) for n, m in zip(x1[:-1], x2[:-1], strict=True))
        require(alike, "x2", f"x1 is {show(x1)} and x2 is {show(x2)}: they may differ in the last axis only")
        require(
            len(x1) <= len(LETTERS), "x1", f"x1 has {len(x1)} axes; Bilinear takes at most {len(LETTERS)}"
        )
        require(
            at_least(self.out_features, 1),
            "out_features",
            f"out_features must be at least 1, not {self.out_features}",
        )
        return (*x1[:-1], self.out_features)

    def params(self, x1: Shape, x2: Shape, *params: Shape) -> dict[str, Parameter]:
        start = Init("fan_in", x1[-1])
        weight = {"weight": Parameter((self.out_features, x1[-1], x2[-1]), start)}
        return weight | ({"bias": Parameter((self.out_features,), start)} if self.bias else {})

    def forward(self, x1: Array, x2: Array, weight: Array, bias: Array = 0) -> Array:
        rows = prod(x1.shape[:-1])
        a, b = (x.reshape((rows, x.shape[-1])) for x in (x1, x2))
        y = ((a @ weight) * b).sum(2).transpose((1, 0))
        return y.reshape((*x1.shape[:-1], weight.shape[0])) + bias

    def vjp(
        self, g: Array, y: Array, x1: Array, x2: Array, weight: Array, bias: Array = None
    ) -> tuple[Array, ...]:
        rows, out = prod(x1.shape[:-1]), weight.shape[0]
        a, b = (x.reshape((rows, x.shape[-1])) for x in (x1, x2))
        flat = g.reshape((rows, out))
        each = flat.transpose((1, 0)).reshape((out, rows, 1))
        d1 = ((b @ weight.transpose((0, 2, 1))) * each).sum(0)
        d2 = ((a @ weight) * each).sum(0)
        d_weight = (each * a).transpose((0, 2, 1)) @ b
        return (
            d1.reshape(x1.shape),
            d2.reshape(x2.shape),
            d_weight,
            *((flat.sum(0),) if self.bias else ()),
        )

    def flops(self, y: Shape, x1: Shape, x2: Shape, *params: Shape) -> Any:
        return 2 * self.macs(y, x1, x2) + self.bias * prod(y)

    def macs(self, y: Shape, x1: Shape, x2: Shape, *params: Shape) -> Any:
        """x1^T W_o, then its product with x2."""
        return prod(y) * (x1[-1] + 1) * x2[-1]

    def torch(self, x1: Operand, x2: Operand, *params: Operand) -> Code:
        return call("F.bilinear", x1, x2, *params)

    def module(self, x1: Shape, x2: Shape, *params: Shape) -> Code:
        return call(
            "nn.Bilinear",
            Hole(x1[-1], "in1_features"),
            Hole(x2[-1], "in2_features"),
            Hole(self.out_features, "out_features"),
            Keyword("bias", self.bias, True),
        )

    def onnx(self, graph: Graph, x1: Operand, x2: Operand, weight: Operand, *bias: Operand) -> Any:
        lead = LETTERS[: len(x1.shape) - 1]
        y = graph.node("Einsum", x1, weight, x2, equation=f"{lead}i,oij,{lead}j->{lead}o")
        return graph.node("Add", y, *bias) if bias else y

    samples = (
        sample((4, 5), (4, 2), out_features=3, flops=300, macs=144),
        sample((2, 3), (2, 4), out_features=2, bias=False, flops=128, macs=64),
        sample((2, 4, 3), (2, 4, 2), out_features=5),
        sample((6,), (2,), out_features=2),
        sample((2, 1), (2, 1), out_features=1),
        sample((1, 3), (1, 5), out_features=4),
        sample((2, 2, 3, 1), (2, 2, 3, 4), out_features=2),
        sample((3, 1), (3, 4), out_features=2, bias=False),
        sample((5, 2), (5, 2), out_features=1),
        sample((1,), (1,), out_features=3),
        sample((), (2,), out_features=2, rejects="x1"),
        sample((2,), (), out_features=2, rejects="x2"),
        sample((2, 3), (3, 3), out_features=2, rejects="x2"),
        sample((2, 3), (1, 2, 3), out_features=2, rejects="x2"),
        sample((1,) * 9, (1,) * 9, out_features=2, rejects="x1", without=("torch",)),  # ONNX has 26 letters
        sample((2, 3), integers((2, 3), 5), out_features=2, rejects="x2"),
        sample(
            (2, 3), (2, 4), out_features=0, rejects="out_features", without=("torch",)
        ),  # it makes nothing
    )
