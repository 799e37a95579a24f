# Written by netc 0.1.0.

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Pieces(nn.Module):
    """Pieces of tensors: chunks of unequal size, splits with a rest, slices with steps."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(6, 16, 3, padding=1)
        self.fc = nn.Linear(174, 4)

    def forward(self, image: Tensor) -> Tensor:
        even = image[:, :, ::2, ::3]  # [N, 3, 10, 7]
        odd = image[:, :, 1::2, 2::3]  # [N, 3, 10, 7]
        x = F.relu(self.conv1(torch.cat((even, odd), dim=1)))  # [N, 16, 10, 7]
        a, b, c = x.chunk(3, dim=1)  # [N, 6, 10, 7], [N, 6, 10, 7], [N, 4, 10, 7]
        p, q = torch.split(x, 10, dim=1)  # [N, 10, 10, 7], [N, 6, 10, 7]
        y = a + b + q  # [N, 6, 10, 7]
        rows = y[:, :, -3:, 1:-1]  # [N, 6, 3, 5]
        last = p[:, -1]  # [N, 10, 7]
        x = rows.flatten(1)  # [N, 90]
        x = torch.cat((x, last.flatten(1), c[:, 0:2, 4].flatten(1)), dim=1)  # [N, 174]
        logits: Tensor = self.fc(x)  # [N, 4]
        return logits


class Training(nn.Module):
    """Pieces and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: Pieces) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        return {"loss": F.cross_entropy(logits, label)}, {}
