"""Mistakes in specs: one message each, of the right kind at the right place, with what to write instead."""

from __future__ import annotations

import itertools
import random
import re

import pytest

from netc.diagnostics import Diagnostic, Refused
from netc.diagnostics.render import render_text
from netc.passes.check import check
from netc.passes.load import load

END = "output x -> global_avg_pool -> Linear(3)"


def found(text: str) -> list[Diagnostic]:
    try:
        return check(load("spec.net", lambda path: text.encode()))
    except Refused as refused:
        return list(refused.diagnostics)


def net(body: str, end: str = END) -> str:
    lines = ["net Net(width: int = 8) {", "    input image: float32[N, 3, 32, 32]"]
    return "\n".join([*lines, *(f"    {line}" for line in [*body.splitlines(), end] if line), "}\n"])


HABITS = [  # what people write, the code, the part underlined, a part of the help
    ("x = image -> Conv2d(8, 3, bias=True)", "E0201", "True", "write `true`"),
    ("x = image -> Conv2d(8, 3, bias=None)", "E0201", "None", "write `none`"),
    ("x = image -> nn.Conv2d(8, 3)", "E0201", "nn", "without a module"),
    ("x = torch.relu(image)", "E0201", "torch", "without a module"),
    ("x = cat(image, image, axis=1)", "E0201", "cat", "`concat`"),
    ("x = image.view(-1, 8)", "E0301", ".view", "reshape"),
    ("x = image.mean(1)", "E0301", ".mean", "mean(x, ...)"),
    ("x = image -> Conv2d(3, 64, 3, padding=1)", "E0401", "64", "inferred"),
    ("x = image -> Conv2d(8, 3, in_channels=3)", "E0203", "in_channels", "inferred"),
    ("x = image -> Conv2d(8, kernel=3)", "E0203", "kernel", "`kernel_size`"),
    ("x = softmax(image, dim=1)", "E0203", "dim", "`axis`"),
    ("x = image -> dropout(0.5, inplace=true)", "E0203", "inplace", "leave it out"),
    ("x = image -> relu -> Linear(32, 10)", "E0205", "10", "inferred"),
    ("x = image -> Conv2d(8, [3, 3, 3])", "E0205", "[3, 3, 3]", ""),
    ('x = image -> "relu"', "E0506", '"relu"', "without quotes"),
    ("x = relu -> image", "E0506", "image", "the tensor stands before"),
    ("x = lambda v: v", "E0105", "v", "fn name"),
    ("x = image -> Conv2d(8, **kwargs)", "E0105", "**", "written out"),
    ("x = image -> Conv2d(8, *args)", "E0105", "*", "written out"),
    ("if width = 8 {\n    x = image\n} else {\n    x = relu(image)\n}", "E0105", "=", "`==`"),
    ("x == image", "E0105", "==", "one `=`"),
    ("x += image", "E0105", "+", "x = x + y"),
    ("x: int = 3", "E0105", ":", "no type"),
    ("for i in range(3):\n    x = image -> relu", "E0105", ":", "braces"),
    ("if width == 8:\n    x = image\nelse:\n    x = image -> relu", "E0105", ":", "braces"),
    ("if width == 8\n    x = image", "E0105", "\n", "braces"),
    ("if width == 8\n    x = image\n}", "E0105", "\n", "braces"),
    ("while width > 3 {\n    x = image\n}", "E0105", "width", "for i in range"),
    ("def f(v):\n    return v\nx = image", "E0105", "f", "block Name"),
    ("x = image -> Conv2d(8, 3) if width > 3", "E0105", "\n", "both sides"),
    ("x = [relu(y) for y in [image]]", "E0106", "for", "comprehensions"),
    ("x = f\"layer\"", "E0105", '"layer"', "no prefix"),
    ("x = {1: 2}", "E0105", "{", "a list"),
    ("x = image -> Conv2d(8 3)", "E0105", "3", "`,`"),
    ("x = image -> Conv2d(8, 3", "E0108", "(", ""),
    ("x = image -> Conv2d(8, 3))", "E0108", ")", ""),
    ("x = image -> Conv2d(8, 3, padding='same')", "E0104", "'", "double quotes"),
    ("x = image -> Conv2d(8, 3, padding=“same”)", "E0104", "“", "double quotes"),
    ('x = image -> Conv2d(8, 3, padding="same)', "E0104", '"', "same line"),
    ("x = image;", "E0104", ";", "newline"),
    ("x = image → relu", "E0104", "→", "`->`"),
    ("x = image |> relu", "E0104", "|>", "`->`"),
    ("x = image if width > 3 && width < 5 else image", "E0104", "&&", "`and`"),
    ("x = image ** .5", "E0105", ".", "0.5"),
    ("x = image * 3.", "E0105", "\n", "3.0"),
    ("x = image * 1_000", "E0105", "_000", "1000"),
    ('import "blocks.net"\nx = image', "E0106", "import", "top of a file"),
    ("self.conv = Conv2d(8, 3)\nx = image", "E0105", ".", "stands alone"),
    ("print(image)\nx = image", "E0105", "(", "netc show"),
    ("x = image -> Conv2d(8, kernel_size=3, 1)", "E0105", "1", "before the keywords"),
    ("x = image -> stem = Conv2d(8, 3)", "E0105", "=", "a label is written `stem: "),
    ("image -> stem = Conv2d(8, 3)\nx = image", "E0105", "->", "`y = x -> stem: "),
    ("// the stem\nx = image", "E0105", "//", "begins with `#`"),
    ("x = image // the image", "E0105", "image", "begins with `#`"),
    ("x = image\nreturn x  # done", "E0105", "return", "`output x`"),
    ("x = resize(image, 2)", "E0201", "resize", "`interpolate`"),
    ("x = interpolate(image, scale=2)", "E0203", "scale", "`scale_factor`"),
    ("a, b = image, image  # two\n    x = a + b", "E0105", ",", "`a, b = [image, image]`"),
    ("y = image, image\n    x = y[0]", "E0105", ",", "`y = [image, image]`"),
    ("x = relu([image])", "E0511", "[image]", "leave the brackets out"),
    ("x = relu((image, image))", "E0511", "(image, image)", "concat"),
    ("x = image -> LayerNorm(32)", "E0401", "32", "leave 32 out"),
    ("x = image -> LayerNorm([32])", "E0205", "[32]", "leave them out"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code", "part", "help_"), HABITS, ids=[h[0].splitlines()[0] for h in HABITS]
)
def test_a_habit_gives_one_message_with_what_to_write(body: str, code: str, part: str, help_: str) -> None:
    diagnostics = found(net(body))
    assert [d.code for d in diagnostics] == [code]
    only = diagnostics[0]
    assert only.span is not None and only.span.text == part
    assert help_ in (only.help or "")


@pytest.mark.parametrize("body", ["x = image -> Conv2d(8, (3, 3), padding=(1, 1))",
                                  "x = image -> Conv2d(8, [3, 3])",
                                  "x = image -> relu()", "\tx = image\t -> relu"])  # fmt: skip
def test_what_is_fine_is_accepted(body: str) -> None:
    assert found(net(body)) == []


@pytest.mark.parametrize("line", ["return image", "output = image", "output(image", "outptu image"])
def test_an_output_that_cannot_be_read_is_not_missed_as_well(line: str) -> None:
    diagnostics = found(net("x = image", line))
    assert len(diagnostics) == 1 + (line == "outptu image")  # a word that is no keyword is no output


REST = "\n\nnet Other {\n    input x: float32[N, 8]\n    output x -> Linear(3, bais=true)\n}\n"


@pytest.mark.parametrize(
    ("body", "code", "part", "help_"), HABITS, ids=[h[0].splitlines()[0] for h in HABITS]
)
def test_the_rest_of_the_file_is_checked(body: str, code: str, part: str, help_: str) -> None:
    assert [d.code for d in found(net(body) + REST)] == [code, "E0203"]


@pytest.mark.parametrize("first", [
    "net Broken(width: int = ) {\n    input x: float32[N, 8]\n    output x\n}\n",
    "net Broken(width: int = 8)\n    input x: float32[N, 8]\n    output x\n}\n",
    "net Broken {\n    input x: float32[N, 8]\n    output x\n",
    "net Broken {\n    input x: float32[N, 8]\n    output x\n}}\n",
    "fn half(v) = v //\n",
    "import blocks.net\n",
    "block Broken(a b) {\n    input x: [N]\n    output x\n}\n",
    "train {\n    batch = 64\n}\n",
])  # fmt: skip
def test_a_broken_definition_leaves_the_others(first: str) -> None:
    codes = [d.code for d in found(first + REST)]
    assert len(codes) == 2, codes
    assert codes[-1] == "E0203"


def test_two_mistakes_in_two_statements() -> None:
    assert [d.code for d in found(net("y = image -> Conv2d(8 3)\nz = 'a'\nx = image"))] == ["E0105", "E0104"]


def test_a_bracket_across_lines_is_one_statement() -> None:
    body = "y = concat(image\n           image, axis=1)\nx = image"
    assert [(d.code, d.span.line if d.span else 0) for d in found(net(body))] == [("E0105", 4)]


def test_a_word_of_the_language_as_a_name_is_one_mistake() -> None:
    assert [d.code for d in found(net("block = image\nx = block -> relu\ny = block", "output x"))] == [
        "E0106"
    ]


@pytest.mark.parametrize("seed", range(30))
def test_damaged_specs_give_messages_and_nothing_else(seed: int) -> None:
    """Characters are dropped, doubled and exchanged; what is left ends in findings, within their bounds."""
    rng = random.Random(seed)
    text = list(
        net("y = image -> Conv2d(width, 3) -> relu\nfor i in range(2) {\n    y = y -> relu\n}\nx = y")
    )
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(text))
        text[at] = rng.choice(["", text[at] * 2, rng.choice("(){}[]\"',:=->\n#ax1.")])
    shown = render_text(found("".join(text)))
    assert len(re.findall(r"^error\[", shown, re.M)) <= 12


