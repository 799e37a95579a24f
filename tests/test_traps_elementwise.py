"""Traps 27 to 48 and 73 of element-by-element ops and softmax: each by netc's numpy, PyTorch and onnxruntime."""

import math

import numpy as np
import onnxruntime
import pytest
import torch
from emitted import loaded
from in_memory import codes
from onnx import TensorProto, numpy_helper
from three_ways import agree, gradients, model_of, net_with, values

from netc.autodiff.interpret import interpret
from netc.backends.to_torch import to_torch
from netc.ops.contract import FLOATS
from netc.passes.locate import locate

NAN, INF = math.nan, math.inf


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.onnx"


def f32(*numbers):
    return np.array(numbers, np.float32)


def i64(*numbers):
    return np.array(numbers, np.int64)


def nodes(statements, path, opset=20, **inputs):
    """The nodes of the ONNX graph, each type with its attributes."""
    graph = model_of(net_with(statements, inputs), path, opset=opset).graph
    return {n.op_type: {a.name: a for a in n.attribute} for n in graph.node}


def test_trap_27_hard_sigmoid_has_a_slope_of_a_sixth(path):
    agree(values("y = hard_sigmoid(x)", path, x=f32(1.0, -1.5, 4.0)), [2 / 3, 0.25, 1.0])


def test_trap_28_gelu_by_erf_is_not_gelu_by_tanh(path):
    x = np.linspace(-3, 3, 25, dtype=np.float32)
    exact = values("y = gelu(x)", path, x=x)
    rough = values('y = gelu(x, approximate="tanh")', path, x=x)
    for found in (exact, rough):
        np.testing.assert_allclose(found["torch"], found["numpy"], 1e-5, 1e-6)
        np.testing.assert_allclose(found["onnx"], found["numpy"], 1e-5, 1e-6)
    assert 1e-4 < np.abs(exact["onnx"] - rough["onnx"]).max() < 1e-3


@pytest.mark.parametrize(
    ("op", "node", "wanted"),
    [
        ("leaky_relu(x)", "LeakyRelu", {"alpha": 0.01}),
        ("leaky_relu(x, negative_slope=0.2)", "LeakyRelu", {"alpha": 0.2}),
        ("elu(x)", "Elu", {"alpha": 1.0}),
        ("celu(x, alpha=1.5)", "Celu", {"alpha": 1.5}),
        ("selu(x)", "Selu", {"alpha": 1.6732632, "gamma": 1.050701}),
        ("hard_sigmoid(x)", "HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    ],
)
def test_trap_29_what_a_default_would_say_is_written(path, op, node, wanted):
    written = nodes(f"y = {op}", path, x=f32(1.0, -1.0))[node]
    assert {name: a.f for name, a in written.items()} == pytest.approx(wanted)


def test_trap_29_softplus_has_a_beta_and_a_threshold(path):
    x = f32(-1.0, 0.5, 1.9, 2.1)
    soft = [math.log1p(math.exp(2 * v)) / 2 for v in (-1.0, 0.5)]
    agree(values("y = softplus(x, beta=2, threshold=1.5)", path, x=x), [*soft[:1], soft[1], 1.9, 2.1])
    agree(values("y = softplus(x)", path, x=f32(19.5, 20.5, 800.0)), [19.5, 20.5, 800.0], 1e-6)


@pytest.mark.parametrize("dtype", FLOATS)
def test_trap_30_the_logarithm_of_a_sigmoid_stays_finite(path, dtype):
    x = np.array([-100.0, -30.0, -18.1, 0.0], dtype)
    found = values("y = log(sigmoid(x))", path, x=x)
    agree({"onnx": found["onnx"], "numpy": found["numpy"]}, -np.log1p(np.exp(-x.astype("float64"))))


def test_trap_30_a_sigmoid_alone_is_0_too_soon_in_onnxruntime(path):
    found = values("y = sigmoid(x)", path, x=f32(-18.1, -30.0))
    assert found["onnx"].tolist() == [0, 0] and found["torch"].min() > 0  # so no graph may hold its logarithm


@pytest.mark.parametrize(("op", "most"), [("tanh", 6), ("softplus", 5), ("log", 4), ("exp", 4)])
def test_trap_31_functions_are_right_to_few_last_places(path, op, most):
    x = np.linspace(0.05, 8, 4001, dtype=np.float32)
    found = values(f"y = {op}(x)", path, x=x)
    for target in ("torch", "onnx"):
        apart = np.abs(found[target].astype(np.float64) - found["numpy"])
        places = apart / np.spacing(np.abs(found["numpy"]).astype(np.float32))
        assert places.max() <= most, f"{target}: {places.max():.1f} units in the last place"


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3), (2, 3, 4, 3)], ids=str)
def test_trap_32_prelu_has_a_slope_for_each_channel_which_is_axis_1(path, shape):
    x = -np.arange(1, math.prod(shape) + 1, dtype=np.float32).reshape(shape)
    slopes = f32(0.5, 0.25, -1.0)
    wanted = x * slopes.reshape(3, *(1,) * (len(shape) - 2))
    agree(values("y = x -> PReLU(3)", path, {"prelu1.weight": slopes}, x=x), wanted)
    agree(values("y = x -> PReLU", path, {"prelu1.weight": slopes[:1]}, x=x), 0.5 * x)


