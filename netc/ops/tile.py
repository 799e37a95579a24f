"""The same values several times: expand, tile, repeat_interleave."""

from __future__ import annotations

from typing import Any

from netc.dims import AnyDim, Shape, at_least, decide, same, show
from netc.ops.arrays import np
from netc.ops.attributes import axis_of
from netc.ops.code import Code, Hole, Keyword, method
from netc.ops.contract import DTYPES, Array, Graph, Op, Operand, integers, register, require, sample
from netc.ops.layout import each, reshape_node
from netc.ops.notation import unbroadcast


@register("expand")
class Expand(Op):
    """y = x with axes of size 1 repeated to `sizes`; -1 keeps a size, more sizes put axes in front.

    Shape: x [..., 1, ..., n, ...] -> y of `sizes`.
    Gradient: dx = g summed over the repeated axes.
    Source: torch.Tensor.expand, https://docs.pytorch.org/docs/stable/generated/torch.Tensor.expand.html
    """

    elements_of = ("x",)
    accepts = DTYPES
    analytic = True
    variadic = "sizes"
    sizes: tuple[AnyDim, ...]

    def shape(self, x: Shape) -> Shape:
        extra = len(self.sizes) - len(x)
        require(extra >= 0, "sizes", f"x is {show(x)}, which has more axes than the {len(self.sizes)} sizes")
        for i, n in enumerate(self.sizes):
            require(i >= extra or at_least(n, 1), "sizes", f"size {i} is {n}, but x has no such axis to keep")
        old = zip(x, self.sizes[extra:], strict=True)
        return (*self.sizes[:extra], *(self._stretch(x, n, m) for n, m in old))

    def _stretch(self, x: Shape, n: AnyDim, wanted: AnyDim) -> AnyDim:
        if wanted == -1:
            return n
        require(at_least(wanted, 1), "sizes", f"{wanted} is no size")
        if n == 1:
            return wanted
        if same(n, wanted):
            return n
        fits = decide("zero", n - 1) is True
        require(fits, "sizes", f"x is {show(x)}: an axis of {n} cannot become one of {wanted}")
        return wanted

    def forward(self, x: Array) -> Array:
        shape: Any = self.shape(x.shape)
        return np.broadcast_to(x, shape)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (unbroadcast(g, x.shape),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        return method(x, "expand", *each(self.sizes, "size"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        y = self.shape(x.shape)
        kept = (*(() for _ in range(len(y) - len(x.shape))), *x.shape)
        sizes = tuple(1 if n == m else m for n, m in zip(kept, y, strict=True))
        return graph.node("Expand", x, graph.sizes(sizes))

    samples = (
        sample((1, 3), sizes=[2, 3], flops=0),
        sample((1, 1, 3), sizes=[2, -1, 3]),
        sample((3, 1), sizes=[2, 3, 4]),
        sample((), sizes=[2, 3]),
        sample((), sizes=[]),
        sample((2, 3), sizes=[2, 3]),
        sample((2, 3), sizes=[-1, -1]),
        sample((1,), sizes=[1]),
        sample((2, 1, 1), sizes=[4, 2, 3, 1]),
        sample(integers((3, 1), 9), sizes=[-1, 2]),
        sample(integers((1, 3), 2, "bool"), sizes=[2, 3]),
        sample((2, 3), sizes=[4, 3], rejects="sizes"),
        sample((2, 3), sizes=[3], rejects="sizes"),
        sample((2, 3), sizes=[-1, 2, 3], rejects="sizes"),
        sample((1, 3), sizes=[0, 3], rejects="sizes", without=("torch",)),  # torch: an empty tensor
    )


@register("tile")
class Tile(Op):
    """y = x laid `dims`[k] times one behind the other along axis k.

    Fewer numbers than x has axes count for its last ones; more put axes in front, as in torch.
    Shape: x [n0, n1, ...] -> y [d0 n0, d1 n1, ...].
    Gradient: dx = g summed over the copies.
    Source: torch.tile, https://docs.pytorch.org/docs/stable/generated/torch.tile.html
    """

    elements_of = ("x",)
    accepts = DTYPES
    analytic = True
    variadic = "dims"
    dims: tuple[AnyDim, ...]

    def _pairs(self, x: Shape) -> list[tuple[AnyDim, AnyDim]]:
        """For each axis of y, the copies and the size of what is copied."""
        rank = max(len(self.dims), len(x))
        copies = (*(1 for _ in range(rank - len(self.dims))), *self.dims)
        sizes = (*(1 for _ in range(rank - len(x))), *x)
        return list(zip(copies, sizes, strict=True))

    def shape(self, x: Shape) -> Shape:
        for d in self.dims:
            require(at_least(d, 1), "dims", f"x cannot be laid {d} times along an axis")
        return tuple(d * n for d, n in self._pairs(x))

    def forward(self, x: Array) -> Array:
        copies: Any = self.dims
        return np.tile(x, copies)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        pairs = self._pairs(x.shape)
        apart = g.reshape(tuple(n for pair in pairs for n in pair))
        copies = tuple(range(0, 2 * len(pairs), 2))
        return ((apart.sum(copies) if copies else g).reshape(x.shape),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        return method(x, "tile", *each(self.dims, "copies"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        pairs = self._pairs(x.shape)
        if all(d == 1 for d, _ in pairs[-len(x.shape) :]) and len(pairs) == len(x.shape):
            return graph.node("Identity", x)
        whole = x if len(pairs) == len(x.shape) else reshape_node(graph, x, tuple(n for _, n in pairs))
        return graph.node("Tile", whole, graph.sizes(tuple(d for d, _ in pairs)))

    samples = (
        sample((2, 3), dims=[2, 3], flops=0),
        sample((2, 3, 4), dims=[1, 2, 1]),
        sample((2, 3, 4), dims=[3, 1, 2]),
        sample((2, 3), dims=[2]),
        sample((3,), dims=[2, 2]),
        sample((2, 3), dims=[2, 1, 3]),
        sample((2, 1, 3), dims=[1, 4, 1]),
        sample((), dims=[3]),
        sample((), dims=[]),
        sample((2, 3), dims=[1, 1]),
        sample(integers((2, 3), 9), dims=[2, 2]),
        sample(integers((2, 3), 2, "bool"), dims=[1, 2]),
        sample((2, 3), dims=[0, 2], rejects="dims", without=("torch",)),  # torch: an empty tensor
        sample((2, 3), dims=[-1, 2], rejects="dims"),
    )


@register("repeat_interleave")
class RepeatInterleave(Op):
    """y = each slice of x along `axis` `repeats` times in a row: a, b -> a, a, b, b.

    Shape: x [..., n, ...] -> y [..., repeats n, ...].
    Gradient: dx = g summed over each run.
    Source: torch.repeat_interleave,
    https://docs.pytorch.org/docs/stable/generated/torch.repeat_interleave.html
    """

    elements_of = ("x",)
    accepts = DTYPES
    analytic = True
    repeats: int
    axis: int

    def shape(self, x: Shape) -> Shape:
        axis = axis_of(self.axis, len(x))
        require(self.repeats >= 1, "repeats", f"x cannot be repeated {self.repeats} times")
        return (*x[:axis], x[axis] * self.repeats, *x[axis + 1 :])

    def forward(self, x: Array) -> Array:
        return np.repeat(x, self.repeats, self.axis)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        behind = axis_of(self.axis, len(x.shape)) + 1
        return (g.reshape((*x.shape[:behind], self.repeats, *x.shape[behind:])).sum(behind),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        return method(x, "repeat_interleave", Hole(self.repeats, "repeats"), Keyword("dim", self.axis))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        behind = axis_of(self.axis, len(x.shape)) + 1
        apart = graph.node("Unsqueeze", x, graph.constant([behind], "int64"))
        copies = tuple(self.repeats if i == behind else 1 for i in range(len(x.shape) + 1))
        return reshape_node(graph, graph.node("Expand", apart, graph.sizes(copies)), self.shape(x.shape))

    samples = (
        sample((2, 3), repeats=2, axis=1, flops=0),
        sample((2, 3), repeats=3, axis=0),
        sample((2, 3, 4), repeats=2, axis=1),
        sample((2, 3, 4), repeats=2, axis=-1),
        sample((2, 3, 4), repeats=4, axis=-3),
        sample((5,), repeats=3, axis=0),
        sample((1, 3), repeats=2, axis=0),
        sample((2, 1, 3), repeats=5, axis=1),
        sample((2, 3), repeats=1, axis=1),
        sample(integers((2, 3), 9), repeats=2, axis=1),
        sample(integers((2, 3), 2, "bool"), repeats=2, axis=0),
        sample((2, 3), repeats=0, axis=1, rejects="repeats", without=("torch",)),  # torch: an empty tensor
        sample((2, 3), repeats=2, axis=2, rejects="axis"),
        sample((), repeats=2, axis=0, rejects="axis", without=("torch",)),  # torch takes it for a vector
    )
