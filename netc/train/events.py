"""What training reports while it runs, and what it comes to: data for whoever shows or stores it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias


@dataclass(frozen=True)
class Started:
    """Training begins."""

    device: str
    epochs: int
    steps: int
    train_images: int
    test_images: int
    parameters: int


@dataclass(frozen=True)
class Stepped:
    """A step is done; loss and accuracy are means over the epoch so far."""

    epoch: int
    step: int
    loss: float
    accuracy: float | None
    lr: float
    images_a_second: float


@dataclass(frozen=True)
class Epoch:
    """An epoch is done and tested: one line of metrics.jsonl.

    counts: the metrics that are no single number (a confusion matrix), summed over the test images. losses: where
    there are several, each of the test images by name.
    """

    epoch: int
    train_loss: float
    train_accuracy: float | None
    test_loss: float
    test_accuracy: float | None
    lr: float
    images_a_second: float
    seconds: float
    best: bool = False
    counts: Mapping[str, Any] = field(default_factory=dict)
    losses: Mapping[str, float] = field(default_factory=dict)


Event: TypeAlias = Started | Stepped | Epoch
Report: TypeAlias = Callable[[Event], None]


@dataclass(frozen=True)
class Result:
    """What came of a training run; `best` is None where no epoch was finished."""

    run: Path
    weights: Path
    device: str
    epochs: tuple[Epoch, ...]
    best: Epoch | None
    interrupted: bool
    seconds: float
    images_a_second: float
