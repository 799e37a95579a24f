"""Turns the file of digits that the package ships into a dataset."""

from importlib.resources import files

import numpy as np

from netc.train.dataset import Bytes, Dataset, Labels, Split

FOLD = 5


def load_digits() -> Dataset:
    """1,797 digits of 8 x 8 pixels (netc/train/digits/LICENSE.md), every fifth of each class for testing."""
    with (
        files("netc.train").joinpath("digits", "digits.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as arrays,
    ):
        counts, labels = arrays["counts"], arrays["labels"].astype(np.int64)
    images = ((counts.astype(np.int64) * 255 + 8) // 16).astype(np.uint8)[..., None]
    test = held_out(labels)
    return Dataset(
        "digits", _part(images, labels, ~test), _part(images, labels, test), tuple(map(str, range(10)))
    )


def held_out(labels: Labels) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which images are for testing: in each class every fifth, in the order of the file."""
    test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        test[np.flatnonzero(labels == label)[FOLD - 1 :: FOLD]] = True
    return test


def _part(images: Bytes, labels: Labels, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Split:
    return Split(images[chosen], labels[chosen])
