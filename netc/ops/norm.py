"""Normalisation within a sample: LayerNorm, RMSNorm and GroupNorm."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import Shape, divides
from netc.ops.affine import affine_params, per_channel, require_eps, require_several, unit_affine
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import Array, Graph, Op, Operand, Parameter, integers, register, require, sample
from netc.ops.notation import sqrt
from netc.ops.window import require_float32, require_least


@register("LayerNorm")
class LayerNorm(Op):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and variance over the last `axes` axes.

    The variance is the biased one. Weight and bias have the shape of those axes.
    Shape: x [...] -> y of the same shape.
    Gradient: dx = (q - mean(q) - h mean(q h)) / sqrt(var + eps), with h the normalised x and q = g weight;
    dweight = sum g h and dbias = sum g over the axes before.
    Source: Ba, Kiros and Hinton (2016), arXiv:1607.06450;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.LayerNorm.html
    """

    axes: int = 1
    eps: float = 1e-5
    affine: bool = True
    bias: bool = True

    short = "ln"
    analytic = True

    def shape(self, x: Shape, *params: Shape) -> Shape:
        require(len(x) >= 1, "x", "x is a scalar, but LayerNorm takes at least 1 axis")
        require(
            1 <= self.axes <= len(x),
            "axes",
            f"x has {len(x)} axes, so LayerNorm can take 1 to {len(x)} of them, not {self.axes}",
        )
        require_eps(self.eps)
        return x

    def params(self, x: Shape, *params: Shape) -> dict[str, Parameter]:
        return affine_params(x[-self.axes :], self.affine, self.bias)

    def forward(self, x: Array, *params: Array) -> Array:
        y = standardise(x, self._last(x), self.eps)[0]
        y = y * params[0] if self.affine else y
        return y + params[1] if len(params) > 1 else y

    def vjp(self, g: Array, y: Array, x: Array, *params: Array) -> tuple[Array, ...]:
        axes = self._last(x)
        normal, spread = standardise(x, axes, self.eps)
        inner = g * params[0] if self.affine else g
        lead = tuple(range(len(x.shape) - self.axes))
        sums = ((g * normal, g) if self.bias else (g * normal,)) if self.affine else ()
        affine = (part.sum(lead) if lead else part for part in sums)
        return (standardise_vjp(inner, normal, spread, axes), *affine)

    def _last(self, x: Array) -> tuple[int, ...]:
        return tuple(range(len(x.shape) - self.axes, len(x.shape)))

    def flops(self, y: Shape, x: Shape, *params: Shape) -> Any:
        """An element: the sums of mean and variance, difference, square, scaling; then the affine map."""
        return prod(x) * (5 + self.affine * (1 + self.bias))

    def module(self, x: Shape, *params: Shape) -> Code:
        shape = x[-1] if self.axes == 1 else x[-self.axes :]
        bias = self.bias if self.affine else True
        return call(
            "nn.LayerNorm",
            Hole(shape, "normalized_shape"),
            Keyword("eps", self.eps, 1e-5),
            Keyword("elementwise_affine", self.affine, True),
            Keyword("bias", bias, True),
        )

    def torch(self, x: Operand, *params: Operand) -> Code:
        return call(
            "F.layer_norm",
            x,
            Hole(x.shape[-self.axes :], "normalized_shape"),
            *params,
            Keyword("eps", self.eps, 1e-5),
        )

    def onnx(self, graph: Graph, x: Operand, *params: Operand) -> Any:
        shape = x.shape[-self.axes :]
        operands: tuple[str, ...] = params or unit_affine(graph, shape, x.dtype)[:1]
        return graph.node("LayerNormalization", x, *operands, axis=-self.axes, epsilon=self.eps, stash_type=1)

    samples = (
        sample((4, 6), flops=168),
        sample((2, 3, 5), eps=1e-3, bias=False, flops=180),
        sample((2, 3, 4), axes=2),
        sample((2, 3, 4), affine=False, flops=120),
        sample((5,), axes=1),
        sample((3, 4), axes=2, bias=False),
        sample((2, 1, 3), axes=2, affine=False),
        sample((1, 6), eps=0.5),
        sample((3, 2, 2, 2), axes=3, eps=1e-7),
        sample((2, 3, 4), axes=3),
        sample((2, 7), affine=False, bias=False),
        sample((3, 1), eps=0.25),  # a single value, of variance 0
        sample((), rejects="x"),
        sample(integers((2, 3), 5), rejects="x", without=("torch",)),  # torch is given a shape
        sample((2, 3), eps=64.0, rejects="eps", without=("torch",)),  # torch's normalized_shape
        sample((2, 3), axes=3, rejects="axes", without=("torch",)),  # torch is given a shape
        sample((2, 3), axes=0, rejects="axes", without=("torch",)),  # the same
        sample((2, 3), eps=-1.0, rejects="eps", without=("torch",)),  # torch gives NaN
    )