MISTAKES = [  # independent of one another: statements that bind names used nowhere else
    ("a1 = image -> Conv2d(8, 3, strides=2)", "E0203"),
    ("a2 = image -> BachNorm2d", "E0201"),
    ("a3 = image -> Conv2d(8)", "E0204"),
    ("a4 = image + image[:, :, 1:]", "E0401"),
    ("a5 = image -> Conv2d(8, 3", "E0108"),
    ("a6 = image -> Linear(none)", "E0205"),
    ("a7 = widht * 2", "E0201"),
    ("a8 = [1, 2][5]", "E0304"),
    ("a9 = 'x'", "E0104"),
    ("assert width == 9", "E0309"),
    ("a10 = width // 0", "E0308"),
]


@pytest.mark.parametrize("count", range(1, 7))
def test_independent_mistakes_are_told_in_one_run(count: int) -> None:
    choices = list(itertools.combinations(MISTAKES, count))
    for chosen in random.Random(count).sample(choices, min(25, len(choices))):
        diagnostics = found(net("\n".join(line for line, _ in chosen) + "\nx = image"))
        assert sorted(d.code for d in diagnostics) == sorted(code for _, code in chosen), chosen


@pytest.mark.parametrize(("line", "codes"), [
    ("x = image -> Conv2d(8, 3, strides=2) -> BachNorm2d -> relu", ["E0203", "E0201"]),
    ("x = (image -> Conv2d(8)) + (image -> Conv2d(16, 3, pading=1))", ["E0204", "E0203"]),
    ("x = concat(imag, image -> Cnv2d(3), axis=1)", ["E0201", "E0201"]),
    ("x = (image -> Conv2d(8, 99)) + (image -> Conv2d(8, 77))", ["E0401", "E0401"]),
    ("x = concat(image -> Conv2d(8, 99), image -> max_pool2d(64), axis=1)", ["E0401", "E0401"]),
    ("x = image -> Conv2d(wdth, 3) -> Linear([1], bias=wdht)", ["E0201", "E0201"]),
    ("x = f(a, b, c=d)", ["E0201"] * 4),
])  # fmt: skip
def test_mistakes_in_one_statement_are_all_told(line: str, codes: list[str]) -> None:
    assert [d.code for d in found(net(line))] == codes


