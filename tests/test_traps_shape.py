"""Traps 11, 12, 25, 41, 42, 53 to 64 and 73 of shapes, indices and reductions: by numpy, PyTorch and onnxruntime."""

import math

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from emitted import loaded, written
from in_memory import codes
from three_ways import agree, gradients, model_of, net_with, values

from netc.autodiff.interpret import interpret
from netc.diagnostics import Refused
from netc.passes.inline import inline

NAN = math.nan


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.onnx"


def f32(numbers):
    return np.array(numbers, np.float32)


def i64(numbers):
    return np.array(numbers, np.int64)


def counted(*shape):
    """0, 1, 2, ... in a shape."""
    return np.arange(math.prod(shape), dtype=np.float32).reshape(shape)


def refused(statements, shape="[3, 4]", dtype="float32"):
    """The codes of what is wrong with a net of these statements."""
    return codes(f"net A {{\n    input x: {dtype}{shape}\n    y = {statements}\n    output y\n}}\n")


def nodes(statements, path, **inputs):
    return [node.op_type for node in model_of(net_with(statements, inputs), path).graph.node]


def test_trap_11_pads_come_last_axis_first(path):
    found = values("y = pad(x, [1, 2, 3, 4])", path, x=counted(1, 1))
    assert {y.shape for y in found.values()} == {(3 + 1 + 4, 1 + 1 + 2)}
    wanted = np.zeros((8, 4), np.float32)
    agree(values("y = pad(x, [1, 2, 3, 4], value=7)", path, x=f32([[5]])), np.where(place(8, 4, 3, 1), 5, 7))
    agree(found, wanted)


def place(rows, columns, row, column):
    """One place of a matrix."""
    return (np.arange(rows)[:, None] == row) & (np.arange(columns) == column)


def test_trap_12_negative_pads_crop_by_a_slice(path):
    x = counted(3, 5)
    agree(values("y = pad(x, [-1, -2, -1, 0])", path, x=x), x[1:, 1:3])
    agree(values("y = pad(x, [-1, 1])", path, x=x), np.pad(x[:, 1:], ((0, 0), (0, 1))))
    assert "Pad" not in nodes("y = pad(x, [-1, -2, -1, 0])", path, x=x)
    model_of(net_with("y = pad(x, [-1, 1])", {"x": x}), path)
    held = {i.name: onnx.numpy_helper.to_array(i) for i in onnx.load(path).graph.initializer}
    pads = [held[n.input[1]] for n in onnx.load(path).graph.node if n.op_type == "Pad"]
    assert len(pads) == 1 and (pads[0] >= 0).all()


def test_trap_25_variance_is_unbiased_unless_told(path):
    x = f32([1, 2])
    agree(values("y = var(x)", path, x=x), 0.5)
    agree(values("y = var(x, correction=0)", path, x=x), 0.25)
    agree(values("y = std(x)", path, x=x), math.sqrt(0.5))


def test_trap_41_whole_numbers_are_summed_as_int64(path):
    x = np.array([2147483647, 1], np.int32)
    for y in values("y = sum(x)", path, x=x).values():
        assert y.dtype == np.int64 and y == 2147483648
    for y in values("y = cumsum(x, 0)", path, x=x).values():
        assert y.dtype == np.int64 and y.tolist() == [2147483647, 2147483648]
    for y in values("y = prod(x)", path, x=np.array([65536, 65536], np.int32)).values():
        assert y.dtype == np.int64 and y == 2**32


def test_trap_42_whole_numbers_have_no_mean():
    assert refused("mean(x)", dtype="int64") == ["E0401"]
    assert refused("var(x)", dtype="int32") == ["E0401"]


@pytest.mark.parametrize(
    "empty", ["sum(x[1:1])", "max(x[3:])", "mean(split(x, [3, 0])[1])", "sum(x, axis=[])"]
)
def test_trap_53_nothing_empty_is_reduced(empty):
    assert refused(empty) == ["E0401"]
    assert refused("sum(x)", "[0, 4]") == ["E0408"]


def test_trap_54_the_first_of_equals_is_the_greatest(path):
    x = f32([[1, 3, 3], [2, 2, 0], [5, 5, 5]])
    agree(values("y = argmax(x, axis=1)", path, x=x), [1, 0, 0])
    agree(values("y = argmin(-x, axis=1)", path, x=x), [1, 0, 0])


