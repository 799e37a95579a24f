"""The wheel, the sdist and the checkout all hold the grammar, the pages and the data."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROBE = """
import netc, netc.ops
from netc.syntax import parse
from netc.diagnostics import Source
from netc.diagnostics.explain import codes
from netc.passes.standard import standard
from netc.train.embedded import load_digits
file, found = parse(Source("a.net", "net A { input x: float32[N, 3]\\n output x -> Linear(2)\\n}\\n"))
assert not found and len(file.items) == 1 and len(codes()) >= 40 and standard() and len(load_digits().test) > 300
print(netc.__file__)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in ("netc", "grammar"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "-o", str(folder / "out"), str(source)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder / "out"


def probe(path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(path)!r})\n{PROBE}"],
        capture_output=True,
        text=True,
        cwd=path,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(path)), "another netc was imported"


def test_the_wheel(built: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path)
    probe(tmp_path)


def test_the_sdist_holds_what_a_build_needs(built: Path, tmp_path: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    for name in ("grammar/net.lark", "netc/diagnostics/pages/E0201.md", "LICENSE", "README.md"):
        assert (folder / name).is_file(), name


def test_the_checkout() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
