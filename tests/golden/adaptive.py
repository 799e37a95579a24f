# Written by netc 0.1.0.

import torch.nn.functional as F
from torch import Tensor, nn


class Adapt(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(8, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.conv1(x)))  # [N, 8, H, W]
        return F.relu(y + x)  # [N, 8, H, W]


class AdaptProject(nn.Module):
    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.project = nn.Conv2d(in_channels, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.conv1(x)))  # [N, width, H, W]
        skip = self.project(x)  # [N, width, H, W]
        return F.relu(y + skip)  # [N, width, H, W]


class AdaptSlice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(12, 4, 3, padding=1)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.relu(self.conv1(x)))  # [N, 4, H, W]
        skip = x[:, :4]  # [N, 4, H, W]
        return F.relu(y + skip)  # [N, 4, H, W]


class Adaptive(nn.Module):
    """The kind of skip depends on the channels that come in: kept, cut, or projected."""

    def __init__(self) -> None:
        super().__init__()
        self.unit0 = AdaptProject(3, 8)
        self.unit1 = Adapt()
        self.unit2 = AdaptProject(8, 12)
        self.unit3 = AdaptSlice()
        self.fc = nn.Linear(4, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = self.unit0(image)  # [N, 8, H, W]
        x = self.unit1(x)  # [N, 8, H, W]
        x = self.unit2(x)  # [N, 12, H, W]
        x = self.unit3(x)  # [N, 4, H, W]
        logits: Tensor = self.fc(x.mean((2, 3)))  # [N, 3]
        return logits


class Training(nn.Module):
    """Adaptive and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: Adaptive) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        return {"loss": F.cross_entropy(logits, label)}, {}
