"""The comparison of targets: it passes what is right, and names the path of what is broken on purpose."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from handmade import Hand

from netc.autodiff.trial import chosen_sizes, random_weights, trials
from netc.backends.to_torch import to_torch
from netc.deploy.deviation import relative_error
from netc.deploy.runtime import start
from netc.deploy.verify import verify
from netc.diagnostics import Refused
from netc.dims import Fact, size
from netc.ir.module import Constraint
from netc.ops.contract import OPS
from netc.passes.elaborate import elaborate
from netc.passes.initial import state
from netc.passes.inline import inline
from netc.passes.load import load

N = size("N")
SOURCE = """
import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.bn1 = nn.BatchNorm2d(width)

    def forward(self, x):
        return F.relu(x + self.bn1(self.conv1(x)))


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, stride=2, padding=1)
        self.layer = nn.Sequential(Block(4), Block(4))
        self.fc = nn.Linear(4, 3)
        self.aux = nn.Linear(4, 3)

    def _features(self, image):
        x = F.max_pool2d(self.stem(image), 2)
        return self.layer(x).mean((2, 3))

    def forward(self, image):
        return self.fc(self._features(image))


class Training(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, image, label):
        x = self.net._features(image)
        logits = self.net.fc(x)
        losses = {"main": F.cross_entropy(logits, label), "aux": F.cross_entropy(self.net.aux(x), label)}
        return losses, {"accuracy": (logits.argmax(1) == label).float().mean()}
