"""All wording of what the compiler finds: one function a finding, from places and values to a Diagnostic."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from netc.budget import ITEMS, TOKEN, WORK, budget, spend
from netc.diagnostics.diagnostic import Diagnostic, Note
from netc.diagnostics.habits import BRACES, CHARACTERS, line_habit
from netc.diagnostics.source import Span

NAMES = 1000  # that are compared with one which is not known
COMPARE = 4  # the work of comparing two


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be."""
    memo, names = budget().memo, frozenset(known)
    spend(len(names) // ITEMS)
    if (name, names) not in memo:
        spend(len(names) + COMPARE * min(len(names), NAMES))
        memo[name, names] = _nearest(name, sorted(names))
    found: str | None = memo[name, names]
    return found


def _nearest(name: str, names: list[str]) -> str | None:
    lower = {n.lower(): n for n in names}
    if name.lower() in lower:
        return lower[name.lower()]
    if len(names) > NAMES:
        names = [n for n in names if n[:1].lower() == name[:1].lower()][:NAMES]
        lower = {n.lower(): n for n in names}
    cutoff = 0.8 if len(name) <= 3 else 0.7  # of a short name one letter is much
    close = get_close_matches(name, names, n=1, cutoff=cutoff) or get_close_matches(
        name.lower(), lower, n=1, cutoff=cutoff
    )
    return lower.get(close[0], close[0]) if close else None


def _meant(name: str, known: Iterable[str]) -> str | None:
    near = nearest(name, known)
    return f"did you mean `{near}`?" if near else None


def bytes_in_words(count: int) -> str:
    """So many bytes, in the unit that suits."""
    amount, units = float(count), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while amount >= 1024 and len(units) > 1:
        amount, units = amount / 1024, units[1:]
    return f"{amount:,.1f} {units[0]}" if units[0] != "bytes" else f"{count} bytes"


def _listing(items: Sequence[str]) -> str:
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} or {items[-1]}"


# -- E01: text and syntax -----------------------------------------------------------------------------


def file_too_large(path: str, size: int, limit: int) -> Diagnostic:
    return Diagnostic("E0101", f"{path} has {size} bytes; a spec may have at most {limit}")


def not_utf8(path: str, offset: int) -> Diagnostic:
    return Diagnostic("E0102", f"{path} is not UTF-8 text (byte {offset} cannot be decoded)")


def forbidden_character(span: Span, code: int) -> Diagnostic:
    return Diagnostic(
        "E0103",
        f"the invisible character U+{code:04X} is not allowed in a spec",
        span,
        help="delete it; tabs, spaces and newlines are the only control characters a spec may hold",
    )


def unexpected_character(span: Span) -> Diagnostic:
    if span.text == '"':
        return Diagnostic(
            "E0104", "the string is never closed", span, help='it ends with `"` on the same line'
        )
    return Diagnostic(
        "E0104", f"`{span.text}` does not belong to the language", span, help=CHARACTERS.get(span.text)
    )


TOKEN_WORDS = {
    "_NL": "a new line",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "COMMA": "`,`",
    "EQUAL": "`=`",
    "COLON": "`:`",
    "_IN": "`in`",
    "_ELSE": "`else`",
    "NAME": "a name",
    "_ARROW": "`->`",
}
ATOMS = {"INT", "STRING", "LSQB"}  # what begins an expression, and nothing else does
LINE = 1000  # characters of a line in which a habit is looked for
OPERATORS = {"PLUS", "STAR", "POWER"}  # what goes on after one


def unexpected_token(span: Span, newline: bool, end: bool, accepts: set[str]) -> Diagnostic:
    line = _line(span)
    if returned := re.match(r"\s*return\b(?!\s*=)[ \t]*([^#]*)", line):
        return _return(span, line, returned[1].strip())
    what = "the end of the file" if end else "the end of the line" if newline else f"`{_short(span.text)}`"
    help_ = (
        _label_habit(span, line)
        or _braces_habit(span, line)
        or _list_habit(span, line)
        or line_habit(_before(span))
        or _syntax_help(span, newline or end, accepts)
    )
    if span.text == ":" and help_ == BRACES:
        return Diagnostic("E0105", "a body does not begin with `:`", span, help=help_)
    return Diagnostic("E0105", f"{what} is not expected here{_expected(accepts)}", span, help=help_)


def _expected(accepts: set[str]) -> str:
    """What could stand there, where that says something: an expression may go on in too many ways."""
    if accepts >= ATOMS:
        return "; an expression is"
    wanted = sorted(TOKEN_WORDS[t] for t in accepts if t in TOKEN_WORDS)
    if accepts >= OPERATORS:
        wanted = [w for w in wanted if w in ("`{`", "`else`", "`)`", "`]`", "`,`", "`in`")]
    return f"; {_listing(wanted)} is" if 0 < len(wanted) <= 4 else ""


def _before(span: Span) -> str:
    """The line up to the end of what was found; nothing of one that nobody wrote by hand."""
    start = span.source.starts[span.line - 1]
    return span.source.text[start : span.end] if span.end - start <= LINE else ""


def _line(span: Span) -> str:
    """The line, or nothing of one that nobody wrote by hand: patterns of habits are not linear in its length."""
    line = span.source.line(span.line)
    return line if len(line) <= LINE else ""


def _return(span: Span, line: str, value: str) -> Diagnostic:
    start = span.source.starts[span.line - 1] + line.index("return")
    place = Span(span.source, start, start + len("return"))
    help_ = f"write `output {_short(value or 'value')}`"
    return Diagnostic("E0105", "`return` does not belong to the language", place, help=help_)


