"""One training step as ONNX: onnxruntime alone takes the same steps as torch.optim on the emitted module."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from emitted import loaded, net_of, training_of, written
from torch.nn import functional

from netc.autodiff.update import OPTIMIZERS
from netc.backends.onnx_file import write_onnx
from netc.backends.to_onnx_training import to_onnx_training
from netc.backends.weights import Held
from netc.diagnostics import Refused
from netc.passes.initial import draw, state
from netc.passes.recipe import Chosen
from netc.passes.recipe_schema import OPTIMIZERS as RECIPES
from netc.train.embedded import load_digits

ROOT = Path(__file__).parents[1]
TORCH = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}
SGD = Chosen("sgd", {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4})
ADAMW = Chosen("adamw", {"lr": 4e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.01})


class Steps:
    """A net's step in onnxruntime, with what it carries along."""

    def __init__(self, folder, compiled, optimizer, opset=20):
        path = folder / "step.onnx"
        model = to_onnx_training(compiled, optimizer, opset)
        onnx.checker.check_model(model.proto)
        write_onnx(path, model, Held({}), True)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.training = json.loads(self.session.get_modelmeta().custom_metadata_map["netc"])["training"]
        self.inputs = {i.name: i for i in self.session.get_inputs()}
        weights = {name: draw(name, param, 0) for name, param in state(compiled).items()}
        self.held = {name: weights[name] for name in self.training["carried"] if name in weights}
        for name in self.training["zeros"]:
            self.held[name] = np.zeros(self.inputs[name].shape, np.float32)
        self.weights = weights

    def masks(self, rng, batch):
        """A mask for each dropout, in the order in which the net draws them."""
        out = {}
        for name, keep in self.training["masks"].items():
            shape = [batch if isinstance(n, str) else n for n in self.inputs[name].shape]
            out[name] = (rng.random(shape) < keep).astype(np.float32)
        return out

    def run(self, given):
        names = [o.name for o in self.session.get_outputs()]
        feeds = {k: np.asarray(v) for k, v in {**given, **self.held}.items() if k in self.inputs}
        found = dict(zip(names, self.session.run(None, feeds), strict=True))
        self.held = {name: found[after] for name, after in self.training["carried"].items()}
        return found


def masked(monkeypatch, masks):
    """Dropout that takes its masks from a list."""

    def dropout(x, p=0.5, training=True, inplace=False):
        return x * torch.tensor(masks.pop(0)) / (1 - p)

    monkeypatch.setattr(functional, "dropout", dropout)


@pytest.mark.parametrize(
    ("name", "optimizer", "epochs"),
    # after an epoch, AdamW divides rounding by second moments next to zero: torch in other precision differs as much
    [("DigitsMLP", SGD, 3), ("DigitsMLP", ADAMW, 3), ("DigitsCNN", SGD, 3), ("DigitsCNN", ADAMW, 1)],
    ids=["MLP sgd", "MLP adamw", "CNN sgd", "CNN adamw"],
)
def test_the_losses_of_digits_are_those_of_torch(tmp_path, monkeypatch, name, optimizer, epochs):
    compiled = net_of(ROOT / "specs" / "digits.net", name)
    steps = Steps(tmp_path, compiled, optimizer)
    module = loaded(compiled, steps.weights).train()
    form = training_of(module)
    stepper = TORCH[optimizer.name](module.parameters(), **optimizer.arguments)
    data = load_digits().train
    rng, losses = np.random.default_rng(0), []
    masks = []
    masked(monkeypatch, masks)
    for start in [s for _ in range(epochs) for s in range(0, len(data.labels) - 63, 64)]:
        image = (data.images[start : start + 64].transpose(0, 3, 1, 2) / 255).astype(np.float32)
        label = data.labels[start : start + 64]
        drawn = steps.masks(rng, 64)
        masks[:] = drawn.values()
        found = steps.run(
            {"image": image, "label": label, "lr": np.float32(optimizer.arguments["lr"]), **drawn}
        )
        stepper.zero_grad()
        losses_, metrics = form(torch.tensor(image), torch.tensor(label))
        (loss,) = losses_.values()
        loss.backward()
        stepper.step()
        assert abs(found["loss"] - loss.item()) <= 1e-4
        assert not masks and found["metric.accuracy"] == metrics["accuracy"].item()
        losses.append(loss.item())
    assert len(losses) == 22 * epochs and np.mean(losses[-5:]) < 0.5 * np.mean(losses[:3])
    for path, tensor in module.state_dict().items():
        np.testing.assert_allclose(steps.held[path], tensor.numpy(), rtol=0, atol=2e-3, err_msg=path)


