"""Dropout: the identity in evaluation, which PyTorch turns on in training."""

from __future__ import annotations

from typing import Any

from netc.dims import Shape
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import Array, Graph, Op, Operand, register, require, sample


@register("dropout")
class Dropout(Op):
    """y = x in evaluation; in training each element is 0 with probability p, else x / (1 - p). dx = g.

    Source: Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """

    p: float = 0.5

    aliases = ("Dropout",)

    def shape(self, x: Shape) -> Shape:
        require(0 <= self.p <= 1, "p", f"p is a probability, from 0 to 1, not {self.p}")
        return x

    def forward(self, x: Array) -> Array:
        return x

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g,)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        return call("F.dropout", x, Keyword("p", self.p, 0.5), "training=self.training")

    def module(self, x: Shape) -> Code:
        return call("nn.Dropout", Hole(self.p, "p"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Identity", x)

    samples = (
        sample((2, 3), flops=0),
        sample((2, 3, 4, 5), p=0.1),
        sample((4,), p=0.0),
        sample((2, 3), p=1.0),
        sample((2, 3), p=-0.1, rejects="p"),
        sample((2, 3), p=1.5, rejects="p"),
    )
