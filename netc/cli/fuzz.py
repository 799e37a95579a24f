"""netc fuzz: random programs, to find where netc's targets disagree."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netc.cli import options
from netc.cli.report import print_line
from netc.diagnostics import Refused
from netc.diagnostics.render import visible
from netc.passes.load import Program

if TYPE_CHECKING:
    from netc.fuzz.campaign import Failure, Tally
    from netc.fuzz.examine import Outcome

SHRUNK = 12  # failing programs that are made small, each of another kind
HOURLY = 5.0  # seconds between reports of progress


@click.command("fuzz")
@click.argument(
    "files", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="[FILE]..."
)
@click.option("--programs", type=options.Whole(1), default=1000, show_default=True, help="How many to make.")
@click.option("--seed", type=options.Whole(0), default=0, show_default=True, help="Of all that is random.")
@click.option("--jobs", type=options.Whole(1), default=1, show_default=True, help="Processes to work with.")
@click.option("--time-limit", type=options.Number(0), metavar="SECONDS", help="Start no more programs then.")
@click.option(
    "--pairs", is_flag=True, help="Then try each pair of ops not met, and search for those that can be."
)
@click.option("--out", type=click.Path(path_type=Path), default=Path("fuzz-found"), show_default=True, metavar="DIR",
              help="Where failing programs are written, made small.")  # fmt: skip
def command(
    files: tuple[Path, ...],
    programs: int,
    seed: int,
    jobs: int,
    time_limit: float | None,
    pairs: bool,
    out: Path,
) -> None:
    """Make random programs from the registry of ops, and compare all that netc makes of each.

    For each program: numpy in float64, the emitted PyTorch module in float32 and in float64, onnxruntime
    with and without its optimisations, at opsets 17, 20 and 23 in turn, all at two batch sizes; the gradient
    graph against torch.autograd and against finite differences; the text against what the parser and the writer
    make of it; and, for one program in four, a second compilation in another process, to the byte.
    A difference that nothing explains is written to --out as a small program, and the exit status is 1. Interrupted,
    it tells what it has found until then. With FILEs, these programs are compared instead of random ones, at every
    opset.

    \b
    netc fuzz --programs 100000 --seed 1 --jobs 2 --pairs
    netc fuzz fuzz-found/torch_12.net
    """
    if files:
        sys.exit(_examined(files))
    from netc.fuzz.campaign import Tally, campaign, missing, started, sweep

    tally, can, progress = Tally(), None, _Progress(programs, out)
    with started(jobs) as pool:
        try:
            campaign(pool, tally, seed, programs, time_limit, progress)
            progress.random = tally.programs, progress.seconds
            if pairs:
                can = sweep(pool, tally, seed, programs, jobs, progress)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            click.echo(_text(tally, progress, can), nl=False)
            raise
    if can is not None:
        _list_pairs(out, missing(tally), can)
    click.echo(_text(tally, progress, can), nl=False)
    if tally.failures:
        click.echo(_shrunk(tally, out), nl=False)
    sys.exit(1 if tally.failed else 0)


class _Progress:
    """Tells how far it is on standard error, now and then; what fails is written at once, to be made small later."""

    def __init__(self, programs: int, out: Path) -> None:
        self.programs, self.start, self.last = programs, time.monotonic(), time.monotonic()
        self.out, self.known = out, set[int]()
        self.random: tuple[int, float] | None = None  # how many random programs there were, and in what time

    @property
    def seconds(self) -> float:
        """Since the start."""
        return time.monotonic() - self.start

    def __call__(self, tally: Tally) -> None:
        for failure in tally.failures:
            if failure.index not in self.known:
                self.known.add(failure.index)
                _written(self.out, failure, failure.text)
        now = time.monotonic()
        if now - self.last < HOURLY:
            return
        self.last = now
        rate = tally.programs / (now - self.start)
        click.echo(
            f"{tally.programs} of {self.programs} programs, {rate:.1f} a second, {len(tally.pairs)} pairs met, "
            f"{tally.failed} unexplained",
            err=True,
        )


def _text(tally: Tally, progress: _Progress, can: list[tuple[str, str]] | None) -> str:
    from netc.fuzz.campaign import missing
    from netc.fuzz.examine import AGAIN
    from netc.fuzz.generate import registry

    ops, left = len(registry()), missing(tally)
    made, seconds = progress.random or (tally.programs, progress.seconds)
    more = f" and {tally.programs - made} of pairs" if tally.programs > made else ""
    lines = [
        f"{made} programs{more}, {made / seconds:.1f} a second in {seconds:.0f} s; {tally.ops} ops; "
        f"{tally.values} values compared, {tally.unsettled} of them left to rounding",
        f"gradients of all programs but {tally.no_gradient.total()}; 1 in {AGAIN} compiled a second time",
        f"pairs of ops: {len(tally.pairs)} met of {ops * ops} ({ops} ops)",
    ]
    if can is not None:
        lines.append(f"  of the {len(left)} others, {len(left) - len(can)} cannot be met by any sample")
        lines += [f"  not met: {a} then {b}" for a, b in can]
    lines += [f"set aside: {n} {why}" for why, n in _kinds(tally.aside)]
    lines += [f"no gradient: {n} {why}" for why, n in _kinds(tally.no_gradient)]
    lines += [f"no ONNX graph: {n} {why}" for why, n in _kinds(tally.no_onnx)]
    lines += [f"explained: {n} {name}" for name, n in sorted(tally.explained.items())]
    lines.append(f"unexplained: {tally.failed}")
    lines += [f"  {n} {oracle}: {note or 'other numbers'}" for (oracle, note), n in tally.kinds.most_common()]
    return "\n".join(lines) + "\n"


def _list_pairs(out: Path, left: list[tuple[str, str]], can: list[tuple[str, str]]) -> None:
    """Writes the pairs that were not met, with why."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [f"{a} {b}: {'not met' if (a, b) in can else 'cannot be chained'}" for a, b in left]
    (out / "pairs.txt").write_text("".join(f"{line}\n" for line in lines), "utf-8")


