# Written by netc 0.1.0.

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ListOfSkips(nn.Module):
    """Skips kept in a list and taken back from its end; strided convolutions halve the map."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 3, padding=1)
        self.down0 = nn.Sequential(
            nn.Conv2d(6, 8, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(),
        )
        self.down1 = nn.Sequential(
            nn.Conv2d(8, 12, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(12),
            nn.ReLU(),
        )
        self.down2 = nn.Sequential(
            nn.Conv2d(12, 16, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU(),
        )
        self.up0 = nn.ConvTranspose2d(16, 12, 2, stride=2)
        self.join0 = nn.Sequential(nn.Conv2d(24, 12, 3, padding=1), nn.ReLU())
        self.up1 = nn.ConvTranspose2d(12, 8, 2, stride=2)
        self.join1 = nn.Sequential(nn.Conv2d(16, 8, 3, padding=1), nn.ReLU())
        self.up2 = nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.join2 = nn.Sequential(nn.Conv2d(12, 6, 3, padding=1), nn.ReLU())
        self.last = nn.Conv2d(6, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        if image.shape[2] % 8:
            raise ValueError(f"H must be a multiple of 8, not {image.shape[2]}")
        if image.shape[3] % 8:
            raise ValueError(f"W must be a multiple of 8, not {image.shape[3]}")
        x = F.relu(self.conv1(image))  # [N, 6, H, W]
        down0 = self.down0(x)  # [N, 8, H/2, W/2]
        down1 = self.down1(down0)  # [N, 12, H/4, W/4]
        down2 = self.down2(down1)  # [N, 16, H/8, W/8]
        x2 = torch.cat((self.up0(down2), down1), dim=1)  # [N, 24, H/4, W/4]
        join0 = self.join0(x2)  # [N, 12, H/4, W/4]
        x2 = torch.cat((self.up1(join0), down0), dim=1)  # [N, 16, H/2, W/2]
        join1 = self.join1(x2)  # [N, 8, H/2, W/2]
        x = torch.cat((self.up2(join1), x), dim=1)  # [N, 12, H, W]
        x = self.join2(x)  # [N, 6, H, W]
        restored: Tensor = image + self.last(x)  # [N, 1, H, W]
        return restored


class Training(nn.Module):
    """ListOfSkips and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: ListOfSkips) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, clean: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        restored = self.net(image)
        return {"loss": F.l1_loss(restored, clean)}, {}