def test_trap_54_nan_is_the_greatest():
    x = f32([[1, NAN, 3], [math.inf, NAN, NAN]])
    net = net_with("y = argmax(x, axis=1)", {"x": x})
    (by_numpy,) = interpret(inline(net), {"x": x}, {})
    assert by_numpy.tolist() == loaded(net, {})(torch.from_numpy(x)).tolist() == [1, 1]


def test_trap_54_ties_of_topk_differ_in_indices_alone(path):
    x = f32([[2, 7, 7, 7, 1], [0, 0, 0, 0, 0]])
    agree(values("y, i = topk(x, 2)", path, x=x), [[7, 7], [0, 0]])
    for index in values("v, y = topk(x, 2)", path, x=x).values():
        np.testing.assert_array_equal(np.take_along_axis(x, index, 1), [[7, 7], [0, 0]])


@pytest.mark.parametrize("descending", ["false", "true"])
def test_trap_54_equals_keep_their_order_when_sorted(path, descending):
    x = f32([3, 1, 3, 1, 3, 2])
    wanted = [0, 2, 4, 5, 1, 3] if descending == "true" else [1, 3, 5, 0, 2, 4]
    agree(values(f"v, y = sort(x, descending={descending})", path, x=x), wanted)
    agree(values(f"y = argsort(x, descending={descending})", path, x=x), wanted)


@pytest.mark.parametrize("at", range(3))
def test_trap_55_nan_is_the_greatest_and_the_least(at):
    x = f32([1, 2, 3])
    x[at] = NAN
    for op in ("max", "min"):
        net = net_with(f"y = {op}(x)", {"x": x})
        (by_numpy,) = interpret(inline(net), {"x": x}, {})
        assert np.isnan(by_numpy) and torch.isnan(loaded(net, {})(torch.from_numpy(x)))


def test_trap_56_flatten_is_torchs(path):
    x = counted(2, 3, 4, 5)
    agree(values("y = flatten(x)", path, x=x), x.reshape(2, 60))
    agree(values("y = flatten(x, 0)", path, x=x), x.reshape(120))
    agree(values("y = flatten(x, 1, 2)", path, x=x), x.reshape(2, 12, 5))
    assert refused("flatten(x, 0)", "[]") == ["E0401"]


def test_trap_57_a_size_of_0_is_refused_and_one_may_be_worked_out(path):
    x = counted(2, 3, 4)
    agree(values("y = reshape(x, 4, -1)", path, x=x), x.reshape(4, 6))
    assert (
        refused("reshape(x, 0, 4)")
        == refused("reshape(x, -1, -1)")
        == refused("reshape(x, 5, -1)")
        == ["E0401"]
    )


@pytest.mark.parametrize(
    "body",
    [
        "reshape(x, N, 12)",
        "reshape(x, -1, 6)",
        "flatten(x)",
        'rearrange(x, "n a b -> (n b) a")',
        "expand(unsqueeze(x, 0), 2, N, 3, 4)",
        "tile(x, 2, 1, 1)",
        "x[0:N, 1]",
        "concat(x, x, axis=0)",
        "cumsum(flip(x, 0), 0)",
        "sort(x, axis=0)[0]",
        "positions(x, 0)",
        'einsum("nij,mij->nm", x, x)',
        "var(x, axis=0, correction=0)",
        "mean(x, axis=[0, 1])",
    ],
)
def test_trap_58_no_batch_is_baked_in(path, body):
    net = written(f"net A {{\n    input x: float32[N, 3, 4]\n    y = {body}\n    output y\n}}\n")
    model_of(net, path)
    session = onnxruntime.InferenceSession(str(path))
    for n in (2, 5):
        x = np.random.default_rng(n).normal(size=(n, 3, 4)).astype("float32")
        (by_numpy,) = interpret(inline(net), {"x": x}, {})
        by_torch = loaded(net, {})(torch.from_numpy(x)).numpy()
        (by_onnx,) = session.run(None, {"x": x})
        agree({"torch": by_torch, "onnx": by_onnx}, by_numpy, 1e-5)


