"""How findings reach the user: text or JSON on standard output, and the exit status."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Literal, NoReturn, TypeAlias

import click

from netc.diagnostics import Diagnostic
from netc.diagnostics.render import render_json, render_text, visible

Format: TypeAlias = Literal["text", "json"]


def print_findings(diagnostics: Sequence[Diagnostic], form: Format) -> None:
    click.echo(render_json(diagnostics) if form == "json" else render_text(diagnostics), nl=False)


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


def say(text: str) -> None:
    """Prose: what was done, on standard error."""
    click.echo(visible(text), err=True)
