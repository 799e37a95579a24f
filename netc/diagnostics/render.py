"""Prints diagnostics: as text with the line and the part underlined, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from netc.diagnostics.diagnostic import Diagnostic, Note
from netc.diagnostics.source import Span

BYTES = 4096
WIDTH = 160


def render_text(diagnostics: Sequence[Diagnostic]) -> str:
    """All findings as text, each with its place, and a count at the end."""
    parts = [render(d) for d in diagnostics]
    count = len(diagnostics)
    total = f"{count} error{'s' * (count != 1)}"
    first = diagnostics[0].code if diagnostics else ""
    return "\n\n".join(parts) + f"\n\n{total}; `netc explain {first}` tells more about the first\n"


def render(diagnostic: Diagnostic) -> str:
    """One finding: message, line, notes, and what to write instead."""
    lines = [f"error[{diagnostic.code}]: {visible(diagnostic.message)}"]
    if diagnostic.span is not None:
        lines += _excerpt(diagnostic.span, "^")
    for note in diagnostic.notes:
        lines += _note(note)
    if diagnostic.help:
        lines.append(f"   = help: {visible(diagnostic.help)}")
    text = "\n".join(lines)
    return text if len(text.encode()) <= BYTES else text.encode()[: BYTES - 4].decode(errors="ignore") + " ..."


def _note(note: Note) -> list[str]:
    if note.span is None:
        return [f"   = note: {visible(note.text)}"]
    line, column = note.span.source.position(note.span.start)
    place = f"{visible(note.span.source.path)}:{line}:{column}"
    shown = visible(note.span.source.line(line).strip())
    shown = shown if len(shown) <= 80 else shown[:77] + "..."
    return [f"   = note: {visible(note.text)}  ({place})", f"           {shown}"]


def _excerpt(span: Span, mark: str) -> list[str]:
    """The place, and the line with the part underlined; of a part over several lines, the first."""
    line, column = span.source.position(span.start)
    text = span.source.line(line)
    last, end_column = span.source.position(span.end)
    length = (end_column - column) if last == line else len(text) - column + 1
    offset = max(0, column - WIDTH // 2) if len(text) > WIDTH else 0
    shown = visible(text[offset : offset + WIDTH])
    margin = " " * len(str(line))
    under = " " * len(visible(text[offset : column - 1])) + mark * max(1, min(length, WIDTH))
    return [f"{margin}--> {visible(span.source.path)}:{line}:{column}", f"{margin} |", f"{line} | {shown}".rstrip(),
            f"{margin} | {under}"]


def visible(text: str) -> str:
    """`text` safe for a terminal: tabs as spaces, other characters that do not print escaped."""
    text = text.replace("\t", "    ")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def render_json(diagnostics: Sequence[Diagnostic]) -> str:
    """The findings as a JSON list, for editors and other tools. Lines and columns count from 1."""
    return json.dumps([_data(d) for d in diagnostics], indent=2) + "\n"


def _data(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "code": diagnostic.code, "severity": "error", "message": diagnostic.message, "help": diagnostic.help,
        "place": _place(diagnostic.span),
        "notes": [{"message": n.text, "place": _place(n.span)} for n in diagnostic.notes],
    }


def _place(span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(span.end)
    return {"file": span.source.path, "line": line, "column": column, "end_line": end_line, "end_column": end_column}
