# Written by netc 0.1.0.

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DenseLayer(nn.Module):
    """`growth` channels added to those it receives (Huang et al., "Densely connected networks",
    2016).
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, 128, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(128)
        self.conv2 = nn.Conv2d(128, 32, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        new = self.conv1(F.relu(self.norm1(x)))  # [N, 128, H, W]
        new = self.conv2(F.relu(self.norm2(new)))  # [N, 32, H, W]
        return torch.cat((x, new), dim=1)  # [N, in_channels + 32, H, W]


class DenseBlock6(nn.Sequential):
    """Layers each of which reads what all before it made (Huang et al., 2016, figure 1)."""

    def __init__(self) -> None:
        super().__init__()
        for i in range(6):
            self.add_module(f"denselayer{i + 1}", DenseLayer(64 + 32 * i))


class DenseBlock12(nn.Sequential):
    """Layers each of which reads what all before it made (Huang et al., 2016, figure 1)."""

    def __init__(self) -> None:
        super().__init__()
        for i in range(12):
            self.add_module(f"denselayer{i + 1}", DenseLayer(128 + 32 * i))


class DenseBlock24(nn.Sequential):
    """Layers each of which reads what all before it made (Huang et al., 2016, figure 1)."""

    def __init__(self) -> None:
        super().__init__()
        for i in range(24):
            self.add_module(f"denselayer{i + 1}", DenseLayer(256 + 32 * i))


class DenseBlock16(nn.Sequential):
    """Layers each of which reads what all before it made (Huang et al., 2016, figure 1)."""

    def __init__(self) -> None:
        super().__init__()
        for i in range(16):
            self.add_module(f"denselayer{i + 1}", DenseLayer(512 + 32 * i))


class Transition(nn.Module):
    """Halves the channels and both sides."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(in_channels)
        self.conv = nn.Conv2d(in_channels, in_channels // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(F.relu(self.norm(x)))  # [N, in_channels//2, H, W]
        return F.avg_pool2d(x, 2)  # [N, in_channels//2, H//2, W//2]


class DenseNet121(nn.Module):
    """Densely connected convolutional networks (Huang, Liu, van der Maaten and Weinberger, 2016),
    on ImageNet.

    The parameters bear torchvision's names.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.ModuleDict({
            "conv0": nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False),
            "norm0": nn.BatchNorm2d(64),
            "denseblock1": DenseBlock6(),
            "transition1": Transition(256),
            "denseblock2": DenseBlock12(),
            "transition2": Transition(512),
            "denseblock3": DenseBlock24(),
            "transition3": Transition(1024),
            "denseblock4": DenseBlock16(),
            "norm5": nn.BatchNorm2d(1024),
        })
        self.classifier = nn.Linear(1024, 1000)

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.features["norm0"](self.features["conv0"](image)))  # [N, 64, 112, 112]
        x = F.max_pool2d(x, 3, stride=2, padding=1)  # [N, 64, 56, 56]
        x = self.features["denseblock1"](x)  # [N, 256, 56, 56]
        x = self.features["transition1"](x)  # [N, 128, 28, 28]
        x = self.features["denseblock2"](x)  # [N, 512, 28, 28]
        x = self.features["transition2"](x)  # [N, 256, 14, 14]
        x = self.features["denseblock3"](x)  # [N, 1024, 14, 14]
        x = self.features["transition3"](x)  # [N, 512, 7, 7]
        x = self.features["denseblock4"](x)  # [N, 1024, 7, 7]
        x = F.relu(self.features["norm5"](x)).mean((2, 3))  # [N, 1024]
        logits: Tensor = self.classifier(x)  # [N, 1000]
        return logits


class Training(nn.Module):
    """DenseNet121 and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: DenseNet121) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        loss = F.cross_entropy(logits, label)
        return {"loss": loss}, {"accuracy": (logits.argmax(dim=1) == label).float().mean()}
