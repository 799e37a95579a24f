"""Breaks lines of source that are too long at their brackets, as formatters of Python do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from netc.backends.torch_source.literal import WIDTH

STEP = "    "
PAIRS = {"(": ")", "[": "]", "{": "}"}
OPERATORS = ((" + ", " - "), (" * ", " / ", " // ", " % ", " @ "))  # the loosest first
CHAIN = 3  # methods called one behind the other stand below each other
EXPLODED = ("nn.Sequential(", "super().__init__(", "[", "{")


def broken(line: str, indent: str = "", comment: str = "") -> list[str]:
    """The lines that say `line`; `comment` stands behind the last."""
    whole = indent + line + comment
    if len(whole) <= WIDTH or (found := _brackets(line)) is None:
        return [whole]
    if (links := _links(line)) is not None:
        below = [part for link in links[1:] for part in broken(link, indent + STEP)]
        return [f"{indent}{links[0]}(", *below, f"{indent}){comment}"]
    start, stop = _hugged(line, *found)
    head, body, tail = line[: start + 1], line[start + 1 : stop], line[stop:]
    inside = indent + STEP
    if not body.strip():
        return [whole]
    closing = broken(tail, indent, comment) if line.startswith("def ") else [indent + tail + comment]
    if not head.endswith(EXPLODED) and len(inside + body) <= WIDTH:
        return [indent + head, inside + body, *closing]
    if (loop := _loop(body)) is not None:
        return [indent + head, *broken(body[:loop], inside), *broken(body[loop + 1 :], inside), *closing]
    items = _terms(body) if _is_group(head, body) else [f"{item}," for item in _items(body)]
    parts = [lines for item in items for lines in broken(item, inside)]
    return [indent + head, *parts, *closing]


def _brackets(line: str) -> tuple[int, int] | None:
    """Where the brackets open and close that a line is broken at: its longest, or the parameters of a method."""
    found = _outermost(line)
    if line.startswith("def "):
        return found[0]
    return max(reversed(found), key=lambda pair: pair[1] - pair[0], default=None)


def _links(line: str) -> list[str] | None:
    """What stands before a chain of methods that is all the rest of the line, and its links; None where none is."""
    opening = re.match(r"return |[\w, ]+(: Tensor)? = ", line)
    free = list(_outside_brackets(line[opening.end() :])) if opening else []
    text = line[opening.end() :] if opening else ""
    places = [at + 1 for at, character in free if character in ")" and text.startswith(".", at + 1)]
    if opening is None or len(places) < CHAIN - 1 or any(character in ", " for _, character in free):
        return None
    return [opening[0], *(text[a:b] for a, b in pairwise([0, *places, len(text)]))]


def _outermost(line: str) -> list[tuple[int, int]]:
    """Where the outermost pairs of brackets of the line open and close."""
    found = []
    opened: list[int] = []
    for at, character in _outside_strings(line):
        if character in PAIRS:
            opened.append(at)
        elif character in PAIRS.values() and opened:
            start = opened.pop()
            if not opened:
                found.append((start, at))
    return found


def _loop(body: str) -> int | None:
    """Where ` for ` stands outside of all brackets, as in a generator."""
    return next((at for at, _ in _outside_brackets(body) if body.startswith(" for ", at)), None)


def _hugged(line: str, start: int, stop: int) -> tuple[int, int]:
    """The brackets of a list, a dict or an OrderedDict that is all that the brackets hold."""
    for opening in ("OrderedDict([", "[", "{"):
        inner = start + len(opening)
        if line.startswith(opening, start + 1) and _outermost(line[start + 1 : stop]):
            closing = stop - opening.count("(") - opening.count("[") - opening.count("{")
            if _match(line, inner) == closing:
                return inner, closing
    return start, stop


def _match(line: str, start: int) -> int:
    """Where the bracket at `start` closes."""
    depth = 0
    for at, character in _outside_strings(line):
        if at < start:
            continue
        depth += (character in PAIRS) - (character in PAIRS.values())
        if not depth:
            return at
    return -1


def _items(body: str) -> list[str]:
    """The parts of `body` between the commas that stand outside of all brackets."""
    items, start = [], 0
    for at, character in _outside_brackets(body):
        if character == ",":
            items.append(body[start:at].strip())
            start = at + 1
    return [item for item in (*items, body[start:].strip()) if item]


def _is_group(head: str, body: str) -> bool:
    """Whether brackets only hold an expression together, so that a comma would make a tuple of it."""
    return re.search(r"(^|[^\w)\]])\($", head) is not None and not any(
        character == "," for _, character in _outside_brackets(body)
    )


def _terms(body: str) -> list[str]:
    """The parts of `body` at its loosest operators, each of which opens a part."""
    free = [at for at, character in _outside_brackets(body) if character == " "]
    for operators in OPERATORS:
        places = [at for at in free if body.startswith(operators, at)]
        if places:
            ends = [*places[1:], len(body)]
            return [body[: places[0]], *(body[a + 1 : b] for a, b in zip(places, ends, strict=True))]
    return [body]


def _outside_brackets(text: str) -> Iterator[tuple[int, str]]:
    """The characters of `text` that no brackets hold and no string, and where they stand."""
    depth = 0
    for at, character in _outside_strings(text):
        depth -= character in PAIRS.values()
        if not depth:
            yield at, character
        depth += character in PAIRS


def _outside_strings(text: str) -> list[tuple[int, str]]:
    """The characters of `text` that are not part of a string, and where they stand."""
    out: list[tuple[int, str]] = []
    quote, at = "", 0
    while at < len(text):
        character = text[at]
        if quote:
            at += character == "\\"
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            out.append((at, character))
        at += 1
    return out
