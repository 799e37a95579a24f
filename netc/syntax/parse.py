"""Turns the text of a file into its syntax tree; a statement that cannot be read is reported and left out."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from lark import Lark, Token, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

import netc.grammar
from netc.budget import Exhausted, spend
from netc.diagnostics import wording
from netc.diagnostics.diagnostic import Diagnostic, Refused
from netc.diagnostics.source import Source, Span
from netc.syntax import tree
from netc.syntax.build import Build
from netc.syntax.cache import cache_file
from netc.syntax.layout import Layout
from netc.syntax.recover import blank, closing, leave_out, names_in, open_at

KEYWORDS = tuple(
    "netc import fn block net train input target param for in if else output loss metric assert or and not "
    "true false none".split()
)
ERRORS = 100
HOLE = 40  # steps for setting up a parse
WORK = 4 << 20  # characters read again after mistakes, in all
TOP = ("import", "fn", "block", "net", "train")


def parse(source: Source) -> tuple[tree.File, list[Diagnostic]]:
    """The tree of `source` and every statement that could not be read."""
    found: list[Diagnostic] = []
    lost: set[str] = set()
    text, work = source.text, 0
    while True:
        try:
            file = _run(Source(source.path, text), source, 0, "file")
            assert isinstance(file, tree.File)
            return tree.File(file.span, file.version, file.doc, file.items, frozenset(lost)), found
        except UnexpectedInput as error:
            at = _place(error, source)
            problem = _describe(error, at, text)
        except Refused as error:
            problem = error.diagnostics[0]
            at = problem.span or Span(source, 0, 0)
        except Exhausted:
            raise Refused(*(found or [wording.too_long(Span(source, 0, 0))])) from None
        found += [] if _said(problem, found) else [problem]
        work += len(text)
        mended = _mend(text, problem, at)
        if mended is None or len(found) >= ERRORS or work > WORK:
            raise Refused(*found) from None
        text, left_out = mended
        lost |= names_in(left_out) | {word for word in ("output", "input", "import") if word in left_out}
        if "return" in left_out:
            lost.add("output")


def _said(problem: Diagnostic, found: list[Diagnostic]) -> bool:
    """Whether this follows from what was found: a word that cannot be a name, used as one again."""
    words = {d.span.text for d in found if d.span and d.code == problem.code and d.code in ("E0106", "E0109")}
    return problem.span is not None and problem.span.text in words


def _mend(text: str, problem: Diagnostic, at: Span) -> tuple[str, str] | None:
    """`text` without the mistake, and what was left out of it; None where nothing can be made of it."""
    opened = problem.span.text if problem.span and problem.code == "E0108" else ""
    if opened == "{":
        return _close(text, at.start)
    if opened == "}" and not problem.notes:
        return blank(text, at.start, at.end), ""
    region = leave_out(text, at.start)
    return (blank(text, *region), text[slice(*region)]) if region else None


def _close(text: str, position: int) -> tuple[str, str] | None:
    """`text` with a `}` for the one that lacks: at its end, or in the blank line before `position`."""
    if text[position : position + 1] == "{":
        return text + "\n}", ""
    before = re.search(r"\n[ \t]*\n[ \t]*\Z", text[:position])
    return (text[: before.start()] + "}" + text[before.start() + 1 :], "") if before else None


def parse_expression(source: Source, span: Span) -> tree.Expression:
    """The expression that stands at `span`: for interpolation in strings."""
    spend(HOLE)
    try:
        expression = _run(Source(source.path, span.text), source, span.start, "expression")
    except UnexpectedInput as error:
        raise Refused(_describe(error, _place(error, source, span.start), source.text)) from None
    return expression  # type: ignore[return-value]


def _run(text: Source, source: Source, offset: int, start: str) -> tree.Tree:
    """Parses `text`, whose places count from `offset` in `source`."""
    lark, layout, build = _parser()
    before = (build.source, build.offset)
    layout.source, layout.ending, build.source, build.offset = source, start == "file", source, offset
    try:
        return lark.parse(text.text, start=start)  # type: ignore[return-value]
    finally:
        build.source, build.offset = before


@cache
def _parser() -> tuple[Lark, Layout, Build]:
    layout, build = Layout(), Build()
    grammar = Path(netc.grammar.__file__).with_name("net.lark").read_text(encoding="utf-8")
    lark = Lark(
        grammar,
        parser="lalr",
        lexer="basic",
        strict=True,
        start=["file", "expression"],
        postlex=layout,
        transformer=build,
        keep_all_tokens=True,
        cache=cache_file(grammar),
    )
    return lark, layout, build


def _place(error: UnexpectedInput, source: Source, offset: int = 0) -> Span:
    if isinstance(error, UnexpectedToken):
        token = error.token
        end = token.end_pos if token.end_pos is not None else (token.start_pos or 0)
        start = token.start_pos if token.start_pos is not None else len(source.text)
        if token.type == "$END":
            start = end = len(source.text.rstrip())
        return Span(source, start + offset, max(end, start) + offset)
    position = (error.pos_in_stream or 0) + offset
    return Span(source, position, position + (2 if source.text[position : position + 2] in DOUBLED else 1))


DOUBLED = ("&&", "||", "|>")


def _describe(error: UnexpectedInput, at: Span, text: str) -> Diagnostic:
    if isinstance(error, UnexpectedCharacters):
        return wording.unexpected_character(at)
    assert isinstance(error, UnexpectedToken)
    token: Token = error.token
    if (opened := _never_closed(text, at, str(token))) is not None:
        return wording.unclosed_bracket(Span(at.source, opened, opened + 1))
    if str(token) in KEYWORDS:
        return wording.misplaced_keyword(at, str(token))
    newline = token.type == "_NL"
    if newline and at.source.text[at.start - 1 : at.start] == ":":
        at, newline = Span(at.source, at.start - 1, at.start), False
    return wording.unexpected_token(at, newline, token.type == "$END", set(error.accepts or error.expected))


def _never_closed(text: str, at: Span, token: str) -> int | None:
    """Where the bracket was opened whose end lacks before `at`, the first thing on its line."""
    line = text.rfind("\n", 0, at.start) + 1
    stack = open_at(text, at.start)
    if not stack or text[line : at.start].strip():
        return None
    innermost = stack[-1]
    if innermost.kind == "{":
        return innermost.start if token in TOP and line == at.start else None
    return innermost.start if innermost.start < line and closing(text, innermost.start) is None else None
