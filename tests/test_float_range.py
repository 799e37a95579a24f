"""Numbers of a spec that a dtype does not hold: starts, attributes and operands that would be infinite or zero."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from in_memory import codes, found, program

from netc.ops.initialiser import INITIALISERS
from netc.passes.elaborate import elaborate
from netc.passes.initial import draw, state


def net(body: str, dtype: str = "float32") -> str:
    return f"net A {{\n    input x: {dtype}[N, 4, 6, 6]\n    {body}\n}}\n"


STARTS = [  # what float32 does not hold, in each attribute of each initialiser, and in what it draws
    *(
        "constant(1e39)",
        "constant(-1e39)",
        "constant(1e-50)",
        "normal(1e39)",
        "normal(0, 1e39)",
        "normal(0, 1e-50)",
    ),
    *(
        "normal(0, 3e38)",
        "normal(3.4e38, 1e37)",
        "uniform(-3e38, 3e38)",
        "uniform(0, 1e39)",
        "uniform(-1e39, 0)",
    ),
    *(
        "trunc_normal(0, 1, -2, 1e39)",
        "trunc_normal(0, 3e38, -1e38, 1e38)",
        "trunc_normal(1e39, 1e39, 0, 1e39)",
    ),
    *("xavier_uniform(1e39)", "xavier_normal(3e38)", "orthogonal(1e39)", "orthogonal(1e-50)"),
    *("kaiming_normal(1e200)", "kaiming_uniform(1e39)"),
]
PLACES = [
    "output x -> Linear(4, init={})",
    "init {}\n    output x -> Conv2d(4, 3)",
    "init Conv2d: {}\n    output x -> Conv2d(4, 3)",
    "param w: {dtype}[4, 6] = {}\n    output x * reshape(w, [4, 6, 1])",
    "buffer w: {dtype}[4, 6] = {}\n    output x * reshape(w, [4, 6, 1])",
]


def placed(place: str, start: str, dtype: str) -> str:
    return net(place.replace("{dtype}", dtype).replace("{}", start), dtype)


@pytest.mark.parametrize(("start", "place"), list(product(STARTS, PLACES)))
def test_a_start_that_float32_does_not_hold_is_refused(start: str, place: str) -> None:
    errors = found(placed(place, start, "float32"))
    assert [e.code for e in errors] == ["E0417"]
    assert errors[0].span is not None and start in errors[0].span.text


@pytest.mark.parametrize("start", STARTS)
def test_in_float64_it_may_start_so(start: str) -> None:
    spec = placed(PLACES[0], start, "float64")
    assert codes(spec) == []
    for name, param in state(elaborate(program(spec), "A")).items():
        with np.errstate(all="raise"):
            assert np.isfinite(draw(name, param, 0)).all()


@pytest.mark.parametrize("start", ["constant(1.7e308)", "normal(0, 1.7e308)", "uniform(-1.7e308, 1.7e308)"])
def test_float64_has_an_end_as_well(start: str) -> None:
    wanted = [] if start.startswith("constant") else ["E0417"]
    assert codes(placed(PLACES[0], start, "float64")) == wanted


@pytest.mark.parametrize("large", [3e37, 1e38, 3.4028234e38])
@pytest.mark.parametrize("name", INITIALISERS)
def test_what_is_accepted_is_finite(name: str, large: float) -> None:
    """Attributes near the largest float32: each start is refused, or every number of it is finite."""
    attributes = {
        "constant": f"({large})",
        "normal": f"({large}, {large / 1e3})",
        "uniform": f"(0, {large})",
        "trunc_normal": f"(0, {large / 20}, {-large / 20}, {large})",
        "xavier_uniform": f"({large / 20})",
        "xavier_normal": f"({large / 20})",
        "kaiming_uniform": f"({large})",
        "kaiming_normal": f"({large})",
        "orthogonal": f"({large})",
    }
    spec = placed(PLACES[0] if name != "eye" else PLACES[3], name + attributes.get(name, ""), "float32")
    if codes(spec):
        return
    for path, param in state(elaborate(program(spec), "A")).items():
        with np.errstate(over="raise"):
            assert np.isfinite(draw(path, param, 0)).all()


@pytest.mark.parametrize(
    "value",
    [
        "x * 1e39",
        "x + 1e-50",
        "maximum(x, 1e39)",
        "x -> leaky_relu(1e39)",
        "x -> leaky_relu(1e-50)",
        "x -> PReLU(init=1e39)",
        "x -> BatchNorm2d(eps=1e-50)",
        "x -> clamp(-1e39, 1)",
        "x -> clamp(0, 1e39)",
        "x -> pad([1, 1], value=1e39)",
        "x -> full_like(1e39)",
        "x -> elu(alpha=1e39)",
        "x -> dropout(1e-50)",
    ],
)
def test_an_operand_or_attribute_that_float32_does_not_hold_is_refused(value: str) -> None:
    assert codes(net(f"output {value}")) == ["E0409"]
    assert codes(net(f"output {value}".replace("1e39", "1e38").replace("1e-50", "1e-38"))) == []


def test_the_message_shows_the_attribute() -> None:
    (error,) = found(net("output x -> leaky_relu(negative_slope=1e39)"))
    assert error.code == "E0409" and error.message == "`leaky_relu`: 1e+39 lies outside of what float32 holds"
    assert error.span is not None and error.span.text == "negative_slope=1e39"
