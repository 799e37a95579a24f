"""netc check: everything that is wrong with specs."""

from __future__ import annotations

import sys

import click

from netc.budget import Budget, spending
from netc.cli import options
from netc.cli.report import print_findings, say
from netc.diagnostics import Refused
from netc.passes.load import Program, templates


@click.command("check")
@click.argument("specs", nargs=-1, required=True, metavar="SPEC...")
@options.net
@options.settings
@options.dynamic
@options.form
def command(
    specs: tuple[str, ...], net_name: str | None, sets: tuple[str, ...], dynamic: str | None, format: str
) -> None:
    """Check specs: names, types, shapes and the training recipe.

    Takes every net of each file, or the one that --net names. All independent mistakes are reported in
    one run, with the line, what is wrong and what to write instead. `-` reads standard input.

    Exit status: 0 where all is well, 1 where something was found, 2 for wrong usage.

    \b
    netc check specs/resnet.net
    netc check specs/*.net --format json
    """
    from netc.passes.check import check
    from netc.passes.load import complete

    settings, recipe = options.given_settings(sets)
    found = []
    for path in specs:
        try:
            with spending(Budget()), options.ends_in_time(path):
                program = options.read_program(path)
                names = [options.chosen(program, net_name)] if net_name is not None else None
                wrong = check(program, names, settings, (), recipe)
            found += wrong
            for name in (names or complete(program)) if dynamic and not wrong else ():
                options.elaborated(program, name, dict(settings), dynamic)
            if not found:
                _notes(path, program, names)
        except Refused as refused:
            found += refused.diagnostics
    if found or format == "json":
        print_findings(found, "json" if format == "json" else "text")
    else:
        say(f"{len(specs)} spec{'s' * (len(specs) != 1)} checked: no mistakes found")
    sys.exit(1 if found else 0)


def _notes(path: str, program: Program, names: list[str] | None) -> None:
    """What was not checked, and why."""
    if not program.nets:
        say(f"{path} has no nets: its blocks were read, their shapes are checked where a net uses them")
    for name, lacking in templates(program).items() if names is None else ():
        say(
            f"{path}: the shapes of {name} were not checked, as it has no {' and no '.join(lacking)}; "
            f"give a default or a preset, or check it with --net {name} --set {lacking[0]}=..."
        )
