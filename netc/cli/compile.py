"""netc compile: PyTorch source, an ONNX file and the weights."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import click

from netc.cli import options
from netc.cli.report import say
from netc.cli.room import check_room
from netc.diagnostics import Refused
from netc.diagnostics.wording_weights import cannot_write, not_ours
from netc.ir.module import Net
from netc.passes.recipe_tree import recipe_of

if TYPE_CHECKING:
    from netc.passes.recipe import Chosen


@click.command("compile")
@options.spec
@options.net
@click.option(
    "--target",
    type=click.Choice(["torch", "onnx", "onnx-train", "all"]),
    default="all",
    show_default=True,
    help="What to write; all: torch and onnx.",
)
@click.option("-o", "--output", metavar="DIR", default=".", show_default=True, help="The folder to write to.")
@options.settings
@options.dynamic
@options.opset
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Take the weights from this safetensors file; every name must fit.",
)
@click.option(
    "--seed",
    type=options.Whole(0, 2**63 - 1),
    metavar="N",
    default=0,
    show_default=True,
    help="Draw the weights from this seed, where no file is given.",
)
@options.force
@options.form
def command(
    spec: str,
    net_name: str | None,
    target: str,
    output: str,
    sets: tuple[str, ...],
    dynamic: str | None,
    opset: int,
    weights: Path | None,
    seed: int,
    force: bool,
    format: str,
) -> None:
    """Compile a net NAME to name.py, name.onnx and name.safetensors, in --output.

    The source reads as if a careful person wrote it and needs only PyTorch. The ONNX file and the
    safetensors file hold the same weights, named by their paths in the spec: those of --weights, or
    drawn from the spec's distributions by --seed. Sizes that the spec leaves free, such as the batch,
    stay free in the ONNX file; --dynamic frees others where that can be proved to work.

    --target onnx-train writes name.train.onnx, one step of training by the recipe's optimizer for onnxruntime:
    inputs, targets, masks of dropout (1 to keep, 0 to drop), other draws, lr, weights and optimizer state in;
    the losses, the metrics and the new weights and state, each named NAME.next, out. Its metadata tells what is what.

    The same input gives the same bytes. Files that netc did not write are not overwritten without --force.

    \b
    netc compile specs/resnet.net --net ResNet50 -o out
    netc compile specs/resnet.net --net ResNet50 --target onnx --weights resnet50.safetensors --dynamic H,W
    """
    program = options.read_program(spec)
    settings, overrides = options.given_settings(sets)
    if overrides and target != "onnx-train":
        options.settings_of_net(sets)
    net = options.elaborated(program, options.chosen(program, net_name), settings, dynamic)
    optimizer = recipe_of(program.train, overrides).optimizer if target == "onnx-train" else None
    written = write_net(net, Path(output), target, opset, weights, seed, force, optimizer)
    for path in written:
        say(f"wrote {path} ({path.stat().st_size:,} bytes)")
    for constraint in net.constraints:
        say(options.demand(constraint))


def _check_free(paths: Sequence[Path], force: bool) -> None:
    """Refuses to write over what netc did not write, and over folders."""
    from netc.backends.output import written_by_netc

    if strangers := [p for p in paths if not force and p.exists() and not written_by_netc(p)]:
        raise Refused(*(not_ours(str(path)) for path in strangers))
    if folders := [p for p in paths if p.is_dir()]:
        raise Refused(*(cannot_write(str(path), "it is a folder") for path in folders))


def write_net(
    net: Net,
    folder: Path,
    target: str,
    opset: int,
    weights: Path | None,
    seed: int,
    force: bool,
    optimizer: Chosen | None = None,
) -> list[Path]:
    """Writes the files of `target`, all or none; gives their paths. optimizer: of a step of training."""
    from netc.backends.describe import describe
    from netc.backends.output import Writer, write_outputs
    from netc.backends.weights import Drawn, opened_weights, safetensors_files
    from netc.passes.elaboration.naming import snake_case
    from netc.passes.initial import state

    name = snake_case(net.name)
    paths = {kind: folder / f"{name}.{kind}" for kind in ("py", "onnx", "train.onnx", "safetensors")}
    wanted = {
        "torch": ("py", "safetensors"),
        "onnx": ("onnx",),
        "onnx-train": ("train.onnx", "safetensors"),
        "all": ("py", "onnx", "safetensors"),
    }[target]
    _check_free([paths[kind] for kind in wanted], force)
    table = state(net)
    check_room(table, folder, sum(kind in ("onnx", "safetensors") for kind in wanted))
    files: dict[Path, Writer] = {}
    with opened_weights(weights, table) if weights else nullcontext(Drawn(table, seed)) as source:
        if "onnx" in wanted:
            from netc.backends.onnx_file import onnx_files
            from netc.backends.to_onnx import to_onnx

            files |= onnx_files(paths["onnx"], to_onnx(net, opset), source)
        if optimizer is not None:
            from netc.backends.onnx_file import onnx_files
            from netc.backends.to_onnx_training import to_onnx_training

            files |= onnx_files(paths["train.onnx"], to_onnx_training(net, optimizer, opset), source)
        if "py" in wanted:
            from netc.backends.to_torch import to_torch

            text = to_torch(net).encode()
            files[paths["py"]] = lambda sink: sink.write(text)
        if "safetensors" in wanted:
            files |= safetensors_files(paths["safetensors"], table, source, describe(net))
        write_outputs(files, force)
    return [paths[kind] for kind in wanted]