def _kinds(counts: dict[str, int]) -> list[tuple[str, int]]:
    """Reasons with what differs between programs left out, the most frequent first."""
    from collections import Counter

    from netc.fuzz.judge import plain

    found: Counter[str] = Counter()
    for why, n in counts.items():
        found[plain(why)] += n
    return found.most_common(12)


def _shrunk(tally: Tally, out: Path) -> str:
    """Makes one failing program of each kind small, and writes it."""
    from netc.fuzz.examine import Examiner
    from netc.fuzz.judge import signature
    from netc.fuzz.shrink import failing, shrink

    lines: list[str] = []
    seen: set[tuple[str, str]] = set()
    with Examiner() as examiner:
        for failure in tally.failures:
            kind = signature(failure.findings[0])
            if kind in seen or len(seen) >= SHRUNK:
                continue
            seen.add(kind)
            again = kind[0] == "second compile"
            text = shrink(failure.text, failing(examiner, failure.opset, kind, again)) if failure.text else ""
            lines.append(_written(out, failure, text))
    return "\n".join(lines) + "\n"


def _written(out: Path, failure: Failure, text: str) -> str:
    """Writes a program and what failed; tells where."""
    finding = failure.findings[0]
    head = f"# program {failure.index}, opset {failure.opset}: {finding}".replace("\n", " ")
    if not text:
        return f"program {failure.index}: {finding}"
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{finding.oracle.replace(' ', '_')}_{failure.index}.net"
    path.write_text(f"{head}\n{text}", "utf-8")
    return f"{visible(str(path))}: {finding}\n{text}"


def _examined(files: tuple[Path, ...]) -> int:
    """Compares the programs in files; the exit status."""
    from netc.fuzz.case import OPSETS, written
    from netc.fuzz.examine import Examiner, Task

    failed = 0
    with Examiner() as examiner:
        for path in files:
            text = written(_whole(path))
            tasks = [Task(text, opset, True) for opset in OPSETS]
            for task, outcome in zip(tasks, examiner.examine(tasks), strict=True):
                failed += bool(outcome.findings)
                print_line(f"{path} at opset {task.opset}: {_said(outcome)}")
    return 1 if failed else 0


def _whole(path: Path) -> Program:
    """The program in a file, of which all could be read and which has a net."""
    program = options.read_program(str(path))
    if program.found:
        raise Refused(*program.found)
    options.chosen(program, None)
    return program


def _said(outcome: Outcome) -> str:
    said = [str(finding) for finding in outcome.findings]
    said += [f"{finding}: explained by {known.name}" for known, finding in outcome.explained]
    return "; ".join(said) or outcome.aside or "the targets agree"