@register("RMSNorm")
class RMSNorm(Op):
    """y = x / sqrt(mean of x^2 + eps) * weight, with the mean over the last `axes` axes.

    The weight has the shape of those axes. eps is the epsilon of float32, which is what torch's default, none,
    means for a float32 x; netc writes it out, so that all targets and dtypes have the same.
    Shape: x [...] -> y of the same shape.
    Gradient: dx = (q - h mean(q h)) / sqrt(mean of x^2 + eps), with h the normalised x and q = g weight;
    dweight = sum g h over the axes before.
    Source: Zhang and Sennrich (2019), arXiv:1910.07467;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.RMSNorm.html
    """

    axes: int = 1
    eps: float = 2.0**-23
    affine: bool = True

    short = "rms"
    analytic = True

    def shape(self, x: Shape, *params: Shape) -> Shape:
        require(len(x) >= 1, "x", "x is a scalar, but RMSNorm takes at least 1 axis")
        require(
            1 <= self.axes <= len(x),
            "axes",
            f"x has {len(x)} axes, so RMSNorm can take 1 to {len(x)} of them, not {self.axes}",
        )
        require_eps(self.eps)
        return x

    def params(self, x: Shape, *params: Shape) -> dict[str, Parameter]:
        return affine_params(x[-self.axes :], self.affine, bias=False)

    def forward(self, x: Array, *weight: Array) -> Array:
        y = x / self._spread(x)
        return y * weight[0] if self.affine else y

    def vjp(self, g: Array, y: Array, x: Array, *weight: Array) -> tuple[Array, ...]:
        spread = self._spread(x)
        normal = x / spread
        inner = g * weight[0] if self.affine else g
        dx = (inner - normal * (inner * normal).mean(self._last(x), keepdims=True)) / spread
        lead = tuple(range(len(x.shape) - self.axes))
        return (dx, *(((g * normal).sum(lead) if lead else g * normal,) if self.affine else ()))

    def _last(self, x: Array) -> tuple[int, ...]:
        return tuple(range(len(x.shape) - self.axes, len(x.shape)))

    def _spread(self, x: Array) -> Array:
        return sqrt((x * x).mean(self._last(x), keepdims=True) + self.eps)

    def flops(self, y: Shape, x: Shape, *params: Shape) -> Any:
        """An element: its square, the sum, the division; then the weight."""
        return prod(x) * (3 + self.affine)

    def module(self, x: Shape, *params: Shape) -> Code:
        shape = x[-1] if self.axes == 1 else x[-self.axes :]
        return call(
            "nn.RMSNorm",
            Hole(shape, "normalized_shape"),
            Keyword("eps", self.eps),
            Keyword("elementwise_affine", self.affine, True),
        )

    def torch(self, x: Operand, *params: Operand) -> Code:
        shape = Hole(x.shape[-self.axes :], "normalized_shape")
        return call("F.rms_norm", x, shape, *params, Keyword("eps", self.eps))

    def onnx(self, graph: Graph, x: Operand, *params: Operand) -> Any:
        axes = range(len(x.shape) - self.axes, len(x.shape))
        mean = graph.reduce("ReduceMean", graph.node("Mul", x, x), list(axes), keepdims=True)
        spread = graph.node("Sqrt", graph.node("Add", mean, graph.constant(self.eps, x.dtype)))
        y = graph.node("Div", x, spread)
        return graph.node("Mul", y, *params) if params else y

    samples = (
        sample((4, 6), flops=96),
        sample((2, 3, 5), eps=1e-3, affine=False, flops=90),
        sample((2, 3, 4), axes=2),
        sample((5,), axes=1),
        sample((3, 4), axes=2),
        sample((2, 1, 3), axes=2, affine=False),
        sample((1, 6), eps=0.5),
        sample((3, 2, 2, 2), axes=3, eps=1e-5),
        sample((2, 3, 4), axes=3),
        sample((3, 1), eps=0.25),
        sample((), rejects="x"),
        sample(integers((2, 3), 5), rejects="x", without=("torch",)),  # torch is given a shape
        sample((2, 3), axes=3, rejects="axes", without=("torch",)),  # the same
        sample((2, 3), axes=0, rejects="axes", without=("torch",)),  # the same
        sample((2, 3), eps=-1.0, rejects="eps", without=("torch",)),  # torch gives NaN
        sample((2, 3), eps=64.0, rejects="eps", without=("torch",)),  # torch's normalized_shape
    )


