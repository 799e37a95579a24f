"""Measures the forward pass and the training step of the emitted ResNet-50 against a hand-written module.

Both hold the same layers and weights and run in turn in one process; a second hand-written instance shows
how much two runs of the same code differ, and one with relu in place, as torchvision has it, what that saves.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import tempfile
import time
from collections.abc import Callable
from math import sqrt
from pathlib import Path
from statistics import median, quantiles

import torch
from resnet50 import ResNet50, Training
from timing import NETC, SPEC, Bound, conclude, run, table

BATCH = 8
LEAST, MOST = 0.01, 0.05  # what passes for noise in any case, and what no longer does


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="how often each is run (%(default)s)")
    parser.add_argument("--device", choices=["cpu", "cuda"], help="cuda where there is one, else cpu")
    parser.add_argument("--threads", type=int, default=2, help="threads of PyTorch (%(default)s)")
    arguments = parser.parse_args()

    device = arguments.device or ("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    forms = _forms(device)
    images = torch.randn(BATCH, 3, 224, 224, device=device)
    labels = torch.randint(1000, (BATCH,), device=device)
    bounds = []
    for what, make, times in (("forward", _forward, 3), ("training step", _training_step, 1)):
        steps = {name: make(form, images, labels) for name, form in forms.items()}
        bounds += _compare(f"{what} on {device}", steps, times * arguments.rounds, device)
    conclude(bounds)


def _forms(device: str) -> dict[str, torch.nn.Module]:
    """The emitted net and two hand-written ones with their losses, with the same weights and the same answers."""
    with tempfile.TemporaryDirectory() as folder:
        run([*NETC, "compile", SPEC, "--net", "ResNet50", "--target", "torch", "-o", folder])
        (path,) = Path(folder).glob("*.py")
        spec = importlib.util.spec_from_file_location("emitted", path)
        assert spec is not None and spec.loader is not None
        emitted = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(emitted)
    forms: dict[str, torch.nn.Module] = {
        "hand-written": Training(ResNet50()),
        "hand-written again": Training(ResNet50()),
        "emitted": emitted.Training(emitted.ResNet50()),
        "hand-written, relu in place": Training(ResNet50(inplace=True)),
    }
    weights = forms["emitted"].net.state_dict()
    for form in forms.values():
        form.net.load_state_dict(weights)
        form.to(device).eval()
    x = torch.randn(2, 3, 224, 224, device=device)
    with torch.inference_mode():
        torch.testing.assert_close(forms["emitted"].net(x), forms["hand-written"].net(x))
    return forms


def _forward(form: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    form.eval()

    def step() -> None:
        with torch.inference_mode():
            form.net(images)

    return step


def _training_step(form: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> Callable[[], None]:
    form.train()
    optimizer = torch.optim.SGD(form.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        losses, _ = form(images, labels)
        losses["loss"].backward()
        optimizer.step()

    return step


def _compare(what: str, steps: dict[str, Callable[[], None]], rounds: int, device: str) -> list[Bound]:
    """Runs the steps in turn, in another order each round; the first round is not counted.

    The noise is how far apart the two hand-written modules are, and how much a median may be off.
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    order = list(steps)
    shuffle = random.Random(0).shuffle
    for number in range(rounds + 1):
        for name in order:
            taken = _seconds(steps[name], device)
            if number:
                seconds[name].append(taken)
        shuffle(order)
    base = seconds["hand-written"]
    ratios = {name: [a / b for a, b in zip(seconds[name], base, strict=True)] for name in steps}
    rows = [
        (name, 1e3 * median(taken), 1e3 * min(taken), median(ratios[name])) for name, taken in seconds.items()
    ]
    head = (what, "ms", "best ms", "of hand-written")
    table(head, [(name, f"{ms:.1f}", f"{best:.1f}", f"{ratio:.3f}") for name, ms, best, ratio in rows])
    print()
    again = ratios["hand-written again"]
    low, _, high = quantiles(again, n=4)
    noise = max(abs(median(again) - 1), 2 * 0.93 * (high - low) / sqrt(rounds))  # twice a median's error
    return [
        Bound(f"{what}: noise, from two equal modules", noise, MOST),
        Bound(
            f"{what}: emitted / hand-written (1.00 within noise)",
            median(ratios["emitted"]),
            1 + max(LEAST, noise),
        ),
    ]


def _seconds(step: Callable[[], None], device: str) -> float:
    start = time.perf_counter()
    step()
    if device == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
