# Written by netc 0.1.0.

import torch.nn.functional as F
from torch import Tensor, nn


class DigitsMLP(nn.Module):
    """Two hidden layers, the first with dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = F.relu(self.fc1(image.flatten(1)))  # [N, 128]
        x = F.relu(self.fc2(F.dropout(x, p=0.2, training=self.training)))  # [N, 64]
        logits: Tensor = self.fc3(x)  # [N, 10]
        return logits


class Training(nn.Module):
    """DigitsMLP and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: DigitsMLP) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        loss = F.cross_entropy(logits, label)
        return {"loss": loss}, {"accuracy": (logits.argmax(dim=1) == label).float().mean()}
