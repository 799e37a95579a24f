"""Turns the path of a spec into a reader of the files of its project, which follows no link out of it."""

from __future__ import annotations

import os
from collections.abc import Callable

from netc.files.read import open_regular


def project_reader(path: str, most: int) -> Callable[[str], bytes]:
    """Gives the bytes of a file beside or below the spec at `path`, or one more than the `most` that it may have."""
    root = os.path.realpath(os.path.dirname(path) or ".")

    def read(name: str) -> bytes:
        if name != path and os.path.commonpath([os.path.realpath(name), root]) != root:
            raise OSError("it is a link that leads out of the project")
        with open_regular(name) as file:
            return file.read(most + 1)

    return read
