# Written by netc 0.1.0.

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Tied(nn.Module):
    """An autoencoder whose decoder is the transpose of its encoder."""

    def __init__(self) -> None:
        super().__init__()
        self.offset = nn.Parameter(torch.empty(100))
        nn.init.normal_(self.offset, std=0.01)
        self.enc = nn.Linear(100, 24, bias=False)
        self.mid = nn.Linear(24, 24)

    def forward(self, row: Tensor) -> Tensor:
        z = torch.tanh(self.enc(row))  # [N, 24]
        z = torch.tanh(self.mid(z))  # [N, 24]
        h = z @ self.mid.weight.transpose(0, 1) + self.mid.bias  # [N, 24]
        return h @ self.enc.weight + self.offset  # [N, 100]


class Training(nn.Module):
    """Tied and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: Tied) -> None:
        super().__init__()
        self.net = net

    def forward(self, row: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        recon = self.net(row)
        return {"loss": F.mse_loss(recon, row)}, {}
