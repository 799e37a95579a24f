"""Elements chosen and put back by tensors of positions: gather, scatter_add."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import AnyDim, Shape, at_least, same, show
from netc.ops.arrays import np
from netc.ops.attributes import axis_of
from netc.ops.code import Code, Hole, method
from netc.ops.contract import (
    DTYPES,
    FLOATS,
    INTEGERS,
    Array,
    Graph,
    Op,
    Operand,
    given,
    integers,
    register,
    require,
    sample,
)
from netc.ops.index_range import IndexRange, Known
from netc.ops.notation import function


def require_index(index: str) -> None:
    require(index == "int64", "index", f"index is {index}, but positions are int64")


def require_beside(x: Shape, index: Shape, axis: int) -> int:
    """That positions along `axis` are given for some or all of the other axes of x; the axis, from the start."""
    found = axis_of(axis, len(x))
    both = f"index is {show(index)} and x is {show(x)}"
    require(len(index) == len(x), "index", f"{both}: they have not as many axes")
    for i, (n, m) in enumerate(zip(x, index, strict=True)):
        require(i == found or at_least(n - m, 0), "index", f"{both}: axis {i} has {m}, more than {n}")
    return found


def _places(index: Array, axis: int) -> tuple[Array, ...]:
    """Where numpy finds the elements that `index` chooses along `axis`."""
    places = list(np.indices(index.shape, sparse=True))
    places[axis] = index
    return tuple(places)


@register("gather")
class Gather(Op):
    """y[i, j, k] = x[i, index[i, j, k], k], here for axis 1.

    Positions count from 0. PyTorch refuses those outside the axis when it runs.
    Shape: x [..., n, ...], index [..., m, ...] -> y of the shape of index, which in the other axes has at most
    the sizes of x.
    Gradient: dx = g added up at the positions it was taken from.
    Source: torch.gather, https://docs.pytorch.org/docs/stable/generated/torch.gather.html
    """

    operands = ("x", "index")
    accepts = DTYPES
    analytic = True
    axis: int

    def shape(self, x: Shape, index: Shape) -> Shape:
        require_beside(x, index, self.axis)
        return index

    def dtype(self, x: str, index: str) -> str | tuple[str, ...]:
        require_index(index)
        return super().dtype(x)

    def forward(self, x: Array, index: Array) -> Array:
        return x[_places(index, self.axis)]

    def vjp(self, g: Array, y: Array, x: Array, index: Array) -> tuple[Array, None]:
        return function(
            "scatter_add", function("full_like", x, fill_value=0.0), index, g, axis=self.axis
        ), None

    def below(self, x: Shape, index: Shape) -> tuple[AnyDim | None, ...]:
        return None, x[self.axis]

    def index_range(self, known: Known, x: Shape, index: Shape) -> IndexRange | None:
        return known[0] if known[0] and known[0].each else None

    def flops(self, y: Shape, x: Shape, index: Shape) -> Any:
        return 0

    def torch(self, x: Operand, index: Operand) -> Code:
        return method(x, "gather", Hole(self.axis, "axis"), index)

    def onnx(self, graph: Graph, x: Operand, index: Operand) -> Any:
        return graph.node("GatherElements", x, index, axis=self.axis)

    samples = (
        sample((2, 5), integers((2, 3), 5), axis=1, flops=0),
        sample((4, 3), integers((2, 3), 4), axis=0),
        sample((2, 4, 5), integers((2, 3, 5), 4), axis=1),
        sample((2, 4, 5), integers((2, 4, 2), 5), axis=-1),
        sample((3, 4, 5), integers((6, 4, 5), 3), axis=-3),
        sample((3, 5), integers((2, 4), 5), axis=1),
        sample((2, 5), given((0, 0, 4), (3, 3, 3), dtype="int64"), axis=1),
        sample((5,), integers((7,), 5), axis=0),
        sample((1, 3), integers((1, 3), 1), axis=0),
        sample((2, 1), integers((2, 4), 1), axis=1),
        sample((2, 5), integers((1, 1), 5), axis=1),
        sample(integers((2, 5), 9), integers((2, 3), 5), axis=1),
        sample(integers((2, 5), 2, "bool"), integers((2, 3), 5), axis=1),
        sample((2, 5), integers((2, 3), 5), axis=2, rejects="axis"),
        sample((2, 5), integers((3,), 5), axis=1, rejects="index"),
        sample((2, 5), integers((3, 2), 5), axis=1, rejects="index"),
        sample((2, 5), (2, 3), axis=1, rejects="index"),
        # torch takes int32, too
        sample((2, 5), integers((2, 3), 5, "int32"), axis=1, rejects="index", without=("torch",)),
    )


@register("scatter_add")
class ScatterAdd(Op):
    """y = x, where y[i, index[i, j, k], k] gets src[i, j, k] added, here for axis 1.

    What several elements of src are added to gets them all. Positions count from 0.
    Shape: x [..., n, ...], index and src [..., m, ...] -> y of the shape of x.
    Gradient: dx = g; dsrc = g gathered at index.
    Source: torch.scatter_add, https://docs.pytorch.org/docs/stable/generated/torch.scatter_add.html
    """

    operands = ("x", "index", "src")
    accepts = (*FLOATS, *INTEGERS)
    analytic = True
    axis: int

    def shape(self, x: Shape, index: Shape, src: Shape) -> Shape:
        require_beside(x, index, self.axis)
        both = f"src is {show(src)}, but index is {show(index)}"
        alike = len(src) == len(index) and all(same(n, m) for n, m in zip(src, index, strict=True))
        require(alike, "src", both)
        return x

    def dtype(self, x: str, index: str, src: str) -> str | tuple[str, ...]:
        require_index(index)
        require(src == x, "src", f"src is {src}, but x is {x}")
        return super().dtype(x)

    def forward(self, x: Array, index: Array, src: Array) -> Array:
        y = np.array(x, np.result_type(x, src))
        np.add.at(y, _places(index, self.axis), src)
        return y

    def vjp(self, g: Array, y: Array, x: Array, index: Array, src: Array) -> tuple[Array, None, Array]:
        return g, None, function("gather", g, index, axis=self.axis)

    def below(self, x: Shape, index: Shape, src: Shape) -> tuple[AnyDim | None, ...]:
        return None, x[self.axis], None

    def flops(self, y: Shape, x: Shape, index: Shape, src: Shape) -> Any:
        return prod(src)

    def torch(self, x: Operand, index: Operand, src: Operand) -> Code:
        return method(x, "scatter_add", Hole(self.axis, "axis"), index, src)

    def onnx(self, graph: Graph, x: Operand, index: Operand, src: Operand) -> Any:
        return graph.node("ScatterElements", x, index, src, axis=self.axis, reduction="add")

    samples = (
        sample((2, 5), integers((2, 3), 5), (2, 3), axis=1, flops=6),
        sample((4, 3), integers((2, 3), 4), (2, 3), axis=0),
        sample((2, 4, 5), integers((2, 3, 5), 4), (2, 3, 5), axis=1),
        sample((2, 4, 5), integers((2, 4, 2), 5), (2, 4, 2), axis=-1),
        sample((3, 4, 5), integers((6, 4, 5), 3), (6, 4, 5), axis=-3),
        sample((3, 5), integers((2, 4), 5), (2, 4), axis=1),
        sample((2, 5), given((0, 0, 4), (3, 3, 3), dtype="int64"), (2, 3), axis=1),
        sample((5,), integers((7,), 5), (7,), axis=0),
        sample((1, 3), integers((1, 3), 1), (1, 3), axis=0),
        sample((2, 1), integers((2, 4), 1), (2, 4), axis=1),
        sample(integers((2, 5), 9), integers((2, 3), 5), integers((2, 3), 9), axis=1),
        sample((2, 5), integers((2, 3), 5), (2, 3), axis=2, rejects="axis"),
        sample((2, 5), integers((3,), 5), (3,), axis=1, rejects="index"),
        sample((2, 5), integers((3, 2), 5), (3, 2), axis=1, rejects="index"),
        sample((2, 5), (2, 3), (2, 3), axis=1, rejects="index"),
        sample((2, 5), integers((2, 3), 5), (2, 2), axis=1, rejects="src"),
        sample((2, 5), integers((2, 3), 5), integers((2, 3), 5), axis=1, rejects="src"),
        # torch adds bools
        sample(
            integers((2, 5), 2, "bool"),
            integers((2, 3), 5),
            integers((2, 3), 2, "bool"),
            axis=1,
            rejects="x",
            without=("torch",),
        ),
    )
