"""Elements in order along an axis, and the first of them: sort, argsort, topk."""

from __future__ import annotations

from typing import Any

from netc.dims import AnyDim, Shape, at_least
from netc.ops.arrays import np
from netc.ops.attributes import axis_of
from netc.ops.code import Code, Hole, Keyword, method
from netc.ops.contract import (
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
from netc.ops.index_range import IndexRange, Known, widest
from netc.ops.notation import function


def _order(x: Array, axis: int, descending: bool) -> Array:
    """The positions of x in order along `axis`; elements that tie keep theirs, NaN counts as the greatest."""
    if not descending:
        return np.argsort(x, axis, kind="stable")
    backwards = np.argsort(np.flip(x, axis), axis, kind="stable")
    return x.shape[axis] - 1 - np.flip(backwards, axis)


def _put_back(x: Array, index: Array, g: Array, axis: int) -> Array:
    """The gradient of x from that of the elements that `index` chose."""
    return function("scatter_add", function("full_like", x, fill_value=0.0), index, g, axis=axis)


def _top_node(graph: Graph, x: str, k: AnyDim, axis: int, largest: bool) -> Any:
    """ONNX has no other sort."""
    wanted = graph.sizes((k,))
    return graph.node("TopK", x, wanted, outputs=2, axis=axis, largest=int(largest), sorted=1)


@register("sort")
class Sort(Op):
    """values, indices = the elements of x in ascending order along `axis`, and their positions in x.

    Elements that tie keep their order, also where it is `descending`. Where NaN comes, ONNX leaves open.
    Shape: x [..., n, ...] -> values and indices of the same shape, indices int64.
    Gradient: dx = the gradient of each value, put where the value was.
    Source: torch.sort, https://docs.pytorch.org/docs/stable/generated/torch.sort.html
    """

    analytic = True
    accepts = (*FLOATS, *INTEGERS)
    axis: int = -1
    descending: bool = False

    def shape(self, x: Shape) -> list[Shape]:
        axis_of(self.axis, len(x))
        return [x, x]

    def dtype(self, x: str) -> tuple[str, ...]:
        return (str(super().dtype(x)), "int64")

    def index_range(self, known: Known, x: Shape) -> tuple[IndexRange | None, IndexRange]:
        return widest(known), IndexRange(x[axis_of(self.axis, len(x))], each=True)

    def forward(self, x: Array) -> tuple[Array, Array]:
        index = _order(x, self.axis, self.descending)
        return np.take_along_axis(x, index, self.axis), index

    def vjp(self, g: tuple[Array, ...], y: tuple[Array, ...], x: Array) -> tuple[Array]:
        return (_put_back(x, y[1], g[0], self.axis),)

    def branch(self, x: Array) -> Array:
        return self.forward(x)[1]

    def flops(self, y: Any, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        return method(x, "sort", *_how(self.axis, self.descending))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        n = x.shape[axis_of(self.axis, len(x.shape))]
        return _top_node(graph, x, n, self.axis, self.descending)

    samples = (
        sample((2, 5), flops=0),
        sample((4, 3), axis=0),
        sample((2, 3, 4), axis=1, descending=True),
        sample((2, 5), descending=True),
        sample((2, 3, 4, 2), axis=-2),
        sample((6,), axis=0),
        sample((1,)),
        sample((1, 4), axis=0, descending=True),
        sample(integers((2, 3), 9, "int32")),
        sample(given((3, 1, 3, 1, 3), (2, 2, 0, 2, 0), dtype="int64")),
        sample(given((3, 1, 3, 1, 3), (2, 2, 0, 2, 0), dtype="int64"), descending=True),
        sample((2, 3), axis=2, rejects="axis"),
        sample((), rejects="axis", without=("torch",)),  # torch takes a scalar for a vector of one
        sample(integers((2, 3), 2, "bool"), rejects="x", without=("torch",)),  # torch sorts bools
    )


def _how(axis: int, descending: bool) -> tuple[Keyword, ...]:
    return (Keyword("dim", axis), Keyword("descending", descending, False), Keyword("stable", True))


@register("argsort")
class Argsort(Op):
    """y = the positions in x of its elements in ascending order along `axis`.

    Elements that tie keep their order, also where it is `descending`. Where NaN comes, ONNX leaves open.
    Shape: x [..., n, ...] -> y of the same shape, int64.
    Gradient: none.
    Source: torch.argsort, https://docs.pytorch.org/docs/stable/generated/torch.argsort.html
    """

    accepts = (*FLOATS, *INTEGERS)
    differentiable = False
    axis: int = -1
    descending: bool = False

    def shape(self, x: Shape) -> Shape:
        axis_of(self.axis, len(x))
        return x

    def dtype(self, x: str) -> str:
        super().dtype(x)
        return "int64"

    def index_range(self, known: Known, x: Shape) -> IndexRange:
        return IndexRange(x[axis_of(self.axis, len(x))], each=True)

    def forward(self, x: Array) -> Array:
        return _order(x, self.axis, self.descending)

    def branch(self, x: Array) -> Array:
        return self.forward(x)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        return method(x, "argsort", *_how(self.axis, self.descending))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        n = x.shape[axis_of(self.axis, len(x.shape))]
        return _top_node(graph, x, n, self.axis, self.descending)[1]

    samples = (
        sample((2, 5), flops=0),
        sample((4, 3), axis=0),
        sample((2, 3, 4), axis=1, descending=True),
        sample((2, 5), descending=True),
        sample((2, 3, 4, 2), axis=-2),
        sample((6,), axis=0),
        sample((1,)),
        sample((1, 4), axis=0, descending=True),
        sample(integers((2, 3), 9, "int32")),
        sample(given((3, 1, 3, 1, 3), (2, 2, 0, 2, 0), dtype="int64")),
        sample(given((3, 1, 3, 1, 3), (2, 2, 0, 2, 0), dtype="int64"), descending=True),
        sample((2, 3), axis=2, rejects="axis"),
        sample((), rejects="axis", without=("torch",)),  # torch takes a scalar for a vector of one
        sample(integers((2, 3), 2, "bool"), rejects="x", without=("torch",)),  # torch sorts bools
    )


TIES = ("other dtypes",)  # few whole numbers tie


@register("topk")
class Topk(Op):
    """values, indices = the k greatest elements of x along `axis`, the greatest first, and their positions in x.

    With `largest` false, the least and the least first. Which of several that tie are taken, and in which order
    their indices come, differs between PyTorch, ONNX Runtime and numpy; the values are the same.
    Shape: x [..., n, ...] -> values and indices [..., k, ...], indices int64.
    Gradient: dx = the gradient of each value, put where the value was; 0 elsewhere.
    Source: torch.topk, https://docs.pytorch.org/docs/stable/generated/torch.topk.html
    """

    analytic = True
    accepts = (*FLOATS, *INTEGERS)
    k: AnyDim
    axis: int = -1
    largest: bool = True

    def shape(self, x: Shape) -> list[Shape]:
        axis = axis_of(self.axis, len(x))
        require(at_least(self.k, 1), "k", f"k is {self.k}, which is less than 1")
        enough = at_least(x[axis] - self.k, 0)
        require(enough, "k", f"k is {self.k}, but axis {self.axis} of x has {x[axis]}")
        y = (*x[:axis], self.k, *x[axis + 1 :])
        return [y, y]

    def dtype(self, x: str) -> tuple[str, ...]:
        return (str(super().dtype(x)), "int64")

    def index_range(self, known: Known, x: Shape) -> tuple[IndexRange | None, IndexRange]:
        return None, IndexRange(x[axis_of(self.axis, len(x))], each=True)

    def forward(self, x: Array) -> tuple[Array, Array]:
        axis = axis_of(self.axis, len(x.shape))
        kept: Any = (*(slice(None) for _ in range(axis)), slice(0, self.k))
        index = _order(x, axis, self.largest)[kept]
        return np.take_along_axis(x, index, axis), index

    def vjp(self, g: tuple[Array, ...], y: tuple[Array, ...], x: Array) -> tuple[Array]:
        return (_put_back(x, y[1], g[0], self.axis),)

    def branch(self, x: Array) -> Array:
        return self.forward(x)[1]

    def flops(self, y: Any, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        k = Hole(self.k, "k")
        return method(x, "topk", k, Keyword("dim", self.axis, -1), Keyword("largest", self.largest, True))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return _top_node(graph, x, self.k, self.axis, self.largest)

    samples = (
        sample((2, 5), k=3, flops=0, without=TIES),
        sample((4, 3), k=2, axis=0, without=TIES),
        sample((2, 3, 4), k=2, axis=1, largest=False, without=TIES),
        sample((2, 5), k=1, without=TIES),
        sample((2, 5), k=5, without=TIES),
        sample((2, 5), k=4, largest=False, without=TIES),
        sample((2, 3, 4, 2), k=3, axis=-2, without=TIES),
        sample((6,), k=2, axis=0, without=TIES),
        sample((1,), k=1, without=TIES),
        sample((1, 4), k=1, axis=0, without=TIES),
        sample(given((3, 1, 4), (2, 7, 0), dtype="int64"), k=2),
        sample(given(5, -2, 9, 0, dtype="int32"), k=2, largest=False),
        sample((2, 5), k=6, rejects="k"),
        sample((2, 5), k=0, rejects="k", without=("torch",)),  # torch: an empty tensor
        sample((2, 5), k=-1, rejects="k"),
        sample((2, 3), k=1, axis=2, rejects="axis"),
        sample((), k=1, rejects="axis", without=("torch",)),  # torch takes a scalar for a vector of one
        # torch sorts bools
        sample(integers((2, 3), 2, "bool"), k=1, rejects="x", without=("torch",)),
    )
