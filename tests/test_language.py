"""The language: every example of its reference, of its design and of what was decided since holds."""

from pathlib import Path

import pytest
from spec_examples import Example, codes, examples, made

from netc.backends.to_torch import to_torch
from netc.deploy.verify import verify
from netc.passes.initial import state
from netc.passes.standard import standard

ROOT = Path(__file__).resolve().parent.parent
PAGES = (ROOT / "docs" / "language.md", *sorted((ROOT / "tests" / "language").glob("*.md")))
EXAMPLES = [example for page in PAGES for example in examples(page)]
RIGHT = [e for e in EXAMPLES if e.code is None]
WRONG = [e for e in EXAMPLES if e.code is not None]


def by_place(example: Example) -> str:
    return example.place


@pytest.mark.parametrize("example", RIGHT, ids=by_place)
def test_right_example_makes_what_it_claims(example: Example) -> None:
    nets = example.nets()
    net = list(nets.values())[-1]
    assert made(net, example.claims) == list(example.claims)


@pytest.mark.parametrize("example", RIGHT, ids=by_place)
def test_right_example_becomes_python(example: Example) -> None:
    for name, net in example.nets().items():
        compile(to_torch(net), name, "exec")


@pytest.mark.parametrize("example", WRONG, ids=by_place)
def test_wrong_example_is_refused_for_its_reason_alone(example: Example) -> None:
    assert codes(example) == [example.code]


def test_standard_library_agrees_in_all_backends() -> None:
    layers = (
        "-> SqueezeExcite(3) -> DepthwiseSeparable(6, 5, stride=2, bias=true) -> SqueezeExcite(reduction=64)"
    )
    spec = f"net A {{\n input x: float32[N, 7, 9, 6]\n y = x {layers}\n output y\n}}\n"
    net = Example("here", spec).nets()["A"]
    assert str(net.block.outputs[0].type) == "float32[N, 6, 5, 3]"
    assert state(net)["squeeze_excite2.fc1.weight"].type.shape == (1, 6, 1, 1)
    report = verify(net, to_torch(net), "A")
    assert report.passed, report.blames


def test_standard_library_is_in_the_reference() -> None:
    reference = PAGES[0].read_text(encoding="utf-8").split("## Standard library")[1]
    assert standard() and all(f"`{name}(" in reference for name in standard())


def test_examples_are_found() -> None:
    assert len(RIGHT) > 50 and len(WRONG) > 40


def test_a_claim_that_is_wrong_is_noticed() -> None:
    spec = "net A {\n input x: float32[N, 3]\n y = x -> Linear(2)\n output y\n}\n"
    net = Example("here", spec).nets()["A"]
    right = ("fc1.weight", "fc1.bias", "y: float32[N, 2]")
    assert made(net, right) == list(right)
    for wrong in (
        ("fc1.weight",),
        ("fc1.bias", "fc1.weight"),
        ("y: float32[N, 3]",),
        ("N >= 2",),
        ("fc2.*",),
    ):
        assert made(net, wrong) != list(wrong)
