"""Losses, each the mean over all elements."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import Shape, same, show
from netc.ops.arrays import np
from netc.ops.code import Code, call
from netc.ops.contract import Array, Graph, Op, Operand, given, integers, register, require, sample, uniform
from netc.ops.notation import log, maximum, sigmoid, where


class Elementwise(Op):
    """What the losses share that compare x with a target of its shape; nothing is broadcast."""

    operands = ("x", "target")

    def shape(self, x: Shape, target: Shape) -> Shape:
        alike = len(x) == len(target) and all(same(n, m) for n, m in zip(x, target, strict=True))
        require(alike, "target", f"target is {show(target)}, but x is {show(x)}")
        return ()

    def flops(self, y: Shape, x: Shape, target: Shape) -> Any:
        return 3 * prod(x)


def mean_node(graph: Graph, x: str, rank: int) -> Any:
    """The mean of all elements."""
    return graph.reduce("ReduceMean", x, tuple(range(rank)), False) if rank else graph.node("Identity", x)


@register("mse")
class Mse(Elementwise):
    """y = mean of (x - t)^2; dx = 2 g (x - t) / n, dt = -dx.

    Source: torch.nn.MSELoss, https://docs.pytorch.org/docs/stable/generated/torch.nn.MSELoss.html
    """

    def forward(self, x: Array, target: Array) -> Array:
        return np.mean((x - target) ** 2)

    def vjp(self, g: Array, y: Array, x: Array, target: Array) -> tuple[Array, Array]:
        dx = g * (2 / prod(x.shape)) * (x - target)
        return dx, -dx

    def torch(self, x: Operand, target: Operand) -> Code:
        return call("F.mse_loss", x, target)

    def onnx(self, graph: Graph, x: Operand, target: Operand) -> Any:
        difference = graph.node("Sub", x, target)
        return mean_node(graph, graph.node("Mul", difference, difference), len(x.shape))

    samples = (
        sample((2, 3), (2, 3), flops=18),
        sample((2, 3, 4), (2, 3, 4)),
        sample((), ()),
        sample((3, 1), (3,), rejects="target", without=("torch",)),  # torch warns and broadcasts
        sample((3, 2), (2, 3), rejects="target"),
        sample((3,), integers((3,), 2), rejects="target", without=("torch",)),  # torch promotes
    )


@register("l1")
class L1(Elementwise):
    """y = mean of |x - t|; dx = g sign(x - t) / n, 0 where x is t, dt = -dx.

    Source: torch.nn.L1Loss, https://docs.pytorch.org/docs/stable/generated/torch.nn.L1Loss.html
    """

    def forward(self, x: Array, target: Array) -> Array:
        return np.mean(np.abs(x - target))

    def vjp(self, g: Array, y: Array, x: Array, target: Array) -> tuple[Array, Array]:
        share = g / prod(x.shape)
        dx = where(x > target, share, where(x < target, -share, 0.0))
        return dx, -dx

    def torch(self, x: Operand, target: Operand) -> Code:
        return call("F.l1_loss", x, target)

    def onnx(self, graph: Graph, x: Operand, target: Operand) -> Any:
        return mean_node(graph, graph.node("Abs", graph.node("Sub", x, target)), len(x.shape))

    samples = (
        sample((2, 3), (2, 3), flops=18),
        sample((2, 3, 4), (2, 3, 4)),
        sample(given(1.0, 2.0, 3.0), given(1.0, 3.0, 2.5), without=("numeric gradient",)),  # a kink
        sample((3, 1), (3,), rejects="target", without=("torch",)),  # torch warns and broadcasts
        sample((3, 2), (2, 3), rejects="target"),
    )


@register("bce")
class Bce(Elementwise):
    """y = -mean of t log x + (1 - t) log(1 - x), for x in 0..1, each log at least -100, as in torch.

    dx = g (x - t) / (x (1 - x)) / n, dt = g (log(1 - x) - log x) / n. Prefer bce_with_logits.
    Source: torch.nn.BCELoss, https://docs.pytorch.org/docs/stable/generated/torch.nn.BCELoss.html
    """

    def forward(self, x: Array, target: Array) -> Array:
        return -np.mean(target * maximum(log(x), -100.0) + (1 - target) * maximum(np.log1p(-x), -100.0))

    def vjp(self, g: Array, y: Array, x: Array, target: Array) -> tuple[Array, Array]:
        share = g / prod(x.shape)
        dx = share * (x - target) / maximum(x * (1 - x), 1e-12)
        return dx, share * (maximum(log(1 - x), -100.0) - maximum(log(x), -100.0))

    def flops(self, y: Shape, x: Shape, target: Shape) -> Any:
        return 10 * prod(x)

    def torch(self, x: Operand, target: Operand) -> Code:
        return call("F.binary_cross_entropy", x, target)

    def onnx(self, graph: Graph, x: Operand, target: Operand) -> Any:
        one, floor = graph.constant(1.0, x.dtype), graph.constant(-100.0, x.dtype)

        def term(share: str, chance: str) -> Any:
            return graph.node("Mul", share, graph.node("Max", graph.node("Log", chance), floor))

        no = term(graph.node("Sub", one, target), graph.node("Sub", one, x))
        both = graph.node("Add", term(target, x), no)
        return graph.node("Neg", mean_node(graph, both, len(x.shape)))

    samples = (
        sample(uniform((2, 3), 0.1, 0.9), uniform((2, 3), 0.0, 1.0), flops=60),
        sample(uniform((2, 3, 4), 0.1, 0.9), uniform((2, 3, 4), 0.0, 1.0)),
        # at the ends torch leaves the logs of dt as they are
        sample(given(0.0, 1.0, 0.25), given(1.0, 0.0, 1.0), without=("gradient",)),
        sample(uniform((3, 1), 0.1, 0.9), uniform((3,), 0.0, 1.0), rejects="target"),
        sample(uniform((3,), 0.1, 0.9), integers((3,), 2), rejects="target"),
    )


@register("bce_with_logits")
class BceWithLogits(Elementwise):
    """y = mean of max(x, 0) - x t + log(1 + exp(-|x|)); dx = g (sigmoid(x) - t) / n, dt = -g x / n.

    Source: torch.nn.BCEWithLogitsLoss,
    https://docs.pytorch.org/docs/stable/generated/torch.nn.BCEWithLogitsLoss.html
    """

    def forward(self, x: Array, target: Array) -> Array:
        return np.mean(np.maximum(x, 0) - x * target + np.log1p(np.exp(-np.abs(x))))

    def vjp(self, g: Array, y: Array, x: Array, target: Array) -> tuple[Array, Array]:
        share = g / prod(x.shape)
        return share * (sigmoid(x) - target), -share * x

    def flops(self, y: Shape, x: Shape, target: Shape) -> Any:
        return 9 * prod(x)

    def torch(self, x: Operand, target: Operand) -> Code:
        return call("F.binary_cross_entropy_with_logits", x, target)

    def onnx(self, graph: Graph, x: Operand, target: Operand) -> Any:
        linear = graph.node("Sub", graph.node("Relu", x), graph.node("Mul", x, target))
        small = graph.node("Exp", graph.node("Neg", graph.node("Abs", x)))
        tail = graph.node("Log", graph.node("Add", small, graph.constant(1.0, x.dtype)))
        return mean_node(graph, graph.node("Add", linear, tail), len(x.shape))

    samples = (
        sample((2, 3), uniform((2, 3), 0.0, 1.0), flops=54),
        sample((2, 3, 4), uniform((2, 3, 4), 0.0, 1.0)),
        sample(given(-1000.0, 1000.0, 1000.0), given(0.0, 1.0, 0.0)),
        sample((3, 1), uniform((3,), 0.0, 1.0), rejects="target"),
        sample((3,), integers((3,), 2), rejects="target", without=("torch",)),  # torch promotes
    )
