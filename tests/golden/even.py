# Written by netc 0.1.0.

import torch.nn.functional as F
from torch import Tensor, nn


class EvenUnit(nn.Module):
    def __init__(self, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(12, 12, kernel, padding="same", dilation=dilation, bias=False)
        self.bn1 = nn.BatchNorm2d(12)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.conv1(x))  # [N, 12, H, W]
        return F.relu(x + y)  # [N, 12, H, W]


class Even(nn.Module):
    """Even kernels that keep the map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 12, 4, padding="same")
        self.even_unit1 = EvenUnit(2)
        self.even_unit2 = EvenUnit(6)
        self.even_unit3 = EvenUnit(2, dilation=3)
        self.conv2 = nn.Conv2d(12, 12, (6, 1), padding="same")
        self.fc = nn.Linear(12, 5)

    def forward(self, image: Tensor) -> Tensor:
        x = self.even_unit1(F.relu(self.conv1(image)))  # [N, 12, H, W]
        x = self.even_unit2(x)  # [N, 12, H, W]
        x = self.even_unit3(x)  # [N, 12, H, W]
        x = x + self.conv2(x)  # [N, 12, H, W]
        logits: Tensor = self.fc(x.amax((2, 3)))  # [N, 5]
        return logits


class Training(nn.Module):
    """Even and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: Even) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        return {"loss": F.cross_entropy(logits, label)}, {}
