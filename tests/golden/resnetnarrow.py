# Written by netc 0.1.0.

import torch.nn.functional as F
from torch import Tensor, nn


class BasicBlock1(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.conv2 = nn.Conv2d(16, 16, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(16)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)))  # [N, 16, 32, 32]
        y = self.bn2(self.conv2(y))  # [N, 16, 32, 32]
        return F.relu(y + x)  # [N, 16, 32, 32]


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


class ResNetNarrow(nn.Module):
    """ResNets for 32x32 images (He, Zhang, Ren and Sun, "Deep residual learning for image
    recognition", 2015).

    The recipe takes ResNetNarrow past 75 % on CIFAR-10 in some minutes on two cores; the wide
    nets want more epochs: `--set train.epochs=30`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        self.layer1 = nn.Sequential(BasicBlock1())
        self.layer2 = nn.Sequential(BasicBlock2(16, 32))
        self.layer3 = nn.Sequential(BasicBlock2(32, 64))
        self.layer4 = nn.Sequential(BasicBlock2(64, 128))
        self.fc = nn.Linear(128, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(image)))  # [N, 16, 32, 32]
        x = self.layer1(x)  # [N, 16, 32, 32]
        x = self.layer2(x)  # [N, 32, 16, 16]
        x = self.layer3(x)  # [N, 64, 8, 8]
        x = self.layer4(x)  # [N, 128, 4, 4]
        logits: Tensor = self.fc(x.mean((2, 3)))  # [N, 10]
        return logits


class Training(nn.Module):
    """ResNetNarrow and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: ResNetNarrow) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        loss = F.cross_entropy(logits, label, label_smoothing=0.1)
        return {"loss": loss}, {"accuracy": (logits.argmax(dim=1) == label).float().mean()}
