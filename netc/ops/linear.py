"""The fully connected layer: Linear."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import AnyDim, Shape, at_least
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import Array, Graph, Init, Op, Operand, Parameter, integers, register, require, sample


@register("Linear")
class Linear(Op):
    """y = x W^T + b on the last axis.

    Weight and bias start uniform within 1/sqrt(in_features).
    Shape: x [..., D] -> y [..., out_features].
    Gradient: dx = g W, dW = sum g^T x and db = sum g, where sums run over all axes but the last.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html
    """

    out_features: AnyDim
    bias: bool = True

    short = "fc"
    analytic = True

    def shape(self, x: Shape, *params: Shape) -> Shape:
        require(len(x) >= 1, "x", "x is a scalar, but Linear takes at least 1 axis: [..., D]")
        require(
            at_least(self.out_features, 1),
            "out_features",
            f"out_features must be at least 1, not {self.out_features}",
        )
        return (*x[:-1], self.out_features)

    def params(self, x: Shape, *params: Shape) -> dict[str, Parameter]:
        start = Init("fan_in", x[-1])
        weight = {"weight": Parameter((self.out_features, x[-1]), start)}
        return weight | ({"bias": Parameter((self.out_features,), start)} if self.bias else {})

    def forward(self, x: Array, weight: Array, bias: Array = 0) -> Array:
        return x @ weight.T + bias

    def vjp(self, g: Array, y: Array, x: Array, weight: Array, bias: Array = None) -> tuple[Array, ...]:
        rows = prod(x.shape[:-1])
        flat = g.reshape((rows, g.shape[-1]))
        d_weight = flat.transpose((1, 0)) @ x.reshape((rows, x.shape[-1]))
        return (g @ weight, d_weight, *((flat.sum(0),) if self.bias else ()))

    def flops(self, y: Shape, x: Shape, *params: Shape) -> Any:
        return 2 * self.macs(y, x) + self.bias * prod(y)

    def macs(self, y: Shape, x: Shape, *params: Shape) -> Any:
        return prod(y) * x[-1]

    def torch(self, x: Operand, *params: Operand) -> Code:
        return call("F.linear", x, *params)

    def module(self, x: Shape, *params: Shape) -> Code:
        return call(
            "nn.Linear",
            Hole(x[-1], "in_features"),
            Hole(self.out_features, "out_features"),
            Keyword("bias", self.bias, True),
        )

    def onnx(self, graph: Graph, x: Operand, weight: Operand, *bias: Operand) -> Any:
        if len(x.shape) == 2:
            return graph.node("Gemm", x, weight, *bias, alpha=1.0, beta=1.0, transA=0, transB=1)
        y = graph.node("MatMul", x, graph.node("Transpose", weight, perm=[1, 0]))
        return graph.node("Add", y, *bias) if bias else y

    samples = (
        sample((4, 5), out_features=3, flops=132, macs=60),
        sample((2, 3), out_features=4, bias=False, flops=48, macs=24),
        sample((2, 4, 3), out_features=5, macs=120),
        sample((6,), out_features=2, macs=12),
        sample((2, 2, 3, 1), out_features=1),
        sample((1, 4), out_features=3),
        sample((1,), out_features=2, bias=False),
        sample((3, 1, 2), out_features=2, bias=False, flops=24, macs=12),
        sample((5, 1), out_features=4),
        sample((2, 7), out_features=1, bias=False),
        sample((4, 2, 1, 3), out_features=2),
        sample((), out_features=2, rejects="x"),
        sample(integers((2, 3), 5), out_features=2, rejects="x"),
        sample((2, 3), out_features=0, rejects="out_features", without=("torch",)),  # torch makes nothing
    )
