"""Whole numbers as vectors with a single 1: one_hot."""

from __future__ import annotations

from typing import Any

from netc.dims import AnyDim, Shape, at_least
from netc.ops.arrays import np
from netc.ops.code import Code, Hole, call
from netc.ops.contract import Array, Graph, Op, Operand, given, integers, register, require, sample
from netc.ops.index_range import IndexRange, Known
from netc.ops.shape import unsqueeze_node


@register("one_hot")
class OneHot(Op):
    """y[..., c] = 1 where x is c, else 0, for the classes c from 0 to num_classes - 1.

    How many classes there are must be said: torch would read it off the data. Other numbers in x are refused by
    PyTorch when it runs.
    Shape: x [...], int64 -> y [..., num_classes], int64.
    Gradient: none.
    Source: torch.nn.functional.one_hot,
    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.one_hot.html
    """

    accepts = ("int64",)
    differentiable = False
    num_classes: AnyDim

    def shape(self, x: Shape) -> Shape:
        some = at_least(self.num_classes, 1)
        require(some, "num_classes", f"num_classes is {self.num_classes}, which is less than 1")
        return (*x, self.num_classes)

    def forward(self, x: Array) -> Array:
        classes: Any = self.num_classes
        return (x[..., None] == np.arange(classes)).astype("int64")

    def below(self, x: Shape) -> tuple[AnyDim | None, ...]:
        return (self.num_classes,)

    def index_range(self, known: Known, x: Shape) -> IndexRange:
        return IndexRange(2)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        return call("F.one_hot", x, Hole(self.num_classes, "num_classes"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if not x.shape:  # which ONNX has no vector for
            return graph.node(
                "Squeeze", self._rows(graph, unsqueeze_node(graph, x, 0)), graph.constant([0], "int64")
            )
        return self._rows(graph, x)

    def _rows(self, graph: Graph, x: str) -> Any:
        depth, values = graph.sizes((self.num_classes,)), graph.constant([0, 1], "int64")
        return graph.node("OneHot", x, depth, values, axis=-1)

    samples = (
        sample(integers((3,), 4), num_classes=4, flops=0),
        sample(integers((2, 3), 5), num_classes=5),
        sample(integers((2, 3), 5), num_classes=7),
        sample(integers((2, 1, 4), 3), num_classes=3),
        sample(integers((), 3), num_classes=3),
        sample(integers((1,), 2), num_classes=2),
        sample(integers((5,), 1), num_classes=1),
        sample(integers((2, 3, 4, 2), 6), num_classes=6),
        sample(given(0, 3, 3, 1, dtype="int64"), num_classes=4),
        sample(given((2, 0), (1, 2), dtype="int64"), num_classes=3),
        sample(integers((3,), 4), num_classes=0, rejects="num_classes"),
        # torch takes -1 for as many as there are
        sample(integers((3,), 4), num_classes=-1, rejects="num_classes", without=("torch",)),
        sample(integers((3,), 4), rejects="num_classes", without=("torch",)),
        sample((3,), num_classes=4, rejects="x"),
        sample(integers((3,), 4, "int32"), num_classes=4, rejects="x"),
    )
