# Written by netc 0.1.0.

import torch.nn.functional as F
from torch import Tensor, nn


class Assisted(nn.Module):
    """Two heads that only the loss needs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 16, 3, padding=1)
        self.conv3 = nn.Conv2d(16, 32, 3, padding=1)
        self.aux1 = nn.Sequential(nn.Linear(32, 20), nn.ReLU(), nn.Linear(20, 5))
        self.aux2 = nn.Linear(16, 5)
        self.fc = nn.Linear(32, 5)

    def forward(self, image: Tensor) -> Tensor:
        return self._trunk(image)[0]

    def _trunk(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The output, and `a` and `b` for the losses."""
        a = F.max_pool2d(F.relu(self.conv1(image)), 2)  # [N, 8, 8, 8]
        b = F.max_pool2d(F.relu(self.conv2(a)), 2)  # [N, 16, 4, 4]
        c = F.relu(self.conv3(b))  # [N, 32, 4, 4]
        return self.fc(c.mean((2, 3))), a, b  # [N, 5], [N, 8, 8, 8], [N, 16, 4, 4]


class Training(nn.Module):
    """Assisted and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: Assisted) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits, a, b = self.net._trunk(image)
        x = F.avg_pool2d(a, 4).flatten(1)  # [N, 32]
        side_a = self.net.aux1(x)  # [N, 5]
        side_b = self.net.aux2(b.mean((2, 3)))  # [N, 5]
        loss = F.cross_entropy(logits, label)
        loss = loss + 0.3 * (F.cross_entropy(side_a, label) + F.cross_entropy(side_b, label))
        return {"loss": loss}, {"accuracy": (logits.argmax(dim=1) == label).float().mean()}