def test_trap_32_prelu_of_other_channels_is_refused():
    spec = "net A {{\n    input x: float32[N, 3, 4]\n    y = x -> PReLU({})\n    output y\n}}\n"
    assert codes(spec.format(3)) == [] and codes(spec.format(4)) != []


def test_trap_33_minus_zero_is_zero(path):
    agree(values("y = relu(x)", path, x=f32(-0.0, 0.0)), [0.0, 0.0])
    agree(values("y = maximum(x, z)", path, x=f32(-0.0, 0.0), z=f32(0.0, -0.0)), [0.0, 0.0])
    agree(values('y = cast(x == z, to="float32")', path, x=f32(-0.0), z=f32(0.0)), [1.0])


@pytest.mark.parametrize(
    "expression", ["relu(x)", "relu6(x)", "clamp(x, 0, 1)", "hard_tanh(x)", "maximum(x, 0)", "minimum(0, x)"]
)
def test_trap_34_not_a_number_goes_on(path, expression):
    for y in values(f"y = {expression}", path, x=f32(NAN, 0.0)).values():
        assert np.isnan(y[0]) and y[1] == 0


def test_trap_34_clamp_between_crossed_bounds_gives_the_upper(path):
    agree(values("y = clamp(x, min=2, max=1)", path, x=f32(0.0, 1.5, 3.0)), [1.0, 1.0, 1.0])


def test_trap_35_the_sign_of_what_is_no_number_is_0(path):
    agree(values("y = sign(x)", path, x=f32(NAN, -2.0, -0.0, 0.0, INF)), [0.0, -1.0, 0.0, 0.0, 1.0])
    agree(values("y = step(x)", path, x=f32(NAN, -2.0, -0.0, 0.0, INF)), [0.0, 0.0, 0.0, 0.0, 1.0])


def test_trap_36_halves_are_rounded_to_even(path):
    x = f32(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5)
    agree(values("y = round(x)", path, x=x), [-2.0, -2.0, 0.0, 0.0, 2.0, 2.0])


def test_trap_37_whole_numbers_are_divided_downwards(path):
    found = values("y = x // z", path, x=i64(-7, 7, -7, 7), z=i64(2, 2, -2, -2))
    for y in found.values():
        assert y.dtype == np.int64 and y.tolist() == [-4, 3, 3, -4]
    agree(values("y = x // z", path, x=f32(-7.5, 1.0), z=f32(2.0, 0.1)), [-4.0, 9.0])  # 1 / 0.1 < 10
    spec = "net A {\n    input x: int64[N], z: int64[N]\n    y = x / z\n    output y\n}\n"
    assert codes(spec) != [] and codes(spec.replace("/", "//")) == []


@pytest.mark.parametrize("operator", ["//", "%"])
def test_trap_37_a_whole_number_divided_by_0_stops_the_run(path, operator):
    inputs = {"x": i64(7), "z": i64(0)}
    net = net_with(f"y = x {operator} z", inputs)
    with pytest.raises(ZeroDivisionError):
        interpret(locate(net).flat, inputs, {})
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        loaded(net, {})(*map(torch.from_numpy, inputs.values()))
    model_of(net, path)
    with pytest.raises(Exception, match="by zero"):
        onnxruntime.InferenceSession(str(path)).run(None, inputs)


