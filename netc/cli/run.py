"""netc run: images to classes, with an exported ONNX file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from netc.cli import options
from netc.cli.report import print_findings, print_json, print_line, say
from netc.diagnostics import Refused
from netc.diagnostics.render import render_json


@click.command("run")
@click.argument("model", type=click.Path(path_type=Path), metavar="MODEL.onnx")
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE...")
@click.option(
    "--top",
    type=options.Whole(1),
    default=5,
    show_default=True,
    help="How many classes to print for each image.",
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
    model: Path, images: tuple[Path, ...], top: int, device: str, timeout: float, memory: float, format: str
) -> None:
    """Classify images with an ONNX file that `netc train` exported.

    The file says how images are to be prepared and what its classes are called. Prints the likeliest
    classes of each image and which of onnxruntime's providers ran. An image that cannot be read, or for which
    the net gives NaN, is reported, and the others are classified; the status is then 1.

    The file may be anybody's: it runs in a process of its own, which is ended where it takes longer than
    --timeout to be loaded or for a batch, or more memory than --memory.

    \b
    netc run runs/digits_cnn-001/digits_cnn.onnx runs/digits_cnn-001/samples/*.png
    """
    from netc.deploy.classify import classify
    from netc.deploy.session import open_model

    opened = open_model(model, device, options.limits(timeout, memory))
    classified, findings = classify(opened, images, top)
    if not classified:
        raise Refused(*findings)
    if format == "json":
        images_found = [
            {
                "path": str(c.path),
                "classes": [{"name": g.name, "probability": g.probability} for g in c.guesses],
            }
            for c in classified
        ]
        errors = json.loads(render_json(findings))
        print_json({"provider": opened.provider, "images": images_found, "errors": errors})
        sys.exit(1 if findings else 0)
    for one in classified:
        guesses = "  ".join(f"{g.name} {g.probability:.1%}" for g in one.guesses)
        print_line(f"{one.path}: {guesses}")
    print_findings(findings, "text")
    say(f"{opened.net} on {opened.provider}")
    sys.exit(1 if findings else 0)
