"""Tensors joined along an axis, and cut into parts: concat, stack, split, chunk."""

from __future__ import annotations

from typing import Any

from netc.budget import spend
from netc.dims import AnyDim, Shape, at_least, ceil_divide, decide, divides, same, show, value
from netc.ops.arrays import np
from netc.ops.attributes import axis_of
from netc.ops.code import Code, Hole, Keyword, Piece, call
from netc.ops.contract import DTYPES, Array, Graph, Op, Operand, integers, register, require, sample
from netc.ops.notation import concat
from netc.ops.shape import unsqueeze_node


class Join(Op):
    """What concat and stack share."""

    operands = ("*xs",)
    elements_of = ("xs",)
    accepts = DTYPES
    analytic = True

    def dtype(self, *xs: str) -> str | tuple[str, ...]:
        require(len(xs) > 0, "xs", f"{self.name} takes at least one tensor")
        return super().dtype(*xs)

    def flops(self, y: Shape, *xs: Shape) -> Any:
        return 0


@register("concat")
class Concat(Join):
    """y = xs one behind the other along `axis`.

    Shape: xs[0] [..., n, ...], xs[1] [..., m, ...], ... -> y [..., n + m + ..., ...].
    Gradient: dxs[i] = its part of g.
    Source: torch.cat, https://docs.pytorch.org/docs/stable/generated/torch.cat.html
    """

    axis: int

    def shape(self, *xs: Shape) -> Shape:
        first = xs[0]
        axis = axis_of(self.axis, len(first), operand="xs[0]")
        total: AnyDim = 0
        for name, x in zip(self.operand_names(len(xs)), xs, strict=True):
            alike = len(x) == len(first)
            both = f"{name} is {show(x)} and xs[0] is {show(first)}"
            require(alike, name, f"{both}: they have not as many axes")
            for i, (n, m) in enumerate(zip(x, first, strict=True)):
                require(i == axis or same(n, m), name, f"{both}: axis {i} is {n}, not {m}")
            total = total + x[axis]
        return (*first[:axis], total, *first[axis + 1 :])

    def forward(self, *xs: Array) -> Array:
        return np.concatenate(xs, self.axis)

    def vjp(self, g: Array, y: Array, *xs: Array) -> tuple[Array, ...]:
        axis = axis_of(self.axis, len(y.shape))
        parts = []
        start: AnyDim = 0
        for x in xs:
            stop = start + x.shape[axis]
            parts.append(g[(*(slice(None) for _ in range(axis)), slice(start, stop))])
            start = stop
        return tuple(parts)

    def torch(self, *xs: Operand) -> Code:
        return call("torch.cat", tuple_of(xs), Keyword("dim", self.axis))

    def onnx(self, graph: Graph, *xs: Operand) -> Any:
        return graph.node("Concat", *xs, axis=self.axis)

    samples = (
        sample((2, 3), (2, 4), axis=1, flops=0),
        sample((2, 3, 4), (1, 3, 4), (3, 3, 4), axis=-3),
        sample((2, 3), axis=0),
        sample((3,), (1,), (2,), axis=0),
        sample((2, 3, 4, 5), (2, 3, 1, 5), axis=2),
        sample((1, 1), (1, 1), axis=1),
        sample((2, 3), (2, 3), (2, 3), (2, 3), axis=-2),
        sample((4, 1, 2), (4, 5, 2), axis=1),
        sample(integers((2, 3), 9), integers((2, 1), 9), axis=-1),
        sample(integers((2, 3), 2, "bool"), integers((1, 3), 2, "bool"), axis=0),
        sample(integers((2, 3), 9, "int32"), integers((2, 3), 9, "int32"), axis=1),
        sample((2, 3), (2, 4), axis=0, rejects="xs[1]"),
        sample((2, 3), (2, 3, 1), axis=0, rejects="xs[1]"),
        sample((2, 3), (2, 3), axis=2, rejects="axis"),
        sample((2, 3), (2, 3), rejects="axis", without=("torch",)),  # torch takes axis 0 unless told
        sample(axis=0, rejects="xs"),
        sample((2, 3), integers((2, 3), 9), axis=0, rejects="xs[1]", without=("torch",)),  # torch promotes
    )


