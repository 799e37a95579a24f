"""The worked examples of the field's first course, each as a .net program with the numbers of the blackboard."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
import torch
from emitted import loaded, training_of, written
from test_cli import netc

from netc.autodiff.interpret import interpret
from netc.autodiff.objective import objective
from netc.autodiff.reverse import reverse
from netc.backends.onnx_file import write_onnx
from netc.backends.to_onnx import to_onnx
from netc.backends.weights import Held
from netc.ir.module import Net
from netc.passes.inline import Flat, inline

Array = npt.NDArray[np.float64]

PERCEPTRON = """
net Perceptron {
    input x: float32[N, 4]
    output x -> Linear(5) -> sigmoid -> Linear(5) -> sigmoid -> Linear(3)
}
"""
SURPRISE = """
net Surprise {
    input p: float32[N, 3]
    target label: int64[N]
    output p
    loss cross_entropy(log(p), label)
}
"""
PRODUCT = """
net Product {
    input x: float32[]
    input y: float32[]
    input z: float32[]
    q = x + y
    output q * z
    loss q * z
}
"""
NEURON = """
net Neuron {
    input w: float32[3]
    input x: float32[2]
    f = 1 / (1 + exp(-(w[0] * x[0] + w[1] * x[1] + w[2])))
    output f
    loss f
}
"""
FILTERS = """
net Filters {
    input image: float32[1, 3, 32, 32]
    output image -> Conv2d(6, 5)
}
"""
SOFTMAX = """
net Scores {
    input x: float32[3]
    output softmax(x)
}
"""
TWO_LAYERS = """
net TwoLayers(hidden: int = 100, classes: int = 10) {
    input x: float32[64, 1000]
    target y: float32[64, classes]
    param w1: float32[1000, hidden] = normal(std=1)
    param w2: float32[hidden, classes] = normal(std=1)
    predicted = sigmoid(x @ w1) @ w2
    output predicted
    loss sum((predicted - y) ** 2)
}
"""
CONNECTED = """
net Fully {
    input image: float32[1, 1, 200, 200]
    output image -> flatten -> Linear(40000, bias=false)
}