def _label_habit(span: Span, line: str) -> str | None:
    """Of `x -> name = Layer(...)`, where already the arrow is at fault, how a label is written."""
    found = re.search(r"->\s*(\w+)\s*=(?!=)", line) if span.text == "->" else None
    return f"bind what comes out, and write a label as `y = x -> {found[1]}: Layer(...)`" if found else None


def _braces_habit(span: Span, line: str) -> str | None:
    """Of `x -> stage{i}: Layer(...)`, where the brace is at fault, how such a label is written."""
    column = span.start - span.source.starts[span.line - 1]
    for found in re.finditer(r"[\w.]+(?:\{[^{}\"]*\}[\w.]*)+(?=\s*:)", line):
        if found.start() < column < found.end():
            return f'a label that holds a value stands in quotes: `"{_short(found[0])}": ...`'
    return None


def _list_habit(span: Span, line: str) -> str | None:
    """Of `a, b = x, y`, where the comma on the right is at fault, how several values are written."""
    before = _before(span)
    found = re.match(r"\s*([\w\s,]+?)\s*=(?!=)\s*([^#]+)", line) if span.text == "," else None
    if (
        found is None
        or "=" not in before
        or sum(before.count(c) for c in "([") > sum(map(before.count, ")]"))
    ):
        return None
    return f"write `{_short(f'{found[1]} = [{found[2].strip()}]')}`"


def positional_after_keyword(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0105",
        "a positional argument follows a keyword",
        span,
        help="put it before the keywords, or give it a name",
    )


def _syntax_help(span: Span, ends: bool, accepts: set[str]) -> str | None:
    if "LBRACE" in accepts and (ends or span.text == ":"):
        return BRACES
    if "_ELSE" in accepts and "LBRACE" not in accepts:
        return "an `if` within an expression has both sides: `a if test else b`"
    if "COMMA" in accepts and accepts & {"RPAR", "RSQB"} and not ends:
        return "part the arguments with `,`"
    if "EQUAL" in accepts and "COMMA" in accepts:
        return "a statement begins with a keyword or binds a name: `name = expression`"
    return None


def misplaced_keyword(span: Span, word: str) -> Diagnostic:
    return Diagnostic(
        "E0106",
        f"`{word}` is a word of the language and cannot stand here",
        span,
        help=_word_in_label(span)
        or line_habit(_before(span))
        or f"if it is meant as a name, take another, such as `{word}_`",
    )


def _word_in_label(span: Span) -> str | None:
    """Of `-> stem.block: Layer(...)`, where `block` is at fault, how such a label is written."""
    line, column = _line(span), span.start - span.source.starts[span.line - 1]
    for found in re.finditer(r"(?:->|=|\()\s*([\w.]+(?:\[[^\[\]]*\][\w.]*)*)\s*:\s*[^\s=]", line):
        if found.start(1) <= column < found.end(1) and keyword.iskeyword(span.text):
            return f"a label cannot be a word of Python's: take another, such as `{span.text}_`"
        if found.start(1) <= column < found.end(1):
            label = re.sub(r"\[\s*(\d+)\s*\]", r".\1", found[1])
            label = re.sub(r"\[([^\[\]]*)\]", r".{\1}", label)
            return f'within a label, a word of the language stands in quotes: `"{_short(label)}": ...`'
    return None


def nested_too_deeply(span: Span, limit: int) -> Diagnostic:
    return Diagnostic(
        "E0107", f"brackets are nested more than {limit} deep", span, help="bind a part to a name"
    )


def too_many_branches(span: Span, limit: int) -> Diagnostic:
    message = f"more than {limit} `else if` follow one another"
    return Diagnostic("E0107", message, span, help="take what differs from a list, by its index")


def unbalanced_bracket(span: Span, opened: Span | None) -> Diagnostic:
    if opened is None:
        return Diagnostic("E0108", f"`{span.text}` closes nothing", span)
    return Diagnostic(
        "E0108",
        f"`{span.text}` does not close `{opened.text}`",
        span,
        (Note(f"`{opened.text}` was opened here", opened),),
    )


def unclosed_bracket(span: Span) -> Diagnostic:
    return Diagnostic("E0108", f"`{span.text}` is never closed", span)


def name_of_python(span: Span) -> Diagnostic:
    message = "a name may not begin with two underscores, as Python's own do"
    return Diagnostic("E0109", message, span, help="take another name")


def name_too_long(span: Span, limit: int) -> Diagnostic:
    return Diagnostic("E0109", f"a name may have at most {limit} characters", span)


def number_too_large(span: Span, limit: str) -> Diagnostic:
    return Diagnostic("E0110", f"the number is not below {limit}", span)


def string_too_long(span: Span, limit: int) -> Diagnostic:
    return Diagnostic("E0111", f"a string may have at most {limit} characters", span)


def too_long(span: Span) -> Diagnostic:
    return Diagnostic(
        "E0113",
        f"a spec may have at most {WORK // TOKEN:,} words and signs, those of the files that it imports included",
        span,
    )


def unknown_version(span: Span, version: str) -> Diagnostic:
    return Diagnostic(
        "E0112", f"this netc knows version 1 of the language, not {version}", span, help="write `netc 1`"
    )


def _short(text: str) -> str:
    text = text.replace("\n", " ")
    return text if len(text) <= 40 else text[:37] + "..."
