"""Losses with a margin: the hinge of one score and of many, and of distances in triplets."""

from __future__ import annotations

from math import prod
from typing import Any, Literal

from netc.dims import Shape, show
from netc.ops.arrays import np
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import Array, Draw, Graph, Op, Operand, given, integers, register, require, sample
from netc.ops.loss import MISFITS, Elementwise, mean_node
from netc.ops.loss_classes import (
    alike,
    check_range,
    hits,
    known_classes,
    require_class_dtypes,
    require_classes,
)
from netc.ops.notation import cast, maximum, sqrt, where


@register("hinge")
class Hinge(Elementwise):
    """y = mean of max(0, margin - t x) over all elements: the loss of a binary support vector machine.

    t is 1 or -1, x a score of any size.
    Shape: x [...], target of the same shape -> a single number.
    Gradient: dx = -g t / n and dt = -g x / n where margin - t x > 0, else 0.
    Source: Cortes and Vapnik, Support-Vector Networks (1995), https://doi.org/10.1007/BF00994018
    """

    analytic = True
    cost = 4
    margin: float = 1.0

    def forward(self, x: Array, target: Array) -> Array:
        return np.mean(np.maximum(self.margin - target * x, 0))

    def vjp(self, g: Array, y: Array, x: Array, target: Array) -> tuple[Array, Array]:
        share = where(self.margin - target * x > 0, -g / prod(x.shape), 0.0)
        return share * target, share * x

    def branch(self, x: Array, target: Array) -> Array:
        return self.margin - target * x > 0

    def torch(self, x: Operand, target: Operand) -> Code:
        return Code(("F.relu(", Hole(self.margin, "margin"), f" - {target} * {x}).mean()"))

    def onnx(self, graph: Graph, x: Operand, target: Operand) -> Any:
        margin = graph.constant(self.margin, x.dtype)
        lack = graph.node("Sub", margin, graph.node("Mul", target, x))
        return mean_node(graph, graph.node("Relu", lack), len(x.shape))

    samples = (
        sample(given(0.5, -2.0, 3.0), given(1.0, -1.0, -1.0), flops=12),
        sample((2, 3), (2, 3)),
        sample((2, 3, 4), (2, 3, 4)),
        sample((3, 1), (3, 1)),
        sample((), ()),
        sample((1,), (1,)),
        sample((2, 3), (2, 3), margin=0.5),
        sample((2, 3), (2, 3), margin=0),
        sample((4, 2), (4, 2), margin=3.0),
        sample(Draw((2, 3), dtype="float64"), Draw((2, 3), dtype="float64")),
        sample(given(1.0, 2.0), given(1.0, 0.5), without=("numeric gradient",)),  # on the margin
        *(s for s in MISFITS if s.operands[0].shape != (3, 1)),
        sample((3, 1), (3,), rejects="target", without=("torch",)),  # torch broadcasts
    )


