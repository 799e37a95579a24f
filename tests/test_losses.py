"""Losses by name: what they are called, what is refused, and that every target gives each and trains on their sum."""

import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from emitted import made, training_of, written

from netc.autodiff.interpret import interpret
from netc.autodiff.trial import drawn_trial, random_weights
from netc.backends.to_torch import to_torch
from netc.cli.main import cli
from netc.deploy.verify import verify
from netc.diagnostics import Refused
from netc.ir.module import results
from netc.ir.text import text
from netc.passes.initial import state
from netc.passes.inline import inline

VAE = """net Vae {
    input image: float32[N, 1, 4, 4], noise: float32[N, 3]
    h = image -> flatten -> Linear(5) -> relu
    mu, logvar = h -> mean: Linear(3), h -> spread: Linear(3)
    y = mu + exp(logvar / 2) * noise -> Linear(16) -> sigmoid -> reshape(N, 1, 4, 4)
    output y
    loss recon: mse(y, image)
    loss 0.1 * mean(mu ** 2)
    loss kl: 0.05 * mean(exp(logvar) - 1 - logvar)
    loss 0.3 * mean(abs(logvar))
    metric spread: mean(exp(logvar))
}
""".replace("mu, logvar = h -> mean: Linear(3), h -> spread: Linear(3)",
            "mu = h -> mean: Linear(3)\n    logvar = h -> spread: Linear(3)")  # fmt: skip


def with_losses(*lines: str) -> str:
    body = "\n    ".join(lines)
    return (
        "net A {\n    input x: float32[N, 3]\n    target t: float32[N, 3]\n    input_ = x -> Linear(3)\n"
        f"    output input_\n    {body}\n}}\n"
    )


def by_numpy(weights: dict[str, np.ndarray], image: np.ndarray, noise: np.ndarray) -> dict[str, float]:
    """The losses, by hand."""
    w = {name: value.astype(np.float64) for name, value in weights.items()}

    def linear(x: np.ndarray, name: str) -> np.ndarray:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    h = np.maximum(linear(image.reshape(len(image), -1), "fc1"), 0)
    mu, logvar = linear(h, "mean"), linear(h, "spread")
    y = 1 / (1 + np.exp(-linear(mu + np.exp(logvar / 2) * noise, "fc2")))
    return {
        "recon": np.mean((y - image.reshape(y.shape)) ** 2),
        "loss": 0.1 * np.mean(mu**2) + 0.3 * np.mean(np.abs(logvar)),
        "kl": 0.05 * np.mean(np.exp(logvar) - 1 - logvar),
    }


def test_losses_without_a_name_are_one() -> None:
    net = written(VAE)
    assert list(net.losses) == ["recon", "loss", "kl"]
    lines = [line.split("%")[0].strip() for line in text(net).splitlines() if line.startswith("  loss ")]
    assert lines == ["loss recon:", "loss", "loss kl:"]


def test_each_loss_is_what_numpy_says() -> None:
    net = written(VAE)
    weights = random_weights(state(net))
    module = made(net)
    module.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    flat = inline(net, tuple(results(net).values()))
    given = drawn_trial(net, flat, {"N": 4}, [0]).inputs
    wanted = by_numpy(weights, given["image"], given["noise"])
    ours = dict(zip(results(net), interpret(flat, given, weights), strict=True))
    with torch.no_grad():
        losses, metrics = training_of(module)(*(torch.from_numpy(given[n]) for n in ("image", "noise")))
    assert list(losses) == list(wanted) and list(metrics) == ["spread"]
    for name, value in wanted.items():
        assert float(ours[f"loss/{name}"]) == pytest.approx(value, rel=1e-12)
        assert losses[name].item() == pytest.approx(value, rel=1e-5)


def test_the_targets_agree_on_each_loss_and_on_a_step_of_their_sum() -> None:
    net = written(VAE)
    report = verify(net, to_torch(net), "Vae", small=net)
    assert report.passed, (report.blames, report.training)
    values = {c.value for c in report.compared if c.target == "torch"}
    assert {"loss", "loss recon", "loss kl", "metric spread"} < values
    assert report.training is not None and report.training.worst("torch", "gradient/") is not None


def test_losses_that_are_exchanged_are_noticed() -> None:
    net = written(VAE)
    source = to_torch(net)
    wrong = (
        source.replace('"recon": ', '"other": ').replace('"kl": ', '"recon": ').replace('"other": ', '"kl": ')
    )
    assert wrong != source
    assert not verify(net, wrong, "Vae").passed


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("E0210", ("loss a: mean(input_)", "loss a: mean(x)")),
        ("E0210", ("loss a: mean(input_)", "metric a: mean(x)")),
        ("E0210", ("metric a: mean(x)", "loss a: mean(input_)")),
        ("E0210", ("metric mean(x)", "loss mean: mean(input_)")),
        ("E0210", ("loss mean(input_)", 'metric "loss": mean(x)')),
        ("E0505", ("loss a.b: mean(input_)",)),
        ("E0505", ("loss 1: mean(input_)",)),
        ("E0505", ('loss "a b": mean(input_)',)),
        ("E0505", ('loss "loss": mean(input_)',)),
        ("E0411", ("loss a: input_",)),
        ("E0401", ("loss mean(input_)", 'loss mean(cast(input_, "float64"))')),
    ],
)
def test_what_is_refused(code: str, lines: tuple[str, ...]) -> None:
    with pytest.raises(Refused) as refused:
        written(with_losses(*lines))
    assert [d.code for d in refused.value.diagnostics] == [code]


def test_a_loop_names_its_losses() -> None:
    net = written(with_losses("for i in range(3) {", '    loss "part{i}": i * mean(abs(input_ - t))', "}"))
    assert list(net.losses) == ["part0", "part1", "part2"]


def test_one_value_may_have_two_names() -> None:
    net = written(with_losses("far = mse(input_, t)", "loss far: far", "loss near: far", "loss far"))
    assert verify(net, to_torch(net), "A", small=net).passed


def test_a_layer_may_be_called_loss() -> None:
    source = to_torch(written(with_losses("loss mse(input_, t)").replace("-> Linear", '-> "loss": Linear')))
    assert "self.loss = nn.Linear(3, 3)" in source


def test_a_run_writes_each_loss_down(tmp_path, monkeypatch) -> None:
    spec = tmp_path / "two.net"
    spec.write_text(
        "net Two {\n    input image: float32[N, 1, 8, 8]\n    target label: int64[N]\n"
        "    logits = image -> flatten -> Linear(10)\n    output logits\n"
        "    loss picked: cross_entropy(logits, label)\n    loss decay: 0.1 * l2_penalty(weights('*'))\n}\n".replace(
            "'", '"'
        )
    )
    monkeypatch.chdir(tmp_path)
    command = ["train", str(spec), "--set", "train.epochs=2", "--set", "train.batch=256", "-o", "run"]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    for line in lines:
        assert list(line["losses"]) == ["picked", "decay"]
        assert sum(line["losses"].values()) == pytest.approx(line["test_loss"])
