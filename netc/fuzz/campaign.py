"""Turns a number of programs and a seed into what was found, in chunks that several processes work through."""

from __future__ import annotations

import gc
import signal
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, as_completed, wait
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from typing import Any, TypeAlias

from netc.fuzz.case import OPSETS
from netc.fuzz.examine import AGAIN, Examiner, Outcome, Task
from netc.fuzz.generate import Pair, generate, generate_pair, registry
from netc.fuzz.held import Uncomputed
from netc.fuzz.judge import Finding, signature
from netc.fuzz.pairs import Chains, asked

CHUNK = 100
KEPT = 25  # failing programs that are held in full
AHEAD = 4  # chunks under way
SWEEPS = 6  # turns in which pairs that were not met are tried
LONG = 200  # turns for those that are found possible


@dataclass(frozen=True)
class Way:
    """How a program of a pair is made. searched: from what an exhaustive search finds; narrow: as in Draft."""

    searched: bool = False
    narrow: bool = False


Told: TypeAlias = Callable[["Tally"], None]


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
    failed: int = 0
    pairs: Counter[Pair] = field(default_factory=Counter)
    aside: Counter[str] = field(default_factory=Counter)
    no_onnx: Counter[str] = field(default_factory=Counter)
    no_gradient: Counter[str] = field(default_factory=Counter)
    explained: Counter[str] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Takes in what another tally has."""
        for name in ("programs", "ops", "values", "unsettled", "failed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("pairs", "aside", "no_onnx", "no_gradient", "explained", "kinds"):
            getattr(self, name).update(getattr(other, name))
        self.failures = sorted((*self.failures, *other.failures), key=lambda f: f.index)[:KEPT]

    def enter(self, index: int, task: Task, outcome: Outcome) -> None:
        """Takes in what was found in one program."""
        self.programs += 1
        self.ops += outcome.ops
        self.values += outcome.values
        self.unsettled += outcome.unsettled
        self.pairs.update(outcome.pairs)
        self.aside.update([outcome.aside] if outcome.aside else [])
        self.no_onnx.update([outcome.no_onnx] if outcome.no_onnx else [])
        self.no_gradient.update([outcome.no_gradient] if outcome.no_gradient else [])
        self.explained.update({known.name for known, _ in outcome.explained})
        if outcome.findings:
            self.failed += 1
            self.kinds.update({signature(f) for f in outcome.findings})
            self.failures.append(Failure(index, task.text, task.opset, outcome.findings))


def opset_of(index: int) -> int:
    """The opset of a program: all are asked for in turn."""
    return OPSETS[index % len(OPSETS)]


def task_of(seed: int, index: int, pair: Pair | None = None, way: Way = Way()) -> Task | Finding | None:
    """A program to examine; a finding where numpy cannot compute what an op's rules take.

    pair: that which the program consists of, made in this way; None where the two do not fit.
    """
    try:
        starts = list(_chains().starts(pair)) if pair and way.searched else []
        if pair is None:
            text: str | None = generate(seed, index, asked(seed, index))
        else:
            skipped = way.searched and not starts
            text = None if skipped else generate_pair(seed, index, pair, starts, way.narrow)
    except Uncomputed as error:
        return Finding("forward", "numpy", str(error))
    return None if text is None else Task(text, opset_of(index), index % AGAIN == 0)


@cache
def _chains() -> Chains:
    """One for each process: what it finds is kept."""
    return Chains()


@cache
def _examiner() -> Examiner:
    """One for each process, for as long as it lives."""
    gc.set_threshold(1_000_000)
    warnings.simplefilter("ignore", RuntimeWarning)  # of numpy, on values that are not finite
    return Examiner().__enter__()


def chunk(
    seed: int,
    indices: Sequence[int],
    pairs: Sequence[Pair] = (),
    way: Way = Way(),
    examiner: Examiner | None = None,
) -> Tally:
    """What is found in the programs of these numbers, each of one of the `pairs` where there are some."""
    tally, examiner = Tally(), examiner or _examiner()
    asked_for: Sequence[Pair | None] = pairs or [None] * len(indices)
    made = {i: task_of(seed, i, pair, way) for i, pair in zip(indices, asked_for, strict=True)}
    tasks = {index: task for index, task in made.items() if isinstance(task, Task)}
    for (index, task), outcome in zip(tasks.items(), examiner.examine(list(tasks.values())), strict=True):
        tally.enter(index, task, outcome)
    for index, found in made.items():
        if isinstance(found, Finding):
            tally.enter(index, Task(""), Outcome((found,)))
    tally.failures.sort(key=lambda f: f.index)
    return tally


def campaign(
    pool: Executor,
    tally: Tally,
    seed: int,
    programs: int,
    limit: float | None = None,
    told: Told | None = None,
) -> None:
    """Adds programs 0 up to `programs`, or as many as fit into `limit` seconds."""
    end = time.monotonic() + limit if limit is not None else None
    parts = (range(i, min(i + CHUNK, programs)) for i in range(0, programs, CHUNK))
    for part in _run(pool, ((chunk, seed, part) for part in parts if end is None or time.monotonic() < end)):
        tally.add(part)
        if told is not None:
            told(tally)


def missing(tally: Tally) -> list[Pair]:
    """The pairs of ops that no program had."""
    names = [op.name for op in registry()]
    return [(a, b) for a in names for b in names if (a, b) not in tally.pairs]


def sweep(
    pool: Executor, tally: Tally, seed: int, programs: int, jobs: int, told: Told | None = None
) -> list[Pair]:
    """Adds programs of two ops for the pairs that were not met: some for each, then many for those that are possible.

    Gives the possible ones that are still not met. Possible are those that an exhaustive search over the samples can
    chain; whether the values fit, too, such as a share between 0 and 1, only a program shows.
    """
    left = missing(tally)
    for turn in range(LONG):
        if turn == SWEEPS:
            left = possible(pool, left, jobs)
        start = programs + turn * len(registry()) ** 2
        numbered = [(start + i, pair) for i, pair in enumerate(left)]
        parts = [numbered[i : i + CHUNK] for i in range(0, len(numbered), CHUNK)]
        # by chance, then every other turn by the search, and of the possible ones half on narrow inputs
        way = Way(turn >= SWEEPS - 1 and turn % 2 == 1, turn > SWEEPS and turn % 4 >= 2)
        works = ((chunk, seed, [i for i, _ in part], [pair for _, pair in part], way) for part in parts)
        for part in _run(pool, works):
            tally.add(part)
            if told is not None:
                told(tally)
        left = [pair for pair in left if pair not in tally.pairs]
    return left


def search(pairs: Sequence[Pair]) -> list[Pair]:
    """Those of `pairs` that can be met, by what the samples show."""
    return [pair for pair in pairs if _chains().can(pair)]


def possible(pool: Executor, left: Sequence[Pair], jobs: int) -> list[Pair]:
    """Those of the pairs not met that an exhaustive search over the samples finds possible."""
    seconds = sorted({b for _, b in left})
    parts = [[p for p in left if p[1] in seconds[i::jobs]] for i in range(jobs)]
    return sorted(p for found in pool.map(search, [part for part in parts if part]) for p in found)


def started(jobs: int) -> Executor:
    """The processes that work. Use it as a context. An interrupt from the keyboard is left to who started them."""
    ignored = (signal.SIGINT, signal.SIG_IGN)
    return ProcessPoolExecutor(jobs, get_context("spawn"), signal.signal, ignored)


def _run(pool: Executor, works: Iterable[tuple[Any, ...]]) -> Iterator[Tally]:
    """The tallies as they come, a few of the works being under way; no count depends on their order."""
    waiting: set[Future[Tally]] = set()
    for work in works:
        waiting.add(pool.submit(*work))
        if len(waiting) > AHEAD:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    for future in as_completed(waiting):
        yield future.result()
