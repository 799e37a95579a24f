"""Turns a net, its weights and test images into logits and a score, by PyTorch."""

import time
from pathlib import Path

import numpy as np
import torch

from netc.backends.to_torch import to_torch
from netc.backends.weights import load_weights
from netc.ir.module import Net
from netc.passes.initial import state
from netc.train.dataset import Bytes, Split
from netc.train.module import device_named, load_module, placed
from netc.train.preprocess import Floats, Preprocess
from netc.train.score import Evaluation, evaluated

BATCH = 500


def trained_module(net: Net, weights: Path) -> torch.nn.Module:
    """The module of a net, emitted anew, with the weights in a file."""
    return load_module(to_torch(net), net.name, load_weights(weights, state(net)))


def logits_of(net: torch.nn.Module, images: Bytes, preprocess: Preprocess, device: str = "cpu") -> Floats:
    """The first output for each image, in float32, by the same arithmetic as an exported file is fed."""
    where, parts = device_named(device), []
    net = placed(net, where).eval()
    with torch.inference_mode():
        for start in range(0, len(images), BATCH):
            batch = torch.from_numpy(preprocess.apply(images[start : start + BATCH])).to(where)
            output = net(batch.to(memory_format=torch.channels_last))
            first = output[0] if isinstance(output, tuple) else output
            parts.append(first.float().cpu().numpy())
    return np.concatenate(parts)


def evaluate_torch(
    net: torch.nn.Module, preprocess: Preprocess, test: Split, device: str = "auto"
) -> Evaluation:
    """Accuracy, loss and speed of a module on the test images."""
    where = device_named(device).type
    logits_of(net, test.images[:1], preprocess, where)  # the first call pays for setting up
    start = time.perf_counter()
    logits = logits_of(net, test.images, preprocess, where)
    return evaluated("torch", where, logits, test.labels, time.perf_counter() - start)
