# Written by netc 0.1.0.

import torch.nn.functional as F
from torch import Tensor, nn


class Plain(nn.Module):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x))  # [N, 8, 12, 12]
        return x


class PlainExtraNoNormed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(8, 8, 3, padding=1)
        self.conv2 = nn.Conv2d(8, 8, 1)
        self.conv3 = nn.Conv2d(8, 8, 1)
        self.conv4 = nn.Conv2d(8, 8, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.conv2(self.conv1(x)))  # [N, 8, 12, 12]
        x = self.conv4(F.relu(self.conv3(x)))  # [N, 8, 12, 12]
        return x


class PlainExtra(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(8, 8, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 1)
        self.conv3 = nn.Conv2d(8, 8, 1)
        self.conv4 = nn.Conv2d(8, 8, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x))  # [N, 8, 12, 12]
        x = F.relu(self.conv2(x))  # [N, 8, 12, 12]
        x = self.conv4(F.relu(self.conv3(x)))  # [N, 8, 12, 12]
        return x


class Repeats(nn.Module):
    """Repeats of nothing: `* 0` and `* false` leave the value as it is."""

    def __init__(self) -> None:
        super().__init__()
        self.plain1 = Plain(3)
        self.plain2 = PlainExtraNoNormed()
        self.stage0 = nn.Sequential(nn.Conv2d(8, 8, 1), Plain(8))
        self.stage1 = nn.Sequential(nn.Conv2d(8, 8, 1))
        self.stage2 = nn.Sequential(nn.Conv2d(8, 8, 1), *(PlainExtra() for _ in range(3)))
        self.fc = nn.Linear(8, 4)

    def forward(self, image: Tensor) -> Tensor:
        x = self.plain1(image)  # [N, 8, 12, 12]
        x = self.plain2(x)  # [N, 8, 12, 12]
        x = self.stage0(x)  # [N, 8, 12, 12]
        x = self.stage1(x)  # [N, 8, 12, 12]
        x = self.stage2(x)  # [N, 8, 12, 12]
        logits: Tensor = self.fc((x + x).mean((2, 3)))  # [N, 4]
        return logits


class Training(nn.Module):
    """Repeats and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: Repeats) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        return {"loss": F.cross_entropy(logits, label)}, {}
