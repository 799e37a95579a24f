"""Padding at the edges of a tensor: with a constant, by reflection or with copies of the edge."""

from __future__ import annotations

from math import isfinite
from typing import Any, Literal

from netc.dims import AnyDim, Dim, Shape, at_least, show, value
from netc.ops.arrays import np
from netc.ops.code import Code, Hole, Keyword, call
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
)
from netc.ops.notation import pad

NUMPY_MODES: dict[str, Any] = {"reflect": "reflect", "replicate": "edge"}
LAST = 2**63 - 1


@register("pad")
class Pad(Op):
    """y = x with `padding` more elements before and behind each of its last axes, the last axis first.

    A negative number cuts, in mode "constant" only. dx = g without what was added, zeros where cut; what
    "reflect" and "replicate" copied gives its share back to where it came from.
    Source: torch.nn.functional.pad,
    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html
    """

    accepts = (*FLOATS, *INTEGERS)
    padding: tuple[AnyDim, ...]
    mode: Literal["constant", "reflect", "replicate"] = "constant"
    value: float = 0.0

    def dtype(self, x: str) -> str | tuple[str, ...]:
        whole = self.value == int(self.value) if isfinite(self.value) else False
        require(x in FLOATS or whole, "value", f"x is {x}, which cannot hold {self.value}")
        require(x in FLOATS or self.mode == "constant", "mode", f"x is {x}, which takes mode constant only")
        return super().dtype(x)

    def amounts(self, x: Shape) -> list[tuple[AnyDim, AnyDim]]:
        """What is added before and behind each axis."""
        pairs = list(zip(self.padding[::2], self.padding[1::2], strict=False))
        even = len(self.padding) % 2 == 0
        require(even, "padding", f"padding has {len(self.padding)} numbers, not pairs of them")
        require(len(pairs) <= len(x), "padding", f"padding has {len(pairs)} pairs, but x is {show(x)}")
        if self.mode != "constant":
            pairs = [(_number(before), _number(after)) for before, after in pairs]
        return [(0, 0)] * (len(x) - len(pairs)) + pairs[::-1]

    def shape(self, x: Shape) -> Shape:
        amounts = self.amounts(x)
        if self.mode != "constant":
            self._require_source(x, amounts)
        for n, pair in zip(x, amounts, strict=True):
            for amount in pair:
                known = isinstance(amount, int) or at_least(amount, 0)
                require(known, "padding", f"padding {amount} is not known to be at least 0")
            left = n + sum(amount for amount in pair if _cuts(amount))
            require(at_least(left, 1), "padding", f"padding {pair} leaves nothing of an axis of {n}")
        return tuple(n + before + after for n, (before, after) in zip(x, amounts, strict=True))

    def _require_source(self, x: Shape, amounts: list[tuple[AnyDim, AnyDim]]) -> None:
        """That there is something to copy, as torch asks for it."""
        pairs = len(self.padding) // 2
        what = f"{pairs} pairs, which takes {pairs + 1} or {pairs + 2} axes"
        fits = 1 <= pairs <= 3 and len(x) in (pairs + 1, pairs + 2)
        require(fits, "padding", f"mode {self.mode} has {what}, but x is {show(x)}")
        for n, pair in zip(x, amounts, strict=True):
            for amount in pair:
                known = isinstance(amount, int) and amount >= 0
                require(known, "padding", f"mode {self.mode} takes known numbers from 0, not {amount}")
                enough = self.mode != "reflect" or at_least(n - amount, 1)
                require(enough, "padding", f"an axis of {n} is too short to be reflected by {amount}")

    def forward(self, x: Array) -> Array:
        amounts: Any = self.amounts(x.shape)
        cut = x[tuple(slice(max(-b, 0), n + min(a, 0)) for n, (b, a) in zip(x.shape, amounts, strict=True))]
        added = [(max(b, 0), max(a, 0)) for b, a in amounts]
        if self.mode == "constant":
            return np.pad(cut, added, constant_values=np.asarray(self.value, x.dtype))
        return np.pad(cut, added, mode=NUMPY_MODES[self.mode])

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        for axis, pair in enumerate(self.amounts(x.shape)):
            if pair != (0, 0):
                g = self._fold(g, axis, x.shape[axis], *pair)
        return (g,)

    def _fold(self, g: Array, axis: int, n: AnyDim, before: AnyDim, after: AnyDim) -> Array:
        """The gradient for an axis of n that was padded."""
        if self.mode == "constant":
            start, added = (0 if _cuts(amount) else amount for amount in (before, after))
            kept = _part(g, axis, start, g.shape[axis] - added)
            return _extend(kept, axis, -before if _cuts(before) else 0, -after if _cuts(after) else 0)
        out = _part(g, axis, before, before + n)
        left = [(before - i, i if self.mode == "reflect" else 0) for i in _numbers(before)]
        right = [(before + n - 1 + i, n - 1 - (i if self.mode == "reflect" else 0)) for i in _numbers(after)]
        for source, target in left + right:
            out = out + _extend(_part(g, axis, source, source + 1), axis, target, n - 1 - target)
        return out

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        return call(
            "F.pad",
            x,
            Hole(self.padding, "padding"),
            Keyword("mode", self.mode, "constant"),
            Keyword("value", self.value, 0.0),
        )

    def onnx(self, graph: Graph, x: Operand) -> Any:
        amounts = self.amounts(x.shape)
        out: Any = x
        if cut := [i for i, pair in enumerate(amounts) if any(map(_cuts, pair))]:
            starts = [-amounts[i][0] if _cuts(amounts[i][0]) else 0 for i in cut]
            stops = [amounts[i][1] if _cuts(amounts[i][1]) else LAST for i in cut]
            bounds = (graph.constant(numbers, "int64") for numbers in (starts, stops, cut))
            out = graph.node("Slice", out, *bounds)
        added = [tuple(0 if _cuts(amount) else amount for amount in pair) for pair in amounts]
        if all(pair == (0, 0) for pair in added):
            return graph.node("Identity", x) if out is x else out
        pads = graph.sizes((*(before for before, _ in added), *(after for _, after in added)))
        if self.mode != "constant":
            return graph.node("Pad", out, pads, mode="edge" if self.mode == "replicate" else "reflect")
        value = self.value if x.dtype in FLOATS else int(self.value)
        return graph.node("Pad", out, pads, graph.constant(value, x.dtype), mode="constant")

    samples = (
        sample((2, 3, 4), padding=[1, 2], flops=0),
        sample((2, 3, 4), padding=[1, 0, 0, 2], value=-1.5),
        sample((3, 4), padding=[-1, 2, 1, -1]),
        sample((5,), padding=[-1, -2]),
        sample((2, 3), padding=[0, 0]),
        sample((2, 3, 4), padding=[2, 1], mode="reflect"),
        sample((1, 2, 3, 4), padding=[3, 1, 0, 2], mode="reflect"),
        sample((1, 2, 3, 4), padding=[2, 1, 1, 5], mode="replicate"),
        sample((2, 3), padding=[1, 2], mode="replicate"),
        sample(integers((2, 3), 9), padding=[1, 2], value=7),
        sample(given((-1.0, -2.0), (-3.0, -4.0)), padding=[1, 1]),
        sample((2, 3), padding=[1], rejects="padding"),
        sample((2, 3), padding=[0, 0, 0, 0, 1, 1], rejects="padding"),
        sample((2, 3), padding=[-2, -1], rejects="padding", without=("torch",)),  # torch: an empty tensor
        sample((2, 3, 4), padding=[4, 0], mode="reflect", rejects="padding"),
        sample((2, 3, 4), padding=[1, 1, 1, 1, 1, 1], mode="reflect", rejects="padding"),
        sample((4,), padding=[1, 1], mode="replicate", rejects="padding"),
        sample((2, 3, 4), padding=[-1, 1], mode="replicate", rejects="padding", without=("torch",)),
        sample((2, 3), padding=[1, 1], mode="wrap", rejects="mode"),
        sample(integers((2, 3), 9), padding=[1, 2], value=0.5, rejects="value", without=("torch",)),
        sample(integers((2, 3), 9), padding=[1, 2], mode="reflect", rejects="mode", without=("torch",)),
    )


def _number(amount: AnyDim) -> AnyDim:
    known = value(amount)
    return amount if known is None else known


def _cuts(amount: AnyDim) -> bool:
    return not isinstance(amount, Dim) and amount < 0


def _numbers(amount: AnyDim) -> range:
    return range(1, amount + 1) if isinstance(amount, int) else range(0)


def _part(g: Array, axis: int, start: AnyDim, stop: AnyDim) -> Array:
    return g[(*(slice(None) for _ in range(axis)), slice(start, stop))]


def _extend(g: Array, axis: int, before: AnyDim, after: AnyDim) -> Array:
    none: list[AnyDim] = [0] * len(g.shape)
    return pad(g, [*none[:axis], before, *none[axis + 1 :]], [*none[:axis], after, *none[axis + 1 :]])
