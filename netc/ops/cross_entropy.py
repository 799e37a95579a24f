"""Cross-entropy of class logits with whole-number targets, with label smoothing and class weights."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, prod
from typing import Any

from netc.dims import Shape, same, show, value
from netc.ops.arrays import np
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import FLOATS, Array, Graph, Op, Operand, given, integers, register, require, sample
from netc.ops.notation import cast, equal, function, where


def require_classes(logits: Shape, target: Shape) -> None:
    """Logits [N, C, ...] and targets [N, ...]."""
    require(len(logits) >= 2, "logits", f"logits is {show(logits)}, which lacks the axes [N, C]")
    wanted = (logits[0], *logits[2:])
    alike = len(target) == len(wanted) and all(same(n, m) for n, m in zip(wanted, target, strict=True))
    require(alike, "target", f"target is {show(target)}, but logits {show(logits)} need {show(wanted)}")


def require_class_dtypes(logits: str, target: str) -> None:
    require(logits in FLOATS, "logits", f"logits is {logits}, not {' or '.join(FLOATS)}")
    require(target == "int64", "target", f"target is {target}, not int64")


@dataclass(frozen=True)
class Shares:
    """What each class and each position weighs in the mean."""

    weight: Array  # of each class, [C, 1, ...]
    counted: Array  # of each position: the weight of its class, 0 where ignored, [N, 1, ...]
    hit: Array  # whether a class is the target, [N, C, ...]


@register("cross_entropy")
class CrossEntropy(Op):
    """y = -sum_n m_n sum_c q_nc w_c log softmax(x)_nc / sum_n m_n w_t(n), over the classes on axis 1.

    q is 1 - s for the target t(n) plus s / C for every class, s being `smoothing`; m is 0 where the target is
    `ignore_index`, else 1. All targets ignored gives NaN, as in torch.
    dx_nc = g m_n (p_nc sum_k q_nk w_k - q_nc w_c) / sum_n m_n w_t(n), p = softmax(x).
    Source: Szegedy et al., Rethinking the Inception Architecture (2016), https://arxiv.org/abs/1512.00567
    """

    operands = ("logits", "target")
    smoothing: float = 0.0
    ignore_index: int = -100
    weight: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        require(0 <= self.smoothing <= 1, "smoothing", f"smoothing is {self.smoothing}, which is not in 0..1")

    def shape(self, logits: Shape, target: Shape) -> Shape:
        require_classes(logits, target)
        if self.weight is not None:
            fits = same(logits[1], len(self.weight))
            require(fits, "weight", f"weight has {len(self.weight)} numbers for {logits[1]} classes")
        return ()

    def dtype(self, logits: str, target: str) -> str:
        require_class_dtypes(logits, target)
        return logits

    def forward(self, logits: Array, target: Array) -> Array:
        wrong = target[(target != self.ignore_index) & ((target < 0) | (target >= logits.shape[1]))]
        if wrong.size:
            raise ValueError(f"target holds {wrong[0]}, but there are {logits.shape[1]} classes")
        shares = self._shares(logits, target)
        each = function("log_softmax", logits, axis=1)
        total = -(where(shares.hit, each, 0.0) * shares.counted).sum()
        if self.smoothing:
            spread = -(shares.weight * each).mean(1, keepdims=True)
            rest = where(self._ignored(target), 0.0, spread).sum()
            total = (1 - self.smoothing) * total + self.smoothing * rest
        return total / shares.counted.sum()

    def _ignored(self, target: Array) -> Array:
        return equal(_aligned(target), self.ignore_index)

    def _shares(self, logits: Array, target: Array) -> Shares:
        classes = value(logits.shape[1])
        require(classes is not None, "logits", f"logits has {logits.shape[1]} classes, which must be known")
        column = (classes or 0, *(1 for _ in logits.shape[2:]))
        weight = np.asarray(self.weight or (1.0,) * column[0], str(logits.dtype)).reshape(column)
        hit = equal(_aligned(target), np.arange(column[0]).reshape(column))
        of_target = (cast(hit, logits) * weight).sum(1, keepdims=True)
        return Shares(weight, where(self._ignored(target), 0.0, of_target), hit)

    def vjp(self, g: Array, y: Array, logits: Array, target: Array) -> tuple[Array, None]:
        shares = self._shares(logits, target)
        p = function("softmax", logits, axis=1)
        dx = shares.counted * (p - cast(shares.hit, logits))
        if self.smoothing:
            every = p * float(np.sum(shares.weight)) - shares.weight
            blunt = where(self._ignored(target), 0.0, every)
            dx = (1 - self.smoothing) * dx + self.smoothing / len(shares.weight) * blunt
        return g * dx / shares.counted.sum(), None

    def flops(self, y: Shape, logits: Shape, target: Shape) -> Any:
        return 5 * prod(logits) + 3 * prod(target)

    def torch(self, logits: Operand, target: Operand) -> Code:
        weights = [call(f"weight={logits}.new_tensor", Hole(self.weight, "weight"))] if self.weight else []
        return call(
            "F.cross_entropy",
            logits,
            target,
            *weights,
            Keyword("ignore_index", self.ignore_index, -100),
            Keyword("label_smoothing", self.smoothing, 0.0),
        )

    def onnx(self, graph: Graph, logits: Operand, target: Operand) -> Any:
        zero, column = graph.constant(0.0, logits.dtype), graph.constant([1], "int64")
        ignored = graph.node("Equal", target, graph.constant(self.ignore_index, "int64"))
        safe = graph.node("Where", ignored, graph.constant(0, "int64"), target)
        weights = graph.constant(self.weight, logits.dtype) if self.weight else None
        weight = graph.node("Gather", weights, safe, axis=0) if weights else graph.constant(1.0, logits.dtype)
        each = graph.node("LogSoftmax", logits, axis=1)
        picked = graph.node("GatherElements", each, graph.node("Unsqueeze", safe, column), axis=1)
        total = graph.node("Mul", graph.node("Squeeze", picked, column), weight)
        if self.smoothing:
            sharp = graph.node("Mul", total, graph.constant(1 - self.smoothing, logits.dtype))
            total = graph.node("Add", sharp, self._onnx_rest(graph, logits, each))
        axes = tuple(range(len(target.shape)))
        above = graph.reduce("ReduceSum", graph.node("Where", ignored, zero, total), axes, False)
        below = graph.reduce("ReduceSum", graph.node("Where", ignored, zero, weight), axes, False)
        return graph.node("Neg", graph.node("Div", above, below))

    def _onnx_rest(self, graph: Graph, logits: Operand, each: str) -> Any:
        """What smoothing adds at each position."""
        if self.weight:
            column = np.reshape(self.weight, (-1, *(1 for _ in logits.shape[2:])))
            each = graph.node("Mul", each, graph.constant(column, logits.dtype))
        spread = graph.reduce("ReduceMean", each, (1,), False)
        return graph.node("Mul", spread, graph.constant(self.smoothing, logits.dtype))

    samples = (
        sample((3, 4), integers((3,), 4), flops=69),
        sample((2, 3, 4, 5), integers((2, 4, 5), 3)),
        sample((3, 4), integers((3,), 4), smoothing=0.1),
        sample((3, 4), given(1, -100, 3, dtype="int64"), smoothing=0.2),
        sample((4, 3), given(1, 2, 0, 2, dtype="int64"), ignore_index=2, weight=[0.5, 2.0, 1.0]),
        sample((2, 3, 4), integers((2, 4), 3), smoothing=0.3, weight=[0.5, 2, 1], ignore_index=1),
        sample(given((1000.0, 0.0), (0.0, -1000.0)), given(1, 0, dtype="int64")),
        sample(given((0.0, -inf), (-inf, 1.0)), given(0, 1, dtype="int64"), without=("gradient",)),
        sample((2, 3), given(-100, -100, dtype="int64"), without=("gradient",)),  # nothing counted: NaN
        sample((3, 4), integers((2,), 4), rejects="target"),
        sample((3, 4), integers((3, 1), 4), rejects="target"),
        sample((3, 4), (3,), rejects="target"),
        sample((4,), integers((), 4), rejects="logits", without=("torch",)),  # torch takes one example
        sample((3, 4), integers((3,), 4), weight=[1.0, 2.0], rejects="weight"),
        sample((3, 4), integers((3,), 4), smoothing=1.5, rejects="smoothing"),
    )


def _aligned(target: Array) -> Array:
    """[N, ...] with an axis for the classes: [N, 1, ...]."""
    return target.reshape((target.shape[0], 1, *target.shape[1:]))
