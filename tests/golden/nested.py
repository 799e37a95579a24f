# Written by netc 0.1.0.

from collections import OrderedDict

import torch.nn.functional as F
from torch import Tensor, nn


class Nested(nn.Module):
    """Repeats inside of repeats, with labels at both depths."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 1)
        self.trunk = nn.Sequential(
            *(
                nn.Sequential(OrderedDict([
                    ("0", nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())),
                    ("1", nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU())),
                    (
                        "deep",
                        nn.Sequential(
                            *(
                                nn.Sequential(OrderedDict([
                                    ("0", nn.BatchNorm2d(8)),
                                    ("tail", nn.Conv2d(8, 8, 1)),
                                ]))
                                for _ in range(3)
                            ),
                        ),
                    ),
                    ("3", nn.MaxPool2d(2)),
                ]))
                for _ in range(2)
            ),
        )
        self.flat = nn.Sequential(nn.Flatten(), nn.Linear(32, 16))
        self.fc = nn.Linear(16, 4)

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)  # [N, 8, 10, 10]
        x = self.trunk(x)  # [N, 8, 2, 2]
        x = self.flat(x)  # [N, 16]
        logits: Tensor = self.fc(x)  # [N, 4]
        return logits


class Training(nn.Module):
    """Nested and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: Nested) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        return {"loss": F.cross_entropy(logits, label)}, {}
