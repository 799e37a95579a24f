"""netc explain: the page of an error's code."""

from __future__ import annotations

import click

from netc.diagnostics.explain import codes, explain
from netc.diagnostics.wording import nearest


@click.command("explain")
@click.argument("code", required=False)
def command(code: str | None) -> None:
    """Explain the code of an error: what it means, an example, and how to mend it. Without CODE, list all.

    \b
    netc explain E0203
    """
    if code is None:
        click.echo("\n".join(_title(c) for c in codes()))
        return
    page = explain(code)
    if page is None:
        near = nearest(code.upper(), codes())
        raise click.UsageError(f"There is no code `{code}`." + (f" Did you mean {near}?" if near else ""))
    click.echo(page, nl=False)


def _title(code: str) -> str:
    page = explain(code) or code
    return page.split("\n", 1)[0].removeprefix("# ")
