# Written by netc 0.1.0.

import torch.nn.functional as F
from torch import Tensor, nn


class Simple(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        return F.leaky_relu(self.bn1(self.conv1(x)), negative_slope=0.1)  # [N, 8, 11, 11]


class SimpleGroupNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.gn1 = nn.GroupNorm(4, 8)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.gn1(self.conv1(x)))  # [N, 8, 11, 11]


class SimpleIdentity(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn1(self.conv1(x))  # [N, 8, 11, 11]
        return x


class SimpleGelu(nn.Module):
    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 12, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(12)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.bn1(self.conv1(x)))  # [N, 12, 5, 5]


class Twice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.simple1 = Simple()
        self.conv1 = nn.Conv2d(8, 8, 1)
        self.bn1 = nn.BatchNorm2d(8)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.simple1(x)  # [N, 8, 11, 11]
        y = self.bn1(self.conv1(y))  # [N, 8, 11, 11]
        return y


class TwiceGroupNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.simple1 = SimpleGroupNorm()
        self.conv1 = nn.Conv2d(8, 8, 1)
        self.gn1 = nn.GroupNorm(4, 8)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.simple1(x)  # [N, 8, 11, 11]
        y = self.gn1(self.conv1(y))  # [N, 8, 11, 11]
        return x + y  # [N, 8, 11, 11]


class TwiceGelu(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.simple1 = SimpleGelu(8)
        self.conv1 = nn.Conv2d(12, 12, 1)
        self.bn1 = nn.BatchNorm2d(12)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.simple1(x)  # [N, 12, 5, 5]
        y = self.bn1(self.conv1(y))  # [N, 12, 5, 5]
        return y


class TwiceAdd(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.simple1 = SimpleGelu(12)
        self.conv1 = nn.Conv2d(12, 12, 1)
        self.bn1 = nn.BatchNorm2d(12)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.simple1(x)  # [N, 12, 5, 5]
        y = self.bn1(self.conv1(y))  # [N, 12, 5, 5]
        return x + y  # [N, 12, 5, 5]


class Handed(nn.Module):
    """Blocks, norms and activations handed over as arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.twice1 = Twice()
        self.twice2 = TwiceGroupNorm()
        self.simple1 = SimpleIdentity()
        self.twice3 = TwiceGelu()
        self.twice4 = TwiceAdd()
        self.fc = nn.Linear(12, 4)

    def forward(self, image: Tensor) -> Tensor:
        x = self.twice1(image)  # [N, 8, 11, 11]
        x = self.twice2(x)  # [N, 8, 11, 11]
        x = self.simple1(x)  # [N, 8, 11, 11]
        x = F.max_pool2d(x, 2)  # [N, 8, 5, 5]
        x = self.twice3(x)  # [N, 12, 5, 5]
        x = self.twice4(x)  # [N, 12, 5, 5]
        logits: Tensor = self.fc(x.mean((2, 3)))  # [N, 4]
        return logits


class Training(nn.Module):
    """Handed and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: Handed) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        return {"loss": F.cross_entropy(logits, label)}, {}
