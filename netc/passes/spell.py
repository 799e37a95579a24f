"""Asks each op of a net for its ONNX spelling without writing one, so that what has none is refused early."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from netc.budget import spend
from netc.diagnostics import Diagnostic, wording_shapes
from netc.dims import Prover, Shape, proving
from netc.ir.module import Net, blocks
from netc.ops.contract import Mismatch, Operand
from netc.passes.inline import inline

SPELL = 30  # the work of a node


class _Blank:
    """A graph that forgets what is added to it (see netc.ops.contract.Graph)."""

    opset = 20

    def node(self, op_type: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        return "x" if outputs == 1 else ("x",) * outputs

    def constant(self, values: Any, dtype: str) -> str:
        return "x"

    def made_by(self, x: str) -> str | None:
        return None

    def made_from(self, x: str) -> tuple[str, ...]:
        return ()

    def sizes(self, shape: Shape) -> str:
        return "x"

    def reduce(self, op_type: str, x: str, axes: Sequence[int], keepdims: bool) -> str:
        return "x"


def spell(net: Net) -> Iterator[Diagnostic]:
    """A finding for each node in float64 that onnxruntime has no kernel for: few ops lack it in float32."""
    if not any(
        v.type.dtype == "float64" for b in blocks(net.block) for s in b.body for v in (*s.inputs, *s.outputs)
    ):
        return
    spend(SPELL * net.block.nodes)
    with proving(Prover(facts=net.facts)):
        for node in inline(net).nodes:
            values = (*node.inputs, *node.params)
            if all(v.type.dtype != "float64" for v in values):
                continue
            try:
                node.op.onnx(_Blank(), *(Operand.of("x", v.type.shape, v.type.dtype) for v in values))
            except Mismatch as error:
                yield wording_shapes.mismatch(node.span, node.op.name, error.message, {}, ())
