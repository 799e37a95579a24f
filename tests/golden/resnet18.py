# Written by netc 0.1.0.

import torch.nn.functional as F
from torch import Tensor, nn


class BasicBlock1(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))  # [N, width, H, W]
        y = self.bn2(self.conv2(y))  # [N, width, H, W]
        return F.relu(y + x)  # [N, width, H, W]


class BasicBlock2(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = nn.Sequential(
            nn.Conv2d(in_channels, width, 1, stride=2, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))  # [N, width, H//2, W//2]
        y = self.bn2(self.conv2(y))  # [N, width, H//2, W//2]
        skip = self.downsample(x)  # [N, width, H//2, W//2]
        return F.relu(y + skip)  # [N, width, H//2, W//2]


class ResNet18(nn.Module):
    """Deep residual learning for image recognition (He, Zhang, Ren and Sun, 2015), on ImageNet.

    The parameters bear torchvision's names. The bottleneck's stride is on its 3x3 convolution,
    as there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(*(BasicBlock1(64) for _ in range(2)))
        self.layer2 = nn.Sequential(BasicBlock2(64, 128), BasicBlock1(128))
        self.layer3 = nn.Sequential(BasicBlock2(128, 256), BasicBlock1(256))
        self.layer4 = nn.Sequential(BasicBlock2(256, 512), BasicBlock1(512))
        self.fc = nn.Linear(512, 1000)

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(image)))  # [N, 64, 112, 112]
        x = F.max_pool2d(x, 3, stride=2, padding=1)  # [N, 64, 56, 56]
        x = self.layer1(x)  # [N, 64, 56, 56]
        x = self.layer2(x)  # [N, 128, 28, 28]
        x = self.layer3(x)  # [N, 256, 14, 14]
        x = self.layer4(x)  # [N, 512, 7, 7]
        logits: Tensor = self.fc(x.mean((2, 3)))  # [N, 1000]
        return logits


class Training(nn.Module):
    """ResNet18 and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: ResNet18) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        loss = F.cross_entropy(logits, label, label_smoothing=0.1)
        return {"loss": loss}, {"accuracy": (logits.argmax(dim=1) == label).float().mean()}
