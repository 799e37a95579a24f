"""Penalties on parameters, as terms of a loss: l1_penalty and l2_penalty."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import Shape
from netc.ops.arrays import magnitude, np
from netc.ops.code import Code
from netc.ops.contract import Array, Draw, Graph, Op, Operand, given, integers, register, require, sample
from netc.ops.notation import where

CHOSEN = (
    sample((2, 3), flops=12),
    sample((4,), (2, 3, 2)),
    sample(()),
    sample((1,), (2, 1)),
    sample((3, 1), (1, 3), (2, 2)),
    sample((2, 3, 1, 2)),
    sample((5,), (5,), (5,), (5,)),
    sample((1, 1), (1, 1)),
    sample(
        given(-2.0, 0.5, 3.0),
        given(
            (1.0, -1.0),
        ),
    ),
    sample(Draw((2, 3), dtype="float64"), Draw((4,), dtype="float64")),
    sample(given(1e-3, -1e3)),
    sample(rejects="weights", without=("torch",)),  # nothing to spell
    sample((2, 3), integers((2,), 4), rejects="weights[1]", without=("torch",)),  # torch promotes
    sample(integers((2,), 4), rejects="weights[0]", without=("torch",)),  # torch takes it
)


class Penalty(Op):
    """What holds of the sum of a function of every number in any number of tensors."""

    operands = ("*weights",)

    def shape(self, *weights: Shape) -> Shape:
        return ()

    def dtype(self, *weights: str) -> str | tuple[str, ...]:
        require(len(weights) > 0, "weights", f"{self.name} takes at least one tensor")
        return super().dtype(*weights)

    def flops(self, y: Shape, *weights: Shape) -> Any:
        return sum(2 * prod(w) for w in weights)

    def each_torch(self, weight: str) -> str:
        """The penalty of one tensor, in torch."""
        raise NotImplementedError

    def each_onnx(self, graph: Graph, weight: Operand) -> Any:
        """The function of each number."""
        raise NotImplementedError

    def torch(self, *weights: Operand) -> Code:
        if len(weights) == 1:
            return Code((self.each_torch(weights[0]),))
        return Code((f"torch.stack([{self.each_torch('w')} for w in ({', '.join(weights)})]).sum()",))

    def onnx(self, graph: Graph, *weights: Operand) -> Any:
        parts = []
        for weight in weights:
            each, axes = self.each_onnx(graph, weight), tuple(range(len(weight.shape)))
            parts.append(graph.reduce("ReduceSum", each, axes, False) if axes else each)
        total = parts[0]
        for part in parts[1:]:
            total = graph.node("Add", total, part)
        return total


@register("l2_penalty")
class L2Penalty(Penalty):
    """y = sum of w^2 over every number of every tensor given.

    Without the half that some write, as the lectures' R(W). `weight_decay=d` of plain sgd has the gradient of
    d / 2 times this.
    Shape: any tensors of one dtype -> a single number.
    Gradient: dw = 2 g w.
    Source: Hoerl and Kennard, Ridge Regression (1970), https://doi.org/10.1080/00401706.1970.10488634
    """

    analytic = True

    def forward(self, *weights: Array) -> Array:
        return sum((np.sum(w**2) for w in weights[1:]), start=np.sum(weights[0] ** 2))

    def vjp(self, g: Array, y: Array, *weights: Array) -> tuple[Array, ...]:
        return tuple(2 * g * w for w in weights)

    def each_torch(self, weight: str) -> str:
        return f"{weight}.square().sum()"

    def each_onnx(self, graph: Graph, weight: Operand) -> Any:
        return graph.node("Mul", weight, weight)

    samples = CHOSEN


@register("l1_penalty")
class L1Penalty(Penalty):
    """y = sum of |w| over every number of every tensor given.

    Shape: any tensors of one dtype -> a single number.
    Gradient: dw = g sign(w), which is 0 where w is 0.
    Source: Tibshirani, Regression Shrinkage and Selection via the Lasso (1996), https://doi.org/10.1111/j.2517-6161.1996.tb02080.x
    """

    analytic = True

    def forward(self, *weights: Array) -> Array:
        return sum((np.sum(magnitude(w)) for w in weights[1:]), start=np.sum(magnitude(weights[0])))

    def vjp(self, g: Array, y: Array, *weights: Array) -> tuple[Array, ...]:
        return tuple(where(w > 0, g, where(w < 0, -g, 0.0)) for w in weights)

    def branch(self, *weights: Array) -> Array:
        return np.concatenate([np.where(w > 0, 1, np.where(w < 0, -1, 0)).ravel() for w in weights])

    def each_torch(self, weight: str) -> str:
        return f"{weight}.abs().sum()"

    def each_onnx(self, graph: Graph, weight: Operand) -> Any:
        return graph.node("Abs", weight)

    samples = CHOSEN
