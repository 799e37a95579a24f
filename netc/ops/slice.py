"""Indexing with numbers and ranges, written x[...]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from netc.dims import AnyDim, Shape, at_least, ceil_divide, show
from netc.ops.code import Code, Hole, Piece
from netc.ops.contract import DTYPES, Array, Graph, Op, Operand, integers, register, require, sample
from netc.ops.index_range import IndexRange, Known
from netc.ops.notation import pad

Bound: TypeAlias = "AnyDim | None"
Item: TypeAlias = "AnyDim | tuple[Bound, Bound, int | None] | None"
LAST = 2**63 - 1


@dataclass(frozen=True)
class Range:
    """The elements of one axis taken: each `step`th from `start` up to `stop`; a single one may drop it."""

    start: AnyDim
    stop: AnyDim
    step: int = 1
    drops: bool = False

    @property
    def length(self) -> AnyDim:
        return ceil_divide(self.stop - self.start, self.step)


@register("slice")
class Slice(Op):
    """y = x[items]: a number takes one element and drops the axis, a range takes some, none takes all.

    Bounds lie within the axis; negative numbers count from its end. Nothing empty is taken, and no step goes back.
    Shape: x [n, m, k, ...], items [2, (1, 6, 2), none] -> y [3, k, ...].
    Gradient: dx = g laid into zeros.
    Source: numpy's basic indexing, https://numpy.org/doc/stable/user/basics.indexing.html
    """

    operator = "[]"
    accepts = DTYPES
    analytic = True
    items: tuple[AnyDim | tuple[AnyDim | None, AnyDim | None, int | None] | None, ...]

    def ranges(self, x: Shape) -> tuple[Range, ...]:
        many = f"x is {show(x)}, so it takes at most {len(x)} indices, not {len(self.items)}"
        require(len(self.items) <= len(x), "items", many)
        items = (*self.items, *(None for _ in range(len(x) - len(self.items))))
        return tuple(_range(i, n, item) for i, (n, item) in enumerate(zip(x, items, strict=True)))

    def shape(self, x: Shape) -> Shape:
        return tuple(r.length for r in self.ranges(x) if not r.drops)

    def index_range(self, known: Known, x: Shape) -> IndexRange | None:
        (of_x,) = known
        if of_x is None or of_x.each:
            return of_x
        ranges = self.ranges(x)
        if of_x.ramp:
            (r,) = ranges
            last = r.start + (r.length - 1) * r.step
            return IndexRange(of_x.below - x[0] + last + 1, ramp=r.step == 1 or r.drops)
        whole = all((r.start, r.length) == (0, n) for r, n in zip(ranges, x, strict=True))
        return of_x if whole else None

    def forward(self, x: Array) -> Array:
        return x[tuple(r.start if r.drops else slice(r.start, r.stop, r.step) for r in self.ranges(x.shape))]

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        ranges = self.ranges(x.shape)
        g = g.reshape(tuple(r.length for r in ranges))
        for axis, r in enumerate(ranges):
            g = _dilate(g, axis, r.step)
        ends = [r.start + (r.length - 1) * r.step + 1 for r in ranges]
        after = [n - end for n, end in zip(x.shape, ends, strict=True)]
        return (pad(g, [r.start for r in ranges], after),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        items = list(self.items)
        while items and items[-1] is None:
            items.pop()
        if not items:
            return Code((x,))
        pieces: list[Piece] = [x, "["]
        for axis, item in enumerate(items):
            pieces += [", "] if axis else []
            pieces += _index(item, axis)
        return Code((*pieces, "]"))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        ranges = self.ranges(x.shape)
        cut = [i for i, r in enumerate(ranges) if (r.start, r.stop, r.step) != (0, x.shape[i], 1)]
        dropped = [i for i, r in enumerate(ranges) if r.drops]
        out: Any = x
        if cut:
            starts = graph.sizes(tuple(ranges[i].start for i in cut))
            stops = graph.sizes(tuple(LAST if ranges[i].stop == x.shape[i] else ranges[i].stop for i in cut))
            steps = graph.constant([ranges[i].step for i in cut], "int64")
            out = graph.node("Slice", out, starts, stops, graph.constant(cut, "int64"), steps)
        if dropped:
            out = graph.node("Squeeze", out, graph.constant(dropped, "int64"))
        return graph.node("Identity", x) if out is x else out

    samples = (
        sample((4, 5), items=[2], flops=0),
        sample((4, 5, 6), items=[None, -1]),
        sample((4, 5, 6), items=[(1, None, None), 0, (None, -2, None)]),
        sample((7, 5), items=[(1, 6, 2), (None, None, 3)]),
        sample((3,), items=[1]),
        sample((3, 2), items=[None, None]),
        sample((1, 4), items=[0, (-3, -1, None)]),
        sample((5,), items=[(0, -1, None)]),
        sample((5,), items=[(None, None, 5)]),
        sample((2, 6, 3), items=[None, (-4, None, 3), 2]),
        sample((2, 3), items=[-2, -3]),
        sample((4, 5), items=[]),
        sample(integers((4, 5), 9), items=[(2, 3, None)]),
        sample(integers((4, 5), 2, "bool"), items=[None, (None, None, 2)]),
        sample((4, 5), items=[4], rejects="items"),
        sample((4, 5), items=[-5], rejects="items"),
        sample((4, 5), items=[0, 0, 0], rejects="items"),
        sample((4, 5), items=[(3, 3, None)], rejects="items", without=("torch",)),  # torch: an empty tensor
        sample((4, 5), items=[(0, 5, None)], rejects="items", without=("torch",)),  # torch takes 4
        sample((4, 5), items=[(-5, None, None)], rejects="items", without=("torch",)),  # likewise
        sample((4, 5), items=[(None, None, -1)], rejects="items"),
        sample((4, 5), items=[(None, None, 0)], rejects="items"),
        sample((4, 5), items=["a"], rejects="items"),
    )


def _range(axis: int, n: AnyDim, item: Item) -> Range:
    """What `item` takes of an axis of n."""
    if item is None:
        return Range(0, n)
    if not isinstance(item, tuple):
        start = _bound(n, item)
        inside = at_least(start, 0) and at_least(n - start, 1)
        require(inside, "items", f"axis {axis} has {n}, so index {item} lies outside")
        return Range(start, start + 1, drops=True)
    first, last, step = item
    start = 0 if first is None else _bound(n, first)
    stop = n if last is None else _bound(n, last)
    require(step is None or step >= 1, "items", f"a step of {step} is not supported; steps are at least 1")
    require(at_least(start, 0), "items", f"axis {axis} has {n}, so start {first} lies outside")
    require(at_least(n - stop, 0), "items", f"axis {axis} has {n}, so end {last} lies outside")
    some = at_least(stop - start, 1)
    require(some, "items", f"the range from {start} to {stop} of axis {axis} is empty")
    return Range(start, stop, step or 1)


def _bound(n: AnyDim, bound: AnyDim) -> AnyDim:
    return n + bound if isinstance(bound, int) and bound < 0 else bound


def _index(item: Item, axis: int) -> list[Piece]:
    """The text of one index."""
    if item is None:
        return [":"]
    if not isinstance(item, tuple):
        return [Hole(item, f"index{axis}")]
    first, last, step = item
    pieces: list[Piece] = [] if first is None else [Hole(first, f"start{axis}")]
    pieces += [":"] if last is None else [":", Hole(last, f"stop{axis}")]
    return pieces if step in (None, 1) else [*pieces, ":", Hole(step, f"step{axis}")]


def _dilate(g: Array, axis: int, step: int) -> Array:
    """g with step - 1 zeros between its elements along `axis`."""
    if step == 1:
        return g
    shape, n = g.shape, g.shape[axis]
    apart = g.reshape((*shape[: axis + 1], 1, *shape[axis + 1 :]))
    rank = len(apart.shape)
    none = [0] * rank
    apart = pad(apart, none, [step - 1 if i == axis + 1 else 0 for i in range(rank)])
    wide = apart.reshape((*shape[:axis], n * step, *shape[axis + 1 :]))
    return pad(wide, none[1:], [1 - step if i == axis else 0 for i in range(rank - 1)])
