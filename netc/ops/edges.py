"""Padding by copies of a map's own elements (reflect, replicate, circular): values, gradient and ONNX."""

from __future__ import annotations

from typing import Any

from netc.dims import AnyDim, at_least
from netc.ops.contract import Array, Graph, Operand, require
from netc.ops.notation import function
from netc.ops.window import Window, crop, pad

ONNX_MODES = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
INT64_MAX = 2**63 - 1


def require_source(mode: str, window: Window, sizes: tuple[AnyDim, ...]) -> None:
    """That the map is wide enough to be copied from."""
    spare = {"reflect": 1, "circular": 0}.get(mode)
    if spare is None:
        return
    for n, b, e in zip(sizes, window.begin, window.end, strict=True):
        widest = max(b, e)
        require(
            at_least(n, widest + spare),
            "padding",
            f"{mode} padding by {widest} needs an axis of {widest + spare} or more, but x has {n}",
        )


def extend(x: Array, window: Window, mode: str) -> Array:
    """`x` with the padding of `window`."""
    if mode == "zeros":
        return pad(x, window.begin, window.end)
    for axis, (b, e) in enumerate(zip(window.begin, window.end, strict=True), 2):
        before, after = _sources(mode, x.shape[axis], b, e)
        slices = [_at(x, axis, i) for i in before], [_at(x, axis, i) for i in after]
        if b or e:
            x = function("concat", *slices[0], x, *slices[1], axis=axis)
    return x


def extend_vjp(g: Array, window: Window, mode: str, sizes: tuple[Any, ...]) -> Array:
    """The gradient for x, given that for the extended x: each copy gives its share back to its source."""
    if mode == "zeros":
        return crop(g, window.begin, sizes)
    rank = len(g.shape) - 2
    for axis in reversed(range(rank)):
        n, b, e = sizes[axis], window.begin[axis], window.end[axis]
        before, after = _sources(mode, n, b, e)
        out = _at(g, axis + 2, b, n)
        places = [*range(b), *(b + n + i for i in range(e))]
        for place, source in zip(places, [*before, *after], strict=True):
            ends = [0] * rank, [0] * rank
            ends[0][axis], ends[1][axis] = source, n - 1 - source
            out = out + pad(_at(g, axis + 2, place), *ends)
        g = out
    return g


def onnx_extend(graph: Graph, x: Operand, window: Window, mode: str) -> Any:
    """Pad nodes for `extend`; circular padding before opset 19 is spelled by slices."""
    if not any(window.padding):
        return x
    if mode == "circular" and graph.opset < 19:
        return _wrap(graph, x, window)
    pads = graph.constant([0, 0, *window.begin, 0, 0, *window.end], "int64")
    return graph.node("Pad", x, pads, mode=ONNX_MODES[mode])


def _wrap(graph: Graph, x: str, window: Window) -> str:
    for axis, (b, e) in enumerate(zip(window.begin, window.end, strict=True), 2):
        left = [_slice(graph, x, axis, -b, INT64_MAX)] if b else []
        right = [_slice(graph, x, axis, 0, e)] if e else []
        if b or e:
            x = graph.node("Concat", *left, x, *right, axis=axis)
    return x


def _slice(graph: Graph, x: str, axis: int, start: int, stop: int) -> str:
    bounds = (graph.constant([n], "int64") for n in (start, stop, axis))
    out: str = graph.node("Slice", x, *bounds)
    return out


def _sources(mode: str, n: Any, b: int, e: int) -> tuple[list[Any], list[Any]]:
    """The indices, on an axis of size n, whose elements pad the begin and the end."""
    if mode == "reflect":
        return [b - i for i in range(b)], [n - 2 - i for i in range(e)]
    if mode == "replicate":
        return [0] * b, [n - 1] * e
    return [n - b + i for i in range(b)], list(range(e))


def _at(x: Array, axis: int, start: Any, count: Any = 1) -> Array:
    """The `count` elements of `x` from `start` on `axis`, which stays."""
    spans = [slice(None)] * len(x.shape)
    spans[axis] = slice(start, start + count)
    return x[tuple(spans)]
