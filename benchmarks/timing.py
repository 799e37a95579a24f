"""Turns commands into medians of time and peak memory, and these into a table with the bounds to hold."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
NETC = (sys.executable, "-m", "netc")
SPEC = str(ROOT / "specs" / "resnet.net")


@dataclass(frozen=True)
class Run:
    """One process: wall-clock seconds, and the most memory that it held, in MB."""

    seconds: float
    memory: float


@dataclass(frozen=True)
class Runs:
    """The runs of one command, one a round."""

    runs: tuple[Run, ...]

    @property
    def seconds(self) -> float:
        return median(run.seconds for run in self.runs)

    @property
    def memory(self) -> float:
        return median(run.memory for run in self.runs)

    def times(self, other: Runs) -> float:
        """How many times as long this takes: the median over the rounds, as the machine's speed drifts."""
        return median(a.seconds / b.seconds for a, b in zip(self.runs, other.runs, strict=True))

    def over(self, other: Runs) -> float:
        """How many seconds longer this takes."""
        return median(a.seconds - b.seconds for a, b in zip(self.runs, other.runs, strict=True))


@dataclass(frozen=True)
class Bound:
    """What was measured, and the most that it may be."""

    text: str
    measured: float
    most: float

    @property
    def holds(self) -> bool:
        return self.measured <= self.most


def run(command: Sequence[str]) -> Run:
    """Runs a command, which must succeed. The parent stays small: a child starts with its parent's memory."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.stdout.close()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{said.decode(errors='replace')}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(seconds, used.ru_maxrss * unit / 1e6)


def _environment() -> dict[str, str]:
    """This one, with bytecode kept, as every installed package has it."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])}


def interleave(
    commands: Mapping[str, Sequence[str]], rounds: int, before: Callable[[], None] = lambda: None
) -> dict[str, Runs]:
    """The runs of each command, one a round, after a round that is not counted; `before` each, untimed."""
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            before()
            made = run(command)
            if number:
                runs[name].append(made)
    return {name: Runs(tuple(made)) for name, made in runs.items()}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints rows as a Markdown table."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    for row in (head, ["-" * width for width in widths], *rows):
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")


def print_runs(runs: Mapping[str, Runs]) -> None:
    table(
        ("command", "seconds", "peak MB"),
        [(n, f"{r.seconds:.3f}", f"{r.memory:.0f}") for n, r in runs.items()],
    )


def conclude(bounds: Sequence[Bound]) -> NoReturn:
    """Prints each bound and whether it holds; exits with 1 where one does not."""
    print()
    table(
        ("bound", "measured", "at most", ""),
        [(b.text, f"{b.measured:.3g}", f"{b.most:.3g}", "pass" if b.holds else "FAIL") for b in bounds],
    )
    print(
        f"\nload average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, Python {sys.version.split()[0]}"
    )
    sys.exit(not all(bound.holds for bound in bounds))
