"""Answers questions about dimensions: by symbols, by what the caller gives, by facts that are learnt."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import lcm
from typing import Any

from netc.dims.bounds import lower_bound
from netc.dims.polynomial import AnyDim, Quotient, Size, size, sizes_of, substitute, terms_of


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
    """

    given: Mapping[str, AnyDim] = field(default_factory=dict)
    minimums: Mapping[str, int] = field(default_factory=dict)
    guards: dict[Guard, None] = field(default_factory=dict)

    def ask(self, question: str, dim: AnyDim, number: int = 0) -> object:
        """True, False or a value; None where it depends on a size that is free."""
        if isinstance(dim, int):
            return _answer(question, dim, number, self.minimums)
        answer = _answer(question, dim, number, {})
        if answer is None:
            answer = _answer(question, substitute(dim, self.given), number, self.minimums)
            self.guards[Guard(question, dim, answer, number)] = None
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
    sizes = set(sizes_of(dim))
    return sizes.pop() if len(sizes) == 1 else None


def _learn_multiple(difference: AnyDim) -> None:
    """Raises Learn where a multiple of one free size makes `difference` zero."""
    for atom in sorted(set(sizes_of(difference)), key=lambda a: a.key):
        for k in _candidates(difference):
            whole = atom.multiple * k
            if substitute(difference, {atom.name: size(atom.name, whole)}) == 0:
                raise Learn(Fact(atom.name, multiple=whole))


def _candidates(dim: AnyDim) -> list[int]:
    """The divisors, from 2, of the least common multiple of all divisors within `dim`."""
    every = lcm(*_divisors(dim))
    return [k for k in range(2, min(every, 4096) + 1) if every % k == 0]


def _divisors(dim: AnyDim) -> Iterator[int]:
    for monomial, _ in terms_of(dim):
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
