"""Runs what docs/training.md shows: its table against the schema, its overrides, and both of its programs."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from netc.passes.elaboration.naming import snake_case
from netc.passes.load import load
from netc.passes.recipe import Recipe
from netc.passes.recipe_schema import REQUIRED, SETTINGS, Takes
from netc.passes.recipe_tree import recipe_of
from netc.train.cifar10 import OFFICIAL, RECORD
from netc.train.picture import MOST_PIXELS
from netc.train.run_files import MOST_SAMPLES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "training.md").read_text()
# A program that netc has no part in: importing it fails.
ALONE = "import sys; sys.modules['netc'] = None; exec(sys.stdin.read())"


def fences(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.S | re.M)


def cifar_recipe(*overrides: str) -> Recipe:
    path = str(ROOT / "specs" / "resnet_cifar.net")
    return recipe_of(load(path, lambda name: Path(name).read_bytes()).train, overrides)


# The recipe


def row(setting: str, argument: str, takes: Takes, default: object) -> str:
    cells = [
        f"`{setting}`" if setting else "",
        f"`{argument}`" if argument else "",
        takes.words,
        shown(default),
    ]
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def shown(default: object) -> str:
    if default is REQUIRED:
        return "required"
    if isinstance(default, tuple):
        return str(list(default))
    if isinstance(default, bool) or default is None:
        return str(default).lower()
    return f"{default:g}"


def test_the_table_is_the_schema() -> None:
    rows = []
    for name, kind in SETTINGS.items():
        if kind.takes:
            rows.append(row(name, "", kind.takes, kind.default))
        for choice in kind.choices.values():
            for i, argument in enumerate(choice.arguments):
                setting = f"{name} {choice.name}" if i == 0 else ""
                rows.append(row(setting, argument.name, argument.takes, argument.default))
    table = PAGE[PAGE.index("| setting |") :].split("\n\n")[0].replace(" (default)", "")
    assert table.splitlines()[2:] == rows
    assert f"`optimizer {SETTINGS['optimizer'].default}` (default)" in PAGE


@pytest.mark.parametrize("text", re.findall(r"^\| `--set '?(train\.[^`']*)'?`", PAGE, re.M))
def test_each_override_changes_the_recipe(text: str) -> None:
    assert cifar_recipe(text) != cifar_recipe()


def test_overrides_do_what_the_page_says() -> None:
    assert cifar_recipe("train.lr=0.1") == cifar_recipe("train.optimizer.lr=0.1")
    assert cifar_recipe("train.lr=0.1", "train.lr=0.3").optimizer.arguments["lr"] == 0.3
    assert cifar_recipe("train.schedule=none").schedule is None
    assert cifar_recipe("train.augment=none").augment == ()
    assert [a.name for a in cifar_recipe('train.augment=["horizontal_flip"]').augment] == ["horizontal_flip"]


def test_figures_of_the_page_are_those_of_the_code() -> None:
    assert f"must have {OFFICIAL.images * RECORD:,} bytes" in PAGE and OFFICIAL.archive.url in PAGE
    assert f"({OFFICIAL.archive.size / 1e6:.0f} MB)" in PAGE
    assert f"at most {MOST_PIXELS / 1e6:.0f} million pixels" in PAGE
    assert f"the first {MOST_SAMPLES} classes" in PAGE
    for net, name in re.findall(r"`(\w+)`\s+is `(\w+)`", PAGE):
        assert snake_case(net) == name


# The run and what is made of it


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's command has left its run."""
    folder = tmp_path_factory.mktemp("page")
    shutil.copytree(ROOT / "specs", folder / "specs")
    (command,) = fences("sh")
    words = [sys.executable, "-m", *shlex.split(command)]
    places = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(places)}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def answers(program: str, folder: Path) -> list[tuple[str, str, float]]:
    """What a program prints of each sample: its file, the class and the logit of it."""
    done = subprocess.run(
        [sys.executable, "-c", ALONE], input=program, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    return [(file, name, float(logit)) for file, name, logit in lines]


def test_both_programs_give_the_same_classes(folder: Path) -> None:
    by_torch, by_onnx = (answers(program, folder) for program in fences("python"))
    assert [a[:2] for a in by_torch] == [a[:2] for a in by_onnx]
    assert [a[2] for a in by_torch] == pytest.approx([a[2] for a in by_onnx], abs=2e-3)
    assert len(by_torch) == 10
    # The samples are named after their classes; two epochs are right in about 96 of 100.
    assert sum(Path(file).stem == name for file, name, _ in by_torch) >= 8


def test_a_wrong_preparation_shows(folder: Path) -> None:
    program = fences("python")[1]
    assert program.count("- mean") == 1
    right, wrong = answers(program, folder), answers(program.replace("- mean", "+ mean"), folder)
    assert max(abs(a[2] - b[2]) for a, b in zip(right, wrong, strict=True)) > 0.1


def test_the_folder_holds_the_files_listed(folder: Path) -> None:
    run = folder / "runs" / "digits"
    table = PAGE[PAGE.index("| file |") :].split("\n\n")[0]
    listed = {name.split("/")[0] for name in re.findall(r"^\| `([^`]+)`", table, re.M)}
    module = json.loads((run / "run.json").read_text())["module"].removesuffix(".py")
    # Importing the module, as the first program does, leaves compiled bytes.
    assert {path.name.replace(module, "NAME") for path in run.iterdir()} - {"__pycache__"} == listed
