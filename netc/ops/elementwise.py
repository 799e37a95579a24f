"""What functions of each element share: their shape rule, their cost and where they are tried."""

from __future__ import annotations

from math import prod
from typing import Any, ClassVar

from netc.dims import Shape
from netc.ops.contract import Graph, Op, Operand, integers, sample, uniform


class Elementwise(Op):
    """What holds of a function of each element."""

    cost: ClassVar[int] = 1  # operations an element

    def shape(self, x: Shape) -> Shape:
        return x

    def flops(self, y: Shape, x: Shape) -> Any:
        return self.cost * prod(x)


def clip_node(graph: Graph, x: Operand, low: float | None, high: float | None) -> Any:
    """min(max(x, low), high). In float64 as two nodes: onnxruntime 1.31 fuses Relu and Clip in float32 only, and
    does not load the graph else."""
    bounds = [None if b is None else graph.constant(b, x.dtype) for b in (low, high)]
    if x.dtype != "float64":
        return graph.node("Clip", x, bounds[0] or "", *bounds[1:] if bounds[1] else ())
    made: Any = x
    for kind, bound in zip(("Max", "Min"), bounds, strict=True):
        made = graph.node(kind, made, bound) if bound else made
    return made


ANYWHERE = (
    sample((2, 3, 4)),
    sample(()),
    sample((1,)),
    sample((7,)),
    sample((3, 1)),
    sample((2, 1, 3, 2)),
    sample(uniform((4, 5), -6.0, 6.0)),
)
POSITIVE = (
    sample(uniform((2, 3, 4), 0.1, 20.0)),
    sample(uniform((), 0.5, 2.0)),
    sample(uniform((1,), 0.5, 2.0)),
    sample(uniform((7,), 1.0, 100.0)),
    sample(uniform((3, 1), 0.1, 0.2)),
    sample(uniform((2, 1, 3, 2), 0.5, 2.0)),
)
WHOLE = sample(integers((2, 3), 9), rejects="x", without=("torch",))  # torch takes them, or makes floats