def test_branches_not_taken_and_blocks_never_used_are_resolved() -> None:
    text = "block Unused(n: int) {\n    input x: [N, D]\n    output x -> Linar(n) -> relu(slope=1)\n}\n"
    diagnostics = found(
        text + net("x = image if width == 8 else imag\nif width != 8 {\n    x = image -> Cnv(3)\n}")
    )
    assert [d.code for d in diagnostics] == ["E0201", "E0203", "E0201", "E0201"]


@pytest.mark.parametrize("line", [
    "y = image -> BachNorm2d\nz = y -> relu\nx = z + 1",
    "for i in rnage(3) {\n    y = image -> Conv2d(8, i)\n}\nz = y\nx = z",
    "y = image -> Conv2d(8, 99)\nx = y -> Conv2d(8, 3)",
    "if widht > 3 {\n    y = image\n}\nx = y",
    "a, b = image -> Splitt(2)\nx = a + b",
    "enc = Encodr(3)\ny = image -> enc\nx = enc.weight + y",
])  # fmt: skip
def test_what_follows_from_a_mistake_is_not_told(line: str) -> None:
    assert len(found(net(line))) == 1


@pytest.mark.parametrize(
    "declaration", ["image: flot32[N, 3, 32, 32]", "image: [N, 3, 32, 32]", "image: float32[N, 3, h, 32]"]
)
def test_a_wrong_input_hides_no_other_mistake(declaration: str) -> None:
    body = "    y = other -> Linear(3) + none\n    output image -> relu\n}\n"
    text = f"net Net {{\n    input {declaration}, other: float32[N, 8]\n{body}"
    assert len(found(text)) == 2


