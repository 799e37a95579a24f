"""Arithmetic on elements, + - * / **, by numpy's broadcasting."""

from __future__ import annotations

import re
from math import prod
from typing import Any, ClassVar

from netc.dims import AnyDim, Shape, decide, same, show
from netc.ops.code import Code, infix
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
from netc.ops.index_range import IndexRange, Known, apart
from netc.ops.notation import equal, function, log, unbroadcast, where

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


PAIRS = (
    sample((2, 3, 4), (2, 3, 4)),
    sample((2, 3, 4), (3, 1)),
    sample((4, 1), (2, 1, 3)),
    sample((2, 3), ()),
    sample((), (2, 3)),
    sample((), ()),
    sample((7,), (1,)),
    sample((2, 1, 3, 2), (1, 4, 1, 2)),
)
WHOLE_PAIRS = (
    sample(integers((2, 3), 9), integers((3,), 9)),
    sample(integers((2, 1), 9, "int32"), integers((2, 3), 9, "int32")),
)
UNLIKE = (
    sample((2, 3), (3, 2), rejects="b"),
    sample((2, 3), (2,), rejects="b"),
    sample((2, 3, 4), (2, 4), rejects="b"),
    sample((2, 3), (2, 3), axis=1, rejects="axis"),
    sample((2, 3), integers((2, 3), 9), rejects="b", without=("torch",)),  # torch promotes
)


class Binary(Op):
    """What holds of a function of pairs of elements."""

    operands = ("a", "b")
    accepts: ClassVar[tuple[str, ...]] = NUMBERS
    numbers = True
    onnx_name: ClassVar[str]

    def shape(self, a: Shape, b: Shape) -> Shape:
        return broadcast(a, b)

    def flops(self, y: Shape, a: Shape, b: Shape) -> Any:
        return prod(y)

    def onnx(self, graph: Graph, a: Operand, b: Operand) -> Any:
        return graph.node(self.onnx_name, a, b)


@register("add")
class Add(Binary):
    """y = a + b.

    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: da = g, db = g, each summed over the axes along which it was broadcast.
    Source: numpy's broadcasting rule, https://numpy.org/doc/stable/user/basics.broadcasting.html
    """

    operator = "+"
    onnx_name = "Add"
    analytic = True

    def index_range(self, known: Known, a: Shape, b: Shape) -> IndexRange | None:
        of_a, of_b = known
        if of_a is None or of_b is None or not apart(a, b):
            return None
        rises = of_a.ramp and of_b.ramp and not (a and b)
        return IndexRange(of_a.below + of_b.below - 1, ramp=rises, each=of_a.each and of_b.each)

    def forward(self, a: Array, b: Array) -> Array:
        return a + b

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        return unbroadcast(g, a.shape), unbroadcast(g, b.shape)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "+", b)

    samples = (
        sample((2, 3, 5), (2, 3, 5), flops=30),
        sample((2, 3, 5), (3, 1), flops=30),
        *PAIRS,
        *WHOLE_PAIRS,
        *UNLIKE,
        sample(
            given(True, dtype="bool"), given(True, dtype="bool"), rejects="a", without=("torch",)
        ),  # an or
    )