@register("multi_margin")
class MultiMargin(Op):
    """y = mean over n of 1/C sum_{c != t(n)} max(0, margin - x_n,t(n) + x_nc)^p.

    The hinge of a multi-class support vector machine; lectures leave out the 1/C, which torch has: C times this
    is their loss.
    Shape: logits [N, C], target int64 [N] -> a single number.
    Gradient: with z_nc the term, 0 for c = t(n): dx_nc = g p z^(p-1) [z > 0] / (N C), dx_n,t(n) = minus their sum.
    Source: Weston and Watkins, Support Vector Machines for Multi-Class Pattern Recognition (1999); https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiMarginLoss.html
    """

    analytic = True
    operands = ("logits", "target")
    aliases = ("MultiMarginLoss", "multi_margin_loss")
    margin: float = 1.0
    p: Literal[1, 2] = 1

    def shape(self, logits: Shape, target: Shape) -> Shape:
        require(len(logits) == 2, "logits", f"logits is {show(logits)}, which is not [N, C]")
        known_classes(logits)
        require_classes(logits, target)
        return ()

    def dtype(self, logits: str, target: str) -> str:
        require_class_dtypes(logits, target)
        return logits

    def _lacks(self, logits: Array, target: Array) -> Array:
        """By how much each class comes too near, [N, C]; 0 for the target."""
        hit = hits(logits, target)
        right = where(hit, logits, 0.0).sum(1, keepdims=True)
        return where(hit, 0.0, maximum(self.margin - right + logits, 0.0))

    def forward(self, logits: Array, target: Array) -> Array:
        check_range(target, logits.shape[1])
        return (self._lacks(logits, target) ** self.p).mean(1).mean()

    def vjp(self, g: Array, y: Array, logits: Array, target: Array) -> tuple[Array, None]:
        lacks = self._lacks(logits, target)
        each = cast(lacks > 0, logits) if self.p == 1 else 2 * lacks
        hit = cast(hits(logits, target), logits)
        return g / (logits.shape[0] * known_classes(logits.shape)) * (
            each - hit * each.sum(1, keepdims=True)
        ), None

    def branch(self, logits: Array, target: Array) -> Array:
        return self._lacks(logits, target) > 0

    def flops(self, y: Shape, logits: Shape, target: Shape) -> Any:
        return 4 * prod(logits)

    def torch(self, logits: Operand, target: Operand) -> Code:
        p = Keyword("p", self.p, 1)
        return call("F.multi_margin_loss", logits, target, p, Keyword("margin", self.margin, 1.0))

    def onnx(self, graph: Graph, logits: Operand, target: Operand) -> Any:
        column, zero = (
            graph.node("Unsqueeze", target, graph.constant([1], "int64")),
            graph.constant(0.0, logits.dtype),
        )
        right = graph.node("GatherElements", logits, column, axis=1)
        lack = graph.node("Add", graph.node("Sub", graph.constant(self.margin, logits.dtype), right), logits)
        classes = graph.constant(np.arange(known_classes(logits.shape)), "int64")
        lack = graph.node("Where", graph.node("Equal", column, classes), zero, graph.node("Relu", lack))
        return mean_node(graph, graph.node("Mul", lack, lack) if self.p == 2 else lack, 2)

    samples = (
        sample((3, 4), integers((3,), 4), flops=48),
        sample((5, 3), integers((5,), 3)),
        sample((1, 4), integers((1,), 4)),
        sample((4, 1), integers((4,), 1)),
        sample((3, 4), integers((3,), 4), margin=0.25),
        sample((3, 4), integers((3,), 4), margin=2, p=2),
        sample((2, 6), integers((2,), 6), p=2),
        sample(Draw((3, 4), dtype="float64"), integers((3,), 4)),
        sample(given((3.2, 5.1, -1.7), (1.3, 4.9, 2.0), (2.2, 2.5, -3.1)), given(0, 1, 2, dtype="int64")),
        sample(given((1e4, -1e4), (0.0, 5.0)), given(1, 1, dtype="int64")),
        sample(
            given((1.0, 2.0), (4.0, 3.0)), given(1, 1, dtype="int64"), without=("numeric gradient",)
        ),  # a kink
        sample((3, 4), integers((3,), 4), p=3, rejects="p"),
        sample((3, 4), integers((2,), 4), rejects="target"),
        sample((3, 4), integers((3, 4), 4), rejects="target"),
        sample((3, 4), (3,), rejects="target"),
        sample((2, 3, 4), integers((2, 4), 3), rejects="logits"),
        sample(integers((3, 4), 9), integers((3,), 4), rejects="logits"),
    )


