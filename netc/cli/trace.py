"""netc trace: a net at given values, node by node, with gradients."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from netc.cli import options
from netc.diagnostics import Refused
from netc.diagnostics.wording_gradient import bad_value, not_given

if TYPE_CHECKING:
    from netc.autodiff.trace import Traced
    from netc.ir.module import Net

SHOWN = 16  # elements of a tensor that are printed whole


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
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of parameters not given.")
@options.form
def command(
    spec: str, net_name: str | None, sets: tuple[str, ...], at: tuple[str, ...], seed: int, format: str
) -> None:
    """Trace a net at a point: the value of each node, and the gradient of the loss (or the output) there.

    Each input and target needs a value; parameters that are given none start as in training. All is computed
    in float64 and in evaluation mode.

    \b
    netc trace neuron.net --at x=-2,y=5,z=-4
    netc trace specs/perceptron.net --at 'x=[1, 0],fc1.weight=[[2, -3]],label=[1]'
    """
    from netc.autodiff.trace import trace

    program, net = options.read_net(spec, net_name, sets)
    given = values_at(at)
    inputs, weights = _split(program.source.path, net, given, seed)
    lines = trace(net, inputs, weights)
    click.echo(_json(lines) if format == "json" else _table(lines), nl=format == "json")


def values_at(at: tuple[str, ...]) -> dict[str, Any]:
    """The values in --at by name: each is JSON; a comma within brackets belongs to a list."""
    out: dict[str, Any] = {}
    for text in at:
        for part in _parts(text):
            name, equals, value = part.partition("=")
            try:
                out[name.strip()] = json.loads(value)
            except ValueError:
                raise Refused(bad_value(part.strip())) from None
            if not equals or not name.strip():
                raise Refused(bad_value(part.strip()))
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
    import numpy as np

    from netc.passes.initial import draw, numbers, state

    table = state(net)
    values = {v.hint: v.type.dtype for v in (*net.block.inputs, *net.targets)}
    unknown = [name for name in given if name not in values and name not in table]
    missing = [name for name in values if name not in given]
    if unknown or missing:
        raise Refused(not_given(path, net.name, missing, unknown, [*values, *table]))
    weights = {name: draw(name, param, seed) for name, param in table.items() if name not in given}
    try:
        for name, param in table.items():
            if name in given:
                array = np.array(given[name], param.type.dtype)
                weights[name] = np.broadcast_to(array, numbers(param.type.shape))
        inputs = {name: _array(given[name], dtype) for name, dtype in values.items()}
    except (ValueError, TypeError, OverflowError) as error:
        raise Refused(bad_value(f"{name}={json.dumps(given[name])}", str(error))) from None
    return inputs, weights


def _array(value: Any, dtype: str) -> Any:
    import numpy as np

    return np.array(value, "float64" if dtype.startswith("float") else dtype)


def _table(lines: tuple[Traced, ...]) -> str:
    rows = [("", "node", "value", "gradient")]
    rows += [
        (t.name, t.made, _shown(t.value), "" if t.gradient is None else _shown(t.gradient)) for t in lines
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    out = []
    for name, made, value, gradient in rows:
        cells = (
            name.ljust(widths[0]),
            made.ljust(widths[1]),
            value.rjust(widths[2]),
            gradient.rjust(widths[3]),
        )
        out.append("  ".join(cells).rstrip())
    return "\n".join(out) + "\n"


def _shown(array: Any) -> str:
    """A number or a small tensor in full; of a large one its shape, mean and greatest magnitude."""
    import numpy as np

    if array.size > SHOWN:
        wide = array.astype(float)
        sizes = ", ".join(map(str, array.shape))
        return f"[{sizes}] mean {wide.mean():.4g}, greatest {np.abs(wide).max():.4g}"
    return _listed(array.tolist())


def _listed(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_listed, value))}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _json(lines: tuple[Traced, ...]) -> str:
    return json.dumps(
        [
            {
                "name": t.name,
                "node": t.made,
                "value": t.value.tolist(),
                "gradient": None if t.gradient is None else t.gradient.tolist(),
            }
            for t in lines
        ],
        indent=2,
    )
