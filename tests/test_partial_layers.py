"""Layers whose arguments come in several calls: what they are, and what is told of those that lack some."""

from __future__ import annotations

import re

import pytest
from in_memory import codes, found, program

from netc.backends.to_torch import to_torch
from netc.ir.text import text
from netc.passes.elaborate import elaborate

UNIT = """
block Unit(width: int, groups: int = 1, act: layer = relu) {
    input x: [N, C, H, W]
    output x -> Conv2d(width, 3, padding=1, groups=groups) -> act
}
fn conv(width, kernel, groups = 1) = Conv2d(width, kernel, padding=kernel // 2, groups=groups) -> relu
fn leaky(slope = 0.1) = leaky_relu(slope)
fn swish(x) = x * sigmoid(x)
fn wide(width) = width
fn double(width = 8) = 2 * width
"""
TAKER = """
block Taker(unit: layer) {{
    input x: [N, C, H, W]
    output {body}
}}
"""


TOP = "net Top {{\n    input x: float32[N, 8, 6, 6]\n    output x -> {taker}\n}}\n"


def taking(body: str, argument: str) -> str:
    """A net that passes `argument` to a block which uses it, as `unit`, in `body`."""
    return UNIT + TAKER.format(body=body) + TOP.format(taker=f"Taker({argument})")


def written_out(body: str) -> str:
    """The same net of a block that takes no layer."""
    return UNIT + TAKER.format(body=body).replace("(unit: layer)", "") + TOP.format(taker="Taker")


def nodes(spec: str) -> str:
    """The nodes of a net and of its blocks, without arguments and the names of values."""
    blocks = re.sub(r"(?m)^(net|block) .*? \[", "[", text(elaborate(program(spec), "Top")))
    return re.sub(r"(%\d+)\.\w+", r"\1", blocks)


SAME = [  # what a block does with its layer, the layer passed, what the block would be without
    ("x -> unit(8) -> unit(4)", "Unit(groups=2)", "x -> Unit(8, 2) -> Unit(4, 2)"),
    ("x -> unit(8)", "Unit(groups=2)(act=tanh)", "x -> Unit(8, 2, tanh)"),
    ("unit(x, 8, act=tanh)", "Unit(groups=2)", "Unit(x, 8, 2, tanh)"),
    ("x -> unit(8)()", "Unit()()", "x -> Unit(8)"),
    ("x -> unit(groups=4)", "Unit(8)", "x -> Unit(8, 4)"),
    ("x -> unit * 2", "Unit(8)", "x -> Unit(8) * 2"),
    ("x -> unit(8) * 2", "Unit(groups=2)", "x -> Unit(8, 2) * 2"),
    ("x -> unit(8)", "Unit(groups=2) * 2", "x -> Unit(8, 2) * 2"),
    ("x -> unit(8)", "stem: Unit(groups=2)", "x -> stem: Unit(8, 2)"),
    ("unit(x, 8)", "stem: (Unit(groups=2) * 2)", "x -> stem: Unit(8, 2) * 2"),
    ("x -> stem: unit(8)", "Unit(groups=2)", "x -> stem: Unit(8, 2)"),
    ("x -> unit(8, 3)", "Conv2d", "x -> Conv2d(8, 3)"),
    ("x -> unit(8)", "Conv2d(kernel_size=3, groups=2)", "x -> Conv2d(8, 3, groups=2)"),
    ("x -> unit(8)", "Conv2d(init=zeros)(kernel_size=3)", "x -> Conv2d(8, 3, init=zeros)"),
    (
        "x -> unit(8, bias_init=ones)",
        "Conv2d(kernel_size=3, init=zeros)",
        "x -> Conv2d(8, 3, init=zeros, bias_init=ones)",
    ),
    ("x -> unit(affine=false)", "BatchNorm2d(momentum=0.3)", "x -> BatchNorm2d(momentum=0.3, affine=false)"),
    ("x -> unit(8)", "conv(kernel=3)", "x -> conv(8, 3)"),
    ("x -> unit(8)", "conv(kernel=3)(groups=4)", "x -> conv(8, 3, 4)"),
    ("x -> unit(8, 3) -> unit(4, kernel=1)", "conv", "x -> conv(8, 3) -> conv(4, 1)"),
    ("x -> unit", "leaky", "x -> leaky_relu(0.1)"),
    ("unit(x)", "leaky", "x -> leaky_relu(0.1)"),
    ("unit(x, 0.3)", "leaky", "x -> leaky_relu(0.3)"),
    ("unit(x, 8, 3)", "conv", "x -> conv(8, 3)"),
    ("unit(x, kernel=3)", "conv(8)", "x -> conv(8, 3)"),
    ("unit(x, 8)", "stem: conv(kernel=3)", "x -> stem: conv(8, 3)"),
    ("x -> unit -> stem: unit", "leaky", "x -> leaky_relu(0.1) -> stem: leaky_relu(0.1)"),
    ("x -> Unit(8, act=unit)", "leaky", "x -> Unit(8, act=leaky_relu(0.1))"),
    ("x -> unit(act=leaky)(8)", "Unit", "x -> Unit(8, act=leaky)"),
    ("x -> unit", "conv(8)(kernel=3) * 2", "x -> conv(8, 3) * 2"),
]


