"""Rolls numbered children that differ by steps of one size, such as layer1 to layer24, into loops."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LEAST = 4
NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])|(?<=[a-z_])\d+\b")
PLACE = "\x01"
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
    return (_replaced(children, [made[k] for k in both], _constructed),
            _replaced(forward, [used[k] for k in both], _called))


def is_sequential(children: Sequence[str], lines: Sequence[str]) -> bool:
    """Whether rolled lines only pass one value through all the children in order, as nn.Sequential does."""
    return len(children) == 2 and len(lines) == 3 and children[0] == lines[0] and children[0].startswith("for ") \
        and re.fullmatch(r"    (\w+) = self\.get_submodule\([^()]*\)\(\1\)(  # .*)?", lines[1]) is not None \
        and lines[2].split("  # ")[0] == f"return {lines[1].split()[0]}"


def _returned_last(lines: Sequence[str]) -> list[str]:
    """`return f(x)` after `x = ...` as two lines, so that the last of a series is like the others."""
    if len(lines) < LEAST or not (last := re.fullmatch(r"return (.*self\..*?)(  # (.*))?", lines[-1])):
        return list(lines)
    before = re.match(r"(\w+) = ", lines[-2])
    if not before or not _series([lines[-2], f"{before[1]} = {last[1]}{last[2] or ''}"]):
        return list(lines)
    return [*lines[:-1], f"{before[1]} = {last[1]}{last[2] or ''}", f"return {before[1]}{last[2] or ''}"]


def _runs(lines: Sequence[str]) -> list[Run]:
    out: list[Run] = []
    start = 0
    while start < len(lines):
        stop = start + 1
        while stop < len(lines) and _series(lines[start : stop + 1]):
            stop += 1
        if stop - start >= LEAST and (line := _series(lines[start:stop])):
            name = re.search(r"self\.([A-Za-z_]\w*?)(\d+)\b", lines[start])
            assert name is not None
            out.append(Run(start, stop, line, name[1], int(name[2])))
        start = stop
    return out


def _series(lines: Sequence[str]) -> str | None:
    """The one line for i that gives `lines` for i = 0, 1, ...; None where there is none."""
    if any(line.startswith((" ", "for ", "return")) or len(re.findall(r"self\.\w+?\d+\b", line)) != 1 for line in lines):
        return None
    texts = {NUMBER.sub(PLACE, line) for line in lines}
    numbers = [[int(n) for n in NUMBER.findall(line)] for line in lines]
    if len(texts) != 1:
        return None
    parts = []
    for column in zip(*numbers, strict=True):
        step = column[1] - column[0]
        if any(b - a != step for a, b in zip(column, column[1:], strict=False)):
            return None
        parts.append(_progression(column[0], step))
    pieces = texts.pop().split(PLACE)
    which = next(i for i, piece in enumerate(pieces) if re.search(r"self\.\w+$", piece))
    if numbers[1][which] - numbers[0][which] != 1:
        return None
    parts[which] = "{" + parts[which] + "}"
    return pieces[0] + "".join(part + piece for part, piece in zip(parts, pieces[1:], strict=True))


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
