"""Turns a dimension into a number that it never falls below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import gcd, prod

from netc.dims.fact import Fact, Facts
from netc.dims.polynomial import AnyDim, Atom, Dim, Monomial, Quotient, Size, names, terms_of


def lower_bound(dim: AnyDim, facts: Facts) -> int | None:
    """A number that `dim` never falls below, given what is known of each size (at least 1 where absent)."""
    if isinstance(dim, int):
        return dim
    bounds = {atom: _atom_bound(atom, facts) for monomial, _ in dim.terms for atom in monomial}
    if any(bound is None for bound in bounds.values()):
        return None
    if all(c >= 0 for m, c in dim.terms if m) and all(
        bound >= 0 for bound in bounds.values() if bound is not None
    ):
        return sum(c * prod(bounds[atom] or 0 for atom in m) for m, c in dim.terms)
    least, within = _shifted_bound(dim, bounds, facts)
    if least is None:
        least = _bound_without_quotient(dim, facts)
    if least is None:
        least = _bound_of_factors(dim, facts)
    return max((b for b in (least, within) if b is not None), default=None)


def upper_bound(dim: AnyDim, facts: Facts) -> int | None:
    """A number that `dim` never rises above."""
    bound = lower_bound(-dim, facts)
    return None if bound is None else -bound


def _shifted_bound(
    dim: Dim, bounds: Mapping[Atom, int | None], facts: Facts
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
            limit = _atom_limit(atoms[part], facts)
            if limit is None:
                return None, None
            coefficient *= limit - (bounds[atoms[part]] or 0)
        least += coefficient
    return None, least


def _bound_without_quotient(dim: Dim, facts: Facts) -> int | None:
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
            least = lower_bound(rest * d + whole * coefficient, facts)
            found += [] if least is None else [-(-least // d)]
    return max(found, default=None)


def _bound_of_factors(dim: Dim, facts: Facts) -> int | None:
    """The bound of a product of two that share no size and are at least 0, as the sides of a map laid flat."""
    for name in sorted(names(dim)):
        a, b, number = _factors(dim, name)
        for sign in (1, -1) if number else ():
            low, least = lower_bound(a * sign, facts), lower_bound(b * sign, facts)
            if low is not None and least is not None and low >= 0 and least >= 0:
                return low * least * number
    return None


def _factors(dim: Dim, name: str) -> tuple[AnyDim, AnyDim, int]:
    """a, b and a number such that dim = a b number, a of `name` and what stands in an atom with it; else 0, 0, 0.

    The table of coefficients, a row for each monomial of a, must be of rank one: row times column through one entry.
    """
    atoms = {atom: names(_sum({(atom,): 1})) for monomial, _ in dim.terms for atom in monomial}
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
    return _sum(a, m if first > 0 else -m), _sum(b, n), m * n // abs(first)


def _sum(terms: Mapping[Monomial, int], divisor: int = 1) -> AnyDim:
    total: AnyDim = 0
    for monomial, coefficient in terms.items():
        total = total + (Dim(((monomial, coefficient // divisor),)) if monomial else coefficient // divisor)
    return total


def _divisions(atom: Atom, rest: AnyDim) -> Iterator[tuple[AnyDim, int]]:
    """What `atom` is the whole part of, as a numerator and a divisor: as it stands, and by what `rest` holds.

    (n + m d) // (k d) = (n // d + m) // k, so that the sides of a map halved twice can be told apart.
    """
    if not isinstance(atom, Quotient) or not isinstance(atom.divisor, int):
        return
    yield atom.numerator, atom.divisor
    for other in {a for monomial, _ in terms_of(rest) for a in monomial}:
        if isinstance(other, Quotient) and isinstance(other.divisor, int):
            more = atom.numerator - other.numerator
            k, left = divmod(atom.divisor, other.divisor)
            if isinstance(more, int) and k > 1 and left == 0 and more % other.divisor == 0:
                yield Dim((((other,), 1),)) + more // other.divisor, k


def _atom_bound(atom: Atom, facts: Facts) -> int | None:
    if isinstance(atom, Size):
        return max(1, -(-facts.get(atom.name, Fact(atom.name)).minimum // atom.multiple))
    bound = lower_bound(atom.numerator, facts)
    return bound // atom.divisor if bound is not None and isinstance(atom.divisor, int) else None


def _atom_limit(atom: Atom, facts: Facts) -> int | None:
    """A number that `atom` never rises above."""
    if all(fact.maximum is None for fact in facts.values()):
        return None
    if isinstance(atom, Size):
        limit = facts.get(atom.name, Fact(atom.name)).maximum
        return None if limit is None else limit // atom.multiple
    limit = upper_bound(atom.numerator, facts)
    return limit // atom.divisor if limit is not None and isinstance(atom.divisor, int) else None
