"""Functions of each element: negation, exponential, logarithm, sine and cosine, absolute value, erf, casts."""

from __future__ import annotations

import math
from functools import cache
from math import inf, nan, pi
from typing import Any, ClassVar, Literal

from netc.ops.activation_exponential import softplus_node
from netc.ops.arrays import magnitude, np
from netc.ops.code import Code, call, method
from netc.ops.contract import (
    DTYPES,
    FLOATS,
    INTEGERS,
    Array,
    Graph,
    Operand,
    given,
    integers,
    register,
    require,
    sample,
    uniform,
)
from netc.ops.elementwise import ANYWHERE, POSITIVE, WHOLE, Elementwise
from netc.ops.notation import cast, exp, function, where
from netc.ops.window import require_float32


class Function(Elementwise):
    """What holds of a function of each element, spelled alike in torch and in lower case."""

    onnx_name: ClassVar[str]

    def torch(self, x: Operand) -> Code:
        return call(f"torch.{self.name}", x)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return graph.node(self.onnx_name, x)


@register("neg")
class Neg(Function):
    """y = -x.

    Shape: x -> y of the same shape.
    Gradient: dx = -g.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.neg.html
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
        *ANYWHERE,
        sample((3, 5), flops=15),
        sample(integers((2, 3), 9)),
        sample(integers((2, 3), 9, "int32")),
        sample(given(True, False, dtype="bool"), rejects="x"),
        sample((2, 3), axis=1, rejects="axis"),
    )


@register("exp")
class Exp(Function):
    """y = e^x.

    Shape: x -> y of the same shape.
    Gradient: dx = g y.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.exp.html
    """

    onnx_name = "Exp"
    analytic = True

    def forward(self, x: Array) -> Array:
        return np.exp(x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g * y,)

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=15),
        sample(given(-200.0, 0.0, 5.0)),
        sample(given(-inf, nan, inf), without=("gradient",)),  # not finite
        sample((2, 3), axis=1, rejects="axis"),
        WHOLE,
    )


@register("log")
class Log(Function):
    """y = ln x.

    It is -inf at 0 and NaN below. The ONNX target writes log(sigmoid(z)) as -softplus(-z).
    Shape: x -> y of the same shape.
    Gradient: dx = g / x.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.log.html
    """

    onnx_name = "Log"
    analytic = True

    def forward(self, x: Array) -> Array:
        return np.log(x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g / x,)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        if graph.made_by(x) == "Sigmoid":  # which onnxruntime rounds to 0 below -18
            (z,) = graph.made_from(x)
            return graph.node("Neg", softplus_node(graph, graph.node("Neg", z), x.dtype))
        return graph.node("Log", x)

    samples = (
        *POSITIVE,
        sample(uniform((3, 5), 0.5, 2.0), flops=15),
        sample(uniform((4, 5), 1e-3, 1.0)),
        sample(uniform((2, 2, 2), 100.0, 1e6)),
        sample(given(0.0, 1.0, -1.0), without=("numeric gradient",)),  # not finite
        sample(given(inf, nan), without=("gradient",)),  # not finite
        sample((2, 3), base=2.0, rejects="base"),
        WHOLE,
    )


@register("sin")
class Sin(Function):
    """y = sin x, x in radians.

    Shape: x -> y of the same shape.
    Gradient: dx = g cos x.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.sin.html
    """

    onnx_name = "Sin"
    analytic = True

    def forward(self, x: Array) -> Array:
        return np.sin(x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g * function("cos", x),)

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=15),
        sample(given(-100.0, 0.0, 1.5707964, 100.0)),
        sample(given(-inf, nan, inf), without=("gradient",)),  # not finite
        sample((2, 3), axis=1, rejects="axis"),
        WHOLE,
    )


@register("cos")
class Cos(Function):
    """y = cos x, x in radians.

    Shape: x -> y of the same shape.
    Gradient: dx = -g sin x.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.cos.html
    """

    onnx_name = "Cos"
    analytic = True

    def forward(self, x: Array) -> Array:
        return np.cos(x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (-g * function("sin", x),)

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=15),
        sample(given(-100.0, 0.0, 3.1415927, 100.0)),
        sample(given(-inf, nan, inf), without=("gradient",)),  # not finite
        sample((2, 3), axis=1, rejects="axis"),
        WHOLE,
    )


@register("abs")
class Abs(Function):
    """y = |x|.

    Shape: x -> y of the same shape.
    Gradient: dx = g where x > 0, -g where x < 0, 0 where x is 0.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.abs.html
    """

    analytic = True
    accepts = (*FLOATS, *INTEGERS)
    onnx_name = "Abs"

    def forward(self, x: Array) -> Array:
        return magnitude(x)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (where(x > 0, g, where(x < 0, -g, 0.0)),)

    def branch(self, x: Array) -> Array:
        return np.subtract(x > 0, x < 0, dtype="int8")

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=15),
        sample(given(-1.5, 0.0, 2.5), without=("analytic",)),  # a kink
        sample(given(-inf, nan, inf), without=("gradient",)),  # not finite
        sample(given(-3, 0, 4, dtype="int64")),
        sample(given((-3, 0), (4, 5), dtype="int32")),
        sample(given(True, False, dtype="bool"), rejects="x"),
        sample((2, 3), axis=1, rejects="axis"),
    )


@register("erf")
class Erf(Function):
    """y = 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.

    Shape: x -> y of the same shape.
    Gradient: dx = g 2 / sqrt(pi) exp(-x^2).
    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.1.
    """

    analytic = True

    def forward(self, x: Array) -> Array:
        if x.dtype.kind == "c":
            return _complex_erf(x)
        return np.asarray(_erf()(x)).astype(x.dtype)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (g * (2 / math.sqrt(pi)) * exp(-x * x),)

    def onnx(self, graph: Graph, x: Operand) -> Any:
        require_float32("Erf", x)
        return graph.node("Erf", x)

    samples = (
        *ANYWHERE,
        sample((3, 5), flops=15),
        sample(given(-7.0, 0.0, 5.5)),
        sample(given(-30.0, 1e-20, 30.0)),
        sample((2, 3), axis=1, rejects="axis"),
        WHOLE,
    )


@cache
def _erf() -> Any:
    """math.erf for arrays, in float64."""
    return np.frompyfunc(math.erf, 1, 1)


def _complex_erf(z: Array) -> Array:
    """erf next to the real axis: erf(x), and the integral from x along a step so short that exp(-t^2) is the same on it."""
    x = np.asarray(z).real
    return (
        np.asarray(_erf()(x)).astype(x.dtype) + np.exp(-x * x) * (2 / math.sqrt(pi)) * 1j * np.asarray(z).imag
    )


@register("cast")
class Cast(Function):
    """y = x in another dtype, true being 1.

    Floats cannot become whole numbers, since what is out of range then differs from machine to machine.
    Shape: x -> y of the same shape.
    Gradient: dx = g in the dtype of x; none for whole numbers.
    Source: https://onnx.ai/onnx/operators/onnx__Cast.html
    """

    elements_of = ("x",)
    accepts = DTYPES
    analytic = True
    cost = 0
    to: Literal["float32", "float64", "int64", "int32"]

    def dtype(self, x: str) -> str:
        narrows = (x in FLOATS and self.to in INTEGERS) or (x, self.to) == ("int64", "int32")
        require(not narrows, "to", f"x is {x}, which may not fit in {self.to}")
        return self.to

    def forward(self, x: Array) -> Array:
        array = np.asarray(x)
        if np.iscomplexobj(array):
            return array if self.to in FLOATS else array.real.astype(self.to)
        return array.astype(self.to)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array | None]:
        return (cast(g, x) if str(x.dtype) in FLOATS else None,)

    def torch(self, x: Operand) -> Code:
        return method(x, "to", f"torch.{self.to}")

    def onnx(self, graph: Graph, x: Operand) -> Any:
        return cast_node(graph, x, self.to)

    samples = (
        sample((3, 5), to="float64", flops=0, without=("numeric gradient",)),
        sample((2, 3, 4), to="float32", without=("numeric gradient",)),
        sample((), to="float32", without=("numeric gradient",)),
        sample(integers((2, 3), 9), to="float32"),
        sample(integers((), 9), to="float64"),
        sample(integers((1, 3), 9, "int32"), to="float32"),
        sample(given(True, False, dtype="bool"), to="int64"),
        sample(given((True,), (False,), dtype="bool"), to="float32"),
        sample(given(True, dtype="bool"), to="int32"),
        sample(integers((2, 3), 9, "int32"), to="int64"),
        sample(integers((2, 3), 9), to="int64"),
        sample((2, 3), to="int64", rejects="to", without=("torch",)),  # torch truncates
        sample(integers((2, 3), 9), to="int32", rejects="to", without=("torch",)),  # torch wraps
        sample((2, 3), to="float16", rejects="to", without=("torch",)),  # netc has no such dtype
        sample((2, 3), rejects="to"),
    )


ONNX_TYPES = {"float32": 1, "int32": 6, "int64": 7, "bool": 9, "float64": 11}


def cast_node(graph: Graph, x: str, dtype: str) -> Any:
    """x cast to `dtype`; the numbers are those of onnx.TensorProto."""
    if isinstance(x, Operand) and x.dtype == dtype:
        return x
    return graph.node("Cast", x, to=ONNX_TYPES[dtype])
