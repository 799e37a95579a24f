"""Writes what a run starts from and what it comes to: spec, module, recipe, samples and run.json."""

import platform
import re
from collections.abc import Mapping
from dataclasses import asdict
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
    write(run.folder / "spec.net", spec)
    for name, text in (imported or {}).items():
        (run.folder / name).parent.mkdir(parents=True, exist_ok=True)
        write(run.folder / name, text)
    write(run.folder / run.module, module)
    write_json(run.folder / "recipe.json", asdict(recipe))
    _write_samples(run, data)
    write_json(run.folder / RUN, _facts(run))


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
    for label, name in list(enumerate(data.classes))[:MOST_SAMPLES]:
        found = np.flatnonzero(data.test.labels == label)
        if found.size:
            save_picture(
                data.test.images[found[0]], folder / f"{re.sub(r'[^A-Za-z0-9_-]', '_', name)[:60]}.png"
            )
