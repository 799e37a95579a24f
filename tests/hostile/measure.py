"""Runs a command and tells its status, what it prints, its processor time and its peak memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

STOP = 30  # seconds of processor time after which a command is killed
FAILED = "netc itself failed"
NETC = (sys.executable, "-m", "netc")


@dataclass(frozen=True)
class Outcome:
    """How a command ended. seconds: of the processor. mebibytes: at the peak."""

    status: int
    output: str
    seconds: float
    mebibytes: float

    def faults(self, seconds: float, mebibytes: float) -> list[str]:
        """What is wrong with it; nothing where it ended within the bounds, with a message or without a mistake.

        A command that is wrong itself has shown nothing.
        """
        crashed = FAILED in self.output or "Traceback" in self.output or self.status not in (0, 1, 2)
        return [
            *(["crash"] if crashed else []),
            *(["time"] if self.seconds > seconds else []),
            *(["usage"] if self.status == 2 and self.output.startswith("Usage:") else []),
            *(["memory"] if self.mebibytes > mebibytes else []),
        ]


def run(arguments: Sequence[str], folder: Path) -> Outcome:
    """Runs netc, or what else `arguments` begin with, in `folder`."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (STOP, STOP))

    with (folder / "printed").open("wb") as printed:
        process = subprocess.Popen(
            [*NETC, *arguments],
            cwd=folder,
            stdout=printed,
            stderr=printed,
            stdin=subprocess.DEVNULL,
            preexec_fn=limit,
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    output = (folder / "printed").read_text(errors="replace")
    return Outcome(process.returncode, output, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)
