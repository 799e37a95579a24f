"""Turns what goes wrong with data, runs and training into diagnostics: the wording of E0821 to E0833."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from netc.diagnostics.diagnostic import Diagnostic, Note
from netc.diagnostics.wording_recipe import nearest


def unknown_data(name: str, known: Iterable[str]) -> Diagnostic:
    return Diagnostic("E0821", f"there is no data named `{name[:200]}`", help=nearest(name, known))


def data_not_found(name: str, looked: Sequence[Path], files: Sequence[str], url: str, why: str) -> Diagnostic:
    return Diagnostic(
        "E0822",
        f"{name} is not on this machine, and fetching it failed: {why}",
        notes=(
            *(Note(f"looked in {folder}") for folder in looked),
            Note(f"for {', '.join(files)}"),
            Note(f"tried {url}"),
        ),
        help="put the files in a folder and name it with --data-dir",
    )


def cut_short(path: Path, got: int, size: int) -> Diagnostic:
    return Diagnostic(
        "E0822",
        f"the download stopped at {got} of {size} bytes",
        notes=(Note(f"what came is kept in {path}"),),
        help="run the command again: it goes on from there",
    )


def wrong_size(path: Path | str, got: int, expected: int) -> Diagnostic:
    return Diagnostic("E0823", f"{path} holds {got} bytes where {expected} are expected")


def wrong_checksum(what: str, got: str, expected: str) -> Diagnostic:
    return Diagnostic(
        "E0823",
        f"{what} is not the file that it should be: its SHA-256 differs",
        notes=(Note(f"expected {expected}"), Note(f"got      {got}")),
        help="it has been discarded; if this happens again, do not trust the source",
    )


def not_an_archive(path: Path, why: str) -> Diagnostic:
    return Diagnostic("E0823", f"{path} does not hold the expected files: {why}")


def label_out_of_range(path: Path | str, record: int, label: int, classes: int) -> Diagnostic:
    return Diagnostic(
        "E0823", f"{path}: image {record} has the label {label}, and there are {classes} classes, from 0"
    )


def no_such_folder(path: Path) -> Diagnostic:
    return Diagnostic(
        "E0824", f"there is no folder {path}", help="a folder of images holds train/CLASS/* and test/CLASS/*"
    )


def unreadable_folder(path: Path, why: str) -> Diagnostic:
    return Diagnostic("E0824", f"the folder {path} cannot be read: {why}")


def no_images(path: Path, what: str) -> Diagnostic:
    return Diagnostic(
        "E0824", f"{path} has no {what}", help="a folder of images holds train/CLASS/* and test/CLASS/*"
    )


def empty_class(path: Path) -> Diagnostic:
    help_ = "put images of the class there, or remove the folder from train/ and test/"
    return Diagnostic("E0824", f"{path} has no images", help=help_)


def to_remove(diagnostic: Diagnostic) -> Diagnostic:
    """What is wrong with a file of a folder of images, which need not hold it."""
    return replace(diagnostic, help="mend or remove the file")


def class_not_text(folder: Path) -> Diagnostic:
    return Diagnostic(
        "E0824", f"the name of the class folder {folder} is not UTF-8", help="rename it, in train/ and test/"
    )


def beside_classes(path: Path) -> str:
    return f"{path} is not read: images stand in a folder of their class"


def below_class(path: Path) -> str:
    return f"{path} is not read: images stand in the folder of their class itself"


def classes_differ(path: Path, only_train: Sequence[str], only_test: Sequence[str]) -> Diagnostic:
    missing = [*(f"test/{name}" for name in only_train), *(f"train/{name}" for name in only_test)]
    more = f" and {len(missing) - 5} more" if len(missing) > 5 else ""
    return Diagnostic(
        "E0824", f"{path} lacks {', '.join(missing[:5])}{more}: train and test need the same classes"
    )


def not_an_image(path: Path, why: str) -> Diagnostic:
    return Diagnostic("E0825", f"{path} cannot be read as an image: {why[:200]}")


def no_range(path: Path, numbers: str) -> Diagnostic:
    return Diagnostic(
        "E0825",
        f"{path} holds {numbers}, and which of them is white it does not say",
        help="store it with 8 or 16 bits a channel",
    )


def too_many_pixels(path: Path, size: tuple[int, int], most: int) -> Diagnostic:
    return Diagnostic("E0825", f"{path} has {size[0]} x {size[1]} pixels, more than the {most} that are read")


def unequal_sizes(path: Path, size: tuple[int, int], first: Path, expected: tuple[int, int]) -> Diagnostic:
    return Diagnostic(
        "E0825",
        f"{path} is {size[0]} x {size[1]} (H x W), and the first image is {expected[0]} x {expected[1]}",
        notes=(Note(f"the first is {first}"),),
        help="give all images one size: netc does not resize what it trains on",
    )


def not_for_images(shape: Sequence[int | str], images: Sequence[int]) -> Diagnostic:
    """`shape`: of the net's input; `images`: C, H, W of the data, as far as they are known."""
    pairs = zip(shape[1:], images, strict=False) if len(shape) == 4 else ()
    free = {name: size for name, size in pairs if isinstance(name, str) and name.isidentifier()}
    sets = " ".join(f"--set {name}={size}" for name, size in free.items())
    return Diagnostic(
        "E0826",
        f"the net reads {_shape(shape)}, and images are [N, 1, H, W] or [N, 3, H, W] of known size",
        help=f"say the size: {sets}" if sets else None,
    )


