"""What docs/gradients.md shows is what netc prints."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[1] / "docs" / "gradients.md").read_text()
FILES = dict(re.findall(r"^```net (\S+)\n(.*?)^```$", PAGE, re.S | re.M))
SHOWN = re.findall(r"^```console\n\$ netc ([^\n]*)\n(.*?)^```$", PAGE, re.S | re.M)
ROUNDED = re.compile(r"\d\.\de-\d\d")  # errors of rounding are those of the machine


@pytest.mark.parametrize(("command", "printed"), SHOWN, ids=[command for command, _ in SHOWN])
def test_the_page_shows_what_is_printed(command: str, printed: str, tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    arguments = [sys.executable, "-m", "netc", *shlex.split(command)]
    done = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert ROUNDED.sub("?", done.stdout) == ROUNDED.sub("?", printed)


def test_the_page_shows_the_three_verbs() -> None:
    assert {command.split()[0] for command, _ in SHOWN} == {"trace", "grad", "gradcheck"}