def test_trap_59_squeeze_must_be_told_what(path):
    agree(values("y = squeeze(x, 1)", path, x=counted(1, 1, 3)), [[0, 1, 2]])
    assert refused("squeeze(x)", "[1, 1, 3]") == ["E0204"]
    assert refused("squeeze(x, 2)", "[1, 1, 3]") == ["E0401"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sum(x, axis=-1)", "sum(x, axis=2)"),
        ("mean(x, axis=[-3, -1])", "mean(x, axis=[0, 2])"),
        ("concat(x, x, axis=-2)", "concat(x, x, axis=1)"),
        ("stack([x, x], axis=-1)", "stack([x, x], axis=3)"),
        ("unsqueeze(x, -2)", "unsqueeze(x, 2)"),
        ("permute(x, -1, 0, -2)", "permute(x, 2, 0, 1)"),
        ("flip(x, -1)", "flip(x, 2)"),
        ("roll(x, 1, -2)", "roll(x, 1, 1)"),
        ("cumsum(x, -3)", "cumsum(x, 0)"),
        ("topk(x, 2, axis=-1)[0]", "topk(x, 2, axis=2)[0]"),
        ("argmax(x, axis=-2)", "argmax(x, axis=1)"),
        (
            "index_select(x, argmax(x[0], axis=0), axis=-3 + 1)",
            "index_select(x, argmax(x[0], axis=0), axis=1)",
        ),
        ("flatten(x, -2, -1)", "flatten(x, 1, 2)"),
    ],
)
def test_trap_60_an_axis_may_count_from_the_end(path, one, other):
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    wanted = values(f"y = {other}", path, x=x)
    agree(values(f"y = {one}", path, x=x), wanted["numpy"], 1e-5)
    agree(wanted, wanted["numpy"], 1e-5)


def test_trap_61_shapes_are_matched_from_the_right(path):
    x, z = counted(2, 3), f32([10, 20, 30])
    agree(values("y = x + z", path, x=x, z=z), x + z)
    assert refused("x + expand(x[0, 0], 3)", "[3, 4]") == ["E0401"]
    agree(values("y = expand(z, 2, 3)", path, x=x, z=z), [[10, 20, 30]] * 2)


def test_trap_62_an_index_may_count_from_the_end(path):
    x, i = counted(3, 2), i64([-1, 0, -3])
    for body in ("x[i]", "index_select(x, i, axis=0)"):
        agree(values(f"y = {body}", path, x=x, i=i), x[[2, 0, 0]])
    by_netc, by_torch = gradients("y = x[i] * x[i]", x=x, i=i)["x"]
    np.testing.assert_allclose(by_netc, by_torch)


@pytest.mark.parametrize("body", ["x[i]", "gather(x, i, axis=0)"])
def test_trap_62_an_index_outside_is_an_error_everywhere(path, body):
    x, i = counted(3), i64([3])
    net = net_with(f"y = {body}", {"x": x, "i": i})
    with pytest.raises(Refused, match="a position that is not there"):
        interpret(inline(net), {"x": x, "i": i}, {})
    with pytest.raises((IndexError, RuntimeError)):
        loaded(net, {})(torch.from_numpy(x), torch.from_numpy(i))
    model_of(net, path)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    with pytest.raises(Exception, match=r"(?i)out of|bounds"):
        onnxruntime.InferenceSession(str(path), options).run(None, {"x": x, "i": i})


def test_trap_63_the_end_of_a_range_is_not_taken(path):
    x = counted(7, 5)
    agree(values("y = x[:-1, -3:-1]", path, x=x), x[:-1, -3:-1])
    agree(values("y = x[1::3, :]", path, x=x), x[1::3])
    agree(values("y = x[-1]", path, x=x), x[-1])
    assert refused("x[::-1]") == ["E0401"]
    agree(values("y = flip(x, 0)", path, x=x), x[::-1])


def test_trap_64_a_product_of_two_vectors_is_a_scalar(path):
    a, b = f32([1, 2, 3]), f32([4, 5, 6])
    agree(values("y = a @ b", path, a=a, b=b), 32)
    agree(values('y = einsum("i,i->", a, b)', path, a=a, b=b), 32)
    agree(values("y = relu(a @ b - 40) + 1", path, a=a, b=b), 1)


@pytest.mark.parametrize(
    "body", ["norm(x)", "std(x)", "std(x, correction=0)", "norm(x, axis=0, keepdims=true)"]
)
def test_trap_73_a_norm_has_no_slope_at_0(body):
    by_netc, by_torch = gradients(f"y = {body}", x=np.zeros(3))["x"]
    assert (by_netc == 0).all() and (by_torch == 0).all()


def test_trap_73_greatest_that_tie_share_the_gradient():
    by_netc, by_torch = gradients("y = max(x) + min(x)", x=np.array([1.0, 3.0, 3.0, 1.0]))["x"]
    assert by_netc.tolist() == by_torch.tolist() == [0.5] * 4
