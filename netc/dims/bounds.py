"""Turns a dimension into a number that it never falls below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import gcd, prod

from netc.dims.polynomial import AnyDim, Atom, Dim, Monomial, Quotient, Size, names, terms_of


def lower_bound(dim: AnyDim, minimums: Mapping[str, int]) -> int | None:
    """A number that `dim` never falls below, given the least value of each size (1 where absent)."""
    if isinstance(dim, int):
        return dim
    bounds = {atom: _atom_bound(atom, minimums) for monomial, _ in dim.terms for atom in monomial}
    if any(bound is None for bound in bounds.values()):
        return None
    if all(c >= 0 for m, c in dim.terms if m) and all(
        bound >= 0 for bound in bounds.values() if bound is not None
    ):
        return sum(c * prod(bounds[atom] or 0 for atom in m) for m, c in dim.terms)
    least = _shifted_bound(dim, bounds)
    if least is None:
        least = _bound_without_quotient(dim, minimums)
    return least if least is not None else _bound_of_factors(dim, minimums)


def _shifted_bound(dim: Dim, bounds: Mapping[Atom, int | None]) -> int | None:
    """Each atom is its bound and a rest of at least 0; where no term with a rest is negative, the least is without."""
    shifted: AnyDim = 0
    for monomial, coefficient in dim.terms:
        term: AnyDim = coefficient
        for atom in monomial:
            term = term * (Dim((((Size(f"{atom.key}"),), 1),)) + (bounds[atom] or 0))
        shifted = shifted + term
    terms = dict(terms_of(shifted))
    least = terms.pop((), 0)
    return least if all(c >= 0 for c in terms.values()) else None


def _bound_without_quotient(dim: Dim, minimums: Mapping[str, int]) -> int | None:
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
            least = lower_bound(rest * d + whole * coefficient, minimums)
            found += [] if least is None else [-(-least // d)]
    return max(found, default=None)


def _bound_of_factors(dim: Dim, minimums: Mapping[str, int]) -> int | None:
    """The bound of a product of two that share no size and are at least 0, as the sides of a map laid flat."""
    for name in sorted(names(dim)):
        a, b, number = _factors(dim, name)
        for sign in (1, -1) if number else ():
            low, least = lower_bound(a * sign, minimums), lower_bound(b * sign, minimums)
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


def _atom_bound(atom: Atom, minimums: Mapping[str, int]) -> int | None:
    if isinstance(atom, Size):
        return max(1, -(-minimums.get(atom.name, 1) // atom.multiple))
    bound = lower_bound(atom.numerator, minimums)
    return bound // atom.divisor if bound is not None and isinstance(atom.divisor, int) else None