def test_trap_38_a_remainder_has_the_sign_of_the_divisor(path):
    for y in values("y = x % z", path, x=i64(-7, 7, -7, 7), z=i64(2, 2, -2, -2)).values():
        assert y.tolist() == [1, 1, -1, -1]
    found = values("y = x % z", path, x=f32(-7.5, 7.5, -7.5, 7.5), z=f32(2.0, 2.0, -2.0, -2.0))
    agree(found, [0.5, 1.5, -1.5, -0.5])


def test_trap_39_powers_at_their_edges(path):
    found = values("y = x ** z", path, x=f32(0.0, -2.0, -2.0, 0.0), z=f32(0.0, 3.0, 0.5, -1.0))
    agree(found, [1.0, -8.0, NAN, INF])
    spec = "net A {\n    input x: int64[N]\n    y = x ** x\n    output y\n}\n"
    assert codes(spec) != []


def test_trap_40_floats_do_not_become_whole_numbers(path):
    spec = 'net A {\n    input x: float32[N]\n    y = cast(x, to="int64")\n    output y\n}\n'
    assert codes(spec) != [] and codes(spec.replace("int64", "float64")) == []
    spec = 'net A {\n    input x: int64[N]\n    y = cast(x, to="int32")\n    output y\n}\n'
    assert codes(spec) != [] and codes(spec.replace("int32", "float32")) == []
    agree(values('y = cast(x > 0, to="float32")', path, x=f32(-1.0, 2.0)), [0.0, 1.0])


CONSTANTS = (
    "y = 0.1 * softplus(x, beta=2.0, threshold=3.0) + clamp(x, -0.3, 0.7) / 3\n"
    "y = y + softmax(y, axis=0, temperature=0.7) + hard_sigmoid(celu(y, alpha=0.3)) ** 2\n"
    'y = y + mish(gelu(y, approximate="tanh")) + maximum(y, 0.1) + leaky_relu(y) - 2 ** step(y) % 0.7'
)


@pytest.mark.parametrize("dtype", FLOATS)
def test_trap_43_constants_have_the_dtype_of_the_graph(path, dtype):
    inputs = {"x": np.linspace(-2, 2, 5).astype(dtype)}
    graph = model_of(net_with(CONSTANTS, inputs), path).graph
    other = {"float32": TensorProto.DOUBLE, "float64": TensorProto.FLOAT}[dtype]
    held = [*graph.initializer, *(a.t for n in graph.node for a in n.attribute if n.op_type == "Constant")]
    assert len(held) > 5 and not [numpy_helper.to_array(t) for t in held if t.data_type == other]
    found = values(CONSTANTS, path, **inputs)
    assert found["torch"].dtype == found["onnx"].dtype == dtype
    agree(found, found["numpy"], 1e-5)


@pytest.mark.parametrize(
    "op", ["leaky_relu", "elu", "selu", "celu", "softplus", "hard_swish", "sigmoid", "sign"]
)
def test_trap_44_float64_stays_float64(path, op):
    x = np.array([-2.0, -0.1, 0.1, 3.0])
    found = values(f"y = {op}(x) * x", path, x=x)
    assert [y.dtype for y in found.values()] == [np.float64] * 3
    agree(found, found["numpy"], 1e-12)


@pytest.mark.parametrize("opset", [17, 20, 23])
def test_trap_45_softmax_names_its_axis(path, opset):
    x = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)
    for axis, given in ((-1, ""), (1, ", axis=1"), (-3, ", axis=-3")):
        e = np.exp(x.astype(np.float64))
        agree(values(f"y = softmax(x{given})", path, opset=opset, x=x), e / e.sum(axis, keepdims=True))
        assert nodes(f"y = softmax(x{given})", path, opset, x=x)["Softmax"]["axis"].i == axis


def test_trap_46_softmax_of_great_numbers_is_finite(path):
    agree(values("y = softmax(x)", path, x=f32(1.0, 10.0, 1000.0)), [0.0, 0.0, 1.0])
    agree(values("y = softmax(x, temperature=100)", path, x=f32(999.0, 1000.0)), [0.4975, 0.5025], 1e-4)


