"""The largest of each window where the output size is given: adaptive_max_pool1d, 2d and 3d."""

from __future__ import annotations

from math import prod

from netc.dims import AnyDim
from netc.ops.adaptive_pool import AdaptivePooling
from netc.ops.arrays import np
from netc.ops.contract import Array, given, integers, register, sample
from netc.ops.notation import concat, equal, function, where


class AdaptiveMaximum(AdaptivePooling):
    """What adaptive_max_pool1d, 2d and 3d share.

    The first largest element of a window, row by row, is the first row that has it, and the first there.
    """

    short = "maxpool"
    reduction, onnx_name = "max", "ReduceMax"

    def before(self, x: Array) -> list[Array]:
        rows = [x]
        for axis in reversed(range(3, self.rank + 2)):
            rows.append(self.reduced(rows[-1], axis))
        return rows[::-1]

    def axis_vjp(self, g: Array, x: Array, axis: int, n: AnyDim) -> Array:
        """g at the first largest element of each window."""
        if not self.even(n, axis):
            zeros = function("full_like", x, fill_value=0.0)
            return function("scatter_add", zeros, self._found(x, axis), g, axis=axis)
        before, after = g.shape[: axis + 1], g.shape[axis + 1 :]
        split = x.reshape(self.apart(x.shape, axis))
        found = function("argmax", split, axis=axis + 1, keepdims=True)
        places = function("positions", split, axis=axis + 1)
        places = places.reshape((split.shape[axis + 1], *(1 for _ in after)))
        return where(equal(places, found), g.reshape((*before, 1, *after)), 0.0).reshape(tuple(x.shape))

    def _found(self, x: Array, axis: int) -> Array:
        """Where on `axis`, of known size, the first largest element of each window is."""
        starts = [start for start, _ in self.bins(x.shape[axis], axis)]
        parts = zip(self.cut(x, axis), starts, strict=True)
        return concat(
            [function("argmax", part, axis=axis, keepdims=True) + start for part, start in parts], axis
        )

    def branch(self, x: Array) -> Array:
        places = np.broadcast_to(np.arange(prod(x.shape[2:])).reshape(x.shape[2:]), x.shape)
        for axis in reversed(range(2, self.rank + 2)):
            found = self._found(x, axis)
            x, places = (np.take_along_axis(a, found, axis) for a in (x, places))
        return places


@register("adaptive_max_pool1d")
class AdaptiveMaxPool1d(AdaptiveMaximum):
    """y[p] = the largest of x in window p of output_size.

    Window p of o goes from floor(p L / o) to ceil((p + 1) L / o). Where o divides L, L may be free;
    else windows overlap, and ONNX gets them one by one.
    Shape: x [N, C, L] -> y [N, C, output_size].
    Gradient: dx = g at the first largest element of each window.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool1d.html
    """

    analytic = True

    output_size: int

    aliases = ("AdaptiveMaxPool1d",)
    pooling = "max_pool1d"
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
        sample(given(((-1.0, -2.0, -3.0, -0.5),)), output_size=2),
        sample((4, 5), output_size=1, rejects="x", without=("torch",)),  # torch has no N there
        sample(integers((1, 2, 5), 9), output_size=1, rejects="x", without=("torch",)),  # as max_pool1d
        sample((1, 2, 5), output_size=0, rejects="output_size", without=("torch",)),  # torch: empty
    )


@register("adaptive_max_pool2d")
class AdaptiveMaxPool2d(AdaptiveMaximum):
    """y[p, q] = the largest of x in window p, q of output_size.

    Window p of o along an axis of n goes from floor(p n / o) to ceil((p + 1) n / o). Where o divides n, n may
    be free; else windows overlap, and ONNX gets them one by one.
    Shape: x [N, C, H, W] -> y [N, C, *output_size].
    Gradient: dx = g at the first largest element of each window, row by row.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool2d.html
    """

    analytic = True

    output_size: tuple[int, int]

    aliases = ("AdaptiveMaxPool2d",)
    pooling = "max_pool2d"
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
        sample(integers((1, 2, 4, 5), 9), output_size=1, rejects="x", without=("torch",)),  # as max_pool2d
        sample((1, 2, 4, 5), output_size=(0, 2), rejects="output_size", without=("torch",)),  # torch: empty
    )


@register("adaptive_max_pool3d")
class AdaptiveMaxPool3d(AdaptiveMaximum):
    """y[p, q, r] = the largest of x in window p, q, r of output_size.

    Window p of o along an axis of n goes from floor(p n / o) to ceil((p + 1) n / o). Where o divides n, n may
    be free; else windows overlap, and ONNX gets them one by one.
    Shape: x [N, C, D, H, W] -> y [N, C, *output_size].
    Gradient: dx = g at the first largest element of each window, row by row.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveMaxPool3d.html
    """

    analytic = True

    output_size: tuple[int, int, int]

    aliases = ("AdaptiveMaxPool3d",)
    pooling = "max_pool3d"
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
        sample(integers((1, 2, 3, 4, 5), 9), output_size=1, rejects="x", without=("torch",)),  # as max_pool3d
        sample(
            (1, 2, 3, 4, 5), output_size=(0, 2, 1), rejects="output_size", without=("torch",)
        ),  # torch: empty
    )
