"""How compile-time arguments become attributes, and what is refused."""

from dataclasses import MISSING
from typing import Literal

import pytest

from netc.dims import AnyDim, Prover, proving, size
from netc.ops.attributes import BadArgument, axes_of, axis_of, bind, parameters_of
from netc.ops.contract import OPS, Mismatch, Op, register

N = size("N")


@pytest.fixture(scope="module")
def layer():
    @register("a layer of tests")
    class Layer(Op):
        kernel_size: tuple[int, int]
        padding: tuple[int, int] | Literal["same", "valid"] = (0, 0)
        units: AnyDim | None = None
        sizes: tuple[AnyDim, ...] = ()
        rate: float = 1.0
        bias: bool = True

    yield Layer
    OPS.remove("a layer of tests")


@pytest.fixture(scope="module")
def variadic():
    @register("a pattern of tests")
    class Pattern(Op):
        extra = "sizes"
        pattern: str
        sizes: tuple[tuple[str, AnyDim], ...] = ()

    @register("a shape of tests")
    class Shape(Op):
        variadic = "sizes"
        sizes: tuple[AnyDim, ...]

    yield Pattern, Shape
    OPS.remove("a pattern of tests", "a shape of tests")


def test_values_are_normalised(layer):
    made = bind(layer, [3], {"padding": "same", "units": N, "sizes": [1, N], "rate": 2, "bias": False})
    assert made == layer((3, 3), "same", N, (1, N), 2.0, False)
    assert type(made.rate) is float
    assert bind(layer, [[1, 2], [3, 4]], {"sizes": 5}) == layer((1, 2), (3, 4), None, (5,))


def test_arguments_left_over(variadic):
    pattern, shape = variadic
    assert bind(pattern, ["a b"], {"a": 2, "b": N}) == pattern("a b", (("a", 2), ("b", N)))
    assert bind(shape, [2, N, -1], {}) == bind(shape, [[2, N, -1]], {}) == shape((2, N, -1))
    assert bind(shape, [6], {}) == shape((6,))


def test_a_size_that_is_given_is_a_number(layer):
    with proving(Prover(given={"N": 3})):
        assert bind(layer, [N], {"rate": N}) == layer((3, 3), rate=3.0)


@pytest.mark.parametrize(
    ("positional", "keywords", "kind", "name", "expected"),
    [
        ([], {}, "missing", "kernel_size", "a whole number or a pair of them"),
        ([True], {}, "type", "kernel_size", "a whole number or a pair of them"),
        ([3.0], {}, "type", "kernel_size", "a whole number or a pair of them"),
        ([[1, 2, 3]], {}, "type", "kernel_size", "a whole number or a pair of them"),
        ([N], {}, "type", "kernel_size", "a whole number or a pair of them, known at compile time"),
        ([3], {"kernel_size": 3}, "duplicate", "kernel_size", "one value"),
        ([], {"kernel_size": None}, "type", "kernel_size", "a whole number or a pair of them"),
        ([3], {"units": [N]}, "type", "units", "a size, or none"),
        ([3], {"units": 1.5}, "type", "units", "a size, or none"),
        ([3], {"rate": True}, "type", "rate", "a number"),
        ([3], {"rate": 10**400}, "type", "rate", "a number"),
        ([3], {"bias": 1}, "type", "bias", "true or false"),
        ([3], {"strides": 2}, "unknown", "strides", "kernel_size, padding, units, sizes, rate, bias"),
        ([3] * 7, {}, "too_many", "bias", "at most 6 arguments"),
    ],
)
def test_what_does_not_fit_is_refused(layer, positional, keywords, kind, name, expected):
    with pytest.raises(BadArgument) as refused:
        bind(layer, positional, keywords)
    assert (refused.value.kind, refused.value.name, refused.value.expected) == (kind, name, expected)


def test_the_attributes_of_an_op_can_be_listed(layer):
    listed = parameters_of(layer)
    assert listed[0] == ("kernel_size", "a whole number or a pair of them", MISSING)
    assert listed[4:] == [("rate", "a number", 1.0), ("bias", "true or false", True)]


def test_axes():
    assert axis_of(-1, 3) == 2
    assert axes_of(None, 3) == (0, 1, 2)
    assert axes_of((-1, 0), 3) == (0, 2)
    with pytest.raises(Mismatch, match="x has 3 axes, so axis 3 does not exist") as refused:
        axis_of(3, 3, "dim")
    assert refused.value.at == "dim"
    with pytest.raises(Mismatch, match="x has 1 axis, so"):
        axis_of(-2, 1)
    with pytest.raises(Mismatch, match="names an axis twice"):
        axes_of((0, -2), 2)


def test_what_a_choice_takes_is_said(layer):
    with pytest.raises(BadArgument) as refused:
        bind(layer, [3], {"padding": "full"})
    assert refused.value.expected == "a whole number or a pair of them, or one of same, valid"
