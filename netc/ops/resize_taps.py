"""What a resized axis is made of: for each position the elements taken, with their weights."""

from __future__ import annotations

import struct
from typing import Any

from netc.budget import spend
from netc.dims import AnyDim, Dim, value
from netc.ops.arrays import np

CUBIC = -0.75  # the coefficient a of the cubic kernel
COUNT = {"nearest": 1, "nearest-exact": 1, "linear": 2, "cubic": 4}  # elements a position is made of

Taps = list[tuple[Any, Any]]  # for each tap the positions taken and their weights


def taps(kind: str, n: int, out: int, align_corners: bool) -> Taps:
    """The taps of an axis of n resized to `out`."""
    if kind in ("nearest", "nearest-exact"):
        return [(nearest(kind, n, out), np.ones(out))]
    at = _coordinates(n, out, align_corners)
    if kind == "linear":
        at = np.maximum(at, 0)
        first = np.floor(at)
        return [(_within(first, n), 1 - (at - first)), (_within(first + 1, n), at - first)]
    first = np.floor(at)
    return [(_within(first + k, n), _cubic(np.abs(at - first - k))) for k in (-1, 0, 1, 2)]


def nearest(kind: str, n: int, out: int) -> Any:
    """The element that each position takes."""
    return (2 * np.arange(out) + _half(kind)) * n // (2 * out)


def _half(kind: str) -> int:
    """What is added to twice a position: nearest-exact looks at its middle."""
    return int(kind == "nearest-exact")


def rounds_alike(kind: str, n: int, out: int) -> bool:
    """Whether (i + half) n / out, where it is whole, is no less as floats have it: PyTorch's precision varies."""
    spend(out)
    single, double = _float32(n / out), n / out
    for twice in range(_half(kind), 2 * out, 2):
        whole, rest = divmod(twice * n, 2 * out)
        if not rest and min(_float32(twice / 2 * single), twice / 2 * double) < whole:
            return False
    return True


def matrix(kind: str, n: int, out: int, align_corners: bool) -> Any:
    """The matrix [out, n] that resizes an axis."""
    made = np.zeros((out, n))
    for index, weight in taps(kind, n, out, align_corners):
        np.add.at(made, (np.arange(out), index), weight)
    return made


def _coordinates(n: int, out: int, align_corners: bool) -> Any:
    """Where on the old axis each position lies: corners on corners, or edges on edges."""
    i = np.arange(out, dtype="float64")
    if align_corners:
        return i * ((n - 1) / (out - 1)) if out > 1 else i
    return (i + 0.5) * (n / out) - 0.5


def _within(index: Any, n: int) -> Any:
    return np.clip(index, 0, n - 1).astype("int64")


def _cubic(distance: Any) -> Any:
    """The cubic convolution kernel; Keys (1981)."""
    d, a = distance, CUBIC
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((d - 5) * d + 8) * d * a - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def growth(n: AnyDim, out: AnyDim) -> int | None:
    """k where out = k n; None where it is not known to be so."""
    return _ratio(value(out), value(n)) or _symbolic(out, n)


def shrinkage(n: AnyDim, out: AnyDim) -> int | None:
    """k where n = k out; None where it is not known to be so."""
    return growth(out, n)


def _ratio(total: int | None, part: int | None) -> int | None:
    return total // part if total is not None and part is not None and total % part == 0 else None


def _symbolic(total: AnyDim, part: AnyDim) -> int | None:
    if not isinstance(total, Dim) or not isinstance(part, Dim) or total % part != 0:
        return None
    k = total // part
    return k if isinstance(k, int) else None


def divides_exactly(kind: str, k: int) -> bool:
    """Whether an axis may grow by k whatever its size: as floats have it, k (1 / k) is not below 1."""
    return kind == "nearest-exact" or min(_float32(k * _float32(1 / k)), k * (1 / k)) >= 1


def _float32(number: float) -> float:
    rounded: float = struct.unpack("f", struct.pack("f", number))[0]
    return rounded
