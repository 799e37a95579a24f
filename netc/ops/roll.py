"""Axes run through from elsewhere or backwards: roll, flip."""

from __future__ import annotations

from typing import Any

from netc.dims import Shape, at_least
from netc.ops.arrays import np
from netc.ops.attributes import axes_of, axis_of
from netc.ops.code import Code, Hole, Keyword, method
from netc.ops.contract import DTYPES, Array, Graph, Op, Operand, integers, register, require, sample
from netc.ops.notation import function

LAST, FIRST = 2**63 - 1, -(2**63)


@register("roll")
class Roll(Op):
    """y[i] = x[(i - s) mod n] along each axis of `axis`, s its number in `shifts`.

    What leaves an axis at one end enters it at the other. No shift is longer than its axis.
    Shape: x [..., n, ...] -> y of the same shape.
    Gradient: dx = g rolled back.
    Source: torch.roll, https://docs.pytorch.org/docs/stable/generated/torch.roll.html
    """

    elements_of = ("x",)
    accepts = DTYPES
    analytic = True
    shifts: tuple[int, ...]
    axis: tuple[int, ...]

    def shape(self, x: Shape) -> Shape:
        axes_of(self.axis, len(x))
        many = f"{len(self.shifts)} shifts do not fit {len(self.axis)} axes"
        require(len(self.shifts) == len(self.axis) > 0, "shifts", many)
        for shift, axis in zip(self.shifts, self.axis, strict=True):
            within = at_least(x[axis], abs(shift))
            require(within, "shifts", f"a shift of {shift} is longer than axis {axis}, which has {x[axis]}")
        return x

    def forward(self, x: Array) -> Array:
        return np.roll(x, self.shifts, self.axis)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (function("roll", g, shifts=tuple(-s for s in self.shifts), axis=self.axis),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        shifts, axes = (v[0] if len(v) == 1 else v for v in (self.shifts, self.axis))
        return method(x, "roll", Hole(shifts, "shifts"), Keyword("dims", axes))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        out: Any = x
        for shift, axis in zip(self.shifts, self.axis, strict=True):
            if shift:
                parts = (_part(graph, out, axis, *bounds) for bounds in ((-shift, LAST), (0, -shift)))
                out = graph.node("Concat", *parts, axis=axis_of(axis, len(x.shape)))
        return graph.node("Identity", x) if out is x else out

    samples = (
        sample((2, 5), shifts=2, axis=1, flops=0),
        sample((2, 5), shifts=-2, axis=1),
        sample((4, 3), shifts=1, axis=0),
        sample((2, 4, 5), shifts=[1, -2], axis=[1, 2]),
        sample((2, 4, 5, 3), shifts=[-2, -1], axis=[1, -2]),
        sample((2, 5), shifts=0, axis=1),
        sample((2, 5), shifts=5, axis=1),
        sample((2, 5), shifts=-5, axis=-1),
        sample((1, 3), shifts=1, axis=0),
        sample((3,), shifts=-1, axis=-1),
        sample(integers((2, 5), 9), shifts=3, axis=1),
        sample(integers((5, 2), 2, "bool"), shifts=1, axis=0),
        sample((2, 5), shifts=6, axis=1, rejects="shifts", without=("torch",)),  # torch: modulo the size
        sample((2, 5), shifts=[1, 2], axis=1, rejects="shifts"),
        sample((2, 5), shifts=[], axis=[], rejects="shifts"),
        sample((2, 5), shifts=1, axis=2, rejects="axis"),
        # torch rolls twice
        sample((2, 5), shifts=[1, 1], axis=[1, -1], rejects="axis", without=("torch",)),
    )


def _part(graph: Graph, x: str, axis: int, start: int, stop: int) -> Any:
    return graph.node("Slice", x, *(graph.constant([n], "int64") for n in (start, stop, axis)))


@register("flip")
class Flip(Op):
    """y[i] = x[n - 1 - i] along each axis of `axis`.

    Shape: x [..., n, ...] -> y of the same shape.
    Gradient: dx = g flipped back.
    Source: torch.flip, https://docs.pytorch.org/docs/stable/generated/torch.flip.html
    """

    elements_of = ("x",)
    accepts = DTYPES
    analytic = True
    axis: tuple[int, ...]

    def shape(self, x: Shape) -> Shape:
        axes_of(self.axis, len(x))
        return x

    def forward(self, x: Array) -> Array:
        return np.flip(x, self.axis)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        return (function("flip", g, axis=self.axis),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        return method(x, "flip", Hole(self.axis[0] if len(self.axis) == 1 else self.axis, "axis"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        axes = axes_of(self.axis, len(x.shape))
        if not axes:
            return graph.node("Identity", x)
        bounds = ([-1] * len(axes), [FIRST] * len(axes), axes, [-1] * len(axes))
        return graph.node("Slice", x, *(graph.constant(numbers, "int64") for numbers in bounds))

    samples = (
        sample((2, 5), axis=1, flops=0),
        sample((2, 5), axis=0),
        sample((2, 5), axis=-1),
        sample((2, 3, 4), axis=[0, 2]),
        sample((2, 3, 4), axis=[-1, -2, -3]),
        sample((2, 3), axis=[]),
        sample((3,), axis=0),
        sample((1, 4), axis=0),
        sample((1,), axis=0),
        sample((2, 1, 4, 3), axis=[3, 1]),
        sample(integers((2, 3), 9), axis=1),
        sample(integers((2, 3), 2, "bool"), axis=0),
        sample((2, 5), axis=2, rejects="axis"),
        sample((2, 5), axis=[1, -1], rejects="axis"),
    )
