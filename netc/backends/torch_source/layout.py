"""Breaks lines of source that are too long at their brackets, as formatters of Python do."""

from __future__ import annotations

from netc.backends.torch_source.literal import WIDTH

STEP = "    "
PAIRS = {"(": ")", "[": "]", "{": "}"}
EXPLODED = ("nn.Sequential(", "super().__init__(", "[", "{")


def broken(line: str, indent: str = "", comment: str = "") -> list[str]:
    """The lines that say `line`; `comment` stands behind the last."""
    whole = indent + line + comment
    if len(whole) <= WIDTH or (found := _last_brackets(line)) is None:
        return [whole]
    start, stop = found
    start, stop = _hugged(line, start, stop)
    head, body, tail = line[: start + 1], line[start + 1 : stop], line[stop:]
    inside = indent + STEP
    if not body.strip():
        return [whole]
    if head.endswith("*("):
        made, _, loop = body.rpartition(" for ")
        return [indent + head, *broken(made, inside), f"{inside}for {loop}", indent + tail + comment]
    if not head.endswith(EXPLODED) and len(inside + body) <= WIDTH:
        return [indent + head, inside + body, indent + tail + comment]
    parts = [lines for item in _items(body) for lines in broken(f"{item},", inside)]
    return [indent + head, *parts, indent + tail + comment]


def _last_brackets(line: str) -> tuple[int, int] | None:
    """Where the outermost pair of brackets opens and closes that stands last in the line."""
    found = None
    opened: list[int] = []
    for at, character in _outside_strings(line):
        if character in PAIRS:
            opened.append(at)
        elif character in PAIRS.values() and opened:
            start = opened.pop()
            if not opened:
                found = start, at
    return found


def _hugged(line: str, start: int, stop: int) -> tuple[int, int]:
    """The brackets of a list, a dict or an OrderedDict that is all that the brackets hold."""
    for opening in ("OrderedDict([", "[", "{"):
        inner = start + len(opening)
        if line.startswith(opening, start + 1) and _last_brackets(line[start + 1 : stop]) is not None:
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
    items, depth, start = [], 0, 0
    for at, character in _outside_strings(body):
        depth += (character in PAIRS) - (character in PAIRS.values())
        if character == "," and not depth:
            items.append(body[start:at].strip())
            start = at + 1
    return [item for item in (*items, body[start:].strip()) if item]


def _outside_strings(text: str) -> list[tuple[int, str]]:
    """The characters of `text` that are brackets or commas and not part of a string."""
    out: list[tuple[int, str]] = []
    quote, at = "", 0
    while at < len(text):
        character = text[at]
        if quote:
            at += character == "\\"
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        elif character in "()[]{},":
            out.append((at, character))
        at += 1
    return out