@register("GroupNorm")
class GroupNorm(Op):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, with mean and variance over a group of channels.

    Each sample and each of the `num_groups` groups has its own statistics, over all positions; weight and bias
    are per channel. The variance is the biased one.
    Shape: x [N, C, ...] -> y of the same shape.
    Gradient: dx = (q - mean(q) - h mean(q h)) / sqrt(var + eps), with h the normalised x and q = g weight;
    dweight = sum g h and dbias = sum g over all axes but the channels.
    Source: Wu and He (2018), arXiv:1803.08494;
    https://docs.pytorch.org/docs/stable/generated/torch.nn.GroupNorm.html
    """

    num_groups: int
    eps: float = 1e-5
    affine: bool = True

    short = "gn"
    analytic = True

    def shape(self, x: Shape, *params: Shape) -> Shape:
        axes = "1 axis" if len(x) == 1 else f"{len(x)} axes"
        require(len(x) >= 2, "x", f"x has {axes}, but GroupNorm takes at least 2: [N, C, ...]")
        require_least(1, num_groups=(self.num_groups,))
        require(
            divides(self.num_groups, x[1]),
            "num_groups",
            f"the {x[1]} channels of x cannot be divided into {self.num_groups} groups",
        )
        require_eps(self.eps)
        require_several(
            (x[1] // self.num_groups, *x[2:]),
            "num_groups",
            "each group would hold a single value, which normalises to zero",
        )
        return x

    def params(self, x: Shape, *params: Shape) -> dict[str, Parameter]:
        return affine_params((x[1],), self.affine)

    def forward(self, x: Array, *params: Array) -> Array:
        y = standardise(x.reshape(self._grouped(x.shape)), (2,), self.eps)[0].reshape(x.shape)
        if not self.affine:
            return y
        weight, bias = (per_channel(p, len(x.shape)) for p in params)
        return y * weight + bias

    def vjp(self, g: Array, y: Array, x: Array, *params: Array) -> tuple[Array, ...]:
        rank, grouped = len(x.shape), self._grouped(x.shape)
        normal, spread = standardise(x.reshape(grouped), (2,), self.eps)
        inner = g * per_channel(params[0], rank) if self.affine else g
        dx = standardise_vjp(inner.reshape(grouped), normal, spread, (2,)).reshape(x.shape)
        axes = (0, *range(2, rank))
        affine = ((g * normal.reshape(x.shape)).sum(axes), g.sum(axes)) if self.affine else ()
        return (dx, *affine)

    def _grouped(self, shape: Shape) -> Shape:
        return (shape[0], self.num_groups, shape[1] // self.num_groups * prod(shape[2:]))

    def flops(self, y: Shape, x: Shape, *params: Shape) -> Any:
        """An element: the sums of mean and variance, difference, square, scaling; then the affine map."""
        return prod(x) * (5 + self.affine * 2)

    def module(self, x: Shape, *params: Shape) -> Code:
        return call(
            "nn.GroupNorm",
            Hole(self.num_groups, "num_groups"),
            Hole(x[1], "num_channels"),
            Keyword("eps", self.eps, 1e-5),
            Keyword("affine", self.affine, True),
        )

    def torch(self, x: Operand, *params: Operand) -> Code:
        return call(
            "F.group_norm", x, Hole(self.num_groups, "num_groups"), *params, Keyword("eps", self.eps, 1e-5)
        )

    def onnx(self, graph: Graph, x: Operand, *params: Operand) -> Any:
        if graph.opset >= 21:
            scale, shift = params or unit_affine(graph, (x.shape[1],), x.dtype)
            stash = {"float32": 1, "float64": 11}[x.dtype]
            return graph.node(
                "GroupNormalization",
                x,
                scale,
                shift,
                epsilon=self.eps,
                num_groups=self.num_groups,
                stash_type=stash,
            )
        require_float32("GroupNormalization before opset 21", x)
        flat = graph.node("Reshape", x, graph.constant([0, self.num_groups, -1], "int64"), allowzero=0)
        unit = unit_affine(graph, (self.num_groups,), x.dtype)
        normal = graph.node("InstanceNormalization", flat, *unit, epsilon=self.eps)
        y = graph.node("Reshape", normal, graph.sizes(x.shape), allowzero=0)
        return self._onnx_affine(graph, y, len(x.shape), params)

    def _onnx_affine(self, graph: Graph, y: str, rank: int, params: tuple[Operand, ...]) -> str:
        """The scale per channel, which GroupNormalization has per group before opset 21."""
        column = graph.constant([-1] + [1] * (rank - 2), "int64")
        for op_type, param in zip(("Mul", "Add"), params, strict=False):
            y = graph.node(op_type, y, graph.node("Reshape", param, column, allowzero=0))
        return y

    samples = (
        sample((2, 4, 3, 5), num_groups=2, flops=840),
        sample((2, 6, 5), num_groups=3, eps=1e-3),
        sample((3, 6), num_groups=2),
        sample((1, 4, 2, 3), num_groups=4, affine=False, flops=120),
        sample((2, 3, 2, 3), num_groups=1),
        sample((1, 2, 5), num_groups=2, eps=0.5),
        sample((3, 1, 2, 2), num_groups=1, affine=False),
        sample((2, 9, 1, 1), num_groups=3),
        sample((2, 4, 1, 2, 3), num_groups=2),
        sample((1, 4, 3), num_groups=4, eps=1e-7),
        sample((5, 2), num_groups=1),
        sample((4,), num_groups=2, rejects="x"),
        sample((2, 4, 3, 3), num_groups=3, rejects="num_groups"),
        sample((2, 4, 3, 3), num_groups=0, rejects="num_groups"),
        sample(integers((2, 4, 3), 5), num_groups=2, rejects="x"),
        sample((2, 4), num_groups=4, rejects="num_groups", without=("torch",)),  # torch refuses it for N = 1
        sample((2, 4, 3), num_groups=2, eps=-0.5, rejects="eps", without=("torch",)),  # torch gives NaN
        sample((2, 4, 3), num_groups=2, eps=4.0, rejects="eps", without=("torch",)),  # torch's num_channels
    )


def standardise(x: Array, axes: tuple[int, ...], eps: float) -> tuple[Array, Array]:
    """`x` less its mean, over its spread sqrt(var + eps), along `axes`; and that spread."""
    centred = x - x.mean(axes, keepdims=True)
    spread = sqrt((centred * centred).mean(axes, keepdims=True) + eps)
    return centred / spread, spread


def standardise_vjp(g: Array, normal: Array, spread: Array, axes: tuple[int, ...]) -> Array:
    common = g.mean(axes, keepdims=True) + normal * (g * normal).mean(axes, keepdims=True)
    return (g - common) / spread
