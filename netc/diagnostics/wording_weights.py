"""Wording of what is found with weights, output files, ONNX and running: one function a finding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from netc.diagnostics.diagnostic import Diagnostic, Note
from netc.diagnostics.source import Span
from netc.diagnostics.wording import bytes_in_words, nearest

SHOWN = 20  # names a report lists before it only counts
COMPARED = 1000  # names among which the nearest is sought, as a file may hold any number


def shown_shape(shape: Iterable[object]) -> str:
    return f"[{', '.join(map(str, shape))}]"


def unreadable_weights(path: str, why: str) -> Diagnostic:
    return Diagnostic("E0701", f"{path} cannot be read as a safetensors file: {why}")


def saved_by_torch(path: str) -> Diagnostic:
    saved = path.rpartition("/")[2].rpartition(".")[0] + ".safetensors"
    return Diagnostic(
        "E0701",
        f"{path} is no safetensors file, but a zip archive or a pickle, as torch.save writes",
        notes=(Note("a pickle can run code as it is read; weights_only=True reads tensors alone"),),
        help=f'convert it in Python: state = torch.load("{path}", weights_only=True); '
        f'safetensors.torch.save_file({{k: v.clone() for k, v in state.items()}}, "{saved}")',
    )


def not_finite(path: str, name: str, count: int, of: int) -> Diagnostic:
    return Diagnostic(
        "E0714",
        f"`{name}` in {path} holds NaN or infinity, {count:,} of its {of:,} numbers: the net would answer NaN",
        help="such weights come from training that diverged; take an earlier checkpoint",
    )


def foreign_weights(path: str, count: int, theirs: str, ours: str) -> Diagnostic:
    return Diagnostic(
        "E0703",
        f"none of the {count} names in {path} is the net's; it may be of another net",
        notes=(Note(f"it has `{theirs}`, for one, and the net has `{ours}`"),),
    )


def missing_tensor(path: str, name: str, spare: Iterable[str]) -> Diagnostic:
    """`spare`: the tensors of its shape that the net lacks."""
    near = nearest(name, islice(spare, COMPARED))
    return Diagnostic(
        "E0702",
        f"{path} has no tensor `{name}`",
        help=f"it has `{near}`, which the net does not: is that the one?" if near else None,
    )


def unexpected_tensor(path: str, name: str, known: Iterable[str]) -> Diagnostic:
    near = nearest(name, islice(known, COMPARED))
    return Diagnostic(
        "E0703",
        f"{path} has a tensor `{name}`, but the net has no parameter of that name",
        help=f"the net has `{near}`" if near else None,
    )


def unlisted(path: str, count: int, what: str) -> Note:
    return Note(f"and {count} more tensors of {path} are {what}")


def wrong_shape(path: str, name: str, found: Sequence[int], wanted: Sequence[object]) -> Diagnostic:
    message = f"`{name}` has shape {shown_shape(found)} in {path}, but the net needs {shown_shape(wanted)}"
    return Diagnostic("E0704", message)


def wrong_dtype(path: str, name: str, found: str, wanted: str) -> Diagnostic:
    return Diagnostic(
        "E0705",
        f"`{name}` is {found} in {path}, but the net needs {wanted}",
        help=f"convert it to {wanted} first: netc neither rounds nor widens numbers unasked",
    )


def unsupported_opset(opset: int, least: int, most: int) -> Diagnostic:
    return Diagnostic("E0706", f"opset {opset} cannot be written; netc writes opsets {least} to {most}")


def not_ours(path: str) -> Diagnostic:
    return Diagnostic(
        "E0707",
        f"{path} exists, and netc did not write it, so it is left as it is",
        help="move it, choose another folder with -o, or overwrite it with --force",
    )


def cannot_write(path: str, why: str) -> Diagnostic:
    return Diagnostic("E0708", f"{path} cannot be written: {why}", help="nothing was changed")


def no_room(path: str, needed: int, free: int) -> Diagnostic:
    why = f"the files take {bytes_in_words(needed)}, and {bytes_in_words(free)} are free"
    return Diagnostic("E0708", f"{path} cannot be written: {why}", help="choose another folder with -o")


def no_memory(what: str, needed: int, there: int) -> Diagnostic:
    """what: which thing cannot be done."""
    why = f"that takes {bytes_in_words(needed)} of memory, and the machine has {bytes_in_words(there)}"
    return Diagnostic(
        "E0708",
        f"{what}: {why}",
        help="`netc check` and `netc show` allocate nothing, however large the net is",
    )


def provider_missing(name: str, available: Iterable[str]) -> Diagnostic:
    return Diagnostic(
        "E0709", f"onnxruntime here has no provider {name}", help=f"it has {', '.join(available)}"
    )


def provider_not_running(name: str, running: Iterable[str]) -> Diagnostic:
    return Diagnostic(
        "E0709",
        f"{name} was asked for, but onnxruntime runs the model with {', '.join(running)}",
        help="its driver or libraries may be missing; choose a provider that runs",
    )


def unknown_at_run_time(name: str, span: Span | None) -> Diagnostic:
    return Diagnostic(
        "E0710",
        f"the size {name} is needed at run time, but no axis of an input tells it",
        span,
        help=f"write {name} as an axis of its own in an input's shape",
    )


def module_failed(what: str, why: str) -> Diagnostic:
    return Diagnostic("E0711", f"the emitted PyTorch module cannot {what}: {why}")


def graph_failed(path: str, why: str) -> Diagnostic:
    return Diagnostic("E0712", f"onnxruntime refuses {path}: {why}")


def misfit_input(name: str, found: Sequence[int], wanted: Sequence[object]) -> Diagnostic:
    message = f"input {name} has shape {shown_shape(found)}, but the net takes {shown_shape(wanted)}"
    return Diagnostic("E0713", message)
