"""netc verify: the proof that the targets agree."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import click

from netc.cli import options
from netc.cli.report import print_json
from netc.cli.room import check_memory
from netc.deploy.verify import Report
from netc.deploy.verify_training import TrainingError, TrainingReport

COPIES = 3  # of the weights in float32: as they are, and in float64


@click.command("verify")
@options.spec
@options.net
@options.settings
@options.dynamic
@options.opset
@click.option(
    "--tolerance",
    type=options.Number(0),
    default=1e-5,
    show_default=True,
    help="The largest relative error allowed.",
)
@click.option(
    "--seed",
    type=options.Whole(0, 2**63 - 1),
    metavar="N",
    default=0,
    show_default=True,
    help="Of the weights, the running statistics and the inputs.",
)
@click.option("--training/--no-training", default=True, help="Compare loss and gradients in training, too.")
@options.form
def command(
    spec: str,
    net_name: str | None,
    sets: tuple[str, ...],
    dynamic: str | None,
    opset: int,
    tolerance: float,
    seed: int,
    training: bool,
    format: str,
) -> None:
    """Verify that the emitted targets compute what the spec says.

    Runs each net (or the one that --net names) on random weights, running statistics and inputs, at two
    batch sizes: by netc's interpreter in numpy float64, by the emitted PyTorch module in a process
    without netc, and by onnxruntime. Prints the relative error of each output, loss and metric
    against the interpreter; where one is above --tolerance, names the first node that deviates and exits with 1.

    In training, at small sizes, compares the loss, the gradient of every parameter and the running statistics
    after a step, with the same masks of dropout: PyTorch in float64 must agree to 1e-9, and onnxruntime may be
    off by --tolerance or by 16 times what PyTorch is in float32.

    \b
    netc verify specs/unet.net
    netc verify specs/resnet.net --net ResNet18 --dynamic H,W
    """
    from netc.autodiff.objective import differentiable
    from netc.backends.to_torch import to_torch
    from netc.cli.shrink import shrunk
    from netc.deploy.verify import verify
    from netc.passes.load import complete

    program = options.read_program(spec)
    settings = options.settings_of_net(sets)
    names = [net_name] if net_name is not None else complete(program) or [options.chosen(program, None)]
    passed, reports = True, []
    for name in names:
        net = options.elaborated(program, options.chosen(program, name), dict(settings), dynamic)
        small = shrunk(program, name, settings, dynamic) if training and differentiable(net) else None
        check_memory(net, COPIES)
        report = verify(net, to_torch(net), net.name, opset, tolerance, seed, small=small)
        passed = passed and report.passed
        reports.append(report)
        if format == "text":
            click.echo(_text(report), nl=False)
    if format == "json":
        print_json(_data(reports))
    sys.exit(0 if passed else 1)


def _data(reports: Sequence[Report]) -> list[dict[str, Any]]:
    return [
        {
            "net": r.net,
            "passed": r.passed,
            "tolerance": r.tolerance,
            "compared": [
                {
                    "target": c.target,
                    "value": c.value,
                    "sizes": dict(c.sizes),
                    "error": c.error,
                    "explained_by": c.known.name if c.known else None,
                }
                for c in r.compared
            ],
            "training": [_plain(e) for e in r.training.errors] if r.training else None,
            "deviates": {
                target: {"path": b.path, "error": b.error, "note": b.note} for target, b in r.blames.items()
            },
        }
        for r in reports
    ]


def _plain(error: TrainingError) -> dict[str, Any]:
    numbers = {"target": error.target, "key": error.key, "error": error.error, "allowed": error.allowed}
    return {**numbers, "explained_by": error.known.name if error.known else None}


def _text(report: Report) -> str:
    lines = [
        f"{report.net}: {'the targets agree' if report.passed else 'THE TARGETS DISAGREE'} "
        f"(relative error against numpy float64, at most {report.tolerance:g})"
    ]
    width = max(len(c.value) for c in report.compared)
    for c in report.compared:
        sizes = ", ".join(f"{k}={v}" for k, v in c.sizes.items())
        mark = "" if c.error <= report.tolerance else "  (explained below)" if c.known else "  <- too large"
        lines.append(f"  {c.target:5}  {c.value:{width}}  {sizes:18}  {c.error:.1e}{mark}")
    for target, blame in report.blames.items():
        where = f"first at `{blame.path}` (relative error {blame.error:.1e})" if blame.path else blame.note
        lines.append(
            f"  {target} deviates {where}" + (f": {blame.note}" if blame.path and blame.note else "")
        )
    return "\n".join(lines + _training(report.training) + _notes(report)) + "\n"


def _notes(report: Report) -> list[str]:
    """What explains the errors that others make, each once."""
    errors = [(c.known, c.target, c.error) for c in report.compared]
    errors += [(e.known, e.target, e.error) for e in (report.training.explained if report.training else ())]
    lines = []
    for known in dict.fromkeys(known for known, _, _ in errors if known is not None):
        worst = max(error for k, _, error in errors if k is known)
        targets = " and ".join(dict.fromkeys(target for k, target, _ in errors if k is known))
        lines.append(
            f'  note: {targets} may be off by {worst:.1e} here: a known issue of others, "{known.name}"'
        )
        lines.append(f"    {known.cause}; seen with {known.versions}")
    return lines


def _training(report: TrainingReport | None) -> list[str]:
    """The step of training: its loss, the worst gradient and running statistic, and all that is too far off."""
    if report is None:
        return []
    sizes = ", ".join(f"{k}={v}" for k, v in report.sizes.items())
    tried = (
        f" (point {report.points}: before, float32 fell on other sides of kinks)" if report.points > 1 else ""
    )
    lines = [f"  in training{', at ' if sizes else ''}{sizes}{tried}:"]
    kinds = {"loss": "loss", "gradient/": "gradients", "buffer/": "running statistics"}
    for target in ("torch", "onnx"):
        for kind, shown in kinds.items():
            worst = report.worst(target, kind)
            count = sum(e.target == target and e.key.startswith(kind) for e in report.errors)
            if worst is not None:
                number = "" if kind == "loss" else f"{count} "
                place = "" if kind == "loss" else f"  at `{worst.key.partition('/')[2]}`"
                lines.append(f"  {target:5}  {number + shown:26}  {worst.error:.1e}{place}")
    for error in report.failures:
        what = error.key.replace("/", " of `", 1) + "`" * ("/" in error.key)
        lines.append(
            f"  {error.target} deviates in the {what}: {error.error:.1e} (allowed {error.allowed:.1e})"
        )
    for rule in report.blamed:
        lines.append(f"  the gradient rule of `{rule.op}` is at fault: for {rule.operand} at `{rule.place}`")
    return lines
