"""Turns epochs into the files of a run: metrics.jsonl, the best weights, and the curves at the end."""

import json
import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import save

from netc.train.curves import draw_curves
from netc.train.events import Epoch, Result
from netc.train.module import weights_of
from netc.train.run_folder import CURVES, METRICS, WEIGHTS, write


@dataclass
class Recorder:
    """Keeps a run's folder up to date; what is best is so by test accuracy, then by test loss."""

    folder: Path
    epochs: list[Epoch] = field(default_factory=list)
    best: Epoch | None = None

    def add(self, epoch: Epoch, net: torch.nn.Module) -> Epoch:
        """Write the epoch down and, where it is the best, its weights; gives it back, marked so."""
        if best := self.best is None or _merit(epoch) > _merit(self.best):
            epoch = replace(epoch, best=best)
            self.keep(net)
            self.best = epoch
        self.epochs.append(epoch)
        write(self.folder / METRICS, "".join(_line(one) for one in self.epochs))
        return epoch

    def keep(self, net: torch.nn.Module) -> None:
        write(self.folder / WEIGHTS, save(weights_of(net)))

    def draw(self, title: str) -> None:
        if self.epochs:
            write(self.folder / CURVES, draw_curves(self.epochs, title))

    def result(self, device: str, interrupted: bool, seconds: float) -> Result:
        speeds = sorted(epoch.images_a_second for epoch in self.epochs)
        speed = speeds[len(speeds) // 2] if speeds else 0.0
        weights, epochs = self.folder / WEIGHTS, tuple(self.epochs)
        return Result(self.folder, weights, device, epochs, self.best, interrupted, seconds, speed)


def _merit(epoch: Epoch) -> tuple[float, float]:
    loss = -epoch.test_loss if math.isfinite(epoch.test_loss) else -math.inf
    return (epoch.test_accuracy or 0.0, loss)


def _line(epoch: Epoch) -> str:
    held = {name: _number(value) for name, value in asdict(epoch).items() if value != {}}
    return json.dumps(held) + "\n"


def _number(value: Any) -> Any:
    """JSON has no word for infinity or NaN."""
    if isinstance(value, dict):
        return {name: _number(inner) for name, inner in value.items()}
    return None if isinstance(value, float) and not math.isfinite(value) else value
