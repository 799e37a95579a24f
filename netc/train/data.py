"""Turns the name of data (digits, cifar10, folder:PATH) into a dataset, or into its test images alone."""

from pathlib import Path

from netc.diagnostics import Refused
from netc.diagnostics import wording_train as say
from netc.train.cifar10 import load_cifar10, load_test_cifar10
from netc.train.dataset import Dataset, Labelled
from netc.train.download import Report
from netc.train.embedded import load_digits
from netc.train.folder import load_folder, load_test_folder

NAMES = ("digits", "cifar10", "folder:PATH")


def load_data(
    name: str, channels: int, data_dir: Path | None = None, report: Report | None = None
) -> Dataset:
    """The dataset; `channels` is what the net reads, `report(done, size)` hears of a download."""
    kind, colon, path = name.partition(":")
    if kind == "folder" and colon and path:
        return load_folder(Path(path), channels)
    if name == "digits":
        return load_digits()
    if name == "cifar10":
        return load_cifar10(data_dir, report=report)
    raise Refused(say.unknown_data(name, NAMES))


def load_test(
    name: str, channels: int, data_dir: Path | None = None, report: Report | None = None
) -> Labelled:
    """The test images; nothing of what belongs to training is asked for."""
    kind, colon, path = name.partition(":")
    if kind == "folder" and colon and path:
        return load_test_folder(Path(path), channels)
    if name == "cifar10":
        return load_test_cifar10(data_dir, report=report)
    data = load_data(name, channels, data_dir, report)
    return Labelled(data.name, data.test, data.classes, data.notes)
