"""Turns image files into the likeliest classes by an exported file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from netc.deploy.session import Model, logits_of
from netc.diagnostics import Diagnostic, Refused
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


def classify(model: Model, paths: Sequence[Path], top: int = 5) -> tuple[list[Classified], list[Diagnostic]]:
    """The `top` classes of each image, in the order of the paths, and what is wrong with those that cannot be read."""
    size, channels = model.preprocess.size, model.preprocess.channels
    images: dict[int, Bytes] = {}
    found: list[Diagnostic] = []
    for index, path in enumerate(paths):
        try:
            images[index] = prepared(path, size, channels)
        except Refused as refused:
            found += refused.diagnostics
    if not images:
        return [], found
    probabilities = np.exp(log_softmax(logits_of(model, np.stack(list(images.values())))))
    return [
        Classified(paths[index], _guesses(row, model.classes, top))
        for index, row in zip(images, probabilities, strict=True)
    ], found


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