def test_trap_46_softmax_of_nothing_but_minus_infinity_is_no_number(path):
    x = np.array([[-INF, -INF], [-INF, 1.0]], np.float32)
    agree(values("y = softmax(x)", path, x=x), [[NAN, NAN], [0.0, 1.0]])


def test_trap_47_log_softmax_is_not_the_logarithm_of_softmax(path):
    x = f32(1000.0, 0.0)
    agree(values("y = log_softmax(x)", path, x=x), [0.0, -1000.0])
    assert {*nodes("y = log_softmax(x)", path, x=x)} == {"LogSoftmax"}
    assert "log_softmax" in to_torch(net_with("y = log_softmax(x)", {"x": x}))


def test_trap_48_logsumexp_of_great_numbers(path):
    agree(values("y = logsumexp(x)", path, x=f32(1000.0, 1000.0)), 1000.6931472)
    agree(
        values("y = logsumexp(x, axis=1)", path, x=np.array([[-INF, -INF], [-INF, 2.0]], np.float32)),
        [-INF, 2.0],
    )


@pytest.mark.parametrize(
    ("statements", "x", "wanted"),
    [
        ("y = relu(x)", (0.0, -0.0), (0, 0)),
        ("y = abs(x)", (0.0, -0.0), (0, 0)),
        ("y = relu6(x)", (0.0, 6.0), (0, 0)),
        ("y = clamp(x, -1, 2)", (-1.0, 2.0), (1, 1)),
        ("y = clamp(x, 2, 1)", (1.0, 1.5, 2.0), (0, 0, 0)),
        ("y = hard_tanh(x)", (-1.0, 1.0), (0, 0)),
        ("y = hard_swish(x)", (-3.0, 3.0), (0, 1)),
        ("y = leaky_relu(x, negative_slope=0.2)", (0.0,), (0.2,)),
        ("y = elu(x, alpha=2)", (0.0,), (2,)),
        ("y = celu(x, alpha=2)", (0.0,), (1,)),
        ("y = selu(x)", (0.0,), (1.0507009873554805 * 1.6732632423543772,)),
        ("y = softsign(x)", (0.0,), (1,)),
        ("y = softplus(x, beta=2, threshold=4)", (2.0, 2.5), (1 / (1 + math.exp(-4)), 1)),
        ("y = max(x)", (1.0, 3.0, 3.0), (0, 0.5, 0.5)),
        ("y = min(x)", (1.0, 3.0, 1.0), (0.5, 0, 0.5)),
        ("y = sqrt(x)", (0.0, 4.0), (INF, 0.25)),
        ("y = where(x > 0, log(x), 0)", (-1.0, 2.0), (0, 0.5)),
        ("y = step(x) + sign(x) + floor(x) + round(x)", (0.0, 0.5, -1.0), (0, 0, 0)),
    ],
)
def test_trap_73_gradients_at_kinks(statements, x, wanted):
    by_netc, by_torch = gradients(statements, x=np.array(x))["x"]
    np.testing.assert_allclose(by_netc, wanted, rtol=1e-12)
    np.testing.assert_allclose(by_torch, wanted, rtol=1e-12)


@pytest.mark.parametrize("op", ["maximum", "minimum"])
def test_trap_73_what_ties_shares_the_gradient(op):
    found = gradients(f"y = {op}(a, b)", a=np.array([1.0, 2.0]), b=np.array([1.0, 3.0]))
    share = [0.5, 0.0] if op == "maximum" else [0.5, 1.0]
    for (by_netc, by_torch), wanted in zip(found.values(), (share, [0.5, 1 - share[1]]), strict=True):
        assert by_netc.tolist() == by_torch.tolist() == wanted


def test_trap_73_choose_before_the_function_as_well_as_after():
    statements = "y = where(x > 0, sqrt(where(x > 0, x, 1)), 0)"
    by_netc, by_torch = gradients(statements, x=np.array([0.0, 4.0]))["x"]
    assert by_netc.tolist() == by_torch.tolist() == [0.0, 0.25]
    by_netc, by_torch = gradients("y = where(x > 0, sqrt(x), 0)", x=np.array([0.0, 4.0]))["x"]
    assert np.isnan(by_netc[0]) and np.isnan(by_torch[0])  # 0 times infinity, as the page of where says
