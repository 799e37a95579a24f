"""Tells whether a dimension falls without end as one of its sizes grows, so that it has no least value."""

from __future__ import annotations

from fractions import Fraction
from typing import TypeAlias

from netc.dims.fact import Fact, Facts
from netc.dims.polynomial import AnyDim, Atom, Dim, Size, names, terms_of

Leading: TypeAlias = tuple[int, Fraction]  # a power and its coefficient; 0 where what leads has cancelled


class _Unknown(Exception):
    """How a quotient of two sizes grows is not told."""


def falls_forever(dim: Dim, facts: Facts) -> bool:
    """Whether the leading term of `dim` is negative for some size, with every other one at its least value."""
    endless = (name for name in names(dim) if facts.get(name, Fact(name)).maximum is None)
    return any(_falls(dim, name, facts) for name in endless)


def _falls(dim: Dim, name: str, facts: Facts) -> bool:
    try:
        power, coefficient = _leading(dim, name, facts)
    except _Unknown:
        return False
    return power > 0 and coefficient < 0


def _leading(dim: AnyDim, name: str, facts: Facts) -> Leading:
    """The leading term of `dim` in the size `name`. A floor division is one up to a constant."""
    total: dict[int, Fraction] = {0: Fraction(0)}
    for monomial, coefficient in terms_of(dim):
        power, product = 0, Fraction(coefficient)
        for atom in monomial:
            more, factor = _leading_of(atom, name, facts)
            power, product = power + more, product * factor
        total[power] = total.get(power, Fraction(0)) + product
    most = max(total)
    return most, total[most]


def _leading_of(atom: Atom, name: str, facts: Facts) -> Leading:
    if isinstance(atom, Size):
        if atom.name == name:
            return 1, Fraction(1, atom.multiple)
        return 0, Fraction(max(1, -(-facts.get(atom.name, Fact(atom.name)).minimum // atom.multiple)))
    if not isinstance(atom.divisor, int):
        raise _Unknown
    power, coefficient = _leading(atom.numerator, name, facts)
    return power, coefficient / atom.divisor if power else Fraction(coefficient // atom.divisor)
