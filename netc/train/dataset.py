"""Images and labels in memory, and whether they fit a net: what every source of data is turned into."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from netc.diagnostics import Diagnostic, Refused
from netc.diagnostics import wording_train as say
from netc.passes.recipe import Recipe

Bytes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Images [n, H, W, C] and the index of the class of each."""

    images: Bytes = field(repr=False)
    labels: Labels = field(repr=False)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Labelled:
    """Images and what their labels mean. notes: what lies beside them and was not read."""

    name: str
    split: Split
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image, as a net reads it: channels, height, width."""
        return _shape(self.split)


@dataclass(frozen=True, eq=False)
class Dataset:
    """What a net learns from and what it is tested on. notes: what lies beside it and was not read."""

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image, as a net reads it: channels, height, width."""
        return _shape(self.train)


def _shape(split: Split) -> tuple[int, int, int]:
    height, width, channels = split.images.shape[1:]
    return channels, height, width


def in_order_of(classes: Sequence[str], data: Labelled) -> Split:
    """The images with labels that count in `classes`, matched by name; Refused where the names differ."""
    if set(classes) != set(data.classes):
        raise Refused(say.other_classes(data.name, data.classes, classes))
    index = {name: place for place, name in enumerate(classes)}
    places = np.array([index[name] for name in data.classes], np.int64)
    return Split(data.split.images, places[data.split.labels])


def channels_of(shape: Sequence[int | str]) -> int:
    """Of the images that a net reads, 1 or 3; `shape` is its input without the batch."""
    if len(shape) != 3 or shape[0] not in (1, 3):
        raise Refused(say.not_for_images(("N", *shape), (3,)))
    return int(shape[0])


def check_fit(
    data: Dataset | Labelled, shape: Sequence[int | str], outputs: int | None, recipe: Recipe | None = None
) -> None:
    """Refuse, before any training, data that the net cannot take; `shape` is its input without the batch."""
    found: list[Diagnostic] = []
    if len(shape) != 3 or shape[0] not in (1, 3) or not all(isinstance(size, int) for size in shape[1:]):
        raise Refused(say.not_for_images(("N", *shape), data.shape))
    sizes = tuple(int(size) for size in shape)
    if data.shape != sizes:
        found.append(say.shape_differs(data.name, data.shape, sizes))
    if outputs is not None and outputs != len(data.classes):
        found.append(say.class_count_differs(data.name, len(data.classes), outputs))
    if recipe:
        crops = [a.arguments["size"] for a in recipe.augment if a.name == "random_crop"]
        found += [say.crop_differs(size, sizes) for size in crops if (size, size) != sizes[1:]]
        images = len(data.train if isinstance(data, Dataset) else data.split)
        if recipe.batch > images:
            found.append(say.batch_too_large(recipe.batch, images))
    if found:
        raise Refused(*found)
