"""Normalisation, resizing, dropout and look-ups in the language: each runs alike in numpy, torch and onnxruntime."""

import re

import pytest
from emitted import written

from netc.backends.to_torch import to_torch
from netc.deploy.verify import verify

MAP = "x: float32[N, 6, 8, 4]"
FREE = "x: float32[N, 6, H, W]"
ROW = "x: float32[N, 5]"
PROGRAMS = {
    "batch norm of volumes": ("x: float32[N, 2, 3, 4, 5]", "x -> BatchNorm3d(momentum=none)"),
    "instance norm": (FREE, "x -> InstanceNorm2d(affine=true, eps=1e-3)"),
    "instance norm of lines": ("x: float32[N, 3, L]", "x -> InstanceNorm1d()"),
    "instance norm of volumes": ("x: float32[N, 2, D, 4, 5]", "x -> InstanceNorm3d(affine=true)"),
    "rms norm": (ROW, "x -> Linear(8) -> RMSNorm() -> Linear(3)"),
    "rms norm of two axes": (MAP, "x -> RMSNorm(axes=2, eps=1e-6, affine=false)"),
    "local response norm": (FREE, "x -> local_response_norm(3, alpha=0.5) -> LocalResponseNorm(4, k=2)"),
    "bilinear": (f"{ROW}, z: float32[N, 3]", "Bilinear(4)(x, z)"),
    "embedding": ("x: int64[N, 7]", "x -> Embedding(11, 6, padding_idx=0) -> Linear(3)"),
    "embedding in float64": ("x: int32[N, 7]", 'x -> table: Embedding(11, 6, to="float64")'),
    "dropouts": (
        MAP,
        "x + (x -> Conv2d(6, 3, padding=1) -> dropout2d(0.2) -> drop_path(0.1) -> dropout(0.3))",
    ),
    "dropouts by name": (MAP, "x -> a: Dropout2d(0.2) -> b: Dropout()"),
    "pixel shuffle": (FREE, "x -> Conv2d(12, 1) -> pixel_shuffle(2) -> pixel_unshuffle(2)"),
    "pixel shuffle of free maps": (
        "x: float32[N, 3, H, W]",
        "x -> down: PixelUnshuffle(2) -> up: PixelShuffle(2)",
    ),
    "upsample": (FREE, "x -> interpolate(scale_factor=2) -> up: Upsample(scale_factor=3)"),
    "upsample smoothly": (FREE, 'x -> interpolate(scale_factor=1.5, mode="bilinear", align_corners=true)'),
    "resize to what is known": (FREE, 'x -> interpolate(size=[9, 5], mode="bicubic")'),
    "resize to another input": (
        f"{FREE}, z: float32[N, 6, K, L]",
        'z + interpolate(x, size=[K, L], mode="bilinear")',
    ),
    "downsample": (
        FREE,
        'x -> interpolate(scale_factor=0.5) -> interpolate(scale_factor=1 / 4, mode="nearest-exact")',
    ),
    "lines and volumes": (
        "x: float32[N, 3, 7], z: float32[N, 3, 2, 3, 4]",
        'interpolate(x, size=5, mode="linear"), interpolate(z, scale_factor=2, mode="trilinear")',
    ),
    "a size divides": (ROW, "sum(x, 0) / extent(x, N)"),
}

PARTS = 3


def together(programs):
    """One net of several programs, the names in each followed by its number, and the outputs of all."""
    inputs, outputs = [], []
    for i, (declared, output) in enumerate(programs):
        inputs.append(re.sub(r"\b([xz])\b", rf"\g<1>{i}", declared))
        outputs.append(re.sub(r"\b([xz]|up)\b", rf"\g<1>{i}", output))
    return f"net A {{\n input {', '.join(inputs)}\n output {', '.join(outputs)}\n}}\n"


@pytest.mark.parametrize("part", range(PARTS))
def test_programs_run_alike_in_all_backends(part):
    net = written(together(list(PROGRAMS.values())[part::PARTS]))
    report = verify(net, to_torch(net), "A")
    assert report.passed, report.blames


def test_emitted_code_reads_as_one_would_write_it():
    spec = f"net A {{\n input {MAP}\n y = x -> drop_path(0.1)\n output interpolate(y, scale_factor=2)\n}}\n"
    source = to_torch(written(spec))
    assert "return F.interpolate(y, scale_factor=2)" in source
    words = " ".join(source.split())
    assert "y = x * F.dropout( x.new_ones(x.shape[0], 1, 1, 1), p=0.1, training=self.training )" in words


def test_what_an_expression_holds_twice_is_computed_once():
    spec = f"net A {{\n input {MAP}\n output x -> relu() -> drop_path(0.1)\n}}\n"
    source = to_torch(written(spec))
    assert source.count("F.relu(x)") == 1, source
