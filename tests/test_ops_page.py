"""docs/ops.md and `netc ops` tell of every op and standard block what its definition says."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from test_cli import netc

from netc.ops.contract import OPS
from netc.ops.describe import describe
from netc.ops.initialiser import INITIALISERS
from netc.ops.prose import prose
from netc.std.describe import blocks

DOCS = Path(__file__).resolve().parent.parent / "docs"
ALL = sorted(set(OPS.values()), key=lambda op: op.name)


@pytest.fixture(scope="module")
def make_ops() -> ModuleType:
    found = importlib.util.spec_from_file_location("make_ops", DOCS / "make_ops.py")
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_page_is_current(make_ops: ModuleType) -> None:
    written = (DOCS / "ops.md").read_text(encoding="utf-8")
    assert written == make_ops.page(), "run python docs/make_ops.py"


def test_page_has_every_spelling_and_attribute(make_ops: ModuleType) -> None:
    page = make_ops.page()
    for name, op in OPS.items():
        assert (f"### {name}\n" if name == op.name else f"`{name}`") in page
    for op in ALL:
        entry = page.split(f"### {op.name}\n")[1].split("\n### ")[0]
        described = describe(op)
        assert described.prose.formula in entry and described.prose.source in entry
        assert all(f"| `{a.name}` | {a.takes} |" in entry for a in described.attributes)
    assert all(f"| `{name}" in page for name in INITIALISERS)
    for block in blocks().values():
        assert f"### {block.name}\n" in page and block.source in page


@pytest.mark.parametrize("op", ALL, ids=lambda op: op.name)
def test_an_op_is_told_whole(op: type) -> None:
    """What `netc ops NAME` says, in text and as JSON."""
    status, said = netc("ops", op.name)
    described = describe(op)
    assert status == 0 and said.startswith(described.signature)
    for text in (*map(str, described.rules), *described.dtype_lines, str(described.cost)):
        assert text in said
    for attribute in described.attributes:
        assert attribute.name in said and attribute.takes in said
    found = json.loads(netc("ops", op.name, "--format", "json")[1])
    assert found["kind"] == "op" and found["name"] == op.name and found["rules"]


def test_the_list_names_every_op_and_block() -> None:
    status, said = netc("ops")
    assert status == 0 and all(name in said for name in (*OPS, *blocks()))
    listed = json.loads(netc("ops", "--format", "json")[1])
    assert {o["name"] for o in listed["ops"]} == {op.name for op in ALL}
    assert {b["name"] for b in listed["blocks"]} == set(blocks())
    assert all(f"{name}(" in said or f"  {name} " in said for name in INITIALISERS)
    assert [i["signature"].partition("(")[0] for i in listed["initialisers"]] == list(INITIALISERS)


def test_a_convolution_as_an_example() -> None:
    said = netc("ops", "Conv2d")[1]
    for line in (
        "x [N, C, H, W] -> [N, out_channels, H - 2, W - 2], where H >= 3 and W >= 3",
        "kernel_size   a whole number or a pair of them                         required",
        "weight  [out_channels, C, 3, 3]  uniform within 1/sqrt(9*C)",
        "float32 or float64, which the result keeps",
        "x [2, 3, 5, 7]: 6,600 operations, 3,240 multiply-adds, 112 parameters",
        "torch.nn.Conv2d.html",
    ):
        assert line in said


def test_aliases_blocks_and_typing_errors() -> None:
    assert netc("ops", "ReLU")[1] == netc("ops", "relu")[1]
    said = netc("ops", "SqueezeExcite")[1]
    assert said.startswith("SqueezeExcite(reduction: int = 4)") and "output x * weights" in said
    assert json.loads(netc("ops", "SqueezeExcite", "--format", "json")[1])["kind"] == "block"
    for wrong, meant in (("Conv2", "Conv2d"), ("reluu", "relu"), ("SqueezExcite", "SqueezeExcite")):
        status, said = netc("ops", wrong)
        assert status == 2 and f"Did you mean `{meant}`?" in said
    assert "`netc ops` lists them" in netc("ops", "frobnicate")[1]


def test_a_docstring_in_parts() -> None:
    found = prose(
        """y = 2 x
        for each x.

        Some prose.

        More of it.
        Shape: x [N] -> y
          of the same shape.
        Gradient: dx = 2 g.
        Source: one,
        https://example.org
        """
    )
    assert found.formula == "y = 2 x\nfor each x." and found.headline == "y = 2 x"
    assert found.notes == "Some prose.\n\nMore of it."
    assert found.shape == "x [N] -> y\n  of the same shape." and found.gradient == "dx = 2 g."
    assert found.source == "one,\nhttps://example.org" and found.lacks == ()
    assert prose("y = x.").lacks == ("shape", "gradient", "source")
