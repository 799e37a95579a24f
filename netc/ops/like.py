"""Tensors of which another gives the shape alone: full_like, positions."""

from __future__ import annotations

from math import inf, isfinite
from typing import Any

from netc.dims import Shape
from netc.ops.arrays import np
from netc.ops.attributes import axis_of
from netc.ops.code import Code, Hole, call
from netc.ops.contract import (
    DTYPES,
    FLOATS,
    INTEGERS,
    Array,
    Graph,
    Op,
    Operand,
    integers,
    register,
    require,
    sample,
)
from netc.ops.index_range import IndexRange, Known

LARGEST = {"int32": 2**31, "int64": 2**53}  # what a float holds exactly, too


@register("full_like")
class FullLike(Op):
    """y = `fill_value` everywhere, in the shape and the dtype of x.

    Shape: x [...] -> y of the same shape.
    Gradient: none.
    Source: torch.full_like, https://docs.pytorch.org/docs/stable/generated/torch.full_like.html
    """

    accepts = (*FLOATS, *INTEGERS)
    differentiable = False
    fill_value: float

    def __post_init__(self) -> None:
        require(isfinite(self.fill_value), "fill_value", f"{self.fill_value} is not finite")

    def shape(self, x: Shape) -> Shape:
        return x

    def dtype(self, x: str) -> str | tuple[str, ...]:
        whole = self.fill_value == int(self.fill_value) and abs(self.fill_value) < LARGEST.get(x, 2)
        require(x in FLOATS or whole, "fill_value", f"x is {x}, which cannot hold {self.fill_value}")
        return super().dtype(x)

    def forward(self, x: Array) -> Array:
        return np.full(x.shape, self.fill_value, x.dtype)

    def index_range(self, known: Known, x: Shape) -> IndexRange | None:
        number = self.fill_value
        return IndexRange(int(number) + 1, each=True) if number >= 0 and number == int(number) else None

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        return call("torch.full_like", x, Hole(self.fill_value, "fill_value"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        value = self.fill_value if x.dtype in FLOATS else int(self.fill_value)
        return graph.node("Expand", graph.constant(value, x.dtype), graph.sizes(x.shape))

    samples = (
        sample((2, 3), fill_value=0, flops=0),
        sample((2, 3), fill_value=1.5),
        sample((2, 3, 4), fill_value=-2),
        sample((5,), fill_value=1e30),
        sample((1, 3), fill_value=-0.0),
        sample((), fill_value=0.25),
        sample((1,), fill_value=7),
        sample((2, 1, 2), fill_value=0.1),
        sample(integers((2, 3), 9), fill_value=3),
        sample(integers((2, 3), 9, "int32"), fill_value=-1),
        sample((2, 3), fill_value=inf, rejects="fill_value", without=("torch",)),  # torch fills with it
        sample(integers((2, 3), 9), fill_value=0.5, rejects="fill_value", without=("torch",)),  # torch rounds
        # torch overflows
        sample(integers((2, 3), 9, "int32"), fill_value=2**31, rejects="fill_value", without=("torch",)),
        # torch takes bools
        sample(integers((2, 3), 2, "bool"), fill_value=1, rejects="x", without=("torch",)),
    )


@register("positions")
class Positions(Op):
    """y_i = i: the positions along `axis` of x, 0 to n - 1, as whole numbers.

    Shape: x [..., n, ...] -> y [n], int64.
    Gradient: none.
    Source: torch.arange of a size, https://docs.pytorch.org/docs/stable/generated/torch.arange.html
    """

    accepts = DTYPES
    differentiable = False
    axis: int

    def shape(self, x: Shape) -> Shape:
        return (x[axis_of(self.axis, len(x))],)

    def dtype(self, x: str) -> str:
        super().dtype(x)
        return "int64"

    def forward(self, x: Array) -> Array:
        return np.arange(x.shape[self.axis], dtype="int64")

    def index_range(self, known: Known, x: Shape) -> IndexRange:
        return IndexRange(x[axis_of(self.axis, len(x))], ramp=True)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        size = Hole(x.shape[axis_of(self.axis, len(x.shape))], "size")
        return call("torch.arange", size, f"device={x}.device")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        n = x.shape[axis_of(self.axis, len(x.shape))]
        if isinstance(n, int):
            return graph.constant(list(range(n)), "int64")
        stop = graph.node("Squeeze", graph.sizes((n,)), graph.constant([0], "int64"))
        return graph.node("Range", graph.constant(0, "int64"), stop, graph.constant(1, "int64"))

    samples = (
        sample((2, 3), axis=1, flops=0),
        sample((2, 3), axis=0),
        sample((2, 3, 4), axis=1),
        sample((2, 3, 4), axis=-1),
        sample((2, 3, 4), axis=-3),
        sample((5,), axis=0),
        sample((1,), axis=-1),
        sample((1, 4), axis=0),
        sample(integers((2, 3), 9), axis=1),
        sample(integers((2, 3), 2, "bool"), axis=0),
        sample((2, 3), axis=2, rejects="axis"),
        sample((), axis=0, rejects="axis"),
    )
