# Written by netc 0.1.0.

import torch.nn.functional as F
from torch import Tensor, nn


class CharLSTM(nn.Module):
    """Generating sequences with recurrent neural networks (Graves, 2013)."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(96, 128)
        self.lstm = nn.LSTM(128, 128, num_layers=2, batch_first=True)
        self.head = nn.Linear(128, 96)

    def forward(self, text: Tensor) -> Tensor:
        x, _ = self.lstm(self.embed(text))  # [N, 32, 128]
        logits: Tensor = self.head(F.dropout(x, p=0.2, training=self.training))  # [N, 32, 96]
        return logits


class Training(nn.Module):
    """CharLSTM and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: CharLSTM) -> None:
        super().__init__()
        self.net = net

    def forward(self, text: Tensor, next_: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(text)
        loss = F.cross_entropy(logits.permute(0, 2, 1), next_)
        accuracy = (logits.permute(0, 2, 1).argmax(dim=1) == next_).float().mean()
        return {"loss": loss}, {"accuracy": accuracy}
