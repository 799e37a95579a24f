"""Dimensions: symbolic arithmetic agrees with numbers, and what the prover says holds for every size."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netc.dims import (
    AnyDim,
    Fact,
    Learn,
    Prover,
    Unwieldy,
    at_least,
    decide,
    divides,
    lower_bound,
    prover,
    proving,
    same,
    size,
    substitute,
    upper_bound,
    value,
)

N, H, W = size("N"), size("H"), size("W")
NAMES = ("N", "H", "W")


def grow(inner: st.SearchStrategy) -> st.SearchStrategy:
    small = st.integers(1, 7)
    return st.one_of(
        st.tuples(st.just("+"), inner, inner),
        st.tuples(st.just("-"), inner, inner),
        st.tuples(st.just("*"), inner, inner),
        st.tuples(st.just("//"), inner, small),
        st.tuples(st.just("%"), inner, small),
    )


EXPRESSIONS = st.recursive(st.one_of(st.integers(-9, 9), st.sampled_from(NAMES)), grow, max_leaves=12)


def compute(tree: object, sizes: dict[str, AnyDim]) -> AnyDim:
    if isinstance(tree, int):
        return tree
    if isinstance(tree, str):
        return sizes[tree]
    operator, left, right = tree  # type: ignore[misc]
    a, b = compute(left, sizes), compute(right, sizes)
    return {
        "+": lambda: a + b,
        "-": lambda: a - b,
        "*": lambda: a * b,
        "//": lambda: a // b,
        "%": lambda: a % b,
    }[operator]()


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, st.fixed_dictionaries({n: st.integers(1, 40) for n in NAMES}))
def test_symbols_agree_with_numbers(tree: object, numbers: dict[str, int]) -> None:
    symbolic = compute(tree, {n: size(n) for n in NAMES})
    assert substitute(symbolic, numbers) == compute(tree, dict(numbers))


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS, st.integers(1, 6), st.fixed_dictionaries({n: st.integers(1, 10) for n in NAMES}))
def test_a_known_multiple_changes_no_number(tree: object, k: int, numbers: dict[str, int]) -> None:
    scaled = compute(tree, {n: size(n, k) for n in NAMES})
    numbers = {n: k * m for n, m in numbers.items()}
    assert substitute(scaled, numbers) == compute(tree, dict(numbers))


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, st.fixed_dictionaries({n: st.integers(1, 40) for n in NAMES}))
def test_a_lower_bound_is_one(tree: object, numbers: dict[str, int]) -> None:
    bound = lower_bound(compute(tree, {n: size(n) for n in NAMES}), {})
    if bound is not None:
        assert compute(tree, dict(numbers)) >= bound


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, EXPRESSIONS, st.fixed_dictionaries({n: st.integers(1, 40) for n in NAMES}))
def test_a_lower_bound_of_a_product_is_one(a: object, b: object, numbers: dict[str, int]) -> None:
    """Of factors that share no size, as the second is of others."""
    others = {n: size(f"{n}2") for n in NAMES}
    try:
        bound = lower_bound(compute(a, {n: size(n) for n in NAMES}) * compute(b, others), {})
    except Unwieldy:
        return
    if bound is not None:
        assert compute(a, dict(numbers)) * compute(b, dict(numbers)) >= bound


@settings(max_examples=300, deadline=None)
@given(
    EXPRESSIONS, st.fixed_dictionaries({n: st.tuples(st.integers(1, 9), st.integers(0, 9)) for n in NAMES})
)
def test_bounds_of_sizes_within_bounds(tree: object, ranges: dict[str, tuple[int, int]]) -> None:
    """Against the least and the most at all corners, halves and single steps of the ranges."""
    facts = {n: Fact(n, 1, low, low + more) for n, (low, more) in ranges.items()}
    dim = compute(tree, {n: size(n) for n in NAMES})
    low, high = lower_bound(dim, facts), upper_bound(dim, facts)
    choices = [sorted({a, a + 1, a + more // 2, a + more}) for a, more in ranges.values()]
    for numbers in product(*choices):
        sizes = dict(zip(NAMES, numbers, strict=True))
        if all(facts[n].admits(number) for n, number in sizes.items()):
            assert (low is None or low <= substitute(dim, sizes)) and (
                high is None or substitute(dim, sizes) <= high
            )


def test_bounds_that_a_largest_size_gives() -> None:
    facts = {"H": Fact("H", 1, 2, 8), "W": Fact("W", maximum=3)}
    assert (lower_bound(8 - H, facts), upper_bound(8 - H, facts)) == (0, 6)
    assert lower_bound(9 - H - W // 2, facts) == 0 and upper_bound(H * W, facts) == 24
    assert lower_bound(N - H, facts) == -7 and lower_bound(H - N, facts) is None
    assert upper_bound(size("H", 4) * 2, facts) == 16 and upper_bound((H + 1) // 4, facts) == 2


def least(**minimums: int) -> dict[str, Fact]:
    return {name: Fact(name, minimum=n) for name, n in minimums.items()}


def test_the_sides_of_a_map_laid_flat() -> None:
    assert lower_bound(3 * (H - H // 2) * (W - 1), least(W=2)) == 3
    assert lower_bound(N * (5 - H) * (4 - W), least(H=6)) is None
    assert lower_bound((H - 5) * (W - 5), least(H=6)) is None  # 1 * (1 - 5) is less
    assert lower_bound((H - 5) * (W - 5) * N, least(H=8, W=9, N=2)) == 24
    assert lower_bound((H - H // 2) * (W - H // 2), {}) is None


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, st.integers(-5, 5), st.fixed_dictionaries({n: st.integers(1, 40) for n in NAMES}))
def test_answers_hold_for_every_size(tree: object, number: int, numbers: dict[str, int]) -> None:
    dim, truth = compute(tree, {n: size(n) for n in NAMES}), compute(tree, dict(numbers))
    with proving(Prover()):
        zero, least = decide("zero", dim), decide("least", dim, number)
    assert zero is None or zero == (truth == 0)
    assert least is None or least == (truth >= number)


@settings(max_examples=200, deadline=None)
@given(EXPRESSIONS, st.integers(1, 12))
def test_what_is_learnt_is_enough(tree: object, factor: int) -> None:
    dim = compute(tree, {n: size(n) for n in NAMES})
    with proving(Prover()):
        try:
            divides(4, dim)
        except Learn as learnt:
            fact = learnt.fact
        else:
            return
    numbers = dict.fromkeys(NAMES, 5) | {fact.name: fact.multiple * factor}
    if fact.name in str(dim):
        known = substitute(dim, {fact.name: size(fact.name, fact.multiple)})
        assert known % 4 == 0
        assert substitute(dim, numbers) % 4 == 0  # type: ignore[operator]


def test_normal_forms() -> None:
    assert (H - 1) // 2 + 1 == (H + 1) // 2
    assert H // 2 // 2 == H // 4
    assert ((H + 1) // 2 + 1) // 2 == (H + 3) // 4
    assert (2 * H + 1) // 2 == H
    assert (H * W) // W == H
    assert H % 1 == 0
    h = size("H", 16)
    assert (h // 2) * 2 == h and h % 16 == 0 and h // 16 * 16 == h
    assert not isinstance(h % 32, int)


@pytest.mark.parametrize(
    ("dim", "text"),
    [
        (H // 2, "H//2"),
        (2 * (H // 2), "2*(H//2)"),
        ((H + 1) // 2, "(H + 1)//2"),
        (N * H * 3, "3*H*N"),
        (H - 1, "H - 1"),
        (size("H", 16) // 2, "H/2"),
        (size("H", 16) // 32, "H//32"),
        (1 - H, "-H + 1"),
    ],
)
def test_text(dim: AnyDim, text: str) -> None:
    assert str(dim) == text


def test_a_size_given_by_the_caller_decides_and_is_recorded() -> None:
    with proving(Prover(given={"H": 64})) as asked:
        assert same(H, 64) and not same(H, 65) and at_least(H, 3) and value(H) == 64
    assert {g.answer for g in asked.guards} >= {True, False, 64}


def test_learning() -> None:
    with proving(Prover()):
        with pytest.raises(Learn) as found:
            same(2 * (H // 2), H)
        assert found.value.fact == Fact("H", multiple=2)
        with pytest.raises(Learn) as found:
            at_least((H - 5) // 2 + 1, 1)
        assert found.value.fact == Fact("H", minimum=5)
        assert not same(H, W)
        assert not same(H, H + 1)


def test_a_largest_size_is_learnt() -> None:
    with proving(Prover()), pytest.raises(Learn) as found:
        at_least(8 - H // 2, 0)
    assert found.value.fact == Fact("H", maximum=17)
    with proving(Prover()):
        assert not at_least(-H, 0) and not at_least(8 - H - W, 0)
    with proving(Prover(facts={"H": Fact("H", maximum=17)})) as known:
        assert at_least(8 - H // 2, 0) and decide("least", H, 18) is False and decide("least", H, 17) is None
        assert decide("zero", H - 18) is False
    assert {g.answer for g in known.guards} >= {True, False, None}
    with proving(Prover(facts={"H": Fact("H", 1, 8, 8)})):
        assert same(H, 8)


def test_a_multiple_among_facts_is_put_in() -> None:
    with proving(Prover(given={"W": H + 4}, facts={"H": Fact("H", 4)})):
        assert same(4 * (H // 4), H) and same(4 * (W // 4), W) and not same(W, H)


def test_facts_of_one_size() -> None:
    every = Fact("H", 4).joined(Fact("H", 6, 5, 40)).joined(Fact("H", maximum=36))
    assert every == Fact("H", 12, 5, 36) and str(every) == "H % 12 == 0 and H <= 36"
    assert every.joined(Fact("H", 4, maximum=99)) == every == every.joined(Fact("H", 4))
    assert [n for n in range(50) if every.admits(n)] == [12, 24, 36]
    assert every.possible and not Fact("H", 12, 13, 23).possible and Fact("H", 12, 13, 24).possible


def test_without_a_prover_only_symbols_count() -> None:
    assert value(H) is None and value(3) == 3
    assert prover().given == {}
