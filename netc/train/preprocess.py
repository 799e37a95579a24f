"""Turns images of bytes into the float32 that a net reads: pixels in 0..1, less a mean, over a deviation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from netc.train.dataset import Bytes, Split

Floats = npt.NDArray[np.float32]
LEAST = 1e-6  # a deviation: what `measured` rounds to
MOST_PIXELS = 1 << 24  # of an image as a net reads it


@dataclass(frozen=True)
class Preprocess:
    """How a net wants its images; it travels in the metadata of the exported file."""

    size: tuple[int, int]
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def apply(self, images: Bytes) -> Floats:
        """Images [n, H, W, C] as [n, C, H, W]."""
        scaled = images.astype(np.float32) / np.float32(255)
        normal = (scaled - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(normal.transpose(0, 3, 1, 2))

    def as_json(self) -> dict[str, Any]:
        return {
            "size": list(self.size), "channels": self.channels, "mean": list(self.mean), "std": list(self.std)
        }  # fmt: skip


def measured(split: Split) -> Preprocess:
    """The mean and the deviation of each channel of the training images, to six digits."""
    _, height, width, channels = split.images.shape
    levels = np.arange(256) / 255
    means, deviations = [], []
    for channel in range(channels):
        counts = np.bincount(split.images[..., channel].reshape(-1), minlength=256)
        mean = float(np.average(levels, weights=counts))
        deviation = float(np.average((levels - mean) ** 2, weights=counts)) ** 0.5
        means.append(round(mean, 6))
        # A channel that never varies carries nothing; one keeps the division defined.
        deviations.append(round(deviation, 6) or 1.0)
    return Preprocess((height, width), channels, tuple(means), tuple(deviations))


def from_json(data: Any) -> Preprocess:
    """Read what `as_json` wrote; raises ValueError, saying what is wrong, for anything else."""
    if not isinstance(data, Mapping) or set(data) != {"size", "channels", "mean", "std"}:
        raise ValueError("preprocess does not have exactly size, channels, mean and std")
    size, channels = data["size"], data["channels"]
    if (
        isinstance(channels, bool)
        or channels not in (1, 3)
        or not _numbers(size, 2)
        or not all(isinstance(n, int) for n in size)
    ):
        raise ValueError("preprocess has no size of two whole numbers, or channels other than 1 and 3")
    if not all(1 <= n <= 16384 for n in size):
        raise ValueError("preprocess has a size outside 1 to 16384")
    if size[0] * size[1] > MOST_PIXELS:
        raise ValueError(f"preprocess has a size of more than {MOST_PIXELS:,} pixels")
    if (
        not _numbers(data["mean"], channels)
        or not _numbers(data["std"], channels)
        or min(data["std"]) < LEAST
    ):
        raise ValueError(f"preprocess needs a mean and a std of at least {LEAST} for {channels} channels")
    mean, std = (tuple(float(x) for x in data[key]) for key in ("mean", "std"))
    return Preprocess((size[0], size[1]), channels, mean, std)


def _numbers(values: Any, count: int) -> bool:
    return (
        isinstance(values, list)
        and len(values) == count
        and all(isinstance(x, int | float) and not isinstance(x, bool) and abs(x) < 1e6 for x in values)
    )
