"""Rows of a table looked up by number: Embedding."""

from __future__ import annotations

from math import prod
from typing import Any, Literal

from netc.dims import AnyDim, Shape, at_least
from netc.ops.arrays import np
from netc.ops.code import Code, Hole, Keyword, call
from netc.ops.contract import (
    INTEGERS,
    Array,
    Draw,
    Graph,
    Init,
    Op,
    Operand,
    Parameter,
    Sample,
    given,
    integers,
    register,
    require,
    sample,
)
from netc.ops.notation import equal, expand, function, where


def looked_up(x: Draw, rows: int, width: int, padding_idx: int | None = None) -> Sample:
    """A sample in float64."""
    table: dict[str, Any] = {"num_embeddings": rows, "embedding_dim": width, "padding_idx": padding_idx}
    return sample(x, to="float64", **table)


def refused(rejects: str, **attributes: Any) -> Sample:
    """A sample that netc refuses and torch does not, or not by an error."""
    return sample(integers((2, 3), 4), rejects=rejects, without=("torch",), **attributes)


@register("Embedding")
class Embedding(Op):
    """y[..., :] = weight[x[...], :].

    The weight [num_embeddings, embedding_dim] starts normal. The row `padding_idx`, which counts from the end
    where it is negative, starts at zero and gets no gradient. Indices count from 0: PyTorch refuses those out
    of range when it runs, and so does ONNX but for negative ones, which it counts from the end.
    Shape: x [...], of int64 or int32 -> y [..., embedding_dim], of the dtype `to`.
    Gradient: dweight[i] = sum of g where x = i.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Embedding.html
    """

    num_embeddings: int
    embedding_dim: AnyDim
    padding_idx: int | None = None
    to: Literal["float32", "float64"] = "float32"

    accepts = INTEGERS
    short = "embed"
    analytic = True

    def shape(self, x: Shape, *params: Shape) -> Shape:
        for name, size in (("num_embeddings", self.num_embeddings), ("embedding_dim", self.embedding_dim)):
            require(at_least(size, 1), name, f"{name} must be at least 1, not {size}")
        rows = self.num_embeddings
        require(
            self.padding_idx is None or -rows <= self.padding_idx < rows,
            "padding_idx",
            f"there are {rows} rows, so there is no row {self.padding_idx}",
        )
        return (*x, self.embedding_dim)

    def dtype(self, x: str) -> str:
        super().dtype(x)
        return self.to

    def below(self, x: Shape) -> tuple[AnyDim | None, ...]:
        return (self.num_embeddings,)

    def params(self, x: Shape, *params: Shape) -> dict[str, Parameter]:
        start = Init("normal", 0.0, 1.0, zero_row=self.padding_idx)
        return {"weight": Parameter((self.num_embeddings, self.embedding_dim), start, dtype=self.to)}

    def forward(self, x: Array, weight: Array) -> Array:
        if (x < 0).any():
            raise IndexError("an index of an Embedding is negative")
        return weight[x]

    def constants(self, x: Array, weight: Array) -> tuple[Array | None, ...]:
        """The row that stays."""
        if self.padding_idx is None:
            return ()
        stays = np.zeros(weight.shape, bool)
        stays[self.padding_idx] = True
        return None, stays

    def vjp(self, g: Array, y: Array, x: Array, weight: Array) -> tuple[None, Array]:
        rows, width = prod(x.shape), weight.shape[1]
        index, flat = x.reshape((rows, 1)), g.reshape((rows, width))
        if self.padding_idx is not None:
            flat = where(equal(index, self.padding_idx % self.num_embeddings), 0.0, flat)
        index = expand(function("cast", index, to="int64"), (rows, width))
        nothing = function("full_like", weight, fill_value=0.0)
        return None, function("scatter_add", nothing, index, flat, axis=0)

    def flops(self, y: Shape, x: Shape, *params: Shape) -> Any:
        return 0

    def module(self, x: Shape, *params: Shape) -> Code:
        return call(
            "nn.Embedding",
            Hole(self.num_embeddings, "num_embeddings"),
            Hole(self.embedding_dim, "embedding_dim"),
            Keyword("padding_idx", self.padding_idx, None),
        )

    def torch(self, x: Operand, weight: Operand) -> Code:
        return call("F.embedding", x, weight, Keyword("padding_idx", self.padding_idx, None))

    def onnx(self, graph: Graph, x: Operand, weight: Operand) -> Any:
        return graph.node("Gather", weight, x, axis=0)

    # the gradient is compared in float64; that of the padding row is left out, so slopes differ where it is met
    samples = (
        sample(integers((4, 5), 7), num_embeddings=7, embedding_dim=3, flops=0, without=("gradient",)),
        sample(integers((2, 3), 4, "int32"), num_embeddings=4, embedding_dim=2, without=("gradient",)),
        looked_up(integers((4, 5), 7), 7, 3),
        looked_up(integers((6,), 3), 5, 2, padding_idx=1),
        looked_up(integers((2, 3, 2), 4), 4, 1, padding_idx=-1),
        looked_up(integers((2, 3), 4, "int32"), 4, 2, padding_idx=0),
        looked_up(integers((), 3), 3, 4),
        looked_up(integers((5,), 1), 1, 3),
        looked_up(integers((1, 2), 5), 6, 5, padding_idx=-1),
        looked_up(given(2, 2, 2, 0, dtype="int64"), 3, 2),
        looked_up(integers((3, 1, 2), 8, "int32"), 8, 1),
        sample(integers((2, 3), 4), num_embeddings=0, embedding_dim=2, rejects="num_embeddings"),
        refused(num_embeddings=4, embedding_dim=0, rejects="embedding_dim"),  # torch makes nothing
        refused(num_embeddings=4, embedding_dim=2, padding_idx=4, rejects="padding_idx"),  # it asserts
        refused(num_embeddings=4, embedding_dim=2, padding_idx=-5, rejects="padding_idx"),
        sample((2, 3), num_embeddings=4, embedding_dim=2, rejects="x"),
    )
