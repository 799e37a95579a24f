"""Instance normalisation layers: InstanceNorm1d, InstanceNorm2d and InstanceNorm3d."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import Shape
from netc.ops.affine import affine_params, per_channel, require_eps, require_several, unit_affine
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import Array, Graph, Op, Operand, Parameter, integers, register, require, sample
from netc.ops.norm import standardise, standardise_vjp
from netc.ops.window import require_float32, require_map


class InstanceNorm(Op):
    """What InstanceNorm1d to 3d share: each channel of each sample has its own statistics."""

    eps: float
    affine: bool
    track_running_stats: bool

    short = "in"
    analytic = True
    rank: int

    def shape(self, x: Shape, *params: Shape) -> Shape:
        require_map(self.name, x, self.rank)
        require_eps(self.eps)
        require(
            not self.track_running_stats,
            "track_running_stats",
            f"running statistics are for BatchNorm; {self.name} takes those of the sample, in evaluation too",
        )
        require_several(x[2:], "x", "each map holds a single value, which normalises to zero")
        return x

    def params(self, x: Shape, *params: Shape) -> dict[str, Parameter]:
        return affine_params((x[1],), self.affine)

    def forward(self, x: Array, *params: Array) -> Array:
        normal = standardise(x, self._positions(), self.eps)[0]
        if not self.affine:
            return normal
        weight, bias = (per_channel(p, self.rank) for p in params)
        return normal * weight + bias

    def vjp(self, g: Array, y: Array, x: Array, *params: Array) -> tuple[Array, ...]:
        normal, spread = standardise(x, self._positions(), self.eps)
        inner = g * per_channel(params[0], self.rank) if self.affine else g
        dx = standardise_vjp(inner, normal, spread, self._positions())
        axes = (0, *self._positions())
        return (dx, *(((g * normal).sum(axes), g.sum(axes)) if self.affine else ()))

    def _positions(self) -> tuple[int, ...]:
        return tuple(range(2, self.rank))

    def flops(self, y: Shape, x: Shape, *params: Shape) -> Any:
        """An element: the sums of mean and variance, difference, square, scaling; then the affine map."""
        return prod(x) * (5 + self.affine * 2)

    def module(self, x: Shape, *params: Shape) -> Code:
        return call(
            f"nn.{self.name}",
            Hole(x[1], "num_features"),
            Keyword("eps", self.eps, 1e-5),
            Keyword("affine", self.affine, False),
        )

    def torch(self, x: Operand, *params: Operand) -> Code:
        affine = (f"weight={params[0]}", f"bias={params[1]}") if params else ()
        return call("F.instance_norm", x, *affine, Keyword("eps", self.eps, 1e-5))

    def onnx(self, graph: Graph, x: Operand, *params: Operand) -> Any:
        require_float32("InstanceNormalization", x)
        scale, shift = params or unit_affine(graph, (x.shape[1],), x.dtype)
        return graph.node("InstanceNormalization", x, scale, shift, epsilon=self.eps)


@register("InstanceNorm1d")
class InstanceNorm1d(InstanceNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and variance over a channel of a sample.

    The variance is the biased one. There are weight and bias only with affine=true.
    Shape: x [N, C, L] -> y of the same shape.
    Gradient: dx = (q - mean(q) - h mean(q h)) / sqrt(var + eps), with h the normalised x and q = g weight;
    dweight = sum g h and dbias = sum g over samples and positions.
    Source: Ulyanov, Vedaldi and Lempitsky (2016), arXiv:1607.08022;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.InstanceNorm1d.html
    """

    eps: float = 1e-5
    affine: bool = False
    track_running_stats: bool = False

    rank = 3
    samples = (
        sample((2, 3, 5), flops=150),
        sample((2, 3, 4), affine=True, flops=168),
        sample((1, 2, 2), eps=1e-3),
        sample((1, 1, 6), affine=True, eps=0.5),
        sample((3, 1, 4)),
        sample((2, 5, 3), eps=1e-7, affine=True),
        sample((4, 2, 3), eps=0.25),
        sample((1, 4, 7)),
        sample((5, 1, 3), affine=True),
        sample((2, 2, 8), eps=0.1, affine=True),
        sample((2, 3), rejects="x", without=("torch",)),  # torch means [C, L]
        sample((2, 3, 1), rejects="x"),
        sample((2, 3, 4, 5), rejects="x", without=("torch",)),  # F.instance_norm takes any rank
        sample(integers((2, 3, 4), 5), rejects="x"),
        sample((2, 3, 4), eps=-1.0, rejects="eps", without=("torch",)),  # torch gives NaN
        sample((2, 3, 4), eps=3.0, rejects="eps", without=("torch",)),  # torch's num_features
        # netc has no such form
        sample((2, 3, 4), track_running_stats=True, rejects="track_running_stats", without=("torch",)),
    )


