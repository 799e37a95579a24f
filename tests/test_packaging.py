"""The wheel, the sdist and the checkout all hold the grammar, the pages and the data."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = (
    "pyproject.toml",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "constraints.txt",
)
FOLDERS = ("benchmarks", "docs", "examples", "grammar", "netc", "specs", "tests")
PROBE = """
import netc
from netc.cli.specs import shipped_specs
from netc.syntax import parse
from netc.diagnostics import Source
from netc.diagnostics.explain import codes
from netc.passes.standard import standard
from netc.train.embedded import load_digits
file, found = parse(Source("a.net", "net A { input x: float32[N, 3]\\n output x -> Linear(2)\\n}\\n"))
assert not found and len(file.items) == 1 and len(codes()) >= 40 and standard() and "resnet" in shipped_specs() and len(load_digits().test) > 300
print(netc.__file__)
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    source = folder / "source"
    source.mkdir()
    for name in FILES:
        shutil.copy(ROOT / name, source)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__", ".*_cache"))
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "-o", str(folder / "out"), str(source)],
        capture_output=True,
        text=True,
        env={key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"},
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-2000:]
    assert not [line for line in said.splitlines() if re.search("warning|deprecat", line, re.IGNORECASE)]
    return folder / "out"


def files_of(folder: Path) -> set[str]:
    """The paths of the project's files below `folder`, but for what runs and builds leave."""
    names = (
        *FILES,
        *(str(p.relative_to(folder)) for f in FOLDERS for p in (folder / f).rglob("*") if p.is_file()),
    )
    return {name for name in names if not re.search(r"__pycache__|_cache/|egg-info", name)}


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


def test_the_wheel_holds_the_specs_and_none_of_the_tests(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
    assert {f"netc/specs/{path.name}" for path in (ROOT / "specs").glob("*.net")} <= names
    assert {name.split("/")[0] for name in names if not name.startswith("netc-")} == {"netc"}


def test_the_sdist_holds_all_that_building_and_testing_need(built: Path, tmp_path: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (folder,) = tmp_path.iterdir()
    assert files_of(folder) == files_of(ROOT)
    tests = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "tests/test_op_catalog.py",
        "tests/test_specs.py",
    ]
    done = subprocess.run(
        tests, cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(folder)}
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_the_checkout() -> None:
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
