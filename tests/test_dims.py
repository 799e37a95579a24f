"""Dimensions: symbolic arithmetic agrees with numbers, and what the prover says holds for every size."""

from __future__ import annotations

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


def test_the_sides_of_a_map_laid_flat() -> None:
    assert lower_bound(3 * (H - H // 2) * (W - 1), {"W": 2}) == 3
    assert lower_bound(N * (5 - H) * (4 - W), {"H": 6}) is None
    assert lower_bound((H - 5) * (W - 5), {"H": 6}) is None  # 1 * (1 - 5) is less
    assert lower_bound((H - 5) * (W - 5) * N, {"H": 8, "W": 9, "N": 2}) == 24
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


def test_without_a_prover_only_symbols_count() -> None:
    assert value(H) is None and value(3) == 3
    assert prover().given == {}
