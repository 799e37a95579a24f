"""Each standard block against torch, written independently: values three ways, gradients, names of parameters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from three_ways import net_with, values
from torch import Tensor, nn
from torch.nn import functional as F

from netc.autodiff.interpret import interpret
from netc.autodiff.reverse import reverse
from netc.passes.initial import draw, state
from netc.passes.locate import locate
from netc.passes.standard import standard

Reference = Callable[..., Tensor]


@dataclass(frozen=True)
class Example:
    """A block, labelled b, on inputs; what it should compute, given a module or the weights by name and the inputs.

    module: torch's own with the same parameters, else None; then `compute` is given a dict of the weights.
    """

    spec: str
    inputs: dict[str, tuple[int, ...]]
    compute: Reference
    module: Callable[[], nn.Module] | None = None


def called(module: Any, *inputs: Tensor) -> Tensor:
    made: Tensor = module(*inputs)
    return made


# -- convolutional ------------------------------------------------------------------------------------------


def maxout(w: dict[str, Tensor], x: Tensor) -> Tensor:
    y = x @ w["linear.weight"].T + w["linear.bias"]
    return torch.stack([y[:, i : i + 3].amax(1) for i in range(0, 12, 3)], 1)


def feature_l2_pool(w: dict[str, Tensor], x: Tensor) -> Tensor:
    return torch.stack([x[:, i : i + 2].norm(dim=1) for i in range(0, 6, 2)], 1)


def squeeze_excite(m: nn.Module, x: Tensor) -> Tensor:
    return x * torch.sigmoid(m.fc2(F.relu(m.fc1(x.mean((2, 3), keepdim=True)))))


def excitation() -> nn.Module:
    return nn.ModuleDict({"fc1": nn.Conv2d(6, 3, 1), "fc2": nn.Conv2d(3, 6, 1)})


def norm_act(
    c: int, width: int, kernel: int = 1, stride: int = 1, groups: int = 1, act: type = nn.ReLU
) -> nn.Module:
    conv = nn.Conv2d(c, width, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(width), act())


def inverted(expansion: int, width: int, stride: int) -> Callable[[], nn.Module]:
    """torchvision's InvertedResidual, on six channels."""

    def made() -> nn.Module:
        hidden = 6 * expansion
        first = [norm_act(6, hidden, act=nn.ReLU6)] if expansion > 1 else []
        middle = norm_act(hidden, hidden, 3, stride, hidden, nn.ReLU6)
        last = [nn.Conv2d(hidden, width, 1, bias=False), nn.BatchNorm2d(width)]
        return nn.ModuleDict({"conv": nn.Sequential(*first, middle, *last)})

    return made


def inception() -> nn.Module:
    branches = {
        "branch1": norm_act(6, 2),
        "branch2": nn.Sequential(norm_act(6, 3), norm_act(3, 4, 3)),
        "branch3": nn.Sequential(norm_act(6, 2), norm_act(2, 3, 5)),
        "branch4": nn.Sequential(nn.MaxPool2d(3, 1, 1), norm_act(6, 5)),
    }
    return nn.ModuleDict(branches)


