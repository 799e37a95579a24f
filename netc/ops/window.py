"""How a window moves over the trailing axes of a map [N, C, ...]: its positions, views and their adjoint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from netc.dims import AnyDim, Shape, at_least, show
from netc.ops.arrays import np
from netc.ops.contract import Array, Op, Operand, require
from netc.ops.notation import function

LAYOUTS = {2: "[N, C]", 3: "[N, C, L]", 4: "[N, C, H, W]", 5: "[N, C, D, H, W]"}


class WindowOp(Op):
    """What ops with windows over one to three axes share: the name says how many, as in Conv2d."""

    @property
    def rank(self) -> int:
        return int(self.name[-2])

    def axes(self, attribute: str) -> Any:
        """The attribute as a tuple with one value an axis, or as the word that it is."""
        given = getattr(self, attribute)
        return given if isinstance(given, tuple | str) else (given,)


@dataclass(frozen=True)
class Window:
    """A window with its steps, and the padding at the begin and the end of each axis."""

    kernel: tuple[Any, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    begin: tuple[int, ...]
    end: tuple[int, ...]

    @property
    def extent(self) -> tuple[Any, ...]:
        """The width that the window covers, holes included."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    @property
    def padding(self) -> tuple[int, ...]:
        """The padding as ONNX writes it: all begins, then all ends."""
        return (*self.begin, *self.end)

    def unpadded(self) -> Window:
        """The same window for a map that is already padded."""
        zeros = (0,) * len(self.kernel)
        return replace(self, begin=zeros, end=zeros)

    def only(self, axis: int) -> Window:
        """The window as it moves along `axis` alone: a single element, one step, elsewhere."""

        def keep(values: tuple[Any, ...], other: int) -> tuple[Any, ...]:
            return tuple(v if i == axis else other for i, v in enumerate(values))

        return Window(
            keep(self.kernel, 1),
            keep(self.stride, 1),
            keep(self.dilation, 1),
            keep(self.begin, 0),
            keep(self.end, 0),
        )

    def padded(self, sizes: Shape) -> Shape:
        return tuple(n + b + e for n, b, e in zip(sizes, self.begin, self.end, strict=True))

    def positions(self, sizes: Shape) -> Shape:
        """How many windows lie on each axis of a map of `sizes`."""
        steps = zip(self.padded(sizes), self.extent, self.stride, strict=True)
        return tuple((n - extent) // stride + 1 for n, extent, stride in steps)

    def reached(self, positions: Shape) -> Shape:
        """What the windows at `positions` cover of a padded map."""
        steps = zip(positions, self.extent, self.stride, strict=True)
        return tuple((n - 1) * stride + extent for n, extent, stride in steps)

    def offsets(self) -> Iterator[tuple[int, ...]]:
        """The elements of the window, row by row."""
        return product(*(range(k) for k in self.kernel))

    def view(self, x: Array, offset: Sequence[int], positions: Shape) -> Array:
        """The element at `offset` of each window on the padded map `x`."""
        starts = tuple(i * d for i, d in zip(offset, self.dilation, strict=True))
        spans = zip(starts, positions, self.stride, strict=True)
        return x[(slice(None), slice(None), *(slice(a, a + s * (n - 1) + 1, s) for a, n, s in spans))]

    def columns(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """All windows on the padded maps `x` [N, C, ...], as a view [C, *kernel, N, *positions]."""
        n = len(self.kernel)
        windows = np.lib.stride_tricks.sliding_window_view(x, self.extent, tuple(range(2, n + 2)))
        steps = tuple(slice(None, None, step) for step in (*self.stride, *self.dilation))
        return windows[(slice(None), slice(None), *steps)].transpose(
            1, *range(n + 2, 2 * n + 2), 0, *range(2, n + 2)
        )

    def spread(self, parts: Iterable[tuple[Sequence[int], Array]], sizes: Shape) -> Array:
        """The adjoint of `view`: adds up the parts, each at the elements that its offset views."""
        total: Array = None
        for offset, part in parts:
            before = tuple(i * d for i, d in zip(offset, self.dilation, strict=True))
            after = tuple(e - 1 - b for e, b in zip(self.extent, before, strict=True))
            placed = pad(_interleave(part, self.stride), before, after)
            total = placed if total is None else total + placed
        return self.fit(total, sizes)

    def fit(self, x: Array, sizes: Shape) -> Array:
        """The map of `sizes` in `x`, which starts in its padding and ends with the last window."""
        ends = zip(sizes, self.begin, self.end, x.shape[2:], strict=True)
        rest = tuple(_beyond(n + b, e, m) for n, b, e, m in ends)
        return crop(pad(x, (0,) * len(rest), rest), self.begin, sizes)


def _beyond(n: AnyDim, end: int, covered: AnyDim) -> AnyDim:
    """How many elements of an axis no window covers; with the padding at its end where the size is free."""
    rest = n - covered
    return max(rest, 0) if isinstance(rest, int) else rest + end


def _interleave(x: Array, stride: tuple[int, ...]) -> Array:
    """`x` with stride - 1 zeros between its elements."""
    if set(stride) == {1}:
        return x
    lead, sizes = x.shape[:2], x.shape[2:]
    apart = x.reshape((*lead, *(size for n in sizes for size in (n, 1))))
    after = tuple(amount for s in stride for amount in (0, s - 1))
    wide = pad(apart, (0,) * len(after), after)
    wide = wide.reshape((*lead, *(n * s for n, s in zip(sizes, stride, strict=True))))
    ends = tuple((n - 1) * s + 1 for n, s in zip(sizes, stride, strict=True))
    return crop(wide, (0,) * len(ends), ends)


def pad(x: Array, begin: Sequence[AnyDim], end: Sequence[AnyDim], value: float = 0.0) -> Array:
    """`x` with its trailing axes padded by `value`."""
    if not any((*begin, *end)):
        return x
    padding = [amount for pair in zip(reversed(begin), reversed(end), strict=True) for amount in pair]
    return function("pad", x, padding=tuple(padding), mode="constant", value=value)


def crop(x: Array, begin: Sequence[AnyDim], sizes: Shape) -> Array:
    """The part of `x` of `sizes` that starts at `begin`, on the axes after the first two."""
    if tuple(x.shape[2:]) == tuple(sizes):
        return x
    spans = zip(begin, sizes, strict=True)
    return x[(slice(None), slice(None), *(slice(b, b + n) for b, n in spans))]


def require_map(op: str, x: Shape, *ranks: int) -> None:
    """That x has one of the ranks that `op` takes."""
    axes = "1 axis" if len(x) == 1 else f"{len(x)} axes"
    layouts = " or ".join(f"{rank}: {LAYOUTS[rank]}" for rank in ranks)
    require(len(x) in ranks, "x", f"x has {axes} {show(x)}, but {op} takes {layouts}")


def require_least(least: int, **attributes: Sequence[AnyDim]) -> None:
    """That each attribute is at least `least` on every axis."""
    for name, values in attributes.items():
        for v in values:
            require(at_least(v, least), name, f"{name} must be at least {least}, not {v}")


def require_fit(window: Window, sizes: Shape) -> None:
    """That the window fits in the padded map."""
    padded = window.padded(sizes)
    kernel, extent = by(window.kernel), by(window.extent)
    spread = "" if kernel == extent else f", {extent} with its dilation,"
    what = "padded map" if any(window.padding) else "map"
    message = f"the {kernel} kernel{spread} is larger than the {by(padded)} {what}"
    for n, e in zip(padded, window.extent, strict=True):
        require(at_least(n - e, 0), "kernel_size", message)


def require_float32(onnx_name: str, x: Operand) -> None:
    """That onnxruntime has a kernel for x: for some nodes it has none in float64."""
    require(x.dtype == "float32", "x", f"onnxruntime has {onnx_name} only in float32, but x is {x.dtype}")


def by(sizes: Shape) -> str:
    """Sizes as prose has them: 7x7, or "length 7" for a single one."""
    return "x".join(map(str, sizes)) if len(sizes) > 1 else f"length-{sizes[0]}"


def alike(values: tuple[Any, ...]) -> Any:
    """The one value of a window alike on all axes, as PyTorch code writes it, else the tuple."""
    return values[0] if len(set(values)) == 1 else values


def known(sizes: Shape) -> list[AnyDim] | None:
    """Sizes as an ONNX attribute; left out where one is free, as the weight has them, too."""
    return list(sizes) if all(isinstance(n, int) for n in sizes) else None


def each(values: tuple[Any, ...]) -> Any:
    """One value an axis, as an op of as many axes takes it: a single one bare."""
    return values[0] if len(values) == 1 else values
