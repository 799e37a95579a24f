"""docs/ops.md is what docs/make_ops.py makes of the registry."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from netc.ops.contract import OPS

DOCS = Path(__file__).resolve().parent.parent / "docs"


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


def test_page_has_every_spelling(make_ops: ModuleType) -> None:
    page = make_ops.page()
    for name, op in OPS.items():
        assert (f"### {name}\n" if name == op.name else f"`{name}`") in page
