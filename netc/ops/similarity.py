"""Likeness of vectors: cosine_similarity."""

from __future__ import annotations

from math import prod
from typing import Any

from netc.dims import Shape, show
from netc.ops.arrays import np
from netc.ops.attributes import axis_of
from netc.ops.code import Code, Keyword, call
from netc.ops.contract import Array, Draw, Graph, Op, Operand, given, integers, register, require, sample
from netc.ops.loss_classes import alike
from netc.ops.notation import maximum, sqrt, where


@register("cosine_similarity")
class CosineSimilarity(Op):
    """y = sum a b / (max(|a|, eps) max(|b|, eps)) along `axis`: the cosine of the angle between a and b.

    |a| is the length sqrt(sum a^2). Nothing is broadcast. A vector of zeros gives 0.
    Shape: a and b of one shape -> that shape without `axis`.
    Gradient: da = g (b / |b| - y a / |a|) / |a|, db likewise, where both are longer than eps.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.CosineSimilarity.html
    """

    analytic = True
    operands = ("a", "b")
    aliases = ("CosineSimilarity",)
    axis: int = 1
    eps: float = 1e-8

    def shape(self, a: Shape, b: Shape) -> Shape:
        axis = axis_of(self.axis, len(a), operand="a")
        require(alike(a, b), "b", f"b is {show(b)}, but a is {show(a)}")
        require(0 < self.eps < 1, "eps", f"eps is {self.eps}, but is a small number above 0 such as 1e-8")
        return (*a[:axis], *a[axis + 1 :])

    def _unit(self, a: Array) -> tuple[Array, Array]:
        """A vector over its length, and the length; eps for one that is shorter."""
        length = maximum(sqrt((a * a).sum(self.axis, keepdims=True)), self.eps)
        return a / length, length

    def forward(self, a: Array, b: Array) -> Array:
        return (self._unit(a)[0] * self._unit(b)[0]).sum(self.axis)

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        (u, a_length), (v, b_length) = self._unit(a), self._unit(b)
        cosine = (u * v).sum(self.axis, keepdims=True)
        g = g.reshape(cosine.shape)
        along_a = where(a_length > self.eps, cosine, 0.0) * u  # a length that stays eps has no slope
        along_b = where(b_length > self.eps, cosine, 0.0) * v
        return g * (v - along_a) / a_length, g * (u - along_b) / b_length

    def branch(self, a: Array, b: Array) -> Array:
        return np.stack([self._unit(x)[1] > self.eps for x in (a, b)])

    def flops(self, y: Shape, *operands: Shape) -> Any:
        return 8 * prod(operands[0]) + 2 * prod(y)

    def torch(self, a: Operand, b: Operand) -> Code:
        return call("F.cosine_similarity", a, b, Keyword("dim", self.axis, 1), Keyword("eps", self.eps, 1e-8))

    def onnx(self, graph: Graph, a: Operand, b: Operand) -> Any:
        axis = axis_of(self.axis, len(a.shape))

        def unit(x: str) -> Any:
            squares = graph.reduce("ReduceSum", graph.node("Mul", x, x), (axis,), True)
            length = graph.node("Max", graph.node("Sqrt", squares), graph.constant(self.eps, a.dtype))
            return graph.node("Div", x, length)

        return graph.reduce("ReduceSum", graph.node("Mul", unit(a), unit(b)), (axis,), False)

    samples = (
        sample((3, 4), (3, 4), flops=102),
        sample((2, 3, 4), (2, 3, 4)),
        sample((2, 3, 4), (2, 3, 4), axis=-1),
        sample((2, 3, 4), (2, 3, 4), axis=0),
        sample((5,), (5,), axis=0),
        sample((3, 1), (3, 1), without=("branch",)),  # from -1 to 1 within 2 eps: as steep as a jump
        sample(
            given((0.6, 0.1), (-0.52, 0.1), (0.1, 0.7)), given((1.0, 2.0), (0.6, 0.0), (0.0, -0.6)), eps=0.5
        ),
        sample((1, 4), (1, 4), axis=-1),
        sample((2, 3, 1, 2), (2, 3, 1, 2), axis=-3),
        sample((3, 4), (3, 4), eps=0.1),
        sample((3, 2), (3, 2), eps=0.9, without=("gradient",)),  # torch's slope of a short vector is another
        sample(Draw((3, 4), dtype="float64"), Draw((3, 4), dtype="float64")),
        sample(given((3.0, 4.0), (1.0, 0.0)), given((4.0, 3.0), (-2.0, 0.0))),
        sample(given((0.0, 0.0)), given((4.0, 3.0)), without=("gradient", "branch")),  # no direction
        sample((3, 4), (3, 1), rejects="b", without=("torch",)),  # torch broadcasts
        sample((3, 4), (4,), rejects="b", without=("torch",)),  # the same
        sample((3, 4), (3, 4), axis=2, rejects="axis"),
        sample((4,), (4,), rejects="axis"),
        sample((3, 4), (3, 4), eps=0.0, rejects="eps", without=("torch",)),  # torch takes it
        sample((3, 4), integers((3, 4), 5), rejects="b", without=("torch",)),  # torch promotes
        sample(integers((3, 4), 5), (3, 4), rejects="a", without=("torch",)),  # the same
    )
