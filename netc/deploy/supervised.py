"""Turns messages to the process of an ONNX file into replies, and ends it where it takes too long or too much memory."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import sys
import time
import weakref
from dataclasses import dataclass
from math import inf
from pathlib import Path
from signal import Signals
from typing import Any

import netc
from netc.deploy.model_process import HEAD, pack
from netc.diagnostics import Refused
from netc.diagnostics import wording_deploy as say

POLL = 0.02  # seconds between looks at the clock and at the memory
CHUNK = 1 << 20
PROGRAM = "import sys; sys.path.append(sys.argv[1]); from netc.deploy.model_process import main; main()"
LARGEST_REPLY = 1 << 30


@dataclass(frozen=True)
class Limits:
    """What a file may take. seconds: to be loaded, and for each batch."""

    seconds: float = 300
    memory: int = 4 << 30


UNLIMITED = Limits(inf, 1 << 62)  # for what netc has just written itself


class ModelProcess:
    """A process that loads one ONNX file and runs it; it ends with this object."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self.limits = path, limits
        # -P: a file in the working folder that is called as a module is not imported.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM, str(Path(netc.__file__).parents[1])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0,
        )  # fmt: skip
        self._end = weakref.finalize(self, _end, self._process)

    def ask(self, header: dict[str, Any], data: bytes | memoryview = b"") -> tuple[dict[str, Any], bytes]:
        """The reply to a message: its header and the bytes behind it; Refused where there is none."""
        reply = self._exchange(memoryview(pack(header, data)), time.monotonic() + self.limits.seconds)
        end = HEAD + int.from_bytes(reply[:8], "little")
        answer = json.loads(reply[HEAD:end])
        if "missing" in answer:
            raise ModuleNotFoundError(f"No module named {answer['missing']!r}", name=answer["missing"])
        return answer, reply[end:]

    def _exchange(self, message: memoryview, deadline: float) -> bytes:
        source, target = self._process.stdout, self._process.stdin
        assert source and target
        reply = bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(source, selectors.EVENT_READ)
            ready.register(target, selectors.EVENT_WRITE)
            os.set_blocking(target.fileno(), False)
            while len(reply) < _length(reply):
                for key, _ in ready.select(POLL):
                    if key.fileobj is source:
                        chunk = os.read(source.fileno(), CHUNK)
                        if not chunk:
                            self._say_how_it_ended()
                        reply += chunk
                    else:
                        message = _sent(target.fileno(), message)
                        if not message:
                            ready.unregister(target)
                self._check(deadline)
        return bytes(reply)

    def _check(self, deadline: float) -> None:
        if _memory_of(self._process.pid) > self.limits.memory:
            self._end()
            raise Refused(say.too_much_memory(self.path, self.limits.memory))
        if time.monotonic() > deadline:
            self._end()
            raise Refused(say.too_long(self.path, self.limits.seconds))

    def _say_how_it_ended(self) -> None:
        code = self._process.wait()
        how = f"ended by {Signals(-code).name}" if code < 0 else f"ended with status {code}"
        raise Refused(say.not_run(self.path, f"the process that ran it {how}"))


def _length(reply: bytearray) -> int:
    """Of the whole message that begins so."""
    if len(reply) < HEAD:
        return HEAD
    length = HEAD + int.from_bytes(reply[:8], "little") + int.from_bytes(reply[8:HEAD], "little")
    if length > LARGEST_REPLY:
        raise ValueError("the process of a model sent more than it was asked for")
    return length


def _sent(target: int, message: memoryview) -> memoryview:
    """What is left of a message; nothing where its reader is gone."""
    try:
        return message[os.write(target, message[:CHUNK]) :]
    except BlockingIOError:
        return message
    except BrokenPipeError:
        return message[:0]


def _memory_of(pid: int) -> int:
    """The bytes of memory that a process holds; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
