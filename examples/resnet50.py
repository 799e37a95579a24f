# Written by netc 0.1.0.

import torch.nn.functional as F
from torch import Tensor, nn


class Bottleneck(nn.Module):
    """A 3x3 convolution between two 1x1 ones that reduce the channels and restore them,
    fourfold.
    """

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))  # [N, width, H, W]
        y = F.relu(self.bn2(self.conv2(y)))  # [N, width, H, W]
        y = self.bn3(self.conv3(y))  # [N, in_channels, H, W]
        return F.relu(y + x)  # [N, in_channels, H, W]


class BottleneckDownsample(nn.Module):
    """A 3x3 convolution between two 1x1 ones that reduce the channels and restore them,
    fourfold.
    """

    def __init__(self, in_channels: int, width: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = nn.Sequential(
            nn.Conv2d(in_channels, 4 * width, 1, stride=stride, bias=False),
            nn.BatchNorm2d(4 * width),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))  # [N, width, H, W]
        y = F.relu(self.bn2(self.conv2(y)))  # [N, width, H//stride, W//stride]
        y = self.bn3(self.conv3(y))  # [N, 4*width, H//stride, W//stride]
        skip = self.downsample(x)  # [N, 4*width, H//stride, W//stride]
        return F.relu(y + skip)  # [N, 4*width, H//stride, W//stride]


class ResNet50(nn.Module):
    """Deep residual learning for image recognition (He, Zhang, Ren and Sun, 2015), on ImageNet.

    The parameters bear torchvision's names. The bottleneck's stride is on its 3x3 convolution,
    as there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(
            BottleneckDownsample(64, 64),
            *(Bottleneck(256, 64) for _ in range(2)),
        )
        self.layer2 = nn.Sequential(
            BottleneckDownsample(256, 128, stride=2),
            *(Bottleneck(512, 128) for _ in range(3)),
        )
        self.layer3 = nn.Sequential(
            BottleneckDownsample(512, 256, stride=2),
            *(Bottleneck(1024, 256) for _ in range(5)),
        )
        self.layer4 = nn.Sequential(
            BottleneckDownsample(1024, 512, stride=2),
            *(Bottleneck(2048, 512) for _ in range(2)),
        )
        self.fc = nn.Linear(2048, 1000)

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(image)))  # [N, 64, 112, 112]
        x = F.max_pool2d(x, 3, stride=2, padding=1)  # [N, 64, 56, 56]
        x = self.layer1(x)  # [N, 256, 56, 56]
        x = self.layer2(x)  # [N, 512, 28, 28]
        x = self.layer3(x)  # [N, 1024, 14, 14]
        x = self.layer4(x)  # [N, 2048, 7, 7]
        logits: Tensor = self.fc(x.mean((2, 3)))  # [N, 1000]
        return logits


class Training(nn.Module):
    """ResNet50 and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: ResNet50) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        loss = F.cross_entropy(logits, label, label_smoothing=0.1)
        return {"loss": loss}, {"accuracy": (logits.argmax(dim=1) == label).float().mean()}
