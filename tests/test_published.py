"""The specs of published models against torchvision's: names, shapes, counts, and outputs in both targets."""

import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fill_weights
import numpy as np
import onnxruntime
import pytest
import torch
from safetensors.numpy import load_file, save_file

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = json.loads((ROOT / "tests" / "published.json").read_text())["models"]
NETS = {
    "resnet18": ("resnet", "ResNet18"),
    "resnet50": ("resnet", "ResNet50"),
    "resnext50_32x4d": ("resnet", "ResNeXt50_32x4d"),
    "wide_resnet50_2": ("resnet", "WideResNet50_2"),
    "densenet121": ("densenet", "DenseNet121"),
    "mobilenet_v2": ("mobilenet_v2", "MobileNetV2"),
    "googlenet": ("googlenet", "GoogLeNet"),
    "alexnet": ("alexnet", "AlexNet"),
    "vgg16": ("vgg", "VGG16"),
    "vit_b_16": ("vit", "ViTB16"),
    "swin_t": ("swin", "SwinT"),
    "mobilenet_v3_small": ("mobilenet_v3", "MobileNetV3Small"),
}
TOLERANCE = 1e-4
IN_FLOAT64 = 1e-6
ROUNDING = {"vit_b_16": 4e-3}  # its weights filled so, attention magnifies the rounding of float32
CONTROL = {
    "mobilenet_v3_small": "classifier.0.weight"
}  # its weights filled so, little of the first one is left


@dataclass(frozen=True)
class Compiled:
    """A published model, what `netc compile` made of its spec, and the weights by name."""

    name: str
    published: dict[str, Any]
    spec: Path
    net: str
    weights: Path
    folder: Path


def netc(*arguments: str | Path) -> str:
    """What a netc command prints; a failure shows its message."""
    command = [sys.executable, "-m", "netc", *map(str, arguments)]
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def emitted_module(model: Compiled) -> torch.nn.Module:
    """The emitted class, in evaluation mode, with the weights that were written beside it."""
    (source,) = model.folder.glob("*.py")
    found = importlib.util.spec_from_file_location(source.stem, source)
    assert found and found.loader
    python = importlib.util.module_from_spec(found)
    found.loader.exec_module(python)
    module: torch.nn.Module = getattr(python, model.net)()
    state = load_file(source.with_suffix(".safetensors"))
    module.load_state_dict({name: torch.from_numpy(value) for name, value in state.items()})
    return module.eval()


def onnx_session(model: Compiled) -> onnxruntime.InferenceSession:
    (graph,) = model.folder.glob("*.onnx")
    return onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])


def counted(model: Compiled) -> tuple[int, int]:
    """The parameters and, for one image, the multiply-adds that `netc show` counts."""
    counts = json.loads(netc("show", model.spec, "--net", model.net, "--set", "N=1", "--format", "json"))
    return counts["parameters"], counts["multiply_adds"]


@pytest.fixture(scope="module", params=NETS)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    torch.set_num_threads(2)
    file, net = NETS[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    published, spec = PUBLISHED[request.param], ROOT / "specs" / f"{file}.net"
    weights = folder / "filled.safetensors"
    save_file({n: fill_weights.fill(n, tuple(s)) for n, s in published["state_dict"].items()}, weights)
    netc("compile", spec, "--net", net, "-o", folder / "out", "--weights", weights)
    return Compiled(request.param, published, spec, net, weights, folder / "out")


def test_names_and_shapes(model: Compiled) -> None:
    state = emitted_module(model).state_dict()
    assert {name: list(value.shape) for name, value in state.items()} == model.published["state_dict"]


def test_parameters_and_multiply_adds(model: Compiled) -> None:
    module = emitted_module(model)
    assert sum(p.numel() for p in module.parameters()) == model.published["parameters"]
    assert counted(model) == (model.published["parameters"], model.published["multiply_adds_batch_1"])


def test_outputs_in_torch(model: Compiled) -> None:
    module = emitted_module(model).double()
    with torch.no_grad():
        logits = module(torch.from_numpy(fixed_input(model)).double())
    close(logits.numpy(), model.published, IN_FLOAT64)


def test_outputs_in_onnx(model: Compiled) -> None:
    session = onnx_session(model)
    (image,), (logits,) = session.get_inputs(), session.get_outputs()
    (got,) = session.run([logits.name], {image.name: fixed_input(model)})
    close(got, model.published, ROUNDING.get(model.name, TOLERANCE))


def test_a_wrong_weight_shows(model: Compiled) -> None:
    """The comparison is no formality: one weight a tenth off is seen."""
    module = emitted_module(model)
    with torch.no_grad():
        weights = dict(module.named_parameters())
        weights[CONTROL.get(model.name, next(iter(weights)))].mul_(1.1)
        got = module(torch.from_numpy(fixed_input(model))).numpy()
    with pytest.raises(AssertionError):
        close(got, model.published, ROUNDING.get(model.name, TOLERANCE))


def fixed_input(model: Compiled) -> np.ndarray:
    batch, _, size, _ = model.published["input"]
    return fill_weights.fixed_input(size, batch)


def close(logits: np.ndarray, published: dict[str, Any], tolerance: float) -> None:
    """The norm of each row and its first 16 logits are the published ones, to the relative error allowed."""
    norms, first = np.array(published["output_norm"]), np.array(published["output_first_16"])
    assert np.abs(np.linalg.norm(logits.astype(np.float64), axis=1) / norms - 1).max() <= tolerance
    assert (np.abs(logits[:, :16] - first).max() / np.abs(first).max()) <= tolerance
