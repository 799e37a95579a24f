# Written by netc 0.1.0.

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class HandAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(24, 72)
        self.fc2 = nn.Linear(24, 24)

    def forward(self, x: Tensor) -> Tensor:
        N = x.shape[0]
        q, k, v = self.fc1(x).reshape(N, 17, 3, 4, 6).permute(2, 0, 3, 1, 4)  # [N, 4, 17, 6]
        scores = F.softmax(q @ k.transpose(-1, -2) / 6**0.5, dim=-1)  # [N, 4, 17, 17]
        x = self.fc2((scores @ v).permute(0, 2, 1, 3).reshape(N, 17, 24))  # [N, 17, 24]
        return x


class HandEncoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(24)
        self.hand_attention1 = HandAttention()
        self.ln2 = nn.LayerNorm(24)
        self.fc1 = nn.Linear(24, 48)
        self.fc2 = nn.Linear(48, 24)

    def forward(self, x: Tensor) -> Tensor:
        y = x + self.hand_attention1(self.ln1(x))  # [N, 17, 24]
        x = F.gelu(self.fc1(self.ln2(y)))  # [N, 17, 48]
        x = y + self.fc2(x)  # [N, 17, 24]
        return x


class HandViT(nn.Module):
    """A small vision transformer out of raw parameters, rearrange, @ and softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.cls = nn.Parameter(torch.empty(1, 1, 24))
        nn.init.normal_(self.cls, std=0.02)
        self.pos = nn.Parameter(torch.empty(1, 17, 24))
        nn.init.normal_(self.pos, std=0.02)
        self.embed = nn.Conv2d(3, 24, 6, stride=6)
        self.hand_encoder1 = HandEncoder()
        self.hand_encoder2 = HandEncoder()
        self.ln1 = nn.LayerNorm(24)
        self.head = nn.Linear(24, 5)

    def forward(self, image: Tensor) -> Tensor:
        N = image.shape[0]
        patches = self.embed(image).flatten(2).transpose(1, 2)  # [N, 16, 24]
        tokens = torch.cat((self.cls.expand(N, 1, 24), patches), dim=1) + self.pos  # [N, 17, 24]
        tokens = self.hand_encoder1(tokens)  # [N, 17, 24]
        tokens = self.hand_encoder2(tokens)  # [N, 17, 24]
        tokens = self.ln1(tokens)  # [N, 17, 24]
        logits: Tensor = self.head(tokens[:, 0])  # [N, 5]
        return logits


class Training(nn.Module):
    """HandViT and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: HandViT) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        return {"loss": F.cross_entropy(logits, label)}, {}
