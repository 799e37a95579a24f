"""netc eval: accuracy, loss and speed of a trained run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from netc.cli import options
from netc.cli.report import download, print_json, print_line, say

if TYPE_CHECKING:
    from netc.deploy.supervised import Limits
    from netc.train.dataset import Labelled
    from netc.train.run_folder import Run
    from netc.train.score import Evaluation


@click.command("eval")
@click.argument("run", type=click.Path(path_type=Path), metavar="RUN")
@click.option(
    "--backend",
    type=click.Choice(["torch", "onnx"]),
    default="torch",
    show_default=True,
    help="What runs the net.",
)
@click.option(
    "--data", metavar="DATA", help="digits, cifar10 or folder:PATH; what the run was trained on unless given."
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the files of cifar10 are, or go.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to run.",
)
@options.timeout
@options.memory
@options.form
def command(
    run: Path,
    backend: str,
    data: str | None,
    data_dir: Path | None,
    device: str,
    timeout: float,
    memory: float,
    format: str,
) -> None:
    """Measure the best weights of a run folder on its test images.

    The loss is the cross-entropy of the logits, so that both backends can be compared. Classes are matched by
    name. The module is emitted anew from the spec in the folder; no Python in the folder is run.

    \b
    netc eval runs/digits_cnn-001 --backend onnx
    """
    from netc.train.data import load_test
    from netc.train.run_folder import read_run

    held = read_run(run)
    test = load_test(data or held.data, held.preprocess.channels, data_dir, download)
    for note in test.notes:
        say(note)
    if backend == "torch":
        result = _by_torch(held, test, device)
    else:
        result = _by_onnx(held, test, device, options.limits(timeout, memory))
    if format == "json":
        from dataclasses import asdict

        print_json(asdict(result))
        return
    line = (
        f"{held.net} on {test.name} ({result.backend}, {result.device}): accuracy {result.accuracy:.2%}, "
        f"loss {result.loss:.4f}, {result.images:,} images, {result.images_a_second:,.0f} images/s"
    )
    print_line(line)


def _by_torch(run: Run, test: Labelled, device: str) -> Evaluation:
    """By the module, emitted anew from the run's spec: the one in the folder is never run."""
    from netc.train.dataset import check_fit, in_order_of
    from netc.train.fit import image_shape
    from netc.train.run_net import net_of_run

    net = net_of_run(run)
    split = in_order_of(run.classes, test)
    shape, outputs = image_shape(net)
    check_fit(test, shape, outputs)
    from netc.train.evaluate import evaluate_torch, trained_module

    return evaluate_torch(trained_module(net, run.weights), run.preprocess, split, device)


def _by_onnx(run: Run, test: Labelled, device: str, limits: Limits) -> Evaluation:
    """By the exported file, which has classes and preprocessing of its own."""
    from netc.deploy.compare import evaluate_onnx
    from netc.deploy.session import open_model
    from netc.train.dataset import check_fit, in_order_of

    model = open_model(run.folder / run.onnx, device, limits)
    split = in_order_of(model.classes, test)
    check_fit(test, (model.preprocess.channels, *model.preprocess.size), len(model.classes))
    return evaluate_onnx(model, split)
