"""Measures `netc check` of ResNet-50 against Python alone: whole processes, interleaved."""

from __future__ import annotations

import argparse
import sys

from timing import NETC, SPEC, Bound, conclude, interleave, print_runs

MOST = 0.3  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="how often each is run (%(default)s)")
    arguments = parser.parse_args()
    runs = interleave(
        {
            "python -c pass": (sys.executable, "-c", "pass"),
            "netc check": (*NETC, "check", SPEC, "--net", "ResNet50"),
        },
        arguments.rounds,
    )
    print_runs(runs)
    over = runs["netc check"].over(runs["python -c pass"])
    conclude([Bound("netc check, seconds over Python", over, MOST)])


if __name__ == "__main__":
    main()