net Locally {
    input image: float32[1, 1, 200, 200]
    output image -> pad([4, 5, 4, 5]) -> LocallyConnected2d(1, 10, bias=false)
}
"""


def run_onnx(net: Net, folder: Path, weights: Mapping[str, Array], **inputs: Array) -> list[Array]:
    path = folder / "model.onnx"
    write_onnx(path, to_onnx(net), Held(weights))
    found: list[Array] = onnxruntime.InferenceSession(str(path)).run(None, inputs)
    return found


def gradient_graph(net: Net, *names: str) -> Flat:
    """The loss, then its gradients for inputs and parameters, by name."""
    made = objective(net)
    flat = made.located.flat
    found = {v.hint: v for v in flat.inputs} | {".".join(path): p for path, p in flat.params.items()}
    back = reverse(made.located, flat.outputs[:1], [found[name] for name in names], net.training_facts).flat
    return replace(back, outputs=(flat.outputs[0], *back.outputs[-len(names) :]))


def test_a_perceptron_of_4_5_5_3_units_has_73_parameters(tmp_path: Path) -> None:
    spec = tmp_path / "perceptron.net"
    spec.write_text(PERCEPTRON)
    shown = json.loads(netc("show", spec, "--format", "json")[1])
    assert shown["parameters"] == 73
    assert [row["parameters"] for row in shown["layers"] if row["parameters"]] == [25, 30, 18]
    assert netc("verify", spec)[0] == 0


def test_cross_entropy_of_the_second_class_is_1_2() -> None:
    """Of the probabilities 0.2, 0.3, 0.5: -ln 0.3."""
    net = written(SURPRISE)
    p, label = np.array([[0.2, 0.3, 0.5]]), np.array([1])
    (loss,) = interpret(inline(net, tuple(net.losses.values())), {"p": p, "label": label}, {})
    assert round(float(loss), 1) == 1.2 and loss == pytest.approx(-np.log(0.3), rel=1e-12)
    losses, _ = training_of(loaded(net, {}))(torch.tensor(p).float(), torch.tensor(label))
    assert float(losses["loss"]) == pytest.approx(1.2, abs=0.005)


def test_gradients_of_a_sum_times_a_number() -> None:
    """(x + y) z at (-2, 5, -4): -12, with gradients -4, -4 and 3."""
    at = {"x": -2.0, "y": 5.0, "z": -4.0}
    found = interpret(gradient_graph(written(PRODUCT), *at), {k: np.array(v) for k, v in at.items()}, {})
    assert [float(v) for v in found] == [-12.0, -4.0, -4.0, 3.0]


def test_a_trace_draws_the_graph(tmp_path: Path) -> None:
    """The same by `netc trace`: value and gradient at each node."""
    spec = tmp_path / "product.net"
    spec.write_text(PRODUCT)
    status, said = netc("trace", spec, "--at", "x=-2,y=5,z=-4", "--format", "json")
    assert status == 0, said
    found = {row["name"]: (row["value"], row["gradient"]) for row in json.loads(said)}
    assert {k: found[k] for k in "xyzq"} == {"x": (-2, -4), "y": (5, -4), "z": (-4, 3), "q": (3, -4)}
    assert (-12, 1) in found.values()


def test_a_trace_of_the_sigmoid_neuron(tmp_path: Path) -> None:
    spec = tmp_path / "neuron.net"
    spec.write_text(NEURON)
    said = netc("trace", spec, "--at", "w=[2,-3,-3],x=[-1,-2]", "--format", "json")[1]
    found = {row["name"]: row["gradient"] for row in json.loads(said)}
    assert np.round(found["w"], 1).tolist() == [-0.2, -0.4, 0.2]
    assert np.round(found["x"], 1).tolist() == [0.4, -0.6]


def test_the_sigmoid_neuron() -> None:
    """w = (2, -3, -3), x = (-1, -2): 0.73 forward; 0.2 to the bias, 0.4 and -0.6 to x, -0.2 and -0.4 to w."""
    given = {"w": np.array([2.0, -3.0, -3.0]), "x": np.array([-1.0, -2.0])}
    f, dw, dx = interpret(gradient_graph(written(NEURON), "w", "x"), given, {})
    assert round(float(f), 2) == 0.73
    assert dw.round(1).tolist() == [-0.2, -0.4, 0.2] and dx.round(1).tolist() == [0.4, -0.6]
    slope = f * (1 - f)
    np.testing.assert_allclose(dw, slope * np.array([-1.0, -2.0, 1.0]), rtol=1e-12)
    np.testing.assert_allclose(dx, slope * np.array([2.0, -3.0]), rtol=1e-12)


def test_six_5x5_filters_on_32x32x3_give_28x28x6(tmp_path: Path) -> None:
    spec = tmp_path / "filters.net"
    spec.write_text(FILTERS)
    shown = json.loads(netc("show", spec, "--format", "json")[1])
    assert [row["output"] for row in shown["layers"]] == [[1, 6, 28, 28]]
    assert shown["parameters"] == 6 * (5 * 5 * 3 + 1) == 456
    assert netc("verify", spec)[0] == 0


def test_softmax_of_1_10_1000_is_finite(tmp_path: Path) -> None:
    net, x = written(SOFTMAX), np.array([1, 10, 1000], "float32")
    found = [
        interpret(inline(net), {"x": x}, {})[0],
        loaded(net, {})(torch.tensor(x)).numpy(),
        run_onnx(net, tmp_path, {}, x=x)[0],
    ]
    for y in found:
        assert y.tolist() == [0, 0, 1]


def test_a_two_layer_network_trained_by_2000_steps_of_gradient_descent() -> None:
    """The 20 lines of numpy, beside netc's gradient graph: the same losses and weights all the way."""
    graph = gradient_graph(written(TWO_LAYERS), "w1", "w2")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((64, 1000)), rng.standard_normal((64, 10))
    w1, w2 = rng.standard_normal((1000, 100)), rng.standard_normal((100, 10))
    mine, theirs = {"w1": w1.copy(), "w2": w2.copy()}, []
    losses = []
    for _ in range(2000):
        loss, d1, d2 = interpret(graph, {"x": x, "y": y}, mine)
        losses.append(float(loss))
        mine = {"w1": mine["w1"] - 1e-4 * d1, "w2": mine["w2"] - 1e-4 * d2}

        h = 1 / (1 + np.exp(-x.dot(w1)))
        y_pred = h.dot(w2)
        theirs.append(float(np.square(y_pred - y).sum()))
        grad_y_pred = 2.0 * (y_pred - y)
        grad_w2 = h.T.dot(grad_y_pred)
        grad_h = grad_y_pred.dot(w2.T)
        grad_w1 = x.T.dot(grad_h * h * (1 - h))
        w1 -= 1e-4 * grad_w1
        w2 -= 1e-4 * grad_w2
    np.testing.assert_allclose(losses, theirs, rtol=1e-8)
    np.testing.assert_allclose(mine["w1"], w1, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(mine["w2"], w2, rtol=1e-6, atol=1e-9)
    assert losses[-1] < 0.01 * losses[0]


@pytest.mark.parametrize(("name", "weights"), [("Fully", 1_600_000_000), ("Locally", 4_000_000)])
def test_40000_hidden_units_on_an_image_of_200x200(name: str, weights: int, tmp_path: Path) -> None:
    """Each joined to all of it, or to a patch of 10x10: counted without allocating a weight."""
    spec = tmp_path / "connected.net"
    spec.write_text(CONNECTED)
    tracemalloc.start()
    status, said = netc("show", spec, "--net", name, "--format", "json")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert status == 0, said
    shown = json.loads(said)
    assert shown["parameters"] == weights and peak < weights
    assert int(np.prod(shown["layers"][-1]["output"])) == 40_000
