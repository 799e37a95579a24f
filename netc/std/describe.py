"""Turns the standard library into descriptions of its blocks, read from their .net sources."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from inspect import cleandoc

from netc.syntax import parse, tree
from netc.syntax.recover import closing
from netc.syntax.text import read_text


@dataclass(frozen=True)
class Parameter:
    """takes: its annotation. default: as written; None where the parameter is required."""

    name: str
    takes: str
    default: str | None


@dataclass(frozen=True)
class BlockDescription:
    """What the source of a block says of it. family: what its file says it holds."""

    name: str
    family: str
    signature: str
    doc: str
    parameters: tuple[Parameter, ...]
    source: str

    @property
    def headline(self) -> str:
        """The first line of its docstring."""
        return self.doc.split("\n")[0]


@cache
def blocks() -> dict[str, BlockDescription]:
    """The blocks of the standard library by name, file by file."""
    found: dict[str, BlockDescription] = {}
    for entry in sorted(files("netc.std").iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".net"):
            file, _ = parse(read_text(f"std/{entry.name}", entry.read_bytes()))
            family = (file.doc or entry.name.removesuffix(".net")).split("\n")[0].rstrip(".")
            for item in file.items:
                if isinstance(item, tree.Block):
                    found[item.name.text] = _described(item, family)
    return found


def _described(block: tree.Block, family: str) -> BlockDescription:
    parameters = tuple(
        Parameter(p.name.text, str(p.annotation or "any"), p.default.span.text if p.default else None)
        for p in block.parameters
    )
    given = ", ".join(f"{p.name}: {p.takes}" + (f" = {p.default}" if p.default else "") for p in parameters)
    return BlockDescription(
        name=block.name.text,
        family=family,
        signature=f"{block.name.text}({given})",
        doc=cleandoc(block.doc or ""),
        parameters=parameters,
        source=_source(block),
    )


def _source(block: tree.Block) -> str:
    """The text of a block from its first word to its last brace."""
    text, start = block.span.source.text, block.span.start
    end = closing(text, text.index("{", block.span.end))
    return text[start : len(text) if end is None else end + 1]
