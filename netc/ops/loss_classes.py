"""Losses and scores of classes: what their targets may be, what each counts, and nll."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, prod
from typing import Any

from netc.dims import AnyDim, Shape, same, show, value
from netc.ops.arrays import np
from netc.ops.code import Argument, Code, Hole, Keyword, call
from netc.ops.contract import FLOATS, Array, Graph, Op, Operand, given, integers, register, require, sample
from netc.ops.notation import cast, equal, table, where

IGNORED = -100  # torch's default: no class


def require_axes(scores: Shape, at: str = "logits") -> None:
    require(len(scores) >= 2, at, f"{at} is {show(scores)}, which lacks the axes [N, C]")


def alike(a: Shape, b: Shape) -> bool:
    return len(a) == len(b) and all(same(n, m) for n, m in zip(a, b, strict=True))


def require_classes(scores: Shape, target: Shape, at: str = "logits") -> None:
    """Scores [N, C, ...] and targets [N, ...]."""
    require_axes(scores, at)
    wanted = (scores[0], *scores[2:])
    require(
        alike(target, wanted),
        "target",
        f"target is {show(target)}, but {at} {show(scores)} need {show(wanted)}",
    )


def require_class_dtypes(scores: str, target: str, at: str = "logits") -> None:
    require(scores in FLOATS, at, f"{at} is {scores}, not {' or '.join(FLOATS)}")
    require(target == "int64", "target", f"target is {target}, not int64")


def require_weights(weight: tuple[float, ...] | None, classes: AnyDim) -> None:
    """One weight a class, or none at all."""
    if weight is not None:
        fits = same(classes, len(weight))
        require(fits, "weight", f"weight has {len(weight)} numbers for {classes} classes")


def check_range(target: Array, classes: int, ignore_index: int | None = None) -> None:
    """Raises IndexError where a target is no class, as torch does."""
    kept = target if ignore_index is None else target[target != ignore_index]
    wrong = kept[(kept < 0) | (kept >= classes)]
    if wrong.size:
        raise IndexError(f"target holds {wrong[0]}, but there are {classes} classes")


def aligned(target: Array) -> Array:
    """[N, ...] with an axis for the classes: [N, 1, ...]."""
    return target.reshape((target.shape[0], 1, *target.shape[1:]))


def known_classes(scores: Shape, at: str = "logits") -> int:
    """How many classes there are, which must not depend on a free size."""
    classes = value(scores[1])
    require(classes is not None, at, f"{at} has {scores[1]} classes, which must be known")
    return classes or 0


def per_class(numbers: Array, scores: Array) -> Array:
    """One number a class, as they stand beside the scores: [C, 1, ...]."""
    return np.asarray(numbers).reshape((-1, *(1 for _ in scores.shape[2:])))


def hits(scores: Array, target: Array, at: str = "logits") -> Array:
    """Whether a class is the target, [N, C, ...]."""
    return equal(aligned(target), per_class(np.arange(known_classes(scores.shape, at)), scores))


@dataclass(frozen=True)
class Shares:
    """What each class and each position weighs in the mean."""

    weight: Array  # of each class, [C, 1, ...]
    counted: Array  # of each position: the weight of its class, 0 where ignored, [N, 1, ...]
    hit: Array  # whether a class is the target, [N, C, ...]

    @staticmethod
    def of(scores: Array, target: Array, weight: tuple[float, ...] | None, ignored: Array, at: str) -> Shares:
        numbers = weight or (1.0,) * known_classes(scores.shape, at)
        column = per_class(table(numbers, scores), scores)
        hit = hits(scores, target, at)
        of_target = (cast(hit, scores) * column).sum(1, keepdims=True)
        return Shares(column, where(ignored, 0.0, of_target), hit)


def weight_argument(scores: Operand, weight: tuple[float, ...] | None) -> tuple[Argument, ...]:
    """The class weights in torch's spelling, where there are some."""
    return (call(f"weight={scores}.new_tensor", Hole(weight, "weight")),) if weight else ()


@dataclass(frozen=True)
class Picked:
    """The nodes that all of a mean over targets share."""

    graph: Graph
    dtype: str
    ignored: str  # whether a target is ignored
    safe: str  # the target, 0 where it is ignored
    weight: str  # of the class of each target

    @staticmethod
    def of(graph: Graph, dtype: str, target: str, weight: tuple[float, ...] | None, ignore: int) -> Picked:
        ignored = graph.node("Equal", target, graph.constant(ignore, "int64"))
        safe = graph.node("Where", ignored, graph.constant(0, "int64"), target)
        weights = graph.constant(weight, dtype) if weight else None
        share = graph.node("Gather", weights, safe, axis=0) if weights else graph.constant(1.0, dtype)
        return Picked(graph, dtype, ignored, safe, share)

    def of_target(self, each: str) -> Any:
        """What `each` [N, C, ...] holds for the target, times its weight."""
        column = self.graph.constant([1], "int64")
        at = self.graph.node("Unsqueeze", self.safe, column)
        picked = self.graph.node("GatherElements", each, at, axis=1)
        return self.graph.node("Mul", self.graph.node("Squeeze", picked, column), self.weight)

    def negative_mean(self, total: str, rank: int) -> Any:
        """Minus the sum of `total`, over the sum of the weights, of what is not ignored."""
        zero, axes = self.graph.constant(0.0, self.dtype), tuple(range(rank))
        above, below = (
            self.graph.reduce("ReduceSum", self.graph.node("Where", self.ignored, zero, part), axes, False)
            for part in (total, self.weight)
        )
        return self.graph.node("Neg", self.graph.node("Div", above, below))