@register("stack")
class Stack(Join):
    """y[..., i, ...] = xs[i][..., ...], i being a new axis, which is axis `axis` of y.

    Shape: k operands [..., ...] of one shape -> y [..., k, ...].
    Gradient: dxs[i] = its part of g.
    Source: torch.stack, https://docs.pytorch.org/docs/stable/generated/torch.stack.html
    """

    axis: int

    def shape(self, *xs: Shape) -> Shape:
        first = xs[0]
        axis = axis_of(self.axis, len(first) + 1, operand="the result")
        for name, x in zip(self.operand_names(len(xs)), xs, strict=True):
            alike = len(x) == len(first) and all(same(n, m) for n, m in zip(x, first, strict=True))
            require(alike, name, f"{name} is {show(x)}, but xs[0] is {show(first)}")
        return (*first[:axis], len(xs), *first[axis:])

    def forward(self, *xs: Array) -> Array:
        return np.stack(xs, self.axis)

    def vjp(self, g: Array, y: Array, *xs: Array) -> tuple[Array, ...]:
        before = tuple(slice(None) for _ in range(axis_of(self.axis, len(y.shape))))
        return tuple(g[(*before, i)] for i in range(len(xs)))

    def torch(self, *xs: Operand) -> Code:
        return call("torch.stack", tuple_of(xs), Keyword("dim", self.axis))

    def onnx(self, graph: Graph, *xs: Operand) -> Any:
        axis = axis_of(self.axis, len(xs[0].shape) + 1)
        return graph.node("Concat", *(unsqueeze_node(graph, x, axis) for x in xs), axis=axis)

    samples = (
        sample((2, 3), (2, 3), axis=1, flops=0),
        sample((2, 3), (2, 3), (2, 3), axis=-1),
        sample((2, 3), axis=0),
        sample((), (), axis=0),
        sample((), (), (), axis=-1),
        sample((5,), (5,), axis=1),
        sample((5,), (5,), (5,), axis=-2),
        sample((2, 3, 4), (2, 3, 4), axis=2),
        sample((1, 3), (1, 3), axis=0),
        sample((2, 1, 3), (2, 1, 3), axis=-4),
        sample(integers((2, 3), 9), integers((2, 3), 9), axis=1),
        sample(integers((2, 3), 2, "bool"), integers((2, 3), 2, "bool"), axis=2),
        sample((2, 3), (2, 4), axis=0, rejects="xs[1]"),
        sample((2, 3), (2, 3, 1), axis=0, rejects="xs[1]"),
        sample((2, 3), (2, 3), axis=3, rejects="axis"),
        sample(axis=0, rejects="xs"),
    )


def tuple_of(xs: tuple[Operand, ...]) -> Code:
    """`(a, b)`, `(a,)` for one."""
    pieces: list[Piece] = ["("]
    for i, x in enumerate(xs):
        pieces += [", ", x] if i else [x]
    return Code((*pieces, ",)" if len(xs) == 1 else ")"))


