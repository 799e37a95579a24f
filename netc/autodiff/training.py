"""Turns a graph as evaluated into the graph that training runs: statistics of the batch, masks of dropout, other draws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from netc.autodiff.reverse import pruned
from netc.autodiff.tape import Tape, Traced
from netc.diagnostics import Refused
from netc.diagnostics.wording_shapes import mismatch
from netc.dims import Facts, Prover, proving
from netc.ir.module import Node, Param, Path, Type, Value
from netc.ops.contract import FLOATS, Mismatch, Noise, Op
from netc.passes.locate import Located


@dataclass(frozen=True)
class Mask:
    """An input of the graph that is drawn afresh each time, a mask of dropout or another draw."""

    value: Value
    noise: Noise


@dataclass(frozen=True)
class Training:
    """located: its outputs are those of the graph it was made from, then what `buffers` become, in order.

    masks: in the order in which the net draws them. buffers: running statistics, by path.
    """

    located: Located
    masks: tuple[Mask, ...]
    buffers: Mapping[Path, Param]


def training(located: Located, facts: Facts) -> Training:
    """The graph of training. facts: what is known of free sizes."""
    with proving(Prover(facts=facts)):
        return _Rewriting(located, lambda op: op.trains).run()


def drawing(located: Located, facts: Facts) -> Training:
    """The graph of evaluation, where what it draws is an input: its masks. facts: what is known of free sizes."""
    with proving(Prover(facts=facts)):
        return _Rewriting(located, lambda op: op.draws()).run()


class _Rewriting:
    """A graph being rewritten: what stands for each of its values by now."""

    def __init__(self, located: Located, changes: Callable[[Op], bool]) -> None:
        self.located, self.changes = located, changes
        self.tape = Tape()
        self.now: dict[Value, Value] = {}
        self.masks: list[Mask] = []
        self.buffers: dict[Path, Param] = {}

    def run(self) -> Training:
        for index, node in enumerate(self.located.flat.nodes):
            if self.changes(node.op):
                self._train(index, node)
            else:
                inputs = self._current(node.inputs)
                self.tape.add(replace(node, inputs=inputs), self.located.scopes[index])
        flat = self.located.flat
        inputs = (*flat.inputs, *(mask.value for mask in self.masks))
        made = Located(replace(flat, inputs=inputs), self.located.scopes)
        outputs = self._current((*flat.outputs, *self.buffers.values()))
        return Training(pruned(made, self.tape, outputs), tuple(self.masks), self.buffers)

    def _current(self, values: Sequence[Value]) -> tuple[Value, ...]:
        return tuple(self.now.get(v, v) for v in values)

    def _train(self, index: int, node: Node) -> None:
        place = self.located.place(index)
        self.tape.at(tuple(place.split(".")), node.span)
        operands = self.tape.wrap(self._current(node.operands))
        mask = self._mask(place, node)
        try:
            y, becomes = node.op.training(*operands, *mask)
        except Mismatch as error:
            raise Refused(mismatch(node.span, node.op.name, error.message, {}, ())) from None
        outputs = y if isinstance(y, tuple) else (y,)
        self.now.update((v, t.value) for v, t in zip(node.outputs, outputs, strict=True))
        for param in node.params:
            if param.path[-1] in becomes:
                self.now[param] = becomes[param.path[-1]].value
                self.buffers[param.path] = param

    def _mask(self, place: str, node: Node) -> list[Traced]:
        noise = node.op.noise(*(v.type.shape for v in node.inputs))
        if noise is None:
            return []
        dtype = next(v.type.dtype for v in node.inputs if v.type.dtype in FLOATS)
        value = Value(f"{noise.kind}{len(self.masks) + 1}.{place}", Type(dtype, noise.shape))
        self.masks.append(Mask(value, noise))
        return self.tape.wrap([value])
