"""Turns a net and values for its inputs into the value and the gradient at each node, as a lecture draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, TypeAlias

import numpy.typing as npt

from netc.autodiff.interpret import interpret
from netc.autodiff.objective import objective
from netc.autodiff.reverse import pruned, reverse
from netc.autodiff.tape import Tape
from netc.ir.module import Constant, Net, Node, Param, Value
from netc.ops.contract import FLOATS
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


def trace(net: Net, inputs: Mapping[str, Array], weights: Mapping[str, Array]) -> tuple[Traced, ...]:
    """Inputs, parameters, then each node in order. The objective is the sum of the losses or of the outputs.

    inputs: by name, of the net's inputs and targets. weights: by path, all parameters and buffers.
    """
    located = _read(objective(net).located)
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
