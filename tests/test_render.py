"""Messages as a terminal shows them: aligned, windowed, bounded and free of escape sequences; and as JSON."""

from __future__ import annotations

import json

import pytest

from netc.diagnostics import Diagnostic, Note, Source, Span
from netc.diagnostics.render import BYTES, MOST, WIDTH, render, render_json, render_text


def finding(text: str, part: str, **more: object) -> Diagnostic:
    start = text.index(part)
    return Diagnostic("E0201", "wrong", Span(Source("spec.net", text), start, start + len(part)), **more)  # type: ignore[arg-type]


def underlined(text: str, part: str) -> tuple[str, str]:
    """The line as shown and its underline, without the margin."""
    _, _, line, under = render(finding(text, part)).splitlines()[1:5]
    bar = line.index("| ") + 2
    return line[bar:], under[bar:]


@pytest.mark.parametrize(
    ("text", "part", "indent", "length"),
    [
        ("x = wrong", "wrong", 4, 5),
        ("\tx = wrong", "wrong", 8, 5),  # a tab is shown as four spaces
        ('x = "日本" + wrong', "wrong", 13, 5),  # wide characters take two columns
        ('x = "日本" + wrong', "日本", 5, 4),
        ('x = "e\u0301" + wrong', "wrong", 10, 5),  # a combining mark takes none
        ("x = a\u0007b + wrong", "wrong", 13, 5),  # what does not print is shown escaped
    ],
)
def test_the_underline_stands_below_its_part(text: str, part: str, indent: int, length: int) -> None:
    assert underlined(text, part)[1] == " " * indent + "^" * length


def test_an_empty_place_has_a_mark() -> None:
    source = Source("spec.net", "x = ")
    assert render(Diagnostic("E0105", "wrong", Span(source, 4, 4))).splitlines()[-1] == "  |     ^"


def test_of_a_part_over_lines_the_first_is_underlined() -> None:
    line, under = underlined("x = concat(\n    a, b)\n", "concat(\n    a, b)")
    assert (line, under) == ("x = concat(", "    ^^^^^^^")


@pytest.mark.parametrize("at", [0, 50, 100, 500, 1000, 1995])
def test_a_long_line_is_cut_around_its_part(at: int) -> None:
    text = "y" * at + "wrong" + "z" * (2000 - at - 5)
    line, under = underlined(text, "wrong")
    assert len(line) <= WIDTH + 6
    assert line[under.index("^") : under.index("^") + 5] == "wrong"
    assert under.count("^") == 5
    assert line.startswith("...") == (at > WIDTH // 2)
    assert line.endswith("...") == (at < 1900)


def test_a_long_part_is_underlined_as_far_as_it_shows() -> None:
    line, under = underlined("x = " + "w" * 5000, "w" * 5000)
    assert len(under) <= len(line) <= WIDTH + 6


@pytest.mark.parametrize("evil", ["\x1b[2J", "\x9b31m", "\x07", "\r", "\u202e", "\u200b", "\ud800"])
def test_no_control_character_reaches_the_terminal(evil: str) -> None:
    source = Source(f"a{evil}.net", f"x = {evil}y")
    span = Span(source, 4, 5 + len(evil))
    note = Note(f"n{evil}", span)
    text = render_text([Diagnostic("E0201", f"m{evil}", span, (note, Note(evil)), f"h{evil}")])
    assert evil not in text
    assert all(c.isprintable() or c == "\n" for c in text)
    data = json.loads(render_json([Diagnostic("E0201", f"m{evil}", span, (note,), f"h{evil}")]))
    assert data[0]["message"] == f"m{evil}"
    assert evil not in render_json([Diagnostic("E0201", f"m{evil}", span, (note,), f"h{evil}")])


@pytest.mark.parametrize("length", [BYTES - 200, BYTES - 1, BYTES, BYTES * 3])
@pytest.mark.parametrize("letter", ["m", "é", "日", "\x1b"])
def test_a_finding_has_at_most_4_kib(length: int, letter: str) -> None:
    text = render(Diagnostic("E0201", letter * length))
    assert len(text.encode()) <= BYTES
    assert text.endswith("...") or (letter == "m" and length < BYTES)


@pytest.mark.parametrize(("count", "end"), [
    (1, "1 error; `netc explain E0201` tells more\n"),
    (2, "2 errors; `netc explain E0201` tells more about the first\n"),
    (MOST, f"{MOST} errors; `netc explain E0201` tells more about the first\n"),
    (MOST + 1, f"{MOST + 1} errors, of which the first {MOST} are shown; "
     "`netc explain E0201` tells more about the first\n"),
])  # fmt: skip
def test_the_count_stands_at_the_end(count: int, end: str) -> None:
    text = render_text([finding("x = wrong", "wrong")] * count)
    assert text.endswith("\n\n" + end)
    assert text.count("error[") == min(count, MOST)


def test_nothing_found_prints_nothing() -> None:
    assert render_text([]) == ""
    assert json.loads(render_json([])) == []


def test_notes_and_help_follow_with_their_places() -> None:
    source = Source("spec.net", "a = 1\nb = a + none\n")
    note = Note("a is the number 1", Span(source, 0, 1))
    diagnostic = Diagnostic(
        "E0301", "`+` does not work", Span(source, 10, 18), (note, Note("a fact")), "do this"
    )
    assert render(diagnostic) == (
        "error[E0301]: `+` does not work\n"
        " --> spec.net:2:5\n"
        "  |\n"
        "2 | b = a + none\n"
        "  |     ^^^^^^^^\n"
        "   = note: a is the number 1  (spec.net:1:1)\n"
        "           a = 1\n"
        "   = note: a fact\n"
        "   = help: do this"
    )


def test_json_has_the_documented_keys() -> None:
    source = Source("spec.net", "a = 1\nb = a + none\n")
    diagnostic = Diagnostic(
        "E0301", "m", Span(source, 10, 18), (Note("n", Span(source, 0, 1)), Note("fact")), "h"
    )
    assert json.loads(render_json([diagnostic, Diagnostic("E0601", "m")])) == [
        {
            "code": "E0301",
            "severity": "error",
            "message": "m",
            "help": "h",
            "place": {"file": "spec.net", "line": 2, "column": 5, "end_line": 2, "end_column": 13},
            "notes": [
                {
                    "message": "n",
                    "place": {"file": "spec.net", "line": 1, "column": 1, "end_line": 1, "end_column": 2},
                },
                {"message": "fact", "place": None},
            ],
        },
        {"code": "E0601", "severity": "error", "message": "m", "help": None, "place": None, "notes": []},
    ]
