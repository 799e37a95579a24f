"""Dropouts: the identity in evaluation, a random mask in training."""

from __future__ import annotations

from typing import Any

from netc.dims import Shape
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import Array, Graph, Noise, Op, Operand, integers, register, require, sample
from netc.ops.window import require_map


class Masking(Op):
    """What dropouts share: they differ in the shape of the mask."""

    p: float

    analytic = True
    trains = True

    def shape(self, x: Shape) -> Shape:
        require(0 <= self.p <= 1, "p", f"p is a probability, from 0 to 1, not {self.p}")
        return x

    def forward(self, x: Array) -> Array:
        return x

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g,)

    def noise(self, x: Shape) -> Noise:
        return Noise(self.mask(x), 1 - self.p)

    def mask(self, x: Shape) -> Shape:
        """The shape of the mask."""
        raise NotImplementedError

    def training(self, x: Array, mask: Array) -> tuple[Array, dict[str, Array]]:
        """With p = 1 the mask is all zero, and so is y."""
        return x * (mask / (1 - self.p) if self.p < 1 else mask), {}

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Identity", x)


@register("dropout")
class Dropout(Masking):
    """y = x in evaluation; y = x mask / (1 - p) in training.

    Each element of the mask is 0 with probability p, else 1.
    Shape: x [...] -> y of the same shape.
    Gradient: dx = g in evaluation, g mask / (1 - p) in training.
    Source: Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout.html
    """

    p: float = 0.5

    aliases = ("Dropout",)

    def mask(self, x: Shape) -> Shape:
        return x

    def torch(self, x: Operand) -> Code:
        return call("F.dropout", x, Keyword("p", self.p, 0.5), "training=self.training")

    def module(self, x: Shape) -> Code:
        return call("nn.Dropout", Hole(self.p, "p"))

    samples = (
        sample((2, 3), flops=0),
        sample((2, 3, 4, 5), p=0.1),
        sample((4,), p=0.0),
        sample((2, 3), p=1.0),
        sample((), p=0.25),
        sample((1,), p=0.9),
        sample((5, 1), p=0.3),
        sample((2, 1, 3), p=0.75),
        sample((1, 7), p=0.01),
        sample((3, 2, 4), p=0.99),
        sample((2, 3), p=-0.1, rejects="p"),
        sample((2, 3), p=1.5, rejects="p"),
        sample(integers((2, 3), 5), rejects="x", without=("torch",)),  # torch takes it in evaluation
    )


@register("dropout2d")
class Dropout2d(Masking):
    """y = x in evaluation; y = x mask / (1 - p) in training, with one mask for a whole channel.

    Each element of the mask [N, C, 1, 1] is 0 with probability p, else 1.
    Shape: x [N, C, H, W] -> y of the same shape.
    Gradient: dx = g in evaluation, g mask / (1 - p) in training.
    Source: Tompson et al. (2015), arXiv:1411.4280;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.Dropout2d.html
    """

    p: float = 0.5

    aliases = ("Dropout2d",)

    def shape(self, x: Shape) -> Shape:
        require_map("dropout2d", x, 4)
        return super().shape(x)

    def mask(self, x: Shape) -> Shape:
        return (*x[:2], 1, 1)

    def torch(self, x: Operand) -> Code:
        return call("F.dropout2d", x, Keyword("p", self.p, 0.5), "training=self.training")

    def module(self, x: Shape) -> Code:
        return call("nn.Dropout2d", Hole(self.p, "p"))

    samples = (
        sample((2, 3, 4, 5), flops=0),
        sample((2, 3, 1, 2), p=0.1),
        sample((1, 4, 2, 2), p=0.0),
        sample((2, 3, 2, 1), p=1.0),
        sample((3, 5, 1, 1), p=0.25),
        sample((1, 1, 2, 3), p=0.9),
        sample((5, 1, 3, 2), p=0.3),
        sample((2, 2, 1, 3), p=0.75),
        sample((4, 3, 2, 2), p=0.01),
        sample((1, 6, 3, 1), p=0.99),
        sample((2, 3, 4, 5), p=-0.1, rejects="p"),
        sample((2, 3, 4, 5), p=1.5, rejects="p"),
        sample((2, 3, 4), rejects="x", without=("torch",)),  # torch means [C, H, W]
        sample(integers((2, 3, 2, 2), 5), rejects="x", without=("torch",)),  # torch takes it in evaluation
    )


@register("drop_path")
class DropPath(Masking):
    """y = x in evaluation; y = x mask / (1 - p) in training, with one mask for a whole sample.

    Stochastic depth: put on the branch of a residual connection, it skips the branch for some samples. Each
    element of the mask [N, 1, ...] is 0 with probability p, else 1.
    Shape: x [N, ...] -> y of the same shape.
    Gradient: dx = g in evaluation, g mask / (1 - p) in training.
    Source: Huang et al. (2016), Deep networks with stochastic depth, arXiv:1603.09382;
    Larsson, Maire and Shakhnarovich (2017), FractalNet, arXiv:1605.07648
    """

    p: float = 0.5

    aliases = ("DropPath",)

    def shape(self, x: Shape) -> Shape:
        require(len(x) >= 1, "x", "x is a scalar, but drop_path takes at least 1 axis: [N, ...]")
        return super().shape(x)

    def mask(self, x: Shape) -> Shape:
        return (x[0], *(1 for _ in x[1:]))

    def torch(self, x: Operand) -> Code:
        ones = ", ".join([f"{x}.shape[0]", *("1" for _ in x.shape[1:])])
        mask = call("F.dropout", f"{x}.new_ones({ones})", Keyword("p", self.p, 0.5), "training=self.training")
        return Code((x, " * ", *mask.pieces), infix=True)

    samples = (
        sample((2, 3), flops=0),
        sample((4, 3, 2, 5), p=0.1),
        sample((4,), p=0.0),
        sample((2, 3), p=1.0),
        sample((1,), p=0.25),
        sample((6, 2, 3), p=0.9),
        sample((5, 1), p=0.3),
        sample((3, 1, 2), p=0.75),
        sample((1, 7), p=0.2),
        sample((8, 2, 1, 1), p=0.6),
        sample((2, 3), p=-0.1, rejects="p"),
        sample((2, 3), p=1.5, rejects="p"),
        sample((), rejects="x", without=("torch",)),  # there is no shape[0] to spell
        sample(integers((2, 3), 5), rejects="x", without=("torch",)),  # torch takes it in evaluation
    )