@pytest.mark.parametrize("opset", [17, 23])
@pytest.mark.parametrize(
    "optimizer",
    [
        Chosen("sgd", {"lr": 0.1, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}),
        Chosen("sgd", {"lr": 0.1, "momentum": 0.9, "nesterov": False, "weight_decay": 0.1}),
        Chosen("adamw", {"lr": 0.01, "betas": (0.0, 0.9), "eps": 1e-3, "weight_decay": 0.0}),
    ],
    ids=["plain", "momentum", "adamw without a first moment"],
)
def test_the_arguments_of_an_optimizer_mean_what_they_mean_in_torch(tmp_path, optimizer, opset):
    compiled = written(
        "net A {\n input x: float32[N, 4]\n target t: float32[N, 3]\n fc = Linear(3)\n y = fc(x)\n output y\n"
        "loss mse(y, t)\n loss sparse: 0.5 * mean(abs(fc.weight))\n}"
    )
    steps = Steps(tmp_path, compiled, optimizer, opset)
    module = loaded(compiled, steps.weights).train()
    stepper = TORCH[optimizer.name](module.parameters(), **optimizer.arguments)
    rng = np.random.default_rng(2)
    x, t = rng.normal(size=(5, 4)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
    for _ in range(4):
        found = steps.run({"x": x, "t": t, "lr": np.float32(optimizer.arguments["lr"])})
        stepper.zero_grad()
        losses, _ = training_of(module)(torch.tensor(x), torch.tensor(t))
        sum(losses.values()).backward()
        stepper.step()
        assert set(losses) == {"loss", "sparse"} == set(steps.training["losses"])
        for name, loss in losses.items():
            np.testing.assert_allclose(found[name], loss.item(), rtol=2e-6)
    for path, tensor in module.state_dict().items():
        np.testing.assert_allclose(steps.held[path], tensor.numpy(), rtol=1e-5, atol=1e-6, err_msg=path)


def test_every_optimizer_of_recipes_has_an_update():
    assert set(OPTIMIZERS) == set(RECIPES)


def test_a_net_without_a_loss_has_no_step():
    with pytest.raises(Refused, match="no loss"):
        to_onnx_training(written("net A {\n input x: float32[N, 4]\n output x -> Linear(3)\n}"), SGD)


@pytest.mark.parametrize("optimizer", [SGD, ADAMW], ids=["sgd", "adamw"])
def test_a_name_that_the_step_needs_is_refused(optimizer):
    text = "net A {\n input x: float32[N, 4], NAME: float32[N, 1]\n y = x -> Linear(1)\n output y\n loss mse(y, NAME)\n}"
    with pytest.raises(Refused, match="two things named `lr`"):
        to_onnx_training(written(text.replace("NAME", "lr")), optimizer)
    step = written(text.replace("NAME", "step"))
    if optimizer is SGD:
        to_onnx_training(step, optimizer)
    else:
        with pytest.raises(Refused, match="two things named `step`"):
            to_onnx_training(step, optimizer)


METRICS = """
block Pair {
    input x: [N, C]
    output dropout(x, 0.5), dropout(tanh(x), 0.25)
}
net A {
    input x: float32[N, 4], scale: float32[]
    target label: int64[N]
    unread, y = x -> Linear(3) -> Pair
    output y * scale
    loss cross_entropy(y, label)
    metric rate: scale
    metric accuracy(y -> head: Linear(3) -> BatchNorm1d, label)
}
"""


def test_what_only_a_metric_reads_is_not_trained(tmp_path):
    spec = tmp_path / "a.net"
    spec.write_text(METRICS)
    command = [sys.executable, "-m", "netc", "compile", spec, "--target", "onnx-train", "-o", tmp_path]
    subprocess.run(command, cwd=ROOT, check=True)
    session = onnxruntime.InferenceSession(tmp_path / "a.train.onnx", providers=["CPUExecutionProvider"])
    training = json.loads(session.get_modelmeta().custom_metadata_map["netc"])["training"]
    inputs = {i.name: i.shape for i in session.get_inputs()}
    assert training["masks"] == {"mask2.pair1.dropout": 0.75}
    assert {"fc1.weight", "bn1.running_mean"} < training["carried"].keys() < inputs.keys()
    assert not {"head.weight", "bn1.weight", "mask1.pair1.dropout"} & inputs.keys()
    given = {
        name: np.full([5 if n == "N" else n for n in shape], 0.5, np.float32)
        for name, shape in inputs.items()
    }
    given |= {"label": np.zeros(5, np.int64), "bn1.num_batches_tracked": np.array(2)}
    found = dict(zip([o.name for o in session.get_outputs()], session.run(None, given), strict=True))
    assert found["metric.rate"] == 0.5 and found["bn1.num_batches_tracked.next"] == 3


def test_a_step_in_two_precisions(tmp_path):
    text = (
        "net A {\n input x: float32[N, 3], z: float64[N, 3]\n a = x -> Linear(2)\n b = z -> Linear(2)\n"
        " output a, b\n loss mean(a * a)\n loss wide: mean(b * b)\n}"
    )
    model = to_onnx_training(written(text), ADAMW)
    onnx.checker.check_model(model.proto)
    types = {
        o.name: o.type.tensor_type.elem_type for o in (*model.proto.graph.input, *model.proto.graph.output)
    }
    names = ("lr", "loss", "wide", "fc1.weight.next", "fc2.weight.next")
    assert [types[n] for n in names] == [1, 1, 11, 1, 11]


def test_the_example_trains_without_netc_or_torch(tmp_path):
    command = [sys.executable, "-m", "netc", "compile", "specs/digits.net", "--net", "DigitsMLP"]
    subprocess.run([*command, "--target", "onnx-train", "-o", str(tmp_path)], cwd=ROOT, check=True)
    example = (ROOT / "examples" / "onnxruntime" / "train_digits.py").read_text()
    blocked = "import sys; sys.modules['torch'] = sys.modules['netc'] = None\n"
    script = tmp_path / "example.py"
    script.write_text(blocked + example)
    data = str(ROOT / "netc" / "train" / "digits" / "digits.npz")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "digits_mlp"), data],
        check=True,
        capture_output=True,
        text=True,
    )
    losses = [float(line.rsplit(" ", 1)[1]) for line in done.stdout.splitlines()]
    assert len(losses) == 5 and losses[-1] < 0.35 * losses[0]
    assert (tmp_path / "digits_mlp.trained.safetensors").exists()
