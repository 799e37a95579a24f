"""netc gradcheck: gradients against slopes measured in float64."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from netc.cli import options
from netc.cli.report import print_json
from netc.cli.room import check_memory

if TYPE_CHECKING:
    from netc.autodiff.finite import NotFinite
    from netc.autodiff.gradcheck import Report
    from netc.autodiff.row import Row
    from netc.autodiff.subject import Subject
    from netc.ir.module import Net

COPIES = 5  # of the weights in float32: as they are, in float64, and their gradient


@click.command("gradcheck")
@options.spec
@options.net
@options.settings
@options.dynamic
@click.option("--eval", "evaluation", is_flag=True, help="Check evaluation: running statistics, no dropout.")
@click.option("--full", is_flag=True, help="Compare whole Jacobians of all outputs and losses: small nets.")
@click.option(
    "--order", type=options.Whole(1, 2), default=1, show_default=True, help="2: the gradient's own gradient."
)
@click.option(
    "--directions", type=options.Whole(1), help="For each parameter; up to 20 by the net's cost if unset."
)
@click.option(
    "--tolerance",
    type=options.Number(0),
    default=1e-12,
    show_default=True,
    help="The largest relative error that rounding need not explain; by differences no less than 1e-6.",
)
@click.option(
    "--seed", type=options.Whole(0), default=0, show_default=True, help="Of the point and directions."
)
@options.form
def command(
    spec: str,
    net_name: str | None,
    sets: tuple[str, ...],
    dynamic: str | None,
    evaluation: bool,
    full: bool,
    order: int,
    directions: int | None,
    tolerance: float,
    seed: int,
    format: str,
) -> None:
    """Check the gradient graph of each net (or the one that --net names) against slopes, in numpy float64.

    For each parameter and input, slopes along random directions are measured by a complex step where every op on
    the way allows it, or by 5-point differences at three step sizes. Directions that meet a kink (of relu,
    max, ...) at every step size are skipped and the kink is named; more than 5 % of them is a failure. An error
    above --tolerance is one unless rounding explains it: then it says so. Free and fixable image sizes are
    shrunk. The loss is the sum of the losses, in training; without one, outputs are
    weighed at random. Exits with 1 on a failure, naming the ops whose gradient rule is at fault.

    \b
    netc gradcheck specs/digits.net
    netc gradcheck specs/resnet.net --net ResNet18
    netc gradcheck small.net --full
    """
    from netc.cli.shrink import shrunk
    from netc.passes.load import complete

    if full and order == 2:
        raise click.UsageError("--full is of order 1.")
    program = options.read_program(spec)
    settings = options.settings_of_net(sets)
    names = [net_name] if net_name is not None else complete(program) or [options.chosen(program, None)]
    reports = []
    for name in names:
        net = shrunk(program, options.chosen(program, name), settings, dynamic)
        report = _checked(net, not evaluation, full, order, directions, tolerance, seed, format == "text")
        reports.append(report)
    if format == "json":
        print_json([_plain(r) for r in reports])
    sys.exit(0 if all(r.passed for r in reports) else 1)


def _checked(
    net: Net,
    trains: bool,
    full: bool,
    order: int,
    directions: int | None,
    tolerance: float,
    seed: int,
    shown: bool,
) -> Report:
    from netc.autodiff.gradcheck import gradcheck
    from netc.autodiff.jacobian import jacobians
    from netc.autodiff.second import second_order
    from netc.autodiff.subject import subject

    check_memory(net, COPIES)
    chosen = subject(net, trains, seed, weighed=full)
    if order == 2:
        chosen = second_order(chosen, seed)
    head = _head(chosen, trains, order)

    def told(row: Row) -> None:
        if shown:
            click.echo("".join(head) + _line(row, tolerance))
            head.clear()

    report = (
        jacobians(chosen, tolerance, told) if full else gradcheck(chosen, tolerance, directions, seed, told)
    )
    if shown:
        verdict = (
            _verdict(report)
            if report.rows or report.not_finite
            else ["  nothing to check: it reads no parameter and no input of floats"]
        )
        click.echo("\n".join([*(line.rstrip() for line in head[:1]), *verdict]))
    return report


def _head(chosen: Subject, trains: bool, order: int) -> list[str]:
    """The lines before the first row."""
    values = (*chosen.net.block.inputs, *chosen.net.targets)
    arrays = ((v.hint, chosen.inputs[v.hint].shape) for v in values if v.hint in chosen.inputs)
    point = ", ".join(f"{name} [{', '.join(map(str, shape))}]" for name, shape in arrays)
    mode = f"{'training' if trains else 'evaluation'}{', second order' if order == 2 else ''}"
    title = f"{chosen.net.name} in {mode}, on {point}\n"
    return [title, f"  {'':36}  {'shape':18}  {'checked by':20}  relative error\n"]


def _line(row: Row, tolerance: float) -> str:
    shape = f"[{', '.join(map(str, row.shape))}]"
    mark = "  <- too large" if row.too_large else "  (zero)" if row.zero else ""
    if row.method == "complex step" and not row.too_large and row.error > tolerance:
        mark += f"  (rounding explains {row.allowed:.1e})"
    mark += "  <- too many kinks" if row.too_many_kinks else ""
    skipped = (
        f", {row.skipped} of {row.directions} skipped at kinks of {_listed(row.kinks)}" if row.skipped else ""
    )
    unit = "element" if row.method == "Jacobian" else "direction"
    by = f"{row.directions} {unit}{'s' * (row.directions > 1)}" + (
        ", complex" if row.method == "complex step" else ""
    )
    return f"  {row.name:36}  {shape:18}  {by:20}  {row.error:.1e}{skipped}{mark}"


def _listed(places: Sequence[str]) -> str:
    return ", ".join(places[:3]) + (", ..." if len(places) > 3 else "")


def _verdict(report: Report) -> list[str]:
    if report.not_finite:
        return _stopped(report.not_finite)
    if report.zero:
        return ["  FAILED: every gradient is zero: nothing between the parameters and the loss has a slope"]
    if report.passed:
        return [f"  passed: at most {report.worst:.1e} ({_allowed(report)})"]
    lines = [f"  FAILED: {report.worst:.1e} ({_allowed(report)})"]
    for rule in report.blamed:
        lines.append(
            f"  the gradient rule of `{rule.op}` is at fault: for {rule.operand} at `{rule.place}` "
            f"it is off by {rule.error:.1e}"
        )
    if not report.blamed and any(row.too_large for row in report.rows):
        lines.append(
            "  no rule is at fault by itself: gradients are put together wrongly, or rounding hides these slopes"
        )
        lines.append("  (another --seed looks elsewhere)")
    return lines


def _stopped(where: NotFinite) -> list[str]:
    """Why there is nothing to compare, with the line of the spec."""
    line = " ".join(where.span.text.split())[:60]
    return [
        f"  FAILED: {where.subject} is not finite at this point, so there is nothing to compare",
        f"  the first value that is not is that of `{where.op}` at `{where.place}`: {where.value}",
        f"  ({where.span.source.path}:{where.span.line}: {line})",
        "  (another --seed looks elsewhere)",
    ]


def _allowed(report: Report) -> str:
    """What an error may be, and of slopes by differences, where there are any."""
    loose = next((r.allowed for r in report.rows if r.method != "complex step"), None)
    if loose is None or loose <= report.tolerance:
        return f"allowed {report.tolerance:g}"
    if all(r.method != "complex step" for r in report.rows):
        return f"allowed {loose:g} by differences"
    return f"allowed {report.tolerance:g}, by differences {loose:g}"


def _plain(report: Report) -> dict[str, Any]:
    return {
        "net": report.net,
        "passed": report.passed,
        "tolerance": report.tolerance,
        "sizes": dict(report.sizes),
        "rows": [{**vars(row), "shape": list(row.shape), "kinks": list(row.kinks)} for row in report.rows],
        "rules_at_fault": [dict(vars(rule)) for rule in report.blamed],
        "not_finite": _place(report.not_finite),
    }


def _place(where: NotFinite | None) -> dict[str, Any] | None:
    if where is None:
        return None
    line = {"file": where.span.source.path, "line": where.span.line}
    return {"subject": where.subject, "op": where.op, "place": where.place, "value": where.value, **line}
