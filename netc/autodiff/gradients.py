"""Turns a gradient check's subject into the graph of its number, its buffers and the gradients of its parameters."""

from __future__ import annotations

from dataclasses import dataclass, replace

from netc.autodiff.objective import trained
from netc.autodiff.reverse import pruned, reverse
from netc.autodiff.subject import Subject
from netc.autodiff.tape import Tape
from netc.passes.locate import Located


@dataclass(frozen=True)
class GradientGraph:
    """keys: what each output is: "loss", "buffer/PATH" as a step leaves it, or "gradient/PATH"."""

    located: Located
    keys: tuple[str, ...]


def gradient_graph(subject: Subject) -> GradientGraph:
    """The graph of one step of training, without the step itself."""
    flat = subject.located.flat
    weights = trained(flat, flat.outputs[:1])
    backward = reverse(subject.located, flat.outputs[:1], weights, {})
    made = backward.flat.outputs
    outputs = (made[0], *made[len(flat.outputs) - len(subject.buffers) :])
    names = [f"buffer/{'.'.join(path)}" for path in subject.buffers]
    keys = ("loss", *names, *(f"gradient/{'.'.join(p.path)}" for p in weights))
    tape = Tape(list(backward.flat.nodes), list(backward.scopes))
    read = pruned(backward, tape, outputs)
    used = {v for node in read.flat.nodes for v in node.operands}
    inputs = tuple(v for v in read.flat.inputs if v in used)
    return GradientGraph(Located(replace(read.flat, inputs=inputs), read.scopes), keys)
