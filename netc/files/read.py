"""Turns a path into the bytes of a regular file of bounded size, and never waits for a pipe or a device."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

ANY_SIZE = 1 << 63


def open_regular(path: str | Path, most: int = ANY_SIZE) -> BinaryIO:
    """The file at `path`, open for reading. Raises OSError for what is no regular file or has more than `most` bytes."""
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except ValueError:
        raise OSError("its name holds a NUL character") from None
    try:
        facts = os.fstat(descriptor)
        if stat.S_ISDIR(facts.st_mode):
            raise OSError("it is a folder")
        if not stat.S_ISREG(facts.st_mode):
            raise OSError("it is not a regular file")
        if facts.st_size > most:
            raise OSError(f"it has {facts.st_size:,} bytes, more than the {most:,} that are read")
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: str | Path, most: int) -> bytes:
    """All bytes of the file at `path`. Raises OSError as open_regular does."""
    with open_regular(path, most) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise OSError(f"it grew beyond the {most:,} bytes that are read")
    return data


def reason(error: OSError) -> str:
    """Why a file cannot be used, without its name."""
    return (error.strerror or str(error) or type(error).__name__)[:200]
