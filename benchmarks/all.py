"""Runs every benchmark, one after the other, and says which of them failed."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

SCRIPTS = ("check", "export", "layers", "run")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, help="how often each command is run")
    arguments = parser.parse_args()
    given = [] if arguments.rounds is None else ["--rounds", str(arguments.rounds)]
    failed = []
    for name in SCRIPTS:
        print(f"\n## {name}\n", flush=True)
        script = str(Path(__file__).with_name(f"{name}.py"))
        if subprocess.run([sys.executable, script, *given]).returncode:
            failed.append(name)
    print(f"\n{', '.join(failed)} failed" if failed else "\nevery bound holds")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
