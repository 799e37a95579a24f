"""Answers questions about dimensions: by symbols, by what the caller gives, by facts that are learnt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import lcm
from typing import Any

from netc.budget import spend
from netc.dims.bounds import lower_bound, upper_bound
from netc.dims.fact import Fact, Facts
from netc.dims.polynomial import (
    AnyDim,
    Quotient,
    Size,
    Unwieldy,
    names,
    size,
    sizes_of,
    substitute,
    terms_of,
)

MULTIPLE = 4096  # the largest that is learnt at once


class Learn(Exception):
    """A question whose answer is yes for every size that meets `fact`, which is not known yet."""

    def __init__(self, fact: Fact) -> None:
        super().__init__(str(fact))
        self.fact = fact
        self.span: Any = None  # where the question came up; the driver fills it in, and
        self.beside = False  # whether only the losses ask


LIMIT = 2**31  # of a size


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
    facts: what is known of each free size.
    guards: the questions that the symbols alone did not answer, with the answers.
    """

    given: Mapping[str, AnyDim] = field(default_factory=dict)
    facts: Facts = field(default_factory=dict)
    guards: dict[Guard, None] = field(default_factory=dict)

    def ask(self, question: str, dim: AnyDim, number: int = 0) -> object:
        """True, False or a value; None where it depends on a size that is free."""
        if isinstance(dim, int):
            return _answer(question, dim, number, {})
        spend(4)
        answer = _answer(question, dim, number, {})
        if answer is None:
            answer = _answer(question, self.known(dim), number, self.facts)
            self.guards[Guard(question, dim, answer, number)] = None
        return answer

    def known(self, dim: AnyDim) -> AnyDim:
        """`dim` in the free sizes of the net, each in units of what it is known to be a multiple of."""
        here = substitute(dim, self.given)
        coarse = {
            a.name
            for a in sizes_of(here)
            if a.name in self.facts and a.multiple % self.facts[a.name].multiple
        }
        return substitute(here, {name: size(name, self.facts[name].multiple) for name in coarse})


def _answer(question: str, dim: AnyDim, number: int, facts: Facts) -> object:
    if question == "value":
        return dim if isinstance(dim, int) else None
    if question == "known":
        return isinstance(dim, int) or None
    if question == "zero" and isinstance(dim, int):
        return dim == 0
    low = lower_bound(dim, facts)
    if question == "zero":
        return _is_zero(low, upper_bound(dim, facts))
    if low is not None and low >= number:
        return True
    high = upper_bound(dim, facts)
    return False if high is not None and high < number else None


def _is_zero(low: int | None, high: int | None) -> bool | None:
    """Whether what lies between two bounds is zero, where these tell."""
    if (low or 0) > 0 or (high or 0) < 0:
        return False
    return True if low == high == 0 else None


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
    if answer is None or _by_facts(answer, a - b):
        _learn_multiple(prover().known(a - b))
    return answer is True


def divides(k: AnyDim, dim: AnyDim) -> bool:
    """Whether `dim` must be a multiple of k, learnt where it may be."""
    return same(dim % k, 0)


def at_least(dim: AnyDim, number: int) -> bool:
    """Whether `dim` must be at least `number`; the least or the largest size for it is learnt where there is one."""
    answer = decide("least", dim, number)
    if answer is None:
        _learn_bound(prover().known(dim), number, prover().facts)
    elif _by_facts(answer, dim):
        _learn_bound(prover().known(dim), number, {})
    return answer is True


def _by_facts(answer: object, dim: AnyDim) -> bool:
    """Whether facts of free sizes may be why the answer is no: what is learnt then contradicts them, and both are told."""
    asked = prover()
    return (
        answer is False and not isinstance(dim, int) and not names(asked.known(dim)).isdisjoint(asked.facts)
    )


def _single_size(dim: AnyDim) -> Size | None:
    sizes = set(sizes_of(dim))
    return sizes.pop() if len(sizes) == 1 else None


def _learn_multiple(difference: AnyDim) -> None:
    """Raises Learn where a multiple of one free size makes `difference` zero."""
    every = lcm(*_divisors(difference))
    for atom in sorted(set(sizes_of(difference)), key=lambda a: a.key):
        if _vanishes(difference, atom, every) is False:
            continue  # what holds for the multiples of k holds for those of every multiple of k
        for k in range(2, min(every, MULTIPLE) + 1):
            if every % k == 0 and _vanishes(difference, atom, k):
                raise Learn(Fact(atom.name, multiple=atom.multiple * k))


def _vanishes(difference: AnyDim, atom: Size, k: int) -> bool | None:
    """Whether `difference` is 0 for all multiples of k times what the size is a multiple of; None where k is too large."""
    try:
        return substitute(difference, {atom.name: size(atom.name, atom.multiple * k)}) == 0
    except Unwieldy:
        return None


def _divisors(dim: AnyDim) -> Iterator[int]:
    for monomial, _ in terms_of(dim):
        for atom in monomial:
            if isinstance(atom, Quotient):
                yield from _divisors(atom.numerator)
                if isinstance(atom.divisor, int):
                    yield atom.divisor


def _learn_bound(dim: AnyDim, number: int, facts: Facts) -> None:
    """Raises Learn where a least or a largest value of the one free size makes `dim` at least `number`."""
    atom = _single_size(dim)
    if atom is None:
        return
    name = atom.name
    held = facts.get(name, Fact(name))

    def holds(fact: Fact) -> bool:
        bound = lower_bound(dim, {name: held.joined(fact)})
        return bound is not None and bound >= number

    if (least := _first(lambda n: holds(Fact(name, minimum=n)), LIMIT)) is not None:
        raise Learn(Fact(name, minimum=least))
    above = _first(lambda n: not holds(Fact(name, maximum=n)), LIMIT)
    if above is not None and above > 1:
        raise Learn(Fact(name, maximum=above - 1))


def _first(holds: Callable[[int], bool], limit: int) -> int | None:
    """The least number for which `holds`, which once true stays true; None where none is below `limit`."""
    if not holds(limit):
        return None
    low, high = 0, limit
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
