"""netc specs: the specs that come with netc, and the text of one."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import click

from netc.cli import options
from netc.cli.report import say
from netc.diagnostics import Refused, wording_names
from netc.diagnostics.wording import nearest
from netc.passes.load import complete


@click.command("specs")
@click.argument("name", required=False, metavar="[NAME]")
def command(name: str | None) -> None:
    """List the specs that come with netc, or print the text of one.

    A verb takes the name of one of them where it takes a file: `netc train digits`.

    \b
    netc specs
    netc specs resnet > my_resnet.net
    """
    paths = shipped_specs()
    if name is None:
        _print_list(paths)
    elif name in paths:
        click.echo(paths[name].read_text(encoding="utf-8"), nl=False)
    else:
        raise Refused(wording_names.unknown_spec(name, nearest(name, paths)))


def shipped_specs() -> dict[str, Path]:
    """The files of the specs that come with netc, by name."""
    package = find_spec("netc.specs")
    folders = list(package.submodule_search_locations or ()) if package else []
    return {path.stem: path for folder in folders for path in sorted(Path(folder).glob("*.net"))}


def _print_list(paths: dict[str, Path]) -> None:
    width = max(map(len, paths))
    for name, path in paths.items():
        program = options.read_program(str(path))
        headline = (program.doc or "").partition("\n")[0]
        click.echo(f"{name:{width}}  {headline}\n{'':{width}}  nets: {', '.join(complete(program))}")
    say(f"\n{len(paths)} specs in {os.path.dirname(path)}")
