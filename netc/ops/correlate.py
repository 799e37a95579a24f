"""The sum at the heart of convolution, its adjoint, and both gradients, for any number of axes and groups.

y[m, p] = sum over c, k of w[m, c, k] x[c, p stride + k dilation], on a map x that is already padded.

Source: Dumoulin and Visin (2016), A guide to convolution arithmetic for deep learning, arXiv:1603.07285.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, TypeAlias

from netc.ops.arrays import np
from netc.ops.contract import Array
from netc.ops.notation import function
from netc.ops.window import Window, crop, each, pad

Numbers: TypeAlias = "np.ndarray[Any, Any]"


ELEMENTS = 2**18  # of the columns that are held at once: what a processor's cache takes


def correlate(x: Numbers, w: Numbers, window: Window, groups: int) -> Numbers:
    """y [N, M, *positions] for x [N, C, *sizes] and w [M, C / groups, *kernel]: a matrix product of columns."""
    positions: tuple[Any, ...] = window.positions(x.shape[2:])
    weight = w.reshape(groups, w.shape[0] // groups, prod(w.shape[1:]))
    made = []
    for part in _parts(len(x), groups * weight.shape[2], prod(positions)):
        columns = window.columns(x[part]).reshape(groups, weight.shape[2], -1)
        made.append((weight @ columns).reshape(w.shape[0], -1, *positions))
    y: Numbers = np.concatenate(made, 1) if len(made) > 1 else made[0]
    return y.swapaxes(0, 1)


def spread(x: Numbers, w: Numbers, window: Window, groups: int, sizes: tuple[Any, ...]) -> Numbers:
    """`correlate`'s adjoint: a map [N, C, *sizes], zero where no window lies, for x [N, M, *positions]."""
    channels, positions = w.shape[1] * groups, tuple(x.shape[2:])
    weight = w.reshape(groups, w.shape[0] // groups, prod(w.shape[1:])).transpose(0, 2, 1)
    y: Numbers = np.zeros((len(x), channels, *sizes), np.result_type(x, w))
    for part in _parts(len(x), groups * weight.shape[1], prod(positions)):
        maps = x[part].swapaxes(0, 1).reshape(groups, weight.shape[2], -1)
        columns = (weight @ maps).reshape(channels, *w.shape[2:], -1, *positions)
        for offset in window.offsets():
            place: tuple[Any, ...] = (slice(None), *offset)
            view = window.view(y[part], offset, positions)
            view += columns[place].swapaxes(0, 1)
    return y


def _parts(count: int, depth: int, positions: int) -> Iterator[slice]:
    """So many samples at a time that their columns, `depth` high, stay small.

    Two or three columns are quicker one by one: a product with a vector does not pack the weights.
    """
    step = 1 if positions == 1 and count <= 3 else max(1, ELEMENTS // (depth * positions))
    return (slice(start, start + step) for start in range(0, count, step))


def input_vjp(g: Array, w: Array, window: Window, groups: int, sizes: tuple[Any, ...]) -> Array:
    """The gradient of `correlate` for a padded x of `sizes`: the transposed convolution of g."""
    n = len(window.kernel)
    reached = function(
        f"ConvTranspose{n}d",
        g,
        w,
        out_channels=w.shape[1] * groups,
        kernel_size=each(window.kernel),
        stride=each(window.stride),
        dilation=each(window.dilation),
        groups=groups,
        bias=False,
    )
    return window.unpadded().fit(reached, sizes)


def weight_vjp(g: Array, x: Array, window: Window, groups: int) -> Array:
    """The gradient of `correlate` for w: x convolved by g, where samples act as channels and channels of a
    group as samples, and where stride and dilation change places."""
    x = crop(x, (0,) * len(window.kernel), window.reached(g.shape[2:]))
    (n, channels), sizes = x.shape[:2], x.shape[2:]
    axes = tuple(range(2, len(sizes) + 2))
    width = channels // groups
    samples = x.reshape((n, groups, width, *sizes)).transpose((2, 1, 0, *(a + 1 for a in axes)))
    full = function(
        f"Conv{len(axes)}d",
        samples.reshape((width, groups * n, *sizes)),
        g.transpose((1, 0, *axes)),
        out_channels=g.shape[1],
        kernel_size=each(tuple(g.shape[2:])),
        stride=each(window.dilation),
        dilation=each(window.stride),
        groups=groups,
        bias=False,
    )
    return full.transpose((1, 0, *axes))


def transposed_vjp(g: Array, x: Array, w: Array, window: Window, groups: int) -> tuple[Array, Array]:
    """The gradients of `spread`, cropped by the padding of `window`, for x and w."""
    dx = function(
        f"Conv{len(window.kernel)}d",
        g,
        w,
        out_channels=w.shape[0],
        kernel_size=each(window.kernel),
        stride=each(window.stride),
        padding=each(window.begin),
        dilation=each(window.dilation),
        groups=groups,
        bias=False,
    )
    return dx, weight_vjp(x, pad(g, window.begin, window.end), window, groups)
