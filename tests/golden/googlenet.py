# Written by netc 0.1.0.

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ConvBN(nn.Module):
    def __init__(self, in_channels: int, width: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels, width, kernel, stride=stride, padding=kernel // 2, bias=False
        )
        self.bn = nn.BatchNorm2d(width, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)))  # [N, width, H//stride, W//stride]


class Inception(nn.Module):
    """Four views of the same maps side by side (Szegedy et al., "Going deeper with convolutions",
    2014, figure 2b).

    The widths are a row of the paper's table 1. `unit(width, kernel_size)` is a convolution
    that keeps the sides, with what follows it; `largest` = 3 the kernel of the third branch.
    """

    def __init__(
        self, in_channels: int, n1: int, reduce3: int, n3: int, reduce5: int, n5: int, pool: int
    ) -> None:
        super().__init__()
        self.branch1 = ConvBN(in_channels, n1)
        self.branch2 = nn.Sequential(ConvBN(in_channels, reduce3), ConvBN(reduce3, n3, kernel=3))
        self.branch3 = nn.Sequential(ConvBN(in_channels, reduce5), ConvBN(reduce5, n5, kernel=3))
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(3, stride=1, padding=1),
            ConvBN(in_channels, pool),
        )

    def forward(self, x: Tensor) -> Tensor:
        branch1 = self.branch1(x)  # [N, n1, H, W]
        branch2 = self.branch2(x)  # [N, n3, H, W]
        branch3 = self.branch3(x)  # [N, n5, H, W]
        branch4 = self.branch4(x)  # [N, pool, H, W]
        return torch.cat(
            (branch1, branch2, branch3, branch4), dim=1
        )  # [N, n1 + n3 + n5 + pool, H, W]


class Auxiliary(nn.Module):
    """A classifier on maps halfway, which lends the lower layers a gradient."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv = ConvBN(in_channels, 128)
        self.fc1 = nn.Linear(2048, 1024)
        self.fc2 = nn.Linear(1024, 1000)

    def forward(self, x: Tensor) -> Tensor:
        x = F.adaptive_avg_pool2d(x, 4)  # [N, in_channels, 4, 4]
        x = self.conv(x)  # [N, 128, 4, 4]
        x = F.relu(self.fc1(x.flatten(1)))  # [N, 1024]
        x = self.fc2(F.dropout(x, p=0.7, training=self.training))  # [N, 1000]
        return x


class GoogLeNet(nn.Module):
    """GoogLeNet: going deeper with convolutions (Szegedy et al., 2014), with batch normalization.

    As torchvision has it, names included: 3x3 convolutions where the paper's third branch has
    5x5 ones.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = ConvBN(3, 64, kernel=7, stride=2)
        self.conv2 = ConvBN(64, 64)
        self.conv3 = ConvBN(64, 192, kernel=3)
        self.inception3a = Inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Inception(256, 128, 128, 192, 32, 96, 64)
        self.inception4a = Inception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = Inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Inception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = Inception(528, 256, 160, 320, 32, 128, 128)
        self.inception5a = Inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Inception(832, 384, 192, 384, 48, 128, 128)
        self.fc = nn.Linear(1024, 1000)
        self.aux1 = Auxiliary(512)
        self.aux2 = Auxiliary(528)

    def forward(self, image: Tensor) -> Tensor:
        return self._trunk(image)[0]

    def _trunk(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The output, and `low` and `high` for the losses."""
        x = self.conv1(image)  # [N, 64, 112, 112]
        x = F.max_pool2d(x, 3, stride=2, ceil_mode=True)  # [N, 64, 56, 56]
        x = self.conv2(x)  # [N, 64, 56, 56]
        x = self.conv3(x)  # [N, 192, 56, 56]
        x = F.max_pool2d(x, 3, stride=2, ceil_mode=True)  # [N, 192, 28, 28]
        x = self.inception3a(x)  # [N, 256, 28, 28]
        x = self.inception3b(x)  # [N, 480, 28, 28]
        x = F.max_pool2d(x, 3, stride=2, ceil_mode=True)  # [N, 480, 14, 14]
        low = self.inception4a(x)  # [N, 512, 14, 14]
        x = self.inception4b(low)  # [N, 512, 14, 14]
        x = self.inception4c(x)  # [N, 512, 14, 14]
        high = self.inception4d(x)  # [N, 528, 14, 14]
        x = self.inception4e(high)  # [N, 832, 14, 14]
        x = F.max_pool2d(x, 2, ceil_mode=True)  # [N, 832, 7, 7]
        x = self.inception5a(x)  # [N, 832, 7, 7]
        x = self.inception5b(x)  # [N, 1024, 7, 7]
        logits = self.fc(F.dropout(x.mean((2, 3)), p=0.2, training=self.training))  # [N, 1000]
        return logits, low, high  # [N, 1000], [N, 512, 14, 14], [N, 528, 14, 14]


class Training(nn.Module):
    """GoogLeNet and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: GoogLeNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits, low, high = self.net._trunk(image)
        loss = F.cross_entropy(logits, label)
        aux1 = self.net.aux1(low)  # [N, 1000]
        loss = loss + 0.3 * F.cross_entropy(aux1, label)
        aux2 = self.net.aux2(high)  # [N, 1000]
        loss = loss + 0.3 * F.cross_entropy(aux2, label)
        return {"loss": loss}, {"accuracy": (logits.argmax(dim=1) == label).float().mean()}
