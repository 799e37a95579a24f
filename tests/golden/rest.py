# Written by netc 0.1.0.

import torch.nn.functional as F
from torch import Tensor, nn


class Rest(nn.Module):
    """Reshapes that leave one size to be found, the batch among them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 12, 3, stride=2, padding=1)
        self.fc1 = nn.Linear(8, 8)
        self.fc = nn.Linear(768, 4)

    def forward(self, image: Tensor) -> Tensor:
        N = image.shape[0]
        x = self.conv1(image)  # [N, 12, 8, 8]
        a = x.reshape(N, -1, 4, 64)  # [N, 3, 4, 64]
        b = F.softmax(a.reshape(3 * N, 4, -1), dim=1)  # [3*N, 4, 64]
        c = b.reshape(-1, 12, 8, 8)  # [N, 12, 8, 8]
        y = x + c  # [N, 12, 8, 8]
        d = self.fc1(y.reshape(-1, 8)).reshape(N, -1)  # [N, 768]
        logits: Tensor = self.fc(d)  # [N, 4]
        return logits


class Training(nn.Module):
    """Rest and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: Rest) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        return {"loss": F.cross_entropy(logits, label)}, {}
