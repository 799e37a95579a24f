"""Turns what goes wrong with exported files into diagnostics: the wording of E0901 to E0911."""

from collections.abc import Sequence
from pathlib import Path

from netc.diagnostics.diagnostic import Diagnostic, Note
from netc.diagnostics.wording import bytes_in_words


def no_such_model(path: Path) -> Diagnostic:
    return Diagnostic("E0901", f"there is no file {path}")


def not_loaded(path: Path, why: str) -> Diagnostic:
    reason = " ".join(why.split())
    return Diagnostic("E0902", f"onnxruntime cannot load {path}", notes=(Note(reason[:500]),))


def no_metadata(path: Path, why: str) -> Diagnostic:
    return Diagnostic(
        "E0903",
        f"{path} does not say how its images are prepared: {why}",
        help="netc train writes files that do",
    )


def other_input(path: Path, input_: str, expected: str) -> Diagnostic:
    return Diagnostic("E0904", f"{path} reads {input_}, and images of its metadata are {expected}")


def other_output(path: Path, shape: Sequence[object], classes: int) -> Diagnostic:
    written = f"[{', '.join(map(str, shape))}]"
    return Diagnostic("E0905", f"{path} gives {written} where [N, {classes}] is expected, one logit a class")


def no_provider(device: str, available: Sequence[str]) -> Diagnostic:
    return Diagnostic(
        "E0906",
        f"onnxruntime cannot run on {device} here",
        notes=(Note(f"it ran on {', '.join(available)}"),),
    )


def not_run(path: Path, why: str) -> Diagnostic:
    reason = " ".join(why.split())
    return Diagnostic("E0907", f"{path} failed while it ran", notes=(Note(reason[:500]),))


def not_finite(model: Path | str, where: str) -> Diagnostic:
    return Diagnostic(
        "E0908",
        f"{model} gives NaN or infinity {where}",
        help="its weights may come from training that diverged, or the image may lie far from what it was trained on",
    )


def too_long(path: Path, seconds: float) -> Diagnostic:
    return Diagnostic(
        "E0909",
        f"{path} was ended, as it took longer than {seconds:g} seconds",
        help="that is what a file may take to be loaded, and for each batch; --timeout allows it more",
    )


def too_much_memory(path: Path, most: int) -> Diagnostic:
    return Diagnostic(
        "E0910",
        f"{path} was ended, as it took more than {bytes_in_words(most)} of memory",
        help="--memory allows it more",
    )


def missing_package(package: str, why: str) -> Diagnostic:
    return Diagnostic(
        "E0911",
        f"this needs the package {package}, which cannot be imported",
        notes=(Note(" ".join(why.split())[:500]),),
        help=f"install it where netc is installed: python -m pip install {package}",
    )
