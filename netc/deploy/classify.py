"""Turns image files into the likeliest classes by an exported file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from netc.deploy.session import Model, in_batches, logits_of
from netc.diagnostics import Diagnostic, Refused
from netc.diagnostics import wording_deploy as say
from netc.train.dataset import Bytes
from netc.train.picture import open_picture, pixels
from netc.train.preprocess import Floats
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
    """The `top` classes of each image, in the order of the paths, and what is wrong with the others."""
    classified: list[Classified] = []
    errors: list[Diagnostic] = []
    for part in in_batches(model, list(paths)):
        images = _readable(model, part, errors)
        if not images:
            continue
        try:
            logits = logits_of(model, np.stack([pixels for _, pixels in images]))
        except Refused as refused:  # the model fails, whatever the images
            return classified, [*errors, *refused.diagnostics]
        for (path, _), row in zip(images, logits, strict=True):
            if np.isfinite(row).all():
                classified.append(Classified(path, _guesses(row, model.classes, top)))
            else:
                errors.append(say.not_finite(model.path, f"for {path}"))
    return classified, errors


def _readable(model: Model, paths: Sequence[Path], errors: list[Diagnostic]) -> list[tuple[Path, Bytes]]:
    """The images that can be read, prepared; of the others, why not."""
    images = []
    for path in paths:
        try:
            images.append((path, prepared(path, model.preprocess.size, model.preprocess.channels)))
        except Refused as refused:
            errors += refused.diagnostics
    return images


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


def _guesses(logits: Floats, classes: Sequence[str], top: int) -> tuple[Guess, ...]:
    row = np.exp(log_softmax(logits[None]))[0]
    best = np.argsort(-row, kind="stable")[:top]
    return tuple(Guess(classes[index], float(row[index])) for index in best)
