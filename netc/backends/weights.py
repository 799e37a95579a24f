"""Turns a seed, a safetensors file or arrays into the values of parameters, and these into such a file."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from netc.backends.output import Part, Piece, Sink, Writer, read_part, write_outputs
from netc.backends.safetensors_file import Stored, header_bytes, read_header
from netc.diagnostics import Diagnostic, Refused
from netc.diagnostics import wording_weights as wording
from netc.files.read import open_regular
from netc.ir.module import Param
from netc.ops.arrays import np
from netc.passes.initial import WIDTHS, State, Typed, bytes_of, draw, numbers

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

    import numpy.typing as npt

Array: TypeAlias = "npt.NDArray[Any]"
WORTH_A_THREAD = 1 << 16  # bytes; less is drawn sooner than handed over
FEW = 2  # tensors of other names that are each told of
AHEAD = 4  # tensors drawn before they are written
FLOATS = ("float32", "float64")
SCANNED = 1 << 18  # bytes looked at in one go for numbers that are not finite


class Weights(Protocol):
    """Where the values of parameters come from."""

    def pieces(self, names: Sequence[str]) -> Iterator[Piece]:
        """The values of the parameters called `names`, in this order."""


@dataclass(frozen=True)
class Drawn:
    """Starting values: the same for the same seed and name."""

    state: State
    seed: int = 0

    def pieces(self, names: Sequence[str]) -> Iterator[Piece]:
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(2) as pool:
            waiting: deque[Callable[[], Array]] = deque()
            for name in names:
                waiting.append(self._start(pool, name))
                if len(waiting) > AHEAD:
                    yield waiting.popleft()()
            while waiting:
                yield waiting.popleft()()

    def _start(self, pool: ThreadPoolExecutor, name: str) -> Callable[[], Array]:
        param = self.state[name]
        if bytes_of(param) < WORTH_A_THREAD:
            values = draw(name, param, self.seed)
            return lambda: values
        future: Future[Array] = pool.submit(draw, name, param, self.seed)
        return future.result


@dataclass(frozen=True)
class Held:
    """Arrays in memory."""

    arrays: Mapping[str, Array]

    def pieces(self, names: Sequence[str]) -> Iterator[Piece]:
        return (self.arrays[name] for name in names)


@dataclass(frozen=True)
class FromFile:
    """The tensors of an open safetensors file, which fit the net; a counter that it lacks is 0."""

    descriptor: int
    tensors: Mapping[str, Stored]
    state: State

    def pieces(self, names: Sequence[str]) -> Iterator[Piece]:
        return map(self._piece, names)

    def _piece(self, name: str) -> Piece:
        if name in self.tensors:
            stored = self.tensors[name]
            return Part(self.descriptor, stored.offset, stored.length)
        param = self.state[name]
        return np.zeros(numbers(param.type.shape), param.type.dtype)


@contextmanager
def opened_weights(path: Path, state: State) -> Iterator[FromFile]:
    """The weights in the file at `path`: exactly those of `state`, else Refused with all misfits."""
    tensors = read_header(path).tensors
    if findings := _misfits(str(path), tensors, state):
        raise Refused(*findings)
    with open_regular(path) as file:
        descriptor = file.fileno()
        if findings := _not_finite(str(path), descriptor, tensors):
            raise Refused(*findings)
        yield FromFile(descriptor, tensors, state)


def load_weights(path: Path, state: State) -> dict[str, Array]:
    """The same weights as arrays."""
    with opened_weights(path, state) as weights:
        out = {}
        for (name, param), piece in zip(state.items(), weights.pieces(list(state)), strict=True):
            out[name] = array_of(piece, param)
        return out


def _not_finite(path: str, descriptor: int, tensors: Mapping[str, Stored]) -> list[Diagnostic]:
    counts = {name: _count_not_finite(descriptor, t) for name, t in tensors.items() if t.dtype in FLOATS}
    wrong = [name for name, count in counts.items() if count]

    def tell(name: str) -> Diagnostic:
        return wording.not_finite(path, name, counts[name], prod(tensors[name].shape))

    return _cut(path, wrong, "not finite", tell)


def _count_not_finite(descriptor: int, stored: Stored) -> int:
    count = 0
    for start in range(0, stored.length, SCANNED):
        data = os.pread(descriptor, min(SCANNED, stored.length - start), stored.offset + start)
        # Little-endian: the last byte holds the sign and most of the exponent. Loading numpy takes longer than this.
        width = WIDTHS[stored.dtype]
        last = data[width - 1 :: width]
        if b"\x7f" in last or b"\xff" in last:
            values = np.frombuffer(data, stored.dtype)
            count += values.size - int(np.count_nonzero(np.isfinite(values)))
    return count


def array_of(piece: Piece, param: Param) -> Array:
    """The values of `param`, in memory."""
    if isinstance(piece, Part):
        piece = np.frombuffer(read_part(piece), param.type.dtype)
    return piece.reshape(numbers(param.type.shape))


def _misfits(path: str, tensors: Mapping[str, Stored], state: State) -> list[Diagnostic]:
    missing = [name for name, param in state.items() if name not in tensors and not _is_counter(param)]
    spare = [name for name in tensors if name not in state]
    if len(spare) == len(tensors) > FEW and missing:
        return [wording.foreign_weights(path, len(spare), spare[0], missing[0])]
    found = {
        name: _misfit(path, name, tensors[name], param) for name, param in state.items() if name in tensors
    }

    def alike(name: str) -> list[str]:
        return [other for other in spare if tensors[other].shape == state[name].type.shape]

    wrong = {name: finding for name, finding in found.items() if finding is not None}
    out = _cut(path, list(wrong), "of another shape or dtype", wrong.__getitem__)
    out += _cut(path, missing, "missing", lambda name: wording.missing_tensor(path, name, alike(name)))
    known = missing or state
    return out + _cut(path, spare, "not the net's", lambda name: wording.unexpected_tensor(path, name, known))


def _cut(path: str, names: Sequence[str], what: str, tell: Callable[[str], Diagnostic]) -> list[Diagnostic]:
    """A finding for each name; beyond a screenful the last only says how many more there are."""
    out = [tell(name) for name in names[: wording.SHOWN]]
    if len(names) > wording.SHOWN:
        out[-1] = out[-1].noting(wording.unlisted(path, len(names) - wording.SHOWN, what))
    return out


def _misfit(path: str, name: str, found: Stored, param: Param) -> Diagnostic | None:
    if found.shape != param.type.shape:
        return wording.wrong_shape(path, name, found.shape, param.type.shape)
    if found.dtype != param.type.dtype:
        return wording.wrong_dtype(path, name, found.dtype, param.type.dtype)
    return None


def _is_counter(param: Param) -> bool:
    """Whether it only counts the training steps of a norm, which older files lack."""
    return not param.trainable and param.path[-1] == "num_batches_tracked" and param.type.shape == ()


@dataclass(frozen=True)
class Layout:
    """A safetensors file to be written. offsets: from the start of the file."""

    head: bytes
    offsets: Mapping[str, int]


def lay_out(tensors: Mapping[str, Typed], description: str) -> Layout:
    """The `tensors` one behind the other, the widest dtype first, so that each is aligned."""
    stored: dict[str, Stored] = {}
    end = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: -WIDTHS[item[1].type.dtype]):
        stored[name] = Stored(tensor.type.dtype, numbers(tensor.type.shape), end, bytes_of(tensor))
        end += bytes_of(tensor)
    head = header_bytes(stored, description)
    return Layout(head, {name: len(head) + t.offset for name, t in stored.items()})


def write_tensors(sink: Sink, layout: Layout, pieces: Iterable[Piece]) -> None:
    """Writes the file of `layout`. pieces: the values in the order in which it has the tensors."""
    sink.write(layout.head)
    for piece in pieces:
        sink.piece(piece)


def safetensors_files(path: Path, state: State, weights: Weights, description: str) -> dict[Path, Writer]:
    """What is to be written: every parameter and buffer of `state`; `description` is the one entry of its metadata."""
    layout = lay_out(state, description)
    return {path: lambda sink: write_tensors(sink, layout, weights.pieces(list(layout.offsets)))}


def write_safetensors(
    path: Path, state: State, weights: Weights, description: str, force: bool = False
) -> None:
    """Writes such a file."""
    write_outputs(safetensors_files(path, state, weights, description), force)