@pytest.mark.parametrize("part", ["-> foo ", "+ foo ", "-> relu(slope=1) "])
def test_a_great_many_mistakes_are_not_all_told(part: str) -> None:
    assert 1 <= len(found(net("", "output image " + part * 5000))) <= 110


@pytest.mark.parametrize(("line", "message"), [
    ("x = image -> Conv2d(8, 3, stride=(2.0, 2))",
     "`stride` of `Conv2d` takes a whole number or a pair of them: 2.0, its item [0], is not a whole number"),
    ("x = relu((image, image))", "`relu` takes one tensor, not a list of 2"),
    ("x = add([image, image])", "`add` takes 2 tensors, one by one, not a list of 2"),
    ("x = image -> Conv2d(8, kernel_size=3, 1)", "a positional argument follows a keyword"),
])  # fmt: skip
def test_what_is_wrong_is_said(line: str, message: str) -> None:
    assert [d.message for d in found(net(line))] == [message]


@pytest.mark.parametrize(("given", "message"), [
    ("[[1], [2, 2.5]]", "a list of lists of whole numbers: 2.5, its item [1][1], is not a whole number"),
    ("3", "a list of lists of whole numbers, not the number 3"),
    ("[[1]], [1.5, 2]", "a list of whole numbers: 1.5, its item [0], is not a whole number"),
    ("[[1]], [1], [0.5, \"b\"]", "a list of numbers: a string, its item [1], is not a number"),
])  # fmt: skip
def test_the_wrong_item_of_a_list_is_named(given: str, message: str) -> None:
    block = "block A(k: list[list[int]], j: list[int] = [1], w: list[float] = []) {\n    input x: [N, C]\n    output x\n}\n"
    (only,) = found(f"{block}net Net {{\n    input x: float32[N, 8]\n    output x -> A({given})\n}}\n")
    assert only.message.endswith(f" of `A` takes {message}")


@pytest.mark.parametrize("name", ["Q", "foo", "spectrogram"])
def test_a_name_like_no_other_has_no_guess(name: str) -> None:
    assert [(d.code, d.help) for d in found(net(f"x = {name}(image)"))] == [("E0201", None)]


@pytest.mark.parametrize(
    ("name", "near"), [("relv", "relu"), ("sqr", "sqrt"), ("Cnv2d", "Conv2d"), ("imag", "image")]
)
def test_a_slip_of_a_letter_has_its_guess(name: str, near: str) -> None:
    assert [d.help for d in found(net(f"x = {name}"))] == [f"did you mean `{near}`?"]


def test_all_wrong_parameters_of_a_block_are_told() -> None:
    diagnostics = found("block B(k: tuple, s: string, n: Int, s: int) {\n    input x: [N]\n    output x\n}\n")
    assert [d.span.text for d in diagnostics if d.span] == ["tuple", "string", "Int", "s"]
    assert [d.code for d in diagnostics] == ["E0212"] * 3 + ["E0210"]


def test_a_failed_assertion_tells_the_values_of_its_names() -> None:
    block = "block B(heads: int) {\n    input x: [N, D]\n    assert D % heads == 0\n    output x\n}\n"
    (only,) = found(f"{block}net Net {{\n    input x: float32[M, 64]\n    output x -> B(3)\n}}\n")
    assert [n.text for n in only.notes][:3] == ["D % heads is 1", "D is 64", "heads is 3"]
    (other,) = found(net("assert not (width > 2)\nx = image"))
    assert [n.text for n in other.notes] == ["width is 8"]


@pytest.mark.parametrize(("layers", "help_"), [("Linear(10)", "flatten first"), ("Conv2d(10, 1)", "")])
def test_logits_that_were_not_flattened_are_explained(layers: str, help_: str) -> None:
    text = (f"net Net {{\n    input image: float32[N, 3, 8, 8]\n    target label: int64[N]\n    z = image -> {layers}\n"
            "    output z\n    loss cross_entropy(z, label)\n}\n")  # fmt: skip
    (only,) = found(text)
    assert only.code == "E0401" and (help_ in (only.help or "") if help_ else only.help is None)


def test_a_train_block_has_no_equals_signs() -> None:
    text = net("x = image") + "train {\n    optimizer = adamw(lr=0.1)\n    batch = 64\n}\n"
    assert [d.help for d in found(text)] == [
        f"leave out the `=`: `{key} value`" for key in ("optimizer", "batch")
    ]
