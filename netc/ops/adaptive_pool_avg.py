"""The mean of each window where the output size is given: adaptive_avg_pool1d, 2d and 3d."""

from __future__ import annotations

from netc.dims import AnyDim, value
from netc.ops.adaptive_pool import AdaptivePooling
from netc.ops.contract import Array, integers, register, sample
from netc.ops.notation import expand, extent, table


class AdaptiveAveraging(AdaptivePooling):
    """What adaptive_avg_pool1d, 2d and 3d share."""

    short = "avgpool"
    reduction, onnx_name = "mean", "ReduceMean"
    analytic = True

    def before(self, x: Array) -> list[Array]:
        return [x] * self.rank

    def axis_vjp(self, g: Array, x: Array, axis: int, n: AnyDim) -> Array:
        """Alike windows share g evenly; else what each element gets from each window is a matrix."""
        if self.even(n, axis):
            return self._shared(g, axis, n)
        last = len(g.shape) - 1
        axes = list(range(last + 1))
        axes[axis], axes[last] = last, axis
        weights = table(self._weights(value(n) or 0, axis), g)
        return g @ weights if axis == last else (g.transpose(tuple(axes)) @ weights).transpose(tuple(axes))

    def _shared(self, g: Array, axis: int, n: AnyDim) -> Array:
        before, after, k = g.shape[: axis + 1], g.shape[axis + 1 :], n // self.size(axis)
        share = (g / extent(k, g)).reshape((*before, 1, *after))
        return expand(share, (*before, k, *after)).reshape((*before[:-1], n, *after))

    def _weights(self, n: int, axis: int) -> list[list[float]]:
        """Row by row, what each of n elements is of the mean of a window."""
        spans = self.bins(n, axis)
        return [[float(a <= i < b) / (b - a) for i in range(n)] for a, b in spans]


@register("adaptive_avg_pool1d")
class AdaptiveAvgPool1d(AdaptiveAveraging):
    """y[p] = the mean of x over window p of output_size.

    Window p of o goes from floor(p L / o) to ceil((p + 1) L / o). Where o divides L, L may be free;
    else windows overlap, and ONNX gets them one by one.
    Shape: x [N, C, L] -> y [N, C, output_size].
    Gradient: dx = the sum of g / elements over the windows that hold an element.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool1d.html
    """

    output_size: int

    aliases = ("AdaptiveAvgPool1d",)
    pooling = "avg_pool1d"
    samples = (
        sample((2, 3, 6), output_size=3, flops=36),
        sample((1, 2, 7), output_size=3, flops=18),
        sample((1, 2, 5), output_size=1, flops=10),
        sample((1, 2, 2), output_size=5),
        sample((1, 2, 5), output_size=5),
        sample((2, 1, 8), output_size=4),
        sample((1, 1, 1), output_size=1),
        sample((1, 2, 1), output_size=3),
        sample((1, 3, 11), output_size=4),
        sample((2, 2, 9), output_size=2),
        sample((1, 1, 5000), output_size=5000),  # of a free length, more than is tried to be a divisor
        sample((4, 5), output_size=1, rejects="x", without=("torch",)),  # torch has no N there
        sample(integers((1, 2, 5), 9), output_size=1, rejects="x"),
        sample((1, 2, 5), output_size=0, rejects="output_size", without=("torch",)),  # torch: empty
    )


@register("adaptive_avg_pool2d")
class AdaptiveAvgPool2d(AdaptiveAveraging):
    """y[p, q] = the mean of x over window p, q of output_size.

    Window p of o along an axis of n goes from floor(p n / o) to ceil((p + 1) n / o). Where o divides n, n may
    be free; else windows overlap, and ONNX gets them one by one.
    Shape: x [N, C, H, W] -> y [N, C, *output_size].
    Gradient: dx = the sum of g / elements over the windows that hold an element.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html
    """

    output_size: tuple[int, int]

    aliases = ("AdaptiveAvgPool2d",)
    pooling = "avg_pool2d"
    samples = (
        sample((2, 3, 4, 6), output_size=(2, 3), flops=144),
        sample((1, 2, 5, 7), output_size=(3, 2), flops=112),
        sample((1, 2, 4, 5), output_size=1, flops=40),
        sample((1, 2, 2, 3), output_size=(3, 5)),
        sample((1, 2, 4, 5), output_size=(2, 3)),
        sample((2, 1, 5, 4), output_size=(3, 2)),
        sample((1, 1, 1, 1), output_size=1),
        sample((1, 2, 1, 3), output_size=2),
        sample((1, 3, 4, 5), output_size=(4, 5)),
        sample((2, 2, 6, 8), output_size=(1, 4)),
        sample((2, 4, 5), output_size=1, rejects="x", without=("torch",)),  # torch has no N there
        sample(integers((1, 2, 4, 5), 9), output_size=1, rejects="x"),
        sample((1, 2, 4, 5), output_size=(2, 0), rejects="output_size", without=("torch",)),  # torch: empty
    )


@register("adaptive_avg_pool3d")
class AdaptiveAvgPool3d(AdaptiveAveraging):
    """y[p, q, r] = the mean of x over window p, q, r of output_size.

    Window p of o along an axis of n goes from floor(p n / o) to ceil((p + 1) n / o). Where o divides n, n may
    be free; else windows overlap, and ONNX gets them one by one.
    Shape: x [N, C, D, H, W] -> y [N, C, *output_size].
    Gradient: dx = the sum of g / elements over the windows that hold an element.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool3d.html
    """

    output_size: tuple[int, int, int]

    aliases = ("AdaptiveAvgPool3d",)
    pooling = "avg_pool3d"
    samples = (
        sample((2, 3, 2, 4, 6), output_size=(1, 2, 3), flops=288),
        sample((1, 2, 3, 5, 4), output_size=(2, 3, 2), flops=224),
        sample((1, 2, 3, 4, 5), output_size=1, flops=120),
        sample((1, 1, 2, 3, 1), output_size=(3, 5, 2)),
        sample((1, 2, 4, 5, 2), output_size=(2, 3, 1)),
        sample((2, 1, 5, 4, 3), output_size=(3, 2, 3)),
        sample((1, 1, 1, 1, 1), output_size=1),
        sample((1, 2, 4, 6, 2), output_size=2),
        sample((1, 3, 2, 3, 4), output_size=(2, 3, 4)),
        sample((2, 2, 2, 7, 3), output_size=(1, 4, 2)),
        sample((2, 3, 4, 5), output_size=1, rejects="x", without=("torch",)),  # torch has no N there
        sample(integers((1, 2, 3, 4, 5), 9), output_size=1, rejects="x"),
        sample(
            (1, 2, 3, 4, 5), output_size=(2, 0, 1), rejects="output_size", without=("torch",)
        ),  # torch: empty
    )
