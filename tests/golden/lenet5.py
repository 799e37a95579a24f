# Written by netc 0.1.0.

import torch.nn.functional as F
from torch import Tensor, nn


class LeNet5(nn.Module):
    """LeNet-5: gradient-based learning applied to document recognition (LeCun, Bottou, Bengio and
    Haffner, 1998).

    In its modern form: rectifiers, max pooling, every map of C3 sees every map of S2, and a
    softmax.
    """

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5)
        self.c3 = nn.Conv2d(6, 16, 5)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.out = nn.Linear(84, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = F.max_pool2d(F.relu(self.c1(image)), 2)  # [N, 6, 14, 14]
        x = F.max_pool2d(F.relu(self.c3(x)), 2)  # [N, 16, 5, 5]
        maps = F.relu(self.c5(x))  # [N, 120, 1, 1]
        x = F.relu(self.f6(maps.flatten(1)))  # [N, 84]
        logits: Tensor = self.out(x)  # [N, 10]
        return logits


class Training(nn.Module):
    """LeNet5 and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: LeNet5) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        loss = F.cross_entropy(logits, label)
        return {"loss": loss}, {"accuracy": (logits.argmax(dim=1) == label).float().mean()}
