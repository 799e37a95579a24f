# Written by netc 0.1.0.

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class VAE(nn.Module):
    """Auto-encoding variational Bayes (Kingma and Welling, 2013, appendix C): digits as a few
    normal variables.

    The encoder tells a mean and a variance for each variable, from which training draws.
    Evaluation takes the mean.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 500), nn.Tanh(), nn.Linear(500, 40))
        self.decoder = nn.Sequential(nn.Linear(20, 500), nn.Tanh(), nn.Linear(500, 784))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        return self._trunk(image)[:2]

    def _trunk(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The outputs, and `logits` and `logvar` for the losses."""
        N = image.shape[0]
        x = image.flatten(1)  # [N, 784]
        x = self.encoder(x)  # [N, 40]
        mu, logvar = x.chunk(2, dim=1)  # [N, 20]
        z = torch.exp(0.5 * logvar)  # [N, 20]
        z = mu + z * (torch.randn_like(mu) if self.training else torch.zeros_like(mu))  # [N, 20]
        x = self.decoder(z)  # [N, 784]
        logits = x.reshape(N, 1, 28, 28)  # [N, 1, 28, 28]
        restored = torch.sigmoid(logits)  # [N, 1, 28, 28]
        return restored, mu, logits, logvar  # [N, 1, 28, 28], [N, 20], [N, 1, 28, 28], [N, 20]


class Training(nn.Module):
    """VAE and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: VAE) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        _, mu, logits, logvar = self.net._trunk(image)
        kl = -0.5 * (1 + logvar - mu**2 - torch.exp(logvar)).sum(dim=1).mean()
        return {"recon": 784 * F.binary_cross_entropy_with_logits(logits, image), "kl": kl}, {}
