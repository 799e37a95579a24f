"""A dimension: an int, or a polynomial in named sizes with floor division.

Arithmetic gives an int wherever the result is known, so one rule serves symbols and numbers. Whether
two dimensions are equal is not `==`, which compares what is written, but a question to the prover in
charge (`same`, `at_least`, `divides`): a block's sizes are symbols to its own shapes and yet have the
values that the caller gives. Every size is at least 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from math import gcd, lcm, prod
from typing import Any, TypeAlias


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

    @cached_property
    def key(self) -> tuple[int, str]:
        return (0, self.name)


@dataclass(frozen=True)
class Quotient:
    """The atom of a floor division that no rule could carry out."""

    numerator: Dim
    divisor: int | Dim

    @cached_property
    def key(self) -> tuple[int, str]:
        return (1, f"{self.numerator}//{self.divisor}")

    @cached_property
    def weight(self) -> int:
        """How many sizes stand in it."""
        atoms = (a for dim in (self.numerator, self.divisor) for monomial, _ in _terms(dim) for a in monomial)
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
        return _sum(_terms(self), _terms(other))

    __radd__ = __add__

    def __neg__(self) -> AnyDim:
        return self * -1

    def __sub__(self, other: AnyDim) -> AnyDim:
        return self + other * -1

    def __rsub__(self, other: AnyDim) -> AnyDim:
        return self * -1 + other

    def __mul__(self, other: AnyDim) -> AnyDim:
        if isinstance(other, int):
            return _make({m: c * other for m, c in self.terms})
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
    return {atom.name for atom in _sizes(dim)}


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


def lower_bound(dim: AnyDim, minimums: Mapping[str, int]) -> int | None:
    """A number that `dim` never falls below, given the least value of each size (1 where absent)."""
    if isinstance(dim, int):
        return dim
    bounds = {atom: _atom_bound(atom, minimums) for monomial, _ in dim.terms for atom in monomial}
    if any(bound is None for bound in bounds.values()):
        return None
    if all(c >= 0 for m, c in dim.terms if m) and all(bound >= 0 for bound in bounds.values() if bound is not None):
        return sum(c * prod(bounds[atom] or 0 for atom in m) for m, c in dim.terms)
    least = _shifted_bound(dim, bounds)
    return least if least is not None else _bound_without_quotient(dim, minimums)


def _shifted_bound(dim: Dim, bounds: Mapping[Atom, int | None]) -> int | None:
    """Each atom is its bound and a rest of at least 0; where no term with a rest is negative, the least is without."""
    shifted: AnyDim = 0
    for monomial, coefficient in dim.terms:
        term: AnyDim = coefficient
        for atom in monomial:
            term = term * (Dim((((Size(f"{atom.key}"),), 1),)) + (bounds[atom] or 0))
        shifted = shifted + term
    terms = dict(_terms(shifted))
    least = terms.pop((), 0)
    return least if all(c >= 0 for c in terms.values()) else None


def _bound_without_quotient(dim: Dim, minimums: Mapping[str, int]) -> int | None:
    """A floor division that is taken away is at most the division itself: -c (n // d) >= -c n / d."""
    for monomial, coefficient in dim.terms:
        (atom, *others) = monomial or (None,)
        if coefficient < 0 and isinstance(atom, Quotient) and isinstance(atom.divisor, int) and not others:
            rest = dim - Dim(((monomial, coefficient),))
            least = lower_bound(rest * atom.divisor + atom.numerator * coefficient, minimums)
            return None if least is None else -(-least // atom.divisor)
    return None


# -- the normal form ------------------------------------------------------------------------------


def _terms(dim: AnyDim) -> Terms:
    return dim.terms if isinstance(dim, Dim) else (((), dim),)


def _key(monomial: Monomial) -> tuple[int, tuple[tuple[int, str], ...]]:
    return (-len(monomial), tuple(atom.key for atom in monomial))


def _make(terms: Mapping[Monomial, int]) -> AnyDim:
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
    return _make(out)


def _product(a: Terms, b: Terms) -> AnyDim:
    out: dict[Monomial, int] = {}
    for m, c in a:
        for n, d in b:
            monomial = tuple(sorted(m + n, key=lambda atom: atom.key))
            out[monomial] = out.get(monomial, 0) + c * d
    return _make(out)


def _divide(a: AnyDim, b: AnyDim) -> AnyDim:
    if isinstance(b, Dim):
        return _divide_by_symbol(a, b)
    if b <= 0:
        raise ZeroDivisionError("a size can be divided by a positive number only")
    if isinstance(a, int):
        return a // b
    whole = _make({m: c // b for m, c in a.terms})
    rest = _make({m: c % b for m, c in a.terms})
    return whole + _small_quotient(rest, b)


def _small_quotient(rest: AnyDim, divisor: int) -> AnyDim:
    """rest // divisor where each coefficient of `rest` is in [0, divisor)."""
    if isinstance(rest, int):
        return rest // divisor
    constant = dict(rest.terms).get((), 0)
    variable = rest - constant
    common = gcd(divisor, *(c for _, c in _terms(variable)))
    if common > 1:  # floor((g a + r) / (g b)) = floor((a + floor(r / g)) / b)
        reduced = _make({m: c // common for m, c in _terms(variable)})
        return (reduced + constant // common) // (divisor // common)
    (monomial, coefficient), *others = _terms(variable)
    inner = monomial[0]
    if coefficient == 1 and not others and len(monomial) == 1 and isinstance(inner, Quotient) \
            and isinstance(inner.divisor, int):  # floor((floor(x / a) + r) / b) = floor((x + r a) / (a b))
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
        (below, k), = b.terms
        quotient: dict[Monomial, int] = {}
        for monomial, c in a.terms:
            left = list(monomial)
            for atom in below:
                if atom not in left:
                    return _quotient(a, b)
                left.remove(atom)
            quotient[tuple(left)] = c
        return _divide(_make(quotient), k)
    if isinstance(a, int):
        if a == 0:
            return 0
        raise ValueError(f"{a} cannot be divided by {b}, which is unknown")
    return _quotient(a, b)


def _sizes(dim: AnyDim) -> Iterator[Size]:
    for monomial, _ in _terms(dim):
        for atom in monomial:
            if isinstance(atom, Size):
                yield atom
            else:
                yield from _sizes(atom.numerator)
                yield from _sizes(atom.divisor)


def _substitute_atom(atom: Atom, values: Mapping[str, AnyDim]) -> AnyDim:
    if isinstance(atom, Size):
        if atom.name not in values:
            return Dim((((atom,), 1),))
        return values[atom.name] // atom.multiple
    return substitute(atom.numerator, values) // substitute(atom.divisor, values)


def _atom_bound(atom: Atom, minimums: Mapping[str, int]) -> int | None:
    if isinstance(atom, Size):
        return max(1, -(-minimums.get(atom.name, 1) // atom.multiple))
    bound = lower_bound(atom.numerator, minimums)
    return bound // atom.divisor if bound is not None and isinstance(atom.divisor, int) else None


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
        (monomial, coefficient), = above.terms
        if coefficient == 1 and len(monomial) == 1 and isinstance(monomial[0], Size):
            return f"{monomial[0].name}//{monomial[0].multiple * below}"
    return f"({above})//{below if isinstance(below, int) else f'({below})'}"


# -- questions ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fact:
    """What must hold of a free size for the network to be right: a multiple of, and at least."""

    name: str
    multiple: int = 1
    minimum: int = 1

    def __str__(self) -> str:
        if self.multiple > 1:
            return f"{self.name} % {self.multiple} == 0"
        return f"{self.name} >= {self.minimum}"


class Learn(Exception):
    """A question whose answer is yes for every size that meets `fact`, which is not known yet."""

    def __init__(self, fact: Fact) -> None:
        super().__init__(str(fact))
        self.fact = fact
        self.span: Any = None  # where the question came up; the driver fills it in


@dataclass(frozen=True)
class Guard:
    """A question that the caller's sizes decided, and its answer: it holds for callers that answer alike."""

    question: str  # "zero", "least" (dim >= number), "value", or "known" (whether it has a value)
    dim: AnyDim
    answer: object
    number: int = 0


@dataclass
class Prover:
    """Answers questions on a block's dimensions.

    given: what each of the block's own sizes is, in the free sizes of the net.
    minimums: the least value of each free size.
    guards: the questions that the symbols alone did not answer, with the answers.
    undecided: the last question that could not be answered for every free size.
    """

    given: Mapping[str, AnyDim] = field(default_factory=dict)
    minimums: Mapping[str, int] = field(default_factory=dict)
    guards: dict[Guard, None] = field(default_factory=dict)
    undecided: AnyDim | None = None

    def ask(self, question: str, dim: AnyDim, number: int = 0) -> object:
        """True, False or a value; None where it depends on a size that is free."""
        if isinstance(dim, int):
            return _answer(question, dim, number, self.minimums)
        answer = _answer(question, dim, number, {})
        if answer is None:
            answer = _answer(question, substitute(dim, self.given), number, self.minimums)
            self.guards[Guard(question, dim, answer, number)] = None
            if answer is None:
                self.undecided = substitute(dim, self.given)
        return answer


def _answer(question: str, dim: AnyDim, number: int, minimums: Mapping[str, int]) -> object:
    if question == "value":
        return dim if isinstance(dim, int) else None
    if question == "known":
        return isinstance(dim, int) or None
    if question == "zero" and isinstance(dim, int):
        return dim == 0
    low = lower_bound(dim, minimums)
    if question == "zero":
        return False if (low or 0) > 0 or (lower_bound(-dim, minimums) or 0) > 0 else None
    if low is not None and low >= number:
        return True
    high = lower_bound(-dim, minimums)
    return False if high is not None and -high < number else None


_prover: ContextVar[Prover] = ContextVar("_prover")


def prover() -> Prover:
    """The prover in charge; without one, an empty one, which knows symbols only."""
    return _prover.get(None) or Prover()


@contextmanager
def proving(with_prover: Prover) -> Iterator[Prover]:
    """Puts `with_prover` in charge."""
    token = _prover.set(with_prover)
    try:
        yield with_prover
    finally:
        _prover.reset(token)


def decide(question: str, dim: AnyDim, number: int = 0) -> object:
    """The answer, or None where it depends on a free size; nothing is learnt."""
    return prover().ask(question, dim, number)


def value(dim: AnyDim) -> int | None:
    """The number that `dim` is, or None where it depends on a free size."""
    answer = decide("value", dim)
    return answer if isinstance(answer, int) else None


def same(a: AnyDim, b: AnyDim) -> bool:
    """Whether a and b must be equal: what a shape rule requires, so a divisibility may be learnt for it."""
    if a is b or a == b:
        return True
    answer = decide("zero", a - b)
    if answer is None:
        _learn_multiple(substitute(a - b, prover().given))
    return answer is True


def divides(k: AnyDim, dim: AnyDim) -> bool:
    """Whether `dim` must be a multiple of k, learnt where it may be."""
    return same(dim % k, 0)


def at_least(dim: AnyDim, number: int) -> bool:
    """Whether `dim` must be at least `number`; the least size for it is learnt where there is one."""
    answer = decide("least", dim, number)
    if answer is None:
        _learn_minimum(substitute(dim, prover().given), number)
    return answer is True


def _single_size(dim: AnyDim) -> Size | None:
    sizes = set(_sizes(dim))
    return sizes.pop() if len(sizes) == 1 else None


def _learn_multiple(difference: AnyDim) -> None:
    """Raises Learn where a multiple of one free size makes `difference` zero."""
    for atom in sorted(set(_sizes(difference)), key=lambda a: a.key):
        for k in _candidates(difference):
            whole = atom.multiple * k
            if substitute(difference, {atom.name: size(atom.name, whole)}) == 0:
                raise Learn(Fact(atom.name, multiple=whole))


def _candidates(dim: AnyDim) -> list[int]:
    """The divisors, from 2, of the least common multiple of all divisors within `dim`."""
    every = lcm(*_divisors(dim))
    return [k for k in range(2, min(every, 4096) + 1) if every % k == 0]


def _divisors(dim: AnyDim) -> Iterator[int]:
    for monomial, _ in _terms(dim):
        for atom in monomial:
            if isinstance(atom, Quotient):
                yield from _divisors(atom.numerator)
                if isinstance(atom.divisor, int):
                    yield atom.divisor


def _learn_minimum(dim: AnyDim, number: int) -> None:
    """Raises Learn where a least value of the one free size makes `dim` at least `number`."""
    atom = _single_size(dim)
    if atom is None:
        return

    def holds(least: int) -> bool:
        bound = lower_bound(dim, {atom.name: least})
        return bound is not None and bound >= number

    if (least := _first(holds, 2**31)) is not None:
        raise Learn(Fact(atom.name, minimum=least))


def _first(holds: Callable[[int], bool], limit: int) -> int | None:
    """The least number for which `holds`, which once true stays true; None where none is below `limit`."""
    if not holds(limit):
        return None
    low, high = 0, limit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
