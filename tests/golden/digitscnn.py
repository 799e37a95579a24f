# Written by netc 0.1.0.

import torch.nn.functional as F
from torch import Tensor, nn


class DigitsCNN(nn.Module):
    """Two convolutions and a linear layer: 29 thousand parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        self.fc1 = nn.Linear(1024, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(image)))  # [N, 32, 8, 8]
        x = self.bn2(self.conv2(F.max_pool2d(x, 2)))  # [N, 64, 4, 4]
        x = F.relu(x)  # [N, 64, 4, 4]
        logits: Tensor = self.fc1(F.dropout(x.flatten(1), p=0.2, training=self.training))  # [N, 10]
        return logits


class Training(nn.Module):
    """DigitsCNN and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: DigitsCNN) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        loss = F.cross_entropy(logits, label)
        return {"loss": loss}, {"accuracy": (logits.argmax(dim=1) == label).float().mean()}