class Cut(Op):
    """What split and chunk share: consecutive parts along an axis."""

    cuts = True
    accepts = DTYPES
    analytic = True
    axis: int

    def lengths(self, n: AnyDim) -> Shape:
        """The sizes of the parts of an axis of n."""
        raise NotImplementedError

    def shape(self, x: Shape) -> list[Shape]:
        axis = axis_of(self.axis, len(x))
        return [(*x[:axis], n, *x[axis + 1 :]) for n in self.lengths(x[axis])]

    def forward(self, x: Array) -> tuple[Array, ...]:
        lengths: Any = self.lengths(x.shape[axis_of(self.axis, len(x.shape))])
        return tuple(np.split(x, np.cumsum(lengths)[:-1], self.axis))

    def vjp(self, g: tuple[Array, ...], y: tuple[Array, ...], x: Array) -> tuple[Array]:
        return (concat(g, self.axis),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def onnx(self, graph: Graph, x: Operand) -> Any:
        lengths = self.lengths(x.shape[axis_of(self.axis, len(x.shape))])
        if len(lengths) == 1:
            return (graph.node("Identity", x),)
        return graph.node("Split", x, graph.sizes(lengths), outputs=len(lengths), axis=self.axis)


@register("split")
class Split(Cut):
    """ys = x cut along `axis` into parts of `split_size`, the last what is left, or of the sizes listed.

    Shape: x [..., n, ...] -> ys [..., s, ...], as many as it takes; n is known, or equals the sum of the list.
    Gradient: dx = the gradients of the parts, one behind the other.
    Source: torch.split, https://docs.pytorch.org/docs/stable/generated/torch.split.html
    """

    split_size: int | tuple[int, ...]
    axis: int = 0

    def lengths(self, n: AnyDim) -> Shape:
        if isinstance(self.split_size, tuple):
            total = sum(self.split_size)
            for part in self.split_size:
                require(part >= 1, "split_size", f"a part of {part} is empty")
            require(same(n, total), "split_size", f"the parts add up to {total}, but the axis has {n}")
            return self.split_size
        require(self.split_size >= 1, "split_size", f"a part of {self.split_size} is empty")
        known = value(n)
        require(known is not None, "x", f"the axis to split has {n}, which must be known")
        whole, rest = divmod(known or 0, self.split_size)
        spend(whole)
        return (self.split_size,) * whole + ((rest,) if rest else ())

    def torch(self, x: Operand) -> Code:
        # The method of a tensor is not annotated in torch; the function takes a list, not a tuple.
        size: Hole | Code = Hole(self.split_size, "split_size")
        if isinstance(self.split_size, tuple):
            parts = call("", *(Hole(part, "part") for part in self.split_size)).pieces
            size = Code(("[", *parts[1:-1], "]"))
        return call("torch.split", x, size, Keyword("dim", self.axis, 0))

    samples = (
        sample((6, 3), split_size=2, flops=0),
        sample((2, 5), split_size=2, axis=1),
        sample((2, 7, 3), split_size=[1, 4, 2], axis=-2),
        sample((2, 3), split_size=3, axis=1),
        sample((2, 3), split_size=5),
        sample((5,), split_size=1),
        sample((1, 4), split_size=1),
        sample((2, 3, 4, 5), split_size=2, axis=-1),
        sample((2, 6), split_size=[6], axis=1),
        sample((3, 4), split_size=[2, 1]),
        sample(integers((2, 5), 9), split_size=[4, 1], axis=1),
        sample(integers((3, 2), 2, "bool"), split_size=2),
        sample((2, 5), split_size=[2, 2], axis=1, rejects="split_size"),
        sample((2, 5), split_size=0, axis=1, rejects="split_size"),
        sample((2, 5), split_size=[5, 0], axis=1, rejects="split_size", without=("torch",)),  # torch: empty
        sample((2, 5), split_size=1, axis=2, rejects="axis"),
    )


@register("chunk")
class Chunk(Cut):
    """ys = x cut along `axis` into `chunks` parts of equal size, the last smaller where that leaves a rest.

    Shape: x [..., n, ...] -> `chunks` parts [..., ceil(n / chunks), ...], the last of them with what is left.
    Gradient: dx = the gradients of the parts, one behind the other.
    Source: torch.chunk, https://docs.pytorch.org/docs/stable/generated/torch.chunk.html
    """

    chunks: int
    axis: int = 0

    def lengths(self, n: AnyDim) -> Shape:
        k = self.chunks
        require(k >= 1, "chunks", f"x cannot be cut into {k} parts")
        number = value(n) if decide("zero", n % k) is not True else None
        known = n if number is None else number
        part = ceil_divide(known, k)
        rest = known - part * (k - 1)
        spend(k)
        fits = (isinstance(known, int) or divides(k, known)) and at_least(rest, 1)
        require(fits, "chunks", f"an axis of {n} cannot be cut into {k} parts of {part}")
        return (part,) * (k - 1) + (rest,)

    def torch(self, x: Operand) -> Code:
        return call(f"{x}.chunk", Hole(self.chunks, "chunks"), Keyword("dim", self.axis, 0))

    samples = (
        sample((6, 3), chunks=2, flops=0),
        sample((2, 7), chunks=3, axis=1),
        sample((2, 4, 3), chunks=4, axis=-2),
        sample((2, 3), chunks=1),
        sample((5,), chunks=5),
        sample((1, 4), chunks=1),
        sample((2, 3, 4, 5), chunks=2, axis=-1),
        sample((2, 8), chunks=3, axis=1),
        sample((7, 2), chunks=4),
        sample(integers((2, 5), 9), chunks=2, axis=1),
        sample(integers((4, 2), 2, "bool"), chunks=2),
        sample((5, 2), chunks=4, rejects="chunks", without=("torch",)),  # torch gives three parts
        sample((5, 2), chunks=0, rejects="chunks"),
        sample((5, 2), chunks=2, axis=2, rejects="axis"),
    )
