"""Turns a URL into a file of known size and SHA-256, going on from where an earlier attempt stopped."""

import hashlib
import http.client
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from netc.diagnostics import Refused
from netc.diagnostics import wording_train as say

CHUNK = 2**20
ATTEMPTS = 3
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Download:
    """A file to fetch and what proves it."""

    url: str
    sha256: str
    size: int


def fetch(wanted: Download, target: Path, report: Report | None = None, timeout: float = 30) -> Path:
    """`target`, which is proved to be the file wanted, fetched if it is not there.

    Raises OSError where the server cannot be reached, Refused where what came is not the file.
    """
    if target.is_file() and target.stat().st_size == wanted.size:
        prove(target, wanted)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    for _ in range(ATTEMPTS):
        before = _size(part)
        if before < wanted.size:
            _receive(wanted, part, report or (lambda done, size: None), timeout)
        if _size(part) in (before, wanted.size):
            break
    if _size(part) < wanted.size:
        raise Refused(say.cut_short(part, _size(part), wanted.size))
    prove(part, wanted)
    os.replace(part, target)
    return target


def prove(path: Path, wanted: Download) -> None:
    """Refuse, and remove, a file of another size or content."""
    if (size := _size(path)) != wanted.size:
        path.unlink()
        raise Refused(say.wrong_size(path, size, wanted.size))
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != wanted.sha256:
        path.unlink()
        raise Refused(say.wrong_checksum(str(path), digest, wanted.sha256))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _receive(wanted: Download, part: Path, report: Report, timeout: float) -> None:
    """Append what is missing; the server may also send everything again."""
    start = _size(part)
    request = Request(wanted.url, headers={"Range": f"bytes={start}-"} if start else {})
    try:
        response = urlopen(request, timeout=timeout)
    except HTTPError as error:
        error.close()
        if error.code != 416:  # the part is longer than the server's file: begin again
            raise
        part.unlink()
        return
    with response:
        ranged = response.status == 206
        if ranged and not response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
            raise ConnectionError("the server sent another range than it was asked for")
        with part.open("ab" if ranged else "wb") as file:
            _copy(response, file, wanted.size, report)
            file.flush()
            os.fsync(file.fileno())


def _copy(response: http.client.HTTPResponse, file: BinaryIO, size: int, report: Report) -> None:
    """Copy up to one byte more than `size`, so that a longer body shows; a cut connection keeps what came."""
    done = file.tell()
    while done <= size:
        try:
            chunk = response.read(min(CHUNK, size + 1 - done))
        except http.client.IncompleteRead as error:
            chunk = error.partial
        except (ConnectionError, TimeoutError):
            return
        if not chunk:
            return
        file.write(chunk)
        done += len(chunk)
        report(done, size)
