"""Turns logits and labels into accuracy and loss: the same arithmetic whichever backend made the logits."""

from dataclasses import dataclass

import numpy as np

from netc.diagnostics import Refused
from netc.diagnostics.wording_deploy import not_finite
from netc.train.dataset import Labels
from netc.train.preprocess import Floats


@dataclass(frozen=True)
class Evaluation:
    """How a net does on test images; `loss` is the plain cross-entropy of its logits."""

    backend: str
    device: str
    images: int
    accuracy: float
    loss: float
    images_a_second: float


def evaluated(backend: str, device: str, logits: Floats, labels: Labels, seconds: float) -> Evaluation:
    """The score; Refused where an answer is not finite, as then the net is broken, not just wrong."""
    if wrong := np.flatnonzero(~np.isfinite(logits).all(1)).tolist():
        where = f"for {len(wrong):,} of {len(labels):,} images, first for image {wrong[0]}"
        raise Refused(not_finite("the net", where))
    return Evaluation(
        backend, device, len(labels), accuracy(logits, labels), cross_entropy(logits, labels),
        len(labels) / max(seconds, 1e-9),
    )  # fmt: skip


def accuracy(logits: Floats, labels: Labels) -> float:
    """The share of the images whose largest logit is the right one; a row with NaN is wrong."""
    right = (logits.argmax(1) == labels) & np.isfinite(logits).all(1)
    return float(right.mean())


def cross_entropy(logits: Floats, labels: Labels) -> float:
    return float(-log_softmax(logits)[np.arange(len(labels)), labels].mean())


def log_softmax(logits: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    shifted = logits.astype(np.float64) - logits.max(1, keepdims=True)
    result: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = shifted - np.log(
        np.exp(shifted).sum(1, keepdims=True)
    )
    return result