@register("triplet_margin")
class TripletMargin(Op):
    """y = mean of max(0, |a - p| - |a - n| + margin): an anchor is to lie nearer to p than to n by the margin.

    |d| is the length sqrt(sum (d + eps)^2) along the last axis, with torch's small eps on each difference.
    Shape: anchor, positive and negative [N, D] or [D], all alike -> a single number.
    Gradient: where the term is positive, da = g / N (u - v), dp = -g / N u, dn = g / N v, with u and v the
    differences a - p and a - n over their lengths; 0 elsewhere.
    Source: Schroff, Kalenichenko and Philbin, FaceNet (2015), https://arxiv.org/abs/1503.03832; https://docs.pytorch.org/docs/stable/generated/torch.nn.TripletMarginLoss.html
    """

    analytic = True
    operands = ("anchor", "positive", "negative")
    aliases = ("TripletMarginLoss", "triplet_margin_loss")
    margin: float = 1.0
    eps: float = 1e-6

    def shape(self, anchor: Shape, positive: Shape, negative: Shape) -> Shape:
        require(len(anchor) in (1, 2), "anchor", f"anchor is {show(anchor)}, which is not [N, D] or [D]")
        for name, other in (("positive", positive), ("negative", negative)):
            require(alike(other, anchor), name, f"{name} is {show(other)}, but anchor is {show(anchor)}")
        require(self.margin > 0, "margin", f"margin is {self.margin}, but must be above 0")
        require(0 < self.eps < 1, "eps", f"eps is {self.eps}, but is a small number above 0 such as 1e-6")
        return ()

    def _length(self, a: Array, b: Array) -> tuple[Array, Array]:
        """The difference and its length."""
        d = a - b + self.eps
        return d, sqrt((d * d).sum(-1, keepdims=True))

    def _lacks(self, anchor: Array, positive: Array, negative: Array) -> Array:
        near, far = self._length(anchor, positive)[1], self._length(anchor, negative)[1]
        return near - far + self.margin

    def forward(self, anchor: Array, positive: Array, negative: Array) -> Array:
        return np.maximum(self._lacks(anchor, positive, negative), 0).mean()

    def vjp(self, g: Array, y: Array, anchor: Array, positive: Array, negative: Array) -> tuple[Array, ...]:
        lacks = self._lacks(anchor, positive, negative)
        share = where(lacks > 0, g / prod(lacks.shape), 0.0)
        (near, u), (far, v) = self._length(anchor, positive), self._length(anchor, negative)
        d_positive, d_negative = -share * near / u, share * far / v
        return -d_positive - d_negative, d_positive, d_negative

    def branch(self, anchor: Array, positive: Array, negative: Array) -> Array:
        lacks = self._lacks(anchor, positive, negative) > 0
        alone = anchor.shape[-1] == 1  # then a length is an absolute value
        signs = [self._length(anchor, x)[0] > 0 for x in (positive, negative)] if alone else []
        return np.stack([lacks, *signs])

    def flops(self, y: Shape, anchor: Shape, *others: Shape) -> Any:
        return 8 * prod(anchor) + 5 * prod(anchor[:-1])

    def torch(self, anchor: Operand, positive: Operand, negative: Operand) -> Code:
        margin, eps = Keyword("margin", self.margin, 1.0), Keyword("eps", self.eps, 1e-6)
        return call("F.triplet_margin_loss", anchor, positive, negative, margin, eps)

    def onnx(self, graph: Graph, anchor: Operand, positive: Operand, negative: Operand) -> Any:
        rank = len(anchor.shape)

        def length(other: str) -> Any:
            eps = graph.constant(self.eps, anchor.dtype)
            d = graph.node("Add", graph.node("Sub", anchor, other), eps)
            return graph.node("Sqrt", graph.reduce("ReduceSum", graph.node("Mul", d, d), (rank - 1,), False))

        apart = graph.node("Sub", length(positive), length(negative))
        lack = graph.node("Add", apart, graph.constant(self.margin, anchor.dtype))
        return mean_node(graph, graph.node("Relu", lack), rank - 1)

    samples = (
        sample((3, 4), (3, 4), (3, 4), flops=111),
        sample((5, 2), (5, 2), (5, 2)),
        sample((6,), (6,), (6,)),
        sample((1, 3), (1, 3), (1, 3)),
        sample((4, 1), (4, 1), (4, 1)),
        sample((3, 4), (3, 4), (3, 4), margin=0.2),
        sample((3, 4), (3, 4), (3, 4), margin=5),
        sample((3, 4), (3, 4), (3, 4), eps=0.1),
        sample(*(Draw((3, 4), dtype="float64"),) * 3),
        sample(given((0.0, 3.0)), given((4.0, 0.0)), given((0.0, 3.5))),
        sample(given((1.0, 1.0)), given((1.0, 1.5)), given((9.0, 9.0))),  # far enough apart: 0
        sample((2, 3, 4), (2, 3, 4), (2, 3, 4), rejects="anchor", without=("torch",)),  # torch takes it
        sample((), (), (), rejects="anchor", without=("torch",)),  # torch adds it up as it is
        sample((3, 4), (1, 4), (3, 4), rejects="positive", without=("torch",)),  # torch broadcasts
        sample((3, 4), (3, 4), (3, 5), rejects="negative"),
        sample((3, 4), (3, 4), integers((3, 4), 5), rejects="negative", without=("torch",)),  # torch promotes
        sample(integers((3, 4), 5), (3, 4), (3, 4), rejects="anchor", without=("torch",)),  # torch promotes
        sample((3, 4), (3, 4), (3, 4), margin=0.0, rejects="margin"),
        sample((3, 4), (3, 4), (3, 4), eps=-0.1, rejects="eps", without=("torch",)),  # torch takes it
    )