@register("sub")
class Sub(Binary):
    """y = a - b.

    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: da = g, db = -g, each summed over the axes along which it was broadcast.
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
        sample((2, 3, 5), (2, 3, 5), flops=30),
        *PAIRS,
        *WHOLE_PAIRS,
        *UNLIKE,
        sample(given(True, dtype="bool"), given(True, dtype="bool"), rejects="a"),
    )


@register("mul")
class Mul(Binary):
    """y = a b.

    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: da = g b, db = g a, each summed over the axes along which it was broadcast.
    Source: numpy's broadcasting rule, https://numpy.org/doc/stable/user/basics.broadcasting.html
    """

    operator = "*"
    onnx_name = "Mul"
    analytic = True

    def index_range(self, known: Known, a: Shape, b: Shape) -> IndexRange | None:
        of_a, of_b = known
        if of_a is None or of_b is None or not apart(a, b):
            return None
        return IndexRange((of_a.below - 1) * (of_b.below - 1) + 1, each=of_a.each and of_b.each)

    def forward(self, a: Array, b: Array) -> Array:
        return a * b

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        return unbroadcast(g * b, a.shape), unbroadcast(g * a, b.shape)

    def selects(self, *numbers: Any) -> int | None:
        return 1 - numbers.index(1) if 1 in numbers else None

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "*", b)

    samples = (
        sample((2, 3, 5), (2, 3, 5), flops=30),
        sample((2, 3, 4, 5), (2, 3, 1, 1), flops=120),
        *PAIRS,
        *WHOLE_PAIRS,
        *UNLIKE,
        sample(
            given(True, dtype="bool"), given(True, dtype="bool"), rejects="a", without=("torch",)
        ),  # an and
    )


@register("div")
class Div(Binary):
    """y = a / b.

    Whole numbers are refused: torch divides them as floats, ONNX truncates. For whole results there is //.
    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: da = g / b, db = -g y / b, each summed over the axes along which it was broadcast.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.div.html
    """

    operator = "/"
    onnx_name = "Div"
    accepts = FLOATS
    analytic = True

    def forward(self, a: Array, b: Array) -> Array:
        return a / b

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        return unbroadcast(g / b, a.shape), unbroadcast(-g * y / b, b.shape)

    def selects(self, *numbers: Any) -> int | None:
        return 0 if numbers[1] == 1 else None

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "/", b)

    samples = (
        sample((2, 3, 4), uniform((2, 3, 4), 0.5, 2.0), flops=24),
        sample((2, 3, 4), uniform((3, 1), -2.0, -0.5)),
        sample((4, 1), uniform((2, 1, 3), 0.5, 2.0)),
        sample((2, 3), uniform((), 0.5, 2.0)),
        sample((), uniform((2, 3), 0.5, 2.0)),
        sample((), uniform((), 1.0, 2.0)),
        sample((7,), uniform((1,), 0.25, 1.0)),
        sample((2, 1, 3, 2), uniform((1, 4, 1, 2), 1.0, 5.0)),
        sample(uniform((3, 1), -50.0, 50.0), uniform((1, 4), 10.0, 50.0)),
        sample(given(1.0, -1.0, 0.0), given(0.0, 0.0, 0.0), without=("gradient",)),  # not finite
        sample((2, 3), (3, 3), rejects="b"),
        sample((2, 3), (2, 3), rounding_mode="floor", rejects="rounding_mode"),
        # torch divides whole numbers as floats
        sample(integers((2, 3), 9), integers((2, 3), 9), rejects="a", without=("torch",)),
    )


@register("pow")
class Pow(Binary):
    """y = a^b.

    0^0 is 1, and a negative number to a fraction is NaN. Whole numbers are refused, since a negative exponent
    has no whole result.
    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: da = g b a^(b - 1), 0 where b is 0; db = g y log a, 0 where a is 0 and b is not negative.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.pow.html
    """

    operator = "**"
    onnx_name = "Pow"
    accepts = FLOATS
    analytic = True

    def forward(self, a: Array, b: Array) -> Array:
        return a**b

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        da = where(equal(b, 0.0), 0.0, g * b * a ** (b - 1))
        still = function("logical_and", equal(a, 0.0), b >= 0)
        return unbroadcast(da, a.shape), unbroadcast(where(still, 0.0, g * y * log(a)), b.shape)

    def selects(self, *numbers: Any) -> int | None:
        return 0 if numbers[1] == 1 else None

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "**", b)

    samples = (
        sample(uniform((2, 3, 4), 0.5, 2.0), (2, 3, 4), flops=24),
        sample(uniform((2, 3), 0.5, 2.0), (2, 1)),
        sample(uniform((4, 1), 0.5, 2.0), (2, 1, 3)),
        sample(uniform((2, 3), 0.5, 2.0), uniform((), 1.5, 2.5)),
        sample(uniform((), 0.5, 2.0), (2, 3)),
        sample(uniform((), 1.0, 2.0), ()),
        sample(uniform((7,), 0.25, 1.0), (1,)),
        sample(uniform((1, 4, 1, 2), 1.0, 5.0), (2, 1, 3, 2)),
        sample(given(2.0, 9.0, 0.5), given(3.0, 0.5, -2.0)),
        # singular at 0
        sample(given(0.0, 0.0, 2.0), given(0.0, 2.0, 0.0), without=("numeric gradient", "branch")),
        sample(given(0.0, 4.0), given(-1.0, -0.5), without=("gradient",)),  # not finite
        sample(given(-2.0, -0.5, -3.0), given(2.0, 3.0, 0.5), without=("numeric gradient",)),  # not finite
        sample((2, 3), (2,), rejects="b"),
        sample((2, 3), (2, 3), exponent=2.0, rejects="exponent"),
        # torch takes whole numbers where b >= 0
        sample(integers((2, 3), 9), integers((2, 3), 9), rejects="a", without=("torch",)),
    )
