"""Emitted files pass the checkers of whoever takes them into a project: mypy --strict, ruff's defaults."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from emitted import ROOT, net_of, nets, written

from netc.backends.to_torch import to_torch

HARD = {
    "containers": """
        block B(k: list[int], s: list[int]) {
            input x: [N, C, H, W]
            a, b = x -> Conv2d(6, k, padding="same") -> split(s, axis=1)
            output concat(b, a, axis=1) -> relu
        }
        net A {
            input x: float32[N, 3, 8, 8]
            q, k, v = x -> Conv2d(3, 1) -> rearrange("n c h w -> c n h w")
            y = x -> B([1, 3], [2, 4]) -> B([3, 1], [1, 5]) -> B([5, 3], [3, 3])
            z = y -> l1: (Conv2d(4, 3) -> relu -> Conv2d(5, 3))
            output y, q + k + v, z
            loss wide: 0.1 * l2_penalty(weights("l1.*"))
            loss near: l1_penalty(weights("*.conv*.weight"))
            loss bias: l1_penalty(weights("conv1.bias"))
        }""",
    "one output that is one of several": """
        block B { input x: [N, T, C]
            y, h = x -> GRU(C)
            output y }
        net A { input x: float32[N, 5, 3]
            output x -> B }""",
    "names that linters refuse": """
        block B {
            input l: [O, I]
            output (l -> Linear(3)) + reshape(l, O, I)
        }
        net A {
            input I: float32[O, 3]
            l = I -> Linear(3)
            output l -> B
        }""",
    "an input as output": "net A { input x: float32[N, 3]\n output x }",
    "nested containers": """
        net A { input x: float32[N, 3, 8, 8]
            a = x -> deep.0.first: Conv2d(3, 1)
            b = a + (x -> deep.0.second: (Conv2d(3, 1) -> relu))
            c = b -> deep.1.first: Conv2d(3, 1) -> odd.2: Conv2d(3, 1)
            y = c -> 5: Conv2d(2, 1)
            output y
        }""",
}  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an emitted file for every net there is, and for those that are hard to annotate."""
    folder = tmp_path_factory.mktemp("emitted")
    texts = {f"{path.stem}_{name}": to_torch(net_of(path, name)) for path, name in nets()}
    texts |= {f"hard_{i}": to_torch(written(text)) for i, text in enumerate(HARD.values())}
    for stem, text in texts.items():
        (folder / f"net_{re.sub(r'[^A-Za-z0-9_]', '_', stem)}.py").write_text(text)
    for path in (*(ROOT / "tests" / "golden").glob("*.py"), *(ROOT / "examples").glob("*.py")):
        shutil.copy(path, folder / f"shown_{path.name}")
    return folder


def said(tool: str, *arguments: object, folder: Path) -> str:
    """What a tool finds; it reads no configuration but its own defaults."""
    command = [sys.executable, "-m", tool, *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout if done.returncode else ""


def mypy(folder: Path) -> str:
    cache = ROOT / ".mypy_cache" / "emitted"
    return said(
        "mypy", "--strict", "--config-file=", "--cache-dir", cache, *folder.glob("*.py"), folder=folder
    )


def ruff(folder: Path) -> str:
    return said("ruff", "check", "--isolated", "--no-cache", "--output-format=concise", ".", folder=folder)


def test_a_strict_type_checker_finds_nothing(files: Path) -> None:
    assert mypy(files) == ""


def test_a_linter_finds_nothing(files: Path) -> None:
    assert ruff(files) == ""


def test_the_checkers_find_what_is_wrong(files: Path, tmp_path: Path) -> None:
    text = (files / "shown_resnet18.py").read_text()
    (tmp_path / "wrong.py").write_text(
        "import os\n" + text.replace("logits: Tensor = ", "logits = ").replace("(2, 3)", "'a'")
    )
    assert "[no-any-return]" in mypy(tmp_path) and "[call-overload]" not in ruff(tmp_path)
    assert "F401" in ruff(tmp_path)
