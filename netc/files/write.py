"""Turns what writers give into files: written beside their places and renamed, all of them or none."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from errno import ENOTDIR
from pathlib import Path

Write = Callable[[int], None]  # to an open descriptor


def write_files(writers: Mapping[Path, Write], sync: bool = False) -> None:
    """Puts each file in place once all are written; an error or a signal before that leaves everything as it was."""
    token = os.urandom(8).hex()
    # Named before they exist, so that no moment is left at which a signal could leave one behind.
    parts = {path: path.with_name(f".{path.name}.{token}.part") for path in writers}
    folders: list[Path] = []
    try:
        for path, write in writers.items():
            folders += missing_folders(path.parent)
            with _named(path):
                _make_folder(path.parent)
                _write(parts[path], write, sync)
        for path, part in parts.items():
            with _named(path):
                os.replace(part, path)
        folders = []
    finally:
        for part in parts.values():
            with suppress(OSError):
                part.unlink()
        remove_empty(folders)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """An error names the file that was to be written, not the one beside it."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        raise


def _write(part: Path, write: Write, sync: bool) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(part, flags, 0o666)
    try:
        write(descriptor)
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_all(descriptor: int, data: bytes | memoryview) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        file = next(p for p in (path, *path.parents) if os.path.lexists(p))
        raise NotADirectoryError(ENOTDIR, f"{file} is not a folder") from None


def missing_folders(path: Path) -> list[Path]:
    """Which of a folder and those above it are not there, the innermost last."""
    return [p for p in (path, *path.parents) if not p.exists()][::-1]


def remove_empty(folders: list[Path]) -> None:
    """Takes back folders that were missing, where nothing has been put there since."""
    for folder in reversed(folders):
        with suppress(OSError):
            folder.rmdir()
