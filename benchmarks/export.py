"""Measures `netc compile --target onnx` of ResNet-50 against torch.onnx.export of the emitted module.

Whole processes, interleaved: each starts Python, imports what it needs, takes the weights and writes a file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from timing import NETC, ROOT, SPEC, Bound, Runs, conclude, interleave, print_runs, run

TORCH = (sys.executable, str(ROOT / "benchmarks" / "torch_export.py"))
LIMITS = {"drawn": {"dynamo": 1 / 15, "torchscript": 1 / 4}, "file": {"dynamo": 1 / 20, "torchscript": 1 / 6}}
MEMORY = 1 / 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="how often each is run (%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        commands = _commands(Path(folder))
        runs = interleave(commands, arguments.rounds, lambda: _remove(Path(folder)))
    print_runs(runs)
    pairs = [(source, exporter) for source, limits in LIMITS.items() for exporter in limits]
    conclude([bound for pair in pairs for bound in _bounds(runs, *pair)])


def _remove(folder: Path) -> None:
    """Removes what was written, as a process that replaces 100 MB would also pay for freeing them."""
    for path in folder.glob("*.onnx*"):
        path.unlink()


def _commands(folder: Path) -> dict[str, tuple[str, ...]]:
    compile_ = (*NETC, "compile", SPEC, "--net", "ResNet50", "-o", str(folder))
    run([*compile_, "--target", "all"])
    (module,), (weights,) = folder.glob("*.py"), folder.glob("*.safetensors")
    sources = {"drawn": (), "file": ("--weights", str(weights))}
    commands = {}
    for source, given in sources.items():
        commands[f"netc, weights {source}"] = (*compile_, "--target", "onnx", *given)
        for exporter in LIMITS[source]:
            export = (*TORCH, str(module), "ResNet50", str(folder / "torch.onnx"), "--exporter", exporter)
            commands[f"{exporter}, weights {source}"] = (*export, *given)
    return commands


def _bounds(runs: dict[str, Runs], source: str, exporter: str) -> list[Bound]:
    netc, other = runs[f"netc, weights {source}"], runs[f"{exporter}, weights {source}"]
    limit = LIMITS[source][exporter]
    return [
        Bound(f"weights {source}: time, netc / {exporter} (1/{1 / limit:.0f})", netc.times(other), limit),
        Bound(f"weights {source}: peak memory, netc / {exporter} (1/4)", netc.memory / other.memory, MEMORY),
    ]


if __name__ == "__main__":
    main()
