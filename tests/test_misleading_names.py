"""What users of torch write and netc reads otherwise: words in labels, names of torch, bindings that hide a layer, tensors last."""

from __future__ import annotations

import pytest
from in_memory import codes, found

SPEC = """fn double(v) = 2 * v
block Unit(width: int) {{
    input x: [N, C, H, W]
    output x -> Conv2d(width, 1)
}}
net A({parameter}: float = 0.5, k: int = 2) {{
    input x: float32[N, 4, 8, 8], w: float32[8, 4, 3, 3]
    {statements}
    output x
}}
"""


def spec(statements: str, parameter: str = "rate") -> str:
    return SPEC.format(parameter=parameter, statements=statements)


@pytest.mark.parametrize(
    ("label", "quoted"),
    [
        ("block", "block"),
        ("net.0", "net.0"),
        ("features.input", "features.input"),
        ("param[2]", "param.2"),
        ("block[k].conv", "block.{k}.conv"),
        ("stages[0].block", "stages.0.block"),
    ],
)
@pytest.mark.parametrize(
    "line", ["y = x -> {}: Conv2d(4, 1)", "y = x -> ({}: Conv2d(4, 1) -> relu)", "y = {}: Conv2d(4, 1)"]
)
def test_a_word_in_a_label_is_quoted(line: str, label: str, quoted: str) -> None:
    errors = found(spec(line.format(label)))
    assert [e.code for e in errors] == ["E0106"]
    assert errors[0].help == f'within a label, a word of the language stands in quotes: `"{quoted}": ...`'
    assert codes(spec(line.format(f'"{quoted}"'))) == []


@pytest.mark.parametrize(
    ("line", "word"), [("block = x -> relu", "block"), ("y = x -> in: Conv2d(4, 1)", "in")]
)
def test_a_word_elsewhere_and_one_of_pythons_takes_another_name(line: str, word: str) -> None:
    (error,) = found(spec(line))
    assert error.help is not None and error.help.endswith(f"such as `{word}_`")


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("batch_norm", "`BatchNorm1d`, `BatchNorm2d` or `BatchNorm3d`"),
        ("BatchNorm", "`BatchNorm1d`, `BatchNorm2d` or `BatchNorm3d`"),
        ("max_pool", "`max_pool1d`, `max_pool2d` or `max_pool3d`"),
        ("MaxPool", "`MaxPool1d`, `MaxPool2d` or `MaxPool3d`"),
        ("conv", "`Conv1d`, `Conv2d` or `Conv3d`"),
        ("conv_transpose", "`ConvTranspose1d`, `ConvTranspose2d` or `ConvTranspose3d`"),
        ("AdaptiveAvgPool", "`AdaptiveAvgPool1d`, `AdaptiveAvgPool2d` or `AdaptiveAvgPool3d`"),
    ],
)
def test_a_family_is_told_whole(name: str, meant: str) -> None:
    (error,) = found(spec(f"y = x -> {name}"))
    assert error.help == f"did you mean {meant}? The digit counts the spatial axes"


@pytest.mark.parametrize(
    ("name", "near"),
    [("batchnorm2d", "BatchNorm2d"), ("max_pool_2d", "max_pool2d"), ("layer_norm", "LayerNorm")],
)
def test_one_of_a_family_is_told_alone(name: str, near: str) -> None:
    assert [e.help for e in found(spec(f"y = x -> {name}"))] == [f"did you mean `{near}`?"]


@pytest.mark.parametrize(
    ("call", "help_"),
    [("conv2d(x, w)", "`unfold` and `einsum`"), ("linear(x, w)", "`x @ w`"), ("x -> conv1d(w)", "`Conv1d(")],
)
def test_a_function_on_weights_is_no_layer_that_owns_them(call: str, help_: str) -> None:
    (error,) = found(spec(f"y = {call}"))
    assert error.code == "E0201" and error.help is not None and help_ in error.help


def test_what_the_help_says_of_a_kernel_works() -> None:
    statements = (
        "y = x -> unfold(3, padding=1)\n"
        '    z = einsum("ok,nkl->nol", reshape(w, 8, 36), y)\n    assert shape(z) == [N, 8, 64]'
    )
    assert codes(spec(statements)) == []


