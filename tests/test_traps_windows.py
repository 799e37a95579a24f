"""Traps 1 to 15 and 73 of pooling, padding and convolution: each by netc's numpy, PyTorch and onnxruntime."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from emitted import loaded
from in_memory import codes
from onnx import numpy_helper
from three_ways import agree, gradients, model_of, net_with, values

from netc.autodiff.interpret import interpret
from netc.ops.contract import OPS
from netc.passes.initial import state
from netc.passes.locate import locate


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.onnx"


def ones(*shape):
    return np.ones(shape, np.float32)


def counted(*shape):
    """1, 2, 3, ..."""
    return np.arange(1, math.prod(shape) + 1, dtype=np.float32).reshape(shape)


def node(op_type, statements, path, opset=20, weights=None, **inputs):
    """The attributes of the only node of one type."""
    graph = model_of(net_with(statements, inputs), path, weights, opset).graph
    (found,) = [n for n in graph.node if n.op_type == op_type]
    return {a.name: list(a.ints) or a.i for a in found.attribute}


def refused(statement, shape="[N, 4, 6, 7]"):
    return codes(f"net A {{\n    input x: float32{shape}\n    output {statement}\n}}\n")


@pytest.mark.parametrize("opset", [17, 20, 23])
def test_trap_01_count_include_pad_is_torchs_and_always_said(path, opset):
    x = ones(1, 1, 4, 5)
    counting, not_counting = (
        "y = avg_pool2d(x, 2, 1, 1)",
        "y = avg_pool2d(x, 2, 1, 1, count_include_pad=false)",
    )
    for statements, said, corner in ((counting, 1, 0.25), (not_counting, 0, 1.0)):
        found = values(statements, path, opset=opset, x=x)
        agree({name: y[0, 0, 0, 0] for name, y in found.items()}, corner)
        assert node("AveragePool", statements, path, opset, x=x)["count_include_pad"] == said


@pytest.mark.parametrize("opset", [17, 20, 23])
@pytest.mark.parametrize(
    ("n", "k", "s", "p"), [(4, 3, 2, 1), (5, 2, 2, 0), (6, 4, 3, 2), (7, 3, 3, 1), (5, 2, 3, 1)]
)
def test_trap_02_ceil_mode_divides_by_declared_padding_alone(path, opset, n, k, s, p):
    x = counted(1, 2, n, n + 1)
    for word, counting in (("true", True), ("false", False)):
        statements = f"y = avg_pool2d(x, {k}, {s}, {p}, ceil_mode=true, count_include_pad={word})"
        wanted = F.avg_pool2d(torch.from_numpy(x), k, s, p, True, counting)
        agree(values(statements, path, opset=opset, x=x), wanted.numpy())


@pytest.mark.parametrize("opset", [17, 20, 23])
def test_trap_03_and_04_a_last_window_in_right_padding_is_dropped_and_the_model_loads(path, opset):
    x = -counted(1, 2, 5, 6)
    for pool in ("max_pool2d", "avg_pool2d"):
        found = values(f"y = {pool}(x, 2, 3, 1, ceil_mode=true)", path, opset=opset, x=x)
        agree(found, getattr(F, pool)(torch.from_numpy(x), 2, 3, 1, ceil_mode=True).numpy())
        assert found["onnx"].shape == (1, 2, 2, 3)
        attributes = node(
            {"max": "MaxPool", "avg": "AveragePool"}[pool[:3]], f"y = {pool}(x, 2, 3, 1)", path, x=x
        )
        assert attributes["ceil_mode"] == 0


@pytest.mark.parametrize("opset", [17, 20, 23])
@pytest.mark.parametrize(
    "pool", ["max_pool2d(3, 2)", "max_pool2d(3, 2, return_indices=true)", "avg_pool2d(3, 2)"]
)
def test_trap_05_zero_padding_is_not_folded_into_the_padding_of_a_pool(path, opset, pool):
    x = -ones(1, 2, 6, 7)
    rest = ", places" if "indices" in pool else ""
    found = values(f"padded = pad(x, [1, 1, 1, 1])\ny{rest} = padded -> {pool}", path, opset=opset, x=x)
    agree({name: y[0, 0, 0, 0] for name, y in found.items()}, 0 if "max" in pool else -4 / 9)


@pytest.mark.parametrize("pool", ["max_pool2d(3)", "avg_pool2d(3)", "lp_pool2d(2, 3)"])
def test_trap_06_the_stride_is_the_kernel_unless_given(path, pool):
    x = counted(1, 1, 6, 9)
    for y in values(f"y = x -> {pool}", path, x=x).values():
        assert y.shape == (1, 1, 2, 3)
    kind = "MaxPool" if "max" in pool else "AveragePool"
    assert node(kind, f"y = x -> {pool}", path, x=x)["strides"] == [3, 3]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_trap_07_max_pooling_pads_with_what_never_wins(path, rank):
    x = -counted(1, 2, *(3,) * rank)
    found = values(f"y = max_pool{rank}d(x, 3, 1, 1)", path, x=x)
    agree(found, getattr(F, f"max_pool{rank}d")(torch.from_numpy(x), 3, 1, 1).numpy())
    assert all((y < 0).all() for y in found.values())


def test_trap_08_a_window_in_padding_alone_is_refused():
    assert refused("max_pool2d(x, 2, 1, 1, dilation=2)", "[N, 4, 1, 7]") == ["E0401"]
    assert refused("max_pool2d(x, 2, 1, 1, dilation=2)") == []


def test_trap_09_nan_wins_in_numpy_and_torch():
    """ONNX leaves it open, and the docstring says so: onnxruntime takes it only where it comes first."""
    x = np.array([[[[3, math.nan, 1, 2]]]], np.float32)
    net = net_with("y = max_pool2d(x, [1, 2])", {"x": x})
    (numpy,) = interpret(locate(net).flat, {"x": x}, {})
    agree({"numpy": numpy, "torch": loaded(net, {})(torch.from_numpy(x)).numpy()}, [[[[math.nan, 2]]]])
    assert all(
        "A NaN wins in torch and here; ONNX" in (OPS[f"max_pool{r}d"].__doc__ or "") for r in (1, 2, 3)
    )


def test_trap_10_same_padding_of_an_even_kernel_is_on_the_right_and_below(path):
    x, statements = counted(1, 1, 3, 4), 'y = x -> c: Conv2d(1, 2, padding="same", bias=false)'
    weights = {"c.weight": ones(1, 1, 2, 2)}
    padded = np.pad(x[0, 0], ((0, 1), (0, 1)))
    wanted = padded[:-1, :-1] + padded[1:, :-1] + padded[:-1, 1:] + padded[1:, 1:]
    agree(values(statements, path, weights, x=x), wanted[None, None])
    attributes = node("Conv", statements, path, weights=weights, x=x)
    assert attributes["pads"] == [0, 0, 1, 1] and "auto_pad" not in attributes
    assert refused('x -> Conv2d(2, 2, 2, padding="same")') == ["E0401"]


def test_trap_11_padding_is_told_from_the_last_axis_on(path):
    x = counted(1, 1, 2, 3)
    statements = "y = pad(x, [1, 2, 3, 0])"
    agree(values(statements, path, x=x), np.pad(x, ((0, 0), (0, 0), (3, 0), (1, 2))))
    graph = model_of(net_with(statements, {"x": x}), path).graph
    pads = {i.name: numpy_helper.to_array(i).tolist() for i in graph.initializer}
    (padding,) = [n for n in graph.node if n.op_type == "Pad"]
    assert pads[padding.input[1]] == [0, 0, 3, 1, 0, 0, 0, 2]
    attributes = node("Conv", "y = x -> c: Conv2d(1, 1, padding=[2, 1])", path, weights=filters(), x=x)
    assert attributes["pads"] == [2, 1, 2, 1]


def filters():
    return {"c.weight": ones(1, 1, 1, 1), "c.bias": ones(1)}


def test_trap_12_negative_padding_cuts_and_onnx_never_sees_it(path):
    x, statements = counted(1, 1, 4, 5), "y = pad(x, [-1, 2, 1, -2])"
    wanted = np.pad(x[:, :, :2, 1:], ((0, 0), (0, 0), (1, 0), (0, 2)))
    agree(values(statements, path, x=x), wanted)
    graph = model_of(net_with(statements, {"x": x}), path).graph
    held = {i.name: numpy_helper.to_array(i) for i in graph.initializer}
    assert all((held[n.input[1]] >= 0).all() for n in graph.node if n.op_type == "Pad")
    assert "Slice" in {n.op_type for n in graph.node}


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_trap_13_transposed_convolution_has_its_own_layout_and_padding(path, rank):
    x = counted(1, 4, *(2, 3, 2)[:rank])
    rng = np.random.default_rng(0)
    statements = f"y = x -> c: ConvTranspose{rank}d(6, 3, 3, 1, output_padding=2, groups=2)"
    shapes = {name: p.type.shape for name, p in state(net_with(statements, {"x": x})).items()}
    assert shapes["c.weight"] == (4, 3, *(3,) * rank)
    weights = {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    given = (torch.from_numpy(weights[f"c.{name}"]) for name in ("weight", "bias"))
    twin = getattr(F, f"conv_transpose{rank}d")(torch.from_numpy(x), *given, 3, 1, 2, groups=2)
    for y in values(statements, path, weights, x=x).values():
        np.testing.assert_allclose(y, twin.numpy(), 1e-5, 1e-5)
    layer = f"ConvTranspose{rank}d(2, 3, 2, output_padding=2, dilation=3)"
    assert refused(f"x -> {layer}", f"[N, 4{', 5' * rank}]") == [
        "E0401"
    ]  # torch allows it: 2 is below the dilation


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_trap_14_filters_of_groups_see_their_channels_and_groups_divide_both(rank):
    layer, x = f"Conv{rank}d", np.ones((1, 6, *(4,) * rank), np.float32)
    net = net_with(f"y = x -> c: {layer}(4, 3, groups=2)", {"x": x})
    assert state(net)["c.weight"].type.shape == (4, 3, *(3,) * rank)
    sizes = f"[N, 6{', 5' * rank}]"
    assert refused(f"x -> {layer}(5, 3, groups=2)", sizes) == ["E0401"]
    assert refused(f"x -> {layer}(8, 3, groups=4)", sizes) == ["E0401"]


@pytest.mark.parametrize("opset", [17, 20, 23])
def test_trap_15_adaptive_windows_that_differ_are_exact(path, opset):
    x = counted(1, 1, 5)
    agree(values("y = adaptive_avg_pool1d(x, 3)", path, opset=opset, x=x), [[[1.5, 3, 4.5]]])
    agree(values("y = adaptive_max_pool1d(x, 3)", path, opset=opset, x=x), [[[2, 4, 5]]])
    x = counted(1, 2, 3, 5, 7)
    for pool in ("adaptive_avg_pool3d", "adaptive_max_pool3d"):
        found = values(f"y = {pool}(x, [2, 3, 4])", path, opset=opset, x=x)
        agree(found, getattr(F, pool)(torch.from_numpy(x), (2, 3, 4)).numpy())


TIED = np.array([[[[1, 2, 2, 0], [2, 2, 1, 0], [0, 3, 3, 3]]]], np.float32)


@pytest.mark.parametrize(
    "pool",
    [
        "max_pool2d(x, 2, 1)",
        "max_pool2d(x, 3, 2, 1, ceil_mode=true)",
        "adaptive_max_pool2d(x, 2)",
        "adaptive_max_pool2d(x, 1)",
        "adaptive_max_pool2d(x, [3, 3])",
        "global_max_pool(x)",
        "lp_pool2d(x - x, 2, 2)",
        "lp_pool2d(relu(x - 2), 2, 2, ceil_mode=true)",
    ],
)
def test_trap_73_ties_and_zeros_have_torchs_gradient(pool):
    """The first largest of a window gets it; global_max_pool shares it; a norm of nothing has none."""
    for by_netc, by_torch in gradients(f"y = {pool}", x=TIED).values():
        np.testing.assert_allclose(by_netc, by_torch, 1e-12, 1e-12)


def test_indices_lead_back_to_where_the_largest_were(path):
    x = np.random.default_rng(1).normal(size=(2, 3, 5, 7)).astype("float32")
    statements = "a, places = max_pool2d(x, 2, return_indices=true)\n"
    statements += "y = max_unpool2d(a, places, 2, output_size=[5, 7])"
    values_, places = F.max_pool2d(torch.from_numpy(x), 2, return_indices=True)
    wanted = F.max_unpool2d(values_, places, 2, output_size=(5, 7))
    agree(values(statements, path, x=x), wanted.numpy())
