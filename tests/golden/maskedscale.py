# Written by netc 0.1.0.

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MaskedScale(nn.Module):
    """Raw parameters of shape [C, 1, 1] against masks of shape [N, 1, H, W]."""

    def __init__(self) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.empty(6, 1, 1))
        nn.init.normal_(self.gain, std=0.5)
        self.shift = nn.Parameter(torch.empty(1, 6, 1, 1))
        nn.init.normal_(self.shift, std=0.02)
        self.scale = nn.Parameter(torch.empty(1))
        nn.init.normal_(self.scale, std=0.1)
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.fc = nn.Linear(6, 3)

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        x = self.conv1(image)  # [N, 6, H, W]
        spread = mask * self.gain  # [N, 6, H, W]
        gated = x * mask * (1 + self.gain) + self.shift  # [N, 6, H, W]
        rest = (1 - mask) * self.scale  # [N, 1, H, W]
        logits: Tensor = self.fc(F.relu(gated + spread - rest).mean((2, 3)))  # [N, 3]
        return logits


class Training(nn.Module):
    """MaskedScale and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: MaskedScale) -> None:
        super().__init__()
        self.net = net

    def forward(
        self, image: Tensor, mask: Tensor, label: Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image, mask)
        return {"loss": F.cross_entropy(logits, label)}, {}
