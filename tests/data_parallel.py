"""Trains emitted nets in two processes, each on data of its own, and tells how far apart their parameters are then.

`python -m tests.data_parallel` prints the figures: through the class Training in DistributedDataParallel, then past its
forward, and without it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
WAYS = ("through forward", "past forward", "without it")

# Runs in each process, without netc. All jobs use the same two processes, as these are slow to start.
WORKER = """
import json, os, sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

sys.modules["netc"] = None
import numpy as np
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

torch.set_num_threads(1)
folder, rank = Path(sys.argv[1]), int(sys.argv[2])
dist.init_process_group("gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=2)


def trained(job, way):
    spec = spec_from_file_location(job["class"], folder / job["file"])
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    torch.manual_seed(0)  # without DistributedDataParallel the processes begin alike, too
    training = module.Training(getattr(module, job["class"])()).train()
    parallel = training if way == "without it" else DistributedDataParallel(training)
    called = parallel.module if way == "past forward" else parallel
    optimizer = torch.optim.SGD(training.parameters(), lr=0.01, momentum=0.9)
    torch.manual_seed(1 + rank)
    for _ in range(job["steps"]):
        losses, metrics = called(torch.randn(job["input"]), torch.randint(job["classes"], job["input"][:1]))
        optimizer.zero_grad()
        sum(losses.values()).backward()
        optimizer.step()
    return {name: p.detach().numpy() for name, p in training.net.named_parameters()}


for number, job in enumerate(json.loads((folder / "jobs.json").read_text())):
    for way in job["ways"]:
        np.savez(folder / f"{number} {way} {rank}.npz", **trained(job, way))
dist.barrier()
dist.destroy_process_group()
sys.stdout.flush()
os._exit(0)  # gloo may abort where a process ends in another way
"""


@dataclass(frozen=True)
class Job:
    """A net to train. input: the shape of a batch of images."""

    name: str
    source: str
    input: tuple[int, ...]
    classes: int
    steps: int = 20
    ways: tuple[str, ...] = WAYS


@dataclass(frozen=True)
class Apart:
    """How far apart the parameters of both processes are, at most; of so many."""

    name: str
    way: str
    parameters: int
    apart: float


def apart(jobs: Sequence[Job]) -> list[Apart]:
    """What comes of the jobs, for each of their ways."""
    with tempfile.TemporaryDirectory(prefix="netc-parallel-") as name:
        folder = Path(name)
        for number, job in enumerate(jobs):
            (folder / f"net{number}.py").write_text(job.source, "utf-8")
        (folder / "jobs.json").write_text(json.dumps([_told(n, job) for n, job in enumerate(jobs)]))
        _run(folder)
        return [_read(folder, n, job, way) for n, job in enumerate(jobs) for way in job.ways]


def _told(number: int, job: Job) -> Mapping[str, Any]:
    return {
        "class": job.name, "file": f"net{number}.py", "input": job.input, "classes": job.classes,
        "steps": job.steps, "ways": job.ways,
    }  # fmt: skip


def _run(folder: Path) -> None:
    command = [sys.executable, "-c", WORKER, str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ranks = [
        subprocess.Popen([*command, str(rank)], stderr=subprocess.PIPE, text=True, env=environment)
        for rank in range(2)
    ]
    try:
        ends = [process.communicate(timeout=900)[1] for process in ranks]
    finally:
        for process in ranks:
            process.kill()
    for process, text in zip(ranks, ends, strict=True):
        if process.returncode:
            raise RuntimeError(text[-3000:])


def _read(folder: Path, number: int, job: Job, way: str) -> Apart:
    with np.load(folder / f"{number} {way} 0.npz") as one, np.load(folder / f"{number} {way} 1.npz") as other:
        differences = [float(np.abs(one[key] - other[key]).max()) for key in one.files]
        assert one.files == other.files and all(np.isfinite(one[key]).all() for key in one.files)
        return Apart(job.name, way, sum(one[key].size for key in one.files), max(differences))


def main() -> None:
    sys.path.insert(0, str(ROOT / "tests"))
    from test_data_parallel import cases

    print(f"{'net':14} {'parameters':>11}  {'way':16} largest difference after 20 steps")
    for found in apart(cases(20)):
        print(f"{found.name:14} {found.parameters:11,}  {found.way:16} {found.apart:.3g}")


if __name__ == "__main__":
    main()
