"""The catalog of ops is the one that the ops give, and an op's file is imported only when the op is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from netc.ops.contract import OPERATORS, OPS, Op
from netc.ops.registry import Registry
from netc.ops.write_catalog import CATALOG, catalog


def test_the_catalog_is_up_to_date() -> None:
    assert catalog() == CATALOG.read_text(), "run `python -m netc.ops.write_catalog`"


def test_every_key_gives_an_op_of_that_name() -> None:
    for key, op in OPS.items():
        assert issubclass(op, Op) and key in (op.name, *op.aliases)
    assert all(issubclass(op, Op) for op in OPERATORS.values())


def test_an_unknown_name_is_no_op_and_two_ops_cannot_share_a_key() -> None:
    assert "Conv7d" not in OPS and OPS.get("Conv7d") is None
    registry = Registry({"conv": "Conv2d"})
    registry.enter("mine", OPS["Conv2d"])
    assert set(registry) == {"Conv2d", "mine"} and len(registry) == 2
    with pytest.raises(ValueError, match="two ops are named mine"):
        registry.enter("mine", OPS["Conv1d"])


CHECK = """
import sys
from netc.cli import main
sys.argv = ["netc", "check", "-"]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*(name for name in sys.modules if name.startswith("netc.ops.") or name in ("numpy", "torch", "onnx")))
"""


def test_check_imports_only_the_families_of_the_spec() -> None:
    spec = "net A {\n    input x: float32[N, 4]\n    output x -> Linear(3) -> relu\n}\n"
    run = subprocess.run(
        [sys.executable, "-c", CHECK], input=spec, capture_output=True, text=True, check=True
    )
    modules = run.stdout.splitlines()[-1].split()
    assert {"netc.ops.linear", "netc.ops.activation"} <= set(modules)
    assert not {"netc.ops.conv", "netc.ops.lstm", "netc.ops.loss", "numpy", "torch", "onnx"} & set(modules)
