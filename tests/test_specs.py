"""`netc specs`: what comes with netc is listed, printed and found by its name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from netc.cli.specs import shipped_specs

SPECS = Path(__file__).parents[1] / "specs"


def netc(*arguments: str, folder: Path = SPECS.parent) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "netc", *arguments], cwd=folder, capture_output=True, text=True
    )


def test_every_spec_is_listed_with_its_nets() -> None:
    listed = netc("specs")
    assert listed.returncode == 0
    assert set(shipped_specs()) == {path.stem for path in SPECS.glob("*.net")}
    for name in shipped_specs():
        assert f"\n{name} " in f"\n{listed.stdout}"
    assert "ResNet18, ResNet34, ResNet50" in listed.stdout


def test_the_text_of_one_is_printed() -> None:
    assert netc("specs", "lenet").stdout == (SPECS / "lenet.net").read_text()
    unknown = netc("specs", "resnets")
    assert unknown.returncode == 1 and "did you mean `resnet`?" in unknown.stdout + unknown.stderr


def test_a_verb_finds_a_spec_by_its_name_unless_a_file_has_it(tmp_path: Path) -> None:
    there = netc("show", "lenet", folder=tmp_path)
    assert there.returncode == 0 and "LeNet5" in there.stdout
    (tmp_path / "lenet").write_text("net Mine {\n    input x: float32[N, 2]\n    output x -> Linear(3)\n}\n")
    assert "Mine" in netc("show", "lenet", folder=tmp_path).stdout
    missing = netc("check", "lenets", folder=tmp_path)
    assert missing.returncode == 1 and "cannot read lenets" in missing.stdout + missing.stderr
