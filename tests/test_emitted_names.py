"""Names of a spec that are names in Python, too: what `check` accepts is emitted, and the module runs."""

from __future__ import annotations

from itertools import combinations

import pytest
import torch
from emitted import run_source
from in_memory import codes, found, program

from netc.backends.to_onnx import to_onnx
from netc.backends.to_torch import to_torch
from netc.passes.elaborate import elaborate

SPEC = """block {block}({block_parameter}: int = 4) {{
    input {block_input}: [N, {block_size}]
    {block_binding} = {block_input} -> {block_label}: Linear({block_parameter})
    output relu({block_binding})
}}
net {net}({parameter}: int = 4) {{
    input {input}: float32[{size}, 4], {second}: float32[{size}, 4]
    target {target}: float32[{size}, 4]
    {binding} = {input} + {second} -> {block}({parameter}) -> {label}: Linear(4)
    param {param}: float32[4] = ones
    {binding} = {binding} * {param}
    output {binding}
    loss mse({binding}, {target})
    metric {metric}: mae({binding}, {target})
}}
net {preset} = {net}(4)
"""
NAMES = {
    "block": "Unit",
    "block_parameter": "width",
    "block_input": "u",
    "block_size": "C",
    "block_binding": "v",
    "block_label": "inner",
    "net": "Top",
    "preset": "Preset",
    "parameter": "classes",
    "input": "a",
    "second": "b",
    "size": "N",
    "target": "t",
    "binding": "y",
    "label": "head",
    "param": "scale",
    "metric": "err",
}
WORDS = "torch nn F Tensor OrderedDict self super range print lambda match type loss forward _trunk Training net math Unit Top y a u".split()


def emits(names: dict[str, str]) -> bool:
    """Whether a spec of these names is accepted; what is accepted must be emitted and run."""
    text = SPEC.format(**names)
    if found(text):
        return False
    for name in (names["net"], names["preset"]):
        net = elaborate(program(text), name)
        file = run_source(to_torch(net))
        module = getattr(file, name)()
        a, b, t = torch.randn(3, 3, 4)
        losses, metrics = file.Training(module)(a, b, t)
        wanted = module(a, b) - (t if names["target"] != names["binding"] else module(a, b))
        assert torch.isclose(losses["loss"], (wanted**2).mean()) and list(metrics) == [names["metric"]]
        assert [v.name for v in to_onnx(net, 17).proto.graph.input]
    return True


def test_plain_names_are_accepted() -> None:
    assert emits(NAMES)


@pytest.mark.parametrize("role", NAMES)
def test_a_word_of_python_or_torch(role: str) -> None:
    accepted = {word: emits({**NAMES, role: word}) for word in WORDS}
    assert any(accepted.values()) or role in ("net", "preset", "block"), accepted


@pytest.mark.parametrize("first", NAMES)
def test_one_name_in_two_roles(first: str) -> None:
    for a, b in combinations(NAMES, 2):
        if a == first:
            emits({**NAMES, a: "Q", b: "Q"})
            emits({**NAMES, a: "q", b: "q"})


@pytest.mark.parametrize(
    ("role", "name"),
    [
        ("net", "a"),
        ("net", "t"),
        ("preset", "b"),
        ("preset", "N"),
    ],
)
def test_an_input_a_target_or_a_size_of_the_name_of_a_class_is_refused(role: str, name: str) -> None:
    assert set(codes(SPEC.format(**{**NAMES, role: name}))) == {"E0210"}


def test_a_block_that_another_calls_is_a_class_too() -> None:
    inner = "block a {\n    input x: [N, C]\n    output relu(x)\n}\nfn inner() = a\n"
    text = inner + SPEC.format(**NAMES).replace("relu(", "inner()(")
    assert set(codes(text)) == {"E0210"}


def test_what_only_forward_needs_is_named_anew() -> None:
    """A binding is no part of what the module shows."""
    spec = SPEC.format(**{**NAMES, "binding": "Unit", "block_binding": "Unit", "block_input": "Top"})
    source = to_torch(elaborate(program(spec), "Top"))
    assert "Unit_ = " in source and "def forward(self, Top_: Tensor)" in source


def test_variants_of_a_block_leave_names_alone() -> None:
    """The class of a variant, which netc names, does not hide a size or an input."""
    text = (
        "block B(k: int) {\n    input x: [N, C]\n    output x -> Linear(4) -> relu * (k > 1)\n}\n"
        "net Top {\n    input BK1: float32[N, 4], BRelu: float32[N, 4]\n"
        "    output BK1 + BRelu -> B(1) -> B(2)\n}\n"
    )
    assert found(text) == []
    module = run_source(to_torch(elaborate(program(text), "Top"))).Top()
    assert module(torch.randn(2, 4), torch.randn(2, 4)).shape == (2, 4)
