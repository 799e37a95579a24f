"""Folders of small pictures of one color a class, and a net that learns them: for tests of data and runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

COLORS = ((200, 40, 40), (40, 200, 40), (40, 40, 200), (200, 200, 40))
SPEC = """net Img(classes: int = 3, c: int = 3, side: int = 8) {
    input image: float32[N, c, side, side]
    target label: int64[N]
    logits = image -> Conv2d(8, 3, padding=1) -> relu -> global_avg_pool -> Linear(classes)
    output logits
    loss cross_entropy(logits, label)
    metric accuracy(logits, label)
}
train {
    optimizer adamw(lr=5e-2)
    batch 4
    epochs 6
}
"""


def solid(
    root: Path, classes: dict[str | bytes, int], parts: tuple[str, ...] = ("train", "test"), count: int = 4
) -> Path:
    """Pictures of 8 x 8 near the color of each class."""
    draws = np.random.default_rng(0)
    for part in parts:
        for name, color in classes.items():
            folder = (
                root / part / (name.decode(errors="surrogateescape") if isinstance(name, bytes) else name)
            )
            folder.mkdir(parents=True)
            for index in range(count):
                pixels = np.array(COLORS[color]) + draws.integers(-20, 20, (8, 8, 3))
                Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{index}.png")
    return root
