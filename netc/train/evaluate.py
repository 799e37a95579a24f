"""Turns a run and test images into logits and a score, by PyTorch."""

import time

import numpy as np
import torch
from safetensors.numpy import load_file

from netc.train.dataset import Bytes, Split
from netc.train.module import device_named, load_module, placed
from netc.train.preprocess import Floats, Preprocess
from netc.train.run_folder import Run
from netc.train.score import Evaluation, evaluated

BATCH = 500


def trained_module(run: Run) -> torch.nn.Module:
    """The emitted module of a run with its best weights."""
    return load_module(run.folder / run.module, run.class_name, load_file(run.weights))


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


def evaluate_torch(run: Run, test: Split, device: str = "auto") -> Evaluation:
    """Accuracy, loss and speed of a run's module on the test images."""
    net, where = trained_module(run), device_named(device).type
    logits_of(net, test.images[:1], run.preprocess, where)  # the first call pays for setting up
    start = time.perf_counter()
    logits = logits_of(net, test.images, run.preprocess, where)
    return evaluated("torch", where, logits, test.labels, time.perf_counter() - start)
