"""Turns a folder with train/CLASS/* and test/CLASS/* into a dataset."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from netc.diagnostics import Diagnostic, Refused
from netc.diagnostics import wording_train as say
from netc.train.dataset import Bytes, Dataset, Split
from netc.train.picture import open_picture, pixels

MOST = 20  # findings of one run


def load_folder(root: Path, channels: int) -> Dataset:
    """The images of `root`, in the order of their names; all must have one size.

    Raises Refused with what is wrong with any of the folders and files, the first 20 of them.
    """
    if not root.is_dir():
        raise Refused(say.no_such_folder(root))
    train, test = _classes(root / "train"), _classes(root / "test")
    if set(train) != set(test):
        only_train, only_test = sorted(set(train) - set(test)), sorted(set(test) - set(train))
        raise Refused(say.classes_differ(root, only_train, only_test))
    found: list[Diagnostic] = []
    files = {part: _files(root / part, train, found) for part in ("train", "test")}
    first = _first([path for path, _ in (*files["train"], *files["test"])], channels, found)
    splits = {part: _split(listed, channels, first, found) for part, listed in files.items()}
    if found:
        raise Refused(*found[:MOST])
    return Dataset(f"folder:{root}", splits["train"], splits["test"], tuple(train))


def _classes(part: Path) -> list[str]:
    if not part.is_dir():
        raise Refused(say.no_such_folder(part))
    names = sorted(entry.name for entry in part.iterdir() if entry.is_dir() and entry.name[0] != ".")
    if not names:
        raise Refused(say.no_images(part, "folders, one for each class"))
    return names


def _files(part: Path, classes: list[str], findings: list[Diagnostic]) -> list[tuple[Path, int]]:
    """Every image with the index of its class; hidden files are none of ours."""
    found: list[tuple[Path, int]] = []
    for label, name in enumerate(classes):
        files = sorted(path for path in (part / name).iterdir() if path.name[0] != "." and path.is_file())
        if not files:
            findings.append(say.empty_class(part / name))
        found += [(path, label) for path in files]
    return found


def _read(path: Path, channels: int) -> Bytes | Diagnostic:
    try:
        return pixels(open_picture(path, channels))
    except Refused as refused:
        return say.to_remove(refused.diagnostics[0])


def _first(paths: Sequence[Path], channels: int, found: list[Diagnostic]) -> tuple[Path, tuple[int, ...]]:
    """The first image that can be read, and its size [H, W, C]; Refused where there is none among the first 20."""
    broken: list[Diagnostic] = []
    for path in paths[:MOST]:
        image = _read(path, channels)
        if not isinstance(image, Diagnostic):
            return path, image.shape
        broken.append(image)
    raise Refused(*[*found, *broken][:MOST])


def _split(
    files: list[tuple[Path, int]],
    channels: int,
    first: tuple[Path, tuple[int, ...]],
    found: list[Diagnostic],
) -> Split:
    def read(entry: tuple[Path, int]) -> Bytes | Diagnostic:
        image = _read(entry[0], channels)
        if not isinstance(image, Diagnostic) and image.shape != size:
            return say.unequal_sizes(entry[0], image.shape[:2], first[0], (size[0], size[1]))
        return image

    size = first[1]
    images = np.empty((len(files), *size), np.uint8)
    with ThreadPoolExecutor() as pool:  # Pillow decodes outside Python's lock
        for index, image in enumerate(pool.map(read, files)):
            if not isinstance(image, Diagnostic):
                images[index] = image
                continue
            found.append(image)
            if len(found) >= MOST:
                break
    return Split(images, np.array([label for _, label in files], np.int64))
