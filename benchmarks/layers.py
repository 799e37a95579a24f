"""Measures `netc compile --target onnx` of nets of 100 to 20,000 layers: the time grows with their number.

The layers are Linear and relu in turn, written out line by line under names of their own, or by a loop;
5,000 of them are also exported by torch.onnx's dynamo exporter from the module emitted for the same spec.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from timing import NETC, ROOT, Bound, Runs, conclude, interleave, print_runs, run, table

COUNTS = (100, 1_000, 5_000, 20_000)
COMPARED = 5_000
FASTER = 1 / 40
LINEAR = 1.25  # the time of a further layer beyond COMPARED, against those before
WIDTH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often netc is run (%(default)s)")
    parser.add_argument("--dynamo-rounds", type=int, default=1, help="how often dynamo is run (%(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        specs = {(form, count): _write(folder, form, count) for form in FORMS for count in COUNTS}
        commands = {_name(*key): _compile(path, folder, "onnx") for key, path in specs.items()}
        runs = interleave(commands, arguments.rounds)
        both = {form: _both(specs[form, COMPARED], folder, arguments.dynamo_rounds) for form in FORMS}
    print_runs(runs | {f"dynamo, {form}, {COMPARED:,}": dynamo for form, (_, dynamo) in both.items()})
    print()
    table(("form", *(f"{count:,}" for count in COUNTS)), [_a_layer(runs, form) for form in FORMS])
    conclude([bound for form in FORMS for bound in _bounds(runs, *both[form], form)])


def _written_out(count: int) -> str:
    layers = ("relu" if i % 2 else f"Linear({WIDTH})" for i in range(count))
    return "".join(f"    x{i + 1} = x{i} -> {layer}\n" for i, layer in enumerate(layers))


def _looped(count: int) -> str:
    body = f'x = x -> "layers{{i}}": (Linear({WIDTH}) -> relu)'
    return f"    x = x0\n    for i in range({count // 2}) {{\n        {body}\n    }}\n    x{count} = x\n"


FORMS = {"written out": _written_out, "loop": _looped}


def _write(folder: Path, form: str, count: int) -> Path:
    """A spec of `count` layers."""
    name = f"{form.split()[0].capitalize()}{count}"
    path = folder / f"{name}.net"
    head = f"net {name} {{\n    input x0: float32[N, {WIDTH}]\n"
    path.write_text(f"{head}{FORMS[form](count)}    output x{count}\n}}\n")
    return path


def _compile(spec: Path, folder: Path, target: str) -> tuple[str, ...]:
    return (*NETC, "compile", str(spec), "--target", target, "-o", str(folder / spec.stem))


def _both(spec: Path, folder: Path, rounds: int) -> tuple[Runs, Runs]:
    """netc and dynamo in turn, on the same spec."""
    run(_compile(spec, folder, "torch"))
    (module,) = (folder / spec.stem).glob("*.py")
    script = str(ROOT / "benchmarks" / "torch_export.py")
    output = str(folder / "torch.onnx")
    shape = ("--exporter", "dynamo", "--shape", f"1,{WIDTH}")
    dynamo = (sys.executable, script, str(module), spec.stem, output, *shape)
    pairs = [(run(_compile(spec, folder, "onnx")), run(dynamo)) for _ in range(rounds)]
    return Runs(tuple(a for a, _ in pairs)), Runs(tuple(b for _, b in pairs))


def _name(form: str, count: int) -> str:
    return f"netc, {form}, {count:,}"


def _a_layer(runs: dict[str, Runs], form: str) -> tuple[str, ...]:
    """The time of a further layer: between each count and the one before."""
    cells = [f"{runs[_name(form, COUNTS[0])].seconds:.2f} s in all"]
    for before, count in zip(COUNTS, COUNTS[1:], strict=False):
        cells.append(f"{1e6 * _further(runs, form, before, count):.0f} µs a further layer")
    return (form, *cells)


def _further(runs: dict[str, Runs], form: str, before: int, count: int) -> float:
    return runs[_name(form, count)].over(runs[_name(form, before)]) / (count - before)


def _bounds(runs: dict[str, Runs], netc: Runs, dynamo: Runs, form: str) -> list[Bound]:
    first, last = COUNTS[0], COUNTS[-1]
    growth = _further(runs, form, COMPARED, last) / _further(runs, form, first, COMPARED)
    return [
        Bound(f"{form}: a further layer beyond {COMPARED:,}, against one before", growth, LINEAR),
        Bound(f"{form}, {COMPARED:,}: time, netc / dynamo (1/40)", netc.times(dynamo), FASTER),
    ]


if __name__ == "__main__":
    main()
