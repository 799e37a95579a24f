"""Values in places where other kinds of values are meant: each is told, and none stops netc itself."""

from __future__ import annotations

import pytest
from in_memory import codes, found

SPEC = """block Unit(width: int, more: int = 1) {{
    input x: [N, C]
    output x -> Linear(width)
}}
fn one(v = 1) = v
fn two(a, b) = a + b
net A(k: int = 3) {{
    input x: float32[N, 4]
    param scale: float32[4]
    lin = Linear(4)
    first = x -> lin
    name = Unit
    {statement}
}}
"""
VALUES = [
    *(
        "0",
        "-1",
        "2.5",
        "1e300",
        "9223372036854775807",
        "true",
        "none",
        '"a"',
        "[]",
        "[1, 2]",
        "[x, x]",
        "[[1], 2]",
    ),
    *(
        "(1, 2)",
        "[relu]",
        "x",
        "N",
        "relu",
        "Linear(4)",
        "Linear",
        "Unit",
        "Unit(4)",
        "lin",
        "one",
        "one()",
        "two",
    ),
    *(
        "two(1)",
        "(relu -> tanh)",
        "(Linear(4) * 2)",
        "zeros",
        "normal(0, 1)",
        "shape",
        "x.shape",
        "weights",
        "name",
    ),
]
PLACES = [
    *(
        "y = {}()",
        "y = {}[0]",
        "y = {}[::0]",
        "y = {}[::1, 2]",
        "y = {}[...]",
        "y = {}.shape",
        "y = {}.weight",
    ),
    *(
        'y = "s{{{}}}"',
        "y = x -> {}",
        "y = x -> label: {}",
        "y = {} -> relu",
        "y = {} * 2",
        "y = 2 * {}",
        "y = -{}",
    ),
    *("y = len({})", "y = sum({})", "y = max({})", "y = zip({}, {})", "y = range(0, 3, {})", "y = shape({})"),
    *(
        "y = x -> Linear({})",
        "y = x -> Linear(3, init={})",
        "y = x -> Unit({})",
        "y = lin({})",
        "y = name({})",
    ),
    *(
        "y = two({})",
        "y = two({})(1)",
        "y = x + {}",
        "y = x[{}]",
        "y = x[::{}]",
        "y = [1, 2, 3][{}]",
        "y = [1, 2][::{}]",
    ),
    *(
        "y = concat([x, {}], axis=1)",
        "y = x -> reshape({})",
        "y = x -> Linear(3) * {}",
        "y = x if {} else relu(x)",
    ),
    *(
        "output {}",
        "a, b = {}",
        "for i in {} {{ y = i }}",
        "if {} {{ y = x }}",
        "assert {}",
        "loss {}",
        "init {}",
    ),
    *(
        "param w: float32[4] = {}",
        "param w: float32[{}]",
        "init Linear: {}",
        'y = x -> "a{{{}}}": relu',
        "{} = 3",
    ),
]


@pytest.mark.parametrize("place", PLACES)
def test_any_value_in_any_place(place: str) -> None:
    """What `check` does with it is either fine or a finding; an exception of Python's would fail here."""
    for value in VALUES:
        statement = place.replace("{}", value).replace("{{", "{").replace("}}", "}")
        found(SPEC.format(statement=f"{statement}\n    output x"))


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("[1, 2, 3][::0]", "E0305"),
        ('"abc"[::0]', "E0305"),
        ("x[::0]", "E0401"),
        ("x[::N]", "E0303"),
        ("x[(1, 2)]", "E0305"),
        ("x[((1, 2, 3))]", "E0305"),
        ("[1, 2][true]", "E0305"),
        ("x -> [relu]", "E0506"),
        ("x -> [[1], 2]", "E0506"),
    ],
)
def test_what_was_an_exception_has_a_message(value: str, code: str) -> None:
    assert codes(SPEC.format(statement=f"y = {value}\n    output x")) == [code]
