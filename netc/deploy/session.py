"""Turns an ONNX file into a session that gives logits for images, with what its metadata says."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from netc.diagnostics import Refused
from netc.diagnostics import wording_deploy as say
from netc.train.dataset import Bytes
from netc.train.preprocess import Floats, Preprocess, from_json

PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}
BATCH = 500
# Only fatal messages: onnxruntime reports a GPU that is not there as an error, and then does without.
QUIET = 4


@dataclass(frozen=True)
class Model:
    """A loaded file; `provider` is the one that really runs."""

    path: Path
    session: Any
    net: str
    preprocess: Preprocess
    classes: tuple[str, ...]
    provider: str


def open_model(path: Path, device: str = "auto") -> Model:
    """Load an exported classifier of images; `device` is auto, cpu or cuda."""
    if not path.is_file():
        raise Refused(say.no_such_model(path))
    wanted = device
    if wanted == "auto":
        wanted = "cuda" if "CUDAExecutionProvider" in ort.get_available_providers() else "cpu"
    session = _session(path, PROVIDERS[wanted])
    provider = session.get_providers()[0]
    if device == "cuda" and provider != PROVIDERS["cuda"][0]:
        raise Refused(say.no_provider(device, session.get_providers()))
    net, preprocess, classes = _metadata(path, session)
    model = Model(path, session, net, preprocess, classes, provider)
    _check_input(model)
    return model


def logits_of(model: Model, images: Bytes) -> Floats:
    """The first output for images [n, H, W, C] of the size that the file wants, in batches."""
    parts = [_run(model, images[i : i + BATCH]) for i in range(0, len(images), BATCH)]
    return np.concatenate(parts)


def _session(path: Path, providers: list[str]) -> Any:
    available = ort.get_available_providers()
    options = ort.SessionOptions()
    options.log_severity_level = QUIET
    ort.set_default_logger_severity(QUIET)
    try:
        return ort.InferenceSession(str(path), options, [p for p in providers if p in available])
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        raise Refused(say.not_loaded(path, str(error))) from None


def _metadata(path: Path, session: Any) -> tuple[str, Preprocess, tuple[str, ...]]:
    text = session.get_modelmeta().custom_metadata_map.get("netc")
    if text is None:
        raise Refused(say.no_metadata(path, "it has no metadata of netc"))
    try:
        data = json.loads(text)
        classes = data["classes"]
        if not isinstance(classes, list) or not classes or not all(isinstance(c, str) for c in classes):
            raise ValueError("classes is not a list of names")
        return str(data.get("net", "")), from_json(data["preprocess"]), tuple(classes)
    except KeyError as error:
        raise Refused(say.no_metadata(path, f"its metadata lacks {error}")) from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise Refused(say.no_metadata(path, str(error))) from None


def _check_input(model: Model) -> None:
    inputs, preprocess = model.session.get_inputs(), model.preprocess
    expected = (preprocess.channels, *preprocess.size)
    shape = inputs[0].shape if len(inputs) == 1 else []
    fits = len(shape) == 4 and all(
        not isinstance(size, int) or size == want for size, want in zip(shape[1:], expected, strict=True)
    )
    if not fits or inputs[0].type != "tensor(float)":
        read = ", ".join(f"{one.name}: {one.type} {one.shape}" for one in inputs)
        raise Refused(say.other_input(model.path, read, f"float32 [N, {', '.join(map(str, expected))}]"))


def _run(model: Model, images: Bytes) -> Floats:
    """One batch; a file whose batch is fixed gets so many at a time, the last ones repeated."""
    input_ = model.session.get_inputs()[0]
    fixed = input_.shape[0] if isinstance(input_.shape[0], int) else len(images)
    values, parts = model.preprocess.apply(images), []
    for start in range(0, len(values), fixed):
        part = values[start : start + fixed]
        short = fixed - len(part)
        batch = np.concatenate([part, np.repeat(part[-1:], short, 0)]) if short else part
        parts.append(_outputs(model, input_.name, batch)[: len(part)])
    return np.concatenate(parts)


def _outputs(model: Model, name: str, batch: Floats) -> Floats:
    first = model.session.get_outputs()[0].name
    try:
        (logits,) = model.session.run([first], {name: batch})
    except Exception as error:  # onnxruntime's exceptions have no base class of their own
        raise Refused(say.not_run(model.path, str(error))) from None
    if np.shape(logits) != (len(batch), len(model.classes)):
        raise Refused(say.other_output(model.path, np.shape(logits), len(model.classes)))
    return np.asarray(logits, np.float32)
