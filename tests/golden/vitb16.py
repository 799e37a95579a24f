# Written by netc 0.1.0.

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MultiheadAttention(nn.Module):
    """Multi-head attention (Vaswani et al., "Attention is all you need", 2017, figure 2).

    Each query takes the mean of the values, weighed by the softmax of its products with the
    keys, once in each of several projections. In self-attention all three are the same tokens.
    The parameters bear the names of torch's nn.MultiheadAttention.
    """

    def __init__(self) -> None:
        super().__init__()
        self.in_proj_weight = nn.Parameter(torch.empty(2304, 768))
        nn.init.uniform_(self.in_proj_weight, -0.04419417382415922, 0.04419417382415922)
        self.in_proj_bias = nn.Parameter(torch.zeros(2304))
        self.out_proj = nn.Linear(768, 768)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        N = query.shape[0]
        wq, wk, wv = self.in_proj_weight.chunk(3)  # [768, 768]
        bq, bk, bv = self.in_proj_bias.chunk(3)  # [768]
        x: Tensor = query @ wq.transpose(0, 1) + bq  # [N, 197, 768]
        q = x.reshape(N, 197, 12, 64).permute(0, 2, 1, 3)  # [N, 12, 197, 64]
        x = key @ wk.transpose(0, 1) + bk  # [N, 197, 768]
        k = x.reshape(N, 197, 12, 64).permute(0, 2, 1, 3)  # [N, 12, 197, 64]
        x = value @ wv.transpose(0, 1) + bv  # [N, 197, 768]
        v = x.reshape(N, 197, 12, 64).permute(0, 2, 1, 3)  # [N, 12, 197, 64]
        y = F.scaled_dot_product_attention(q, k, v)  # [N, 12, 197, 64]
        x = self.out_proj(y.permute(0, 2, 1, 3).reshape(N, 197, 768))  # [N, 197, 768]
        return x


class EncoderBlock(nn.Module):
    """Attention among the tokens, then two linear layers for each; the norms come first."""

    def __init__(self) -> None:
        super().__init__()
        self.ln_1 = nn.LayerNorm(768, eps=1e-6)
        self.self_attention = MultiheadAttention()
        self.ln_2 = nn.LayerNorm(768, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(768, 3072),
            nn.GELU(),
            nn.Dropout(0.0),
            nn.Linear(3072, 768),
            nn.Dropout(0.0),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.ln_1(x)  # [N, 197, 768]
        self_attention = self.self_attention(y, y, y)  # [N, 197, 768]
        x = x + F.dropout(self_attention, p=0.0, training=self.training)  # [N, 197, 768]
        x = x + self.mlp(self.ln_2(x))  # [N, 197, 768]
        return x


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, 197, 768))
        nn.init.normal_(self.pos_embedding, std=0.02)
        self.layers = nn.Sequential(OrderedDict([
            ("encoder_layer_0", EncoderBlock()),
            ("encoder_layer_1", EncoderBlock()),
            ("encoder_layer_2", EncoderBlock()),
            ("encoder_layer_3", EncoderBlock()),
            ("encoder_layer_4", EncoderBlock()),
            ("encoder_layer_5", EncoderBlock()),
            ("encoder_layer_6", EncoderBlock()),
            ("encoder_layer_7", EncoderBlock()),
            ("encoder_layer_8", EncoderBlock()),
            ("encoder_layer_9", EncoderBlock()),
            ("encoder_layer_10", EncoderBlock()),
            ("encoder_layer_11", EncoderBlock()),
        ]))
        self.ln = nn.LayerNorm(768, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        x = F.dropout(x + self.pos_embedding, p=0.0, training=self.training)  # [N, 197, 768]
        x = self.layers(x)  # [N, 197, 768]
        x = self.ln(x)  # [N, 197, 768]
        return x


class ViTB16(nn.Module):
    """Patches as tokens, with one more that gathers what tells the class."""

    def __init__(self) -> None:
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, 768))
        self.conv_proj = nn.Conv2d(3, 768, 16, stride=16)
        self.encoder = Encoder()
        self.heads = nn.Sequential(OrderedDict([("head", nn.Linear(768, 1000))]))

    def forward(self, image: Tensor) -> Tensor:
        N = image.shape[0]
        patches = self.conv_proj(image).permute(0, 2, 3, 1).reshape(N, 196, 768)  # [N, 196, 768]
        tokens = torch.cat((self.class_token.expand(N, 1, 768), patches), dim=1)  # [N, 197, 768]
        tokens = self.encoder(tokens)  # [N, 197, 768]
        x = tokens[:, 0]  # [N, 768]
        logits: Tensor = self.heads(x)  # [N, 1000]
        return logits


class Training(nn.Module):
    """ViTB16 and its losses: what DistributedDataParallel and torch.compile wrap."""

    def __init__(self, net: ViTB16) -> None:
        super().__init__()
        self.net = net

    def forward(self, image: Tensor, label: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The losses, whose sum is to be minimized, and the metrics, by name."""
        logits = self.net(image)
        loss = F.cross_entropy(logits, label, label_smoothing=0.1)
        return {"loss": loss}, {"accuracy": (logits.argmax(dim=1) == label).float().mean()}
