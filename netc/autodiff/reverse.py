"""Turns a graph into the graph of its gradients: reverse mode, from values back to what they depend on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from netc.autodiff.tape import Tape, Traced, free_sizes
from netc.diagnostics import Refused
from netc.diagnostics.wording_gradient import unproved
from netc.dims import Facts, Prover, proving
from netc.ir.module import Node, Path, Value
from netc.ir.walk import needed
from netc.ops.contract import FLOATS, Mismatch
from netc.ops.notation import expand
from netc.passes.locate import Located


def reverse(located: Located, of: Sequence[Value], wrt: Sequence[Value], facts: Facts) -> Located:
    """`located` with more outputs: for each of `wrt`, the gradient of the sum of all elements of `of`.

    wrt: inputs and parameters of the graph, or any values of it. What they have no part in gets zeros.
    facts: what is known of free sizes. Refused where a shape cannot be told for every size.
    """
    flat = located.flat
    tape = Tape(list(flat.nodes), list(located.scopes))
    with proving(Prover(facts=facts)):
        gradients = _Pass(tape, flat.nodes, located).run(of, wrt)
    return pruned(located, tape, (*flat.outputs, *gradients))


def pruned(located: Located, tape: Tape, outputs: Sequence[Value]) -> Located:
    """The graph on `tape` as far as `outputs` need it, with the inputs of `located`."""
    kept = {id(node) for node in needed(tape.nodes, outputs)}
    pairs = [(n, s) for n, s in zip(tape.nodes, tape.scopes, strict=True) if id(n) in kept]
    flat = replace(located.flat, nodes=tuple(n for n, _ in pairs), outputs=tuple(outputs))
    return Located(flat, tuple(s for _, s in pairs))


class _Pass:
    """One sweep: the gradients that have reached each value so far."""

    def __init__(self, tape: Tape, nodes: Sequence[Node], located: Located) -> None:
        self.tape = tape
        self.nodes = nodes
        self.located = located
        self.gradients: dict[Value, Traced] = {}

    def run(self, of: Sequence[Value], wrt: Sequence[Value]) -> list[Value]:
        """The gradients, in the order of `wrt`."""
        active = self._active(wrt)
        if self.nodes:
            self.tape.at(("loss",), self.nodes[-1].span)
        for value in of:
            if value in active:
                self._reach(value, self._filled(value, 1.0))
        for index in reversed(range(len(self.nodes))):
            node = self.nodes[index]
            if not node.op.differentiable:
                continue
            if any(v in self.gradients for v in node.outputs) and any(v in active for v in node.operands):
                self.tape.at(self._scope(index), node.span)
                self._back(node, active)
        self.tape.scope = ("gradient",)
        return [(self.gradients.get(v) or self._filled(v, 0.0)).value for v in wrt]

    def _active(self, wrt: Sequence[Value]) -> set[Value]:
        """The float values that depend on `wrt`."""
        active = set(wrt)
        for node in self.nodes:
            if node.op.differentiable and any(v in active for v in node.operands):
                active.update(v for v in node.outputs if v.type.dtype in FLOATS)
        return active

    def _scope(self, index: int) -> Path:
        """Where the gradient of a node belongs: beside the node."""
        return (*self.located.place(index).split("."), "grad")

    def _back(self, node: Node, active: set[Value]) -> None:
        """Passes what reached the outputs of `node` on to its operands."""
        gs = [self._arrived(v) for v in node.outputs]
        ys = self.tape.wrap(node.outputs)
        several = len(ys) > 1 or node.op.cuts
        g, y = (tuple(gs), tuple(ys)) if several else (gs[0], ys[0])
        try:
            found = node.op.vjp(g, y, *self.tape.wrap(node.operands))
        except Mismatch as error:
            place = ".".join(self.tape.scope)
            free = free_sizes(node.operands)
            raise Refused(unproved(node.span, place, node.op.name, error.message, free)) from None
        for value, gradient in zip(node.operands, found, strict=True):
            if gradient is not None and value in active:
                self._reach(value, gradient)

    def _arrived(self, value: Value) -> Traced | None:
        """What reached `value`; zeros where nothing did, None where it has no gradient."""
        if value.type.dtype not in FLOATS:
            return None
        return self.gradients.get(value) or self._filled(value, 0.0)

    def _reach(self, value: Value, gradient: Traced) -> None:
        held = self.gradients.get(value)
        self.gradients[value] = gradient if held is None else held + gradient

    def _filled(self, value: Value, number: float) -> Traced:
        """`number` in the shape of `value`."""
        scalar = Traced(self.tape.constant(number, value.type.dtype), self.tape)
        filled: Traced = expand(scalar, value.type.shape) if value.type.shape else scalar
        return filled
