"""netc eval: accuracy, loss and speed of a trained run."""

from __future__ import annotations

from pathlib import Path

import click

from netc.cli import options
from netc.cli.report import print_json


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
@options.form
def command(
    run: Path, backend: str, data: str | None, data_dir: Path | None, device: str, format: str
) -> None:
    """Measure the best weights of a run folder on its test images.

    The loss is the cross-entropy of the logits, so that both backends can be compared.

    \b
    netc eval runs/digits_cnn-001 --backend onnx
    """
    from netc.train.data import load_data
    from netc.train.dataset import check_fit
    from netc.train.run_folder import read_run

    held = read_run(run)
    size, channels = held.preprocess.size, held.preprocess.channels
    dataset = load_data(data or held.data, channels, data_dir)
    check_fit(dataset, (channels, *size), len(held.classes))
    if backend == "torch":
        from netc.train.evaluate import evaluate_torch

        result = evaluate_torch(held, dataset.test, device)
    else:
        from netc.deploy.compare import evaluate_onnx
        from netc.deploy.session import open_model

        result = evaluate_onnx(open_model(held.folder / held.onnx, device), dataset.test)
    if format == "json":
        from dataclasses import asdict

        print_json(asdict(result))
        return
    click.echo(
        f"{held.net} on {dataset.name} ({result.backend}, {result.device}): accuracy {result.accuracy:.2%}, "
        f"loss {result.loss:.4f}, {len(dataset.test):,} images, {result.images_a_second:,.0f} images/s"
    )
