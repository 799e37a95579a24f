"""Turns the registry of ops and the standard library into docs/ops.md: `python docs/make_ops.py` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from netc.ops.describe import Description, describe, families, initialisers
from netc.std.describe import BlockDescription, blocks

PAGE = Path(__file__).with_name("ops.md")
HEAD = """# Layers and functions

Written by `docs/make_ops.py` from the definitions in `netc/ops/` and `netc/std/`; `netc ops NAME` tells the
same of one. [language.md](language.md) says how calls work.

An operand is a tensor, given first in a call or by `->`. What follows are attributes, by position or by
keyword, known at compile time; one without a default is required. A `*` takes all arguments that are left.
In a formula y is the result, g the gradient that comes in, and dx the one that goes out to x. Under "Shape"
the op's own rule has been run on named sizes; what it asks of them stands behind "where". Operations count a
multiply-add as two.
"""
STARTS = """## Initialisers

How parameters start; [language.md](language.md#how-parameters-start) says where they are written.
"""
STANDARD = """## Blocks of the standard library

Written in the language, in scope without import.
"""


def page() -> str:
    """The text of the page."""
    members = {family: list(map(describe, ops)) for family, ops in families().items()}
    parts = [HEAD, _index([d.name for ops in members.values() for d in ops] + list(blocks()))]
    for family, described in members.items():
        parts.append(f"## {family}\n")
        parts += ["\n".join(_entry(d)) for d in described]
    parts += [STARTS, "\n".join(_starts()), STANDARD]
    parts += ["\n".join(_block(b)) for b in blocks().values()]
    return "\n".join(parts)


def _index(names: list[str]) -> str:
    ordered = sorted(names, key=lambda n: (n.lower(), n))
    return ", ".join(f"[{n}](#{n.lower()})" for n in ordered) + "\n"


def _entry(d: Description) -> Iterator[str]:
    yield f"### {d.name}\n"
    yield f"`{d.signature}`\n"
    if spelled := [*d.aliases, *([d.operator] if d.operator else [])]:
        yield f"Also spelled {', '.join(f'`{s}`' for s in spelled)}.\n"
    yield f"```text\n{d.prose.formula}\n```\n"
    if d.prose.notes:
        yield f"{d.prose.notes}\n"
    yield from _shape(d)
    gradient = d.prose.gradient or ("" if d.differentiable else "none")
    if gradient:
        yield f"**Gradient.** {gradient}\n"
    yield from _attributes(d)
    yield from _parameters(d)
    yield f"**Dtypes.** {'; '.join(d.dtype_lines)}.\n"
    yield f"**Cost.** {d.cost}.\n"
    if d.prose.source:
        yield f"**Source.** {d.prose.source}\n"


def _shape(d: Description) -> Iterator[str]:
    yield "**Shape.**" + (f" {d.prose.shape}" if d.prose.shape else "") + "\n"
    yield "\n".join(["```text", *map(str, d.rules), "```\n"])


def _attributes(d: Description) -> Iterator[str]:
    if d.attributes:
        yield "| attribute | takes | default |\n| --- | --- | --- |"
        for a in d.attributes:
            yield f"| `{a.name}` | {a.takes} | {'required' if a.default is None else f'`{a.default}`'} |"
        yield ""


def _parameters(d: Description) -> Iterator[str]:
    """Those of the first application that has any."""
    shown = next((r for r in d.rules if r.holds), None)
    if shown:
        yield f"**Parameters** of `{shown.call}`, called `{d.short}1`, `{d.short}2`, ... without a label:\n"
        yield "| parameter | shape | starts as |\n| --- | --- | --- |"
        for h in shown.holds:
            yield f"| `{h.name}` | `{h.shape}` | {h.start}{'' if h.trainable else ', not trained'} |"
        yield ""


def _starts() -> Iterator[str]:
    yield "| initialiser | draws |\n| --- | --- |"
    yield from (f"| `{signature}` | {draws} |" for signature, draws in initialisers())
    yield ""


def _block(b: BlockDescription) -> Iterator[str]:
    yield f"### {b.name}\n"
    yield f"`{b.signature}`\n"
    yield f"{b.doc}\n"
    yield f"```text\n{b.source}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
