"""Turns the official binary files of CIFAR-10 into a dataset, fetching the archive where there are none."""

import os
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from netc.diagnostics import Refused
from netc.diagnostics import wording_train as say
from netc.train.dataset import Bytes, Dataset, Labelled, Split
from netc.train.download import Download, Report, fetch

FOLDER = "cifar-10-batches-bin"
TRAIN = tuple(f"data_batch_{i}.bin" for i in range(1, 6))
TEST = "test_batch.bin"
NAMES = (*TRAIN, TEST)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
RECORD = 1 + 3 * 32 * 32


@dataclass(frozen=True)
class Origin:
    """Where the archive comes from and how many images each of its files holds."""

    archive: Download
    images: int = 10_000


OFFICIAL = Origin(
    Download(
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        170_052_171,
    )
)


def cache_folder() -> Path:
    """Where fetched archives are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netc"


def load_cifar10(
    folder: Path | None = None,
    origin: Origin = OFFICIAL,
    cache: Path | None = None,
    report: Report | None = None,
) -> Dataset:
    """CIFAR-10 from `folder` or `folder`/cifar-10-batches-bin, else from the archive in the cache."""
    records = _files(NAMES, folder, origin, cache, report)
    train = np.concatenate([records[name] for name in TRAIN])
    return Dataset("cifar10", _split(train), _split(records[TEST]), CLASSES)


def load_test_cifar10(
    folder: Path | None = None,
    origin: Origin = OFFICIAL,
    cache: Path | None = None,
    report: Report | None = None,
) -> Labelled:
    """The test images of CIFAR-10, from the same places; the training files need not be there."""
    records = _files((TEST,), folder, origin, cache, report)
    return Labelled("cifar10", _split(records[TEST]), CLASSES)


def _files(
    names: Sequence[str], folder: Path | None, origin: Origin, cache: Path | None, report: Report | None
) -> dict[str, Bytes]:
    looked = [folder, folder / FOLDER] if folder else []
    for place in looked:
        if all((place / name).is_file() for name in names):
            return {name: _from_file(place / name, origin) for name in names}
    archive = (cache or cache_folder()) / "cifar-10-binary.tar.gz"
    try:
        fetch(origin.archive, archive, report)
    except OSError as error:
        why = _why(error)
        places = [*looked, archive.parent]
        raise Refused(say.data_not_found("cifar10", places, names, origin.archive.url, why)) from None
    return _from_archive(archive, origin)


def _why(error: OSError) -> str:
    """Why a server could not be reached, without the number of the error."""
    inner = getattr(error, "reason", error)
    return inner.strerror or str(inner) if isinstance(inner, OSError) else str(inner)


def _from_file(path: Path, origin: Origin) -> Bytes:
    if (size := path.stat().st_size) != origin.images * RECORD:
        raise Refused(say.wrong_size(path, size, origin.images * RECORD))
    return _records(path.read_bytes(), str(path))


def _from_archive(archive: Path, origin: Origin) -> dict[str, Bytes]:
    """The six members, streamed by name; nothing else of the archive is read or written anywhere."""
    found: dict[str, Bytes] = {}
    try:
        with tarfile.open(archive, "r|gz") as tar:
            for member in tar:
                folder, _, name = member.name.removeprefix("./").partition("/")
                if folder == FOLDER and name in NAMES and member.isreg():
                    found[name] = _from_member(tar, member, origin)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise Refused(say.not_an_archive(archive, str(error))) from None
    if missing := [name for name in NAMES if name not in found]:
        raise Refused(say.not_an_archive(archive, f"it lacks {', '.join(missing)}"))
    return found


def _from_member(tar: tarfile.TarFile, member: tarfile.TarInfo, origin: Origin) -> Bytes:
    if member.size != origin.images * RECORD:
        raise Refused(say.wrong_size(member.name, member.size, origin.images * RECORD))
    file = tar.extractfile(member)
    return _records(file.read() if file else b"", member.name)


def _records(raw: bytes, where: str) -> Bytes:
    """Rows of 3073 bytes: the label, then the red, green and blue planes."""
    records = np.frombuffer(raw, np.uint8).reshape(-1, RECORD)
    labels = records[:, 0]
    if (wrong := np.flatnonzero(labels >= len(CLASSES))).size:
        raise Refused(say.label_out_of_range(where, int(wrong[0]), int(labels[wrong[0]]), len(CLASSES)))
    return records


def _split(records: Bytes) -> Split:
    images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return Split(np.ascontiguousarray(images), records[:, 0].astype(np.int64))
