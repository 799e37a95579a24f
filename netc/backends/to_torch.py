"""Turns a net into PyTorch source: one class a block, attributes named as the paths in the spec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from netc import __version__
from netc.backends.torch_source.check import check_source
from netc.backends.torch_source.classes import classes_of
from netc.backends.torch_source.draft import marker
from netc.backends.torch_source.forward import forward_body, is_size
from netc.backends.torch_source.literal import docstring
from netc.backends.torch_source.render import STEP, Writer, method_head, render_class
from netc.ir.module import Net, Value
from netc.ir.walk import needed

MARKER: Final = "# Written by netc"


def to_torch(net: Net) -> str:
    """The module's source. Its class bears the net's name; its constructor takes no arguments.

    forward(inputs) gives the outputs; loss(inputs, targets) the sum of the losses and the metrics.
    """
    kept = (*net.losses, *(v for _, v in net.metrics))
    classes = classes_of(net.block, kept, {c.name: c.minimum for c in net.constraints})
    top = classes.of[net.block]
    top.name = net.name
    parts = []
    for made in classes.order:
        extra = _loss(net) if made is top and net.losses else None
        guard = _guards(net, classes.drafts[net.block].index) if made is top else ()
        parts.append("\n".join(render_class(classes, made, extra, guard)))
    body = "\n\n\n".join(parts)
    text = "\n".join([*_header(body), "", "", body, ""])
    check_source(text)
    return text


def _header(body: str) -> list[str]:
    lines = ["# -*- coding: utf-8 -*-", f"{MARKER} {__version__}.", ""]
    if "OrderedDict(" in body:
        lines += ["from collections import OrderedDict", ""]
    lines += ["import torch"]
    if "F." in body:
        lines += ["import torch.nn.functional as F"]
    return [*lines, "from torch import nn"]


def _guards(net: Net, index: dict[Value, int]) -> list[str]:  # type: ignore[type-arg]
    """Lines that refuse an input whose free sizes do not meet what was proved to be needed."""
    lines = []
    for constraint in net.constraints:
        value, axis = next((v, i) for v in net.block.inputs for i, d in enumerate(v.type.shape) if is_size(d, constraint.name))
        read = f"{marker(index[value])}.shape[{axis}]"
        if constraint.multiple > 1:
            lines += [f"if {read} % {constraint.multiple}:",
                      f'{STEP}raise ValueError(f"{constraint.name} must be a multiple of {constraint.multiple}, not {{{read}}}")']
        if constraint.minimum > constraint.multiple:
            lines += [f"if {read} < {constraint.minimum}:",
                      f'{STEP}raise ValueError(f"{constraint.name} must be at least {constraint.minimum}, not {{{read}}}")']
    return lines


def _loss(net: Net) -> Callable[[Writer], list[str]]:
    def method(writer: Writer) -> list[str]:
        block = net.block
        index = writer.classes.drafts[block].index
        wanted = (*net.losses, *(v for _, v in net.metrics))
        inputs = (*block.inputs, *net.targets)
        total = " + ".join(marker(index[v]) for v in net.losses)
        metrics = ", ".join(f'"{name}": {marker(index[v])}' for name, v in net.metrics)
        known, first = _from_outputs(net)
        body = forward_body(writer, block.body, wanted, (), inputs, known, f"{total}, {{{metrics}}}")
        names = ", ".join(f"{name}: torch.Tensor" for name in body.inputs)
        said = "The loss and the metrics by name." if len(net.losses) == 1 else "The sum of the losses, and the metrics by name."
        head = [*method_head("loss", names, "tuple[torch.Tensor, dict[str, torch.Tensor]]"),
                f"{STEP * 2}{docstring(said, STEP)}"]
        call = [f"{STEP * 2}{first} = self({', '.join(body.inputs[: len(block.inputs)])})"] if first else []
        return ["", *head, *call, *(STEP * 2 + line for line in body.lines)]

    return method


def _from_outputs(net: Net) -> tuple[dict[Value, str], str]:
    """The outputs by variable where the losses need nothing else of forward, and the call's targets."""
    outputs = net.block.outputs
    inside = set(needed(net.block.body, outputs))
    wanted = (*net.losses, *(v for _, v in net.metrics))
    if inside & set(needed(net.block.body, wanted, outputs)):
        return {}, ""
    names = {v: v.hint or f"output{i}" for i, v in enumerate(outputs)}
    taken = {v.hint for v in (*net.block.inputs, *net.targets)}
    if len(set(names.values())) != len(outputs) or taken & set(names.values()):
        return {}, ""
    return names, ", ".join(names.values())
