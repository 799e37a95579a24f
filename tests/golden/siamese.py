# Written by netc 0.1.0.

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = nn.Linear(64, 64)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)  # [N, 32, 14, 14]
        x = F.relu(self.conv2(x)).mean((2, 3))  # [N, 64]
        x = self.fc1(x)  # [N, 64]
        return x


class Siamese(nn.Module):
    """Dimensionality reduction by learning an invariant mapping (Hadsell, Chopra and LeCun, 2006).

    A siamese net: one encoder takes two images to two vectors, near each other where both show
    the same thing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder()

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        apart = self.encoder(first) - self.encoder(second)  # [N, 64]
        return torch.sqrt((apart**2).sum(dim=1) + 1e-6)  # [N]


class Training(nn.Module):
    """Siamese and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: Siamese) -> None:
        super().__init__()
        self.net = net

    def forward(
        self, first: Tensor, second: Tensor, same: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        distance = self.net(first, second)
        return {"loss": (same * distance**2 + (1 - same) * F.relu(1.0 - distance) ** 2).mean()}, {}