HIDDEN = [  # a binding, a use, and what it hides
    ("", "dropout", "y = x -> dropout(0.1)", "E0208", "function", "the number 0.5"),
    ("", "dropout", "y = x -> dropout", "E0506", "function", "the number 0.5"),
    ("", "dropout", "y = dropout(x)", "E0208", "function", "the number 0.5"),
    ("", "dropout", "y = dropout -> relu", "E0506", "function", "the number 0.5"),
    ("", "dropout", "y = x -> drop: dropout", "E0507", "function", "the number 0.5"),
    ("relu = relu(x)", "rate", "y = x -> relu", "E0506", "function", "a tensor"),
    ("Conv2d = 3", "rate", "y = x -> Conv2d(4, 1)", "E0208", "layer", "the number 3"),
    ("Unit = 3", "rate", "y = x -> Unit(4)", "E0208", "block", "the number 3"),
    ("double = [1]", "rate", "y = double(2)", "E0208", "helper", "a list of 1"),
    ("for tanh in [1] { }", "rate", "y = x -> tanh", "E0506", "function", "the number 1"),
    ("", "normal", "y = x -> Conv2d(4, 1, init=normal)", "E0414", "initialiser", "the number 0.5"),
    ("", "zeros", "param p: float32[4] = zeros", "E0414", "initialiser", "the number 0.5"),
    ("sqrt = 2", "rate", "y = sqrt(4)", "E0208", "function", "the number 2"),
]


@pytest.mark.parametrize(("binding", "parameter", "use", "code", "kind", "what"), HIDDEN)
def test_what_a_binding_hides_is_told(
    binding: str, parameter: str, use: str, code: str, kind: str, what: str
) -> None:
    (error,) = found(spec(f"{binding}\n    {use}", parameter))
    assert error.code == code and error.span is not None and error.span.text in use
    assert error.message.startswith(f"`{error.span.text}` is {what}")
    assert error.message.endswith(f"which hides the {kind} of that name")
    (place, *_) = error.notes
    assert place.span is not None and place.span.text.startswith(error.span.text)


@pytest.mark.parametrize("use", ["y = x -> rate", "y = rate(x)"])
def test_a_name_that_hides_nothing_is_told_plainly(use: str) -> None:
    (error,) = found(spec(use))
    assert "hides" not in error.message


def test_a_layer_may_be_bound_to_the_name_of_another() -> None:
    assert codes(spec("Conv2d = Unit\n    relu = tanh\n    y = x -> Conv2d(4) -> relu")) == []


@pytest.mark.parametrize(
    ("statement", "code", "help_"),
    [
        ("y = x -> stage{k}: relu", "E0105", '`"stage{k}": ...`'),
        ("y = [x -> a{k}.b{k + 1}: relu]", "E0105", '`"a{k}.b{k + 1}": ...`'),
        ("y = Conv2d(4, 8, kernel_size=3)(x)", "E0207", "the channels that come in are inferred"),
        ("y = Unit(4, x)", "E0206", "`x -> Unit(...)`"),
        ("y = Conv2d(8, x, 3)", "E0205", "`x -> Conv2d(...)`"),
        ("y = 3. + k", "E0105", "write a digit after the point"),
        ("y = 3. -> relu", "E0105", "write a digit after the point"),
        ("y = max(3., k)", "E0105", "write a digit after the point"),
    ],
)
def test_a_slip_of_a_user_of_torch_is_told(statement: str, code: str, help_: str) -> None:
    errors = found(spec(statement))
    assert [e.code for e in errors] == [code]
    assert errors[0].help is not None and help_ in errors[0].help


def test_several_results_are_unpacked_before_they_are_indexed() -> None:
    (error,) = found(spec("y = x[:, 0] -> LSTM(8)\n    z = y[:, -1]"))
    assert error.help == "`LSTM` gives 3 values: write `y, h, c = ... -> LSTM(8)`, and then `y[:, -1]`"


@pytest.mark.parametrize(
    "call",
    [
        "f([x, x])",
        "Linear(4)([x, x])",
        "Unit(4)([x, x])",
        "Unit([x, x], 4)",
        "(relu -> tanh)([x, x])",
        "relu([x])",
    ],
)
def test_a_list_of_tensors_is_no_tensor(call: str) -> None:
    (error,) = found(spec(f"f = Linear(4)\n    y = {call}"))
    assert error.code == "E0511" and "one tensor, not a list" in error.message
