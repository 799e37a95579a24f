"""Cross-entropy of class logits with class indices or with probabilities, smoothed and weighted."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, prod
from typing import Any

from netc.dims import Shape, show
from netc.ops.arrays import np
from netc.ops.code import Code, Keyword, call
from netc.ops.contract import (
    FLOATS,
    Array,
    Draw,
    Graph,
    Op,
    Operand,
    given,
    integers,
    register,
    require,
    sample,
)
from netc.ops.loss_classes import (
    IGNORED,
    Picked,
    Shares,
    aligned,
    alike,
    check_range,
    known_classes,
    per_class,
    require_axes,
    require_weights,
    weight_argument,
)
from netc.ops.notation import cast, equal, function, table, where


@register("cross_entropy")
class CrossEntropy(Op):
    """y = -sum_n m_n sum_c q_nc w_c log softmax(x)_nc / sum_n m_n w_t(n), over the classes on axis 1.

    q is the target distribution: with class indices t(n), 1 - s for the class t(n) plus s / C for every class,
    s being `smoothing`; m is 0 where the target is `ignore_index`, else 1. All targets ignored gives NaN.
    A target with the shape of the logits holds probabilities p (one-hot or soft): then q = (1 - s) p + s / C,
    and the divisor is the number of positions, whatever the weights, as in torch.
    Shape: logits [N, C, ...] with target int64 [N, ...], or floats [N, C, ...] -> a single number.
    Gradient: dx_nc = g m_n (softmax(x)_nc sum_k q_nk w_k - q_nc w_c) / divisor;
    dp_nc = -g (1 - s) w_c log softmax(x)_nc / divisor, none for indices.
    Source: Szegedy et al., Rethinking the Inception Architecture (2016), https://arxiv.org/abs/1512.00567; https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html
    """

    operands = ("logits", "target")
    aliases = ("CrossEntropyLoss",)
    analytic = True
    smoothing: float = 0.0
    ignore_index: int = IGNORED
    weight: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        require(0 <= self.smoothing <= 1, "smoothing", f"smoothing is {self.smoothing}, which is not in 0..1")

    def shape(self, logits: Shape, target: Shape) -> Shape:
        require_axes(logits)
        indices = (logits[0], *logits[2:])
        wanted = logits if len(target) == len(logits) else indices
        needed = f"need {show(indices)}, or {show(logits)} for probabilities"
        require(
            alike(target, wanted), "target", f"target is {show(target)}, but logits {show(logits)} {needed}"
        )
        require_weights(self.weight, logits[1])
        return ()

    def dtype(self, logits: str, target: str) -> str:
        require(logits in FLOATS, "logits", f"logits is {logits}, not {' or '.join(FLOATS)}")
        fits = target in ("int64", logits)
        require(
            fits, "target", f"target is {target}, not int64 for class indices or {logits} for probabilities"
        )
        return logits

    def agree(self, shapes: Sequence[Shape], dtypes: Sequence[str]) -> None:
        soft = len(shapes[0]) == len(shapes[1])
        kind = "probabilities" if soft else "class indices"
        wanted = dtypes[0] if soft else "int64"
        said = f"target {show(shapes[1])} holds {kind}, which are {wanted}, not {dtypes[1]}"
        require(dtypes[1] == wanted, "target", said)
        plain = not soft or self.ignore_index == IGNORED
        require(
            plain, "ignore_index", "ignore_index is for class indices, but the target holds probabilities"
        )

    def forward(self, logits: Array, target: Array) -> Array:
        each = function("log_softmax", logits, axis=1)
        if _soft(logits, target):
            return -(self._weights(logits) * self._smoothed(target) * each).sum(1).mean()
        check_range(target, logits.shape[1], self.ignore_index)
        shares = self._shares(logits, target)
        total = -(where(shares.hit, each, 0.0) * shares.counted).sum()
        if self.smoothing:
            spread = -(shares.weight * each).mean(1, keepdims=True)
            rest = where(self._ignored(target), 0.0, spread).sum()
            total = (1 - self.smoothing) * total + self.smoothing * rest
        return total / shares.counted.sum()

    def _weights(self, logits: Array) -> Array:
        """What each class weighs, beside the logits."""
        return 1.0 if self.weight is None else per_class(table(self.weight, logits), logits)

    def _smoothed(self, target: Array) -> Array:
        if not self.smoothing:
            return target
        return (1 - self.smoothing) * target + self.smoothing / known_classes(target.shape, "target")

    def _ignored(self, target: Array) -> Array:
        return equal(aligned(target), self.ignore_index)

    def _shares(self, logits: Array, target: Array) -> Shares:
        return Shares.of(logits, target, self.weight, self._ignored(target), "logits")

    def vjp(self, g: Array, y: Array, logits: Array, target: Array) -> tuple[Array, Array | None]:
        p = function("softmax", logits, axis=1)
        if _soft(logits, target):
            return self._soft_vjp(g, p, logits, target)
        shares = self._shares(logits, target)
        dx = shares.counted * (p - cast(shares.hit, logits))
        if self.smoothing:
            every = p * float(np.sum(shares.weight)) - shares.weight
            blunt = where(self._ignored(target), 0.0, every)
            dx = (1 - self.smoothing) * dx + self.smoothing / len(shares.weight) * blunt
        return g * dx / shares.counted.sum(), None

    def _soft_vjp(self, g: Array, p: Array, logits: Array, target: Array) -> tuple[Array, Array]:
        share = g / prod((logits.shape[0], *logits.shape[2:]))
        weighed = self._weights(logits) * self._smoothed(target)
        each = function("log_softmax", logits, axis=1)
        d_target = -share * (1 - self.smoothing) * self._weights(logits) * each
        return share * (p * weighed.sum(1, keepdims=True) - weighed), d_target

    def flops(self, y: Shape, logits: Shape, target: Shape) -> Any:
        return 5 * prod(logits) + 3 * prod(target)

    def torch(self, logits: Operand, target: Operand) -> Code:
        return call(
            "F.cross_entropy",
            logits,
            target,
            *weight_argument(logits, self.weight),
            Keyword("ignore_index", self.ignore_index, IGNORED),
            Keyword("label_smoothing", self.smoothing, 0.0),
        )

    def onnx(self, graph: Graph, logits: Operand, target: Operand) -> Any:
        each = graph.node("LogSoftmax", logits, axis=1)
        if _soft(logits, target):
            return self._soft_onnx(graph, logits, target, each)
        picked = Picked.of(graph, logits.dtype, target, self.weight, self.ignore_index)
        total = picked.of_target(each)
        if self.smoothing:
            sharp = graph.node("Mul", total, graph.constant(1 - self.smoothing, logits.dtype))
            total = graph.node("Add", sharp, self._onnx_rest(graph, logits, each))
        return picked.negative_mean(total, len(target.shape))

    def _weighed(self, graph: Graph, logits: Operand, each: str) -> str:
        if not self.weight:
            return each
        column = np.reshape(self.weight, (-1, *(1 for _ in logits.shape[2:])))
        made: str = graph.node("Mul", each, graph.constant(column, logits.dtype))
        return made

    def _onnx_rest(self, graph: Graph, logits: Operand, each: str) -> Any:
        """What smoothing adds at each position."""
        spread = graph.reduce("ReduceMean", self._weighed(graph, logits, each), (1,), False)
        return graph.node("Mul", spread, graph.constant(self.smoothing, logits.dtype))

    def _soft_onnx(self, graph: Graph, logits: Operand, target: Operand, each: str) -> Any:
        weighed = self._weighed(graph, logits, each)
        total = graph.reduce("ReduceSum", graph.node("Mul", weighed, target), (1,), False)
        if self.smoothing:
            sharp = graph.node("Mul", total, graph.constant(1 - self.smoothing, logits.dtype))
            total = graph.node("Add", sharp, self._onnx_rest(graph, logits, each))
        return graph.node(
            "Neg", graph.reduce("ReduceMean", total, tuple(range(len(logits.shape) - 1)), False)
        )

    samples = (
        sample((3, 4), integers((3,), 4), flops=69),
        sample((2, 3, 4, 5), integers((2, 4, 5), 3)),
        sample((1, 1), integers((1,), 1)),
        sample((3, 4), integers((3,), 4), smoothing=0.1),
        sample((3, 4), given(1, -100, 3, dtype="int64"), smoothing=0.2),
        sample((4, 3), given(1, 2, 0, 2, dtype="int64"), ignore_index=2, weight=[0.5, 2.0, 1.0]),
        sample((2, 3, 4), integers((2, 4), 3), smoothing=0.3, weight=[0.5, 2, 1], ignore_index=1),
        sample((2, 3), integers((2,), 3), smoothing=1.0),
        sample(given((1000.0, 0.0), (0.0, -1000.0)), given(1, 0, dtype="int64")),
        sample(given((0.0, -inf), (-inf, 1.0)), given(0, 1, dtype="int64"), without=("gradient",)),
        sample((2, 3), given(-100, -100, dtype="int64"), without=("gradient",)),  # nothing counted: NaN
        sample((3, 4), given((0, 1, 0, 0), (1, 0, 0, 0), (0, 0, 0.3, 0.7)), flops=96),
        sample((2, 3, 4), Draw((2, 3, 4), "uniform")),
        sample((2, 3, 2, 2), Draw((2, 3, 2, 2), "uniform"), smoothing=0.2),
        sample((3, 4), Draw((3, 4), "uniform"), weight=[0.5, 2, 1, 0.25], smoothing=0.1),
        sample((2, 1), Draw((2, 1), "uniform"), weight=[3.0]),
        sample((3, 4), integers((2,), 4), rejects="target"),
        sample((3, 4), integers((3, 1), 4), rejects="target"),
        sample((3, 4), (3, 1), rejects="target"),
        sample((3, 4), (3,), rejects="target"),
        sample((3, 4), integers((3, 4), 2), rejects="target"),
        sample((3, 4), integers((3,), 4, "int32"), rejects="target"),
        sample((4,), integers((), 4), rejects="logits", without=("torch",)),  # torch takes one example
        sample(integers((3, 4), 4), integers((3,), 4), rejects="logits"),
        sample((3, 4), integers((3,), 4), weight=[1.0, 2.0], rejects="weight"),
        sample((3, 4), integers((3,), 4), smoothing=1.5, rejects="smoothing"),
        sample((3, 4), Draw((3, 4), "uniform"), ignore_index=1, rejects="ignore_index"),
    )


def _soft(logits: Any, target: Any) -> bool:
    """Whether the target holds probabilities."""
    return len(logits.shape) == len(target.shape)