"""


def residual():
    inner = Hand()
    x = inner.input("x", "float32", size("B"), 4, 4, 4)
    y = inner.apply("Conv2d", x, path="conv1", out_channels=4, kernel_size=3, padding=1)
    y = inner.apply("BatchNorm2d", y, path="bn1")
    return inner.block("Block", inner.apply("relu", inner.apply("add", x, y)), sizes=("B",))


def small():
    block = residual()
    hand = Hand()
    image, label = hand.input("image", "float32", N, 1, 16, 16), hand.input("label", "int64", N)
    x = hand.apply("Conv2d", image, path="stem", out_channels=4, kernel_size=3, stride=2, padding=1)
    x = hand.apply("max_pool2d", x, kernel_size=2)
    for i in range(2):
        x = hand.call(block, f"layer.{i}", [x], [(N, 4, 4, 4)], B=N)
    x = hand.apply("global_avg_pool", x)
    logits = hand.apply("Linear", x, path="fc", out_features=3, hint="logits")
    aside = hand.apply("Linear", x, path="aux", out_features=3)
    heads = {"main": logits, "aux": aside}
    losses = {name: hand.apply("cross_entropy", v, label) for name, v in heads.items()}
    metric = hand.apply("accuracy", logits, label)
    return hand.net("Small", logits, targets=[label], losses=losses, metrics={"accuracy": metric})


def test_what_is_right_passes():
    report = verify(small(), SOURCE, "Small")
    assert report.passed and not report.blames
    values = {(c.target, c.value) for c in report.compared}
    assert values == {("torch", "output logits"), ("torch", "loss main"), ("torch", "loss aux"),
                      ("torch", "metric accuracy"), ("onnx", "output logits")}  # fmt: skip
    assert [dict(c.sizes) for c in report.compared if c.target == "onnx"] == [{"N": 2}, {"N": 3}]
    assert 0 < report.worst("torch") < 1e-6 and 0 < report.worst("onnx") < 1e-6


def broken(name, **changes):
    """The ONNX spelling of an op with other attributes than its own."""
    right = OPS[name].onnx
    return lambda self, graph, *operands: right(replace(self, **changes), graph, *operands)


@pytest.mark.parametrize(
    ("name", "changes", "path"),
    [("Conv2d", {"padding": (1, 1), "dilation": (1, 1), "padding_mode": "replicate"}, "stem"),
     ("BatchNorm2d", {"eps": 0.1}, "layer.0.bn1")],
)  # fmt: skip
def test_a_broken_onnx_spelling_is_named(monkeypatch, name, changes, path):
    monkeypatch.setattr(OPS[name], "onnx", broken(name, **changes))
    report = verify(small(), SOURCE, "Small")
    assert not report.passed and set(report.blames) == {"onnx"}
    assert report.blames["onnx"].path == path and report.blames["onnx"].error > 1e-5


def test_a_broken_function_in_onnx_is_named(monkeypatch):
    monkeypatch.setattr(OPS["relu"], "onnx", lambda self, graph, x: graph.node("LeakyRelu", x, alpha=0.01))
    report = verify(small(), SOURCE, "Small")
    assert report.blames["onnx"].path == "layer.0.relu"


@pytest.mark.parametrize(
    ("right", "wrong", "path"),
    [
        (
            "nn.Conv2d(1, 4, 3, stride=2, padding=1)",
            "nn.Conv2d(1, 4, 3, 2, 1, padding_mode='reflect')",
            "stem",
        ),
        ("nn.BatchNorm2d(width)", "nn.BatchNorm2d(width, eps=0.1)", "layer.0.bn1"),
        ("F.relu(x +", "F.leaky_relu(x +", "layer.0.relu"),
        ("F.relu(x +", "F.relu(x -", "layer.0.add"),
        ("F.max_pool2d", "F.avg_pool2d", "max_pool2d"),
        ("(self.net.aux(x), label)", "(2 * self.net.aux(x), label)", "cross_entropy"),
        (".float().mean()", ".float().sum()", "accuracy"),
    ],
)
def test_a_broken_module_is_named(right, wrong, path):
    assert right in SOURCE
    report = verify(small(), SOURCE.replace(right, wrong), "Small")
    assert set(report.blames) == {"torch"} and report.blames["torch"].path == path


def test_a_graph_that_does_not_run_is_blamed_on_the_node_whose_shape_is_wrong(monkeypatch):
    """More features than the next layer takes: onnxruntime names the layer that breaks."""
    monkeypatch.setattr(
        OPS["global_avg_pool"], "onnx", lambda self, graph, x: graph.node("Flatten", x, axis=1)
    )
    report = verify(small(), SOURCE, "Small")
    assert report.blames["onnx"].path == "global_avg_pool" and "E07" not in report.blames["onnx"].note
    assert "fc" in report.blames["onnx"].note and report.worst("onnx") == np.inf


def test_a_node_that_no_runtime_knows_is_blamed_itself(monkeypatch):
    monkeypatch.setattr(OPS["max_pool2d"], "onnx", lambda self, graph, x: graph.node("NoSuchNode", x))
    assert verify(small(), SOURCE, "Small").blames["onnx"].path == "max_pool2d"


@pytest.mark.parametrize(
    ("right", "wrong", "path"),
    [(".mean((2, 3))", ".flatten(1)", "global_avg_pool"), ("F.max_pool2d", "F.max_pool3d", "max_pool2d")],
)
def test_a_module_that_fails_on_the_way_is_named(right, wrong, path):
    report = verify(small(), SOURCE.replace(right, wrong), "Small")
    assert report.blames["torch"].path == path and "Error" in report.blames["torch"].note


def test_swapped_outputs_are_found_although_each_node_agrees():
    hand = Hand()
    x = hand.input("x", "float32", N, 4)
    net = hand.net("Two", hand.apply("exp", x, hint="a"), hand.apply("tanh", x, hint="b"))
    source = (
        "import torch\n\n\nclass Two(torch.nn.Module):\n    def forward(self, x):\n"
        "        return torch.tanh(x), torch.exp(x)\n"
    )
    report = verify(net, source, "Two")
    assert report.blames["torch"].path == "" and "each node agrees" in report.blames["torch"].note


@pytest.mark.parametrize(
    ("right", "wrong", "why"),
    [("import torch\n", "import netc\nimport torch\n", "netc"),
     ("self.fc =", "self.fcc = self.fc =", "fcc"),
     ("self.aux = nn.Linear(4, 3)", "self.aux = nn.Linear(4, 2)", "aux.weight"),
     ("class Small", "class Smal", "Small")],
)  # fmt: skip
def test_a_module_that_does_not_run_by_itself_is_refused(right, wrong, why):
    with pytest.raises(Refused, match=f"(?s)E0711.*{why}"):
        verify(small(), SOURCE.replace(right, wrong, 1), "Small")


def test_the_error_is_relative_to_the_largest_value():
    truth = np.array([1.0, -4.0])
    assert relative_error(truth, np.array([1.0, -4.004])) == pytest.approx(1e-3)
    assert relative_error(np.zeros(2), np.array([0.0, 0.5])) == 0.5
    assert relative_error(truth, np.zeros(3)) == np.inf
    assert relative_error(truth, np.array([np.nan, -4.0])) == np.inf
    assert relative_error(np.array([np.nan, 1.0]), np.array([np.nan, 1.0])) == 0
    assert relative_error(np.array([np.inf]), np.array([-np.inf])) == np.inf
    assert relative_error(np.zeros((0, 2)), np.zeros((0, 2))) == 0


def test_sizes_meet_the_constraints_and_differ():
    hand = Hand()
    x = hand.input("x", "float32", N, size("H", 16), size("W"))
    bounds = (Constraint(Fact("H", 16)), Constraint(Fact("W", 1, 50)))
    net = hand.net("Sized", hand.apply("relu", x), constraints=bounds, free=("N", "H", "W"))
    assert chosen_sizes(net, 2) == {"N": 2, "H": 32, "W": 50}
    assert chosen_sizes(net, 3) == {"N": 3, "H": 48, "W": 50}


def test_inputs_suit_their_use():
    net = small()
    one, two = trials(net, inline(net, [*net.block.outputs, *net.losses.values()]))
    assert one.inputs["image"].shape == (2, 1, 16, 16) and two.inputs["image"].shape == (3, 1, 16, 16)
    assert {d.dtype for d in one.inputs.values()} == {np.dtype("float32"), np.dtype("int64")}
    labels = np.concatenate(
        [trials(net, inline(net, tuple(net.losses.values())), s)[1].inputs["label"] for s in range(20)]
    )
    assert sorted(set(labels.tolist())) == [0, 1, 2]


def test_random_statistics_are_not_those_of_a_fresh_net():
    weights = random_weights(state(small()))
    assert (
        np.ptp(weights["layer.0.bn1.running_var"]) > 0.1
        and np.ptp(weights["layer.0.bn1.running_mean"]) > 0.01
    )
    assert weights["layer.0.bn1.running_var"].min() >= 0.5
    assert (weights["layer.0.conv1.weight"] != weights["layer.1.conv1.weight"]).any()


def test_a_provider_that_does_not_run_is_refused(tmp_path, monkeypatch):
    with pytest.raises(Refused, match=r"E0709.*NoSuchProvider"):
        start(tmp_path / "a.onnx", "NoSuchProvider")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])

    class Fallen:
        def __init__(self, *_):
            pass

        def get_providers(self):
            return ["CPUExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Fallen)
    with pytest.raises(Refused, match=r"E0709.*runs the model with CPUExecutionProvider"):
        start(tmp_path / "a.onnx", "CUDAExecutionProvider")


def test_a_broken_graph_is_refused(tmp_path):
    path = tmp_path / "a.onnx"
    path.write_bytes(b"not a graph")
    with pytest.raises(Refused, match="E0712"):
        start(path)


SPECS = Path(__file__).parents[1] / "specs"
NETS = [("digits", "DigitsMLP"), ("digits", "DigitsCNN"), ("lenet", "LeNet5"), ("siamese", "Siamese"),
        ("resnet_cifar", "ResNetNarrow"), ("googlenet", "GoogLeNet"), ("unet", "UNet")]  # fmt: skip


@pytest.mark.parametrize(("file", "name"), NETS)
def test_the_specs_agree(file, name):
    net = elaborate(load(str(SPECS / f"{file}.net"), lambda path: Path(path).read_bytes()), name)
    report = verify(net, to_torch(net), net.name)
    assert report.passed, report.blames
    assert 0 < max(report.worst("torch"), report.worst("onnx")) < 2e-6
    assert len({tuple(c.sizes.items()) for c in report.compared}) == 2
