"""What `netc show` says of a net: a row for each parameter, so that the rows add up to the total."""

from __future__ import annotations

import pytest
from emitted import ROOT, net_of
from in_memory import program

from netc.passes.cost import cost
from netc.passes.elaborate import elaborate

RAW = """
block Dead {
    input x: [N, C]
    spare = x -> Linear(3)
    param scale: [C] = ones
    output x * scale
}
net A {
    input t: float32[N, 5, 8]
    target label: int64[N]
    param gain: [8] = ones
    param temperature: [1] = ones
    param unused: [3]
    y = (t * gain -> MultiheadAttention3: Linear(8)) * gain
    y = MultiheadAttention(2)(y, y, y) -> mean(1) -> Dead
    output y
    loss cross_entropy(y * temperature, label)
}
"""


def rows(part: str) -> dict[str, tuple[str, object]]:
    found = getattr(cost(elaborate(program(RAW), "A")), part)
    return {".".join(row.path): (row.layer, row.params) for row in found if row.params != 0}


def test_a_raw_parameter_has_a_row_where_it_is_first_read() -> None:
    assert rows("rows") == {
        "gain": ("param", 8),
        "MultiheadAttention3": ("Linear", 72),
        "multihead_attention1.in_proj_weight": ("param", 192),
        "multihead_attention1.in_proj_bias": ("param", 24),
        "multihead_attention1.out_proj": ("Linear", 72),
        "dead1.scale": ("param", 8),
    }


def test_what_no_output_reads_stands_beside() -> None:
    assert rows("beside") == {
        "temperature": ("param", 1),
        "dead1.fc1.weight": ("param", 24),
        "dead1.fc1.bias": ("param", 3),
        "unused": ("param", 3),
    }


@pytest.mark.parametrize(
    "spec", [RAW, "net A {\n input x: float32[N, 4]\n output x -> Linear(4) -> relu\n}\n"]
)
def test_the_rows_add_up(spec: str) -> None:
    found = cost(elaborate(program(spec), "A"))
    assert sum(row.params for row in (*found.rows, *found.beside)) == found.params  # type: ignore[misc]


# -- blocks as rows -----------------------------------------------------------------------------------
def test_a_block_is_a_row() -> None:
    """The counts of He et al. (2016), table 1, for ResNet-18: a block's are worked out by hand."""
    found = cost(net_of(ROOT / "specs" / "resnet.net", "ResNet18"), 0).rows
    first, strided = (
        r for r in found if r.layer == "BasicBlock" and r.path[1] == "0" and r.path[0] <= "layer2"
    )
    assert first.path == ("layer1", "0") and first.params == 2 * (64 * 64 * 9 + 2 * 64)
    assert strided.params == 128 * 64 * 9 + 128 * 128 * 9 + 128 * 64 + 3 * 2 * 128
    assert [str(row.shape) for row in (first, strided)] == ["(N, 64, 56, 56)", "(N, 128, 28, 28)"]
    assert len(found) == 4 + 8 + 2


def test_what_stands_beside_is_folded_too() -> None:
    head = "block Head {\n input x: [N, C]\n output x -> Linear(3) -> Linear(3)\n}\n"
    body = " input x: float32[N, 4]\n target t: float32[N, 3]\n output x -> Head\n loss mse(x -> Head, t)\n"
    found = cost(elaborate(program(f"{head}net A {{\n{body}}}\n"), "A"), 0)
    assert [(row.layer, row.params) for row in (*found.rows, *found.beside)] == [("Head", 27), ("Head", 27)]


@pytest.mark.parametrize("depth", [0, 1, 2, 9])
@pytest.mark.parametrize("spec", ["resnet ResNet50", "vit ViTTiny", "siamese Siamese", "googlenet GoogLeNet"])
def test_folded_rows_add_up_to_the_same(spec: str, depth: int) -> None:
    file, name = spec.split()
    net = net_of(ROOT / "specs" / f"{file}.net", name)
    whole, folded = cost(net), cost(net, depth)
    assert (folded.params, folded.macs, folded.flops) == (whole.params, whole.macs, whole.flops)
    assert sum(row.params for row in folded.rows) == sum(row.params for row in whole.rows)  # type: ignore[misc]
    if depth == 0:
        assert len(folded.rows) < len(whole.rows)
    if depth == 9:
        assert folded == whole
