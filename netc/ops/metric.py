"""Metrics: what is measured, but not trained for."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import Shape
from netc.ops.arrays import np
from netc.ops.code import Code
from netc.ops.contract import Array, Graph, Op, Operand, given, integers, register, sample
from netc.ops.cross_entropy import require_class_dtypes, require_classes
from netc.ops.function import cast_node
from netc.ops.loss import mean_node


@register("accuracy")
class Accuracy(Op):
    """y = the share of targets t(n) with argmax_c x_nc = t(n), the first c where several tie; no gradient.

    Source: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 7.2 (0-1 loss).
    """

    operands = ("logits", "target")
    differentiable = False

    def shape(self, logits: Shape, target: Shape) -> Shape:
        require_classes(logits, target)
        return ()

    def dtype(self, logits: str, target: str) -> str:
        require_class_dtypes(logits, target)
        return "float32"

    def forward(self, logits: Array, target: Array) -> Array:
        return np.mean(np.argmax(logits, 1) == target, dtype=np.float32)

    def flops(self, y: Shape, logits: Shape, target: Shape) -> Any:
        return prod(logits) + 2 * prod(target)

    def torch(self, logits: Operand, target: Operand) -> Code:
        return Code((f"({logits}.argmax(dim=1) == {target}).float().mean()",))

    def onnx(self, graph: Graph, logits: Operand, target: Operand) -> Any:
        best = graph.node("ArgMax", logits, axis=1, keepdims=0, select_last_index=0)
        hits = cast_node(graph, graph.node("Equal", best, target), "float32")
        return mean_node(graph, hits, len(target.shape))

    samples = (
        sample((6, 3), integers((6,), 3), flops=30),
        sample((2, 3, 4, 5), integers((2, 4, 5), 3)),
        sample(given((1.0, 1.0), (0.0, 2.0), (3.0, 3.0)), given(0, 1, 0, dtype="int64")),
        sample((3, 4), (3,), rejects="target", without=("torch",)),  # torch compares with floats
        sample((3, 4), integers((2,), 4), rejects="target"),
        sample((4,), integers((), 4), rejects="logits"),
    )
