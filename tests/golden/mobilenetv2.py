# Written by netc 0.1.0.

import torch.nn.functional as F
from torch import Tensor, nn


class ConvNormAct(nn.Sequential):
    """A convolution without bias, its norm and its activation (Ioffe and Szegedy, "Batch
    normalization", 2015).

    An odd kernel keeps the sides at stride 1.
    """

    def __init__(
        self, in_channels: int, width: int, kernel_size: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels,
                width,
                kernel_size,
                stride=stride,
                padding=kernel_size // 2,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(width),
            nn.ReLU6(),
        )


class InvertedResidual(nn.Module):
    """An inverted residual with a linear bottleneck (Sandler et al., "MobileNetV2", 2018, figure
    4).

    It expands the channels, filters each by itself, and projects them to `width` = 16, without
    a rectifier.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            ConvNormAct(32, 32, kernel_size=3, groups=32),
            nn.Conv2d(32, 16, 1, bias=False),
            nn.BatchNorm2d(16),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)  # [N, 16, 112, 112]
        return y


class InvertedResidualExpansion6(nn.Module):
    """An inverted residual with a linear bottleneck (Sandler et al., "MobileNetV2", 2018, figure
    4).

    It expands the channels, filters each by itself, and projects them to `width`, without a
    rectifier.
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            ConvNormAct(in_channels, 6 * in_channels),
            ConvNormAct(
                6 * in_channels,
                6 * in_channels,
                kernel_size=3,
                stride=stride,
                groups=6 * in_channels,
            ),
            nn.Conv2d(6 * in_channels, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)  # [N, width, H//stride, W//stride]
        return y


class InvertedResidualAdd(nn.Module):
    """An inverted residual with a linear bottleneck (Sandler et al., "MobileNetV2", 2018, figure
    4).

    It expands the channels, filters each by itself, and projects them to `width`, without a
    rectifier.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            ConvNormAct(width, 6 * width),
            ConvNormAct(6 * width, 6 * width, kernel_size=3, groups=6 * width),
            nn.Conv2d(6 * width, width, 1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)  # [N, width, H, W]
        return x + y  # [N, width, H, W]


class MobileNetV2(nn.Module):
    """The layers of the paper's table 2, `width` times as wide."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvNormAct(3, 32, kernel_size=3, stride=2),
            InvertedResidual(),
            InvertedResidualExpansion6(16, 24, stride=2),
            InvertedResidualAdd(24),
            InvertedResidualExpansion6(24, 32, stride=2),
            *(InvertedResidualAdd(32) for _ in range(2)),
            InvertedResidualExpansion6(32, 64, stride=2),
            *(InvertedResidualAdd(64) for _ in range(3)),
            InvertedResidualExpansion6(64, 96),
            *(InvertedResidualAdd(96) for _ in range(2)),
            InvertedResidualExpansion6(96, 160, stride=2),
            *(InvertedResidualAdd(160) for _ in range(2)),
            InvertedResidualExpansion6(160, 320),
            ConvNormAct(320, 1280),
        )
        self.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1000))

    def forward(self, image: Tensor) -> Tensor:
        x = self.features(image)  # [N, 1280, 7, 7]
        x = x.mean((2, 3))  # [N, 1280]
        logits: Tensor = self.classifier(x)  # [N, 1000]
        return logits


class Training(nn.Module):
    """MobileNetV2 and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: MobileNetV2) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        loss = F.cross_entropy(logits, label)
        return {"loss": loss}, {"accuracy": (logits.argmax(dim=1) == label).float().mean()}
