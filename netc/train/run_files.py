"""Writes what a run starts from and what it comes to: spec, module, recipe, samples and run.json."""

import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

import netc
from netc.passes.recipe import Recipe
from netc.train.dataset import Dataset
from netc.train.events import Result
from netc.train.picture import save_picture
from netc.train.run_folder import RUN, Run, write, write_json

SAMPLES = "samples"
MOST_SAMPLES = 20


def write_start(
    run: Run, spec: str, module: str, recipe: Recipe, data: Dataset, imported: Mapping[str, str] | None = None
) -> None:
    """All that is known before the first step; `samples/` holds a test image of each class, to try.

    imported: the texts of the files that the spec imports, by their path from it.
    """
    path = run.folder / run.spec
    for name, text in {**(imported or {}), path.name: spec}.items():
        write(path.parent / name, text)
    write(run.folder / run.module, module)
    write_json(run.folder / "recipe.json", asdict(recipe))
    _write_samples(run, data)
    write_json(run.folder / RUN, _facts(run))


def spec_name(path: str, imported: Iterable[str]) -> str:
    """What the spec is called in the run's folder, beside the files that it imports."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", Path(path).name).lstrip(".") or "spec.net"
    taken = {part for other in imported for part in (other, other.split("/")[0])}
    while name in taken:
        name = f"_{name}"
    return name


def write_end(run: Run, result: Result, comparison: Mapping[str, Any] | None = None) -> None:
    """run.json again, with the result and how the exported file compares."""
    best = result.best
    outcome = {
        "interrupted": result.interrupted,
        "epochs": len(result.epochs),
        "best_epoch": best.epoch if best else None,
        "test_accuracy": best.test_accuracy if best else None,
        "test_loss": best.test_loss if best and np.isfinite(best.test_loss) else None,
        "seconds": round(result.seconds, 3),
        "images_a_second": round(result.images_a_second, 1),
        "device": result.device,
    }
    write_json(run.folder / RUN, {**_facts(run), "result": outcome, "comparison": comparison})


def _facts(run: Run) -> dict[str, Any]:
    versions = {
        "netc": netc.__version__, "python": platform.python_version(), "torch": torch.__version__,
        "numpy": np.__version__,
    }  # fmt: skip
    machine = {"processor": platform.machine(), "threads": torch.get_num_threads()}
    return {**run.as_json(), "versions": versions, "machine": machine, "result": None}


def _write_samples(run: Run, data: Dataset) -> None:
    folder = run.folder / SAMPLES
    folder.mkdir(exist_ok=True)
    for label, name in enumerate(file_names(data.classes[:MOST_SAMPLES])):
        images = np.flatnonzero(data.test.labels == label)
        if images.size:
            save_picture(data.test.images[images[0]], folder / f"{name}.png")


def file_names(classes: Sequence[str]) -> list[str]:
    """A name for a file of each class, in ASCII; where two would be the same, the later gets a number."""
    names: list[str] = []
    taken: set[str] = set()
    for text in classes:
        plain = re.sub(r"[^A-Za-z0-9_-]", "_", text)[:60]
        tries = (plain, *(f"{plain}-{number}" for number in range(2, len(classes) + 2)))
        names.append(next(name for name in tries if name.lower() not in taken))
        taken.add(names[-1].lower())
    return names
