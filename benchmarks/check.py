"""Measures `netc check` of LeNet and of all presets of specs/resnet.net against Python alone, interleaved."""

from __future__ import annotations

import argparse
import sys

from timing import NETC, ROOT, SPEC, Bound, conclude, interleave, print_runs

LENET, RESNET = 0.15, 0.35  # seconds over Python, at most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=21, help="how often each is run (%(default)s)")
    arguments = parser.parse_args()
    runs = interleave(
        {
            "python -c pass": (sys.executable, "-c", "pass"),
            "netc check specs/lenet.net": (*NETC, "check", str(ROOT / "specs" / "lenet.net")),
            "netc check specs/resnet.net": (*NETC, "check", SPEC),
        },
        arguments.rounds,
    )
    print_runs(runs)
    python = runs["python -c pass"]
    conclude(
        [
            Bound(f"{name}, seconds over Python", runs[name].over(python), most)
            for name, most in (("netc check specs/lenet.net", LENET), ("netc check specs/resnet.net", RESNET))
        ]
    )


if __name__ == "__main__":
    main()
