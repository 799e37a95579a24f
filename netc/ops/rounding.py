"""Functions of each element that are constant between jumps: sign, floor, ceil, round."""

from __future__ import annotations

from math import inf, nan
from typing import Any, ClassVar

from netc.ops.arrays import np
from netc.ops.contract import FLOATS, INTEGERS, Array, Graph, Operand, given, integers, register, sample
from netc.ops.elementwise import ANYWHERE, WHOLE
from netc.ops.function import Function


class Stairs(Function):
    """What these share; they have no gradient, which is 0 wherever it exists."""

    differentiable: ClassVar[bool] = False

    def branch(self, x: Array) -> Array:
        return np.nan_to_num(np.clip(self.forward(x), -1e18, 1e18)).astype("int64")


@register("sign")
class Sign(Stairs):
    """y = 1 where x > 0, -1 where x < 0, else 0.

    It is 0 where x is NaN, as in torch; ONNX's Sign gives NaN there.
    Shape: x -> y of the same shape.
    Gradient: none; it is 0 on both sides of the jump.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.sign.html
    """

    accepts = (*FLOATS, *INTEGERS)

    def forward(self, x: Array) -> Array:
        return np.subtract(x > 0, x < 0, dtype="int8").astype(x.dtype)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        sign = graph.node("Sign", x)
        if x.dtype in INTEGERS:
            return sign
        return graph.node("Where", graph.node("IsNaN", x), graph.constant(0.0, x.dtype), sign)

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=15),
        sample(given(-1.5, -0.0, 0.0, 1e-30)),
        sample(given(-inf, nan, inf)),
        sample(given((-3, 0), (4, 5), dtype="int64")),
        sample(integers((2, 3), 3, "int32")),
        sample(given(True, False, dtype="bool"), rejects="x", without=("torch",)),  # torch takes bools
        sample((2, 3), axis=1, rejects="axis"),
    )


EDGES = (
    sample(given(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5)),
    sample(given(-3.0, -0.0, 0.0, 7.0)),
    sample(given(-inf, nan, inf)),
    sample((2, 3), decimals=1, rejects="decimals"),
    WHOLE,
)


@register("floor")
class Floor(Stairs):
    """y = the greatest whole number that is at most x.

    Shape: x -> y of the same shape.
    Gradient: none; it is 0 between the jumps.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.floor.html
    """

    onnx_name = "Floor"

    def forward(self, x: Array) -> Array:
        return np.floor(x)

    samples = (*ANYWHERE, sample((3, 5), flops=15), *EDGES)


@register("ceil")
class Ceil(Stairs):
    """y = the least whole number that is at least x.

    Shape: x -> y of the same shape.
    Gradient: none; it is 0 between the jumps.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.ceil.html
    """

    onnx_name = "Ceil"

    def forward(self, x: Array) -> Array:
        return np.ceil(x)

    samples = (*ANYWHERE, sample((3, 5), flops=15), *EDGES)


@register("round")
class Round(Stairs):
    """y = the whole number nearest to x; of two the even one: 0.5 gives 0, 1.5 and 2.5 give 2.

    Shape: x -> y of the same shape.
    Gradient: none; it is 0 between the jumps.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.round.html
    """

    onnx_name = "Round"

    def forward(self, x: Array) -> Array:
        return np.round(x)

    samples = (*ANYWHERE, sample((3, 5), flops=15), *EDGES)
