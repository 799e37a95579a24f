"""Turns what writers give into files: all of them whole or none, never over a stranger's file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from netc.diagnostics import Refused
from netc.diagnostics.wording_weights import cannot_write, not_ours
from netc.files.read import reason
from netc.files.write import write_all, write_files
from netc.ops.arrays import np

if TYPE_CHECKING:
    import numpy.typing as npt

PYTHON_MARK = "# Written by netc"  # stands in the first two lines of every emitted module
ONNX_MARK = b"netc"  # the producer's name, the second field of every ONNX file
SAFETENSORS_MARK = b'{"__metadata__":{"netc":'
BUFFER = 1 << 20
SMALL = 1 << 16  # bytes below which a piece is gathered in memory


@dataclass(frozen=True)
class Part:
    """So many bytes of an open file, from an offset."""

    descriptor: int
    offset: int
    length: int


Piece: TypeAlias = "npt.NDArray[Any] | Part"
Writer: TypeAlias = "Callable[[Sink], None]"


@dataclass(eq=False)
class Sink:
    """A file being written. Parts of other files are copied within the kernel where that works."""

    descriptor: int
    pending: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes | memoryview) -> None:
        self.pending += data
        if len(self.pending) >= BUFFER:
            self.flush()

    def piece(self, piece: Piece) -> None:
        """Adds the bytes of a tensor: little-endian, the last axis fastest."""
        if isinstance(piece, Part):
            self._copy(piece)
            return
        if piece.nbytes < SMALL:
            self.write(_bytes(piece))
            return
        self.flush()
        for part in _in_order(piece):
            write_all(self.descriptor, _bytes(part))

    def flush(self) -> None:
        write_all(self.descriptor, memoryview(bytes(self.pending)))
        self.pending.clear()

    def _copy(self, part: Part) -> None:
        if part.length < SMALL:
            data = os.pread(part.descriptor, part.length, part.offset)
            _require_whole(len(data) == part.length)
            self.write(data)
            return
        self.flush()
        done = _copy_in_kernel(part, self.descriptor)
        while done < part.length:
            data = os.pread(part.descriptor, min(BUFFER, part.length - done), part.offset + done)
            _require_whole(bool(data))
            write_all(self.descriptor, memoryview(data))
            done += len(data)


def write_outputs(writers: Mapping[Path, Writer], force: bool = False) -> None:
    """Writes all the files or none. A file there that netc did not write stays, unless `force`."""
    if strangers := [p for p in writers if not force and p.exists() and not written_by_netc(p)]:
        raise Refused(*(not_ours(str(path)) for path in strangers))
    try:
        write_files({path: _through_sink(write) for path, write in writers.items()})
    except OSError as error:
        raise Refused(cannot_write(str(error.filename), reason(error))) from error


def write_output(path: Path, write: Writer, force: bool = False) -> None:
    write_outputs({path: write}, force)


def written_by_netc(path: Path) -> bool:
    """Whether the file at `path` bears the mark of its kind."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(256)
    if path.suffix == ".py":
        return PYTHON_MARK.encode() in b"".join(start.splitlines(True)[:2])
    if path.suffix == ".onnx":
        return start[:1] == b"\x08" and start[2:8] == b"\x12\x04" + ONNX_MARK
    return start[8:].startswith(SAFETENSORS_MARK)


def _through_sink(write: Writer) -> Callable[[int], None]:
    def to(descriptor: int) -> None:
        sink = Sink(descriptor)
        write(sink)
        sink.flush()

    return to


def _in_order(values: npt.NDArray[Any]) -> Iterator[npt.NDArray[Any]]:
    """`values`, in pieces where they are to be copied, as they lie in another order."""
    if values.flags.c_contiguous:
        yield values
        return
    rows = max(1, BUFFER * len(values) // values.nbytes)
    for start in range(0, len(values), rows):
        yield values[start : start + rows]


def _bytes(values: npt.NDArray[Any]) -> memoryview:
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return little.reshape(-1).view(np.uint8).data if little.size else memoryview(b"")


def read_part(part: Part) -> bytearray:
    """The bytes of `part`; the kernel gives no more than 2 GiB at a time."""
    data = bytearray(part.length)
    view, done = memoryview(data), 0
    while done < part.length:
        read = os.preadv(part.descriptor, [view[done:]], part.offset + done)
        _require_whole(bool(read))
        done += read
    return data


def _copy_in_kernel(part: Part, target: int) -> int:
    """How many bytes of `part` the kernel copied; what it cannot copy is left to the caller."""
    done = 0
    if not hasattr(os, "copy_file_range"):
        return done
    with suppress(OSError):  # other file systems, old kernels
        while done < part.length:
            copied = os.copy_file_range(part.descriptor, target, part.length - done, part.offset + done)
            if not copied:
                break
            done += copied
    return done


def _require_whole(whole: bool) -> None:
    if not whole:
        raise OSError("the file of weights became shorter while it was read")
