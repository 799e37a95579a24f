"""Packages that are missing or damaged: each verb says which, and how to install it, and none that it does not use."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from netc.cli.packages import PACKAGES, refusal
from netc.deploy.isolated import Emitted, run_emitted

ROOT = Path(__file__).parents[1]
HIDE = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {module!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
from netc.cli import main
sys.argv = ["netc", *{arguments!r}]
main()
"""
NEEDS = {
    "check": {"lark"},
    "show": {"lark"},
    "compile": {"lark", "numpy", "onnx"},
    "verify": {"lark", "numpy", "onnx", "onnxruntime"},
    "gradcheck": {"lark", "numpy"},
    "train": {"lark", "numpy", "onnx", "onnxruntime", "PIL", "matplotlib", "safetensors", "torch", "rich"},
    "explain": set(),
}  # fmt: skip
ARGUMENTS = {
    "compile": ("specs/digits.net", "--net", "DigitsMLP", "-o", "OUT"),
    "train": ("specs/digits.net", "--net", "DigitsMLP", "-o", "OUT", "--set", "train.epochs=1"),
    "explain": ("E0201",),
}


def hiding(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = HIDE.format(module=module, arguments=list(arguments))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)


@pytest.mark.parametrize(
    "verb, module", [(verb, module) for verb, needs in NEEDS.items() for module in sorted(needs)]
)
def test_a_missing_package_is_told_with_what_installs_it(verb: str, module: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    given = ARGUMENTS.get(verb, ("specs/digits.net", "--net", "DigitsMLP"))
    done = hiding(module, verb, *(a.replace("OUT", str(out)) for a in given))
    said = done.stdout + done.stderr
    assert done.returncode == 1 and "error[E0911]" in done.stdout, said
    assert f"pip install {PACKAGES[module]}" in said and "itself" not in said and "Traceback" not in said
    assert not out.exists()


@pytest.mark.parametrize("verb", ["check", "show", "compile", "explain"])
def test_what_a_verb_does_not_use_may_be_missing(verb: str, tmp_path: Path) -> None:
    given = ARGUMENTS.get(verb, ("specs/digits.net", "--net", "DigitsMLP"))
    done = hiding("torch", verb, *(a.replace("OUT", str(tmp_path / "out")) for a in given))
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_missing_package_of_a_process_is_told(tmp_path: Path) -> None:
    """torch in the process that runs the emitted module, onnxruntime in the one that runs an ONNX file."""
    emitted = Emitted(
        "raise ModuleNotFoundError(\"No module named 'torch'\", name='torch')\n",
        "A",
        tmp_path,
        ["x"],
        [],
        False,
    )
    with pytest.raises(ModuleNotFoundError) as missing:
        run_emitted(emitted, [{"x": np.zeros(1, np.float32)}])
    told = refusal(missing.value)
    assert told is not None and "pip install torch" in str(told.diagnostics[0].help)
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "onnxruntime.py").write_text(
        "raise ModuleNotFoundError('gone', name='onnxruntime')\n"
    )
    (tmp_path / "a.onnx").write_bytes(b"")
    (tmp_path / "a.png").write_bytes(b"")
    command = [
        sys.executable,
        "-m",
        "netc",
        "run",
        str(tmp_path / "a.onnx"),
        str(tmp_path / "a.png"),
        "--format=json",
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        env={"PYTHONPATH": str(tmp_path / "hidden")},
    )
    (error,) = json.loads(done.stdout)
    assert done.returncode == 1 and error["code"] == "E0911" and "pip install onnxruntime" in error["help"]


def test_a_damaged_package_is_told(tmp_path: Path) -> None:
    """One that raises without naming a module, as numpy and torch do where a library does not fit."""
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "__init__.py").write_text("raise ImportError('its library does not fit')\n")
    command = [
        sys.executable,
        "-m",
        "netc",
        "compile",
        "specs/digits.net",
        "--net",
        "DigitsMLP",
        "-o",
        str(tmp_path / "out"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, env=environment)
    assert done.returncode == 1 and "error[E0911]" in done.stdout and "does not fit" in done.stdout, (
        done.stderr
    )
    assert "pip install onnx" in done.stdout and not (tmp_path / "out").exists()


def test_a_module_of_netc_that_is_missing_is_a_bug_of_netc() -> None:
    assert refusal(ModuleNotFoundError("No module named 'netc.nowhere'", name="netc.nowhere")) is None
