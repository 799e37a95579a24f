# Written by netc 0.1.0.

import torch.nn.functional as F
from torch import Tensor, nn


class Separable(nn.Module):
    def __init__(self, in_channels: int, width: int, multiplier: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(
            in_channels, in_channels * multiplier, 3, padding=1, groups=in_channels, bias=False
        )
        self.bn1 = nn.BatchNorm2d(in_channels * multiplier)
        self.conv2 = nn.Conv2d(in_channels * multiplier, width, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu6(self.bn1(self.conv1(x)))  # [N, in_channels*multiplier, H, W]
        x = self.bn2(self.conv2(y))  # [N, width, H, W]
        return x


class Depthwise(nn.Module):
    """Depthwise convolutions, one of them with two filters a channel."""

    def __init__(self) -> None:
        super().__init__()
        self.separable1 = Separable(3, 12, multiplier=5)
        self.separable2 = Separable(12, 16, multiplier=2)
        self.conv_transpose1 = nn.ConvTranspose2d(16, 16, 3, padding=1, groups=16)
        self.separable3 = Separable(16, 20)
        self.conv1 = nn.Conv2d(20, 30, 1, groups=10)
        self.fc = nn.Linear(30, 4)

    def forward(self, image: Tensor) -> Tensor:
        x = self.separable1(image)  # [N, 12, H, W]
        x = self.separable2(x)  # [N, 16, H, W]
        y = F.relu(self.conv_transpose1(x))  # [N, 16, H, W]
        x = self.separable3(x + y)  # [N, 20, H, W]
        x = self.conv1(x)  # [N, 30, H, W]
        logits: Tensor = self.fc(x.mean((2, 3)))  # [N, 4]
        return logits


class Training(nn.Module):
    """Depthwise and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: Depthwise) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        return {"loss": F.cross_entropy(logits, label)}, {}
