"""netc show: a net as a table of layers, or as IR."""

from __future__ import annotations

import re

import click

from netc.cli import options
from netc.cli.report import print_json
from netc.dims import AnyDim, show
from netc.ir.module import Net
from netc.passes.cost import Cost, Row


@click.command("show")
@options.spec
@options.net
@options.settings
@options.dynamic
@click.option(
    "--depth",
    type=options.Whole(0),
    metavar="LEVELS",
    help="Open so many levels of blocks; a block below is one row. All are opened unless it is given.",
)
@click.option("--ir", is_flag=True, help="Print the intermediate representation instead.")
@options.form
def command(
    spec: str,
    net_name: str | None,
    sets: tuple[str, ...],
    dynamic: str | None,
    depth: int | None,
    ir: bool,
    format: str,
) -> None:
    """Show a net layer by layer: path, layer, output shape (the first of several), parameters, multiply-adds, and
    the totals.

    Multiply-adds are those of convolutions and matrix products, as papers count them; for one image,
    give N: `--set N=1`. Nothing is allocated, however large the net is.

    \b
    netc show specs/resnet.net --net ResNet50 --set N=1
    netc show specs/vit.net --net ViTB16 --depth 0
    netc show specs/unet.net --ir
    """
    from netc.ir.text import text
    from netc.passes.cost import cost

    if ir and (format == "json" or depth is not None):
        raise click.UsageError("--ir has one form, which is text of all blocks.")
    _, net = options.read_net(spec, net_name, sets, dynamic)
    if ir:
        click.echo(text(net), nl=False)
    elif format == "json":
        print_json(_data(net, cost(net, depth)))
    else:
        click.echo(_table(net, cost(net, depth)), nl=False)


def _number(x: AnyDim) -> str:
    """A count with its digits in groups, also within a formula."""
    return re.sub(r"\d{4,}", lambda m: f"{int(m[0]):,}", str(x))


def _table(net: Net, costs: Cost) -> str:
    head = ("path", "layer", "output", "parameters", "multiply-adds")
    rows = [_cells(row) for row in costs.rows]
    beside = [_cells(row) for row in costs.beside]
    total = ("", "total", "", _number(costs.params), _number(costs.macs))
    widths = [max(len(row[i]) for row in (head, *rows, *beside, total)) for i in range(5)]
    rule = "  ".join("-" * w for w in widths)

    def line(row: tuple[str, ...]) -> str:
        left = "  ".join(cell.ljust(w) for cell, w in zip(row[:3], widths[:3], strict=True))
        return f"{left}  {row[3].rjust(widths[3])}  {row[4].rjust(widths[4])}".rstrip()

    lines = [net.name, line(head), rule, *map(line, rows), rule]
    if beside:
        lines += ["not for the outputs: of a loss, or unused", *map(line, beside), rule]
    return "\n".join([*lines, line(total), *map(options.demand, net.constraints), ""])


def _cells(row: Row) -> tuple[str, ...]:
    counts = (_number(x) if x != 0 else "" for x in (row.params, row.macs))
    return ".".join(row.path), row.layer, show(row.shape), *counts


def _data(net: Net, costs: Cost) -> dict[str, object]:
    """The same as data; what depends on a free size is a string."""

    def plain(x: AnyDim) -> int | str:
        return x if isinstance(x, int) else str(x)

    def layer(row: Row) -> dict[str, object]:
        return {
            "path": ".".join(row.path),
            "layer": row.layer,
            "output": list(map(plain, row.shape)),
            "parameters": plain(row.params),
            "multiply_adds": plain(row.macs),
        }

    return {
        "net": net.name,
        "layers": list(map(layer, costs.rows)),
        "beside": list(map(layer, costs.beside)),
        "parameters": plain(costs.params),
        "multiply_adds": plain(costs.macs),
        "constraints": [str(c) for c in net.constraints if not c.training],
        "constraints_of_the_loss": [str(c) for c in net.constraints if c.training],
    }
