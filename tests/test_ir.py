"""IR: the verifier refuses what no pass may make, and inlining keeps what a net computes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netc.ir.module import Call, Net, Node, Type, Value
from netc.ir.text import text
from netc.ir.verify import Malformed, verify_net
from netc.passes.elaborate import elaborate
from netc.passes.inline import inline
from netc.passes.load import load

SPECS = Path(__file__).parents[1] / "specs"


def net_of(name: str, net: str) -> Net:
    return elaborate(load(str(SPECS / name), lambda p: Path(p).read_bytes()), net)


@pytest.fixture(scope="module")
def unet() -> Net:
    return net_of("unet.net", "UNet")


def with_step(net: Net, at: int, **changes: object) -> Net:
    body = list(net.block.body)
    body[at] = replace(body[at], **changes)
    return replace(net, block=replace(net.block, body=tuple(body)))


def test_sound_nets_pass(unet: Net) -> None:
    verify_net(unet)
    verify_net(net_of("googlenet.net", "GoogLeNet"))


def test_a_value_used_before_it_is_made(unet: Net) -> None:
    body = unet.block.body
    with pytest.raises(Malformed, match="before it is made"):
        verify_net(replace(unet, block=replace(unet.block, body=(body[1], body[0], *body[2:]))))


def test_a_wrong_shape(unet: Net) -> None:
    at = next(i for i, s in enumerate(unet.block.body) if isinstance(s, Node))
    output = unet.block.body[at].outputs[0]
    wrong = Value(output.hint, Type(output.type.dtype, (*output.type.shape[:-1], output.type.shape[-1] + 1)))
    later = [i for i, s in enumerate(unet.block.body) if output in s.inputs]
    net = with_step(unet, at, outputs=(wrong,))
    for i in later:
        net = with_step(net, i, inputs=tuple(wrong if v is output else v for v in net.block.body[i].inputs))
    with pytest.raises(Malformed, match="is not"):
        verify_net(net)


def test_a_wrong_dtype(unet: Net) -> None:
    at = len(unet.block.body) - 1
    output = unet.block.body[at].outputs[0]
    wrong = Value(output.hint, Type("float64", output.type.shape))
    metrics = {n: wrong if v is output else v for n, v in unet.metrics.items()}
    with pytest.raises(Malformed, match="float64"):
        verify_net(replace(with_step(unet, at, outputs=(wrong,)), metrics=metrics))


def test_a_call_with_other_sizes(unet: Net) -> None:
    at, call = next((i, s) for i, s in enumerate(unet.block.body) if isinstance(s, Call))
    assert isinstance(call, Call)
    with pytest.raises(Malformed):
        verify_net(with_step(unet, at, sizes={**call.sizes, "C": 5}))


def test_a_value_made_twice(unet: Net) -> None:
    body = unet.block.body
    with pytest.raises(Malformed, match="made twice"):
        verify_net(replace(unet, block=replace(unet.block, body=(*body, body[0]))))


def test_a_parameter_nobody_owns(unet: Net) -> None:
    with pytest.raises(Malformed, match="does not own"):
        verify_net(replace(unet, block=replace(unet.block, params=())))


def test_the_text_names_everything(unet: Net) -> None:
    shown = text(unet)
    assert "net UNet(width=64, depth=4, classes=2)" in shown
    assert "requires H % 16 == 0" in shown
    assert shown.count("call ") == sum(isinstance(s, Call) for b in [unet.block] for s in b.body) + sum(
        isinstance(s, Call)
        for b in {id(c.block): c.block for c in unet.block.body if isinstance(c, Call)}.values()
        for s in b.body
    )
    assert "@head(" in shown and "loss %" in shown


def test_inlining_keeps_paths_and_shapes(unet: Net) -> None:
    flat = inline(unet)
    paths = {".".join(p) for p in flat.params}
    assert "up1.conv.conv1.weight" in paths and "stem.bn1.running_mean" in paths
    assert flat.outputs[0].type == unet.block.outputs[0].type
    assert all("C" not in str(v.type) for n in flat.nodes for v in n.outputs)


def test_the_unet_is_proved_for_all_sizes_at_once(unet: Net) -> None:
    assert unet.free == ("N", "H", "W")
    assert [str(c) for c in unet.constraints] == ["H % 16 == 0", "W % 16 == 0"]
    assert str(unet.block.outputs[0].type) == "float32[N, 2, H, W]"
    ups = [s for s in unet.block.body if isinstance(s, Call) and s.block.name == "Up"]
    assert len(ups) == 4 and all(len(s.inputs) == 2 for s in ups)
    assert [str(s.outputs[0].type) for s in ups][-1] == "float32[N, 64, H, W]"
