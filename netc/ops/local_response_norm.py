"""Normalisation by the channels around: LocalResponseNorm."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import Shape
from netc.ops.code import Code, Hole, Keyword, call, method
from netc.ops.contract import Array, Graph, Op, Operand, integers, register, require, sample
from netc.ops.notation import pad
from netc.ops.window import require_least


@register("local_response_norm")
class LocalResponseNorm(Op):
    """y = x / (k + alpha / size * sum of x^2 over `size` channels around)^beta.

    The window of channel c goes from c - size // 2 to c + (size - 1) // 2; beyond the ends there are zeros.
    Shape: x [N, C, ...] with at least 3 axes -> y of the same shape.
    Gradient: dx = g d^-beta - 2 alpha beta / size * x * (the sum of g x d^(-beta - 1) over the windows that
    hold x), where d = k + alpha / size * sum x^2.
    Source: Krizhevsky, Sutskever and Hinton (2012), ImageNet classification with deep convolutional networks;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.LocalResponseNorm.html
    """

    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    aliases = ("LocalResponseNorm",)
    analytic = True

    def shape(self, x: Shape) -> Shape:
        axes = "1 axis" if len(x) == 1 else f"{len(x)} axes"
        require(len(x) >= 3, "x", f"x has {axes}, but local_response_norm takes at least 3: [N, C, ...]")
        require_least(1, size=(self.size,))
        require(self.alpha >= 0, "alpha", f"alpha must not be negative, not {self.alpha}")
        require(self.k > 0, "k", f"k must be positive, not {self.k}: zeros would be divided by zero")
        return x

    def forward(self, x: Array) -> Array:
        return x * self._divisor(x) ** -self.beta

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        divisor = self._divisor(x)
        shared = self._around(g * x * divisor ** (-self.beta - 1), (self.size - 1) // 2)
        return (g * divisor**-self.beta - x * shared * (2 * self.alpha * self.beta / self.size),)

    def _divisor(self, x: Array) -> Array:
        return self._around(x * x, self.size // 2) * (self.alpha / self.size) + self.k

    def _around(self, x: Array, before: int) -> Array:
        """The sum over the window that begins so many channels before."""
        channels = x.shape[1]
        edges = [(0, 0), (before, self.size - 1 - before), *((0, 0) for _ in x.shape[2:])]
        wide = pad(x, *zip(*edges, strict=True))
        total = wide[:, :channels]
        for i in range(1, self.size):
            total = total + wide[:, i : i + channels]
        return total

    def flops(self, y: Shape, x: Shape) -> Any:
        """An element: its square, the sum over the window, scale and shift, power and product."""
        return prod(x) * (self.size + 4)

    def torch(self, x: Operand) -> Code:
        # of more than four axes, torch takes only a view, which what is permuted has none of
        given = x if len(x.shape) <= 4 else method(x, "contiguous")
        return call("F.local_response_norm", given, Hole(self.size, "size"), *self._rates())

    def module(self, x: Shape) -> Code | None:
        if len(x) > 4:
            return None
        return call("nn.LocalResponseNorm", Hole(self.size, "size"), *self._rates())

    def _rates(self) -> tuple[Keyword, ...]:
        alpha, beta = Keyword("alpha", self.alpha, 1e-4), Keyword("beta", self.beta, 0.75)
        return alpha, beta, Keyword("k", self.k, 1.0)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        """LRN where it means the same (its window lies otherwise for an even size) and onnxruntime takes it."""
        plain = self.size % 2 == 1 and self.alpha > 0 and self.beta > 0 and self.k >= 1  # small k: few digits
        if plain and len(x.shape) == 4 and x.dtype == "float32":
            return graph.node("LRN", x, alpha=self.alpha, beta=self.beta, bias=self.k, size=self.size)
        scaled = graph.node("Mul", self._onnx_sum(graph, x), graph.constant(self.alpha / self.size, x.dtype))
        divisor = graph.node("Add", scaled, graph.constant(self.k, x.dtype))
        return graph.node("Div", x, graph.node("Pow", divisor, graph.constant(self.beta, x.dtype)))

    def _onnx_sum(self, graph: Graph, x: Operand) -> str:
        squares: str = graph.node("Mul", x, x)
        if self.size == 1:
            return squares
        rest = [0] * (len(x.shape) - 2)
        before, after = self.size // 2, (self.size - 1) // 2
        pads = graph.constant([0, before, *rest, 0, after, *rest], "int64")
        wide = graph.node("Pad", squares, pads, mode="constant")
        parts = [self._onnx_part(graph, wide, i, i - self.size + 1) for i in range(self.size)]
        total: str = graph.node("Sum", *parts)
        return total

    def _onnx_part(self, graph: Graph, wide: str, start: int, end: int) -> str:
        """The channels from `start` up to `end`, counted from the end; 0 is the end itself."""
        bounds = (start, end or 2**63 - 1, 1)
        part: str = graph.node("Slice", wide, *(graph.constant([n], "int64") for n in bounds))
        return part

    samples = (
        sample((2, 5, 3, 4), size=3, flops=840),
        sample((2, 4, 3, 2), size=2, alpha=0.5, beta=0.5, k=2.0, flops=288),
        sample((1, 7, 2, 3), size=5, alpha=1e-3, k=2.0),
        sample((2, 3, 4), size=3, alpha=0.1),
        sample((1, 6, 2, 1, 3), size=4, alpha=0.3, beta=1.0),
        sample((2, 3, 2, 2), size=1, alpha=0.7),
        sample((2, 2, 3, 2), size=7, alpha=1.5, beta=0.25),
        sample((1, 1, 2, 3), size=3, alpha=2.0),
        sample((3, 4, 1, 1), size=6, alpha=0.9, k=0.5),
        sample((2, 3, 2, 2), size=3, alpha=0.0, k=4.0),
        sample((2, 3, 2, 2), size=3, beta=0.0, alpha=0.2),
        sample((2, 5), size=3, rejects="x"),
        sample((5,), size=3, rejects="x"),
        sample((2, 5, 3, 4), size=0, rejects="size"),
        sample((2, 5, 3), size=3, alpha=-0.1, rejects="alpha", without=("torch",)),  # torch gives what it may
        sample((2, 5, 3), size=3, k=0.0, rejects="k", without=("torch",)),  # torch gives NaN for zeros
        sample(integers((2, 5, 3), 5), size=3, rejects="x", without=("torch",)),  # torch makes floats of them
    )
