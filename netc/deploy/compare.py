"""Turns an exported file and the logits of its PyTorch module into what differs between them."""

import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from netc.deploy.deviation import relative_error
from netc.deploy.session import Model, logits_of
from netc.train.dataset import Dataset, Labels, Split
from netc.train.preprocess import Floats
from netc.train.score import Evaluation, accuracy, evaluated

CLOSE = 1e-5


@dataclass(frozen=True)
class Comparison:
    """`differing` are the images of another class whose best two logits lie apart, `close` those where they
    are nearer than 1e-5; `relative_error` is the largest difference over the largest logit.
    """

    images: int
    differing: tuple[int, ...]
    close: tuple[int, ...]
    relative_error: float
    classes_agree: bool
    torch_accuracy: float
    onnx_accuracy: float
    provider: str

    @property
    def agrees(self) -> bool:
        return not self.differing and self.classes_agree and bool(np.isfinite(self.relative_error))

    def as_json(self) -> dict[str, Any]:
        finite = self.relative_error if np.isfinite(self.relative_error) else None
        return {**asdict(self), "relative_error": finite, "agrees": self.agrees}


def compare(model: Model, torch_logits: Floats, data: Dataset) -> Comparison:
    """The file against the module on every test image, each prepared as the file's own metadata says."""
    logits = logits_of(model, data.test.images)
    agree = model.classes == data.classes
    return compared(torch_logits, logits, data.test.labels, model.provider, agree)


def compared(
    expected: Floats, got: Floats, labels: Labels, provider: str, classes_agree: bool = True
) -> Comparison:
    """Two sets of logits [n, classes] for the same images."""
    best = np.sort(expected, axis=1)
    near = best[:, -1] - best[:, -2] < CLOSE if best.shape[1] > 1 else np.zeros(len(best), bool)
    other = (expected.argmax(1) != got.argmax(1)) | ~np.isfinite(expected).all(1) | ~np.isfinite(got).all(1)
    differing, close = (tuple(np.flatnonzero(other & which).tolist()) for which in (~near, near))
    return Comparison(
        len(labels), differing, close, relative_error(expected, got), classes_agree,
        accuracy(expected, labels), accuracy(got, labels), provider,
    )  # fmt: skip


def evaluate_onnx(model: Model, test: Split) -> Evaluation:
    """Accuracy, loss and speed of an exported file on the test images."""
    logits_of(model, test.images[:1])  # the first call pays for setting up
    start = time.perf_counter()
    logits = logits_of(model, test.images)
    return evaluated("onnx", model.provider, logits, test.labels, time.perf_counter() - start)
