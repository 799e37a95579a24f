"""Arithmetic on elements: + - * / **, maximum and minimum, by numpy's broadcasting."""

from __future__ import annotations

import re
from math import prod
from typing import Any, ClassVar

from netc.dims import AnyDim, Shape, decide, same, show
from netc.ops.arrays import np
from netc.ops.code import Code, call, infix, method
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
    uniform,
)
from netc.ops.notation import equal, log, unbroadcast, where

NUMBERS = (*FLOATS, *INTEGERS)


def broadcast(a: Shape, b: Shape, at: str = "b", names: tuple[str, str] = ("a", "b")) -> Shape:
    """The shape of an elementwise operation on a and b: aligned at the last axis, 1 stretches."""
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    extra = len(longer) - len(shorter)
    out = list(longer[:extra])
    for n, m in zip(longer[extra:], shorter, strict=True):
        both = _stretch(n, m)
        require(both is not None, at, f"{names[0]} is {show(a)} and {names[1]} is {show(b)}: {n} is not {m}")
        out.append(n if both is None else both)
    return tuple(out)


def _stretch(n: AnyDim, m: AnyDim) -> AnyDim | None:
    """What axes of n and m give together; None where they do not fit."""
    if n == 1 or m == 1:
        return m if n == 1 else n
    if same(n, m):
        return n
    if decide("zero", n - 1):
        return m
    return n if decide("zero", m - 1) else None


def is_number(x: Operand) -> bool:
    """Whether an emitter wrote a literal, which has no methods."""
    return re.match(r"\(*[-+]?[0-9.]", x) is not None


class Binary(Op):
    """What holds of a function of pairs of elements."""

    operands = ("a", "b")
    accepts: ClassVar[tuple[str, ...]] = NUMBERS
    onnx_name: ClassVar[str]

    def shape(self, a: Shape, b: Shape) -> Shape:
        return broadcast(a, b)

    def flops(self, y: Shape, a: Shape, b: Shape) -> Any:
        return prod(y)

    def onnx(self, graph: Graph, a: Operand, b: Operand) -> Any:
        return graph.node(self.onnx_name, a, b)


@register("add")
class Add(Binary):
    """y = a + b; da = g, db = g, each summed over the axes along which it was broadcast.

    Source: numpy's broadcasting rule, https://numpy.org/doc/stable/user/basics.broadcasting.html
    """

    operator = "+"
    onnx_name = "Add"
    analytic = True

    def forward(self, a: Array, b: Array) -> Array:
        return a + b

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        return unbroadcast(g, a.shape), unbroadcast(g, b.shape)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "+", b)

    samples = (
        sample((2, 3, 4), (2, 3, 4), flops=24),
        sample((2, 3, 4), (3, 1), flops=24),
        sample((4, 1), (2, 1, 3), flops=24),
        sample((2, 3), ()),
        sample(integers((2, 3), 9), integers((3,), 9)),
        sample((2, 3), (3, 2), rejects="b"),
        sample((2, 3), (2,), rejects="b"),
        sample((2, 3), integers((2, 3), 9), rejects="b", without=("torch",)),  # torch promotes
    )


@register("sub")
class Sub(Binary):
    """y = a - b; da = g, db = -g, each summed over the axes along which it was broadcast.

    Source: numpy's broadcasting rule, https://numpy.org/doc/stable/user/basics.broadcasting.html
    """

    operator = "-"
    onnx_name = "Sub"
    analytic = True

    def forward(self, a: Array, b: Array) -> Array:
        return a - b

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        return unbroadcast(g, a.shape), unbroadcast(-g, b.shape)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "-", b)

    samples = (
        sample((2, 3, 4), (2, 3, 4), flops=24),
        sample((3, 1), (2, 3, 4)),
        sample((), (2, 3)),
        sample(integers((2, 3), 9), integers((3,), 9)),
        sample((2, 3), (4,), rejects="b"),
    )


@register("mul")
class Mul(Binary):
    """y = a b; da = g b, db = g a, each summed over the axes along which it was broadcast.

    Source: numpy's broadcasting rule, https://numpy.org/doc/stable/user/basics.broadcasting.html
    """

    operator = "*"
    onnx_name = "Mul"
    analytic = True

    def forward(self, a: Array, b: Array) -> Array:
        return a * b

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        return unbroadcast(g * b, a.shape), unbroadcast(g * a, b.shape)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "*", b)

    samples = (
        sample((2, 3, 4), (2, 3, 4), flops=24),
        sample((2, 3, 4, 5), (2, 3, 1, 1), flops=120),
        sample((2, 3), ()),
        sample(integers((2, 3), 9), integers((3,), 9)),
        sample((2, 3, 4), (2, 4), rejects="b"),
    )


