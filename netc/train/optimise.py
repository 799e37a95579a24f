"""Turns a recipe's optimiser, schedule and moving average into torch's own."""

import math
from functools import partial

import torch
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from netc.passes.recipe import Chosen, Recipe

OPTIMIZERS: dict[str, type[torch.optim.Optimizer]] = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}


def optimizer_of(recipe: Recipe, net: torch.nn.Module) -> torch.optim.Optimizer:
    return OPTIMIZERS[recipe.optimizer.name](net.parameters(), **recipe.optimizer.arguments)


def schedule_of(schedule: Chosen | None, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
    """The learning rate over `steps` steps in all, constant without a schedule."""
    if schedule is None:
        return LambdaLR(optimizer, lambda step: 1.0)
    return SCHEDULES[schedule.name](optimizer, steps, **schedule.arguments)


def one_cycle(optimizer: torch.optim.Optimizer, steps: int, warmup: float) -> LRScheduler:
    """Up to the optimiser's rate and down to nearly nothing; its momentum is left as the recipe says."""
    # torch divides by zero where the warm-up is one step or all of them.
    warmup = min(warmup, (steps - 1) / steps)
    warmup = warmup if warmup * steps > 1 else 0.0
    rate = optimizer.param_groups[0]["lr"]
    return OneCycleLR(optimizer, rate, total_steps=steps, pct_start=warmup, cycle_momentum=False)


def cosine(optimizer: torch.optim.Optimizer, steps: int, warmup: float) -> LRScheduler:
    """Straight up during the warm-up, then half a cosine down to zero."""
    return LambdaLR(optimizer, partial(_cosine, steps=steps, rising=round(warmup * steps)))


def _cosine(step: int, steps: int, rising: int) -> float:
    if step < rising:
        return (step + 1) / rising
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1, steps - rising))))


SCHEDULES = {"one_cycle": one_cycle, "cosine": cosine}


def average_of(recipe: Recipe, net: torch.nn.Module) -> AveragedModel | None:
    """The moving average of weights and buffers that `ema` asks for."""
    if recipe.ema is None:
        return None
    update = get_ema_multi_avg_fn(recipe.ema)  # type: ignore[no-untyped-call]
    return AveragedModel(net, multi_avg_fn=update, use_buffers=True)
