"""Sums of products over named axes, in Einstein's notation: einsum."""

from __future__ import annotations

import re
from functools import cached_property
from math import prod
from typing import Any

from netc.dims import AnyDim, Shape, same, show
from netc.ops.arrays import np
from netc.ops.code import Code, Hole, call
from netc.ops.contract import Array, Graph, Op, Operand, integers, register, require, sample
from netc.ops.notation import cast, equal, expand, function

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


@register("einsum")
class Einsum(Op):
    """y[out] = sum over all other letters of xs[0][term0] xs[1][term1] ...: "ij,jk->ik" is a matrix product.

    Each term of `equation` names the axes of an operand by letters; letters that are alike run together, also
    within a term: "ii->i" is a diagonal. Without -> the letters that stand once, in order, are the output. Sizes
    of one letter are equal: there is no broadcasting, and no "...".
    Shape: xs[0] [i, j], xs[1] [j, k] -> y [i, k] for "ij,jk->ik".
    Gradient: dx = g and the other operands in an einsum for the letters of x; letters that x alone has repeat it,
    and off a diagonal it is 0.
    Source: torch.einsum, https://docs.pytorch.org/docs/stable/generated/torch.einsum.html
    """

    operands = ("*xs",)
    analytic = True
    equation: str

    def __post_init__(self) -> None:
        require("..." not in self.equation, "equation", "an equation names every axis; ... is not supported")
        text = self.equation.replace(" ", "")
        known = re.fullmatch(r"[A-Za-z]+(,[A-Za-z]+)*(->[A-Za-z]*)?", text) is not None
        require(known, "equation", "an equation is one or more letters for each operand, as in ij,jk->ik")
        terms, out = self.sides
        for letter in out:
            found = any(letter in term for term in terms)
            require(found, "equation", f"no operand has the axis {letter} of the output")
            require(out.count(letter) == 1, "equation", f"the output names the axis {letter} twice")

    @cached_property
    def sides(self) -> tuple[tuple[str, ...], str]:
        """The terms of the operands, and that of the output."""
        left, arrow, right = self.equation.replace(" ", "").partition("->")
        letters = left.replace(",", "")
        alone = "".join(sorted(c for c in letters if letters.count(c) == 1))
        return tuple(left.split(",")), right if arrow else alone

    def _sizes(self, *xs: Shape) -> dict[str, AnyDim]:
        terms, _ = self.sides
        many = f"the equation has {len(terms)} terms for {len(xs)} operands"
        require(len(terms) == len(xs), "equation", many)
        sizes: dict[str, AnyDim] = {}
        for name, term, x in zip(self.operand_names(len(xs)), terms, xs, strict=True):
            fits = len(term) == len(x)
            require(fits, name, f"{name} is {show(x)}, but {term} has {len(term)} letters")
            for letter, n in zip(term, x, strict=True):
                held = sizes.setdefault(letter, n)
                require(same(held, n), name, f"the axis {letter} has {held}, but {n} in {name}, {show(x)}")
        return sizes

    def dtype(self, *xs: str) -> str | tuple[str, ...]:
        require(len(xs) > 0, "xs", "einsum takes at least one tensor")
        return super().dtype(*xs)

    def shape(self, *xs: Shape) -> Shape:
        sizes = self._sizes(*xs)
        return tuple(sizes[letter] for letter in self.sides[1])

    def forward(self, *xs: Array) -> Array:
        self._sizes(*(x.shape for x in xs))
        return np.asarray(np.einsum(self._text, *xs, optimize=True))

    def vjp(self, g: Array, y: Array, *xs: Array) -> tuple[Array, ...]:
        return tuple(self._back(i, g, xs) for i in range(len(xs)))

    def _back(self, i: int, g: Array, xs: tuple[Array, ...]) -> Array:
        """The gradient of operand i."""
        terms, out = self.sides
        x, term = xs[i], terms[i]
        factors = [(out, g), *(pair for j, pair in enumerate(zip(terms, xs, strict=True)) if j != i)]
        known = "".join(named for named, _ in factors)
        own = "".join(dict.fromkeys(term))
        held = "".join(c for c in own if c in known)
        made = _product(factors, held)
        if len(held) < len(own):  # axes that x alone has
            sizes = {c: x.shape[term.index(c)] for c in own}
            made = made.reshape(tuple(sizes[c] if c in held else 1 for c in own))
            made = expand(made, tuple(sizes[c] for c in own))
        return made if own == term else _on_diagonals(made, own, x, term)

    @property
    def _text(self) -> str:
        """The equation in full."""
        terms, out = self.sides
        return f"{','.join(terms)}->{out}"

    def flops(self, y: Shape, *xs: Shape) -> Any:
        every = prod(self._sizes(*xs).values())
        return every * (len(xs) - 1 + self._sums)

    def macs(self, y: Shape, *xs: Shape) -> Any:
        return prod(self._sizes(*xs).values()) if self._sums and len(xs) > 1 else 0

    @property
    def _sums(self) -> bool:
        """Whether a letter is summed over."""
        terms, out = self.sides
        return any(letter not in out for term in terms for letter in term)

    def torch(self, *xs: Operand) -> Code:
        return call("torch.einsum", Hole(self._text, "equation"), *xs)

    def onnx(self, graph: Graph, *xs: Operand) -> Any:
        return graph.node("Einsum", *xs, equation=self._text)

    samples = (
        sample((2, 3), (3, 4), equation="ij,jk->ik", flops=48, macs=24),
        sample((2, 3, 4), (2, 4, 5), equation="bij, bjk -> bik"),
        sample((2, 3, 2, 4), (2, 3, 5, 4), equation="nhqd,nhkd->nhqk"),
        sample((2, 3), (4, 3), equation="ij,kj"),
        sample((3,), (4,), equation="i,j->ij", flops=12),
        sample((3,), (3,), equation="i,i->"),
        sample((2, 3), equation="ij->ji", flops=0),
        sample((2, 3, 4), equation="ijk->j"),
        sample((2, 3), equation="ij->"),
        sample((3, 3), equation="ii->i"),
        sample((3, 3), equation="ii"),
        sample((3, 2, 3), (3, 2), equation="iji,ij->j"),
        sample((2, 3), (3, 4), (4, 2), equation="ab,bc,cd->ad"),
        sample((2, 3), (2, 3), (2,), equation="ij,ij,i->j"),
        sample((2, 3), (4,), equation="ij,k->i"),
        sample((1, 3), (3, 1), equation="XY,YZ->ZX"),
        sample((2, 3), equation="...j->j", rejects="equation", without=("torch",)),  # torch has ...
        sample((2, 3), equation="i1->i", rejects="equation"),
        sample((2, 3), equation="ij->i->j", rejects="equation"),
        sample((2, 3), equation="ij->k", rejects="equation"),
        sample((2, 3), equation="ij->ii", rejects="equation"),
        sample((2, 3), equation="ij,jk->ik", rejects="equation"),
        sample((2, 3), (3, 4), equation="ij->ij", rejects="equation"),
        sample((2, 3), (3, 4, 5), equation="ij,jk->ik", rejects="xs[1]"),
        sample((2, 3), (4, 5), equation="ij,jk->ik", rejects="xs[1]"),
        # torch broadcasts an axis of 1
        sample((2, 3), (1, 4), equation="ij,jk->ik", rejects="xs[1]", without=("torch",)),
        sample((2, 3), equation="ii->i", rejects="xs[0]"),
        sample((), (3,), equation=",i->i", rejects="equation", without=("torch",)),  # torch multiplies
        sample(equation="i->i", rejects="xs"),
        sample(integers((2, 3), 9), equation="ij->ji", rejects="xs[0]", without=("torch",)),  # torch: any
    )


def _product(factors: list[tuple[str, Array]], wanted: str) -> Array:
    """The factors multiplied and summed to the letters wanted."""
    scalars = [x for term, x in factors if not term]
    rest = [(term, x) for term, x in factors if term]
    if not rest:
        made = scalars.pop()
    elif len(rest) == 1 and rest[0][0] == wanted:
        made = rest[0][1]
    else:
        equation = f"{','.join(term for term, _ in rest)}->{wanted}"
        made = function("einsum", *(x for _, x in rest), equation=equation)
    for scalar in scalars:
        made = made * scalar
    return made


def _on_diagonals(g: Array, own: str, x: Array, term: str) -> Array:
    """g over the letters `own` laid into the shape of x, whose term repeats some of them."""
    spare = iter(c for c in LETTERS if c not in own)
    full, masks = "", []
    for axis, letter in enumerate(term):
        if letter not in full:
            full += letter
            continue
        full += next(spare)
        n, at = x.shape[axis], function("positions", x, axis=axis)
        masks.append((letter + full[-1], cast(equal(at.reshape((n, 1)), at.reshape((1, n))), g)))
    equation = f"{','.join((own, *(named for named, _ in masks)))}->{full}"
    return function("einsum", g, *(mask for _, mask in masks), equation=equation)