@register("nll")
class Nll(Op):
    """y = -sum_n w_t(n) x_n,t(n) / sum_n w_t(n): the mean of -x at the target class, which is axis 1.

    x holds logarithms of probabilities, such as log_softmax gives. w is `weight`, one number a class, or 1.
    Targets that are `ignore_index` count neither above nor below; nothing but these gives NaN, as in torch.
    Shape: log_probs [N, C, ...], target int64 [N, ...] -> a single number.
    Gradient: dx_nc = -g w_c [c = t(n)] / sum_n w_t(n); none for the target.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.NLLLoss.html
    """

    operands = ("log_probs", "target")
    aliases = ("NLLLoss", "nll_loss")
    analytic = True
    ignore_index: int = IGNORED
    weight: tuple[float, ...] | None = None

    def shape(self, log_probs: Shape, target: Shape) -> Shape:
        require_classes(log_probs, target, "log_probs")
        require_weights(self.weight, log_probs[1])
        return ()

    def dtype(self, log_probs: str, target: str) -> str:
        require_class_dtypes(log_probs, target, "log_probs")
        return log_probs

    def _shares(self, log_probs: Array, target: Array) -> Shares:
        ignored = equal(aligned(target), self.ignore_index)
        return Shares.of(log_probs, target, self.weight, ignored, "log_probs")

    def forward(self, log_probs: Array, target: Array) -> Array:
        check_range(target, log_probs.shape[1], self.ignore_index)
        shares = self._shares(log_probs, target)
        return -(np.where(shares.hit, log_probs, 0) * shares.counted).sum() / shares.counted.sum()

    def vjp(self, g: Array, y: Array, log_probs: Array, target: Array) -> tuple[Array, None]:
        shares = self._shares(log_probs, target)
        return -(g / shares.counted.sum()) * shares.counted * cast(shares.hit, log_probs), None

    def flops(self, y: Shape, log_probs: Shape, target: Shape) -> Any:
        return 3 * prod(target)

    def torch(self, log_probs: Operand, target: Operand) -> Code:
        weights = weight_argument(log_probs, self.weight)
        ignore = Keyword("ignore_index", self.ignore_index, IGNORED)
        return call("F.nll_loss", log_probs, target, *weights, ignore)

    def onnx(self, graph: Graph, log_probs: Operand, target: Operand) -> Any:
        picked = Picked.of(graph, log_probs.dtype, target, self.weight, self.ignore_index)
        return picked.negative_mean(picked.of_target(log_probs), len(target.shape))

    samples = (
        sample((3, 4), integers((3,), 4), flops=9),
        sample((2, 3, 4, 5), integers((2, 4, 5), 3)),
        sample((2, 3, 4), integers((2, 4), 3)),
        sample((4, 1), integers((4,), 1)),
        sample((1, 5), integers((1,), 5)),
        sample((3, 4), given(1, -100, 3, dtype="int64")),
        sample((3, 4), given(1, 2, 3, dtype="int64"), ignore_index=2),
        sample((4, 3), given(1, 2, 0, 2, dtype="int64"), weight=[0.5, 2.0, 1.0]),
        sample((4, 3), given(1, 2, 0, 2, dtype="int64"), ignore_index=2, weight=[0.5, 2.0, 1.0]),
        sample(
            given((0.0, -inf), (-2.5, -0.5), dtype="float64"),
            given(0, 1, dtype="int64"),
            without=("gradient",),
        ),
        sample((2, 3), given(-100, -100, dtype="int64"), without=("gradient",)),  # nothing counted: NaN
        sample((4,), integers((), 4), rejects="log_probs", without=("torch",)),  # torch takes one example
        sample((3, 4), integers((2,), 4), rejects="target"),
        sample((3, 4), integers((3, 1), 4), rejects="target"),
        sample((3, 4), (3,), rejects="target"),
        sample(integers((3, 4), 4), integers((3,), 4), rejects="log_probs"),
        sample((3, 4), integers((3,), 4), weight=[1.0, 2.0], rejects="weight"),
    )