@register("div")
class Div(Binary):
    """y = a / b; da = g / b, db = -g y / b, each summed over the axes along which it was broadcast.

    Whole numbers are refused: torch floors where ONNX truncates.
    Source: numpy's broadcasting rule, https://numpy.org/doc/stable/user/basics.broadcasting.html
    """

    operator = "/"
    onnx_name = "Div"
    analytic = True
    accepts = FLOATS

    def forward(self, a: Array, b: Array) -> Array:
        return a / b

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        return unbroadcast(g / b, a.shape), unbroadcast(-g * y / b, b.shape)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "/", b)

    samples = (
        sample((2, 3, 4), uniform((2, 3, 4), 0.5, 2.0), flops=24),
        sample((2, 3, 4), uniform((3, 1), -2.0, -0.5)),
        sample((2, 3), uniform((), 0.5, 2.0)),
        sample((), uniform((2, 3), 0.5, 2.0)),
        sample((2, 3), (3, 3), rejects="b"),
        # torch divides whole numbers as floats
        sample(integers((2, 3), 9), integers((2, 3), 9), rejects="a", without=("torch",)),
    )


@register("pow")
class Pow(Binary):
    """y = a^b; da = g b a^(b - 1), 0 where b is 0; db = g y log a, 0 where a is 0.

    Whole numbers are refused, since a negative exponent has no whole result.
    Source: torch.pow, https://docs.pytorch.org/docs/stable/generated/torch.pow.html
    """

    operator = "**"
    onnx_name = "Pow"
    analytic = True
    accepts = FLOATS

    def forward(self, a: Array, b: Array) -> Array:
        return a**b

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        da = where(equal(b, 0.0), 0.0, g * b * a ** (b - 1))
        db = where(equal(a, 0.0), 0.0, g * y * log(a))
        return unbroadcast(da, a.shape), unbroadcast(db, b.shape)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "**", b)

    samples = (
        sample(uniform((2, 3, 4), 0.5, 2.0), (2, 3, 4), flops=24),
        sample(uniform((2, 3), 0.5, 2.0), (2, 1)),
        sample(uniform((2, 3), 0.5, 2.0), uniform((), 1.5, 2.5)),
        sample(
            given(0.0, 0.0, 2.0), given(0.0, 2.0, 0.0), without=("numeric gradient", "branch")
        ),  # singular at 0
        sample((2, 3), (2,), rejects="b"),
        # torch takes whole numbers where b >= 0
        sample(integers((2, 3), 9), integers((2, 3), 9), rejects="a", without=("torch",)),
    )


class Extreme(Binary):
    """What maximum and minimum share."""

    def branch(self, a: Array, b: Array) -> Array:
        return np.subtract(a > b, a < b, dtype="int8")

    def _bound(self, bound: str, a: Operand, b: Operand) -> Code:
        """torch's maximum takes no literal; clamp takes one."""
        if is_number(a) or is_number(b):
            x, limit = (b, a) if is_number(a) else (a, b)
            return method(x, "clamp", f"{bound}={limit}")
        return call("torch.maximum" if bound == "min" else "torch.minimum", a, b)


@register("maximum")
class Maximum(Extreme):
    """y = the greater of a and b; g goes to the greater, half to each where they are equal.

    Source: torch.maximum, https://docs.pytorch.org/docs/stable/generated/torch.maximum.html
    """

    onnx_name = "Max"

    def forward(self, a: Array, b: Array) -> Array:
        return np.maximum(a, b)

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        da = where(a > b, g, where(a < b, 0.0, 0.5 * g))
        return unbroadcast(da, a.shape), unbroadcast(g - da, b.shape)

    def torch(self, a: Operand, b: Operand) -> Code:
        return self._bound("min", a, b)

    samples = (
        sample((2, 3, 4), (2, 3, 4), flops=24),
        sample((2, 3, 4), (3, 1)),
        sample((2, 3), ()),
        sample(given(1.0, 2.0, 3.0), given(1.0, 3.0, 2.0), without=("numeric gradient",)),  # a kink at ties
        sample(integers((2, 3), 9), integers((3,), 9)),
        sample((2, 3), (2,), rejects="b"),
    )


@register("minimum")
class Minimum(Extreme):
    """y = the lesser of a and b; g goes to the lesser, half to each where they are equal.

    Source: torch.minimum, https://docs.pytorch.org/docs/stable/generated/torch.minimum.html
    """

    onnx_name = "Min"

    def forward(self, a: Array, b: Array) -> Array:
        return np.minimum(a, b)

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        da = where(a < b, g, where(a > b, 0.0, 0.5 * g))
        return unbroadcast(da, a.shape), unbroadcast(g - da, b.shape)

    def torch(self, a: Operand, b: Operand) -> Code:
        return self._bound("max", a, b)

    samples = (
        sample((2, 3, 4), (2, 3, 4), flops=24),
        sample((3, 1), (2, 3, 4)),
        sample((), (2, 3)),
        sample(given(1.0, 2.0, 3.0), given(1.0, 3.0, 2.0), without=("numeric gradient",)),  # a kink at ties
        sample(integers((2, 3), 9), integers((3,), 9)),
        sample((2, 3), (4, 3), rejects="b"),
    )
