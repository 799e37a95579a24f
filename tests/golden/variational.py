# Written by netc 0.1.0.

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Gaussian(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(64, 12)
        self.to_mu = nn.Linear(12, 6)
        self.to_logvar = nn.Linear(12, 6)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = F.relu(self.fc1(x))  # [N, 12]
        return self.to_mu(h), self.to_logvar(h)  # [N, 6]


class Variational(nn.Module):
    """An encoder of two outputs, and a net of three."""

    def __init__(self) -> None:
        super().__init__()
        self.gaussian1 = Gaussian()
        self.fc1 = nn.Linear(6, 64)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        N = image.shape[0]
        x = image.flatten(1)  # [N, 64]
        mu, logvar = self.gaussian1(x)  # [N, 6]
        recon = torch.sigmoid(self.fc1(mu)).reshape(N, 1, 8, 8)  # [N, 1, 8, 8]
        return recon, mu, logvar  # [N, 1, 8, 8], [N, 6], [N, 6]


class Training(nn.Module):
    """Variational and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: Variational) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        recon, mu, logvar = self.net(image)
        kl = 0.5 * (torch.exp(logvar) + mu**2 - 1 - logvar).mean()
        return {"loss": F.mse_loss(recon, image) + 0.01 * kl}, {}