@register("InstanceNorm2d")
class InstanceNorm2d(InstanceNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and variance over a channel of a sample.

    The variance is the biased one. There are weight and bias only with affine=true.
    Shape: x [N, C, H, W] -> y of the same shape.
    Gradient: dx = (q - mean(q) - h mean(q h)) / sqrt(var + eps), with h the normalised x and q = g weight;
    dweight = sum g h and dbias = sum g over samples and positions.
    Source: Ulyanov, Vedaldi and Lempitsky (2016), arXiv:1607.08022;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.InstanceNorm2d.html
    """

    eps: float = 1e-5
    affine: bool = False
    track_running_stats: bool = False

    rank = 4
    samples = (
        sample((2, 3, 4, 5), flops=600),
        sample((2, 3, 2, 2), affine=True, flops=168),
        sample((1, 2, 1, 2), eps=1e-3),
        sample((1, 1, 3, 2), affine=True, eps=0.5),
        sample((3, 1, 4, 1)),
        sample((2, 5, 3, 2), eps=1e-7, affine=True),
        sample((4, 2, 3, 1), eps=0.25),
        sample((1, 4, 2, 7)),
        sample((5, 1, 1, 3), affine=True),
        sample((2, 2, 4, 2), eps=0.1, affine=True),
        sample((2, 3, 4), rejects="x", without=("torch",)),  # torch means [C, H, W]
        sample((2, 3, 1, 1), rejects="x"),
        sample(integers((2, 3, 4, 5), 5), rejects="x"),
        sample((2, 3, 4, 5), eps=-1.0, rejects="eps", without=("torch",)),  # torch gives NaN
        sample((2, 3, 4, 5), eps=3.0, rejects="eps", without=("torch",)),  # torch's num_features
        # netc has no such form
        sample((2, 3, 4, 5), track_running_stats=True, rejects="track_running_stats", without=("torch",)),
    )


@register("InstanceNorm3d")
class InstanceNorm3d(InstanceNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and variance over a channel of a sample.

    The variance is the biased one. There are weight and bias only with affine=true.
    Shape: x [N, C, D, H, W] -> y of the same shape.
    Gradient: dx = (q - mean(q) - h mean(q h)) / sqrt(var + eps), with h the normalised x and q = g weight;
    dweight = sum g h and dbias = sum g over samples and positions.
    Source: Ulyanov, Vedaldi and Lempitsky (2016), arXiv:1607.08022;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.InstanceNorm3d.html
    """

    eps: float = 1e-5
    affine: bool = False
    track_running_stats: bool = False

    rank = 5
    samples = (
        sample((2, 3, 4, 5, 2), flops=1200),
        sample((2, 3, 1, 2, 2), affine=True, flops=168),
        sample((1, 2, 1, 2, 1), eps=1e-3),
        sample((1, 1, 3, 2, 2), affine=True, eps=0.5),
        sample((3, 1, 4, 1, 1)),
        sample((2, 5, 1, 3, 2), eps=1e-7, affine=True),
        sample((4, 2, 3, 1, 2), eps=0.25),
        sample((1, 4, 2, 1, 7)),
        sample((5, 1, 1, 1, 3), affine=True),
        sample((2, 2, 4, 2, 1), eps=0.1, affine=True),
        sample((2, 3, 4, 5), rejects="x", without=("torch",)),  # torch means [C, D, H, W]
        sample((2, 3, 1, 1, 1), rejects="x"),
        sample(integers((2, 3, 4, 5, 2), 5), rejects="x"),
        sample((2, 3, 4, 5, 2), eps=-1.0, rejects="eps", without=("torch",)),  # torch gives NaN
        sample((2, 3, 4, 5, 2), eps=3.0, rejects="eps", without=("torch",)),  # torch's num_features
        # netc has no such form
        sample((2, 3, 4, 5, 2), track_running_stats=True, rejects="track_running_stats", without=("torch",)),
    )