@pytest.mark.parametrize(("body", "argument", "plain"), SAME)
def test_it_is_the_layer_written_in_one_call(body: str, argument: str, plain: str) -> None:
    partly, whole = taking(body, argument), written_out(plain)
    assert nodes(partly) == nodes(whole)
    assert to_torch(elaborate(program(partly), "Top")) == to_torch(elaborate(program(whole), "Top"))


def test_another_argument_makes_another_layer() -> None:
    """The comparison sees a difference."""
    assert nodes(taking("x -> unit(8)", "Unit(groups=2)")) != nodes(written_out("x -> Unit(8, 4)"))


@pytest.mark.parametrize(
    "spec",
    [
        "net Top(unit: layer = Unit(groups=2)) {{\n{input}    output x -> unit(8) -> unit(4)\n}}\n",
        "net Base(unit: layer) {{\n{input}    output x -> unit(8) -> unit(4)\n}}\nnet Top = Base(Unit(groups=2))\n",
        "net Base(us: list[layer]) {{\n{input}    for u in us {{ x = x -> u }}\n    output x\n}}\n"
        "net Top = Base([Unit(groups=2)(8), Unit(4, groups=2)])\n",
        "net Top {{\n{input}    unit = Unit(groups=2)\n    output x -> unit(8) -> unit(4)\n}}\n",
        "net Top {{\n{input}    for w in [8, 4] {{\n        unit = Unit\n        x = x -> unit(w, groups=2)\n    }}\n    output x\n}}\n",
    ],
)
def test_defaults_presets_lists_and_names_hold_it(spec: str) -> None:
    start = "    input x: float32[N, 8, 6, 6]\n"
    plain = f"net Top {{\n{start}    output x -> Unit(8, 2) -> Unit(4, 2)\n}}\n"
    assert nodes(UNIT + spec.format(input=start)) == nodes(UNIT + plain)


def test_a_size_in_it_is_the_callers() -> None:
    """The block that gives the rest has other channels, which are not meant."""
    spec = taking("x -> Conv2d(3, 1) -> unit(3)", "Unit(act=Conv2d(shape(x)[1], 1))")
    assert elaborate(program(spec), "Top").block.outputs[0].type.shape[1] == 8


