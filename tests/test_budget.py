"""What one check may take: the count of work, its limits one below, at and one above, and the deadline behind it."""

from __future__ import annotations

import pytest
from in_memory import body, codes

from netc.budget import TOKEN, WORK, Budget, Exhausted, spend, spending
from netc.budget.deadline import OutOfTime, deadline
from netc.diagnostics import Refused, Source
from netc.dims import Fact, lower_bound, size, substitute
from netc.dims.growth import falls_forever
from netc.syntax import parse


def test_a_budget_ends_what_would_take_more() -> None:
    with spending(Budget(limit=10)) as budget:
        spend(10)
        assert not budget.exhausted
        with pytest.raises(Exhausted):
            spend(1)
        with pytest.raises(Exhausted):
            spend(0)


def test_the_count_does_not_depend_on_what_ran_before() -> None:
    spec = "net A {\n input x: float32[N, 8, 16]\n output x -> TransformerEncoderLayer(2, 32)\n}\n"

    def work() -> int:
        with spending(Budget()) as budget:
            assert codes(spec) == []
        return budget.spent

    assert work() == work() > 0


@pytest.mark.parametrize("more, wrong", [(-1, False), (0, False), (1, True)])
def test_words_and_signs(more: int, wrong: bool) -> None:
    """Each takes eight steps; a file of 250,000 takes all that a check has."""
    source = Source("a.net", body("    y = [1, 2, 3]\n"))
    with spending(Budget()) as budget:
        parse(source)
    assert budget.spent % TOKEN == 0 and WORK // TOKEN == 250_000
    with spending(Budget(limit=budget.spent - more)):
        if wrong:
            with pytest.raises(Refused) as refused:
                parse(source)
            assert refused.value.diagnostics[0].code == "E0113"
        else:
            parse(source)


def test_the_deadline_ends_what_the_count_does_not_see() -> None:
    with pytest.raises(OutOfTime), deadline(0.05):
        while True:
            pass
    with deadline(30):
        pass


@pytest.mark.parametrize("axes, wrong", [(31, False), (32, False), (33, True)])
def test_axes(axes: int, wrong: bool) -> None:
    assert (
        bool(
            codes(
                f"net A {{\n input x: float32[{', '.join(['N'] + ['1'] * (axes - 1))}]\n output relu(x)\n}}\n"
            )
        )
        == wrong
    )


@pytest.mark.parametrize("layers, wrong", [(24_999, False), (25_000, False), (25_001, True)])
def test_layers(layers: int, wrong: bool) -> None:
    text = f"net A {{\n input x: float32[N, 4]\n output x -> (relu -> sigmoid) * {layers // 2}{' -> relu' * (layers % 2)}\n}}\n"
    assert bool(codes(text)) == wrong


@pytest.mark.parametrize("rows, wrong", [(4095, False), (4096, False), (4097, True)])
def test_orthogonal_starts(rows: int, wrong: bool) -> None:
    """A decomposition of a square takes the third power of its side."""
    text = f"net A {{\n input x: float32[N, {rows}]\n output x -> Linear({rows}, bias=false, init=orthogonal)\n}}\n"
    assert codes(text) == (["E0417"] if wrong else [])


@pytest.mark.parametrize("more, wrong", [(-1, False), (0, False), (1, True)])
def test_work(more: int, wrong: bool) -> None:
    """With so much left as the check takes."""
    spec = body("    a = [0] * 1000\n    y = a[1:]\n")
    with spending(Budget()) as budget:
        assert codes(spec) == []
    with spending(Budget(limit=budget.spent - more)):
        assert bool(codes(spec)) == wrong


def least(dim, sides: range) -> int:
    """The least value of a dimension in A and B, by trying all of them."""
    return min(int(substitute(dim, {"A": a, "B": b})) for a in sides for b in sides)


A, B = size("A"), size("B")


@pytest.mark.parametrize(
    "dim", [A // 2 + B // 3, A + B // 2 - A // 2, 2 * A - A // 3 + B * B - B, (A + 1) // 2 + (B + 2) // 3, A - A // 2 + B], ids=str
)  # fmt: skip
def test_parts_that_share_no_size_are_bounded_apart(dim) -> None:
    bound = lower_bound(dim, {})
    assert bound is not None and bound == least(dim, range(1, 30))


@pytest.mark.parametrize("dim", [A // 2 - B, 3 * A - B * B, A // 2 - A, B // 3 - B // 2 + A], ids=str)
def test_what_falls_without_end_has_no_bound(dim) -> None:
    assert falls_forever(dim, {}) and lower_bound(dim, {}) is None
    assert least(dim, range(1, 200)) < least(dim, range(1, 20)) - 10


def test_what_falls_up_to_a_largest_size_has_a_bound() -> None:
    facts = {"B": Fact("B", maximum=8)}
    assert not falls_forever(A // 2 - B, facts) and lower_bound(A // 2 - B, facts) == -8
