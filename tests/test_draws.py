"""Random draws: afresh in training, the mean or a draw in evaluation, and the same for every target that is compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from emitted import SPECS, loaded, net_of, written
from in_memory import body, codes
from three_ways import model_of

from netc.autodiff.subject import subject
from netc.autodiff.trace import trace
from netc.autodiff.trial import random_weights
from netc.backends.to_onnx import to_onnx
from netc.backends.to_onnx_training import to_onnx_training
from netc.backends.to_torch import to_torch
from netc.deploy.verify import Report, verify
from netc.deploy.verify_training import verify_training
from netc.diagnostics import Refused
from netc.ir.module import Net
from netc.passes.initial import draw, state
from netc.passes.recipe import Chosen

BOTH = """
block Half {
    input x: [N, D]
    output x * rand_like(x, evaluation="draw")
}
net A {
    input x: float32[N, 4]
    target label: int64[N]
    h = x -> Linear(4) -> Half
    z = (h + 0.1 * randn_like(h, evaluation="draw")) -> Linear(5)
    aux = (z * randn_like(z) + rand_like(z)) -> dropout(0.3)
    logits = z -> fc: Linear(3)
    output logits
    loss cross_entropy(logits, label)
    loss mean((aux - rand_like(aux, evaluation="draw")) ** 2)
}
"""
ONE = "net A {{\n    input x: float32[N, 50]\n    y = {}\n    output y\n}}\n"
X = np.full((40, 50), 3.0, "float32")


def compared(net: Net, source: str | None = None) -> Report:
    return verify(net, source or to_torch(net), net.name, small=net)


def runs(text: str, path: Path, times: int = 2) -> list[list[np.ndarray]]:
    """y in evaluation, so many times, by the emitted module and by onnxruntime."""
    net = written(ONE.format(text))
    model_of(net, path)
    module, session = loaded(net, {}), onnxruntime.InferenceSession(str(path))
    with torch.no_grad():
        by_torch = [module(torch.from_numpy(X)).numpy() for _ in range(times)]
    return [by_torch, [session.run(None, {"x": X})[0] for _ in range(times)]]


@pytest.mark.parametrize(("op", "mean"), [("randn_like", 0.0), ("rand_like", 0.5)])
def test_evaluation_takes_the_mean(op: str, mean: float, tmp_path: Path) -> None:
    for ys in runs(f"{op}(x)", tmp_path / "m.onnx"):
        assert all((y == mean).all() and y.dtype == np.float32 for y in ys)


@pytest.mark.parametrize(
    ("op", "mean", "deviation"), [("randn_like", 0.0, 1.0), ("rand_like", 0.5, 12**-0.5)]
)
def test_evaluation_draws_where_it_is_asked_to(
    op: str, mean: float, deviation: float, tmp_path: Path
) -> None:
    for one, other in runs(f'{op}(x, evaluation="draw")', tmp_path / "m.onnx"):
        assert not np.array_equal(one, other)
        assert abs(one.mean() - mean) < 0.1 and abs(one.std() - deviation) < 0.1


@pytest.mark.parametrize(
    ("op", "mean", "deviation"), [("randn_like", 0.0, 1.0), ("rand_like", 0.5, 12**-0.5)]
)
def test_training_draws_afresh(op: str, mean: float, deviation: float) -> None:
    module = loaded(written(ONE.format(f"{op}(x)")), {}).train()
    one, other = (module(torch.from_numpy(X)).numpy() for _ in range(2))
    assert not np.array_equal(one, other)
    assert abs(one.mean() - mean) < 0.1 and abs(one.std() - deviation) < 0.1


@pytest.mark.parametrize("opset", [17, 21, 22, 23])
def test_a_draw_is_refused_at_an_opset_at_which_onnxruntime_has_none(opset: int, tmp_path: Path) -> None:
    net = written('net A {\n    input x: float32[N, 4]\n    output x + randn_like(x, evaluation="draw")\n}\n')
    if opset <= 21:
        model_of(net, tmp_path / "a.onnx", opset=opset)
        session = onnxruntime.InferenceSession(tmp_path / "a.onnx")
        assert session.run(None, {"x": np.zeros((2, 4), np.float32)})[0].any()
        return
    with pytest.raises(Refused, match="take --opset 21 or an older one"):
        to_onnx(net, opset)


def test_each_use_is_a_draw_of_its_own() -> None:
    net = written(ONE.format("randn_like(x) - randn_like(x)"))
    assert (loaded(net, {}).train()(torch.from_numpy(X)).numpy() != 0).mean() > 0.99
    point = subject(net)
    one, other = (point.inputs[mask.hint] for mask in point.masks)
    assert not np.array_equal(one, other)


def test_all_targets_agree_on_the_same_draws() -> None:
    report = compared(written(BOTH))
    assert report.passed, (report.blames, report.training and report.training.failures)
    assert {c.value for c in report.compared if c.target == "torch"} == {"output logits", "loss"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("torch.rand_like(x)", "(1 - torch.rand_like(x))"),
        ("0.1 * torch.randn_like(h)", "0.2 * torch.randn_like(h)"),
        ("(aux - torch.rand_like(aux))", "(aux - 2 * torch.rand_like(aux))"),
    ],
)
def test_another_use_of_a_draw_is_noticed(before: str, after: str) -> None:
    """A negative control."""
    source = to_torch(written(BOTH))
    assert before in source
    assert not compared(written(BOTH), source.replace(before, after)).passed


def test_another_use_of_a_draw_in_training_is_noticed(tmp_path: Path) -> None:
    """A negative control, of what evaluation does not see."""
    net = written(BOTH)
    source = to_torch(net)
    wrong = source.replace("torch.randn_like(z) if self.training", "2 * torch.randn_like(z) if self.training")
    assert wrong != source and compared(net, wrong).passed
    assert not verify_training(net, source, "A", 20, 1e-5, tmp_path).failures
    assert verify_training(net, wrong, "A", 20, 1e-5, tmp_path).failures


def test_a_module_that_draws_more_is_noticed() -> None:
    net = written(ONE.format('x + randn_like(x, evaluation="draw")'))
    source = to_torch(net).replace("torch.randn_like(x)", "torch.randn_like(x) + torch.randn_like(x)")
    with pytest.raises(Exception, match="pop from empty list"):
        compared(net, source)


def test_no_gradient_flows_through_a_draw() -> None:
    point = subject(written(BOTH), trains=True)
    kinds = [mask.hint.split(".")[0].rstrip("0123456789") for mask in point.masks]
    assert kinds == ["uniform", "normal", "normal", "uniform", "mask", "uniform"]
    module = loaded(written(ONE.format("randn_like(x)")), {}).train()
    assert not module(torch.ones(2, 50, requires_grad=True)).requires_grad


def test_a_step_of_training_takes_draws_as_inputs(tmp_path: Path) -> None:
    chosen = Chosen("sgd", {"lr": 0.1, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0})
    net = written(BOTH)
    model = to_onnx_training(net, chosen)
    told = json.loads(model.proto.metadata_props[0].value)["training"]
    assert sorted(told["draws"].values()) == ["normal", "normal", "uniform", "uniform", "uniform"]
    assert list(told["masks"].values()) == [0.7]
    shapes = {i.name: len(i.type.tensor_type.shape.dim) for i in model.proto.graph.input}
    assert all(shapes[name] == 2 for name in (*told["draws"], *told["masks"]))


def test_a_trace_shows_what_is_drawn() -> None:
    net = written(BOTH)
    weights = {name: draw(name, p, 0) for name, p in state(net).items()}
    given = {"x": np.ones((2, 4)), "label": np.array([0, 1])}
    one, same, other = (_values(net, given, weights, seed) for seed in (0, 0, 1))
    assert len(one) == 3 and all(np.array_equal(one[k], same[k]) for k in one)
    assert not any(np.array_equal(one[k], other[k]) for k in one)


def _values(net: Net, given: Mapping, weights: Mapping, seed: int) -> dict[str, np.ndarray]:
    return {t.name: t.value for t in trace(net, given, weights, seed) if "_like" in t.name}


def test_the_vae() -> None:
    """It draws its own noise, and its slopes are those of torch for the same draw."""
    net = net_of(next(path for path in SPECS if path.stem == "vae"))
    report = compared(net)
    assert report.passed and report.training is not None
    weights = random_weights(state(net))
    module, image = loaded(net, weights), torch.rand(3, 1, 28, 28)
    with torch.no_grad():
        assert torch.equal(module(image)[0], module(image)[0])
        assert not torch.equal(module.train()(image)[0], module(image)[0])


def test_other_words_are_refused() -> None:
    assert codes(body('y = randn_like(x, evaluation="never")')) == ["E0205"]
    assert codes("net A {\n    input x: int64[N]\n    output randn_like(x)\n}\n") == ["E0401"]
