"""netc show: a net as a table of layers, or as IR."""

from __future__ import annotations

import click

from netc.cli import options
from netc.dims import AnyDim, show
from netc.passes.cost import Cost


@click.command("show")
@options.spec
@options.net
@options.settings
@options.dynamic
@click.option("--ir", is_flag=True, help="Print the intermediate representation instead.")
@options.form
def command(spec: str, net_name: str | None, sets: tuple[str, ...], dynamic: str | None, ir: bool, format: str) -> None:
    """Show a net layer by layer: path, layer, output shape, parameters, multiply-adds, and the totals.

    Multiply-adds are those of convolutions and matrix products, as papers count them; for one image,
    give N: `--set N=1`. Nothing is allocated, however large the net is.

    \b
    netc show specs/resnet.net --net ResNet50 --set N=1
    netc show specs/unet.net --ir
    """
    from netc.ir.text import text
    from netc.passes.cost import cost

    if ir and format == "json":
        raise click.UsageError("--ir has one form, which is text.")
    _, net = options.read_net(spec, net_name, sets, dynamic)
    if ir:
        click.echo(text(net), nl=False)
    elif format == "json":
        click.echo(_json(cost(net)))
    else:
        click.echo(_table(net.name, cost(net), [str(c) for c in net.constraints]), nl=False)


def _number(x: AnyDim) -> str:
    return f"{x:,}" if isinstance(x, int) else str(x)


def _table(name: str, costs: Cost, constraints: list[str]) -> str:
    rows = [(".".join(r.path), r.layer, show(r.shape), _number(r.params) if r.params else "", _number(r.macs) if r.macs != 0 else "")
            for r in costs.rows]
    head = ("path", "layer", "output", "parameters", "multiply-adds")
    total = ("", "total", "", _number(costs.params), _number(costs.macs))
    widths = [max(len(row[i]) for row in (head, *rows, total)) for i in range(5)]
    rule = "  ".join("-" * w for w in widths)

    def line(row: tuple[str, ...]) -> str:
        left = "  ".join(cell.ljust(w) for cell, w in zip(row[:3], widths[:3], strict=True))
        return f"{left}  {row[3].rjust(widths[3])}  {row[4].rjust(widths[4])}".rstrip()

    needs = [f"runs where {' and '.join(constraints)}"] if constraints else []
    return "\n".join([name, line(head), rule, *map(line, rows), rule, line(total), *needs, ""])


def _json(costs: Cost) -> str:
    import json

    rows = [{"path": ".".join(r.path), "layer": r.layer, "output": [d if isinstance(d, int) else str(d) for d in r.shape],
             "parameters": r.params, "multiply_adds": r.macs if isinstance(r.macs, int) else str(r.macs)} for r in costs.rows]
    return json.dumps({"layers": rows, "parameters": costs.params,
                       "multiply_adds": costs.macs if isinstance(costs.macs, int) else str(costs.macs)}, indent=2)
