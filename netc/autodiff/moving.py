"""Turns a graph and one point into the values near it: what one operand moved along a direction changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.finite import finite
from netc.autodiff.interpret import bound, computed
from netc.autodiff.rounding import nearby, off, same_piece
from netc.ir.module import Node, Value
from netc.passes.inline import in_float64
from netc.passes.locate import Located

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Moved:
    """The outputs there, and the place of a node that has left its smooth piece, if one has."""

    outputs: tuple[Array, ...]
    kink: str | None

    @property
    def number(self) -> Any:
        """The first output, which is a scalar."""
        return self.outputs[0][()]


class Point:
    """A graph without free sizes, computed at one point; all its values are held."""

    def __init__(self, located: Located, given: Mapping[str, Array], weights: Mapping[str, Array]) -> None:
        self.located = located
        self.nodes: tuple[Node, ...] = tuple(
            node if (op := in_float64(node.op)) is node.op else replace(node, op=op)
            for node in located.flat.nodes
        )
        self.values: dict[Value, Array] = bound(located.flat, given, weights)
        self.branches: list[Array | None] = []
        self.constants: list[tuple[Array | None, ...]] = []
        for node in self.nodes:
            operands = [self.values[v] for v in node.operands]
            self.values.update(zip(node.outputs, _outputs(node, operands), strict=True))
            self.branches.append(node.op.branch(*operands))
            self.constants.append(node.op.constants(*operands))

    @property
    def outputs(self) -> tuple[Array, ...]:
        return tuple(self.values[v] for v in self.located.flat.outputs)

    def after(self, value: Value) -> tuple[int, ...]:
        """The nodes that depend on `value`, in order; not by what stops gradients, whose output stays."""
        changed, found = {value}, []
        for i, node in enumerate(self.nodes):
            if not node.op.held and any(v in changed for v in node.operands):
                changed.update(node.outputs)
                found.append(i)
        return tuple(found)

    def move(self, value: Value, to: Array, after: tuple[int, ...], watch: bool) -> Moved:
        """The outputs where `value` is `to`; watch: whether to look for nodes that leave their piece.

        A complex `to` leaves the real parts where they are, which decide for the piece: what is squared of a step adds
        to them, and at 0 that is enough to take the other side.
        """
        values: dict[Value, Array] = {value: to}
        kink: str | None = None
        for i in after:
            node, operands = self.nodes[i], self._operands(i, values)
            outputs = _outputs(node, operands)
            if watch and kink is None and (self._left(i, operands) or self._undefined(i, outputs)):
                kink = self.located.place(i)
            values.update(zip(node.outputs, map(self._pinned, node.outputs, outputs), strict=True))
        return Moved(self._ends(values), kink)

    def rounded(self, value: Value, to: Array, after: tuple[int, ...], rng: np.random.Generator) -> Moved:
        """The outputs where `value` is `to` and all that is computed is off as rounding may take it."""
        values: dict[Value, Array] = {value: to}
        for i in after:
            node = self.nodes[i]
            if not node.op.differentiable:  # what decides stays decided
                continue
            operands = self._operands(i, values)
            near = nearby(node, operands, self.branches[i], rng)
            made = (off(y, rng) for y in _outputs(node, operands if near is None else near))
            values.update(zip(node.outputs, made, strict=True))
        return Moved(self._ends(values), None)

    def _operands(self, index: int, values: Mapping[Value, Array]) -> list[Array]:
        """What node `index` reads: its elements that count as constants stay as they are at the point."""
        node = self.nodes[index]
        operands = [values[v] if v in values else self.values[v] for v in node.operands]
        for i, constant in enumerate(self.constants[index]):
            if constant is not None:
                operands[i] = np.where(constant, self.values[node.operands[i]], operands[i])
        return operands

    def _ends(self, values: Mapping[Value, Array]) -> tuple[Array, ...]:
        outputs = self.located.flat.outputs
        return tuple(values[v] if v in values else self.values[v] for v in outputs)

    def _pinned(self, value: Value, moved: Array) -> Array:
        """A complex value with the real part that it has at the point."""
        return self.values[value] + 1j * moved.imag if moved.dtype.kind == "c" else moved

    def _undefined(self, index: int, outputs: tuple[Array, ...]) -> bool:
        """Whether node `index` is not finite though it is at the point, which then is an end of where it is defined."""
        before = (self.values[v] for v in self.nodes[index].outputs)
        return any(not finite(y) and finite(x) for x, y in zip(before, outputs, strict=True))

    def _left(self, index: int, operands: list[Array]) -> bool:
        """Whether node `index` is on another smooth piece than at the point."""
        return not same_piece(self.branches[index], self.nodes[index].op.branch(*operands))


def takes_complex(node: Node) -> bool:
    """Whether a complex step goes through `node`: what has no gradient goes by the real parts."""
    return node.op.analytic or not node.op.differentiable


def _outputs(node: Node, operands: list[Array]) -> tuple[Array, ...]:
    if not node.op.differentiable:
        operands = [np.real(x) for x in operands]
    with np.errstate(all="ignore"):
        return computed(node, operands)
