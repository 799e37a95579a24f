"""Turns the fenced examples of a Markdown page into specs to elaborate, with what the page says of each.

A fence's first line says what the example is:

    ```net                a file; with `fragment`, statements of a net, whose inputs and outputs are added
    ```net error E0503    is refused with this code, and no other
    ```net blocks.net     a file that the examples after it may import
    ```text               after an example: what it makes, a line each (see `claims`)

A comment before a fence completes it: `<!-- body: ... -->` takes the place of a fragment's input,
`<!-- file: ... -->` stands after a file, or before the net of a fragment.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from netc.diagnostics import Refused
from netc.ir.module import Net
from netc.passes.elaborate import elaborate
from netc.passes.initial import state
from netc.passes.load import complete, load

FENCE = re.compile(r"^```(\w*)[ ]*([^\n]*)\n(.*?)^```$", re.M | re.S)
COMMENT = re.compile(r"<!-- (body|file):(.*?)-->\s*\Z", re.S)
ITEM = re.compile(r'^(netc|import|net|block|fn|train)\b|^"""', re.M)
INPUT = "input x: float32[N, 16, 32, 32]"


@dataclass(frozen=True)
class Example:
    """code: the finding that refuses it. claims: the lines that say what it makes."""

    place: str
    spec: str
    code: str | None = None
    claims: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)

    def nets(self) -> dict[str, Net]:
        """Every net of the example that needs no arguments. Raises Refused."""
        program = load("spec.net", self._read)
        if not program.nets and program.found:
            raise Refused(*program.found)
        return {name: elaborate(program, name) for name in complete(program)}

    def _read(self, path: str) -> bytes:
        files = {**self.files, "spec.net": self.spec}
        if path not in files:
            raise FileNotFoundError(2, "No such file")
        return files[path].encode()


def examples(page: Path) -> list[Example]:
    """The examples of a page, in order."""
    text = page.read_text(encoding="utf-8")
    found: list[Example] = []
    files: dict[str, str] = {}
    end = 0
    for fence in FENCE.finditer(text):
        before, end = text[end : fence.start()], fence.end()
        language, info, body = fence.groups()
        if language == "text" and found and not before.strip():
            found[-1] = replace(found[-1], claims=tuple(body.split("\n")[:-1]))
        elif language == "net" and info.endswith(".net"):
            files = {**files, info: body}
        elif language == "net":
            place = f"{page.name}:{text.count(chr(10), 0, fence.start()) + 1}"
            found.append(_example(place, info.split(), body, COMMENT.search(before), files))
    return found


def _example(
    place: str, info: list[str], text: str, comment: re.Match[str] | None, files: dict[str, str]
) -> Example:
    role, given = comment.groups() if comment else ("", "")
    code = info[info.index("error") + 1] if "error" in info else None
    whole = "fragment" not in info and (code is None or ITEM.search(text) is not None)
    if whole:
        spec = text + given
    else:
        body = given if role == "body" else "" if "input x:" in text else INPUT
        spec = f"{given if role == 'file' else ''}\nnet Example {{\n{body}\n{text}{_output(body, text)}}}\n"
    return Example(place, spec, code, files=files)


def _output(body: str, text: str) -> str:
    """A fragment without an output gives its first input."""
    if re.search(r"^\s*output\b", body + "\n" + text, re.M):
        return ""
    first = re.search(r"^\s*input (\w+)", body + "\n" + text, re.M)
    return f"output {first[1]}\n" if first else ""


def codes(example: Example) -> list[str]:
    """The codes of all findings; none where the example is right."""
    try:
        example.nets()
    except Refused as refused:
        return [d.code for d in refused.diagnostics]
    return []


def made(net: Net, lines: tuple[str, ...]) -> list[str]:
    """What `net` makes, in the form of `lines`.

    A claim `name: type` is on a value (the last of that name), one with spaces on a constraint, and any
    other on the state_dict: its keys in order, where `*` stands for any text.
    """
    types = {v.hint: str(v.type) for block in (net.block,) for s in block.body for v in s.outputs if v.hint}
    types |= {v.hint: str(v.type) for v in net.block.inputs if v.hint not in types}
    keys = list(state(net))
    out = []
    for line in lines:
        if ": " in line:
            name = line.split(": ")[0]
            out.append(f"{name}: {types.get(name, 'no such value')}")
        elif " " in line:
            out.append(line if line in map(str, net.constraints) else f"{list(map(str, net.constraints))}")
        else:
            held = [k for k in keys if fnmatchcase(k, line)]
            out.append(
                line if held and keys[: len(held)] == held else f"{line}, but the keys left are {keys}"
            )
            keys = keys[len(held) :]
    if any(" " not in line for line in lines) and keys:
        out += keys
    return out
