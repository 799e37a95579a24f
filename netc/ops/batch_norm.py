"""Batch normalisation layers: BatchNorm1d, BatchNorm2d and BatchNorm3d."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import Shape
from netc.ops.affine import affine_params, per_channel, require_eps, unit_affine
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import Array, Graph, Init, Op, Operand, Parameter, integers, register, require, sample
from netc.ops.notation import cast, extent, sqrt
from netc.ops.window import require_map


class BatchNorm(Op):
    """What BatchNorm1d to 3d share: evaluation with running statistics, training with those of the batch."""

    eps: float
    momentum: float | None
    affine: bool

    short = "bn"
    analytic = True
    trains = True
    ranks: tuple[int, ...] = ()

    def shape(self, x: Shape, *params: Shape) -> Shape:
        require_map(self.name, x, *self.ranks)
        require_eps(self.eps)
        require(
            self.momentum is None or 0 <= self.momentum <= 1,
            "momentum",
            f"momentum must be from 0 to 1, not {self.momentum}",
        )
        return x

    def params(self, x: Shape, *params: Shape) -> dict[str, Parameter]:
        return affine_params((x[1],), self.affine) | {
            "running_mean": Parameter((x[1],), Init("zeros"), trainable=False),
            "running_var": Parameter((x[1],), Init("ones"), trainable=False),
            "num_batches_tracked": Parameter((), Init("zeros"), trainable=False, dtype="int64"),
        }

    def forward(self, x: Array, *params: Array) -> Array:
        return self._scaled(self._normalised(x, *params[-3:-1]), *params)

    def _scaled(self, normal: Array, *params: Array) -> Array:
        if not self.affine:
            return normal
        weight, bias = (per_channel(p, len(normal.shape)) for p in params[:2])
        return normal * weight + bias

    def vjp(self, g: Array, y: Array, x: Array, *params: Array) -> tuple[Array | None, ...]:
        mean, variance = params[-3:-1]
        rank = len(x.shape)
        axes = (0, *range(2, rank))
        inner = g * per_channel(params[0], rank) if self.affine else g
        dx = inner / sqrt(per_channel(variance, rank) + self.eps)
        affine = ((g * self._normalised(x, mean, variance)).sum(axes), g.sum(axes)) if self.affine else ()
        return (dx, *affine, None, None, None)

    def _normalised(self, x: Array, mean: Array, variance: Array) -> Array:
        rank = len(x.shape)
        return (x - per_channel(mean, rank)) / sqrt(per_channel(variance, rank) + self.eps)

    def training(self, x: Array, *params: Array) -> tuple[Array, dict[str, Array]]:
        axes = (0, *range(2, len(x.shape)))
        count = prod(x.shape[axis] for axis in axes)
        require(count != 1, "x", "training needs more than one value per channel: a larger batch or map")
        mean = x.mean(axes)
        centred = x - per_channel(mean, len(x.shape))
        variance = (centred * centred).mean(axes)
        n = extent(count, x)
        found = {"running_mean": mean, "running_var": variance * (n / (n - 1))}
        y = self._scaled(self._normalised(x, mean, variance), *params)
        return y, self._moved(found, *params[-3:])

    def _moved(
        self, found: dict[str, Array], mean: Array, variance: Array, tracked: Array
    ) -> dict[str, Array]:
        """The buffers after a batch: a share `momentum` of the way, or the plain average of all batches."""
        tracked = tracked + 1
        share = 1 / cast(tracked, mean) if self.momentum is None else self.momentum
        old = zip(found, (mean, variance), strict=True)
        return {name: was * (1 - share) + found[name] * share for name, was in old} | {
            "num_batches_tracked": tracked
        }

    def flops(self, y: Shape, x: Shape, *params: Shape) -> Any:
        """A multiply-add an element: the statistics fold into a scale and a shift per channel."""
        return 2 * prod(x)

    def module(self, x: Shape, *params: Shape) -> Code:
        return call(
            f"nn.{self.name}",
            Hole(x[1], "num_features"),
            Keyword("eps", self.eps, 1e-5),
            Keyword("momentum", self.momentum, 0.1),
            Keyword("affine", self.affine, True),
        )

    def torch(self, x: Operand, *params: Operand) -> Code:
        affine = (f"weight={params[0]}", f"bias={params[1]}") if self.affine else ()
        return call("F.batch_norm", x, *params[-3:-1], *affine, Keyword("eps", self.eps, 1e-5))

    def onnx(self, graph: Graph, x: Operand, *params: Operand) -> Any:
        mean, variance = params[-3:-1]
        scale, shift = params[:2] if self.affine else unit_affine(graph, (x.shape[1],), x.dtype)
        momentum = 0.0 if self.momentum is None else self.momentum
        return graph.node(
            "BatchNormalization",
            x,
            scale,
            shift,
            mean,
            variance,
            epsilon=self.eps,
            momentum=1.0 - momentum,
            training_mode=0,
        )


@register("BatchNorm1d")
class BatchNorm1d(BatchNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias per channel.

    Evaluation takes the running statistics. Training takes the mean and the biased variance of the batch, and
    moves the running ones by `momentum` of the way towards its mean and its unbiased variance; with momentum
    none they are the average over all batches so far.
    Shape: x [N, C] or [N, C, L] -> y of the same shape.
    Gradient: evaluation dx = g weight / sqrt(var + eps); in training mean and var depend on x, too.
    Source: Ioffe and Szegedy (2015), arXiv:1502.03167;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm1d.html
    """

    eps: float = 1e-5
    momentum: float | None = 0.1
    affine: bool = True

    ranks = (2, 3)
    samples = (
        sample((4, 3), flops=24),
        sample((2, 3, 5), eps=1e-3, flops=60),
        sample((1, 2, 4), affine=False, momentum=0.01),
        sample((1, 1), momentum=None),  # a single value a channel: evaluation alone
        sample((5, 2), momentum=None),
        sample((3, 4, 1), momentum=0.0),
        sample((2, 1, 3), momentum=1.0),
        sample((2, 6), eps=0.5, affine=False),
        sample((1, 3, 2), eps=1e-7),
        sample((7, 1), momentum=0.25),
        sample((2, 2, 2), momentum=None, affine=False),
        sample((2, 3, 4, 5), rejects="x"),
        sample((3,), rejects="x"),
        sample(integers((2, 3), 5), rejects="x"),
        sample((2, 3), eps=-1.0, rejects="eps"),
        sample((2, 3), eps=3.0, rejects="eps", without=("torch",)),  # torch's num_features
        sample((2, 3), momentum=1.5, rejects="momentum", without=("torch",)),  # torch lets it
    )