WRONG = [
    ("x -> unit(8)", "Unit(4)", "E0207", "`width` of `Unit` is given twice", "8"),
    ("x -> unit(8, groups=2)", "Unit(groups=4)", "E0207", "`groups` of `Unit` is given twice", "groups=2"),
    ("x -> unit(8)", "Linear(4)", "E0207", "`out_features` of `Linear` is given twice", "8"),
    ("x -> unit(8, 3)", "conv(4)", "E0207", "`width` of `conv` is given twice", "8"),
    ("x -> unit(8, init=ones)", "Linear(init=zeros)", "E0207", "`init` of `Linear` is given twice", "init"),
    ("x -> unit", "Unit(groups=2)", "E0204", "`Unit` lacks its argument `width`", "unit"),
    ("unit(x)", "Unit(groups=2)", "E0204", "`Unit` lacks its argument `width`", "unit(x)"),
    ("x -> relu -> unit", "Conv2d(8)", "E0204", "`Conv2d` lacks its argument `kernel_size`", "unit"),
    ("x -> unit", "conv(8)", "E0204", "`conv` lacks its argument `kernel`", "unit"),
    ("x -> unit", "swish", "E0204", "`swish` lacks its argument `x`", "unit"),
    ("unit(x)", "swish", "E0204", "`swish` lacks its argument `x`", "unit(x)"),
    ("unit(x, 3)", "wide", "E0506", "the helper `wide` gives the number 3", "unit(x, 3)"),
    ("x -> unit * 2", "conv(8)", "E0204", "`conv` lacks its argument `kernel`", "unit * 2"),
    ("x -> unit(8, size=3)", "Unit", "E0203", "`Unit` has no argument `size`", "size"),
    ("x -> unit(8)", "relu -> tanh", "E0512", "is a chain of layers", "unit(8)"),
]


@pytest.mark.parametrize(("body", "argument", "code", "message", "at"), WRONG)
def test_what_is_wrong_is_told_where_it_is_used(
    body: str, argument: str, code: str, message: str, at: str
) -> None:
    (error,) = found(taking(body, argument))
    assert error.code == code and message in error.message
    assert error.span is not None and at.startswith(error.span.text)
    if code in ("E0204", "E0207"):
        assert any(n.span is not None and n.span.text in argument for n in error.notes)


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("w = 1 + conv(8)", "E0204"),
        ("w = conv(8) + 1", "E0204"),
        ("w = conv() * conv()", "E0204"),
        ("w = x -> Unit(conv())", "E0204"),
        ("w = conv(x)", "E0204"),
        ("w = x -> Conv2d(8, conv(8))", "E0205"),
        ("w = x if conv(8) else relu(x)", "E0302"),
        ("w = x -> double", "E0506"),
        ("c = Conv2d(8, 3)\n    w = c(x, bias=false)", "E0512"),
        ("w = x -> [relu]", "E0506"),
        ("w = x -> (relu, relu)", "E0506"),
        ('w = x -> ["relu"]', "E0506"),
    ],
)
def test_it_is_no_value(statement: str, code: str) -> None:
    top = f"net Top {{\n    input x: float32[N, 8, 6, 6]\n    {statement}\n    output x\n}}\n"
    assert codes(UNIT + top) == [code]


def test_branches_not_taken_may_lack_arguments_too() -> None:
    body = "if false {\n        u = Conv2d(kernel_size=3)\n        x = x -> u(4)\n    }\n    output x"
    assert codes(f"net Top {{\n    input x: float32[N, 8, 6, 6]\n    {body}\n}}\n") == []
    wrong = body.replace("x -> u(4)", "x -> Conv2d(4)")
    assert codes(f"net Top {{\n    input x: float32[N, 8, 6, 6]\n    {wrong}\n}}\n") == ["E0204"]


@pytest.mark.parametrize("argument", ["S(S)", "S(again)", "Q(turn)"])
def test_a_circle_of_layers_that_are_arguments_ends(argument: str) -> None:
    spec = (
        "block S(unit: layer) {\n    input x: [N, C]\n    output x -> unit(unit)\n}\n"
        "block Q(unit: layer) {\n    input x: [N, C]\n    output x -> unit\n}\n"
        "fn again(u) = S(again)\nfn turn(u = relu) = Q(turn)\n"
        f"net Top {{\n    input x: float32[N, 8]\n    output x -> {argument}\n}}\n"
    )
    assert codes(spec) == ["E0312"]
