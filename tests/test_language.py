"""The language: every example of its reference, of its design and of what was decided since holds."""

from pathlib import Path

import pytest
from spec_examples import Example, codes, examples, made

from netc.backends.to_torch import to_torch

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


def test_examples_are_found() -> None:
    assert len(RIGHT) > 60 and len(WRONG) > 30


def test_a_claim_that_is_wrong_is_noticed() -> None:
    spec = "net A {\n input x: float32[N, 3]\n y = x -> Linear(2)\n output y\n}\n"
    net = Example("here", spec).nets()["A"]
    right = ("fc1.weight", "fc1.bias", "y: float32[N, 2]")
    assert made(net, right) == list(right)
    for wrong in (("fc1.weight",), ("fc1.bias", "fc1.weight"), ("y: float32[N, 3]",), ("N >= 2",), ("fc2.*",)):
        assert made(net, wrong) != list(wrong)
