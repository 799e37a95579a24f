"""Turns a folder with train/CLASS/* and test/CLASS/* into a dataset, or its test/ into labelled images."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netc.diagnostics import Diagnostic, Refused
from netc.diagnostics import wording_train as say
from netc.files.read import reason
from netc.train.dataset import Bytes, Dataset, Labelled, Split
from netc.train.picture import open_picture, pixels

MOST = 20  # findings of one run
AHEAD = 16  # images read before they are taken: each may be large


@dataclass(frozen=True)
class _Listing:
    """The files of a part: each image with the index of its class. aside: what is no image of a class."""

    files: tuple[tuple[Path, int], ...]
    aside: tuple[str, ...]
    errors: tuple[Diagnostic, ...]


def load_folder(root: Path, channels: int) -> Dataset:
    """The images of `root`, in the order of their names; all must have one size.

    Raises Refused with what is wrong with any of the folders and files, the first 20 of them.
    """
    _require_folder(root)
    train, test = _classes(root / "train"), _classes(root / "test")
    if set(train) != set(test):
        only_train, only_test = sorted(set(train) - set(test)), sorted(set(test) - set(train))
        raise Refused(say.classes_differ(root, only_train, only_test))
    listings = [_listing(root / part, train) for part in ("train", "test")]
    splits = _splits(listings, channels)
    return Dataset(f"folder:{root}", splits[0], splits[1], tuple(train), _notes(listings))


def load_test_folder(root: Path, channels: int) -> Labelled:
    """The images in `root`/test alone."""
    _require_folder(root)
    classes = _classes(root / "test")
    listing = _listing(root / "test", classes)
    return Labelled(
        f"folder:{root}", _splits([listing], channels)[0], tuple(classes), _notes([listing])
    )  # fmt: skip


def _require_folder(path: Path) -> None:
    if not path.is_dir():
        raise Refused(say.no_such_folder(path))


def _entries(folder: Path) -> list[Path]:
    """What is in a folder, by name; hidden files are none of ours."""
    try:
        return sorted(entry for entry in folder.iterdir() if entry.name[0] != ".")
    except OSError as error:
        raise Refused(say.unreadable_folder(folder, reason(error))) from None


def _classes(part: Path) -> list[str]:
    _require_folder(part)
    folders = [entry for entry in _entries(part) if entry.is_dir()]
    if not folders:
        raise Refused(say.no_images(part, "folders, one for each class"))
    if odd := [folder for folder in folders if not _is_text(folder.name)]:
        raise Refused(*(say.class_not_text(folder) for folder in odd[:MOST]))
    return [folder.name for folder in folders]


def _is_text(name: str) -> bool:
    """Whether it is UTF-8; what is not comes from the file system with lone surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _listing(part: Path, classes: Sequence[str]) -> _Listing:
    files: list[tuple[Path, int]] = []
    aside = [say.beside_classes(entry) for entry in _entries(part) if not entry.is_dir()]
    errors = []
    for label, name in enumerate(classes):
        entries = _entries(part / name)
        images = [entry for entry in entries if not entry.is_dir()]
        if not images:
            errors.append(say.empty_class(part / name))
        files += [(path, label) for path in images]
        aside += [say.below_class(entry) for entry in entries if entry.is_dir()]
    return _Listing(tuple(files), tuple(aside), tuple(errors))


def _notes(listings: Sequence[_Listing]) -> tuple[str, ...]:
    aside = [text for listing in listings for text in listing.aside]
    more = [f"and {len(aside) - MOST} more files and folders are not read"] if len(aside) > MOST else []
    return (*aside[:MOST], *more)


def _splits(listings: Sequence[_Listing], channels: int) -> list[Split]:
    """The images of each part, which must all have the size of the first that can be read."""
    errors = [error for listing in listings for error in listing.errors]
    files = [entry for listing in listings for entry in listing.files]
    first: tuple[Path, tuple[int, ...]] | None = None
    images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = np.empty(0, np.uint8)
    for index, (path, image) in enumerate(_read_all([path for path, _ in files], channels)):
        if isinstance(image, Diagnostic):
            errors.append(image)
        elif first is None:
            first = path, image.shape
            images = np.empty((len(files), *image.shape), np.uint8)
        elif image.shape != first[1]:
            errors.append(say.unequal_sizes(path, image.shape[:2], first[0], (first[1][0], first[1][1])))
        if len(errors) >= MOST:
            break
        if not errors and not isinstance(image, Diagnostic):
            images[index] = image
    if errors:
        raise Refused(*errors[:MOST])
    labels = np.array([label for _, label in files], np.int64)
    ends = np.cumsum([len(listing.files) for listing in listings])
    return [
        Split(images[end - len(one.files) : end], labels[end - len(one.files) : end])
        for one, end in zip(listings, ends, strict=True)
    ]


def _read_all(paths: Sequence[Path], channels: int) -> Iterator[tuple[Path, Bytes | Diagnostic]]:
    """The images in order, a few read ahead: Pillow decodes outside Python's lock."""
    with ThreadPoolExecutor() as pool:
        ahead: deque[tuple[Path, Future[Bytes | Diagnostic]]] = deque()
        for path in paths:
            ahead.append((path, pool.submit(_read, path, channels)))
            if len(ahead) > AHEAD:
                first, image = ahead.popleft()
                yield first, image.result()
        for path, image in ahead:
            yield path, image.result()


def _read(path: Path, channels: int) -> Bytes | Diagnostic:
    try:
        return pixels(open_picture(path, channels))
    except Refused as refused:
        return say.to_remove(refused.diagnostics[0])
