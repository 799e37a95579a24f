"""What a finding tells a newcomer: what is wrong in the words of the spec, where, and what to write instead."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from in_memory import found

from netc.cli.ops import command
from netc.diagnostics.habits_names import ELSEWHERE, name_meant
from netc.ops.contract import OPS
from netc.ops.initialiser import INITIALISERS
from netc.std.describe import blocks

HEAD = "net A {\n    input t: float32[N, 5, 8], x: float32[N, 8]\n    target label: int64[N]\n"


def net(body: str) -> str:
    return f"{HEAD}    {body}\n    output relu(x)\n}}\n"


TOLD = [
    ("y = t -> LSTM(8) -> Linear(3)", "E0511", "Linear(3)",
     "`Linear` takes 1 input, not 3",
     "`LSTM` gives 3 values: write `y, h, c = ... -> LSTM(8)`, and then `y -> Linear(3)`"),
    ("y, h = t -> LSTM(8)", "E0307", "y, h",
     "2 names stand here for 3 values", "write `y, h, c = t -> LSTM(8)`"),
    ("a, b, c = t -> GRU(8)", "E0307", "a, b, c",
     "3 names stand here for 2 values", "write `a, b = t -> GRU(8)`"),
    ("h, h1 = t -> LSTM(8)", "E0307", "h, h1",
     "2 names stand here for 3 values", "write `h, h1, c = t -> LSTM(8)`"),
    ("y = t -> MultiheadAttention(4)", "E0511", "MultiheadAttention(4)",
     "`MultiheadAttention` takes 3 inputs, not 1",
     "pass them as `(query, key, value) -> MultiheadAttention(4)`"),
    ("y = t -> scaled_dot_product_attention(t)", "E0511", "scaled_dot_product_attention(t)",
     "`scaled_dot_product_attention` takes 3 to 4 inputs, not 2",
     "pass them as `(q, k, v) -> scaled_dot_product_attention`"),
    ("metric iou(x, label)", "E0206", "label",
     "`iou` takes 1 input (`counts`) and no arguments, and this is one too many",
     "write `iou(confusion_matrix(x, label))`"),
    ("y = t -> Linear(3, true, 5)", "E0206", "5",
     "`Linear` takes 1 input (`x`) and at most 2 arguments, and this is one too many", None),
    ("y = t -> cls: Linear(3)\n    z = cls.weight", "E0201", "cls",
     "`cls` is not defined: it is the label of a layer, not a name",
     'bind the layer, `cls = Linear(3)`, and chain its name; or use `weights("cls.weight")`'),
    ('y = t -> Linear(3, init=kaiming_normal(mode="fan_both"))', "E0205", '"fan_both"',
     '`mode` of `kaiming_normal` takes one of fan_in, fan_out, not "fan_both"', "did you mean `fan_out`?"),
    ('y = t -> pad([1, 1], mode="zeros")', "E0205", '"zeros"',
     '`mode` of `pad` takes one of constant, reflect, replicate, circular, not "zeros"', None),
]  # fmt: skip


@pytest.mark.parametrize(("body", "code", "part", "message", "help_"), TOLD, ids=[t[0] for t in TOLD])
def test_what_is_told(body: str, code: str, part: str, message: str, help_: str | None) -> None:
    (only,) = found(net(body))
    assert (only.code, only.message, only.help) == (code, message, help_)
    assert only.span is not None and only.span.text == part


def test_the_inputs_of_a_block_are_told_by_its_own_names() -> None:
    block = "block B(k: int) {\n    input left: [N, C], right: [N, C]\n    a = left * k\n    b = right\n    output a, b\n}\n"
    (only,) = found(block + net("y = x -> B(2)"))
    assert only.help == "pass them as `(left, right) -> B(2)`"
    (only,) = found(block + net("y = B(x, 2)"))
    assert only.help == "pass them as `(left, right) -> B`", "not with the input that stands there"
    (only,) = found(block + net("y = (x, x) -> B(2) -> relu"))
    assert only.help == "`B` gives 2 values: write `a, right = ... -> B(2)`, and then `a -> relu`"


def test_several_lists_of_weights_are_one() -> None:
    assert found(net('y = x -> Linear(3)\n    loss l2_penalty(weights("*.weight"), weights("*.bias"))')) == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("TransformerEncoderLayer(3)", "E % num_heads == 0"),
        ("PatchEmbed(4, 4)", "image"),
        ("WindowAttention(3, 2)", "C % num_heads == 0"),
    ],
)
def test_a_finding_within_the_standard_library_is_shown_where_the_user_calls_it(call: str, said: str) -> None:
    rank = {"T": "[N, 5, 8]", "P": "[N, 5, 8]", "W": "[N, 4, 4, 8]"}[call[0]]
    (only,) = found(f"net A {{\n    input x: float32{rank}\n    output x -> {call}\n}}\n")
    assert only.span is not None and only.span.text == call
    assert said in only.message


def test_the_line_of_the_standard_library_is_a_note_and_a_call_has_one_finding() -> None:
    call = "(t, t, t) -> MultiheadAttention(3)"
    (only,) = found(net(f"y = {call}"))
    assert only.code == "E0309" and only.span is not None and only.span.text == "MultiheadAttention(3)"
    texts = [(n.text, n.span and n.span.source.path) for n in only.notes]
    assert texts[0] == ("`MultiheadAttention` is of the standard library, which says", "std/attention.net")
    assert ("num_heads is 3", None) in texts
    assert len(found(net(f"y = {call}\n    z = {call}"))) == 2


DTYPES = [
    ("a = x * keep", "write `type_as(keep, x)` for its numbers in that dtype", "a = x * type_as(keep, x)"),
    ("a = ids + x", "write `type_as(ids, x)` for its numbers in that dtype", "a = type_as(ids, x) + x"),
    ("a = hinge(score, label)", "write `type_as(label, score)` for its numbers in that dtype",
     "a = hinge(score, type_as(label, score))"),
    ("a = ids -> Linear(3)", 'convert it first: `cast(ids, "float32")`',
     'a = cast(ids, "float32") -> Linear(3)'),
    ("a = ids * 2 -> relu", 'convert it first: `-> cast("float32")`', 'a = ids * 2 -> cast("float32") -> relu'),
    ("a = where(ids, x, 0)", "a mask is bool: write `ids != 0`", "a = where(ids != 0, x, 0)"),
    ("a = where(x, x, 0)", "a mask is bool: write `x > 0`", "a = where(x > 0, x, 0)"),
    ("loss cross_entropy(label, x)", "the logits stand first: write `cross_entropy(x, label)`",
     "loss cross_entropy(x, label)"),
    ("metric accuracy(x, soft)", "of shares give the class of the greatest: `argmax(soft, 1)`",
     "metric accuracy(x, argmax(soft, 1))"),
    ("metric confusion_matrix(argmax(x, 1), label)",
     "give `confusion_matrix` the logits: it takes the class of the greatest itself",
     "metric confusion_matrix(x, label)"),
    ("a = x -> Embedding(9, 3)", "if it holds whole numbers, declare it so: `x: int64[...]`",
     "a = ids -> Embedding(9, 3)"),
]  # fmt: skip
TYPED = """net A {
    input x: float32[N, 8], ids: int64[N, 8], keep: bool[N, 8]
    target label: int64[N], soft: float32[N, 8], score: float32[N]
"""


@pytest.mark.parametrize(("body", "help_", "mended"), DTYPES, ids=[d[0] for d in DTYPES])
def test_a_dtype_that_does_not_fit_has_its_remedy_which_serves(body: str, help_: str, mended: str) -> None:
    (only,) = found(f"{TYPED}    {body}\n    output relu(x)\n}}\n")
    assert (only.code, only.help) == ("E0401", help_)
    assert found(f"{TYPED}    {mended}\n    output relu(x)\n}}\n") == []


@pytest.mark.parametrize("name", ELSEWHERE)
def test_a_name_of_another_library_is_none_here_and_what_it_leads_to_is_one(name: str) -> None:
    known = {*OPS, *blocks(), *INITIALISERS}
    assert name not in known and ELSEWHERE[name] in known
    assert name_meant(name, known) == ELSEWHERE[name]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("tranformer", "TransformerEncoderLayer"),
        ("Swish", "silu"),
        ("Linaer", "Linear"),
        ("mods", None),
        ("abd", None),
    ],
)
def test_a_slip_in_a_name_of_another_library(name: str, meant: str | None) -> None:
    assert name_meant(name, [*OPS, *blocks()]) == meant


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cat", "Did you mean `concat`?"),
        ("Add", "Tensors are added with `+`."),
        ("qqq", "`netc ops` lists them."),
    ],
)
def test_netc_ops_knows_the_names_of_other_libraries(name: str, said: str) -> None:
    result = CliRunner().invoke(command, [name])
    assert result.exit_code == 2 and said in result.output


@pytest.mark.parametrize(
    ("call", "help_"),
    [
        ("LSTM(t, 8, h0=t)", "write `(x, h0, c0) -> LSTM(...)`"),
        ("LSTM(8, h0=t)", "write `(x, h0, c0) -> LSTM(...)`"),
        ("relu(x=t)", "write `x -> relu(...)`"),
        ("scaled_dot_product_attention(t, t, t, mask=3)", "write `(q, k, v, mask) -> scaled_dot_product_attention(...)`"),
    ],
)  # fmt: skip
def test_an_input_given_by_its_name_has_one_finding(call: str, help_: str) -> None:
    (only,) = found(net(f"y = {call}"))
    assert (only.code, only.help) == ("E0203", help_)
