"""Functions of each element: negation, exponential, logarithm, square root, absolute value, erf, casts."""

from __future__ import annotations

import math
from functools import cache
from math import pi, prod
from typing import Any, ClassVar, Literal

from netc.dims import Shape
from netc.ops.arrays import np
from netc.ops.code import Code, call, method
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
    uniform,
)
from netc.ops.notation import cast, exp, where
from netc.ops.window import require_float32


@cache
def _erf() -> Any:
    """math.erf for arrays, in float64."""
    return np.frompyfunc(math.erf, 1, 1)


class Function(Op):
    """What holds of a function of each element, spelled alike in torch and in lower case."""

    onnx_name: ClassVar[str]

    def shape(self, x: Shape) -> Shape:
        return x

    def flops(self, y: Shape, x: Shape) -> Any:
        return prod(x)

    def torch(self, x: Operand) -> Code:
        return call(f"torch.{self.name}", x)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node(self.onnx_name, x)


@register("neg")
class Neg(Function):
    """y = -x; dx = -g.

    Source: torch.neg, https://docs.pytorch.org/docs/stable/generated/torch.neg.html
    """

    operator = "-x"
    accepts = (*FLOATS, *INTEGERS)
    onnx_name = "Neg"
    analytic = True

    def forward(self, x: Array) -> Array:
        return -x

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (-g,)

    def torch(self, x: Operand) -> Code:
        return Code(("-", x), infix=True)

    samples = (
        sample((3, 5), flops=15),
        sample(()),
        sample(integers((2, 3), 9)),
        sample(given(True, False, dtype="bool"), rejects="x"),
    )


@register("exp")
class Exp(Function):
    """y = e^x; dx = g y.

    Source: torch.exp, https://docs.pytorch.org/docs/stable/generated/torch.exp.html
    """

    onnx_name = "Exp"
    analytic = True

    def forward(self, x: Array) -> Array:
        return np.exp(x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g * y,)

    samples = (
        sample((3, 5), flops=15),
        sample((2, 3, 4)),
        sample(given(-200.0, 0.0, 5.0)),
        sample(integers((2, 3), 9), rejects="x", without=("torch",)),  # torch makes floats of them
    )


@register("log")
class Log(Function):
    """y = ln x; dx = g / x.

    Source: torch.log, https://docs.pytorch.org/docs/stable/generated/torch.log.html
    """

    onnx_name = "Log"
    analytic = True

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if (
            graph.made_by(x) == "Sigmoid"
        ):  # which onnxruntime rounds to 0 below -18: log sigmoid(z) = -softplus(-z)
            (z,) = graph.made_from(x)
            return graph.node("Neg", graph.node("Softplus", graph.node("Neg", z)))
        return graph.node("Log", x)

    def forward(self, x: Array) -> Array:
        return np.log(x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g / x,)

    samples = (
        sample(uniform((3, 5), 0.5, 2.0), flops=15),
        sample(uniform((2, 3, 4), 0.1, 20.0)),
        sample(given(0.0, 1.0, -1.0), without=("numeric gradient",)),  # not finite
        sample(integers((2, 3), 9), rejects="x", without=("torch",)),  # torch makes floats of them
    )


@register("sqrt")
class Sqrt(Function):
    """y = square root of x; dx = g / (2 y), which is infinite at 0.

    Source: torch.sqrt, https://docs.pytorch.org/docs/stable/generated/torch.sqrt.html
    """

    onnx_name = "Sqrt"
    analytic = True

    def forward(self, x: Array) -> Array:
        return np.sqrt(x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g / (2 * y),)

    samples = (
        sample(uniform((3, 5), 0.5, 2.0), flops=15),
        sample(uniform((2, 3, 4), 0.1, 20.0)),
        sample(given(0.0, 1.0, 4.0), without=("numeric gradient",)),  # not finite
        sample(integers((2, 3), 9), rejects="x", without=("torch",)),  # torch makes floats of them
    )


@register("abs")
class Abs(Function):
    """y = |x|; dx = g where x > 0, -g where x < 0, 0 where x is 0.

    Source: torch.abs, https://docs.pytorch.org/docs/stable/generated/torch.abs.html
    """

    accepts = (*FLOATS, *INTEGERS)
    onnx_name = "Abs"

    def forward(self, x: Array) -> Array:
        return np.abs(x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (where(x > 0, g, where(x < 0, -g, 0.0)),)

    def branch(self, x: Array) -> Array:
        return np.sign(x).astype("int8")

    samples = (
        sample((3, 5), flops=15),
        sample(given(-1.5, 0.0, 2.5)),
        sample(given(-3, 0, 4, dtype="int64")),
        sample(given(True, False, dtype="bool"), rejects="x"),
    )


@register("erf")
class Erf(Function):
    """y = 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x; dx = g 2 / sqrt(pi) exp(-x^2).

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.1.
    """

    def forward(self, x: Array) -> Array:
        return np.asarray(_erf()(x)).astype(x.dtype)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g * (2 / math.sqrt(pi)) * exp(-x * x),)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        require_float32("Erf", x)
        return graph.node("Erf", x)

    samples = (
        sample((3, 5), flops=15),
        sample((2, 3, 4)),
        sample(given(-6.0, 0.0, 6.0)),
        sample(integers((2, 3), 9), rejects="x", without=("torch",)),  # torch makes floats of them
    )


@register("cast")
class Cast(Function):
    """y = x in another dtype, true being 1; dx = g in the dtype of x, none for whole numbers.

    Floats cannot become whole numbers, since what is out of range then differs from machine to machine.
    Source: ONNX Cast, https://onnx.ai/onnx/operators/onnx__Cast.html
    """

    accepts = DTYPES
    to: Literal["float32", "float64", "int64", "int32"]

    def dtype(self, x: str) -> str:
        narrows = (x in FLOATS and self.to in INTEGERS) or (x, self.to) == ("int64", "int32")
        require(not narrows, "to", f"x is {x}, which may not fit in {self.to}")
        return self.to

    def forward(self, x: Array) -> Array:
        return np.asarray(x).astype(self.to)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array | None]:
        return (cast(g, x) if str(x.dtype) in FLOATS else None,)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        return method(x, "to", f"torch.{self.to}")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return cast_node(graph, x, self.to)

    samples = (
        sample((3, 5), to="float64", flops=0, without=("numeric gradient",)),
        sample(integers((2, 3), 9), to="float32"),
        sample(given(True, False, dtype="bool"), to="int64"),
        sample(integers((2, 3), 9, "int32"), to="int64"),
        sample((2, 3), to="int64", rejects="to", without=("torch",)),  # torch truncates
        sample(integers((2, 3), 9), to="int32", rejects="to", without=("torch",)),  # torch wraps
        sample((2, 3), to="float16", rejects="to", without=("torch",)),  # netc has no such dtype
    )


ONNX_TYPES = {"float32": 1, "int32": 6, "int64": 7, "bool": 9, "float64": 11}


def cast_node(graph: Graph, x: str, dtype: str) -> Any:
    """x cast to `dtype`; the numbers are those of onnx.TensorProto."""
    return graph.node("Cast", x, to=ONNX_TYPES[dtype])
