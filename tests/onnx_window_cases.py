"""Which netc ops compute an ONNX node: convolutions, and windows pooled or put back."""

from math import ceil, inf

import numpy as np
from onnx_case import Inexpressible
from onnx_cases import padded, rule


def steps(c, rank):
    """The strides and dilations of a window."""
    return c.attribute("strides", [1] * rank), c.attribute("dilations", [1] * rank)


def margins(c, sizes, kernel, stride, dilation):
    """What ONNX pads before and behind each axis of a map: all begins stand before all ends."""
    pads, auto = c.attribute("pads", [0] * 2 * len(sizes)), c.attribute("auto_pad", "NOTSET")
    if auto in ("NOTSET", "VALID"):
        return pads[: len(sizes)], pads[len(sizes) :]
    begin, end = [], []
    for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
        total = max((ceil(n / s) - 1) * s + d * (k - 1) + 1 - n, 0)
        before, after = sorted((total // 2, total - total // 2), reverse=auto == "SAME_LOWER")
        begin, end = [*begin, before], [*end, after]
    return begin, end


@rule("Conv")
def conv(c, x, weight, bias=None):
    rank, kernel = len(x.shape) - 2, list(weight.shape[2:])
    assert c.attribute("kernel_shape", kernel) == kernel
    stride, dilation = steps(c, rank)
    begin, end = margins(c, x.shape[2:], kernel, stride, dilation)
    if begin != end:
        x, begin = padded(c, x, begin, end), [0] * rank
    return c.op(
        f"Conv{rank}d",
        x,
        params={"weight": weight} | ({"bias": bias} if bias else {}),
        out_channels=weight.shape[0],
        kernel_size=along(kernel),
        stride=along(stride),
        padding=along(begin),
        dilation=along(dilation),
        groups=c.attribute("group", 1),
        bias=bias is not None,
    )


def along(numbers):
    """A number for each axis as netc takes it: alone where there is one axis."""
    return numbers[0] if len(numbers) == 1 else numbers


@rule("ConvTranspose")
def conv_transpose(c, x, weight):
    rank, kernel = len(x.shape) - 2, list(weight.shape[2:])
    assert c.attribute("kernel_shape", kernel) == kernel
    groups, (stride, dilation) = c.attribute("group", 1), steps(c, rank)
    more, begin, end = transposed_margins(c, x.shape[2:], kernel, stride, dilation)
    even = begin == end
    made = c.op(
        f"ConvTranspose{rank}d",
        x,
        params={"weight": weight},
        out_channels=weight.shape[1] * groups,
        kernel_size=along(kernel),
        stride=along(stride),
        padding=along(begin if even else [0] * rank),
        output_padding=along(more),
        groups=groups,
        bias=False,
        dilation=along(dilation),
    )
    return made if even else padded(c, made, [-n for n in begin], [-n for n in end])


def transposed_margins(c, sizes, kernel, stride, dilation):
    """What is added behind the map that is made, and what is cut before and behind."""
    rank, auto = len(sizes), c.attribute("auto_pad", "NOTSET")
    more, pads = c.attribute("output_padding", [0] * rank), c.attribute("pads", [0] * 2 * rank)
    wanted = c.attribute("output_shape")
    if auto.startswith("SAME"):
        wanted = [n * s for n, s in zip(sizes, stride, strict=True)]
    if wanted is None:
        return more, pads[:rank], pads[rank:]
    parts = zip(sizes, kernel, stride, dilation, more, strict=True)
    full = [(n - 1) * s + (k - 1) * d + 1 + m for n, k, s, d, m in parts]
    cut = [max(n - m, 0) for n, m in zip(full, wanted, strict=True)]
    more = [m + max(n - f, 0) for m, n, f in zip(more, wanted, full, strict=True)]
    less = [n // 2 for n in cut]
    rest = [n - m for n, m in zip(cut, less, strict=True)]
    return (more, less, rest) if auto == "SAME_UPPER" else (more, rest, less)


@rule("Col2Im")
def fold(c, x, image, block):
    rank = len(image.numbers())
    if rank != 2:
        raise Inexpressible(f"no fold into maps of {rank} axes")
    stride, dilation = steps(c, rank)
    begin, end = margins(c, image.numbers(), block.numbers(), stride, dilation)
    assert begin == end
    sizes = {"output_size": image.numbers(), "kernel_size": block.numbers()}
    return c.op("fold", x, **sizes, dilation=dilation, padding=begin, stride=stride)


@rule("MaxPool")
def max_pool(c, x):
    rank, kernel = len(x.shape) - 2, c.attribute("kernel_shape")
    stride, dilation = steps(c, rank)
    begin, end = margins(c, x.shape[2:], kernel, stride, dilation)
    if begin != end or any(2 * p > k for p, k in zip(begin, kernel, strict=True)):
        x, begin = padded(c, x, begin, end, value=-inf), [0] * rank
    indices = len(c.case.outputs) > 1
    made = c.op(
        f"max_pool{rank}d",
        x,
        kernel_size=along(kernel),
        stride=along(stride),
        padding=along(begin),
        dilation=along(dilation),
        ceil_mode=bool(c.attribute("ceil_mode", 0)),
        return_indices=indices,
    )
    return pooled_from(c, x, *made) if indices else made


def pooled_from(c, x, y, found):
    """ONNX counts positions on through all maps, of which the cases have one, and may count columns first."""
    assert x.shape[:2] == (1, 1)
    if not c.attribute("storage_order", 0):
        return y, found
    height, width = x.shape[2:]
    row = c.op("floor_divide", found, c.number(width, found))
    column = c.op("remainder", found, c.number(width, found))
    return y, c.op("add", c.op("mul", column, c.number(height, found)), row)


@rule("AveragePool")
def average_pool(c, x):
    rank, kernel = len(x.shape) - 2, c.attribute("kernel_shape")
    stride, dilation = steps(c, rank)
    if dilation != [1] * rank:
        raise Inexpressible("no dilation of mean pools")
    begin, end = margins(c, x.shape[2:], kernel, stride, dilation)
    counted, cut = bool(c.attribute("count_include_pad", 0)), bool(c.attribute("ceil_mode", 0))
    how = {"kernel_size": along(kernel), "stride": along(stride), "ceil_mode": cut}
    name = f"avg_pool{rank}d"
    if begin == end and all(2 * p <= k for p, k in zip(begin, kernel, strict=True)):
        return c.op(name, x, padding=along(begin), count_include_pad=counted, **how)
    mean = c.op(name, padded(c, x, begin, end), **how)
    if counted:
        return mean
    ones = padded(c, c.op("full_like", x, fill_value=1.0), begin, end)
    return c.op("div", mean, c.op(name, ones, **how))


@rule("LpPool")
def lp_pool(c, x):
    """netc, as torch, keeps the sign of odd powers."""
    rank, kernel, p = len(x.shape) - 2, c.attribute("kernel_shape"), c.attribute("p", 2)
    stride, dilation = steps(c, rank)
    if dilation != [1] * rank:
        raise Inexpressible("no dilation of pools of norms")
    begin, end = margins(c, x.shape[2:], kernel, stride, dilation)
    if any((*begin, *end)):
        x = padded(c, x, begin, end)
    magnitudes = c.op("abs", x)
    return c.op(f"lp_pool{rank}d", magnitudes, norm_type=p, kernel_size=along(kernel), stride=along(stride))


@rule("GlobalAveragePool", "GlobalMaxPool")
def global_pool(c, x):
    name = {"GlobalAveragePool": "global_avg_pool", "GlobalMaxPool": "global_max_pool"}[c.case.op_type]
    return c.op(name, x, keepdims=True)


@rule("MaxUnpool")
def max_unpool(c, x, indices, shape=None):
    """ONNX counts positions on through all maps, of which the cases have one, of the usual size."""
    assert x.shape[:2] == (1, 1)
    kernel, stride = c.attribute("kernel_shape"), c.attribute("strides")
    size = None if shape is None else shape.numbers()[2:]
    usual = [(n - 1) * s + k for n, s, k in zip(x.shape[2:], stride, kernel, strict=True)]
    if size not in (None, usual):
        at = np.unravel_index(indices.array, usual)
        indices = c.leaf(np.ravel_multi_index(at, size), "int64")
    return c.op("max_unpool2d", x, indices, kernel_size=kernel, stride=stride, output_size=size)
