"""Turns what goes wrong with exported files into diagnostics: the wording of E0901 to E0907."""

from collections.abc import Sequence
from pathlib import Path

from netc.diagnostics.diagnostic import Diagnostic, Note


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
