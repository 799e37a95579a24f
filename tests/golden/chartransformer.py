# Written by netc 0.1.0.

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LearnedPositions(nn.Module):
    """A learned vector added to each place (Gehring et al., "Convolutional seq2seq learning",
    2017).

    The number of tokens must be known.
    """

    def __init__(self) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, 32, 64))
        nn.init.normal_(self.pos_embedding, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.pos_embedding  # [N, 32, 64]


class MultiheadAttention(nn.Module):
    """Multi-head attention (Vaswani et al., "Attention is all you need", 2017, figure 2).

    Each query takes the mean of the values, weighed by the softmax of its products with the
    keys, once in each of several projections. In self-attention all three are the same tokens.
    `is_causal` hides from a query the keys behind its own place; `dropout` = 0.1 drops weights
    in training. The parameters bear the names of torch's nn.MultiheadAttention.
    """

    def __init__(self) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(192, 64))
        nn.init.uniform_(self.in_proj_weight, -0.15309310892394862, 0.15309310892394862)
        self.in_proj_bias = nn.Parameter(torch.zeros(192))
        self.out_proj = nn.Linear(64, 64)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        N = query.shape[0]
        wq, wk, wv = self.in_proj_weight.chunk(3)  # [64, 64]
        bq, bk, bv = self.in_proj_bias.chunk(3)  # [64]
        x: Tensor = query @ wq.transpose(0, 1) + bq  # [N, 32, 64]
        q = x.reshape(N, 32, 4, 16).permute(0, 2, 1, 3)  # [N, 4, 32, 16]
        x = key @ wk.transpose(0, 1) + bk  # [N, 32, 64]
        k = x.reshape(N, 32, 4, 16).permute(0, 2, 1, 3)  # [N, 4, 32, 16]
        x = value @ wv.transpose(0, 1) + bv  # [N, 32, 64]
        v = x.reshape(N, 32, 4, 16).permute(0, 2, 1, 3)  # [N, 4, 32, 16]
        x = torch.arange(32, device=key.device)  # [32]
        x = x <= torch.arange(32, device=query.device).unsqueeze(1)  # [32, 32]
        scores = torch.where(x, q @ k.transpose(-1, -2) / 4.0, -1e30)  # [N, 4, 32, 32]
        x = F.dropout(F.softmax(scores, dim=-1), p=0.1, training=self.training)  # [N, 4, 32, 32]
        y = x @ v  # [N, 4, 32, 16]
        x = self.out_proj(y.permute(0, 2, 1, 3).reshape(N, 32, 64))  # [N, 32, 64]
        return x


class TransformerEncoderLayer(nn.Module):
    """The encoder layer of the transformer (Vaswani et al., "Attention is all you need", 2017,
    figure 1, left).

    Self-attention, then two linear layers, each with a shortcut. The norms stand behind the
    shortcuts, or with `norm_first` at the start of each branch (Xiong et al., "On layer
    normalization in the transformer architecture", 2020). The parameters bear torch's names.
    """

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(64)
        self.self_attn = MultiheadAttention()
        self.norm2 = nn.LayerNorm(64)
        self.linear1 = nn.Linear(64, 256)
        self.linear2 = nn.Linear(256, 64)

    def forward(self, x: Tensor) -> Tensor:
        a = self.norm1(x)  # [N, 32, 64]
        a = self.self_attn(a, a, a)  # [N, 32, 64]
        a = F.dropout(a, p=0.1, training=self.training)  # [N, 32, 64]
        x = x + a  # [N, 32, 64]
        b = F.gelu(self.linear1(self.norm2(x)))  # [N, 32, 256]
        b = self.linear2(F.dropout(b, p=0.1, training=self.training))  # [N, 32, 64]
        b = F.dropout(b, p=0.1, training=self.training)  # [N, 32, 64]
        return x + b  # [N, 32, 64]


class CharTransformer(nn.Module):
    """Improving language understanding by generative pre-training (Radford et al., 2018), in
    small.
    """

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(96, 64)
        self.position = LearnedPositions()
        self.layers = nn.Sequential(*(TransformerEncoderLayer() for _ in range(2)))
        self.norm = nn.LayerNorm(64)
        self.head = nn.Linear(64, 96)

    def forward(self, text: Tensor) -> Tensor:
        x = self.embed(text)  # [N, 32, 64]
        x = self.position(x)  # [N, 32, 64]
        x = self.layers(F.dropout(x, p=0.1, training=self.training))  # [N, 32, 64]
        logits: Tensor = self.head(self.norm(x))  # [N, 32, 96]
        return logits


class Training(nn.Module):
    """CharTransformer and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: CharTransformer) -> None:
        super().__init__()
        self.net = net

    def forward(self, text: Tensor, next_: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(text)
        loss = F.cross_entropy(logits.permute(0, 2, 1), next_)
        accuracy = (logits.permute(0, 2, 1).argmax(dim=1) == next_).float().mean()
        return {"loss": loss}, {"accuracy": accuracy}
