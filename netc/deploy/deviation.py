"""How far apart two arrays are that ought to be equal."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]


def relative_error(truth: Array, got: Array, least: float = 0.0) -> float:
    """The largest difference over the largest true value; infinite where shapes, NaN or infinities differ.

    least: what the difference is over where all true values are smaller.
    """
    if truth.shape != got.shape:
        return float("inf")
    if not truth.size:
        return 0.0
    wide, found = truth.astype(np.float64), got.astype(np.float64)
    finite = np.isfinite(wide)
    if (
        not np.array_equal(wide[~finite], found[~finite], equal_nan=True)
        or not np.isfinite(found[finite]).all()
    ):
        return float("inf")
    difference = np.abs(wide - found)[finite].max(initial=0.0)
    scale = np.abs(wide)[finite].max(initial=least)
    return float(difference / (scale or 1.0))
