"""Metrics of class scores: what is measured, but not trained for."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import Shape, at_least
from netc.ops.arrays import np
from netc.ops.code import Code, Hole
from netc.ops.contract import Array, Draw, Graph, Op, Operand, given, integers, register, require, sample
from netc.ops.function import cast_node
from netc.ops.loss import mean_node
from netc.ops.loss_classes import (
    aligned,
    check_range,
    known_classes,
    require_axes,
    require_class_dtypes,
    require_classes,
)


class Scored(Op):
    """What the metrics share that compare scores of classes with the right ones."""

    operands = ("logits", "target")
    differentiable = False

    def shape(self, logits: Shape, target: Shape) -> Shape:
        require_classes(logits, target)
        return ()

    def dtype(self, logits: str, target: str) -> str:
        require_class_dtypes(logits, target)
        return "float32"

    def flops(self, y: Shape, logits: Shape, target: Shape) -> Any:
        return prod(logits) + 2 * prod(target)


def best_node(graph: Graph, logits: str) -> Any:
    """The class of the greatest score, the first where several tie."""
    return graph.node("ArgMax", logits, axis=1, keepdims=0, select_last_index=0)


@register("accuracy")
class Accuracy(Scored):
    """y = the share of targets t(n) with argmax_c x_nc = t(n), the first c where several tie.

    Over an epoch it is the mean over examples, whatever the batches.
    Shape: logits [N, C, ...], target int64 [N, ...] -> a single number, float32.
    Gradient: none
    Source: Hastie, Tibshirani and Friedman, The Elements of Statistical Learning, 7.2 (0-1 loss).
    """

    def forward(self, logits: Array, target: Array) -> Array:
        return np.mean(np.argmax(logits, 1) == target, dtype=np.float32)

    def branch(self, logits: Array, target: Array) -> Array:
        return np.argmax(logits, 1)

    def torch(self, logits: Operand, target: Operand) -> Code:
        return Code((f"({logits}.argmax(dim=1) == {target}).float().mean()",))

    def onnx(self, graph: Graph, logits: Operand, target: Operand) -> Any:
        hits = cast_node(graph, graph.node("Equal", best_node(graph, logits), target), "float32")
        return mean_node(graph, hits, len(target.shape))

    samples = (
        sample((6, 3), integers((6,), 3), flops=30),
        sample((2, 3, 4, 5), integers((2, 4, 5), 3)),
        sample((2, 3, 4), integers((2, 4), 3)),
        sample((1, 4), integers((1,), 4)),
        sample((5, 1), integers((5,), 1)),
        sample((3, 2, 1, 1), integers((3, 1, 1), 2)),
        sample(Draw((4, 3), dtype="float64"), integers((4,), 3)),
        sample(given((1.0, 1.0), (0.0, 2.0), (3.0, 3.0)), given(0, 1, 0, dtype="int64")),
        sample(given((1.0, 1.0), (2.0, 0.0)), given(1, 1, dtype="int64")),
        sample(given((0.5, 1.0), (2.0, 0.0)), given(1, -100, dtype="int64")),  # no class is never right
        sample((3, 4), (3,), rejects="target", without=("torch",)),  # torch compares with floats
        sample((3, 4), integers((2,), 4), rejects="target"),
        sample((4,), integers((), 4), rejects="logits"),
        sample(
            integers((3, 4), 9), integers((3,), 4), rejects="logits", without=("torch",)
        ),  # torch takes them
    )


@register("top_k_accuracy")
class TopKAccuracy(Scored):
    """y = the share of targets t(n) among the k greatest of x_nc.

    Which classes of equal scores count among the k is left open beyond the first k - 1 places, as backends differ.
    Over an epoch it is the mean over examples, whatever the batches.
    Shape: logits [N, C, ...], target int64 [N, ...] -> a single number, float32.
    Gradient: none
    Source: Russakovsky et al., ImageNet Large Scale Visual Recognition Challenge (2015), https://arxiv.org/abs/1409.0575
    """

    k: int = 5

    def shape(self, logits: Shape, target: Shape) -> Shape:
        require(self.k >= 1, "k", f"k is {self.k}, but must be at least 1")
        super().shape(logits, target)
        enough = at_least(logits[1], self.k)
        require(enough, "k", f"k is {self.k}, but logits has {logits[1]} classes")
        return ()

    def forward(self, logits: Array, target: Array) -> Array:
        best = np.argsort(-logits, 1, kind="stable")[:, : self.k]
        return np.mean((best == aligned(target)).any(1), dtype=np.float32)

    def branch(self, logits: Array, target: Array) -> Array:
        return np.sort(np.argsort(-logits, 1, kind="stable")[:, : self.k], 1)

    def torch(self, logits: Operand, target: Operand) -> Code:
        head = f"({logits}.topk("
        tail = f", dim=1)[1] == {target}.unsqueeze(1)).any(dim=1).float().mean()"
        return Code((head, Hole(self.k, "k"), tail))

    def onnx(self, graph: Graph, logits: Operand, target: Operand) -> Any:
        count, column = graph.constant([self.k], "int64"), graph.constant([1], "int64")
        _, best = graph.node("TopK", logits, count, outputs=2, axis=1, largest=1)
        hits = cast_node(graph, graph.node("Equal", best, graph.node("Unsqueeze", target, column)), "float32")
        return mean_node(graph, graph.reduce("ReduceMax", hits, (1,), False), len(target.shape))

    samples = (
        sample((6, 7), integers((6,), 7), flops=54),
        sample((2, 6, 4, 3), integers((2, 4, 3), 6), k=2),
        sample((2, 3, 4), integers((2, 4), 3), k=1),
        sample((3, 5), integers((3,), 5), k=5),
        sample((1, 4), integers((1,), 4), k=3),
        sample((4, 1), integers((4,), 1), k=1),
        sample((8, 3), integers((8,), 3), k=2),
        sample((2, 5, 1, 1), integers((2, 1, 1), 5), k=4),
        sample(Draw((7, 4), dtype="float64"), integers((7,), 4), k=2),
        sample(given((0.1, 0.5, 0.2), (0.1, 0.5, 0.2)), given(2, 0, dtype="int64"), k=2),
        sample(
            (3, 4), integers((3,), 4), k=0, rejects="k", without=("torch",)
        ),  # torch takes the mean of none
        sample((3, 4), integers((3,), 4), k=5, rejects="k"),
        sample((3, 6), integers((2,), 6), rejects="target"),
        sample((6,), integers((), 6), rejects="logits"),
        sample((3, 6), (3,), rejects="target", without=("torch",)),  # torch compares with floats
        sample(
            integers((3, 6), 9), integers((3,), 6), rejects="logits", without=("torch",)
        ),  # torch takes them
    )


@register("confusion_matrix")
class ConfusionMatrix(Scored):
    """y_ij = the number of targets t(n) = i with argmax_c x_nc = j: rows are what is, columns what is said.

    A matrix of counts; as a metric, netc adds it up over the batches of an epoch. `mean_iou` and `macro_f1`
    read it. Every target must be a class.
    Shape: logits [N, C, ...], target int64 [N, ...] -> int64 [C, C].
    Gradient: none
    Source: https://scikit-learn.org/stable/modules/generated/sklearn.metrics.confusion_matrix.html
    """

    def shape(self, logits: Shape, target: Shape) -> Shape:
        require_axes(logits)
        known_classes(logits)
        require_classes(logits, target)
        return (logits[1], logits[1])

    def dtype(self, logits: str, target: str) -> str:
        require_class_dtypes(logits, target)
        return "int64"

    def forward(self, logits: Array, target: Array) -> Array:
        classes = logits.shape[1]
        check_range(target, classes)
        pairs = target * classes + np.argmax(logits, 1)
        return np.bincount(pairs.ravel(), minlength=classes**2).reshape(classes, classes)

    def branch(self, logits: Array, target: Array) -> Array:
        return np.argmax(logits, 1)

    def flops(self, y: Shape, logits: Shape, target: Shape) -> Any:
        return prod(logits) + 3 * prod(target)

    def torch(self, logits: Operand, target: Operand) -> Code:
        count = known_classes(logits.shape)
        classes, pairs = Hole(count, "classes"), Hole(count**2, "pairs")
        head = ("torch.bincount((", classes, f" * {target} + {logits}.argmax(dim=1)).flatten(), minlength=")
        return Code((*head, pairs, ").reshape(", classes, ", ", classes, ")"))

    def onnx(self, graph: Graph, logits: Operand, target: Operand) -> Any:
        every = graph.constant(np.arange(known_classes(logits.shape)), "int64")

        def chosen(indices: str) -> Any:
            flat = graph.node("Reshape", indices, graph.constant([-1, 1], "int64"))
            return cast_node(graph, graph.node("Equal", flat, every), "float32")

        right = graph.node("Transpose", chosen(target), perm=[1, 0])
        said = chosen(graph.node("ArgMax", logits, axis=1, select_last_index=0))
        return cast_node(graph, graph.node("MatMul", right, said), "int64")

    samples = (
        sample((6, 3), integers((6,), 3), flops=36),
        sample((2, 3, 4, 5), integers((2, 4, 5), 3)),
        sample((2, 4, 3), integers((2, 3), 4)),
        sample((9, 2), integers((9,), 2)),
        sample((1, 4), integers((1,), 4)),
        sample((5, 1), integers((5,), 1)),
        sample((2, 3, 1, 1), integers((2, 1, 1), 3)),
        sample(Draw((7, 3), dtype="float64"), integers((7,), 3)),
        sample(given((1.0, 1.0), (0.0, 2.0), (3.0, 3.0)), given(0, 1, 1, dtype="int64")),
        sample(given((0.1, 0.5, 0.2), (0.1, 0.5, 0.9)), given(2, 2, dtype="int64")),
        sample((3, 4), (3,), rejects="target"),
        sample((3, 4), integers((2,), 4), rejects="target"),
        sample((4,), integers((), 4), rejects="logits"),
        sample(
            integers((3, 4), 9), integers((3,), 4), rejects="logits", without=("torch",)
        ),  # torch takes them
    )
