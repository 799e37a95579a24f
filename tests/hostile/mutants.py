"""Checks mutants of the shipped specs and of the standard library: bytes and tokens changed at random."""

from __future__ import annotations

import random
import re
import signal
import sys
import time
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path
from typing import NoReturn

from netc.diagnostics import Refused
from netc.diagnostics.render import render_text
from netc.passes.check import check
from netc.passes.load import load

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("specs/*.net"), *ROOT.glob("netc/std/*.net")])
SECONDS = 5.0
PARTS = re.compile(r'"""|"[^"\n]*"|[A-Za-z_]\w*|[0-9.]+|->|\*\*|//|[=!<>]=|\s+|.', re.S)
SPARE = [*"()[]{},:=+-*/%@.\"#", "->", "**", "//", "0", "1", "-1", "2147483647", "9223372036854775807", "1e300", "none",
         "x", "N", "if", "else", "for", "in", "init", "range", "not", "* 20000", "\n", "\r", "\x00", "\u202e"]  # fmt: skip


class TooLong(BaseException):
    """A mutant that is not checked in time."""


def mutant(seed: int) -> bytes:
    """A spec or a file of the library with one to four changes. One of the library gets no net."""
    choose = random.Random(seed)
    data = choose.choice(SOURCES).read_bytes()
    for _ in range(choose.randint(1, 4)):
        data = _bytes(data, choose) if choose.random() < 0.3 else _tokens(data, choose)
    return data


def _bytes(data: bytes, choose: random.Random) -> bytes:
    i = choose.randrange(len(data) + 1)
    return choose.choice(
        [
            data[:i] + bytes([choose.randrange(256)]) + data[i + 1 :],
            data[:i] + data[i + 1 :],
            data[:i],
            data + data[i:],
        ]
    )


def _tokens(data: bytes, choose: random.Random) -> bytes:
    parts = PARTS.findall(data.decode(errors="replace")) or [""]
    i, j = choose.randrange(len(parts)), choose.randrange(len(parts))
    way = choose.randrange(5)
    if way == 0:
        del parts[i]
    elif way == 1:
        parts[i], parts[j] = parts[j], parts[i]
    elif way == 2:
        parts.insert(j, parts[i])
    elif way == 3:
        parts[i] = choose.choice(SPARE)
    else:
        numbers = [k for k, part in enumerate(parts) if part.isdigit()]
        if numbers:
            parts[choose.choice(numbers)] = str(choose.choice([0, 1, 3, 7, 10**5, 10**9, 2**31, 2**62]))
    return "".join(parts).encode()


def examine(seed: int) -> tuple[int, str, float]:
    """The seed, what went wrong (nothing where all is well), and the seconds that it took."""
    data, start = mutant(seed), time.process_time()
    signal.signal(signal.SIGPROF, _end)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    fault = ""
    try:
        render_text(check(load("spec.net", lambda path: _read(path, data))))
    except Refused as refused:
        render_text(refused.diagnostics)
    except TooLong:
        fault = "time"
    except Exception as error:
        fault = f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    return seed, fault, time.process_time() - start


def _read(path: str, data: bytes) -> bytes:
    return data if path == "spec.net" else (ROOT / "specs" / path).read_bytes()


def _end(*_: object) -> NoReturn:
    raise TooLong


def campaign(count: int, jobs: int, seed: int) -> int:
    """Checks so many mutants and prints what failed; 1 where any did."""
    slowest, failed = (0.0, 0), 0
    for n, fault, seconds in _examined(range(seed, seed + count), jobs):
        slowest = max(slowest, (seconds, n))
        if fault:
            failed += 1
            print(f"mutant {n}: {fault}", flush=True)
    print(f"{count} mutants, {failed} failed; slowest: {slowest[1]}, {slowest[0]:.2f} s")
    return 1 if failed else 0


def _examined(seeds: range, jobs: int) -> Iterator[tuple[int, str, float]]:
    with Pool(jobs, sys.setrecursionlimit, (20_000,)) as pool:
        yield from pool.imap_unordered(examine, seeds, 16)
