"""Rearrangement by a pattern in the notation of einops: "n t (h d) -> n h t d"."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, TypeAlias

from netc.dims import AnyDim, Dim, Shape, show
from netc.dims import same as must_equal
from netc.ops.arrays import np
from netc.ops.code import Code, Hole, Piece
from netc.ops.contract import DTYPES, Array, Graph, Op, Operand, integers, register, require, sample
from netc.ops.layout import quotient, reshape_node

Groups: TypeAlias = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Plan:
    """The steps for one operand: split its axes, put them in order, join them."""

    split: Shape
    order: tuple[int, ...]
    joined: Shape


@register("rearrange")
class Rearrange(Op):
    """y = x with its axes named on the left of the pattern and laid out as on its right.

    Parentheses split or join axes, the last named running fastest; a keyword gives a size that x does not.
    Shape: x [n, t, h * d] -> y [n, h, t, d] for "n t (h d) -> n h t d", h or d being given.
    Gradient: dx = g rearranged back.
    Source: Rogozhnikov, Einops: Clear and Reliable Tensor Manipulations (2022), https://einops.rocks
    """

    elements_of = ("x",)
    accepts = DTYPES
    analytic = True
    extra = "sizes"
    pattern: str
    sizes: tuple[tuple[str, AnyDim], ...] = ()

    def __post_init__(self) -> None:
        left, right = self.sides
        names = [name for group in left for name in group]
        for name, count in ((n, names.count(n)) for n in names):
            require(count == 1, "pattern", f"the pattern names {name} twice on its left")
        others = [name for group in right for name in group]
        for name in (*names, *others):
            where = "right" if name not in others else "left"
            require(name in names and name in others, "pattern", f"the pattern lacks {name} on its {where}")
        require(len(others) == len(names), "pattern", "the pattern names an axis twice on its right")
        for name, n in self.sizes:
            require(name in names, name, f"the pattern has no axis {name}")
            require(isinstance(n, Dim) or n >= 1, name, f"an axis has a size of at least 1, not {n}")

    @cached_property
    def sides(self) -> tuple[Groups, Groups]:
        """The two sides of the pattern; a bare 1 is an axis of no names."""
        sides = self.pattern.split("->")
        require(len(sides) == 2, "pattern", "a pattern is two lists of axes with -> between them")
        return _groups(sides[0]), _groups(sides[1])

    def _plan(self, x: Shape) -> Plan:
        left, right = self.sides
        require(len(left) == len(x), "x", f"x is {show(x)}, but the pattern names {len(left)} axes")
        sizes = dict(self.sizes)
        for n, group in zip(x, left, strict=True):
            sizes |= self._sizes(n, group)
        names = [name for group in left for name in group]
        return Plan(
            split=tuple(sizes[name] for name in names),
            order=tuple(names.index(name) for group in right for name in group),
            joined=tuple(prod(sizes[name] for name in group) for group in right),
        )

    def _sizes(self, n: AnyDim, group: tuple[str, ...]) -> dict[str, AnyDim]:
        """The sizes of the axes that an axis of x is split into."""
        given = dict(self.sizes)
        unknown = [name for name in group if name not in given]
        lacking = f"the size of {' or '.join(unknown)} must be given"
        require(len(unknown) <= 1, "pattern", lacking)
        known = prod(given[name] for name in group if name in given)
        text = " * ".join(group) or "1"
        if not unknown:
            require(must_equal(n, known), "x", f"an axis of {n} is not {text}, {known}")
            return {}
        part = n if len(group) == 1 else quotient(n, known)
        require(part is not None, "x", f"an axis of {n} is not {text}: it is not a multiple of {known}")
        return {unknown[0]: n if part is None else part}

    def shape(self, x: Shape) -> Shape:
        return self._plan(x).joined

    def forward(self, x: Array) -> Array:
        plan = self._plan(x.shape)
        return np.transpose(x.reshape(plan.split), plan.order).reshape(plan.joined)

    def vjp(self, g: Array, y: Array, x: Array) -> tuple[Array]:
        plan = self._plan(x.shape)
        g = g.reshape(tuple(plan.split[i] for i in plan.order))
        back = tuple(plan.order.index(i) for i in range(len(plan.order)))
        return (g.transpose(back).reshape(x.shape),)

    def flops(self, y: Shape, x: Shape) -> Any:
        return 0

    def torch(self, x: Operand) -> Code:
        plan = self._plan(x.shape)
        pieces: list[Piece] = [x]
        if self._splits:
            pieces += _method("reshape", plan.split)
        if self._moves(plan):
            pieces += _method("permute", plan.order)
        if self._joins:
            pieces += _method("reshape", plan.joined)
        return Code(tuple(pieces))

    def onnx(self, graph: Graph, x: Operand) -> Any:
        plan = self._plan(x.shape)
        out: Any = x
        if self._splits:
            out = reshape_node(graph, out, plan.split)
        if self._moves(plan):
            out = graph.node("Transpose", out, perm=plan.order)
        if self._joins:
            out = reshape_node(graph, out, plan.joined)
        return graph.node("Identity", x) if out is x else out

    @property
    def _splits(self) -> bool:
        return any(len(group) != 1 for group in self.sides[0])

    @property
    def _joins(self) -> bool:
        return any(len(group) != 1 for group in self.sides[1])

    def _moves(self, plan: Plan) -> bool:
        return plan.order != tuple(range(len(plan.order)))

    samples = (
        sample((2, 4, 6), pattern="n t (h d) -> n h t d", h=3, flops=0),
        sample((2, 3, 4, 5), pattern="n c h w -> n (h w) c"),
        sample((2, 4, 30), pattern="n t (three h d) -> three n h t d", three=3, h=5),
        sample((2, 3, 4), pattern="a b c -> c a b"),
        sample((2, 3, 4, 6), pattern="n c (h p) (w q) -> n (p q c) h w", p=2, q=3),
        sample((2, 1, 4), pattern="a 1 b -> (a b) 1"),
        sample((2, 3), pattern="a b -> a b"),
        sample((5,), pattern="(a b) -> b a", a=5),
        sample((2, 3, 4), pattern="a b c -> (a b c)"),
        sample((2, 3), pattern="a b -> 1 b 1 a"),
        sample((1, 1), pattern="1 1 -> "),
        sample((2, 12), pattern="n (a b c) -> n c b a", a=2, c=3),
        sample((2, 3, 4, 5), pattern="n c h w -> n h w c"),
        sample(integers((2, 6), 9), pattern="a (b c) -> (c a) b", b=3),
        sample(integers((2, 3), 2, "bool"), pattern="a b -> b a"),
        sample((2, 3), pattern="a b -> a b c", rejects="pattern"),
        sample((2, 3), pattern="a b -> a", rejects="pattern"),
        sample((2, 3), pattern="a a -> a a", rejects="pattern"),
        sample((2, 3), pattern="a b -> a b b", rejects="pattern"),
        sample((2, 3), pattern="a b", rejects="pattern"),
        sample((2, 3), pattern="... b -> b ...", rejects="pattern"),
        sample((2, 3), pattern="a (b -> b a", rejects="pattern"),
        sample((2, 3), pattern="a ((b)) -> b a", rejects="pattern"),
        sample((2, 3), pattern="a 2 -> a", rejects="pattern"),
        sample((2, 6), pattern="a (b c) -> a b c", rejects="pattern"),
        sample((2, 6), pattern="a (b c) -> a b c", d=2, rejects="d"),
        sample((2, 6), pattern="a (b c) -> a b c", b=0, rejects="b"),
        sample((2, 6), pattern="a (b c) -> a b c", b=4, rejects="x"),
        sample((2, 6), pattern="a (b c) -> a b c", b=2, c=2, rejects="x"),
        sample((2, 3, 4), pattern="a b -> b a", rejects="x"),
        sample((2, 3), pattern="a 1 -> a", rejects="x"),
    )


def _method(name: str, arguments: Shape) -> list[Piece]:
    pieces: list[Piece] = [f".{name}("]
    for i, n in enumerate(arguments):
        pieces += [", "] if i else []
        pieces.append(Hole(n, f"size{i}" if name == "reshape" else f"dim{i}"))
    return [*pieces, ")" if arguments else "())"]


def _groups(side: str) -> Groups:
    """The axes of one side, each a group of names."""
    require("..." not in side, "pattern", "a pattern names every axis; ... is not supported")
    groups: list[tuple[str, ...]] = []
    for token in re.findall(r"\([^()]*\)|\S+", side):
        inner = token[1:-1].split() if token.startswith("(") and token.endswith(")") else [token]
        for name in inner:
            known = name == "1" or re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is not None
            require(known, "pattern", f"{name} is not the name of an axis")
        groups.append(tuple(name for name in inner if name != "1"))
    return tuple(groups)
