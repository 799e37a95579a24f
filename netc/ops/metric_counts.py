"""Metrics of a confusion matrix: mean_iou and macro_f1."""

from __future__ import annotations

from typing import Any, ClassVar

from netc.dims import Shape, same, show
from netc.ops.arrays import np
from netc.ops.code import Code
from netc.ops.contract import INTEGERS, Array, Graph, Op, Operand, given, integers, register, require, sample
from netc.ops.function import cast_node

MATRICES = (
    sample(given((3, 1), (2, 4), dtype="int64"), flops=14),
    sample(integers((3, 3), 9)),
    sample(integers((5, 5), 4)),
    sample(given((7,), dtype="int64")),
    sample(integers((2, 2), 3, "int32")),
    sample(given((5, 0, 0), (0, 2, 1), (0, 0, 4), dtype="int64")),
    sample(given((5, 0, 0), (0, 0, 0), (0, 0, 4), dtype="int64")),  # class 1 occurs nowhere
    sample(given((0, 0, 2), (0, 0, 0), (1, 0, 4), dtype="int64")),
    sample(given((0, 3), (2, 0), dtype="int64")),  # all wrong
    sample(given((10**6, 1), (2, 10**6), dtype="int64")),
    sample(integers((2, 3), 5), rejects="counts", without=("torch",)),  # torch takes what it can
    sample(integers((4,), 5), rejects="counts"),
    sample((3, 3), rejects="counts", without=("torch",)),  # torch takes floats
)


class OfCounts(Op):
    """What the metrics share that read how often each class was taken for which."""

    operands = ("counts",)
    accepts = INTEGERS
    differentiable = False
    kept: ClassVar[int]  # how often the hits of a class are taken from the sum of its row and column
    hits: ClassVar[int]  # and how often they stand above

    def shape(self, counts: Shape) -> Shape:
        square = len(counts) == 2 and same(counts[0], counts[1])
        require(
            square, "counts", f"counts is {show(counts)}, not a matrix [C, C] such as confusion_matrix gives"
        )
        return ()

    def dtype(self, counts: str) -> str:
        super().dtype(counts)
        return "float32"

    def forward(self, counts: Array) -> Array:
        hit = np.diagonal(counts)
        either = counts.sum(0) + counts.sum(1) - self.kept * hit
        share = (self.hits * hit)[either > 0].astype("float32") / either[either > 0].astype("float32")
        return np.mean(share)

    def flops(self, y: Shape, counts: Shape) -> Any:
        return 2 * counts[0] * counts[1] + 3 * counts[0]

    def onnx(self, graph: Graph, counts: Operand) -> Any:
        x = cast_node(graph, counts, "float32")
        hit = graph.reduce("ReduceSum", graph.node("Mul", x, self._eye(graph, counts)), (0,), False)
        both = graph.node("Add", *(graph.reduce("ReduceSum", x, (axis,), False) for axis in (0, 1)))
        either = graph.node("Sub", both, graph.node("Mul", hit, graph.constant(self.kept, "float32")))
        zero, one = graph.constant(0.0, "float32"), graph.constant(1.0, "float32")
        met = graph.node("Greater", either, zero)
        above = graph.node("Mul", hit, graph.constant(self.hits, "float32"))
        share = graph.node("Div", above, graph.node("Where", met, either, one))
        total = graph.reduce("ReduceSum", share, (0,), False)
        return graph.node(
            "Div", total, graph.reduce("ReduceSum", cast_node(graph, met, "float32"), (0,), False)
        )

    def _eye(self, graph: Graph, counts: Operand) -> Any:
        size = graph.node("Gather", graph.sizes(counts.shape), graph.constant(0, "int64"), axis=0)
        zero, one = graph.constant(0, "int64"), graph.constant(1, "int64")
        row = graph.node("Range", zero, size, one)
        column = graph.node("Unsqueeze", row, graph.constant([1], "int64"))
        return cast_node(graph, graph.node("Equal", row, column), "float32")


@register("mean_iou")
class MeanIou(OfCounts):
    """y = mean over classes c of k_cc / (sum_j k_cj + sum_i k_ic - k_cc): intersection over union.

    k is a confusion matrix. A class that neither is nor is said anywhere is left out of the mean. Of a batch's
    matrix it is the figure of the batch; the mean of such figures is not that of an epoch: take the sum of the
    matrices for that.
    Shape: counts int64 or int32 [C, C] -> a single number, float32.
    Gradient: none
    Source: Everingham et al., The Pascal Visual Object Classes Challenge (2010), section 4.3.
    """

    aliases = ("iou",)
    kept, hits = 1, 1

    def torch(self, counts: Operand) -> Code:
        hit = f"{counts}.diagonal()"
        return Code((f"({hit} / ({counts}.sum(0) + {counts}.sum(1) - {hit})).nanmean()",))

    samples = MATRICES


@register("macro_f1")
class MacroF1(OfCounts):
    """y = mean over classes c of 2 k_cc / (sum_j k_cj + sum_i k_ic): the F1 score of each class.

    k is a confusion matrix. A class that neither is nor is said anywhere is left out of the mean. Of a batch's
    matrix it is the figure of the batch; the mean of such figures is not that of an epoch: take the sum of the
    matrices for that.
    Shape: counts int64 or int32 [C, C] -> a single number, float32.
    Gradient: none
    Source: van Rijsbergen, Information Retrieval (1979), chapter 7; https://scikit-learn.org/stable/modules/generated/sklearn.metrics.f1_score.html
    """

    aliases = ("f1_score",)
    kept, hits = 0, 2

    def torch(self, counts: Operand) -> Code:
        return Code((f"(2 * {counts}.diagonal() / ({counts}.sum(0) + {counts}.sum(1))).nanmean()",))

    samples = MATRICES
