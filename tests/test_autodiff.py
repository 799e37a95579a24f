"""Gradients as graphs: against torch.autograd on the emitted module, against differences, and by hand."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from emitted import ROOT, net_of, written

from netc.autodiff.gradcheck import gradcheck, gradients_of
from netc.autodiff.interpret import interpret
from netc.autodiff.jacobian import jacobians
from netc.autodiff.moving import Point
from netc.autodiff.objective import objective
from netc.autodiff.reverse import reverse
from netc.autodiff.second import second_order
from netc.autodiff.subject import subject
from netc.autodiff.trace import trace
from netc.autodiff.training import training
from netc.backends.to_torch import to_torch
from netc.cli.main import cli
from netc.deploy.verify_training import verify_training
from netc.diagnostics import Refused
from netc.ir.module import Constant
from netc.ir.verify import verify_nodes
from netc.ops.contract import OPS

BLOCKS = """
block Cell(width: int) {
    input x: [N, C, H, W]
    output x -> Conv2d(width, 3, padding=1, bias=false) -> BatchNorm2d -> relu -> dropout(0.25)
}
net Shared {
    input x: float32[N, 3, 8, 8]
    target label: int64[N]
    cell = Cell(3)
    fc = Linear(4)
    a = x -> cell -> cell
    scale = BatchNorm2d
    y = (scale(a) + scale(x)) * x -> global_avg_pool
    param gain: float32[3] = normal(std=1.0)
    logits = fc(y * gain)
    output logits
    loss cross_entropy(logits, label, smoothing=0.1)
    loss 0.5 * mean(fc.weight * fc.weight)
}
"""
BROADCAST = """
net Broadcast {
    input a: float32[N, 1, 4]
    input b: float32[3, 1]
    param c: float32[4] = normal(std=1.0)
    output tanh(a * b + c) / (1 + b * b), a ** 2, sum(a * c, axis=2, keepdims=true) @ (b[:1] + 1)
}
"""
SMOOTH = """
net Smooth {
    input x: float32[N, 3]
    target t: float32[N, 2]
    y = x -> Linear(4) -> tanh -> Linear(2)
    output y
    loss mse(y, t)
}
"""
KINKED = """
net Kinked {
    input x: float32[N, 3]
    output relu(x)
}
"""

HEAD = "net A {\n input x: float32[N, 4]\n target t: int64[N]\n fc = Linear(3)\n y = fc(x)\n"
TAUGHT = """
net Taught {
    input x: float32[N, 3]
    target t: float32[N, 2]
    hard = x -> teacher: Linear(2)
    easy = x -> tanh -> student: Linear(2)
    output easy * detach(hard)
    loss Distillation(easy, hard, temperature=2.0)
    loss mse(stop_gradient(easy), t)
}
"""
ODD = {
    "taught": TAUGHT,
    "no parameters": "net A {\n input x: float32[N, 3]\n output tanh(x), tanh(x), x\n}",
    "a loss that is a target": "net A {\n input x: float32[N, 3]\n target t: float32[]\n output tanh(x)\n loss t\n}",
    "a loss that is a parameter": "net A {\n input x: float32[N, 3]\n param w: float32[] = ones\n output x * w\n loss w\n}",
    "a dropout of one number": (
        "net A {\n input x: float32[N, 3]\n param w: float32[] = ones\n output x * w\n loss dropout(w * 2, 0.5)\n}"
    ),
    "two precisions": (
        "net A {\n input x: float32[N, 3], z: float64[N, 3]\n a = x -> Linear(2)\n b = z -> Linear(2)\n"
        " output a, b\n loss narrow: mean(a * a)\n loss wide: mean(b * b)\n}"
    ),
    "a cast that narrows": 'net A {\n input x: float64[N, 4]\n y = x -> Linear(4)\n output cast(y, "float32")\n}',
    "a bias before a BatchNorm": HEAD + " z = BatchNorm1d(y) -> relu\n output z\n loss cross_entropy(z, t)\n}",
    "a metric that trains otherwise": (
        HEAD + " output y\n loss cross_entropy(y, t)\n"
        " metric accuracy(dropout(tanh(y), 0.5) -> BatchNorm1d, t)\n}"
    ),
    "an output with a dropout": HEAD + " output dropout(y, 0.3)\n loss cross_entropy(y, t)\n}",
    "an auxiliary head": (
        HEAD + " a = y -> dropout(0.5) -> aux: Linear(3)\n z = tanh(y) -> dropout(0.5) -> Linear(3)\n"
        " output z\n loss cross_entropy(z, t)\n loss 0.3 * cross_entropy(a, t)\n}"
    ),
    "an output of a block that nothing reads": (
        "block B {\n input x: [N, C]\n output dropout(x, 0.5), dropout(tanh(x), 0.25)\n}\n"
        + HEAD + " p, q = B(y)\n output q\n loss cross_entropy(q, t)\n}"
    ),
    "parts that nothing reads": (
        "net A {\n input x: float32[N, 6]\n f = Linear(6)\n a, b, c = split(f(x), 2, axis=1)\n"
        " v, i = topk(tanh(f(x)), 2)\n output b, v\n}"
    ),
}  # fmt: skip


def checked(net, tmp_path, tolerance=1e-5):
    return verify_training(net, to_torch(net), net.name, 20, tolerance, tmp_path)


# -- against torch.autograd and onnxruntime ----------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "name"),
    [("digits", "DigitsCNN"), ("lenet", "LeNet5"), ("unet", "UNet"), ("siamese", "Siamese")],
)
def test_training_agrees_three_ways(spec, name, tmp_path):
    report = checked(net_of(ROOT / "specs" / f"{spec}.net", name), tmp_path)
    assert not report.failures
    assert any(e.key.startswith("gradient/") for e in report.errors if e.target == "onnx")
    assert max(e.error for e in report.errors if e.target == "torch") < 1e-11


@pytest.mark.parametrize("text", [BLOCKS, BROADCAST, SMOOTH], ids=["shared", "broadcast", "smooth"])
def test_training_of_small_nets_agrees_three_ways(text, tmp_path):
    report = checked(written(text), tmp_path)
    assert not report.failures
    keys = {e.key for e in report.errors}
    if text is BLOCKS:
        buffers = {"running_mean", "running_var", "num_batches_tracked"}
        assert {f"buffer/{layer}.{b}" for layer in ("cell.bn1", "scale") for b in buffers} <= keys
        assert {"gradient/gain", "gradient/cell.conv1.weight", "gradient/fc.weight"} <= keys


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_training_of_odd_nets_agrees_three_ways(text, tmp_path):
    report = checked(written(text), tmp_path)
    assert not report.failures and report.worst("torch", "loss") and report.worst("onnx", "loss")


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_odd_nets_pass_their_checks(text):
    net = written(text)
    assert gradcheck(subject(net)).passed
    assert jacobians(subject(net, weighed=True)).passed
    assert gradcheck(second_order(subject(net))).passed


def test_a_small_gradient_that_is_wrong_is_still_found(tmp_path, monkeypatch):
    linear = OPS["Linear"]
    right = linear.vjp

    def wrong(self, *a):
        dx, dw, db = right(self, *a)
        return dx, dw, db + 1e-12

    monkeypatch.setattr(linear, "vjp", wrong)
    failures = checked(written(ODD["a bias before a BatchNorm"]), tmp_path).failures
    assert [(e.target, e.key) for e in failures] == [("torch", "gradient/fc.bias")]


def test_statistics_of_training_are_of_enough_values():
    assert subject(written(ODD["a bias before a BatchNorm"])).sizes == {"N": 8}
    assert subject(written(ODD["an output with a dropout"])).sizes == {"N": 2}


def test_a_doubled_rule_is_found_and_named(tmp_path, monkeypatch):
    conv = OPS["Conv2d"]
    right = conv.vjp
    monkeypatch.setattr(
        conv, "vjp", lambda self, *a: (right(self, *a)[0], *(2 * d for d in right(self, *a)[1:]))
    )
    net = written(BLOCKS)
    report = checked(net, tmp_path)
    assert {(e.target, e.key) for e in report.failures} == {("torch", "gradient/cell.conv1.weight")}
    assert [(b.op, b.operand) for b in report.blamed] == [("Conv2d", "weight")]
    found = gradcheck(subject(net))
    assert not found.passed and [b.op for b in found.blamed] == ["Conv2d"]


def test_a_wrong_running_statistic_is_found(tmp_path, monkeypatch):
    norm = OPS["BatchNorm2d"]
    right = norm.training

    def wrong(self, *operands):
        y, becomes = right(self, *operands)
        return y, {**becomes, "running_var": becomes["running_var"] * 1.01}

    monkeypatch.setattr(norm, "training", wrong)
    report = checked(written(BLOCKS), tmp_path)
    assert {e.key for e in report.failures} == {"buffer/cell.bn1.running_var", "buffer/scale.running_var"}


def test_the_gradient_graph_is_sound_for_free_sizes():
    net = net_of(ROOT / "specs" / "unet.net")
    located = training(objective(net).located, net.training_facts).located
    weights = [p for p in located.flat.params.values() if p.trainable]
    made = reverse(located, located.flat.outputs[:1], weights, net.training_facts).flat
    verify_nodes(made.inputs, made.nodes, made.outputs, net.training_facts)
    assert [v.type for v in made.outputs[-len(weights) :]] == [p.type for p in weights]


def test_the_gradient_graph_computes_no_number_that_it_could_hold():
    net = written("net A {\n input x: float32[4, 3]\n output mean(clip(x, -1, 1) ** 2) * 0.5\n}")
    located = objective(net).located
    flat = located.flat
    made = reverse(located, flat.outputs[:1], net.block.inputs, {}).flat
    backward = made.nodes[len(flat.nodes) :]
    assert all(any(not isinstance(v, Constant) for v in node.operands) for node in backward[1:])
    assert [node.op.name for node in backward].count("pow") == 0  # x ** 1.0 is x
    x = np.linspace(-2.0, 2.0, 12).reshape(4, 3)
    *_, dx = interpret(made, {"x": x}, {})
    assert np.allclose(dx, np.where(np.abs(x) < 1, x / 12, 0), rtol=1e-15, atol=0)


def test_a_number_that_its_dtype_cannot_hold_is_computed_where_it_is_needed():
    net = written(
        "net A {\n input x: float32[3]\n param w: float32[] = ones\n output x\n loss 1e30 * (1e30 * w)\n}"
    )
    located = objective(net).located
    (weight,) = located.flat.params.values()
    made = reverse(located, located.flat.outputs[:1], [weight], {}).flat
    assert [node.op.name for node in made.nodes].count("mul") == 3


def test_what_the_loss_does_not_read_has_a_gradient_of_zeros():
    net = written("net A {\n input x: float32[2]\n input y: float32[3]\n output sum(x * x)\n}")
    located = objective(net).located
    x, y = net.block.inputs
    made = reverse(located, located.flat.outputs[:1], [x, y], {})
    given = {"x": np.array([1.0, -2.0]), "y": np.zeros(3)}
    _, _, dx, dy = interpret(made.flat, given, {})
    assert dx.tolist() == [2.0, -4.0] and dy.tolist() == [0.0, 0.0, 0.0]


def test_nothing_is_learnt_through_what_is_detached(monkeypatch):
    made = subject(written(TAUGHT))
    assert gradcheck(made).passed
    point = Point(made.located, made.inputs, made.weights)
    teacher = next(p for p in made.located.flat.params.values() if p.path == ("teacher", "weight"))
    (slopes,) = gradients_of(made, [teacher])
    assert not slopes.any() and [point.nodes[i].op.name for i in point.after(teacher)] == ["Linear"]
    weighed = subject(written(TAUGHT), weighed=True)
    assert jacobians(weighed).passed
    monkeypatch.setattr(OPS["detach"], "held", False)
    assert not jacobians(weighed).passed  # by differences, which see what a complex step does not


# -- gradcheck ---------------------------------------------------------------------------------------


def test_smooth_nets_are_checked_by_complex_steps_to_the_last_digits():
    report = gradcheck(subject(written(SMOOTH)))
    assert report.passed and {row.method for row in report.rows} == {"complex step"}
    assert report.worst < 1e-14


def test_complex_steps_stay_on_the_piece_that_the_point_lies_on():
    report = gradcheck(subject(net_of(ROOT / "specs" / "digits.net", "DigitsCNN")))
    assert report.passed and report.worst < 1e-12
    assert all(
        row.method == "complex step" and row.directions == 20 and row.skipped == 0 for row in report.rows
    )


def test_differences_agree_where_there_are_kinks(monkeypatch):
    for name in ("relu", "max_pool2d"):
        monkeypatch.setattr(OPS[name], "analytic", False)
    report = gradcheck(subject(net_of(ROOT / "specs" / "digits.net", "DigitsCNN")))
    assert report.passed and report.worst < 1e-7
    assert {row.name: row.method for row in report.rows}["conv1.weight"] == "differences"
    assert all(row.directions == 20 and row.skipped <= 1 for row in report.rows)


def test_a_direction_that_only_meets_kinks_is_skipped_and_named():
    made = subject(written(KINKED))
    (row,) = gradcheck(made).rows
    assert row.skipped == 0
    at_zero = replace(made, inputs={**made.inputs, "x": np.zeros((2, 3))})
    report = gradcheck(at_zero)
    (row,) = report.rows
    assert not report.passed and row.too_many_kinks and row.skipped == 20 and row.kinks == ("relu",)


@pytest.mark.parametrize("text", [SMOOTH, BROADCAST], ids=["smooth", "broadcast"])
def test_second_order(text, monkeypatch):
    assert gradcheck(second_order(subject(written(text)))).worst < 1e-9
    tanh = OPS["tanh"]
    monkeypatch.setattr(tanh, "vjp", lambda self, g, y, x: (g * (1.0 - y * y + 0.0 * y) * 1.0 + 1e-3 * g,))
    assert not gradcheck(second_order(subject(written(text)))).passed


def test_whole_jacobians():
    made = subject(written(SMOOTH), weighed=True)
    report = jacobians(made)
    assert report.passed and report.worst < 1e-9
    assert {row.name: row.directions for row in report.rows}["fc1.weight"] == 12


def test_a_broken_jacobian_is_found(monkeypatch):
    linear = OPS["Linear"]
    right = linear.vjp
    monkeypatch.setattr(linear, "vjp", lambda self, *a: (*right(self, *a)[:2], 1.001 * right(self, *a)[2]))
    report = jacobians(subject(written(SMOOTH), weighed=True))
    assert not report.passed and [(b.op, b.operand) for b in report.blamed] == [("Linear", "bias")]
    assert {row.name for row in report.rows if row.error > 1e-6} == {"fc1.bias", "fc2.bias"}


# -- trace, and the verbs ----------------------------------------------------------------------------


def test_a_trace_shows_value_and_gradient_of_each_node():
    net = written("net A {\n input x: float32[], y: float32[], z: float32[]\n q = x + y\n output q * z\n}")
    lines = trace(net, {name: np.array(v) for name, v in {"x": -2.0, "y": 5.0, "z": -4.0}.items()}, {})
    assert [(t.name, t.made, float(t.value), float(t.gradient)) for t in lines] == [
        ("x", "", -2, -4), ("y", "", 5, -4), ("z", "", -4, 3), ("q", "x + y", 3, -4), ("#1", "q * z", -12, 1)
    ]  # fmt: skip


def run(*arguments, status=0):
    done = CliRunner().invoke(cli, list(map(str, arguments)))
    assert done.exit_code == status, done.output
    return done.output


def test_the_verbs(tmp_path):
    spec = tmp_path / "smooth.net"
    spec.write_text(SMOOTH)
    assert "passed: at most" in run("gradcheck", spec)
    (report,) = json.loads(run("gradcheck", spec, "--format", "json", "--eval", "--order", 2))
    assert report["passed"] and {row["name"] for row in report["rows"]} >= {"fc1.weight", "x", "t"}
    text = run("grad", spec, "--inputs")
    assert text.endswith("\n") and "# fc1.grad" in text and "output d fc1.weight: float32[4, 3] = %" in text
    table = run("trace", spec, "--at", "x=[[1, 2, 3]],t=[[0, 0]]", "--at", "fc1.bias=1")
    assert table.splitlines()[0].split() == ["node", "value", "gradient"]
    assert "[1, 1, 1, 1]" in next(line for line in table.splitlines() if line.startswith("fc1.bias"))
    assert "6 gradients" not in run("verify", spec, "--no-training") and "4 gradients" in run("verify", spec)


@pytest.mark.parametrize(
    ("at", "why"),
    [
        ("x=[[1, 2, 3, 4], [1]],t=[0]", "several shapes"),
        ("x=null,t=[0]", "a number or a list"),
        ("x=[],t=[0]", "a number or a list"),
        ("x=[[1, 2, 3, 4]],t=[1.5]", "whole numbers"),
        ("x=[[1, 2, 3, 4]],t=[0],t=[1]", "already"),
        ("x=[[1, 2, 3, 4]],t=[0],fc.bias=[1, 2]", r"does not fit `fc.bias`: float32\[3\]"),
        ("x=[[1, 2, 3, 4]],t=[3]", "there are 3 classes"),
        ("x=[[1, 2, 3]],t=[0]", r"has shape \[1, 3\]"),
    ],
)
def test_a_trace_refuses_what_it_cannot_take(tmp_path, at, why):
    spec = tmp_path / "odd.net"
    spec.write_text(ODD["an output with a dropout"])
    done = CliRunner().invoke(cli, ["trace", str(spec), "--at", at])
    assert isinstance(done.exception, Refused) and re.search(why, done.exception.diagnostics[0].message)


@pytest.mark.parametrize("output", ["x", "w"])
def test_a_net_without_ops_has_a_graph_and_a_trace(tmp_path, output):
    spec = tmp_path / "bare.net"
    spec.write_text(f"net A {{\n input x: float32[]\n param w: float32[] = ones\n output {output}\n}}")
    assert f"d {output}: float32[] = 1.0" in run("grad", spec, "--inputs")
    assert run("trace", spec, "--at", "x=3").splitlines()[1].split()[0] == output


def test_a_check_that_has_nothing_to_check_says_so(tmp_path):
    spec = tmp_path / "whole.net"
    spec.write_text('net A {\n input x: int64[N]\n output cast(x, "float32")\n}')
    assert run("gradcheck", spec).splitlines() == [
        "A in training, on x [2]",
        "  nothing to check: it reads no parameter and no input of floats",
    ]


def test_a_failing_check_exits_with_1(tmp_path, monkeypatch):
    spec = tmp_path / "smooth.net"
    spec.write_text(SMOOTH)
    tanh = OPS["tanh"]
    monkeypatch.setattr(tanh, "vjp", lambda self, g, y, x: (g * y,))
    assert "the gradient rule of `tanh` is at fault: for x at `tanh`" in run("gradcheck", spec, status=1)
