# Written by netc 0.1.0.

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Context(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query = nn.Linear(8, 4)
        self.key = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        N, _, H, W = x.shape
        tokens = x.permute(0, 2, 3, 1).reshape(N, H * W, 8)  # [N, H*W, 8]
        q = self.query(tokens)  # [N, H*W, 4]
        k = self.key(tokens)  # [N, H*W, 4]
        weights = F.softmax(q @ k.transpose(1, 2) / 2.0, dim=-1)  # [N, H*W, H*W]
        seen = (weights @ tokens).reshape(N, H, W, 8).permute(0, 3, 1, 2)  # [N, 8, H, W]
        return torch.cat((x, seen), dim=1)  # [N, 16, H, W]


class Dense(nn.Module):
    """Dense prediction on maps of any size, with attention over all H * W places."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.dilated1 = nn.Conv2d(8, 8, 3, padding=1)
        self.dilated2 = nn.Conv2d(8, 8, 3, padding=2, dilation=2)
        self.dilated4 = nn.Conv2d(8, 8, 3, padding=4, dilation=4)
        self.context1 = Context()
        self.conv2 = nn.Conv2d(16, 3, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.conv1(image))  # [N, 8, H, W]
        x = x + F.relu(self.dilated1(x))  # [N, 8, H, W]
        x = x + F.relu(self.dilated2(x))  # [N, 8, H, W]
        x = x + F.relu(self.dilated4(x))  # [N, 8, H, W]
        x = self.context1(x)  # [N, 16, H, W]
        logits = self.conv2(x)  # [N, 3, H, W]
        return logits, logits.argmax(dim=1)  # [N, 3, H, W], [N, H, W]


class Training(nn.Module):
    """Dense and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: Dense) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, mask: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits, _ = self.net(image)
        loss = F.cross_entropy(
            logits, mask, weight=logits.new_tensor((0.2, 1.0, 2.0)), ignore_index=255
        )
        return {"loss": loss}, {}