class Dense(nn.Module):
    """torchvision's _DenseLayer."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(c), nn.BatchNorm2d(6)
        self.conv1, self.conv2 = nn.Conv2d(c, 6, 1, bias=False), nn.Conv2d(6, 3, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        new = self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))
        return torch.cat([x, new], 1)


def locally_connected(w: dict[str, Tensor], x: Tensor) -> Tensor:
    """3 units on windows of 3 by 3, two apart, of maps of 5 by 4 with a border of zeros: 3 by 2 places."""
    padded, y = F.pad(x, (1, 1, 1, 1)), torch.zeros(2, 3, 3, 2, dtype=x.dtype)
    for row, column in np.ndindex(3, 2):
        window = padded[:, :, 2 * row : 2 * row + 3, 2 * column : 2 * column + 3].flatten(1)
        y[:, :, row, column] = window @ w["weight"][row * 2 + column].T + w["bias"][:, row, column]
    return y


# -- tokens -------------------------------------------------------------------------------------------------


def patches(m: nn.Module, x: Tensor) -> Tensor:
    return m.proj(x).flatten(2).transpose(1, 2)


def sinusoidal(w: dict[str, Tensor], x: Tensor) -> Tensor:
    table = torch.zeros(5, 8, dtype=x.dtype)
    for place in range(5):
        for i in range(4):
            angle = torch.tensor(place / 10000 ** (2 * i / 8), dtype=x.dtype)
            table[place, 2 * i], table[place, 2 * i + 1] = angle.sin(), angle.cos()
    return x + table


def rotary(w: dict[str, Tensor], x: Tensor) -> Tensor:
    """Each pair is a complex number that is turned by a product."""
    pairs = torch.view_as_complex(x.reshape(2, 3, 5, 4, 2).contiguous())
    angle = torch.arange(5, dtype=x.dtype)[:, None] * 100.0 ** (-torch.arange(4, dtype=x.dtype) / 4)
    return torch.view_as_real(pairs * torch.polar(torch.ones_like(angle), angle)).reshape(x.shape)


def attention(causal: bool = False, bias: bool = True) -> tuple[Callable[[], nn.Module], Reference]:
    def made() -> nn.Module:
        return nn.MultiheadAttention(8, 2, batch_first=True, bias=bias)

    def compute(m: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        hidden = torch.ones(q.shape[1], k.shape[1], dtype=torch.bool).triu(1) if causal else None
        y: Tensor = m(q, k, v, attn_mask=hidden, need_weights=False)[0]
        return y

    return made, compute


def masked(m: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """nn.MultiheadAttention calls true what is left out, for each sample and head."""
    left_out = ~mask.expand(2, 2, 4, 5).reshape(4, 4, 5)
    y: Tensor = m(q, k, v, attn_mask=left_out, need_weights=False)[0]
    return y


def layer(kind: type, **options: Any) -> Callable[[], nn.Module]:
    return lambda: kind(8, 2, 12, dropout=0.1, batch_first=True, **options)


def causal_layer(m: Any, x: Tensor, *memory: Tensor) -> Tensor:
    later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
    y: Tensor = m(x, *memory, tgt_mask=later) if memory else m(x, src_mask=later)
    return y


def padded_layer(m: Any, *inputs: Tensor) -> Tensor:
    """Torch's layers call true what is padding, for each sample."""
    hidden = [~x[:, 0, 0] for x in inputs if x.dtype == torch.bool]
    names = (
        ("src_key_padding_mask",) if len(hidden) == 1 else ("tgt_key_padding_mask", "memory_key_padding_mask")
    )
    y: Tensor = m(*inputs[: len(hidden)], **dict(zip(names, hidden, strict=True)))
    return y