@register("BatchNorm2d")
class BatchNorm2d(BatchNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias per channel.

    Evaluation takes the running statistics. Training takes the mean and the biased variance of the batch, and
    moves the running ones by `momentum` of the way towards its mean and its unbiased variance; with momentum
    none they are the average over all batches so far.
    Shape: x [N, C, H, W] -> y of the same shape.
    Gradient: evaluation dx = g weight / sqrt(var + eps); in training mean and var depend on x, too.
    Source: Ioffe and Szegedy (2015), arXiv:1502.03167;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html
    """

    eps: float = 1e-5
    momentum: float | None = 0.1
    affine: bool = True

    ranks = (4,)
    samples = (
        sample((2, 3, 4, 5), flops=240),
        sample((1, 4, 2, 3), eps=0.1, momentum=0.3),
        sample((3, 2, 1, 4), affine=False),
        sample((1, 2, 1, 1)),  # a single value a channel: evaluation alone
        sample((2, 1, 1, 1), momentum=None),
        sample((1, 1, 2, 3), momentum=1.0),
        sample((2, 2, 3, 1), momentum=0.0),
        sample((3, 1, 2, 2), eps=1e-7),
        sample((2, 5, 1, 3), momentum=None, affine=False),
        sample((1, 3, 3, 2), eps=1e-3, momentum=0.01),
        sample((2, 3, 4), rejects="x"),
        sample((2, 3, 4, 5, 6), rejects="x"),
        sample(integers((2, 3, 4, 5), 5), rejects="x"),
        sample((2, 3, 4, 5), eps=-1e-5, rejects="eps"),
        sample((2, 3, 4, 5), eps=3.0, rejects="eps", without=("torch",)),  # torch's num_features
        sample((2, 3, 4, 5), momentum=-0.1, rejects="momentum", without=("torch",)),  # torch lets it
    )


@register("BatchNorm3d")
class BatchNorm3d(BatchNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias per channel.

    Evaluation takes the running statistics. Training takes the mean and the biased variance of the batch, and
    moves the running ones by `momentum` of the way towards its mean and its unbiased variance; with momentum
    none they are the average over all batches so far.
    Shape: x [N, C, D, H, W] -> y of the same shape.
    Gradient: evaluation dx = g weight / sqrt(var + eps); in training mean and var depend on x, too.
    Source: Ioffe and Szegedy (2015), arXiv:1502.03167;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm3d.html
    """

    eps: float = 1e-5
    momentum: float | None = 0.1
    affine: bool = True

    ranks = (5,)
    samples = (
        sample((2, 3, 4, 5, 2), flops=480),
        sample((1, 4, 2, 3, 1), eps=0.1, momentum=0.3),
        sample((3, 2, 1, 4, 2), affine=False),
        sample((1, 2, 1, 1, 1)),  # a single value a channel: evaluation alone
        sample((2, 1, 1, 1, 1), momentum=None),
        sample((1, 1, 2, 3, 2), momentum=1.0),
        sample((2, 2, 1, 3, 1), momentum=0.0),
        sample((3, 1, 2, 1, 2), eps=1e-7),
        sample((2, 5, 1, 1, 3), momentum=None, affine=False),
        sample((1, 3, 2, 3, 2), eps=1e-3, momentum=0.01),
        sample((2, 3, 4, 5), rejects="x"),
        sample(integers((2, 3, 4, 5, 2), 5), rejects="x"),
        sample((2, 3, 4, 5, 2), eps=-1e-5, rejects="eps"),
        sample((2, 3, 4, 5, 2), eps=3.0, rejects="eps", without=("torch",)),  # torch's num_features
        sample((2, 3, 4, 5, 2), momentum=-0.1, rejects="momentum", without=("torch",)),  # torch lets it
    )
