"""Prints diagnostics: as text with the line and the part underlined, or as JSON."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from typing import Any

from netc.diagnostics.diagnostic import Diagnostic, Note
from netc.diagnostics.source import Span

MOST = 100  # findings shown
BYTES = 4096  # of one finding
LONGEST = 1024  # characters of one text of a finding in JSON
WIDTH = 160  # of a line shown, in columns of a terminal
NEAR = 4 * WIDTH  # characters on either side that are looked at
CUT = "..."


def render_text(diagnostics: Sequence[Diagnostic]) -> str:
    """All findings as text, each with its place, and a count at the end."""
    if not diagnostics:
        return ""
    shown = diagnostics[:MOST]
    count = "1 error" if len(diagnostics) == 1 else f"{len(diagnostics)} errors"
    if len(shown) < len(diagnostics):
        count += f", of which the first {MOST} are shown"
    code = shown[0].code
    pointer = f"`netc explain {code}` tells more" + (" about the first" if len(shown) > 1 else "")
    return "\n\n".join(map(render, shown)) + f"\n\n{count}; {pointer}\n"


def render(diagnostic: Diagnostic) -> str:
    """One finding: message, line, notes, and what to write instead."""
    lines = [f"error[{diagnostic.code}]: {visible(diagnostic.message)}"]
    if diagnostic.span is not None:
        lines += _excerpt(diagnostic.span)
    for note in diagnostic.notes:
        lines += _note(note)
    if diagnostic.help:
        lines.append(f"   = help: {visible(diagnostic.help)}")
    text = "\n".join(lines)
    if len(text.encode()) <= BYTES:
        return text
    return text.encode()[: BYTES - len(CUT) - 1].decode(errors="ignore") + " " + CUT


def _note(note: Note) -> list[str]:
    if note.span is None:
        return [f"   = note: {visible(note.text)}"]
    line, column = note.span.source.position(note.span.start)
    place = f"{visible(note.span.source.path)}:{line}:{column}"
    shown = visible(note.span.source.line(line).strip())
    shown = shown if len(shown) <= 80 else shown[:77] + CUT
    return [f"   = note: {visible(note.text)}  ({place})", f"           {shown}"]


def _excerpt(span: Span) -> list[str]:
    """The place, and the line with the part underlined; of a part over several lines, the first."""
    line, column = span.source.position(span.start)
    text = span.source.line(line)
    last, end_column = span.source.position(span.end)
    skipped = max(0, column - 1 - NEAR)
    cells, at = [_cell(c) for c in text[skipped : column - 1 + NEAR]], column - 1 - skipped
    first, stop = _window(cells, at)
    end = min((end_column - 1 if last == line else len(text.rstrip())) - skipped, stop)
    begun, ended = skipped + first == 0, skipped + stop == len(text)
    before = CUT * (not begun) + "".join(shown for shown, _ in cells[first:at])
    shown = before + "".join(s for s, _ in cells[at:stop]) + CUT * (not ended)
    indent = len(CUT) * (not begun) + _width(cells[first:at])
    under = " " * indent + "^" * max(1, _width(cells[at:end]))
    margin = " " * len(str(line))
    place = f"{margin}--> {visible(span.source.path)}:{line}:{column}"
    return [place, f"{margin} |", f"{line} | {shown}".rstrip(), f"{margin} | {under}"]


def _cell(character: str) -> tuple[str, int]:
    """A character as it is shown, and how many columns of a terminal it takes."""
    shown = visible(character)
    if shown != character:
        return shown, len(shown)
    if unicodedata.combining(character):
        return shown, 0
    return shown, 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _width(cells: Sequence[tuple[str, int]]) -> int:
    return sum(width for _, width in cells)


def _window(cells: Sequence[tuple[str, int]], at: int) -> tuple[int, int]:
    """The part of a long line that is shown: some of it on both sides of the place `at`."""
    if _width(cells) <= WIDTH:
        return 0, len(cells)
    first, room = min(at, len(cells)), WIDTH // 2
    while first and room >= cells[first - 1][1]:
        first -= 1
        room -= cells[first][1]
    stop, room = first, WIDTH
    while stop < len(cells) and room >= cells[stop][1]:
        room -= cells[stop][1]
        stop += 1
    return first, stop


def visible(text: str) -> str:
    """`text` safe for a terminal: tabs as spaces, other characters that do not print escaped."""
    text = text.replace("\t", "    ")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def render_json(diagnostics: Sequence[Diagnostic]) -> str:
    """The findings as a JSON list, for editors and other tools. Lines and columns count from 1."""
    return json.dumps([_data(d) for d in diagnostics[:MOST]], indent=2) + "\n"


def _data(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "code": diagnostic.code,
        "severity": "error",
        "message": _cut(diagnostic.message),
        "help": diagnostic.help and _cut(diagnostic.help),
        "place": _place(diagnostic.span),
        "notes": [{"message": _cut(n.text), "place": _place(n.span)} for n in diagnostic.notes],
    }


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - len(CUT)] + CUT


def _place(span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(span.end)
    return {
        "file": span.source.path,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }
