"""Division with a whole quotient, rounded down, and what it leaves: // and %."""

from __future__ import annotations

from math import inf
from typing import Any, ClassVar

from netc.dims import Shape, decide
from netc.ops.arithmetic import UNLIKE, Binary
from netc.ops.arrays import np
from netc.ops.code import Code, infix
from netc.ops.contract import INTEGERS, Array, Graph, Operand, given, register, sample, uniform
from netc.ops.index_range import IndexRange, Known
from netc.ops.notation import function, unbroadcast

# What is whole is divided by 0 in vain, which the check of other dtypes draws.
FLOATS_ALONE = ("other dtypes",)
QUOTIENTS = (
    sample((2, 3, 4), uniform((2, 3, 4), 0.5, 2.0), without=FLOATS_ALONE),
    sample((2, 3, 4), uniform((3, 1), -2.0, -0.5), without=FLOATS_ALONE),
    sample((4, 1), uniform((2, 1, 3), 0.25, 1.0), without=FLOATS_ALONE),
    sample((2, 3), uniform((), 0.5, 2.0), without=FLOATS_ALONE),
    sample((), uniform((2, 3), 0.5, 2.0), without=FLOATS_ALONE),
    sample((), uniform((), 0.5, 2.0), without=FLOATS_ALONE),
    sample(uniform((7,), -9.0, 9.0), uniform((1,), -2.0, -1.0), without=FLOATS_ALONE),
    sample(given(-7.5, 7.5, -7.5, 7.5), given(2.0, 2.0, -2.0, -2.0), without=FLOATS_ALONE),
    # at jumps
    sample(
        given(-6.0, 6.0, 1.0, 0.0), given(3.0, -3.0, 0.1, 5.0), without=("numeric gradient", *FLOATS_ALONE)
    ),
    sample(given(-7, 7, -7, 7, dtype="int64"), given(2, 2, -2, -2, dtype="int64")),
    sample(given((-6,), (5,), dtype="int32"), given(3, -3, 7, dtype="int32")),
    *UNLIKE,
    sample(
        given(True, dtype="bool"), given(True, dtype="bool"), rejects="a", without=("torch",)
    ),  # as numbers
)


class Division(Binary):
    """What // and % share."""

    divisors: ClassVar[tuple[str, ...]] = ("b",)

    def branch(self, a: Array, b: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.nan_to_num(np.floor_divide(a, b), posinf=-1, neginf=-1).astype("int64")


def _need_divisor(b: Array) -> None:
    if b.dtype.kind == "i" and not np.all(b):
        raise ZeroDivisionError("a whole number is divided by 0")


def _number(known: IndexRange | None, shape: Shape) -> int | None:
    """The one positive number that the operand is, where it is known."""
    if known is None or not known.ramp or shape or not isinstance(known.below, int):
        return None
    return known.below - 1 or None


@register("floor_divide")
class FloorDivide(Division):
    """y = the greatest whole number that is at most a / b, as Python's // has it: -7 // 2 is -4.

    A whole number divided by 0 stops the run, in every target.
    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: none; it is 0 between the jumps.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.floor_divide.html
    """

    operator = "//"
    differentiable = False

    def index_range(self, known: Known, a: Shape, b: Shape) -> IndexRange | None:
        of_a, number = known[0], _number(known[1], b)
        if of_a is None or number is None:
            return None
        return IndexRange((of_a.below - 1) // number + 1, ramp=of_a.ramp and not a, each=of_a.each)

    def forward(self, a: Array, b: Array) -> Array:
        _need_divisor(b)
        return np.floor_divide(a, b)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "//", b)

    def onnx(self, graph: Graph, a: Operand, b: Operand) -> Any:
        """ONNX's own division of whole numbers rounds towards 0; without the rest it comes out even."""
        even = graph.node("Div", graph.node("Sub", a, _rest(graph, a, b)), b)
        if a.dtype in INTEGERS:
            return even
        by_zero = graph.node("Equal", b, graph.constant(0.0, b.dtype))
        return graph.node("Where", by_zero, graph.node("Div", a, b), graph.node("Round", even))

    samples = (
        sample((2, 5), uniform((2, 5), 0.5, 2.0), flops=10, without=FLOATS_ALONE),
        *QUOTIENTS,
        sample(given(1.0, -1.0, 0.0), given(0.0, 0.0, 0.0), without=FLOATS_ALONE),
    )


@register("remainder")
class Remainder(Division):
    """y = a - b (a // b), which has the sign of b, as Python's % has it: -7 % 2 is 1.

    A whole number divided by 0 stops the run, in every target.
    Shape: a and b, aligned at the last axis, where an axis of size 1 stretches -> y.
    Gradient: da = g, db = -g (a // b), each summed over the axes along which it was broadcast.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.remainder.html
    """

    operator = "%"

    def index_range(self, known: Known, a: Shape, b: Shape) -> IndexRange | None:
        of_a, number = known[0], _number(known[1], b)
        if of_a is None or number is None or not isinstance(of_a.below, int):
            return None
        if of_a.ramp and not a:
            return IndexRange((of_a.below - 1) % number + 1, ramp=True)
        wraps = of_a.each or (of_a.ramp and len(a) == 1 and decide("least", a[0], number) is True)
        fits = of_a.below <= number
        return IndexRange(min(of_a.below, number), each=of_a.each) if fits or wraps else None

    def forward(self, a: Array, b: Array) -> Array:
        _need_divisor(b)
        return np.remainder(a, b)

    def vjp(self, g: Array, y: Array, a: Array, b: Array) -> tuple[Array, Array]:
        return unbroadcast(g, a.shape), unbroadcast(-g * function("floor_divide", a, b), b.shape)

    def flops(self, y: Shape, a: Shape, b: Shape) -> Any:
        return 3 * super().flops(y, a, b)

    def torch(self, a: Operand, b: Operand) -> Code:
        return infix(a, "%", b)

    def onnx(self, graph: Graph, a: Operand, b: Operand) -> Any:
        return _rest(graph, a, b)

    samples = (
        sample((2, 5), uniform((2, 5), 0.5, 2.0), flops=30, without=FLOATS_ALONE),
        *QUOTIENTS,
        sample(given(1.0, -inf), given(0.0, 2.0), without=("gradient", *FLOATS_ALONE)),  # not finite
    )


def _rest(graph: Graph, a: Operand, b: Operand) -> Any:
    """What a division of a by b leaves. Of floats, ONNX has only that with the sign of a."""
    if a.dtype in INTEGERS:
        return graph.node("Mod", a, b, fmod=0)
    rest, zero = graph.node("Mod", a, b, fmod=1), graph.constant(0.0, a.dtype)
    apart = graph.node("Xor", graph.node("Less", rest, zero), graph.node("Less", b, zero))
    some = graph.node("Not", graph.node("Equal", rest, zero))
    return graph.node("Where", graph.node("And", some, apart), graph.node("Add", rest, b), rest)
