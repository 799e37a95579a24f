"""Turns a folder with train/CLASS/* and test/CLASS/* into a dataset."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from netc.diagnostics import Refused
from netc.diagnostics import wording_train as say
from netc.train.dataset import Bytes, Dataset, Split
from netc.train.picture import open_picture, pixels


def load_folder(root: Path, channels: int) -> Dataset:
    """The images of `root`, in the order of their names; all must have one size."""
    if not root.is_dir():
        raise Refused(say.no_such_folder(root))
    train, test = _classes(root / "train"), _classes(root / "test")
    if set(train) != set(test):
        only_train, only_test = sorted(set(train) - set(test)), sorted(set(test) - set(train))
        raise Refused(say.classes_differ(root, only_train, only_test))
    files = {part: _files(root / part, train) for part in ("train", "test")}
    first = files["train"][0][0]
    size = pixels(open_picture(first, channels)).shape
    splits = {part: _split(listed, channels, first, size) for part, listed in files.items()}
    return Dataset(f"folder:{root}", splits["train"], splits["test"], tuple(train))


def _classes(part: Path) -> list[str]:
    if not part.is_dir():
        raise Refused(say.no_such_folder(part))
    names = sorted(entry.name for entry in part.iterdir() if entry.is_dir() and entry.name[0] != ".")
    if not names:
        raise Refused(say.no_images(part, "folders, one for each class"))
    return names


def _files(part: Path, classes: list[str]) -> list[tuple[Path, int]]:
    """Every image with the index of its class; hidden files are none of ours."""
    found: list[tuple[Path, int]] = []
    for label, name in enumerate(classes):
        files = sorted(path for path in (part / name).iterdir() if path.name[0] != "." and path.is_file())
        if not files:
            raise Refused(say.no_images(part / name, "images"))
        found += [(path, label) for path in files]
    return found


def _split(files: list[tuple[Path, int]], channels: int, first: Path, size: tuple[int, ...]) -> Split:
    def read(entry: tuple[Path, int]) -> Bytes:
        image = pixels(open_picture(entry[0], channels))
        if image.shape != size:
            raise Refused(say.unequal_sizes(entry[0], image.shape[:2], first, (size[0], size[1])))
        return image

    images = np.empty((len(files), *size), np.uint8)
    with ThreadPoolExecutor() as pool:  # Pillow decodes outside Python's lock
        for index, image in enumerate(pool.map(read, files)):
            images[index] = image
    return Split(images, np.array([label for _, label in files], np.int64))
