# Written by netc 0.1.0.

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Dotted(nn.Module):
    """A DenseNet-like net whose parameters live under dotted paths."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.ModuleDict({
            "conv0": nn.Conv2d(3, 8, 3, padding=1, bias=False),
            "norm0": nn.BatchNorm2d(8),
            "mix": nn.ModuleList([
                nn.ModuleDict({
                    "pre": nn.Conv2d(8, 8, 1),
                    "layers": nn.ModuleList([
                        nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1)),
                        nn.Sequential(
                            nn.BatchNorm2d(12),
                            nn.ReLU(),
                            nn.Conv2d(12, 4, 3, padding=1),
                        ),
                    ]),
                }),
                nn.ModuleDict({
                    "pre": nn.Conv2d(16, 8, 1),
                    "layers": nn.ModuleList([
                        nn.Sequential(nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3, padding=1)),
                        nn.Sequential(
                            nn.BatchNorm2d(12),
                            nn.ReLU(),
                            nn.Conv2d(12, 4, 3, padding=1),
                        ),
                        nn.Sequential(
                            nn.BatchNorm2d(16),
                            nn.ReLU(),
                            nn.Conv2d(16, 4, 5, padding=2),
                        ),
                    ]),
                }),
            ]),
        })
        self.classifier = nn.Sequential(OrderedDict([("1", nn.Linear(20, 4))]))

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.features["norm0"](self.features["conv0"](image)))  # [N, 8, 16, 16]
        x = self.get_submodule("features.mix.0.pre")(x)  # [N, 8, 16, 16]
        y = self.get_submodule("features.mix.0.layers.0")(torch.cat((x,), dim=1))  # [N, 4, 16, 16]
        y2 = torch.cat((x, y), dim=1)  # [N, 12, 16, 16]
        y2 = self.get_submodule("features.mix.0.layers.1")(y2)  # [N, 4, 16, 16]
        x = F.max_pool2d(torch.cat((x, y, y2), dim=1), 2)  # [N, 16, 8, 8]
        x = self.get_submodule("features.mix.1.pre")(x)  # [N, 8, 8, 8]
        y = self.get_submodule("features.mix.1.layers.0")(torch.cat((x,), dim=1))  # [N, 4, 8, 8]
        y2 = torch.cat((x, y), dim=1)  # [N, 12, 8, 8]
        y2 = self.get_submodule("features.mix.1.layers.1")(y2)  # [N, 4, 8, 8]
        y3 = torch.cat((x, y, y2), dim=1)  # [N, 16, 8, 8]
        y3 = self.get_submodule("features.mix.1.layers.2")(y3)  # [N, 4, 8, 8]
        x = F.max_pool2d(torch.cat((x, y, y2, y3), dim=1), 2)  # [N, 20, 4, 4]
        x = x.mean((2, 3))  # [N, 20]
        logits: Tensor = self.classifier(x)  # [N, 4]
        return logits


class Training(nn.Module):
    """Dotted and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: Dotted) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        return {"loss": F.cross_entropy(logits, label)}, {}
