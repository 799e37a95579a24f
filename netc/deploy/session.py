"""Turns an ONNX file into a model that gives logits for images, with what its metadata says."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from netc.deploy.model_process import PROVIDERS
from netc.deploy.supervised import Limits, ModelProcess
from netc.diagnostics import Refused
from netc.diagnostics import wording_deploy as say
from netc.train.dataset import Bytes
from netc.train.preprocess import Floats, Preprocess, from_json

BATCH = 500
BATCH_BYTES = 1 << 26  # of the numbers of a batch
FIXED_BYTES = 1 << 30  # of a batch whose size the file fixes


@dataclass(frozen=True)
class Model:
    """A loaded file. provider: the one that really runs. batch: the size that the file fixes, if it does."""

    path: Path
    process: ModelProcess = field(repr=False, compare=False)
    net: str
    preprocess: Preprocess
    classes: tuple[str, ...]
    provider: str
    batch: int | None

    @property
    def rows(self) -> int:
        """How many images are run at a time."""
        return self.batch or min(BATCH, max(1, BATCH_BYTES // _image_bytes(self.preprocess)))


def open_model(path: Path, device: str = "auto", limits: Limits | None = None) -> Model:
    """Load an exported classifier of images; `device` is auto, cpu or cuda."""
    if not path.exists():
        raise Refused(say.no_such_model(path))
    process = ModelProcess(path, limits or Limits())
    facts, _ = process.ask({"path": str(path), "device": device})
    if "error" in facts:
        raise Refused(say.not_loaded(path, facts["error"]))
    if device == "cuda" and facts["providers"][0] != PROVIDERS["cuda"][0]:
        raise Refused(say.no_provider(device, facts["providers"]))
    net, preprocess, classes = _metadata(path, facts["metadata"])
    batch = _fixed_batch(path, facts["inputs"], preprocess)
    return Model(path, process, net, preprocess, classes, facts["providers"][0], batch)


def logits_of(model: Model, images: Bytes) -> Floats:
    """The first output for images [n, H, W, C] of the size that the file wants, in batches."""
    parts = [_logits(model, images[i : i + model.rows]) for i in range(0, len(images), model.rows)]
    return np.concatenate(parts)


def in_batches(model: Model, items: list[Any]) -> Iterator[list[Any]]:
    """The items in as many parts as they take batches."""
    return (items[i : i + model.rows] for i in range(0, len(items), model.rows))


def _metadata(path: Path, text: str | None) -> tuple[str, Preprocess, tuple[str, ...]]:
    if text is None:
        raise Refused(say.no_metadata(path, "it has no metadata of netc"))
    try:
        data = json.loads(text)
        if not isinstance(data, dict):
            raise ValueError("its metadata is not a table")
        if missing := [key for key in ("classes", "preprocess") if key not in data]:
            raise ValueError(f"its metadata lacks {', '.join(missing)}")
        classes = data["classes"]
        if not isinstance(classes, list) or not classes or not all(isinstance(c, str) for c in classes):
            raise ValueError("classes is not a list of names")
        if len(set(classes)) != len(classes):
            raise ValueError("a class is there twice")
        return str(data.get("net", ""))[:200], from_json(data["preprocess"]), tuple(classes)
    except RecursionError:
        raise Refused(say.no_metadata(path, "its metadata is nested too deeply")) from None
    except ValueError as error:
        raise Refused(say.no_metadata(path, str(error)[:300])) from None


def _fixed_batch(path: Path, inputs: list[dict[str, Any]], preprocess: Preprocess) -> int | None:
    """The size of the batch that the one input fixes; Refused unless the input is images of the metadata's size."""
    expected = (preprocess.channels, *preprocess.size)
    shape = inputs[0]["shape"] if len(inputs) == 1 else []
    fits = len(shape) == 4 and all(
        not isinstance(size, int) or size == want for size, want in zip(shape[1:], expected, strict=True)
    )
    batch = shape[0] if fits and isinstance(shape[0], int) else None
    if batch is not None and not 1 <= batch * _image_bytes(preprocess) <= FIXED_BYTES:
        fits = False
    if not fits or inputs[0]["type"] != "tensor(float)":
        read = ", ".join(f"{one['name']}: {one['type']} {one['shape']}" for one in inputs)
        raise Refused(say.other_input(path, read[:500], f"float32 [N, {', '.join(map(str, expected))}]"))
    return batch


def _image_bytes(preprocess: Preprocess) -> int:
    return preprocess.channels * preprocess.size[0] * preprocess.size[1] * 4


def _logits(model: Model, images: Bytes) -> Floats:
    """One batch; where the file fixes its size, the last image is repeated."""
    values = model.preprocess.apply(images)
    if model.batch is not None and len(values) < model.batch:
        values = np.concatenate([values, np.repeat(values[-1:], model.batch - len(values), 0)])
    wanted = [len(values), len(model.classes)]
    header = {"shape": values.shape, "wanted": wanted}
    answer, data = model.process.ask(header, np.ascontiguousarray(values, np.float32).tobytes())
    if "error" in answer:
        raise Refused(say.not_run(model.path, answer["error"]))
    if answer["shape"] != wanted:
        raise Refused(say.other_output(model.path, answer["shape"], len(model.classes)))
    return np.frombuffer(data, np.float32).reshape(wanted)[: len(images)]
