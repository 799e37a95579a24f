"""Turns a net and values for its inputs into the value and the gradient at each node, as a lecture draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.interpret import free_sizes, interpret
from netc.autodiff.objective import objective
from netc.autodiff.reverse import pruned, reverse
from netc.autodiff.tape import Tape
from netc.autodiff.training import Training, drawing
from netc.dims import substitute
from netc.ir.module import Constant, Net, Node, Param, Value
from netc.ops.contract import FLOATS
from netc.passes.initial import numbers
from netc.passes.locate import Located

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Traced:
    """One line: a name, how it is made ("" for what is given), its value, and the gradient of the objective.

    gradient: None for what has none, such as labels.
    """

    name: str
    made: str
    value: Array
    gradient: Array | None


def trace(
    net: Net, inputs: Mapping[str, Array], weights: Mapping[str, Array], seed: int = 0
) -> tuple[Traced, ...]:
    """Inputs, parameters, then each node in order. The objective is the sum of the losses or of the outputs.

    inputs: by name, of the net's inputs and targets. weights: by path, all parameters and buffers. seed: of what
    the net draws in evaluation.
    """
    mode = drawing(_read(objective(net).located), net.training_facts)
    located = mode.located
    inputs = {**inputs, **_draws(net, mode, inputs, seed)}
    shown = _shown(located)
    floats = [v for v in shown if v.type.dtype in FLOATS]
    backward = reverse(located, located.flat.outputs[:1], floats, net.training_facts).flat
    gradients = backward.outputs[len(located.flat.outputs) :]
    found = interpret(replace(backward, outputs=(*shown, *gradients)), inputs, weights)
    slopes = dict(zip(floats, found[len(shown) :], strict=True))
    names = _names(shown)
    makers = {v: node for node in located.flat.nodes for v in node.outputs}
    return tuple(
        Traced(names[v], _expression(makers.get(v), names), value, slopes.get(v))
        for v, value in zip(shown, found, strict=False)
    )


def _draws(net: Net, mode: Training, inputs: Mapping[str, Array], seed: int) -> dict[str, Array]:
    """What the net draws, by the names of the inputs that stand for it."""
    sizes = free_sizes([v for v in (*net.block.inputs, *net.targets) if v.hint in inputs], inputs)
    random = np.random.default_rng(seed)
    shapes = {m: numbers(tuple(substitute(d, sizes) for d in m.value.type.shape)) for m in mode.masks}
    return {m.value.hint: m.noise.drawn(random, shape) for m, shape in shapes.items()}


def _read(located: Located) -> Located:
    """`located` without what its outputs do not need."""
    return pruned(located, Tape(list(located.flat.nodes), list(located.scopes)), located.flat.outputs)


def _shown(located: Located) -> list[Value]:
    """What a trace lists: the inputs and parameters that are read, and what each node makes."""
    flat = located.flat
    read = {v for node in flat.nodes for v in node.operands}
    given: list[Value] = [v for v in (*flat.inputs, *flat.params.values()) if v in read]
    return given + [v for node in flat.nodes for v in node.outputs]


def _names(shown: Sequence[Value]) -> dict[Value, str]:
    """The spec's names; of the nodes that one binding makes the last has it, the others are numbered."""
    spelled = {v: ".".join(v.path) if isinstance(v, Param) else v.hint for v in shown}
    last = {name: value for value, name in spelled.items() if name}
    numbered = count(1)
    return {v: name if last.get(name) is v else f"#{next(numbered)}" for v, name in spelled.items()}


def _expression(node: Node | None, names: Mapping[Value, str]) -> str:
    """How a node is made, in the language's words."""
    if node is None:
        return ""
    operands = [v.hint if isinstance(v, Constant) else names.get(v, "?") for v in node.operands]
    symbol = node.op.operator
    if symbol == "-x":
        return f"-{operands[0]}"
    if symbol and len(operands) == 2:
        return f"{operands[0]} {symbol} {operands[1]}"
    return f"{node.op.name}({', '.join(operands)})"
