"""What the README shows is what netc does."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def fences(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.S | re.M)


def netc(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "netc", *arguments], cwd=folder, capture_output=True, text=True
    )


def test_the_spec_becomes_the_class(tmp_path: Path) -> None:
    (tmp_path / "tiny.net").write_text(fences("net")[0])
    done = netc(tmp_path, "compile", "tiny.net", "--target", "torch")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "tiny.py").read_text() == fences("python")[0]


def test_the_mistake_gives_the_message(tmp_path: Path) -> None:
    (tmp_path / "tiny.net").write_text(fences("net")[0].replace("Basic(16)", "Basic(32)"))
    done = netc(tmp_path, "check", "tiny.net")
    assert done.returncode == 1
    assert done.stdout == fences("text")[0]


def test_there_are_two_commands() -> None:
    assert len(fences("sh")) == 2


def test_every_verb_is_listed() -> None:
    from netc.cli.main import VERBS

    listed = set(re.findall(r"^\| `netc (\w+)", README, re.M))
    assert listed == set(VERBS)
