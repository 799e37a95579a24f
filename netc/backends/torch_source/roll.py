"""Rolls numbered children that differ by steps of one size, such as layer1 to layer24, into loops."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LEAST = 4
CHILD = re.compile(r"self\.([A-Za-z_]\w*?)(\d+)\b")
NUMBER = re.compile(r"(?<![\w.])(?<!e[-+])\d+(?![\w.])")  # no part of a name or of a float
STEP = "    "


@dataclass(frozen=True)
class Run:
    """Lines `start` up to `stop` that are one line for i in range(stop - start)."""

    start: int
    stop: int
    line: str
    child: str
    first: int


def roll(children: Sequence[str], lines: Sequence[str]) -> tuple[list[str], list[str]]:
    """The lines of a constructor and of forward, with each series that both have written as a loop."""
    forward = _returned_last(lines)
    made = {(r.child, r.first, r.stop - r.start): r for r in _runs(children)}
    used = {(r.child, r.first, r.stop - r.start): r for r in _runs(forward)}
    both = [k for k in made if k in used]
    if not both:
        return list(children), list(lines)
    return (
        _replaced(children, [made[k] for k in both], _constructed),
        _replaced(forward, [used[k] for k in both], _called),
    )


def is_sequential(children: Sequence[str], lines: Sequence[str]) -> bool:
    """Whether rolled lines only pass one value through all the children in order, as nn.Sequential does."""
    return (
        len(children) == 2
        and len(lines) == 3
        and children[0] == lines[0]
        and children[0].startswith("for ")
        and re.fullmatch(r"    (\w+) = self\.get_submodule\([^()]*\)\(\1\)(  # .*)?", lines[1]) is not None
        and lines[2].split("  # ")[0] == f"return {lines[1].split()[0]}"
    )


def _returned_last(lines: Sequence[str]) -> list[str]:
    """`return f(x)` after `x = ...` as two lines, so that the last of a series is like the others."""
    if len(lines) < LEAST or not (last := re.fullmatch(r"return (.*self\..*?)(  # (.*))?", lines[-1])):
        return list(lines)
    before = re.match(r"(\w+) = ", lines[-2])
    if not before or len(_runs([lines[-2], f"{before[1]} = {last[1]}{last[2] or ''}"], 2)) != 1:
        return list(lines)
    return [*lines[:-1], f"{before[1]} = {last[1]}{last[2] or ''}", f"return {before[1]}{last[2] or ''}"]


def _runs(lines: Sequence[str], least: int = LEAST) -> list[Run]:
    """The series in `lines`: neighbours alike but for numbers that go in steps, the child's by one."""
    parsed = [_parsed(line) for line in lines]
    out: list[Run] = []
    start = 0
    while start < len(lines):
        stop, steps = start + 1, None
        while (
            stop < len(lines) and (found := _steps(parsed[stop - 1], parsed[stop])) and steps in (None, found)
        ):
            stop, steps = stop + 1, found
        first = parsed[start]
        if first is not None and steps is not None and stop - start >= least:
            out.append(Run(start, stop, _line(first, steps), first.child, first.numbers[first.which]))
        start = stop
    return out


@dataclass(frozen=True)
class Parsed:
    """A line in pieces around its numbers, which of these is the child's, and the child's name without it."""

    pieces: tuple[str, ...]
    numbers: tuple[int, ...]
    which: int
    child: str


def _parsed(line: str) -> Parsed | None:
    """None for a line that is no statement of its own about one numbered child."""
    children = list(CHILD.finditer(line))
    if (
        len(children) != 1
        or line.startswith((" ", "for ", "return"))
        or '"' in line
        or re.search(r"\bi\b", line)
    ):
        return None
    child = children[0]
    spans = sorted({m.span() for m in NUMBER.finditer(line)} | {child.span(2)})
    ends = [0, *(end for _, end in spans)]
    pieces = [line[end:start] for end, (start, _) in zip(ends, spans, strict=False)]
    numbers = tuple(int(line[start:end]) for start, end in spans)
    return Parsed((*pieces, line[ends[-1] :]), numbers, spans.index(child.span(2)), child[1])


def _steps(before: Parsed | None, after: Parsed | None) -> tuple[int, ...] | None:
    """By how much each number grows from a line to the next, the child's by one; None where they differ."""
    if before is None or after is None or before.pieces != after.pieces or before.which != after.which:
        return None
    steps = tuple(b - a for a, b in zip(before.numbers, after.numbers, strict=True))
    return steps if steps[before.which] == 1 else None


def _line(first: Parsed, steps: Sequence[int]) -> str:
    """The line for i."""
    out = first.pieces[0]
    for k, (number, step) in enumerate(zip(first.numbers, steps, strict=True)):
        text, after = _progression(number, step), first.pieces[k + 1]
        alone = re.search(r"[(\[,=] ?$", out) and re.match(r"\s*([),\]]|$|  #)", after)
        out += f"{{{text}}}" if k == first.which else text if alone or " " not in text else f"({text})"
        out += after
    return out


def _progression(first: int, step: int) -> str:
    if not step:
        return str(first)
    times = "i" if step == 1 else f"{step} * i"
    return times if not first else f"i + {first}" if step == 1 else f"{first} + {times}"


def _replaced(lines: Sequence[str], runs: Sequence[Run], write: Callable[[str], str]) -> list[str]:
    out: list[str] = []
    at = 0
    for run in runs:
        out += lines[at : run.start]
        out += [f"for i in range({run.stop - run.start}):", STEP + write(run.line)]
        at = run.stop
    return [*out, *lines[at:]]


def _constructed(line: str) -> str:
    name, _, value = line.partition(" = ")
    return f'self.add_module(f"{name.removeprefix("self.")}", {value})'


def _called(line: str) -> str:
    return re.sub(r"self\.(\w+\{[^}]*\})\(", r'self.get_submodule(f"\1")(', line, count=1)
