"""Runs every hostile input in a process of its own, prints what each took, and fails on a crash or a bound passed.

python -m tests.hostile
python -m tests.hostile --mutants 20000
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.hostile.files import CODES, COMMANDS, write_files
from tests.hostile.measure import Outcome, run
from tests.hostile.mutants import campaign
from tests.hostile.specs import SPECS

CHECK = (5.0, 512.0)  # seconds of the processor and mebibytes of a check
HEAVY = (30.0, 2048.0)  # of a verb that loads torch or onnxruntime


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("--mutants", type=int, default=0, help="check so many mutated specs instead")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="the inputs whose name holds this")
    options = parser.parse_args()
    if options.mutants:
        return campaign(options.mutants, options.jobs, options.seed)
    with tempfile.TemporaryDirectory() as name:
        rows = [_shown(*row) for row in _rows(Path(name), options.only)]
    _worst(rows)
    return 1 if any(faults for _, _, faults in rows) else 0


def _rows(folder: Path, only: str) -> Iterator[tuple[str, Outcome, list[str]]]:
    for title, text in SPECS.items():
        if only in title:
            (folder / "spec.net").write_text(text)
            outcome = run(["check", "spec.net"], folder)
            yield title, outcome, outcome.faults(*CHECK)
    write_files(folder)
    for title, arguments in COMMANDS.items():
        if only in title:
            outcome = run(arguments, folder)
            refused = f"error[{CODES[title.partition(':')[0]]}]" in outcome.output
            yield (
                title,
                outcome,
                [*outcome.faults(*HEAVY), *([] if refused else ["not refused for what it is"])],
            )


def _shown(title: str, outcome: Outcome, faults: list[str]) -> tuple[str, Outcome, list[str]]:
    told = " ".join(faults) or "ok"
    print(f"{title:48} {outcome.seconds:6.2f} s {outcome.mebibytes:6.0f} MiB  {told}", flush=True)
    return title, outcome, faults


def _worst(rows: list[tuple[str, Outcome, list[str]]]) -> None:
    if rows:
        slow = max(rows, key=lambda row: row[1].seconds)
        large = max(rows, key=lambda row: row[1].mebibytes)
        print(f"{len(rows)} inputs; slowest: {slow[0]}, {slow[1].seconds:.2f} s")
        print(f"largest: {large[0]}, {large[1].mebibytes:.0f} MiB; failed: {sum(bool(f) for *_, f in rows)}")


if __name__ == "__main__":
    sys.exit(main())
