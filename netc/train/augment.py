"""Turns a batch of images into another: crops and flips by indexing, on bytes [B, H, W, C]."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from netc.passes.recipe import Chosen
from netc.train.preprocess import Preprocess


def augmented(images: Tensor, augment: Sequence[Chosen], generator: torch.Generator) -> Tensor:
    """Each augmentation in turn; `images` may be changed in place."""
    for one in augment:
        images = AUGMENTATIONS[one.name](images, generator=generator, **one.arguments)
    return images


def random_crop(images: Tensor, size: int, padding: int, generator: torch.Generator) -> Tensor:
    """A window of `size` by `size` for each image, which is padded with black."""
    padded = F.pad(images, (0, 0, padding, padding, padding, padding))
    windows = padded.unfold(1, size, 1).unfold(2, size, 1)
    count, rows, columns = windows.shape[:3]
    top = torch.randint(rows, (count,), generator=generator).to(images.device)
    left = torch.randint(columns, (count,), generator=generator).to(images.device)
    return windows[torch.arange(count, device=images.device), top, left].permute(0, 2, 3, 1)


def horizontal_flip(images: Tensor, p: float, generator: torch.Generator) -> Tensor:
    """Left and right exchanged, in each image with probability `p`."""
    chosen = (torch.rand(len(images), generator=generator) < p).nonzero()[:, 0].to(images.device)
    images[chosen] = images[chosen].flip(2)
    return images


AUGMENTATIONS: dict[str, Callable[..., Tensor]] = {
    "random_crop": random_crop,
    "horizontal_flip": horizontal_flip,
}


def normalised(images: Tensor, preprocess: Preprocess) -> Tensor:
    """What Preprocess.apply computes, on tensors; the memory stays in channels-last order."""
    mean = torch.tensor(preprocess.mean, device=images.device).view(1, -1, 1, 1)
    std = torch.tensor(preprocess.std, device=images.device).view(1, -1, 1, 1)
    return images.permute(0, 3, 1, 2).float().div_(255).sub_(mean).div_(std)
