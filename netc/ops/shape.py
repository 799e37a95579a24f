"""The same values in another shape: flatten, reshape, squeeze, unsqueeze, expand; axes in another order."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import AnyDim, Shape, at_least, decide, same, show
from netc.ops.arrays import np
from netc.ops.attributes import axes_of, axis_of
from netc.ops.code import Code, Hole, Keyword, call, method
from netc.ops.contract import DTYPES, Array, Graph, Op, Operand, integers, register, require, sample
from netc.ops.layout import fill, reshape_node
from netc.ops.notation import unbroadcast


class Reshaping(Op):
    """What holds of an op that gives the same values, in order, another shape."""

    accepts = DTYPES

    def forward(self, x: Array) -> Array:
        return x.reshape(self.shape(x.shape))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g.reshape(x.shape),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0


@register("flatten")
class Flatten(Reshaping):
    """y = x with the axes from `start_dim` to `end_dim` made one.

    Source: torch.flatten, https://docs.pytorch.org/docs/stable/generated/torch.flatten.html
    """

    aliases = ("Flatten",)
    start_dim: int = 1
    end_dim: int = -1

    def shape(self, x: Shape) -> Shape:
        start = axis_of(self.start_dim, len(x), "start_dim")
        end = axis_of(self.end_dim, len(x), "end_dim")
        require(start <= end, "end_dim", f"start_dim {self.start_dim} lies behind end_dim {self.end_dim}")
        return (*x[:start], prod(x[start : end + 1]), *x[end + 1 :])

    def torch(self, x: Operand) -> Code:
        return method(x, "flatten", Hole(self.start_dim, "start_dim"), Keyword("end_dim", self.end_dim, -1))

    def module(self, x: Shape) -> Code:
        start = Keyword("start_dim", self.start_dim, 1)
        return call("nn.Flatten", start, Keyword("end_dim", self.end_dim, -1))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        y = self.shape(x.shape)
        if len(y) == 2 and x.shape[0] == y[0]:
            return graph.node("Flatten", x, axis=1)
        return reshape_node(graph, x, y)

    samples = (
        sample((2, 3, 4, 5), flops=0),
        sample((2, 3, 4, 5), start_dim=0),
        sample((2, 3, 4, 5), start_dim=1, end_dim=2),
        sample((2, 3, 4), start_dim=-2, end_dim=1),
        sample((2, 3), start_dim=0, end_dim=0),
        sample((3,), rejects="start_dim"),
        sample((2, 3, 4), end_dim=3, rejects="end_dim"),
        sample((2, 3, 4), start_dim=2, end_dim=1, rejects="end_dim"),
    )


@register("reshape")
class Reshape(Reshaping):
    """y = x in the shape `sizes`; one -1 is worked out from the rest, which must divide exactly.

    Source: torch.reshape, https://docs.pytorch.org/docs/stable/generated/torch.reshape.html
    """

    variadic = "sizes"
    sizes: tuple[AnyDim, ...]

    def shape(self, x: Shape) -> Shape:
        return fill(self.sizes, prod(x), "sizes", f"x {show(x)}")

    def torch(self, x: Operand) -> Code:
        return method(x, "reshape", *(Hole(n, f"size{i}") for i, n in enumerate(self.sizes)))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if -1 in self.sizes:
            return graph.node("Reshape", x, graph.sizes(self.sizes))
        return reshape_node(graph, x, self.shape(x.shape))

    samples = (
        sample((2, 3, 4), sizes=[6, 4], flops=0),
        sample((2, 3, 4), sizes=[2, -1]),
        sample((2, 3, 4), sizes=[-1]),
        sample((1, 1), sizes=[1]),
        sample((2, 3, 4), sizes=[4, 3, 2]),
        sample(integers((2, 3), 9), sizes=[3, 2]),
        sample((2, 3, 4), sizes=[5, -1], rejects="sizes"),
        sample((2, 3, 4), sizes=[5, 5], rejects="sizes"),
        sample((2, 3, 4), sizes=[-1, -1], rejects="sizes"),
        sample((2, 3, 4), sizes=[0, 24], rejects="sizes"),
        sample((2, 3, 4), sizes=["a"], rejects="sizes"),
    )


@register("squeeze")
class Squeeze(Reshaping):
    """y = x without the axes `axis`, each of size 1.

    Source: torch.squeeze, https://docs.pytorch.org/docs/stable/generated/torch.squeeze.html
    """

    axis: tuple[int, ...]

    def shape(self, x: Shape) -> Shape:
        axes = axes_of(self.axis, len(x))
        for i in axes:
            require(same(x[i], 1), "axis", f"x is {show(x)}: axis {i} has size {x[i]}, not 1")
        return tuple(n for i, n in enumerate(x) if i not in axes)

    def torch(self, x: Operand) -> Code:
        return method(x, "squeeze", Hole(self.axis[0] if len(self.axis) == 1 else self.axis, "axis"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Squeeze", x, graph.constant(axes_of(self.axis, len(x.shape)), "int64"))

    samples = (
        sample((2, 1, 3), axis=1, flops=0),
        sample((1, 2, 1), axis=[0, -1]),
        sample((2, 1), axis=-1),
        sample((2, 1, 3), axis=0, rejects="axis", without=("torch",)),  # torch leaves the axis
        sample((2, 1, 3), axis=3, rejects="axis"),
        sample((2, 1, 3), axis=[1, 1], rejects="axis"),
        sample((2, 1, 3), rejects="axis", without=("torch",)),  # torch drops every axis of size 1
    )


@register("unsqueeze")
class Unsqueeze(Reshaping):
    """y = x with one more axis, of size 1, which is its axis `axis`.

    Source: torch.unsqueeze, https://docs.pytorch.org/docs/stable/generated/torch.unsqueeze.html
    """

    axis: int

    def shape(self, x: Shape) -> Shape:
        axis = axis_of(self.axis, len(x) + 1, operand="the result")
        return (*x[:axis], 1, *x[axis:])

    def torch(self, x: Operand) -> Code:
        return method(x, "unsqueeze", Hole(self.axis, "axis"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return unsqueeze_node(graph, x, axis_of(self.axis, len(x.shape) + 1))

    samples = (
        sample((2, 3), axis=1, flops=0),
        sample((2, 3), axis=-1),
        sample((2, 3), axis=0),
        sample((), axis=0),
        sample((2, 3), axis=3, rejects="axis"),
        sample((2, 3), axis=-4, rejects="axis"),
    )


def unsqueeze_node(graph: Graph, x: str, axis: int) -> Any:
    return graph.node("Unsqueeze", x, graph.constant([axis], "int64"))


class Reordering(Op):
    """What holds of an op that puts axes in another order: axis i of y is axis `order[i]` of x."""

    accepts = DTYPES

    def order(self, rank: int) -> tuple[int, ...]:
        raise NotImplementedError

    def shape(self, x: Shape) -> Shape:
        return tuple(x[i] for i in self.order(len(x)))

    def forward(self, x: Array) -> Array:
        return np.transpose(x, self.order(len(x.shape)))

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        order = self.order(len(x.shape))
        return (g.transpose(tuple(order.index(i) for i in range(len(order)))),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node("Transpose", x, perm=self.order(len(x.shape)))


@register("transpose")
class Transpose(Reordering):
    """y = x with the axes `dim0` and `dim1` exchanged.

    Source: torch.transpose, https://docs.pytorch.org/docs/stable/generated/torch.transpose.html
    """

    dim0: int
    dim1: int

    def order(self, rank: int) -> tuple[int, ...]:
        a, b = axis_of(self.dim0, rank, "dim0"), axis_of(self.dim1, rank, "dim1")
        return tuple(b if i == a else a if i == b else i for i in range(rank))

    def torch(self, x: Operand) -> Code:
        return method(x, "transpose", Hole(self.dim0, "dim0"), Hole(self.dim1, "dim1"))

    samples = (
        sample((2, 3, 4), dim0=1, dim1=2, flops=0),
        sample((2, 3, 4, 5), dim0=-1, dim1=0),
        sample((2, 3), dim0=1, dim1=1),
        sample((2, 3), dim0=0, dim1=2, rejects="dim1"),
        sample((2, 3), dim0=-3, dim1=0, rejects="dim0"),
    )


@register("permute")
class Permute(Reordering):
    """y = x with its axes in the order `dims`.

    Source: torch.permute, https://docs.pytorch.org/docs/stable/generated/torch.permute.html
    """

    variadic = "dims"
    dims: tuple[int, ...]

    def order(self, rank: int) -> tuple[int, ...]:
        order = tuple(axis_of(d, rank, "dims") for d in self.dims)
        every = sorted(order) == list(range(rank))
        require(every, "dims", f"x has axes 0 to {rank - 1}; dims must name each once")
        return order

    def torch(self, x: Operand) -> Code:
        return method(x, "permute", *(Hole(d, f"dim{i}") for i, d in enumerate(self.dims)))

    samples = (
        sample((2, 3, 4), dims=[2, 0, 1], flops=0),
        sample((2, 3, 4, 5), dims=[0, 2, -1, 1]),
        sample((2, 3), dims=[1, 0]),
        sample((2, 3, 4), dims=[0, 1], rejects="dims"),
        sample((2, 3, 4), dims=[0, 1, 1], rejects="dims"),
        sample((2, 3), dims=[0, 2], rejects="dims"),
    )


@register("expand")
class Expand(Op):
    """y = x with axes of size 1 repeated to `sizes`; -1 keeps a size, more sizes put axes in front.

    dx = g summed over the repeated axes.
    Source: torch.Tensor.expand, https://docs.pytorch.org/docs/stable/generated/torch.Tensor.expand.html
    """

    accepts = DTYPES
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
        if n == 1:
            require(at_least(wanted, 1), "sizes", f"{wanted} is no size")
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
        return method(x, "expand", *(Hole(n, f"size{i}") for i, n in enumerate(self.sizes)))

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
        sample(integers((3, 1), 9), sizes=[-1, 2]),
        sample((2, 3), sizes=[4, 3], rejects="sizes"),
        sample((2, 3), sizes=[3], rejects="sizes"),
        sample((2, 3), sizes=[-1, 2, 3], rejects="sizes"),
    )
