"""Polynomials in named sizes with floor division, in one normal form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import gcd
from typing import TypeAlias

from netc.budget import spend

TERMS = 64  # of a polynomial
DEGREE = 64  # factors of a term
WEIGHT = 256  # sizes within a floor division
COEFFICIENT = 2**63


class Unwieldy(ArithmeticError):
    """A size whose formula passes the limits above."""


@dataclass(frozen=True)
class Size:
    """The atom of a named size: the size divided by `multiple`, which is known to divide it."""

    name: str
    multiple: int = 1

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.name, self.multiple))

    @cached_property
    def key(self) -> tuple[int, str]:
        return (0, self.name)


@dataclass(frozen=True)
class Quotient:
    """The atom of a floor division that no rule could carry out."""

    numerator: Dim
    divisor: int | Dim

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash((self.numerator, self.divisor))

    @cached_property
    def key(self) -> tuple[int, str]:
        return (1, f"{self.numerator}//{self.divisor}")

    @cached_property
    def weight(self) -> int:
        """How many sizes stand in it."""
        atoms = (
            a for dim in (self.numerator, self.divisor) for monomial, _ in terms_of(dim) for a in monomial
        )
        return sum(1 if isinstance(a, Size) else a.weight for a in atoms)


Atom: TypeAlias = Size | Quotient
Monomial: TypeAlias = tuple[Atom, ...]
Terms: TypeAlias = tuple[tuple[Monomial, int], ...]


@dataclass(frozen=True, eq=False)
class Dim:
    """A polynomial that is not a constant: monomials with their coefficients, in a fixed order."""

    terms: Terms
    _hash: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_hash", hash(self.terms))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Dim) and self.terms == other.terms)

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: AnyDim) -> AnyDim:
        return _sum(terms_of(self), terms_of(other))

    __radd__ = __add__

    def __neg__(self) -> AnyDim:
        return self * -1

    def __sub__(self, other: AnyDim) -> AnyDim:
        return self + other * -1

    def __rsub__(self, other: AnyDim) -> AnyDim:
        return self * -1 + other

    def __mul__(self, other: AnyDim) -> AnyDim:
        if isinstance(other, int):
            return polynomial({m: c * other for m, c in self.terms})
        return _product(self.terms, other.terms)

    __rmul__ = __mul__

    def __pow__(self, exponent: int) -> AnyDim:
        if not isinstance(exponent, int) or not 0 <= exponent <= 8:
            raise ValueError("a size can be raised to a power from 0 to 8 only")
        out: AnyDim = 1
        for _ in range(exponent):
            out = out * self
        return out

    def __floordiv__(self, other: AnyDim) -> AnyDim:
        return _divide(self, other)

    def __rfloordiv__(self, other: int) -> AnyDim:
        return _divide(other, self)

    def __mod__(self, other: AnyDim) -> AnyDim:
        return self - (self // other) * other

    def __rmod__(self, other: int) -> AnyDim:
        return other - (other // self) * self

    def __str__(self) -> str:
        text = ""
        for monomial, coefficient in sorted(self.terms, key=lambda t: not t[0]):
            sign, part = _show_term(monomial, coefficient)
            text += f" {sign} {part}" if text else ("-" if sign == "-" else "") + part
        return text

    __repr__ = __str__


AnyDim: TypeAlias = int | Dim
Shape: TypeAlias = tuple[AnyDim, ...]


def size(name: str, multiple: int = 1) -> Dim:
    """The named size `name`, known to be a multiple of `multiple`."""
    return Dim((((Size(name, multiple),), multiple),))


def ceil_divide(a: AnyDim, b: AnyDim) -> AnyDim:
    """a / b, rounded up."""
    return -(-a // b)


def show(shape: Shape) -> str:
    """A shape as a spec writes it: [N, 3, H, W]."""
    return f"[{', '.join(map(str, shape))}]"


def names(dim: AnyDim) -> set[str]:
    """The names of the sizes that `dim` depends on."""
    return {atom.name for atom in sizes_of(dim)}


def substitute(dim: AnyDim, values: Mapping[str, AnyDim]) -> AnyDim:
    """`dim` with each named size replaced by its value, all at once; other names stay."""
    if isinstance(dim, int) or not values:
        return dim
    out: AnyDim = 0
    for monomial, coefficient in dim.terms:
        term: AnyDim = coefficient
        for atom in monomial:
            term = term * _substitute_atom(atom, values)
        out = out + term
    return out


def terms_of(dim: AnyDim) -> Terms:
    return dim.terms if isinstance(dim, Dim) else (((), dim),)


def _key(monomial: Monomial) -> tuple[int, tuple[tuple[int, str], ...]]:
    return (-len(monomial), tuple(atom.key for atom in monomial))


def polynomial(terms: Mapping[Monomial, int]) -> AnyDim:
    """The sum of monomials, each with its coefficient."""
    spend(len(terms) // 2)
    kept = {m: c for m, c in terms.items() if c}
    if not kept:
        return 0
    if len(kept) == 1 and () in kept:
        return kept[()]
    if len(kept) > TERMS or any(len(m) > DEGREE or abs(c) >= COEFFICIENT for m, c in kept.items()):
        raise Unwieldy("its formula in the named sizes is too long")
    return Dim(tuple(sorted(kept.items(), key=lambda t: _key(t[0]))))


def _sum(a: Terms, b: Terms) -> AnyDim:
    out = dict(a)
    for monomial, coefficient in b:
        out[monomial] = out.get(monomial, 0) + coefficient
    return polynomial(out)


def _product(a: Terms, b: Terms) -> AnyDim:
    spend(len(a) * len(b) * (2 + (len(a[0][0]) + len(b[0][0])) // 4))
    out: dict[Monomial, int] = {}
    for m, c in a:
        for n, d in b:
            monomial = tuple(sorted(m + n, key=lambda atom: atom.key))
            out[monomial] = out.get(monomial, 0) + c * d
    return polynomial(out)


def _divide(a: AnyDim, b: AnyDim) -> AnyDim:
    if isinstance(b, Dim):
        return _divide_by_symbol(a, b)
    if b <= 0:
        raise ZeroDivisionError("a size can be divided by a positive number only")
    if isinstance(a, int):
        return a // b
    whole = polynomial({m: c // b for m, c in a.terms})
    rest = polynomial({m: c % b for m, c in a.terms})
    return whole + _small_quotient(rest, b)


def _small_quotient(rest: AnyDim, divisor: int) -> AnyDim:
    """rest // divisor where each coefficient of `rest` is in [0, divisor)."""
    if isinstance(rest, int):
        return rest // divisor
    constant = dict(rest.terms).get((), 0)
    variable = rest - constant
    common = gcd(divisor, *(c for _, c in terms_of(variable)))
    if common > 1:  # floor((g a + r) / (g b)) = floor((a + floor(r / g)) / b)
        reduced = polynomial({m: c // common for m, c in terms_of(variable)})
        return (reduced + constant // common) // (divisor // common)
    (monomial, coefficient), *others = terms_of(variable)
    inner = monomial[0]
    if (
        coefficient == 1
        and not others
        and len(monomial) == 1
        and isinstance(inner, Quotient)
        and isinstance(inner.divisor, int)
    ):  # floor((floor(x / a) + r) / b) = floor((x + r a) / (a b))
        return (inner.numerator + constant * inner.divisor) // (inner.divisor * divisor)
    return _quotient(rest, divisor)


def _quotient(numerator: Dim, divisor: int | Dim) -> Dim:
    made = Quotient(numerator, divisor)
    if made.weight > WEIGHT:
        raise Unwieldy("its formula in the named sizes is too long")
    return Dim((((made,), 1),))


def _divide_by_symbol(a: AnyDim, b: Dim) -> AnyDim:
    if a == b:
        return 1
    if len(b.terms) == 1 and isinstance(a, Dim):
        ((below, k),) = b.terms
        quotient: dict[Monomial, int] = {}
        for monomial, c in a.terms:
            left = list(monomial)
            for atom in below:
                if atom not in left:
                    return _quotient(a, b)
                left.remove(atom)
            quotient[tuple(left)] = c
        return _divide(polynomial(quotient), k)
    if isinstance(a, int):
        if a == 0:
            return 0
        raise ValueError(f"{a} cannot be divided by {b}, which is unknown")
    return _quotient(a, b)


def sizes_of(dim: AnyDim) -> Iterator[Size]:
    for monomial, _ in terms_of(dim):
        for atom in monomial:
            if isinstance(atom, Size):
                yield atom
            else:
                yield from sizes_of(atom.numerator)
                yield from sizes_of(atom.divisor)


def _substitute_atom(atom: Atom, values: Mapping[str, AnyDim]) -> AnyDim:
    if isinstance(atom, Size):
        if atom.name not in values:
            return Dim((((atom,), 1),))
        return values[atom.name] // atom.multiple
    return substitute(atom.numerator, values) // substitute(atom.divisor, values)


def _show_term(monomial: Monomial, coefficient: int) -> tuple[str, str]:
    """The sign and the text of one term; a size known in units of its multiple shows as a fraction."""
    under = 1
    for atom in monomial:
        under *= atom.multiple if isinstance(atom, Size) else 1
    common = gcd(coefficient, under)
    top, under = abs(coefficient) // common, under // common
    factors = [_show_atom(atom) for atom in monomial]
    if not factors or top != 1:
        factors = [str(top), *(f"({f})" if "//" in f else f for f in factors)]
    elif len(factors) > 1:
        factors = [f"({f})" if "//" in f else f for f in factors]
    text = "*".join(factors) + (f"/{under}" if under > 1 else "")
    return ("-" if coefficient < 0 else "+"), text


def _show_atom(atom: Atom) -> str:
    if isinstance(atom, Size):
        return atom.name
    above, below = atom.numerator, atom.divisor
    if isinstance(above, Dim) and len(above.terms) == 1 and isinstance(below, int):
        ((monomial, coefficient),) = above.terms
        if coefficient == 1 and len(monomial) == 1 and isinstance(monomial[0], Size):
            return f"{monomial[0].name}//{monomial[0].multiple * below}"
    return f"({above})//{below if isinstance(below, int) else f'({below})'}"
