"""How findings reach the user: text or JSON on standard output, and the exit status."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from math import isfinite
from typing import Any, Literal, NoReturn, TypeAlias

import click

from netc.diagnostics import Diagnostic
from netc.diagnostics.render import render_json, render_text, visible

Format: TypeAlias = Literal["text", "json"]


def print_findings(diagnostics: Sequence[Diagnostic], form: Format) -> None:
    click.echo(render_json(diagnostics) if form == "json" else render_text(diagnostics), nl=False)


def print_json(data: Any) -> None:
    """Prints data as JSON, which has no form for a number that is not finite: it is a string, "nan" or "inf"."""
    click.echo(json.dumps(_spelled(data), indent=2, allow_nan=False))


def _spelled(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _spelled(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_spelled(value) for value in data]
    return str(data) if isinstance(data, float) and not isfinite(data) else data


def fail(diagnostics: Sequence[Diagnostic]) -> NoReturn:
    """Prints findings and exits with 1."""
    form: Format = "json" if _asked_for_json() else "text"
    print_findings(diagnostics, form)
    sys.exit(1)


def _asked_for_json() -> bool:
    arguments = sys.argv[1:]
    return "--format=json" in arguments or any(
        a == "--format" and b == "json" for a, b in zip(arguments, arguments[1:], strict=False)
    )


def download(done: int, size: int) -> None:
    """How far a download is, where a person looks on."""
    if sys.stderr.isatty():
        click.echo(f"\rdownloading {done / 1e6:.0f} of {size / 1e6:.0f} MB", nl=done >= size, err=True)


def print_line(text: str) -> None:
    """A line of a result, in which names of files or classes may stand, safe for a terminal."""
    click.echo(visible(text))


def say(text: str) -> None:
    """Prose: what was done, on standard error."""
    click.echo(visible(text), err=True)
