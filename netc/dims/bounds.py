"""Turns a dimension into a number that it never falls below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import gcd, prod

from netc.budget import spend
from netc.dims.fact import Fact, Facts
from netc.dims.growth import falls_forever
from netc.dims.polynomial import (
    AnyDim,
    Atom,
    Dim,
    Monomial,
    Quotient,
    Size,
    Unwieldy,
    names,
    polynomial,
    terms_of,
)

EFFORT = 4096  # terms looked at for one bound, once for each of their sizes; what is not settled by then has no bound that is known


@dataclass
class _Search:
    """The bounds that one question has led to. left: how many terms may still be looked at."""

    facts: Facts
    held: dict[Dim, int | None] = field(default_factory=dict)
    left: int = EFFORT

    def bound(self, dim: AnyDim) -> int | None:
        if isinstance(dim, int):
            return dim
        if dim in self.held:
            return self.held[dim]
        self.left -= len(dim.terms) * len(names(dim))
        if self.left < 0:
            return None
        self.held[dim] = None  # while it is sought
        self.held[dim] = least = _bound(self, dim)
        return least


def lower_bound(dim: AnyDim, facts: Facts) -> int | None:
    """A number that `dim` never falls below, given what is known of each size (at least 1 where absent)."""
    if isinstance(dim, int):
        return dim
    search = _Search(facts)
    try:
        return search.bound(dim)
    except Unwieldy:
        return None
    finally:
        spend((EFFORT - search.left) // 4)


def _bound(search: _Search, dim: Dim) -> int | None:
    bounds = {atom: _atom_bound(search, atom) for monomial, _ in dim.terms for atom in monomial}
    if any(bound is None for bound in bounds.values()):
        return None
    if all(c >= 0 for m, c in dim.terms if m) and all(
        bound >= 0 for bound in bounds.values() if bound is not None
    ):
        return sum(c * prod(bounds[atom] or 0 for atom in m) for m, c in dim.terms)
    if falls_forever(dim, search.facts):
        return None
    if len(parts := _apart(dim)) > 1:
        return _bound_of_sum(search, parts)
    least, within = _shifted_bound(search, dim, bounds)
    if least is None:
        least = _bound_without_quotient(search, dim)
    if least is None:
        least = _bound_of_factors(search, dim)
    return max((b for b in (least, within) if b is not None), default=None)


def _apart(dim: Dim) -> list[AnyDim]:
    """The parts of a sum that share no size, so that each is least on its own."""
    parts: list[tuple[set[str], dict[Monomial, int]]] = []
    for monomial, coefficient in dim.terms:
        own = names(Dim(((monomial, 1),))) if monomial else set()
        joined = {monomial: coefficient}
        for part in [p for p in parts if p[0] & own]:
            own, joined = own | part[0], part[1] | joined
            parts.remove(part)
        parts.append((own, joined))
    return [polynomial(terms) for _, terms in parts]


def _bound_of_sum(search: _Search, parts: list[AnyDim]) -> int | None:
    total = 0
    for part in parts:
        least = search.bound(part)
        if least is None:
            return None
        total += least
    return total


def upper_bound(dim: AnyDim, facts: Facts) -> int | None:
    """A number that `dim` never rises above."""
    bound = lower_bound(-dim, facts)
    return None if bound is None else -bound


def _shifted_bound(
    search: _Search, dim: Dim, bounds: Mapping[Atom, int | None]
) -> tuple[int | None, int | None]:
    """The bound where each atom is its bound and a rest of at least 0: exact where no term with a rest is negative.

    Else the second, by what the rests of negative terms never rise above.
    """
    shifted: AnyDim = 0
    atoms: dict[Atom, Atom] = {}
    for monomial, coefficient in dim.terms:
        term: AnyDim = coefficient
        for atom in monomial:
            rest: Atom = Size(f"{atom.key}")
            atoms[rest] = atom
            term = term * (Dim((((rest,), 1),)) + (bounds[atom] or 0))
        shifted = shifted + term
    terms = dict(terms_of(shifted))
    least = terms.pop((), 0)
    negative = {monomial: c for monomial, c in terms.items() if c < 0}
    if not negative:
        return least, None
    for monomial, coefficient in negative.items():
        for part in monomial:
            limit = _atom_limit(search, atoms[part])
            if limit is None:
                return None, None
            coefficient *= limit - (bounds[atoms[part]] or 0)
        least += coefficient
    return None, least


def _bound_without_quotient(search: _Search, dim: Dim) -> int | None:
    """The bound with one floor division as the division itself: (n - d + 1) / d <= n // d <= n / d.

    One that is taken away goes first; where none is, any of those that are added.
    """
    alone = [(m[0], c) for m, c in dim.terms if len(m) == 1 and isinstance(m[0], Quotient)]
    taken = [(atom, c) for atom, c in alone if c < 0][:1]
    found: list[int] = []
    for atom, coefficient in taken or alone:
        rest = dim - Dim((((atom,), coefficient),))
        for n, d in _divisions(atom, rest):
            whole = n if coefficient < 0 else n - d + 1
            least = search.bound(rest * d + whole * coefficient)
            found += [] if least is None else [-(-least // d)]
    return max(found, default=None)


def _bound_of_factors(search: _Search, dim: Dim) -> int | None:
    """The bound of a product of two that share no size and are at least 0, as the sides of a map laid flat."""
    for name in sorted(names(dim)):
        a, b, number = _factors(dim, name)
        for sign in (1, -1) if number else ():
            low = search.bound(a * sign)
            least = search.bound(b * sign) if low is not None and low >= 0 else None
            if low is not None and least is not None and least >= 0:
                return low * least * number
    return None


def _factors(dim: Dim, name: str) -> tuple[AnyDim, AnyDim, int]:
    """a, b and a number such that dim = a b number, a of `name` and what stands in an atom with it; else 0, 0, 0.

    The table of coefficients, a row for each monomial of a, must be of rank one: row times column through one entry.
    """
    atoms = {atom: names(Dim((((atom,), 1),))) for monomial, _ in dim.terms for atom in monomial}
    own = {name}
    for _ in atoms:
        own = own.union(*(held for held in atoms.values() if held & own))
    table = {
        (tuple(a for a in m if atoms[a] <= own), tuple(a for a in m if not atoms[a] <= own)): c
        for m, c in dim.terms
    }
    (left, right), first = next(iter(table.items()))
    a = {m: c for (m, other), c in table.items() if other == right}
    b = {other: c for (m, other), c in table.items() if m == left}
    splits = len(a) * len(b) == len(table) and all(
        a.get(m, 0) * b.get(n, 0) == c * first for (m, n), c in table.items()
    )
    if not splits or set(a) == {()} or set(b) == {()}:
        return 0, 0, 0
    m, n = (gcd(*terms.values()) for terms in (a, b))
    m = m if first > 0 else -m
    left_part, right_part = (
        polynomial({k: c // by for k, c in terms.items()}) for terms, by in ((a, m), (b, n))
    )
    return left_part, right_part, abs(m * n) // abs(first)


def _divisions(atom: Atom, rest: AnyDim) -> Iterator[tuple[AnyDim, int]]:
    """What `atom` is the whole part of, as a numerator and a divisor: as it stands, and by what `rest` holds.

    (n + m d) // (k d) = (n // d + m) // k, so that the sides of a map halved twice can be told apart.
    """
    if not isinstance(atom, Quotient) or not isinstance(atom.divisor, int):
        return
    yield atom.numerator, atom.divisor
    for other in dict.fromkeys(a for monomial, _ in terms_of(rest) for a in monomial):
        if isinstance(other, Quotient) and isinstance(other.divisor, int):
            more = atom.numerator - other.numerator
            k, left = divmod(atom.divisor, other.divisor)
            if isinstance(more, int) and k > 1 and left == 0 and more % other.divisor == 0:
                yield Dim((((other,), 1),)) + more // other.divisor, k


def _atom_bound(search: _Search, atom: Atom) -> int | None:
    if isinstance(atom, Size):
        return max(1, -(-search.facts.get(atom.name, Fact(atom.name)).minimum // atom.multiple))
    bound = search.bound(atom.numerator)
    return bound // atom.divisor if bound is not None and isinstance(atom.divisor, int) else None


def _atom_limit(search: _Search, atom: Atom) -> int | None:
    """A number that `atom` never rises above."""
    if all(fact.maximum is None for fact in search.facts.values()):
        return None
    if isinstance(atom, Size):
        limit = search.facts.get(atom.name, Fact(atom.name)).maximum
        return None if limit is None else limit // atom.multiple
    low = search.bound(-atom.numerator)
    limit = None if low is None else -low
    return limit // atom.divisor if limit is not None and isinstance(atom.divisor, int) else None
