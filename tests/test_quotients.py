"""Quotients of sizes in all small cases: what a formula says is what it says with numbers put in."""

from __future__ import annotations

from itertools import product

import pytest

from netc.dims import (
    AnyDim,
    Fact,
    Prover,
    at_least,
    ceil_divide,
    divides,
    lower_bound,
    proving,
    same,
    size,
    substitute,
)

N, M = size("N"), size("M")
NUMBERS = range(1, 8)


def agree(made: AnyDim, wanted: object, sizes: dict[str, int]) -> None:
    assert substitute(made, sizes) == wanted, f"{made} at {sizes}"


@pytest.mark.parametrize("divisor", range(1, 7))
def test_a_line_divided(divisor: int) -> None:
    for slope, start in product(range(-4, 7), range(-6, 8)):
        line = slope * N + start
        for n in NUMBERS:
            value = slope * n + start
            agree(line // divisor, value // divisor, {"N": n})
            agree(line % divisor, value % divisor, {"N": n})
            agree(ceil_divide(line, divisor), -(-value // divisor), {"N": n})


@pytest.mark.parametrize("inner", range(2, 6))
def test_a_quotient_divided(inner: int) -> None:
    for outer, start, more in product(range(2, 6), range(4), range(4)):
        made = ((N + start) // inner + more) // outer
        for n in range(1, 30):
            agree(made, ((n + start) // inner + more) // outer, {"N": n})


def test_two_sizes_divided() -> None:
    for a, b, c, divisor in product(range(4), range(4), range(4), range(2, 5)):
        made = (a * N * M + b * N + c * M + 1) // divisor
        for n, m in product(range(1, 5), range(1, 5)):
            agree(made, (a * n * m + b * n + c * m + 1) // divisor, {"N": n, "M": m})


def test_a_size_divided_by_itself() -> None:
    for a, b in product(range(1, 9), range(1, 5)):
        for n in NUMBERS:
            agree((a * N) // (b * N), a // b, {"N": n})
            agree((a * N * M) // (b * M), a * n // b, {"N": n, "M": 3})


def test_known_multiples() -> None:
    for multiple, divisor, start in product(range(1, 5), range(1, 5), range(3)):
        made = (size("N", multiple) + start) // divisor
        for n in NUMBERS:
            agree(made, (n * multiple + start) // divisor, {"N": n * multiple})


def test_powers() -> None:
    for exponent, n in product(range(4), NUMBERS):
        agree((2 * N + 1) ** exponent, (2 * n + 1) ** exponent, {"N": n})


def test_answers_at_the_edge() -> None:
    """3 - N is at most 2: it may be 2, and is never 3."""
    assert Prover().ask("least", 3 - N, 2) is None and Prover().ask("least", 3 - N, 3) is False
    assert Prover().ask("least", N, 1) is True and Prover().ask("least", N, 2) is None
    assert Prover(facts={"N": Fact("N", minimum=4)}).ask("least", N - 1, 3) is True


def test_what_is_not_known_is_not_taken_to_hold() -> None:
    with proving(Prover()):
        assert not at_least(N - M, 0) and not same(N, M) and not divides(2, N * M + 1)


def test_bounds_hold() -> None:
    """No value lies below the bound, and where it is told for a line, one reaches it."""
    for slope, start, divisor, least in product(range(-3, 4), range(-4, 5), range(1, 4), range(1, 4)):
        for made in ((slope * N + start) // divisor, N - (slope * N + start) // divisor):
            bound = lower_bound(made, {"N": Fact("N", minimum=least)})
            values = [substitute(made, {"N": n}) for n in range(least, least + 25)]
            assert bound is None or all(isinstance(v, int) and v >= bound for v in values), made
        if slope >= 0:
            bound = lower_bound((slope * N + start) // divisor, {"N": Fact("N", minimum=least)})
            assert bound == (slope * least + start) // divisor
