"""netc trace: a net at given values, node by node, with gradients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from netc.cli import options
from netc.cli.report import print_json
from netc.cli.room import check_memory
from netc.diagnostics import Refused
from netc.diagnostics.wording_gradient import bad_value, not_given
from netc.ops.contract import FLOATS, INTEGERS

if TYPE_CHECKING:
    from netc.autodiff.trace import Traced
    from netc.ir.module import Net

COPIES = 3  # of the weights in float32: as they are, and in float64
SHOWN = 10  # elements of a tensor that are printed whole


@click.command("trace")
@options.spec
@options.net
@options.settings
@click.option(
    "--at",
    multiple=True,
    metavar="NAME=VALUE,...",
    help="Values of inputs, targets and parameters: numbers or lists ('x=[1,2],fc1.bias=[0]'); may be repeated.",
)
@click.option(
    "--seed",
    type=options.Whole(0),
    default=0,
    show_default=True,
    help="Of parameters not given, and of what the net draws.",
)
@options.form
def command(
    spec: str, net_name: str | None, sets: tuple[str, ...], at: tuple[str, ...], seed: int, format: str
) -> None:
    """Trace a net at a point: the value of each node, and the gradient of the loss (or the output) there.

    Each input and target needs a value; parameters that are given none start as in training. All is computed
    in float64 and in evaluation mode.

    \b
    netc trace product.net --at x=-2,y=5,z=-4
    netc trace specs/perceptron.net --net Neuron --at 'x=[[-1, -2]],fc.weight=[[2, -3]],fc.bias=-3'
    """
    from netc.autodiff.trace import trace

    program, net = options.read_net(spec, net_name, sets)
    given = values_at(at)
    check_memory(net, COPIES)
    inputs, weights = _split(program.source.path, net, given, seed)
    lines = trace(net, inputs, weights, seed)
    if format == "json":
        print_json(_data(lines))
    else:
        click.echo(_table(lines), nl=False)


def values_at(at: tuple[str, ...]) -> dict[str, Any]:
    """The values in --at by name: each is JSON; a comma within brackets belongs to a list."""
    out: dict[str, Any] = {}
    for text in at:
        for part in _parts(text):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or not name:
                raise Refused(bad_value(part.strip()))
            if name in out:
                raise Refused(bad_value(part.strip(), f"`{name}` has a value already"))
            try:
                out[name] = json.loads(value)
            except (ValueError, RecursionError):
                raise Refused(bad_value(part.strip())) from None
    return out


def _parts(text: str) -> list[str]:
    depth, start, parts = 0, 0, []
    for i, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    return [*parts, text[start:]]


def _split(path: str, net: Net, given: Mapping[str, Any], seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays of the inputs and targets, and those of the parameters."""
    from netc.passes.initial import draw, numbers, state

    table = state(net)
    values = {v.hint: v.type.dtype for v in (*net.block.inputs, *net.targets)}
    unknown = [name for name in given if name not in values and name not in table]
    missing = [name for name in values if name not in given]
    if unknown or missing:
        raise Refused(not_given(path, net.name, missing, unknown, [*values, *table]))
    inputs = {name: _array(name, given[name], dtype) for name, dtype in values.items()}
    weights = {name: draw(name, param, seed) for name, param in table.items() if name not in given}
    for name, param in table.items():
        if name in given:
            weights[name] = _array(name, given[name], param.type.dtype, numbers(param.type.shape))
    return inputs, weights


def _array(name: str, value: Any, dtype: str, shape: tuple[int, ...] | None = None) -> Any:
    """A value of --at as an array, floats in float64; broadcast to `shape` where there is one."""
    import numpy as np

    def refused(why: str = "") -> Refused:
        return Refused(bad_value(f"{name}={json.dumps(value)}"[:200], why))

    try:
        array = np.array(value)
    except ValueError:
        raise refused("its lists have several shapes") from None
    if array.dtype.kind not in "bif" or not array.size:
        raise refused()
    if dtype in INTEGERS and array.dtype.kind == "f":
        raise refused(f"`{name}` takes whole numbers")
    if dtype == "bool" and array.dtype.kind != "b":
        raise refused(f"`{name}` takes true and false")
    try:
        fitting = array if shape is None else np.broadcast_to(array, shape)
    except ValueError:
        raise refused(f"this does not fit `{name}`: {dtype}{list(shape or ())}") from None
    return fitting.astype("float64" if dtype in FLOATS else dtype)


def _table(lines: tuple[Traced, ...]) -> str:
    rows = [("", "node", "value", "gradient")]
    rows += [
        (t.name, t.made, _shown(t.value), "" if t.gradient is None else _shown(t.gradient)) for t in lines
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    cells = ([cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in rows)
    return "\n".join("  ".join(row).rstrip() for row in cells) + "\n"


def _shown(array: Any) -> str:
    """A number or a small tensor in full; of a large one its shape, mean and greatest magnitude."""
    import numpy as np

    if array.size > SHOWN:
        wide = array.astype(float)
        sizes = ", ".join(map(str, array.shape))
        return f"[{sizes}]: mean {wide.mean():.4g}, at most {np.abs(wide).max():.4g} in magnitude"
    return _listed(array.tolist())


def _listed(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_listed, value))}]"
    return f"{value + 0.0:.4g}" if isinstance(value, float) else str(value)


def _data(lines: tuple[Traced, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": t.name,
            "node": t.made,
            "value": t.value.tolist(),
            "gradient": None if t.gradient is None else t.gradient.tolist(),
        }
        for t in lines
    ]
