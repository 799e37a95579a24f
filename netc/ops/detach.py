"""What stops gradients: detach."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from netc.ops.code import Code, method
from netc.ops.contract import DTYPES, Array, Graph, Operand, given, register, sample
from netc.ops.elementwise import ANYWHERE, Elementwise


@register("detach")
class Detach(Elementwise):
    """y = x, taken for a constant.

    Nothing is learnt through it: a teacher or a target network may stand in the net that it teaches. A check of
    gradients holds y fixed while it moves what x depends on.
    Shape: x -> y of the same shape.
    Gradient: none.
    Source: torch.Tensor.detach, https://docs.pytorch.org/docs/stable/generated/torch.Tensor.detach.html
    """

    aliases = ("stop_gradient",)
    elements_of = ("x",)
    accepts = DTYPES
    differentiable = False
    held = True
    cost = 0

    def forward(self, x: Array) -> Array:
        return x

    def torch(self, x: Operand) -> Code:
        return method(x, "detach")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Identity", x)

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=0),
        sample(given(1, 2, 3, dtype="int64")),
        sample(given((True, False), (False, True), dtype="bool")),
        sample(given(-inf, nan, inf)),
        sample((2, 3), p=1.0, rejects="p"),
    )
