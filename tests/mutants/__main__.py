"""Plants each mutant in a process of its own and tells which oracle notices it: `python -m tests.mutants`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.mutants import oracles  # after the path is set
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutant import Mutant

SECONDS = 100  # a mutant that runs longer has been noticed


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", default="", help="those whose name or place has this in it")
    parser.add_argument(
        "--oracle", choices=list(oracles.ORACLES), help="this one instead of each mutant's own"
    )
    parser.add_argument("--every", type=int, default=1, help="each n-th of them")
    parser.add_argument("--jobs", type=int, default=1, help="processes at once")
    parser.add_argument("--trusting", action="store_true", help="take it that all passes without a mutant")
    chosen = parser.parse_args()
    found = [m for m in MUTANTS if chosen.only.lower() in f"{m.what} {m.where}".lower()]
    wanted = found
    if chosen.every > 1:  # those that are none take the longest, as every oracle is asked
        wanted = [m for m in found if not m.equivalent][:: chosen.every]
    if chosen.oracle:
        wanted = [replace(m, oracles=(chosen.oracle,), tests=()) for m in wanted if not m.equivalent]
    if chosen.trusting:
        oracles.unfit = oracles.unfit_gradients = oracles.unfit_samples = frozenset
    for what in () if chosen.trusting else prepared(wanted):
        print(f"fails without any mutant: {what}")
    oracles.wanted_codes()
    by: Counter[str] = Counter()
    survivors = []
    for mutant, found, seconds in run(wanted, chosen.jobs):
        oracle, said = found or ("", "SURVIVES")
        by[oracle or ("equivalent" if mutant.equivalent else "none")] += 1
        if found is None and not mutant.equivalent:
            survivors.append(mutant)
        if found is not None and mutant.equivalent:
            said += " (although it counts as equivalent)"
            survivors.append(mutant)
        print(
            f"{oracle or ('equivalent' if mutant.equivalent else 'NONE'):10}  {mutant.what}: {said} ({seconds:.0f} s)",
            flush=True,
        )
    print(f"{len(wanted)} mutants: " + ", ".join(f"{count} by {name}" for name, count in by.most_common()))
    print(f"{len(survivors)} survive" + "".join(f"\n  {m.what} ({m.where})" for m in survivors))
    return 1 if survivors else 0


def prepared(mutants: Sequence[Mutant]) -> list[str]:
    """What fails already, and so is left out."""
    asked = {oracle for m in mutants for oracle in m.oracles}
    found = [f"the net {name}" for name in sorted(oracles.unfit())] if "nets" in asked else []
    if "gradients" in asked:
        found += [f"the gradients of {name}" for name in sorted(oracles.unfit_gradients())]
    if "samples" in asked:
        found += [f"{facet} of {op}-{i}" for op, i, facet in sorted(oracles.unfit_samples())]
    return found


def run(mutants: Sequence[Mutant], jobs: int) -> Iterator[tuple[Mutant, tuple[str, str] | None, float]]:
    """Each with the oracle that noticed it, as they end; so many processes at once."""
    left = list(reversed(mutants))
    under_way: dict[int, tuple[Mutant, int, float]] = {}
    while left or under_way:
        while left and len(under_way) < jobs:
            mutant = left.pop()
            pid, pipe = _start(mutant)
            under_way[pid] = (mutant, pipe, time.time())
        pid, status = os.wait()
        mutant, pipe, start = under_way.pop(pid)
        with os.fdopen(pipe) as file:
            said = file.read()
        found = tuple(json.loads(said)) if said not in ("", "null") else None
        if status and not said:
            found = (
                ("time", f"no end after {SECONDS} s")
                if status == signal.SIGALRM
                else ("crash", f"status {status}")
            )
        yield mutant, found, time.time() - start  # type: ignore[misc]


def _start(mutant: Mutant) -> tuple[int, int]:
    """A process with the mutant in it, and the pipe by which it tells what it found."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writing)
        return pid, reading
    os.close(reading)
    signal.alarm(SECONDS)
    said = json.dumps(("crash", "see above"))
    try:
        mutant.plant()
        found = oracles.killed(mutant)
        said = json.dumps(found)
    except (LookupError, AttributeError) as error:
        said = json.dumps(("stale", str(error)))
    finally:
        os.write(writing, said.encode())
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
