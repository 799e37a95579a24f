"""netc grad: the graph of a net's gradients, as text."""

from __future__ import annotations

import click

from netc.cli import options


@click.command("grad")
@options.spec
@options.net
@options.settings
@options.dynamic
@click.option("--eval", "evaluation", is_flag=True, help="Of evaluation: running statistics, no dropout.")
@click.option("--inputs", is_flag=True, help="Also the gradients for the inputs.")
def command(
    spec: str,
    net_name: str | None,
    sets: tuple[str, ...],
    dynamic: str | None,
    evaluation: bool,
    inputs: bool,
) -> None:
    """Print the graph that computes a net's loss and its gradient for each parameter.

    The loss is the sum of the `loss` statements, or of the outputs where there are none. The graph is that of
    training unless --eval is given: BatchNorm takes the statistics of the batch, and the masks of dropout are
    inputs. Each group of nodes is headed by the layer that it belongs to; `.grad` marks the way back.

    \b
    netc grad specs/digits.net --net DigitsMLP
    """
    from netc.autodiff.objective import objective
    from netc.autodiff.reverse import reverse
    from netc.autodiff.training import training
    from netc.ir.module import Param, Value
    from netc.ir.text import graph_text
    from netc.ops.contract import FLOATS

    _, net = options.read_net(spec, net_name, sets, dynamic)
    facts = net.training_facts
    located = objective(net).located
    if not evaluation:
        located = training(located, facts).located
    flat = located.flat
    wrt: list[Value] = [p for p in flat.params.values() if p.trainable]
    wrt += [v for v in net.block.inputs if inputs and v.type.dtype in FLOATS]
    made = reverse(located, flat.outputs[:1], wrt, facts)
    gradients = made.flat.outputs[len(flat.outputs) :]
    names = [".".join(v.path) if isinstance(v, Param) else v.hint for v in wrt]
    outputs = [("loss", flat.outputs[0]), *((f"d {n}", g) for n, g in zip(names, gradients, strict=True))]
    read = {v for node in made.flat.nodes for v in node.operands}
    places = [_place(made.place(i), node.path is None) for i, node in enumerate(made.flat.nodes)]
    click.echo(
        graph_text([v for v in made.flat.inputs if v in read], made.flat.nodes, places, outputs), nl=False
    )


def _place(place: str, unnamed: bool) -> str:
    """The layer that a node belongs to: without the op's own name, where it has no path."""
    return place.rpartition(".")[0] or place if unnamed else place
