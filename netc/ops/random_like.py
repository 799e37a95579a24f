"""Random tensors of which another gives the shape: randn_like, rand_like."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from netc.dims import Shape
from netc.ops.arrays import np
from netc.ops.code import Code, Hole, call
from netc.ops.contract import (
    Array,
    Draw,
    Graph,
    Noise,
    Op,
    Operand,
    integers,
    register,
    require,
    sample,
)

OPSET = 21  # the newest at which onnxruntime 1.31 has Random*Like


class RandomLike(Op):
    """What draws share: they differ in the distribution."""

    evaluation: Literal["mean", "draw"]

    differentiable = False
    trains = True
    kind: ClassVar[str]
    mean: ClassVar[float]  # of the distribution

    def shape(self, x: Shape) -> Shape:
        return x

    def forward(self, x: Array) -> Array:
        return np.full(x.shape, self.mean, x.dtype)

    def noise(self, x: Shape) -> Noise:
        return Noise(x, kind=self.kind)

    def draws(self) -> bool:
        return self.evaluation == "draw"

    def training(self, x: Array, drawn: Array) -> tuple[Array, dict[str, Array]]:
        return drawn, {}

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        drawn = call(f"torch.{self.name}", x)
        if self.draws():
            return drawn
        mean = call("torch.full_like", x, Hole(self.mean)) if self.mean else call("torch.zeros_like", x)
        return Code((*drawn.pieces, " if self.training else ", *mean.pieces), infix=True)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if self.draws():
            newest = (
                f"onnxruntime draws no numbers at opset {graph.opset}: take --opset {OPSET} or an older one"
            )
            require(graph.opset <= OPSET, "evaluation", newest)
            return graph.node({"normal": "RandomNormalLike", "uniform": "RandomUniformLike"}[self.kind], x)
        return graph.node("Expand", graph.constant(self.mean, x.dtype), graph.sizes(x.shape))


def samples_of(high: float) -> tuple[Any, ...]:
    """Samples; what is drawn in evaluation no two backends give alike. high: makes those of the two ops differ."""
    alone = ("torch", "onnx")
    return (
        sample((2, 3), flops=0),
        sample((2, 3, 4)),
        sample((4,)),
        sample(()),
        sample((1,)),
        sample((5, 1)),
        sample((1, 7), evaluation="mean"),
        sample((2, 1, 3)),
        sample((3, 2, 2, 4)),
        sample(Draw((2, 5), "uniform", 0, high)),
        sample((2, 3), evaluation="draw", flops=0, without=alone),
        sample((3, 1, 2), evaluation="draw", without=alone),
        sample(integers((2, 3), 5), rejects="x", without=("torch",)),  # torch takes its zeros in evaluation
    )


@register("randn_like")
class RandnLike(RandomLike):
    """y = a draw from the normal distribution of mean 0 and deviation 1 for each element of x.

    In evaluation y is the mean of what is drawn, 0, so that a net answers alike twice and its file is the same
    everywhere; `evaluation="draw"` draws there, too, as a generator does.
    Shape: x [...] -> y of the same shape and dtype.
    Gradient: none: nothing flows through the draw.
    Source: torch.randn_like, https://docs.pytorch.org/docs/stable/generated/torch.randn_like.html;
    Kingma and Welling (2013), Auto-encoding variational Bayes, arXiv:1312.6114, section 2.4
    """

    evaluation: Literal["mean", "draw"] = "mean"

    kind = "normal"
    mean = 0.0
    samples = samples_of(1.0)


@register("rand_like")
class RandLike(RandomLike):
    """y = a draw from the uniform distribution from 0 to 1 for each element of x.

    In evaluation y is the mean of what is drawn, 0.5, so that a net answers alike twice and its file is the same
    everywhere; `evaluation="draw"` draws there, too, as a generator does.
    Shape: x [...] -> y of the same shape and dtype.
    Gradient: none: nothing flows through the draw.
    Source: torch.rand_like, https://docs.pytorch.org/docs/stable/generated/torch.rand_like.html
    """

    evaluation: Literal["mean", "draw"] = "mean"

    kind = "uniform"
    mean = 0.5
    samples = samples_of(0.5)
