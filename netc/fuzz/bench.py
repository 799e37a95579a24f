"""Turns jobs into what another process makes of them: torch and onnxruntime, or netc itself a second time."""

from __future__ import annotations

import os
import pickle
import select
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RUNNER = (sys.executable, "-I", str(Path(__file__).with_name("worker.py")))
RECOMPILER = (sys.executable, "-m", "netc.fuzz.recompile")
HASH_SEED = (
    "8128"  # of the other process: what depends on the order of a set is not the same in two processes
)
PATIENCE = 120.0  # seconds that a batch may take
Job = Mapping[str, Any]


class Bench:
    """A process that answers batches of jobs, and is started anew when it dies. Use it as a context."""

    def __init__(self, command: Sequence[str] = RUNNER) -> None:
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def run(self, jobs: Sequence[Job]) -> list[dict[str, Any]]:
        """What was made of each job; where the process died of one, {"died": why} for that one alone."""
        found = self._ask(jobs)
        if isinstance(found, list):
            return found
        if len(jobs) == 1:
            return [{"died": found}]
        middle = len(jobs) // 2
        return self.run(jobs[:middle]) + self.run(jobs[middle:])

    def _ask(self, jobs: Sequence[Job]) -> list[dict[str, Any]] | str:
        """The answers, or why there are none."""
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        data = pickle.dumps(list(jobs))
        try:
            process.stdin.write(struct.pack("<Q", len(data)) + data)
            process.stdin.flush()
            if not select.select([process.stdout], [], [], PATIENCE)[0]:
                self._stop()
                return f"no answer within {PATIENCE:g} seconds"
            head = process.stdout.read(8)
            length = struct.unpack("<Q", head)[0]
            answers: list[dict[str, Any]] = pickle.loads(process.stdout.read(length))
            return answers
        except (OSError, struct.error, EOFError, pickle.UnpicklingError):
            code = process.wait()
            self._stop()
            return f"the process ended with {code}"

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={
                    **os.environ,
                    "OMP_NUM_THREADS": "1",
                    "MKL_NUM_THREADS": "1",
                    "PYTHONHASHSEED": HASH_SEED,
                },
            )
        return self._process

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None
