"""Turns image files into the likeliest classes by an exported file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from netc.deploy.session import Model, logits_of
from netc.train.dataset import Bytes
from netc.train.picture import open_picture, pixels
from netc.train.score import log_softmax


@dataclass(frozen=True)
class Guess:
    """A class and how likely it is."""

    name: str
    probability: float


@dataclass(frozen=True)
class Classified:
    """An image and its likeliest classes, the likeliest first."""

    path: Path
    guesses: tuple[Guess, ...]


def classify(model: Model, paths: Sequence[Path], top: int = 5) -> list[Classified]:
    """The `top` classes of each image, in the order of the paths."""
    size, channels = model.preprocess.size, model.preprocess.channels
    images = np.stack([prepared(path, size, channels) for path in paths])
    probabilities = np.exp(log_softmax(logits_of(model, images)))
    return [
        Classified(path, _guesses(row, model.classes, top))
        for path, row in zip(paths, probabilities, strict=True)
    ]


def prepared(path: Path, size: tuple[int, int], channels: int) -> Bytes:
    """The image at the size that the net reads: the shorter side scaled, then the middle."""
    image = open_picture(path, channels)
    height, width = size
    if (image.height, image.width) != size:
        # Only what is kept is scaled, so that a very long picture costs no more than another.
        scale = max(height / image.height, width / image.width)
        left, top = (image.width - width / scale) / 2, (image.height - height / scale) / 2
        box = (max(0.0, left), max(0.0, top), image.width - max(0.0, left), image.height - max(0.0, top))
        image = image.resize((width, height), Image.Resampling.BILINEAR, box)
    return pixels(image)


def _guesses(
    row: np.ndarray[tuple[int, ...], np.dtype[np.float64]], classes: Sequence[str], top: int
) -> tuple[Guess, ...]:
    best = np.argsort(-row, kind="stable")[:top]
    return tuple(Guess(classes[index], float(row[index])) for index in best)