def shape_differs(data: str, images: Sequence[int], shape: Sequence[int]) -> Diagnostic:
    return Diagnostic(
        "E0826", f"the images of {data} are {_shape(images)} (C, H, W), and the net reads {_shape(shape)}"
    )


def class_count_differs(data: str, classes: int, outputs: int) -> Diagnostic:
    has = f"{classes} class{'es' * (classes != 1)}, and the net has {outputs} output{'s' * (outputs != 1)}"
    help_ = f"where the net has such a parameter: --set classes={classes}"
    return Diagnostic("E0827", f"{data} has {has}", help=help_)


def other_classes(data: str, has: Sequence[str], known: Sequence[str]) -> Diagnostic:
    """has: the classes of the data. known: those that the run learned."""
    new, lacking = ([name for name in some if name not in others] for some, others in (
        (has, frozenset(known)), (known, frozenset(has)),
    ))  # fmt: skip
    parts = [f"the run does not know {_few(new)}"] * bool(new) + [f"the data lack {_few(lacking)}"] * bool(
        lacking
    )
    return Diagnostic(
        "E0836",
        f"the classes of {data} are not those of the run: {', and '.join(parts)}",
        notes=(Note(f"the run knows {_few(known)}"),),
        help="classes are matched by name: give the data the run's names",
    )


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return ", ".join(f"`{name}`" for name in names[:10]) + more


def crop_differs(size: int, shape: Sequence[int]) -> Diagnostic:
    return Diagnostic(
        "E0828",
        f"random_crop({size}) makes images of {size} x {size}, and the net reads {shape[1]} x {shape[2]}",
        help=f"write random_crop({shape[1]}, padding=...)" if shape[1] == shape[2] else None,
    )


def batch_too_large(batch: int, images: int) -> Diagnostic:
    fitting = 1 << (min(images, 64).bit_length() - 1)
    return Diagnostic(
        "E0828",
        f"a batch of {batch} is more than the {images} training image{'s' * (images != 1)}",
        help=f"take a smaller one: --set train.batch={fitting}",
    )


def batch_refused(batch: int, why: str) -> Diagnostic:
    return Diagnostic(
        "E0828",
        f"the net cannot take a batch of {batch} image{'s' * (batch != 1)}: {why[:500]}",
        help="a norm over the batch needs two images at least: --set train.batch=2"
        if batch == 1
        else "training needs a net that takes any batch, the 500 images or fewer of a test's, too",
    )


def fixed_batch(net: str, batch: int) -> Diagnostic:
    return Diagnostic(
        "E0828",
        f"`{net}` takes {batch} image{'s' * (batch != 1)} at a time, and training needs a net that takes any number",
        help="write a name for the first axis of its input and its target, such as [N, ...]",
    )


def loss_not_finite(loss: float, epoch: int, step: int, rate: float) -> Diagnostic:
    return Diagnostic(
        "E0829",
        f"the loss became {loss} in epoch {epoch} at step {step}, at learning rate {rate:.3g}",
        notes=(Note("training stopped before this step could change the weights"),),
        help="a lower learning rate or a longer warm-up often helps: --set train.lr=...",
    )


def run_exists(path: Path) -> Diagnostic:
    return Diagnostic(
        "E0830", f"{path} exists already, and a run is never overwritten", help="name another with -o"
    )


def not_a_run(path: Path, why: str) -> Diagnostic:
    return Diagnostic("E0831", f"{path} is not the folder of a finished run: {why}")


def no_cuda() -> Diagnostic:
    return Diagnostic(
        "E0832", "there is no CUDA device that torch can use", help="leave --device out, or say cpu"
    )


def weights_differ(missing: Sequence[str], unexpected: Sequence[str], shapes: Sequence[str]) -> Diagnostic:
    notes = [Note(f"{what}: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}") for what, names in (
        ("not among the weights", missing), ("not in the module", unexpected), ("of another shape", shapes),
    ) if names]  # fmt: skip
    return Diagnostic("E0833", "the weights do not fit the emitted module", notes=tuple(notes))


def _shape(shape: Sequence[int | str]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def no_loss(net: str) -> Diagnostic:
    return Diagnostic(
        "E0834", f"`{net}` has no loss to train", help="add `loss cross_entropy(logits, label)` to the net"
    )


def not_a_classifier(net: str, inputs: int, targets: list[str]) -> Diagnostic:
    return Diagnostic(
        "E0835",
        f"`netc train` trains classifiers of single images: one input and one label an image; `{net}` has "
        f"{inputs} input{'s' * (inputs != 1)} "
        f"and {'the target' + 's' * (len(targets) > 1) if targets else 'no target'} {', '.join(targets)}".rstrip(),
        help="compile it and train its class `Training` with a loop of your own: docs/training.md shows one",
    )
