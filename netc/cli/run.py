"""netc run: images to classes, with an exported ONNX file."""

from __future__ import annotations

from pathlib import Path

import click

from netc.cli import options
from netc.cli.report import say


@click.command("run")
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL.onnx")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE...")
@click.option("--top", type=click.IntRange(1), default=5, show_default=True, help="How many classes to print for each image.")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True, help="Where to run.")
@options.form
def command(model: Path, images: tuple[Path, ...], top: int, device: str, format: str) -> None:
    """Classify images with an ONNX file that `netc train` exported.

    The file says how images are to be prepared and what its classes are called. Prints the likeliest
    classes of each image and which of onnxruntime's providers ran.

    \b
    netc run runs/digits_cnn-001/digits_cnn.onnx runs/digits_cnn-001/samples/*.png
    """
    from netc.deploy.classify import classify
    from netc.deploy.session import open_model

    opened = open_model(model, device)
    found = classify(opened, images, top)
    if format == "json":
        import json

        click.echo(json.dumps({"provider": opened.provider, "images": [
            {"path": str(c.path), "classes": [{"name": g.name, "probability": g.probability} for g in c.guesses]}
            for c in found]}, indent=2))
        return
    for classified in found:
        guesses = "  ".join(f"{g.name} {g.probability:.1%}" for g in classified.guesses)
        click.echo(f"{classified.path}: {guesses}")
    say(f"{opened.net} on {opened.provider}")
