"""Turns a net into PyTorch source: one class a block, attributes named as the paths in the spec."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Final

from netc import __version__
from netc.backends.torch_source.check import check_source
from netc.backends.torch_source.classes import classes_of
from netc.backends.torch_source.draft import marker
from netc.backends.torch_source.forward import is_size
from netc.backends.torch_source.layout import STEP
from netc.backends.torch_source.naming import name_classes
from netc.backends.torch_source.render import render_class
from netc.backends.torch_source.training import methods_of, training_class
from netc.ir.module import Net, Value, training_values

MARKER: Final = "# Written by netc"


def to_torch(net: Net) -> str:
    """The module's source. Its class bears the net's name; its constructor takes no arguments.

    forward(inputs) gives the outputs. A net with losses also has the class Training, made with the net, whose
    forward(inputs, targets) gives the losses and the metrics by name.
    """
    classes = classes_of(net.block, training_values(net), net.facts)
    name_classes(classes, net.name)
    top = classes.of[net.block]
    index = classes.drafts[net.block].index
    guard, more = (_guards(net, index, training) for training in (False, True))
    parts = []
    for made in classes.order:
        lines = (
            render_class(classes, made)
            if made is not top
            else render_class(classes, made, methods_of(net, guard), guard)
        )
        parts.append("\n".join(lines))
    if net.losses:
        parts.append("\n".join(training_class(classes, top, net, more)))
    body = "\n\n\n".join(parts)
    text = "\n".join([*_header(body), "", "", body, ""])
    check_source(text)
    return text


def _header(body: str) -> list[str]:
    lines = [
        f"{MARKER} {__version__}.",
        "",
    ]  # two lines without user text: there a comment could set the encoding
    names = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    lines += ["from collections import OrderedDict", ""] if "OrderedDict" in names else []
    lines += ["import torch"] if "torch" in names else []
    lines += ["import torch.nn.functional as F"] if "F" in names else []
    return [*lines, "from torch import Tensor, nn"]


def _guards(net: Net, index: Mapping[Value, int], training: bool) -> Sequence[str]:
    """Lines that refuse an input whose free sizes do not meet what was proved to be needed: by all, or by the losses."""
    lines: list[str] = []
    for fact in (c.fact for c in net.constraints if c.training == training):
        name, shapes = fact.name, ((v, v.type.shape) for v in (*net.block.inputs, *net.targets))
        value, axis = next((v, i) for v, shape in shapes for i, d in enumerate(shape) if is_size(d, name))
        read = f"{marker(index[value])}.shape[{axis}]"
        if fact.multiple > 1:
            lines += _guard(f"{read} % {fact.multiple}", name, f"a multiple of {fact.multiple}", read)
        if fact.minimum > 1:
            lines += _guard(f"{read} < {fact.minimum}", name, f"at least {fact.minimum}", read)
        if fact.maximum is not None:
            lines += _guard(f"{read} > {fact.maximum}", name, f"at most {fact.maximum}", read)
    return [STEP * 2 + line for line in lines]


def _guard(condition: str, name: str, wanted: str, read: str) -> list[str]:
    return [f"if {condition}:", f'{STEP}raise ValueError(f"{name} must be {wanted}, not {{{read}}}")']
