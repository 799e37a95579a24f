"""Losses of probabilities and their logarithms against a target of the same shape: bce, its logits, kl_div."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import Shape, same
from netc.ops.arrays import log_one_plus_exp, np
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import Array, Draw, Graph, Operand, given, integers, register, require, sample, uniform
from netc.ops.loss import Elementwise, mean_node
from netc.ops.notation import exp, function, log, maximum, sigmoid, table

FLOOR = -100.0  # of a logarithm in bce, as in torch


def unit(*shape: int) -> Draw:
    """Probabilities of a target."""
    return uniform(shape, 0.0, 1.0)


def inner(*shape: int) -> Draw:
    """Probabilities away from 0 and 1."""
    return uniform(shape, 0.1, 0.9)


@register("bce")
class Bce(Elementwise):
    """y = -mean of (t log x + (1 - t) log(1 - x)) over all elements, each log at least -100.

    x is a probability, 0 to 1. Prefer bce_with_logits, which loses no digits near 0 and 1.
    Shape: x [...], target of the same shape -> a single number.
    Gradient: dx = g (x - t) / (x (1 - x)) / n, the divisor at least 1e-12; dt = g (log(1 - x) - log x) / n.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
    """

    aliases = ("BCELoss", "binary_cross_entropy")
    analytic = True  # the floor is met at 0 and 1 alone
    cost = 10

    def forward(self, x: Array, target: Array) -> Array:
        return -np.mean(target * maximum(log(x), FLOOR) + (1 - target) * maximum(np.log1p(-x), FLOOR))

    def vjp(self, g: Array, y: Array, x: Array, target: Array) -> tuple[Array, Array]:
        share = g / prod(x.shape)
        dx = share * (x - target) / maximum(x * (1 - x), 1e-12)
        return dx, share * (maximum(log(1 - x), FLOOR) - maximum(log(x), FLOOR))

    def torch(self, x: Operand, target: Operand) -> Code:
        return call("F.binary_cross_entropy", x, target)

    def onnx(self, graph: Graph, x: Operand, target: Operand) -> Any:
        one, floor = graph.constant(1.0, x.dtype), graph.constant(FLOOR, x.dtype)

        def term(share: str, chance: str) -> Any:
            return graph.node("Mul", share, graph.node("Max", graph.node("Log", chance), floor))

        no = term(graph.node("Sub", one, target), graph.node("Sub", one, x))
        both = graph.node("Add", term(target, x), no)
        return graph.node("Neg", mean_node(graph, both, len(x.shape)))

    samples = (
        sample(inner(2, 3), unit(2, 3), flops=60),
        sample(inner(2, 3, 4), unit(2, 3, 4)),
        sample(inner(5), unit(5)),
        sample(inner(), unit()),
        sample(inner(3, 1), unit(3, 1)),
        sample(inner(1, 1), unit(1, 1)),
        sample(inner(2, 1, 3, 2), unit(2, 1, 3, 2)),
        sample(given(0.2, 0.7, 0.5), given(0.0, 1.0, 1.0)),
        sample(given(0.2, 0.7, 0.5, dtype="float64"), given(1.0, 0.0, 0.5, dtype="float64")),
        # at the ends torch leaves the logs of dt as they are
        sample(given(0.0, 1.0, 0.25), given(1.0, 0.0, 1.0), without=("gradient",)),
        sample(inner(3, 1), unit(3), rejects="target"),
        sample(inner(3), integers((3,), 2), rejects="target"),
        sample(integers((3,), 2), integers((3,), 2), rejects="x"),
    )


def softplus(x: Array) -> Array:
    """log(1 + exp(x)) without overflow."""
    return maximum(x, 0.0) + log(1 + exp(-function("abs", x)))


@register("bce_with_logits")
class BceWithLogits(Elementwise):
    """y = mean of ((1 - t) x + (1 + (w - 1) t) log(1 + exp(-x))) over all elements.

    That is bce of sigmoid(x), exact for any x. w is `pos_weight`: what the positive targets weigh, one number
    or one for each place along the last axis; 1 where it is left out.
    Shape: x [...], target of the same shape -> a single number.
    Gradient: dx = g / n ((1 - t) - (1 + (w - 1) t) sigmoid(-x)), dt = g / n ((w - 1) log(1 + exp(-x)) - x).
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """

    analytic = True
    aliases = ("BCEWithLogitsLoss", "binary_cross_entropy_with_logits")
    cost = 9
    pos_weight: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        weights = self.pos_weight or ()
        require(self.pos_weight != (), "pos_weight", "pos_weight is an empty list")
        require(all(w >= 0 for w in weights), "pos_weight", f"pos_weight holds {min(weights, default=0)}")

    def shape(self, x: Shape, target: Shape) -> Shape:
        count = len(self.pos_weight or (1,))
        fits = count == 1 or (len(x) > 0 and same(x[-1], count))
        last = f"the last axis of x has {x[-1]}" if x else "x is a single number"
        require(fits, "pos_weight", f"pos_weight has {count} numbers, but {last}")
        return super().shape(x, target)

    def _weight(self, x: Array) -> Array:
        """What positive targets weigh, as it stands beside x."""
        weights = self.pos_weight or (1.0,)
        return weights[0] if len(weights) == 1 else table(weights, x)

    def forward(self, x: Array, target: Array) -> Array:
        tail = log_one_plus_exp(-x)
        return np.mean((1 - target) * x + (1 + (self._weight(x) - 1) * target) * tail)

    def vjp(self, g: Array, y: Array, x: Array, target: Array) -> tuple[Array, Array]:
        share = g / prod(x.shape)
        if self.pos_weight is None:
            return share * (sigmoid(x) - target), -share * x
        more = self._weight(x) - 1
        dx = share * ((1 - target) - (1 + more * target) * sigmoid(-x))
        return dx, share * (more * softplus(-x) - x)

    def torch(self, x: Operand, target: Operand) -> Code:
        name = "F.binary_cross_entropy_with_logits"
        if self.pos_weight is None:
            return call(name, x, target)
        weights = self.pos_weight if len(self.pos_weight) > 1 else self.pos_weight[0]
        tensor = call(f"pos_weight={x}.new_tensor", Hole(weights, "pos_weight"))
        return call(name, x, target, tensor)

    def onnx(self, graph: Graph, x: Operand, target: Operand) -> Any:
        one = graph.constant(1.0, x.dtype)
        small = graph.node("Exp", graph.node("Neg", graph.node("Abs", x)))
        tail = graph.node("Log", graph.node("Add", small, one))
        tail = graph.node("Add", graph.node("Relu", graph.node("Neg", x)), tail)
        if self.pos_weight is not None:
            weights = self.pos_weight if len(self.pos_weight) > 1 else self.pos_weight[0]
            more = graph.constant(np.asarray(weights) - 1, x.dtype)
            share = graph.node("Add", one, graph.node("Mul", more, target))
            tail = graph.node("Mul", share, tail)
        linear = graph.node("Mul", graph.node("Sub", one, target), x)
        return mean_node(graph, graph.node("Add", linear, tail), len(x.shape))

    samples = (
        sample((2, 3), unit(2, 3), flops=54),
        sample((2, 3, 4), unit(2, 3, 4)),
        sample((5,), unit(5)),
        sample((), unit()),
        sample((3, 1), unit(3, 1)),
        sample(given(-1000.0, 1000.0, 1000.0), given(0.0, 1.0, 0.0)),
        sample(Draw((2, 3), dtype="float64"), given((0.0, 1.0, 0.5), (1.0, 1.0, 0.0), dtype="float64")),
        sample((2, 3), unit(2, 3), pos_weight=2.5),
        sample((2, 3), unit(2, 3), pos_weight=[0.5, 1.0, 3.0]),
        sample((2, 4, 2), unit(2, 4, 2), pos_weight=[2, 0]),
        sample(given(-1000.0, 1000.0, 1000.0), given(1.0, 1.0, 0.0), pos_weight=3),
        sample((), unit(), pos_weight=0.5),
        sample((3, 1), unit(3), rejects="target"),
        sample((3,), integers((3,), 2), rejects="target", without=("torch",)),  # torch promotes
        sample(integers((3,), 2), integers((3,), 2), rejects="x", without=("torch",)),  # torch promotes
        sample((2, 3), unit(2, 3), pos_weight=[1.0, 2.0], rejects="pos_weight"),
        sample((), unit(), pos_weight=[1.0, 2.0], rejects="pos_weight", without=("torch",)),  # it broadcasts
        sample((2, 3), unit(2, 3), pos_weight=[], rejects="pos_weight", without=("torch",)),  # a mean of none
        sample(
            (2, 3), unit(2, 3), pos_weight=-1.0, rejects="pos_weight", without=("torch",)
        ),  # torch takes it
    )


@register("kl_div")
class KlDiv(Elementwise):
    """y = sum of t (log t - x) over all elements / N: the divergence of exp(x) from t, a mean over examples.

    x is a logarithm of probabilities (log_softmax); t is a probability, or its logarithm with `log_target`.
    The sum is divided by N, the first axis: torch calls this "batchmean". Its default "mean" divides by all
    elements, which is no divergence. A t of 0 adds 0.
    Shape: x [N, ...], target of the same shape -> a single number.
    Gradient: dx = -g t / N, dt = g (log t + 1 - x) / N; with u = log t, du = g t (u + 1 - x) / N.
    Source: Kullback and Leibler, On Information and Sufficiency (1951); https://docs.pytorch.org/docs/stable/generated/torch.nn.KLDivLoss.html
    """

    aliases = ("KLDivLoss",)
    analytic = True
    cost = 5
    log_target: bool = False

    def shape(self, x: Shape, target: Shape) -> Shape:
        require(len(x) > 0, "x", "x is a single number, but kl_div takes examples along a first axis")
        return super().shape(x, target)

    def forward(self, x: Array, target: Array) -> Array:
        if self.log_target:
            return np.sum(np.exp(target) * (target - x)) / x.shape[0]
        own = np.where(target == 0, 0, target * np.log(np.where(target == 0, 1, target)))
        return np.sum(own - target * x) / x.shape[0]

    def vjp(self, g: Array, y: Array, x: Array, target: Array) -> tuple[Array, Array]:
        share = g / x.shape[0]
        if self.log_target:
            chance = exp(target)
            return -share * chance, share * chance * (target + 1 - x)
        return -share * target, share * (log(target) + 1 - x)

    def torch(self, x: Operand, target: Operand) -> Code:
        batchmean = Keyword("reduction", "batchmean")
        return call("F.kl_div", x, target, batchmean, Keyword("log_target", self.log_target, False))

    def onnx(self, graph: Graph, x: Operand, target: Operand) -> Any:
        if self.log_target:
            each = graph.node("Mul", graph.node("Exp", target), graph.node("Sub", target, x))
        else:
            zero, one = graph.constant(0.0, x.dtype), graph.constant(1.0, x.dtype)
            none = graph.node("Equal", target, zero)
            own = graph.node("Mul", target, graph.node("Log", graph.node("Where", none, one, target)))
            each = graph.node("Sub", own, graph.node("Mul", target, x))
        rows = graph.reduce("ReduceSum", each, tuple(range(1, len(x.shape))), False) if x.shape[1:] else each
        return graph.reduce("ReduceMean", rows, (0,), False)

    samples = (
        sample((2, 3), inner(2, 3), flops=30),
        sample((2, 3, 4), inner(2, 3, 4)),
        sample((5,), inner(5)),
        sample((3, 1), inner(3, 1)),
        sample((1, 4), inner(1, 4)),
        sample((2, 3), (2, 3), log_target=True),
        sample((3, 2, 2), (3, 2, 2), log_target=True),
        sample(given((-0.5, -1.0), (-2.0, -0.1)), given((0.3, 0.7), (0.1, 0.9))),
        sample(
            given((-0.5, -1.0), (-2.0, -0.1)), given((0.0, 1.0), (1.0, 0.0)), without=("gradient",)
        ),  # log 0
        sample(Draw((2, 3), dtype="float64"), Draw((2, 3), "uniform", 0.1, 0.9, "float64")),
        sample((), inner(), rejects="x", without=("torch",)),  # torch divides by nothing
        sample((3, 1), inner(3), rejects="target", without=("torch",)),  # torch broadcasts
        sample((3,), integers((3,), 2), rejects="target", without=("torch",)),  # torch promotes
        sample(integers((3,), 2), integers((3,), 2), rejects="x", without=("torch",)),  # torch promotes
    )
