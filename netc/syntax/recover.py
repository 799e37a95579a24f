"""Finds what to leave out of a text after a mistake in it, so that the rest can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

PARTS = re.compile(r'"""(?:[^"]|"[^"]|""[^"])*"""|"(?:[^"\\\n]|\\[^\n])*"|#[^\n]*|[()\[\]{}]')
DEEP = 200  # open brackets beyond which no end is sought
PAIRS = {")": "(", "]": "[", "}": "{"}
INDENTED = re.compile(r"[ \t]*(?:if|for|while|elif|else|def|class|with|block|net)\b[^{}\n]*$")
OPENS = re.compile(r"\s*(?:block|net)\s+(\w+)")
DANGLING = re.compile(r"(?:->|[-+*/%@=<]|\b(?:and|or|not|if|else))[ \t]*(?:#[^\n]*)?\Z")
CHAINED = re.compile(r"[ \t]*(?:else|elif)\b")
NAMES = re.compile(
    r"\b[A-Za-z_]\w*(?=\s*(?:,|:|(?:[-+*/@%]|//|\*\*)?==?|in\b|\())|(?<=[,(])\s*[A-Za-z_]\w*(?=\s*[,:])"
)


@dataclass(frozen=True)
class Bracket:
    """A bracket that is open, and where it stands."""

    kind: str
    start: int


def brackets(text: str, start: int, end: int) -> Iterator[tuple[str, int]]:
    """The brackets between two places, those in strings and comments aside."""
    for match in PARTS.finditer(text, start, end):
        if len(match[0]) == 1 and match[0] in "()[]{}":
            yield match[0], match.start()


def open_at(text: str, position: int) -> list[Bracket]:
    """The brackets that are open at `position`, the outermost first. A `}` closes what stands within it."""
    stack: list[Bracket] = []
    for kind, at in brackets(text, 0, position):
        _track(stack, kind, at)
    return stack


def _track(stack: list[Bracket], kind: str, at: int) -> None:
    if kind in "([{":
        stack.append(Bracket(kind, at))
    elif kind == "}":
        while stack and stack.pop().kind != "{":
            pass
    elif stack and stack[-1].kind == PAIRS[kind]:
        stack.pop()


def closing(text: str, opened: int) -> int | None:
    """Where the bracket at `opened` is closed; None where it never is."""
    stack: list[str] = []
    for kind, at in brackets(text, opened, len(text)):
        if kind in "([{":
            stack.append(kind)
        elif stack[-1] != PAIRS[kind]:
            return None
        else:
            stack.pop()
            if not stack:
                return at
    return None


def leave_out(text: str, position: int) -> tuple[int, int] | None:
    """The statement around `position`, with its body where it has one; None where it cannot be told."""
    start = _start(text, position)
    end = _end(text, start, position)
    start, end = _within_braces(text, start, end, position)
    last = _with_body(text, start, end)
    return (start, last) if last is not None and text[start:last].strip() else None


def blank(text: str, start: int, end: int) -> str:
    """`text` with spaces in place of a part, so that the places of the rest stay."""
    return text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]


def names_in(part: str) -> set[str]:
    """The names that the statements in `part` may have bound."""
    found: set[str] = set()
    for line in part.splitlines():
        head = re.sub(r"^\s*(?:input|target|param|buffer|for|block|net|fn|import)\b", "", line)
        found |= {m[0].strip() for m in NAMES.finditer(head)}
        found |= {m[1] for m in OPENS.finditer(line)}
    return found


def _start(text: str, position: int) -> int:
    """Where the statement begins: before its open brackets, and before the lines that `->` continues."""
    start = position
    for bracket in reversed(open_at(text, position)):
        if bracket.kind == "{":
            break
        start = bracket.start
    start = text.rfind("\n", 0, start) + 1
    while start and re.match(r"[ \t]*->|[ \t]*else\b[^{\n]*$", text[start : _line_end(text, start)]):
        start = text.rfind("\n", 0, start - 1) + 1
    return start


def _line_end(text: str, position: int) -> int:
    end = text.find("\n", position)
    return len(text) if end < 0 else end


def _end(text: str, start: int, position: int) -> int:
    """The end of the statement's last line; a bracket that is never closed ends before `position`."""
    end = _line_end(text, max(start, position))
    waiting = brackets(text, start, len(text))
    ahead = next(waiting, None)
    every: list[Bracket] = []
    closed: dict[int, bool] = {}
    while True:
        while ahead is not None and ahead[1] < end:
            _track(every, *ahead)
            ahead = next(waiting, None)
        first = next((b.start for b in every if b.kind != "{"), None)
        if first is not None and first not in closed:
            closed[first] = closing(text, first) is not None
        if first is not None and not closed[first]:
            line = text.rfind("\n", 0, position)
            return line if line > start else end
        if (
            first is None
            and not re.match(r"\s*->", text[end : end + 200])
            and not DANGLING.search(text, max(start, text.rfind("\n", 0, end) + 1), end)
        ):
            return end
        if end >= len(text) or len(every) > DEEP:
            return end
        end = _line_end(text, end + 1)


def _within_braces(text: str, start: int, end: int, position: int) -> tuple[int, int]:
    """The part of a statement's lines that no brace of another body stands in."""
    depth = 0
    for kind, at in brackets(text, start, end):
        depth += (kind == "{") - (kind == "}")
        if depth < 0:
            if at >= position:
                return start, at
            start, depth = at + 1, 0
    return start, end


def _with_body(text: str, start: int, end: int) -> int | None:
    """The end of the body that the statement opens, by its braces or, where they lack, by its indentation."""
    while True:
        opened = [b for b in open_at(text[start:end], end - start) if b.kind == "{"]
        if opened:
            closed = closing(text, start + opened[0].start)
            if closed is None:
                return None
            end = closed + 1
            if not re.match(r"\s*else\b", text[end : end + 200]):
                return end
            end = _line_end(text, end)
        elif INDENTED.match(text[start:end].split("\n")[0]) and "{" not in text[start:end]:
            return _indented(text, start, end)
        else:
            return end


def _indented(text: str, start: int, end: int) -> int:
    """The end of the lines that are indented more than that at `start`, and of the `else` after them."""
    depth = _depth(text[start:])
    while end < len(text):
        next_end = _line_end(text, end + 1)
        line = text[end + 1 : next_end]
        closes = line.strip() == "}" and _depth(line) == depth
        if (
            line.strip()
            and _depth(line) <= depth
            and not closes
            and not (_depth(line) == depth and CHAINED.match(line))
        ):
            return end
        end = next_end
        if closes and not re.match(r"\s*else\b", text[end : end + 200]):
            return end
    return end


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))
