"""netc ops: the layers and functions of the language, and all that is told of one."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import click

from netc.cli import options
from netc.cli.report import print_json
from netc.diagnostics.wording_names import name_help
from netc.ops.contract import OPS, Op
from netc.ops.describe import Description, describe, families, initialisers
from netc.ops.prose import prose
from netc.std.describe import BlockDescription, blocks

WIDTH = 110
STARTS = "Initialisers, for parameters of layers and raw ones"
STANDARD = "Blocks of the standard library, written in the language"


@click.command("ops")
@click.argument("name", required=False)
@options.form
def command(name: str | None, format: str) -> None:
    """List the layers, functions and standard blocks of the language, or tell all of the one called NAME.

    Of a layer or function: formula, shape rule run on named sizes, gradient, attributes, parameters and how
    they start, dtypes, cost and source. Of a block: its docstring and its own source. NAME may be an alias.

    \b
    netc ops
    netc ops Conv2d
    netc ops SqueezeExcite
    """
    if name is None:
        _print(_list_data() if format == "json" else _list_text())
    elif name in OPS:
        described = describe(OPS[name])
        _print(_data(described) if format == "json" else _op_text(described))
    elif name in blocks():
        block = blocks()[name]
        _print(_data(block) if format == "json" else _block_text(block))
    else:
        said = name_help(name, [*OPS, *blocks()]) or "`netc ops` lists them"
        hint = f"{said[0].upper()}{said[1:]}{'' if said.endswith('?') else '.'}"
        raise click.UsageError(f"There is no layer, function or standard block `{name}`. {hint}")


def _print(made: dict[str, Any] | Iterator[str]) -> None:
    """Prints data as JSON, or lines."""
    if isinstance(made, dict):
        print_json(made)
    else:
        click.echo("\n".join(made))


# -- all of them --------------------------------------------------------------------------------------


def _list_text() -> Iterator[str]:
    for family, ops in families().items():
        yield family
        yield from _columns([(_spellings(op), prose(op.__doc__).headline) for op in ops])
        yield ""
    yield STARTS
    yield from _columns(initialisers())
    yield ""
    yield STANDARD
    yield from _columns([(b.name, b.headline) for b in blocks().values()])
    yield ""
    yield "`netc ops NAME` tells all of one."


def _spellings(op: type[Op]) -> str:
    return ", ".join([op.name, *op.aliases])


def _list_data() -> dict[str, Any]:
    ops = [
        {"name": op.name, "family": family, "aliases": op.aliases, "formula": prose(op.__doc__).headline}
        for family, members in families().items()
        for op in members
    ]
    described = [
        {"name": b.name, "family": b.family, "signature": b.signature, "doc": b.headline}
        for b in blocks().values()
    ]
    starts = [{"signature": signature, "draws": draws} for signature, draws in initialisers()]
    return {"ops": ops, "initialisers": starts, "blocks": described}


def _data(described: Description | BlockDescription) -> dict[str, Any]:
    return {"kind": "op" if isinstance(described, Description) else "block"} | asdict(described)


# -- one of them --------------------------------------------------------------------------------------


def _op_text(d: Description) -> Iterator[str]:
    yield d.signature
    spelled = [*d.aliases, *([d.operator] if d.operator else [])]
    yield f"{d.family}." + (f" Also spelled {', '.join(spelled)}." if spelled else "")
    yield ""
    yield textwrap.indent(d.prose.formula, "    ")
    if d.prose.notes:
        yield f"\n{d.prose.notes}"
    yield from _section("Shape", [d.prose.shape, *map(str, d.rules)])
    yield from _section("Gradient", [d.prose.gradient or ("" if d.differentiable else "none")])
    yield from _section(
        "Attributes", _columns([(a.name, a.takes, _default(a.default)) for a in d.attributes])
    )
    yield from _holdings(d)
    yield from _section("Dtypes", d.dtype_lines)
    yield from _section("Cost", [str(d.cost)])
    yield from _section("Source", [d.prose.source])


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    """A title and what stands below it, unless that is nothing."""
    wrapped = [
        textwrap.indent(line.strip("\n"), "" if line.startswith("  ") else "  ") for line in lines if line
    ]
    if wrapped:
        yield f"\n{title}"
        yield from wrapped


def _holdings(d: Description) -> Iterator[str]:
    """The parameters of the first application that has any."""
    shown = next((r for r in d.rules if r.holds), None)
    if shown:
        rows = [(h.name, h.shape, h.start + ("" if h.trainable else ", not trained")) for h in shown.holds]
        yield from _section(
            f"Parameters of {shown.call}, called {d.short}1, {d.short}2, ... without a label", _columns(rows)
        )


def _default(default: str | None) -> str:
    return "required" if default is None else f"default {default}"


def _columns(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Rows of cells, indented and aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return ["  " + "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]


def _block_text(b: BlockDescription) -> Iterator[str]:
    yield b.signature
    yield f"{b.family}, written in the language."
    yield f"\n{b.doc}"
    rows: list[tuple[Any, ...]] = [(p.name, p.takes, _default(p.default)) for p in b.parameters]
    yield from _section("Parameters", _columns(rows))
    yield f"\nSource\n{textwrap.indent(b.source, '  ')}"
