"""Padding at the edges of a tensor: with a constant, by reflection or with copies of the edge."""

from __future__ import annotations

from collections.abc import Sequence
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
from netc.ops.notation import function, pad

NUMPY_MODES: dict[str, Any] = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
LAST = 2**63 - 1


@register("pad")
class Pad(Op):
    """y = x with `padding` more elements before and behind each of its last axes, the last axis first.

    Mode "constant" adds `value`, where a negative number cuts; "reflect" mirrors without the edge itself,
    "replicate" repeats the edge, "circular" goes on with the other end, for 1 to 3 of the last axes.
    Shape: x [..., h, w], padding [l, r, t, b] -> y [..., t + h + b, l + w + r].
    Gradient: dx = g without what was added, zeros where cut; what was copied gives its share back to where it came
    from.
    Source: torch.nn.functional.pad,
    https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html
    """

    accepts = (*FLOATS, *INTEGERS)
    analytic = True
    padding: tuple[AnyDim, ...]
    mode: Literal["constant", "reflect", "replicate", "circular"] = "constant"
    value: float = 0.0

    def dtype(self, x: str) -> str | tuple[str, ...]:
        filled = self.mode == "constant" or self.value == 0
        require(filled, "value", f'value is of mode "constant", not of "{self.mode}"')
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
            known = all(isinstance(amount, int) or at_least(amount, 0) for amount in pair)
            left = n + sum(amount for amount in pair if _cuts(amount))
            some = known and at_least(left, 1)
            require(some, "padding", f"padding {pair} leaves nothing of an axis of {n}, or may do so")
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
                left = {"reflect": 1, "circular": 0}.get(self.mode)
                enough = left is None or at_least(n - amount, left)
                short = f"an axis of {n} is too short for {amount} of mode {self.mode}"
                require(enough, "padding", short)

    def forward(self, x: Array) -> Array:
        amounts: Any = self.amounts(x.shape)
        cut = x[tuple(slice(max(-b, 0), n + min(a, 0)) for n, (b, a) in zip(x.shape, amounts, strict=True))]
        added = [(max(b, 0), max(a, 0)) for b, a in amounts]
        if not added:
            return np.asarray(cut)
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
        if before:
            copied = self._sources(_part(g, axis, 0, before), axis)
            start = {"reflect": 1, "circular": n - before}.get(self.mode, 0)
            out = out + _extend(copied, axis, start, n - start - copied.shape[axis])
        if after:
            copied = self._sources(_part(g, axis, before + n, before + n + after), axis)
            rest = {"reflect": 1, "circular": n - after}.get(self.mode, 0)
            out = out + _extend(copied, axis, n - rest - copied.shape[axis], rest)
        return out

    def _sources(self, g: Array, axis: int) -> Array:
        """The gradient of a part that was copied, in the order of where it was copied from."""
        if self.mode == "circular":
            return g
        return function("flip", g, axis=(axis,)) if self.mode == "reflect" else g.sum(axis, keepdims=True)

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
        if self.mode == "circular":
            return _wrap_node(graph, x, added)
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
        sample((2, 3, 4), padding=[0, 2], mode="replicate"),
        sample((2, 3, 4), padding=[2, 1], mode="circular"),
        sample((1, 2, 3, 4), padding=[1, 0, 3, 2], mode="circular"),
        sample((2, 3), padding=[3, 3], mode="circular"),
        sample((2, 1, 4), padding=[0, 3], mode="circular"),
        sample((1, 2, 2, 3, 4), padding=[1, 2, 0, 1, 1, 0], mode="reflect"),
        sample((), padding=[]),
        sample((2, 1), padding=[0, 0, 1, 0], value=2.5),
        sample(integers((2, 3), 9), padding=[1, 2], value=7),
        sample(given((-1.0, -2.0), (-3.0, -4.0)), padding=[1, 1]),
        sample((2, 3), padding=[1], rejects="padding"),
        sample((2, 3), padding=[0, 0, 0, 0, 1, 1], rejects="padding"),
        sample((2, 3), padding=[-2, -1], rejects="padding", without=("torch",)),  # torch: an empty tensor
        sample((2, 3, 4), padding=[4, 0], mode="reflect", rejects="padding"),
        sample((2, 3, 4), padding=[0, 5], mode="circular", rejects="padding"),
        sample((2, 3, 4), padding=[1, 1, 1, 1, 1, 1], mode="reflect", rejects="padding"),
        sample((4,), padding=[1, 1], mode="replicate", rejects="padding"),
        sample((2, 3, 4), padding=[-1, 1], mode="replicate", rejects="padding", without=("torch",)),
        sample((2, 3), padding=[1, 1], mode="wrap", rejects="mode"),
        sample((2, 3), padding=[1, 2], mode="replicate", value=0.5, rejects="value"),
        sample(integers((2, 3), 9), padding=[1, 2], value=0.5, rejects="value", without=("torch",)),
        sample(integers((2, 3), 9), padding=[1, 2], mode="reflect", rejects="mode", without=("torch",)),
    )


def _number(amount: AnyDim) -> AnyDim:
    known = value(amount)
    return amount if known is None else known


def _cuts(amount: AnyDim) -> bool:
    return not isinstance(amount, Dim) and amount < 0


def _wrap_node(graph: Graph, x: str, added: Sequence[tuple[AnyDim, ...]]) -> Any:
    """ONNX knows mode "wrap" from opset 19 on alone."""
    for axis, (before, after) in enumerate(added):
        ends = [(-before, LAST)] if before else []
        starts = [(0, after)] if after else []
        if ends or starts:
            parts = [_part_node(graph, x, axis, *bounds) for bounds in ends]
            parts += [x, *(_part_node(graph, x, axis, *bounds) for bounds in starts)]
            x = graph.node("Concat", *parts, axis=axis)
    return x


def _part_node(graph: Graph, x: str, axis: int, start: AnyDim, stop: AnyDim) -> str:
    return str(graph.node("Slice", x, *(graph.constant([n], "int64") for n in (start, stop, axis))))


def _part(g: Array, axis: int, start: AnyDim, stop: AnyDim) -> Array:
    return g[(*(slice(None) for _ in range(axis)), slice(start, stop))]


def _extend(g: Array, axis: int, before: AnyDim, after: AnyDim) -> Array:
    none: list[AnyDim] = [0] * len(g.shape)
    return pad(g, [*none[:axis], before, *none[axis + 1 :]], [*none[:axis], after, *none[axis + 1 :]])
