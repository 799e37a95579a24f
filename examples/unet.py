# Written by netc 0.1.0.

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DoubleConv(nn.Module):
    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))  # [N, width, H, W]
        return F.relu(self.bn2(self.conv2(x)))  # [N, width, H, W]


class Up(nn.Module):
    """Doubles the sides of `x` and joins it to the map that had these sides on the way down."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(in_channels, width, 2, stride=2)
        self.conv = DoubleConv(2 * width, width)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        wide = self.up(x)  # [N, width, 2*H, 2*W]
        x = torch.cat((skip, wide), dim=1)  # [N, in_channels, 2*H, 2*W]
        x = self.conv(x)  # [N, width, 2*H, 2*W]
        return x


class UNet(nn.Module):
    """U-Net: convolutional networks for biomedical image segmentation (Ronneberger, Fischer and
    Brox, 2015).

    With padded convolutions and batch normalization, so that the mask is as large as the image,
    whose height and width stay free.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = DoubleConv(3, 64)
        self.down1 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(64, 128))
        self.down2 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(128, 256))
        self.down3 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(256, 512))
        self.down4 = nn.Sequential(nn.MaxPool2d(2), DoubleConv(512, 1024))
        self.up1 = Up(1024, 512)
        self.up2 = Up(512, 256)
        self.up3 = Up(256, 128)
        self.up4 = Up(128, 64)
        self.head = nn.Conv2d(64, 2, 1)

    def forward(self, image: Tensor) -> Tensor:
        if image.shape[2] % 16:
            raise ValueError(f"H must be a multiple of 16, not {image.shape[2]}")
        if image.shape[3] % 16:
            raise ValueError(f"W must be a multiple of 16, not {image.shape[3]}")
        x = self.stem(image)  # [N, 64, H, W]
        down1 = self.down1(x)  # [N, 128, H/2, W/2]
        down2 = self.down2(down1)  # [N, 256, H/4, W/4]
        down3 = self.down3(down2)  # [N, 512, H/8, W/8]
        down4 = self.down4(down3)  # [N, 1024, H/16, W/16]
        up1 = self.up1(down4, down3)  # [N, 512, H/8, W/8]
        up2 = self.up2(up1, down2)  # [N, 256, H/4, W/4]
        up3 = self.up3(up2, down1)  # [N, 128, H/2, W/2]
        x = self.up4(up3, x)  # [N, 64, H, W]
        logits: Tensor = self.head(x)  # [N, 2, H, W]
        return logits


class Training(nn.Module):
    """UNet and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: UNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, mask: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        loss = F.cross_entropy(logits, mask)
        return {"loss": loss}, {"accuracy": (logits.argmax(dim=1) == mask).float().mean()}