def windows(shift: int) -> Reference:
    """Shifted window attention, pixel by pixel: windows of 2 by 2 on 4 by 6 pixels, 2 heads of 3 channels."""

    def compute(w: dict[str, Tensor], x: Tensor) -> Tensor:
        q, k, v = (x @ w["qkv.weight"].T + w["qkv.bias"]).split(6, -1)
        y = torch.zeros_like(x)
        for pixel in np.ndindex(4, 6):
            seen = [p for p in np.ndindex(4, 6) if together(pixel, p, shift)]
            for head in (slice(0, 3), slice(3, 6)):
                biases = [
                    w["relative_position_bias_table"][distance(pixel, p), head.start // 3] for p in seen
                ]
                scores = torch.stack([(q[:, *pixel, head] * k[:, *p, head]).sum(-1) for p in seen], -1)
                weights = (scores / 3**0.5 + torch.stack(biases)).softmax(-1)
                y[:, *pixel, head] = sum(weights[:, i, None] * v[:, *p, head] for i, p in enumerate(seen))
        return y @ w["proj.weight"].T + w["proj.bias"]

    return compute


def together(a: tuple[int, ...], b: tuple[int, ...], shift: int) -> bool:
    """Whether two pixels lie in one window of a grid that begins at -shift: those at the edges are cut off."""
    return all((i + shift) // 2 == (j + shift) // 2 for i, j in zip(a, b, strict=True))


def distance(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """The row of the table: down and across from b to a, each from -1."""
    return (a[0] - b[0] + 1) * 3 + a[1] - b[1] + 1


MAPS = {"x": (2, 6, 5, 4)}
TOKENS = {"x": (2, 5, 8)}
TRIPLE = {"q": (2, 4, 8), "k": (2, 5, 8), "v": (2, 5, 8)}
PAIR = {"x": (2, 4, 8), "memory": (2, 5, 8)}
EXAMPLES = {
    "Maxout": Example("Maxout(4, 3)", {"x": (3, 5)}, maxout),
    "FeatureL2Pool": Example("FeatureL2Pool(2)", MAPS, feature_l2_pool),
    "Residual": Example(
        "Residual(Conv2d(6, 3, padding=1) -> relu)", MAPS, lambda m, x: x + F.relu(m.body[0](x)),
        lambda: nn.ModuleDict({"body": nn.Sequential(nn.Conv2d(6, 6, 3, padding=1))}),
    ),
    "SqueezeExcite": Example("SqueezeExcite(2)", MAPS, squeeze_excite, excitation),
    "DepthwiseSeparable": Example(
        "DepthwiseSeparable(4, 5, stride=2, bias=true)", MAPS, lambda m, x: m.pointwise(m.depthwise(x)),
        lambda: nn.ModuleDict(
            {"depthwise": nn.Conv2d(6, 6, 5, 2, 2, groups=6), "pointwise": nn.Conv2d(6, 4, 1)}
        ),
    ),
    "ConvNormAct": Example("ConvNormAct(4, 3, stride=2, groups=2)", MAPS, called, lambda: norm_act(6, 4, 3, 2, 2)),
    "ConvNormAct with a norm": Example(
        "ConvNormAct(4, 3, norm=GroupNorm(2), act=silu)", MAPS, called,
        lambda: nn.Sequential(nn.Conv2d(6, 4, 3, padding=1, bias=False), nn.GroupNorm(2, 4), nn.SiLU()),
    ),
    "InvertedResidual": Example(
        "InvertedResidual(6, expansion=3)", MAPS, lambda m, x: x + m.conv(x), inverted(3, 6, 1)
    ),
    "InvertedResidual with a stride": Example(
        "InvertedResidual(4, 2, 1)", MAPS, lambda m, x: m.conv(x), inverted(1, 4, 2)
    ),
    "Inception": Example(
        "Inception(2, 3, 4, 2, 3, 5)", MAPS, lambda m, x: torch.cat([m[name](x) for name in m], 1), inception
    ),
    "DenseLayer": Example("DenseLayer(3, 2)", MAPS, called, lambda: Dense(6)),
    "DenseBlock": Example(
        "DenseBlock(2, 3, 2)", MAPS, lambda m, x: m.denselayer2(m.denselayer1(x)),
        lambda: nn.ModuleDict({"denselayer1": Dense(6), "denselayer2": Dense(9)}),
    ),
    "LocallyConnected2d": Example("LocallyConnected2d(3, 3, stride=2, padding=1)", MAPS, locally_connected),
    "PatchEmbed": Example(
        "PatchEmbed(5, 2)", {"x": (2, 3, 4, 6)}, patches, lambda: nn.ModuleDict({"proj": nn.Conv2d(3, 5, 2, 2)})
    ),
    "LearnedPositions": Example("LearnedPositions", TOKENS, lambda w, x: x + w["pos_embedding"]),
    "SinusoidalPositions": Example("SinusoidalPositions", TOKENS, sinusoidal),
    "RotaryPositions": Example("RotaryPositions(100.0)", {"x": (2, 3, 5, 8)}, rotary),
    "MultiheadAttention": Example("MultiheadAttention(2)", TRIPLE, attention()[1], attention()[0]),
    "MultiheadAttention, causal": Example(
        "MultiheadAttention(2, is_causal=true)", TRIPLE, attention(True)[1], attention(True)[0]
    ),
    "MultiheadAttention, causal with dropout": Example(
        "MultiheadAttention(2, dropout=0.3, is_causal=true)", TRIPLE, attention(True)[1], attention(True)[0]
    ),
    "MultiheadAttention without bias": Example(
        "MultiheadAttention(2, bias=false)", TRIPLE, attention(bias=False)[1], attention(bias=False)[0]
    ),
    "MaskedMultiheadAttention": Example(
        "MaskedMultiheadAttention(2)", {**TRIPLE, "mask": (2, 1, 4, 5)}, masked, attention()[0]
    ),
    "MaskedMultiheadAttention for padding": Example(
        "MaskedMultiheadAttention(2)", {**TRIPLE, "mask": (2, 1, 1, 5)}, masked, attention()[0]
    ),
    "MaskedMultiheadAttention with dropout": Example(
        "MaskedMultiheadAttention(2, dropout=0.2)", {**TRIPLE, "mask": (2, 1, 1, 5)}, masked, attention()[0]
    ),
    "MaskedMultiheadAttention without bias": Example(
        "MaskedMultiheadAttention(2, bias=false)", {**TRIPLE, "mask": (2, 2, 1, 5)}, masked, attention(bias=False)[0]
    ),
    "TransformerEncoderLayer": Example(
        "TransformerEncoderLayer(2, 12)", TOKENS, called, layer(nn.TransformerEncoderLayer)
    ),
    "TransformerEncoderLayer, norms first": Example(
        "TransformerEncoderLayer(2, 12, norm_first=true, activation=gelu, layer_norm_eps=1e-3, dropout=0.0)", TOKENS,
        called, layer(nn.TransformerEncoderLayer, norm_first=True, activation="gelu", layer_norm_eps=1e-3),
    ),
    "TransformerEncoderLayer, causal without bias": Example(
        "TransformerEncoderLayer(2, 12, bias=false, is_causal=true)", TOKENS, causal_layer,
        layer(nn.TransformerEncoderLayer, bias=False),
    ),
    "TransformerDecoderLayer": Example(
        "TransformerDecoderLayer(2, 12)", PAIR, called, layer(nn.TransformerDecoderLayer)
    ),
    "TransformerDecoderLayer, norms first": Example(
        "TransformerDecoderLayer(2, 12, norm_first=true, activation=gelu, is_causal=true)", PAIR, causal_layer,
        layer(nn.TransformerDecoderLayer, norm_first=True, activation="gelu"),
    ),
    "MaskedTransformerEncoderLayer": Example(
        "MaskedTransformerEncoderLayer(2, 12)", {**TOKENS, "mask": (2, 1, 1, 5)}, padded_layer,
        layer(nn.TransformerEncoderLayer),
    ),
    "MaskedTransformerEncoderLayer, norms first without bias": Example(
        "MaskedTransformerEncoderLayer(2, 12, norm_first=true, activation=gelu, dropout=0.0, bias=false)",
        {**TOKENS, "mask": (2, 1, 1, 5)}, padded_layer,
        layer(nn.TransformerEncoderLayer, norm_first=True, activation="gelu", bias=False),
    ),
    "MaskedTransformerDecoderLayer": Example(
        "MaskedTransformerDecoderLayer(2, 12)", {**PAIR, "tgt_mask": (2, 1, 1, 4), "memory_mask": (2, 1, 1, 5)},
        padded_layer, layer(nn.TransformerDecoderLayer),
    ),
    "MaskedTransformerDecoderLayer, norms first": Example(
        "MaskedTransformerDecoderLayer(2, 12, norm_first=true, dropout=0.0)",
        {**PAIR, "tgt_mask": (2, 1, 1, 4), "memory_mask": (2, 1, 1, 5)},
        padded_layer, layer(nn.TransformerDecoderLayer, norm_first=True),
    ),
    "WindowAttention": Example("WindowAttention(2, 2)", {"x": (2, 4, 6, 6)}, windows(0)),
    "WindowAttention, shifted": Example("WindowAttention(2, 2, shift=1)", {"x": (2, 4, 6, 6)}, windows(1)),
}  # fmt: skip


def test_every_block_has_an_example() -> None:
    named = {name.split(",")[0].split(" ")[0] for name in EXAMPLES}
    losses = {name for name, block in standard().items() if block.tree.span.source.path == "std/losses.net"}
    assert set(standard()) - losses == named  # losses are tested beside the ops of their kind


def drawn(example: Example) -> tuple[str, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The statement, the inputs and the weights; those of a norm are positive."""
    rng = np.random.default_rng(4)
    statement = f"y = ({', '.join(example.inputs)}) -> b: {example.spec}"
    inputs = {
        n: rng.normal(size=s).astype("float32") for n, s in example.inputs.items() if not n.endswith("mask")
    }
    for mask in [n for n in example.inputs if n not in inputs]:  # each query sees the first key at least
        shape = example.inputs[mask]
        inputs[mask] = (rng.random(shape) < 0.5) | (np.arange(shape[-1]) == 0)
    weights = {}
    for name, param in state(net_with(statement, inputs)).items():
        value = rng.normal(size=param.type.shape) / 2
        value = np.abs(value) + 0.5 if param.init.kind == "ones" else value
        value = draw(name, param, 0) if param.start is not None else value  # an index stays what it is
        weights[name] = value.astype(param.type.dtype)
    return statement, inputs, weights


def reference(
    example: Example, inputs: dict[str, np.ndarray], weights: dict[str, np.ndarray]
) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
    """What torch makes of it in float64, and the tensors whose gradient it can tell."""
    tensors = {
        n: torch.tensor(x).double() if x.dtype.kind == "f" else torch.tensor(x) for n, x in inputs.items()
    }
    for x in tensors.values():
        x.requires_grad_(x.is_floating_point())
    held = {n.removeprefix("b."): torch.tensor(w) for n, w in weights.items()}
    if example.module is None:
        weighed = {n: w.double().requires_grad_() if w.is_floating_point() else w for n, w in held.items()}
        return example.compute(weighed, *tensors.values()), tensors, weighed
    module = example.module().double().eval()
    module.load_state_dict({k: w.double() if w.is_floating_point() else w for k, w in held.items()})
    return example.compute(module, *tensors.values()), tensors, dict(module.named_parameters())


@pytest.mark.parametrize("name", EXAMPLES)
def test_values_are_those_of_torch_three_ways(name: str, tmp_path: Path) -> None:
    statement, inputs, weights = drawn(EXAMPLES[name])
    wanted = reference(EXAMPLES[name], inputs, weights)[0].detach().numpy()
    found = values(statement, tmp_path / "a.onnx", weights, **inputs)
    np.testing.assert_allclose(found["numpy"], wanted, 1e-9, 1e-10)
    np.testing.assert_allclose(found["torch"], wanted, 1e-4, 1e-5)
    np.testing.assert_allclose(found["onnx"], wanted, 1e-4, 1e-5)


@pytest.mark.parametrize("name", EXAMPLES)
def test_gradients_are_those_of_torch(name: str) -> None:
    statement, inputs, weights = drawn(EXAMPLES[name])
    y, tensors, trained = reference(EXAMPLES[name], inputs, weights)
    y.pow(2).sum().backward()
    wanted = {n: x.grad for n, x in (*tensors.items(), *((f"b.{n}", w) for n, w in trained.items()))}
    found = gradients(statement + "\ny = sum(y ** 2)", inputs, weights)
    assert len(found) >= len(tensors) - sum(x.dtype == torch.bool for x in tensors.values())
    for place, gradient in found.items():
        right = wanted[place]
        assert right is not None, place
        np.testing.assert_allclose(gradient, right.numpy(), 1e-7, 1e-8, err_msg=place)


def gradients(
    statement: str, inputs: dict[str, np.ndarray], weights: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The gradient of y by netc's graph, in float64, for each input and each trainable parameter by name."""
    located = locate(net_with(statement, inputs))
    flat = located.flat
    wrt = {v.hint: v for v in flat.inputs if v.type.dtype == "float32"}
    wrt |= {".".join(p.path): p for node in flat.nodes for p in node.params if p.trainable}
    made = interpret(reverse(located, flat.outputs, list(wrt.values()), {}).flat, inputs, weights)
    return dict(zip(wrt, list(made)[len(flat.outputs) :], strict=True))


def test_a_wrong_weight_is_noticed(tmp_path: Path) -> None:
    example = EXAMPLES["TransformerEncoderLayer"]
    statement, inputs, weights = drawn(example)
    wanted = reference(example, inputs, weights)[0].detach().numpy()
    weights["b.self_attn.in_proj_weight"][3, 2] += 0.1
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(
            values(statement, tmp_path / "a.onnx", weights, **inputs)["onnx"], wanted, 1e-4, 1e-5
        )
