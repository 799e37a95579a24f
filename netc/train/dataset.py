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
class Dataset:
    """What a net learns from and what it is tested on."""

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one image, as a net reads it: channels, height, width."""
        height, width, channels = self.train.images.shape[1:]
        return channels, height, width


def check_fit(
    data: Dataset, shape: Sequence[int | str], outputs: int | None, recipe: Recipe | None = None
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
        if recipe.batch > len(data.train):
            found.append(say.batch_too_large(recipe.batch, len(data.train)))
    if found:
        raise Refused(*found)
