"""Turns a number of programs and a seed into what was found, in chunks that several processes work through."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context

import netc.ops  # noqa: F401  (enters the ops in the registry)
from netc.fuzz.case import OPSETS
from netc.fuzz.examine import AGAIN, Examiner, Outcome, Task, crash
from netc.fuzz.generate import Pair, generate
from netc.fuzz.held import Uncomputed
from netc.fuzz.judge import Finding, signature
from netc.fuzz.pairs import asked

CHUNK = 100
KEPT = 25  # failing programs that are held in full


@dataclass(frozen=True)
class Failure:
    """A program that something is wrong with, which nothing explains."""

    index: int
    text: str
    opset: int
    findings: tuple[Finding, ...]


@dataclass
class Tally:
    """What was found in some programs."""

    programs: int = 0
    ops: int = 0
    values: int = 0
    unsettled: int = 0
    sloped: int = 0
    failed: int = 0
    pairs: Counter[Pair] = field(default_factory=Counter)
    aside: Counter[str] = field(default_factory=Counter)
    no_onnx: Counter[str] = field(default_factory=Counter)
    explained: Counter[str] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Takes in what another tally has."""
        for name in ("programs", "ops", "values", "unsettled", "sloped", "failed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("pairs", "aside", "no_onnx", "explained", "kinds"):
            getattr(self, name).update(getattr(other, name))
        self.failures = sorted((*self.failures, *other.failures), key=lambda f: f.index)[:KEPT]

    def enter(self, index: int, task: Task, outcome: Outcome) -> None:
        """Takes in what was found in one program."""
        self.programs += 1
        self.ops += outcome.ops
        self.values += outcome.values
        self.unsettled += outcome.unsettled
        self.sloped += outcome.sloped
        self.pairs.update(outcome.pairs)
        self.aside.update([outcome.aside] if outcome.aside else [])
        self.no_onnx.update([outcome.no_onnx] if outcome.no_onnx else [])
        self.explained.update({known.name for known, _ in outcome.explained})
        if outcome.findings:
            self.failed += 1
            self.kinds.update({signature(f) for f in outcome.findings})
            self.failures.append(Failure(index, task.text, task.opset, outcome.findings))


def opset_of(index: int) -> int:
    """The opset of a program: all are asked for in turn."""
    return OPSETS[index % len(OPSETS)]


def task_of(seed: int, index: int) -> Task | Finding:
    """A program to examine; a finding where numpy cannot compute what an op's rules take."""
    try:
        text = generate(seed, index, asked(seed, index)).text
    except Uncomputed as error:
        return crash("forward", error)
    return Task(text, opset_of(index), index % AGAIN == 0)


@cache
def _examiner() -> Examiner:
    """One for each process, for as long as it lives."""
    return Examiner().__enter__()


def chunk(seed: int, start: int, stop: int, examiner: Examiner | None = None) -> Tally:
    """What is found in the programs from `start` up to `stop`."""
    tally = Tally()
    made = {index: task_of(seed, index) for index in range(start, stop)}
    tasks = {index: task for index, task in made.items() if isinstance(task, Task)}
    outcomes = (examiner or _examiner()).examine(list(tasks.values()))
    for (index, task), outcome in zip(tasks.items(), outcomes, strict=True):
        tally.enter(index, task, outcome)
    for index, found in made.items():
        if isinstance(found, Finding):
            tally.enter(index, Task(""), Outcome((found,)))
    tally.failures.sort(key=lambda f: f.index)
    return tally


def campaign(
    programs: int,
    seed: int,
    jobs: int = 1,
    limit: float | None = None,
    told: Callable[[Tally], None] | None = None,
) -> Tally:
    """Everything that is found in programs 0 up to `programs`, or in as many as fit into `limit` seconds."""
    tally, end = Tally(), time.monotonic() + limit if limit is not None else None
    for part in _chunks(programs, seed, jobs, end):
        tally.add(part)
        if told is not None:
            told(tally)
    return tally


def _chunks(programs: int, seed: int, jobs: int, end: float | None) -> Iterator[Tally]:
    """The tallies as they come; what is counted does not depend on their order."""
    starts = iter(range(0, programs, CHUNK))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        waiting: set[Future[Tally]] = set()
        while True:
            for start in starts:
                if end is not None and time.monotonic() > end:
                    break
                waiting.add(pool.submit(chunk, seed, start, min(start + CHUNK, programs)))
                if len(waiting) > jobs:
                    break
            if not waiting:
                return
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from _results(list(done))


def _results(done: Sequence[Future[Tally]]) -> Iterator[Tally]:
    for future in done:
        yield future.result()
