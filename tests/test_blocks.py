"""Blocks and layers: arguments mean what they mean at the call, and a variant serves only the callers that it fits."""

from __future__ import annotations

import pytest
import torch
from emitted import run_source
from in_memory import codes, found, program

from netc.backends.to_onnx import to_onnx
from netc.backends.to_torch import to_torch
from netc.diagnostics import Refused
from netc.ir.module import Net, parameters
from netc.passes.elaborate import elaborate

WRAP = "block Wrap(f: layer) {\n    input x: [N, C]\n    output x -> f\n}\n"
PLACE = "block Place(ks) {\n    input x: [N, C]\n    output x -> Linear(ks[0])\n}\n"
SMALL = "block Small {\n    input x: [N, C]\n    output x -> Linear(4)\n    assert params <= 20\n}\n"


def outer(step: str) -> str:
    return f"block Outer {{\n    input x: [N, C]\n    output x -> Linear(7) -> {step}\n}}\n"


def net(body: str, inputs: str = "x: float32[N, 5]") -> str:
    return f"net Top {{\n    input {inputs}\n    {body}\n}}\n"


def made(text: str) -> Net:
    return elaborate(program(text), "Top")


def emitted(text: str) -> torch.nn.Module:
    """The emitted net, in evaluation mode."""
    module: torch.nn.Module = run_source(to_torch(made(text))).Top()
    return module.eval()


@pytest.mark.parametrize(
    ("blocks", "width"),
    [
        (WRAP + outer("Wrap(Linear(C * 2))"), 10),
        (WRAP + outer("Wrap(relu -> Linear(C * 2))"), 10),
        (WRAP + outer("Wrap(Linear(C)) -> Wrap(Linear(C + 1) * 2)"), 6),
        (PLACE + outer("Place([C, 2])"), 5),
    ],
)
def test_a_size_in_an_argument_is_the_callers(blocks: str, width: int) -> None:
    assert made(blocks + net("output x -> Outer")).block.outputs[0].type.shape[1] == width


def test_callers_of_other_sizes_pass_other_layers() -> None:
    text = WRAP + outer("Wrap(Linear(C * 2))") + net("output x -> Outer -> Outer")
    assert made(text).block.outputs[0].type.shape[1] == 20


@pytest.mark.parametrize("argument", ["maximum(y)", "relu -> maximum(y)", "[y]", "y"])
def test_a_tensor_is_no_argument_of_a_block(argument: str) -> None:
    block = "block Any(f) {\n    input x: [N, C]\n    output x\n}\n"
    assert codes(block + net(f"y = relu(x)\n    output x -> Any(f={argument})")) == ["E0205"]


def test_a_layer_that_depends_on_a_free_size_is_no_argument() -> None:
    (finding,) = found(WRAP + net("output x -> Wrap(reshape(N, 1, 5))"))
    assert "`N`" in finding.message and finding.span is not None and finding.span.text == "reshape(N, 1, 5)"


def test_a_bound_layer_is_fresh_within_an_argument_too() -> None:
    twice = "block Twice(f: layer) {\n    input x: [N, C]\n    output x -> f -> f\n}\n"
    text = twice + net("a = Linear(5)\n    b = a -> relu\n    output x -> Twice(b)")
    assert len([p for p, _ in parameters(made(text).block)]) == 4


def test_an_assertion_on_parameters_holds_in_each_caller() -> None:
    wrong = SMALL + net("output x -> Linear(3) -> Small -> Linear(50) -> Small")
    (finding,) = found(wrong)
    assert finding.code == "E0309" and any("204" in note.text for note in finding.notes)
    assert codes(SMALL + net("output x -> Linear(3) -> Small -> Small")) == []


def test_arguments_that_are_equal_but_of_other_types_are_different() -> None:
    assert codes(PLACE + net("output x -> Place([4]) -> Place([4.0])")) == ["E0205"]


def test_a_shared_layer_has_one_dtype() -> None:
    inputs = "a: float32[N, 5], b: float64[N, 5]"
    assert codes(net("fc = Linear(4)\n    output a -> fc, b -> fc", inputs)) == ["E0508"]


@pytest.mark.parametrize(
    ("dtype", "number", "fits"),
    [
        ("float32", "3e38", True), ("float32", "1e39", False), ("float64", "1e39", True),
        ("float32", "1e-45", True), ("float32", "1e-46", False), ("float64", "1e-300", True), ("float32", "0", True),
        ("int32", "2147483647", True), ("int32", "2147483648", False), ("int64", "2147483648", True),
    ],
)  # fmt: skip
def test_a_number_beside_a_tensor_is_one_of_its_dtype(dtype: str, number: str, fits: bool) -> None:
    assert codes(net(f"output x + {number}", f"x: {dtype}[N, 5]")) == ([] if fits else ["E0409"])


def test_what_onnxruntime_lacks_is_refused_with_its_place() -> None:
    with pytest.raises(Refused) as refused:
        to_onnx(made(net("output x -> Conv1d(2, 1)", "x: float64[N, 5, 3]")))
    (finding,) = refused.value.diagnostics
    assert finding.code == "E0401" and finding.span is not None and finding.span.text == "Conv1d(2, 1)"


def test_layers_of_wide_numbers_run() -> None:
    text = "block Step {\n    input x: [N, C]\n    output x -> Linear(C) -> LayerNorm\n}\n" + net(
        "param w: float64[5]\n    output x * w -> Step -> BatchNorm1d, y -> Step",
        "x: float64[N, 5], y: float32[N, 5]",
    )
    wide, narrow = emitted(text)(torch.zeros(2, 5, dtype=torch.float64), torch.zeros(2, 5))
    assert (wide.dtype, narrow.dtype) == (torch.float64, torch.float32)


@pytest.mark.parametrize("cut", ["chunk(x, 1)", "split(x, 9)", "split(x, [5], axis=1)", "x -> Cut"])
def test_a_single_part_is_a_tensor(cut: str) -> None:
    block = "block Cut {\n    input x: [N, C]\n    output split(x, 5, axis=1)\n}\n"
    module = emitted(block + net(f"y = {cut}\n    output y -> relu", "x: float32[4, 5]"))
    assert module(torch.zeros(4, 5)).shape == (4, 5)


@pytest.mark.parametrize(
    "body", ['output x -> cast(to="float64") -> Conv2d(4, 3)', "output x -> Conv2d(4, 3)"]
)
def test_float64_without_a_kernel_is_refused_by_check(body: str) -> None:
    from netc.passes.check import check
    from netc.passes.load import load

    dtype = "float32" if "cast" in body else "float64"
    text = f"net A {{\n    input x: {dtype}[N, 3, 8, 8]\n    {body}\n}}\n"
    found = check(load("a.net", lambda path: text.encode()))
    assert [d.code for d in found] == ["E0401"]
    assert "float64" in found[0].message and found[0].span is not None and found[0].span.line == 3
