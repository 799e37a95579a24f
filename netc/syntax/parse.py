"""Turns the text of a file into its syntax tree; a statement that cannot be read is reported and left out."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from lark import Lark, Token, UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from netc.diagnostics import wording
from netc.diagnostics.diagnostic import Diagnostic, Refused
from netc.diagnostics.source import Source, Span
from netc.syntax import tree
from netc.syntax.build import Build
from netc.syntax.cache import cache_file
from netc.syntax.layout import Layout

KEYWORDS = tuple(
    "netc import fn block net train input target param for in if else output loss metric assert or and not "
    "true false none".split()
)
ERRORS = 100
BINDS = re.compile(r"\s*(?:(?:input|target|param|for)\s+)?([A-Za-z_]\w*(?:\s*,\s*[A-Za-z_]\w*)*)\s*(?:[=:]|in\b)")


def parse(source: Source) -> tuple[tree.File, list[Diagnostic]]:
    """The tree of `source` and every statement that could not be read."""
    found: list[Diagnostic] = []
    lost: set[str] = set()
    text = source.text
    while True:
        try:
            file = _run(Source(source.path, text), source, 0, "file")
            assert isinstance(file, tree.File)
            return tree.File(file.span, file.version, file.doc, file.items, frozenset(lost)), found
        except UnexpectedInput as error:
            at = _place(error, source)
            found.append(_describe(error, at))
            region = _statement(text, at.start)
            if region is None or len(found) >= ERRORS:
                raise Refused(*found) from None
            start, end = region
            if bound := BINDS.match(text, start, end):
                lost.update(re.split(r"\s*,\s*", bound[1]))
            text = text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
        except Refused as error:
            raise Refused(*found, *error.diagnostics) from None


def parse_expression(source: Source, span: Span) -> tree.Expression:
    """The expression that stands at `span`: for interpolation in strings."""
    try:
        expression = _run(Source(source.path, span.text), source, span.start, "expression")
    except UnexpectedInput as error:
        raise Refused(_describe(error, _place(error, source, span.start))) from None
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
    grammar = (files("netc.grammar") / "net.lark").read_text(encoding="utf-8")
    lark = Lark(grammar, parser="lalr", lexer="basic", strict=True, start=["file", "expression"],
                postlex=layout, transformer=build, keep_all_tokens=True, cache=cache_file(grammar))
    return lark, layout, build


def _place(error: UnexpectedInput, source: Source, offset: int = 0) -> Span:
    if isinstance(error, UnexpectedToken):
        token = error.token
        end = token.end_pos if token.end_pos is not None else (token.start_pos or 0)
        start = token.start_pos if token.start_pos is not None else len(source.text)
        if token.type == "$END":
            start = end = len(source.text.rstrip())
        return Span(source, start + offset, max(end, start) + offset)
    position = error.pos_in_stream or 0
    return Span(source, position + offset, position + 1 + offset)


def _describe(error: UnexpectedInput, at: Span) -> Diagnostic:
    if isinstance(error, UnexpectedCharacters):
        return wording.unexpected_character(at)
    assert isinstance(error, UnexpectedToken)
    token: Token = error.token
    if str(token) in KEYWORDS:
        return wording.misplaced_keyword(at, str(token))
    return wording.unexpected_token(at, token.type == "_NL", token.type == "$END", set(error.accepts or error.expected))


def _statement(text: str, position: int) -> tuple[int, int] | None:
    """The lines of the statement around `position`, or None where leaving them out would lose a brace."""
    start = text.rfind("\n", 0, max(position, 0)) + 1
    while start and re.match(r"[ \t]*(->|else\b)", text[start:]):
        start = text.rfind("\n", 0, start - 1) + 1
    end = start
    while True:
        stop = text.find("\n", end)
        end = len(text) if stop < 0 else stop
        part = text[start:end]
        open_brackets = sum(part.count(c) for c in "([") - sum(part.count(c) for c in ")]")
        if end >= len(text) or (open_brackets <= 0 and end >= position and not re.match(r"\s*->", text[end:])):
            break
        end += 1
    part = re.sub(r"#[^\n]*", "", text[start:end])
    if part.count("{") != part.count("}") or not part.strip():
        return None
    return start, end
