"""netc train: a spec and data to trained weights, an ONNX file, and the proof that both agree."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netc.backends.weights import load_weights, opened_weights
from netc.cli import options
from netc.cli.packages import require
from netc.cli.report import download, say
from netc.ir.module import Net
from netc.passes.elaboration.naming import snake_case
from netc.passes.initial import draw, state
from netc.passes.load import Program
from netc.passes.recipe import Recipe

if TYPE_CHECKING:
    from netc.backends.weights import Array
    from netc.deploy.compare import Comparison
    from netc.train.dataset import Dataset
    from netc.train.events import Event, Report, Result
    from netc.train.run_folder import Run


@click.command("train")
@options.spec
@options.net
@click.option(
    "--data",
    default="digits",
    show_default=True,
    metavar="DATA",
    help="digits (in the package), cifar10, or folder:PATH with train/ and test/.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the files of cifar10 are; else they are downloaded once.",
)
@options.settings
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The run folder; runs/NAME-001 and so on unless given.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Start from the weights in this safetensors file.",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Where to train.",
)
@options.opset
@options.form
def command(
    spec: str,
    net_name: str | None,
    data: str,
    data_dir: Path | None,
    sets: tuple[str, ...],
    output: Path | None,
    weights: Path | None,
    device: str,
    opset: int,
    format: str,
) -> None:
    """Train a net by the recipe in its spec; --set train.epochs=3 overrides a part of it.

    Spec, recipe and data are checked before the first step. The run folder gets the spec, the emitted
    module, metrics.jsonl, curves.png, the weights that were best on the test images, and at the end the
    ONNX file with these weights, which is compared with the module on every test image. (The best epoch
    is chosen on the test images, so its accuracy is slightly flattering; metrics.jsonl has them all.)

    \b
    netc train specs/digits.net --net DigitsCNN
    netc train specs/resnet_cifar.net --net ResNetNarrow --data cifar10 --data-dir DIR --set train.epochs=5
    """
    require(("torch", "safetensors", "PIL", "matplotlib", "onnx", "onnxruntime", "rich"))
    from rich.console import Console

    from netc.backends.to_onnx import to_onnx
    from netc.passes.recipe_tree import recipe_of
    from netc.train.interrupt import interruptible
    from netc.train.progress import progress
    from netc.train.run_folder import new_folder

    program = options.read_program(spec)
    settings, overrides = options.given_settings(sets)
    net = options.elaborated(program, options.chosen(program, net_name), dict(settings))
    recipe = recipe_of(program.train, overrides)
    to_onnx(net, opset)  # what cannot be exported in the end is refused before training
    with new_folder(snake_case(net.name), output) as (folder, keep):
        dataset = _fitting_data(net, recipe, data, data_dir)
        start = _start(net, recipe, weights)
        run, source = _new_run(program, net, settings, recipe, data, dataset, folder, weights)
        from netc.train.loop import Job, train  # torch, which nothing refused so far needed

        job = Job(source, net.name, start, recipe, dataset, run.preprocess, folder, device)
        with interruptible() as stop, progress(Console(stderr=True)) as report:
            result = train(job, _telling(folder, keep, report), stop)
    comparison = _export(net, run, dataset, opset)
    _finish(run, result, comparison)
    sys.exit(128 + stop.signal if result.interrupted else 0 if comparison.agrees else 1)


def _fitting_data(net: Net, recipe: Recipe, name: str, data_dir: Path | None) -> Dataset:
    """The data, refused unless the net can take it."""
    from netc.train.data import load_data
    from netc.train.dataset import channels_of, check_fit
    from netc.train.fit import image_shape

    shape, outputs = image_shape(net)
    data = load_data(name, channels_of(shape), data_dir, download)
    for note in data.notes:
        say(note)
    check_fit(data, shape, outputs, recipe)
    return data


def _start(net: Net, recipe: Recipe, weights: Path | None) -> dict[str, Array]:
    """The first weights: drawn from the recipe's seed, or read."""
    table = state(net)
    if weights:
        return load_weights(weights, table)
    return {name: draw(name, param, recipe.seed) for name, param in table.items()}


def _telling(folder: Path, keep: Callable[[], None], report: Report) -> Report:
    """A report that names the folder when training begins, and keeps it from the first step on."""
    from netc.train.events import Started, Stepped

    def tell(event: Event) -> None:
        if isinstance(event, Started):
            say(f"run folder {folder}")
        elif isinstance(event, Stepped):
            keep()
        report(event)

    return tell


def _new_run(
    program: Program,
    net: Net,
    settings: dict[str, Any],
    recipe: Recipe,
    data_name: str,
    data: Dataset,
    folder: Path,
    weights: Path | None,
) -> tuple[Run, str]:
    """Fills the run's folder with all that is known before the first step; also gives the module's source."""
    from netc.backends.to_torch import to_torch
    from netc.train.preprocess import measured
    from netc.train.run_files import spec_name, write_start
    from netc.train.run_folder import Run

    module, preprocess, name = to_torch(net), measured(data.train), snake_case(net.name)
    run = Run(
        folder=folder,
        net=net.name,
        class_name=net.name,
        module=f"{name}.py",
        onnx=f"{name}.onnx",
        spec=f"spec/{spec_name(program.source.path, program.imported)}",
        data=data_name,
        classes=data.classes,
        preprocess=preprocess,
        settings=settings,
        start=str(weights) if weights else None,
    )
    write_start(run, program.source.text, module, recipe, data, program.imported)
    return run, module


def _export(net: Net, run: Run, data: Dataset, opset: int) -> Comparison:
    """Writes the ONNX file with the best weights and compares it with the module on the test images."""
    from netc.backends.onnx_file import write_onnx
    from netc.backends.to_onnx import to_onnx
    from netc.deploy.compare import compare
    from netc.deploy.session import open_model
    from netc.deploy.supervised import UNLIMITED
    from netc.train.evaluate import logits_of, trained_module

    path = run.folder / run.onnx
    with opened_weights(run.weights, state(net)) as source:
        write_onnx(path, to_onnx(net, opset, run.preprocess.as_json(), run.classes), source)
    model = open_model(path, "cpu", UNLIMITED)
    found = compare(
        model, logits_of(trained_module(net, run.weights), data.test.images, run.preprocess), data
    )
    same = found.images - len(found.differing) - len(found.close)
    say(
        f"wrote {path}: the same class as PyTorch for {same:,} of {found.images:,} test images, "
        f"relative error {found.relative_error:.1e} ({found.provider})"
    )
    if found.close:
        say(f"  apart, with their best two logits within 1e-5: {', '.join(map(str, found.close))}")
    if found.differing:
        say(f"  DIFFERENT CLASS: {', '.join(map(str, found.differing[:50]))}")
    return found


def _finish(run: Run, result: Result, comparison: Comparison) -> None:
    """Records the result in the run's folder and says it."""
    from netc.train.run_files import write_end

    write_end(run, result, comparison.as_json())
    if (best := result.best) is not None:
        accuracy = best.test_accuracy
        figure = f"accuracy {accuracy:.2%}" if accuracy is not None else f"loss {best.test_loss:.4f}"
        say(f"best test {figure} in epoch {best.epoch}; {result.seconds:.1f} s")
    if result.interrupted:
        say(f"interrupted; the best weights so far are in {run.folder}")
