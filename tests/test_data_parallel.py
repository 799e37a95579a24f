"""Emitted nets under DistributedDataParallel: all processes hold the same parameters, in the documented form alone."""

import pytest
from data_parallel import Job, apart
from emitted import ROOT

from netc.backends.to_torch import to_torch
from netc.passes.elaborate import elaborate
from netc.passes.load import load


def source(file: str, name: str, *dynamic: str) -> str:
    path = ROOT / "specs" / f"{file}.net"
    return to_torch(elaborate(load(str(path), lambda _: path.read_bytes()), name, {}, dynamic))


def cases(steps: int) -> list[Job]:
    """A convolutional net, a transformer, and one with heads that only the losses read, on small images."""
    return [
        Job("ResNetNarrow", source("resnet_cifar", "ResNetNarrow"), (4, 3, 32, 32), 10, steps),
        Job("ViTTiny", source("vit", "ViTTiny"), (4, 3, 32, 32), 10, steps),
        Job("GoogLeNet", source("googlenet", "GoogLeNet", "H", "W"), (2, 3, 64, 64), 1000, steps),
    ]


def test_the_documented_form_keeps_the_processes_alike() -> None:
    for job in apart(cases(3)):
        assert job.apart == 0.0 if job.way == "through forward" else job.apart > 1e-5, job


def test_a_parameter_without_a_part_in_a_loss_is_told_by_torch() -> None:
    """As docs/training.md says: an error in the second step."""
    text, before = source("resnet_cifar", "ResNetNarrow"), "        self.conv1 = nn.Conv2d(3,"
    assert before in text
    beside = text.replace(before, f"        self.beside = nn.Linear(3, 3)\n{before}")
    with pytest.raises(RuntimeError, match="find_unused_parameters=True"):
        apart([Job("ResNetNarrow", beside, (2, 3, 32, 32), 10, 2, ("through forward",))])
