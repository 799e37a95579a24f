"""Trains a net on the digits with onnxruntime alone: no netc, no PyTorch.

    netc compile specs/digits.net --net DigitsCNN --target onnx-train -o out
    python examples/onnxruntime/train_digits.py out/digits_cnn netc/train/digits/digits.npz
"""

import json
import sys

import numpy as np
import onnxruntime
from safetensors.numpy import load_file, save_file

BATCH, EPOCHS = 64, 5


def main(stem: str, data: str) -> None:
    session = onnxruntime.InferenceSession(f"{stem}.train.onnx", providers=["CPUExecutionProvider"])
    training = json.loads(session.get_modelmeta().custom_metadata_map["netc"])["training"]
    inputs = {i.name: i for i in session.get_inputs()}
    outputs = [o.name for o in session.get_outputs()]
    weights = load_file(f"{stem}.safetensors")
    held = {name: weights[name] for name in training["carried"] if name in weights}
    held |= {name: np.zeros(inputs[name].shape, np.float32) for name in training["zeros"]}

    with np.load(data) as digits:
        images = (digits["counts"][:, None] / 16).astype(np.float32)
        labels = digits["labels"].astype(np.int64)
    rng = np.random.default_rng(0)
    lr = np.array(training["arguments"]["lr"], np.float32)

    for epoch in range(EPOCHS):
        order = rng.permutation(len(images))
        losses = []
        for start in range(0, len(order) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            given = {"image": images[chosen], "label": labels[chosen], "lr": lr}
            for name, keep in training["masks"].items():
                shape = [BATCH if isinstance(n, str) else n for n in inputs[name].shape]
                given[name] = (rng.random(shape) < keep).astype(np.float32)
            made = dict(zip(outputs, session.run(None, {**given, **held}), strict=True))
            held = {name: made[following] for name, following in training["carried"].items()}
            losses.append(sum(float(made[name]) for name in training["losses"]))
        print(f"epoch {epoch + 1}: loss {np.mean(losses):.4f}")

    save_file({name: array for name, array in held.items() if name in weights}, f"{stem}.trained.safetensors")


if __name__ == "__main__":
    main(*sys.argv[1:])
