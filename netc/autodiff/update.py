"""Turns a parameter, its gradient and an optimizer's state into the next ones, in the shared notation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import log
from typing import Any

from netc.ops.contract import Array
from netc.ops.notation import exp, sqrt, tanh

State = dict[str, Array]


@dataclass(frozen=True)
class Optimizer:
    """state: what it keeps of each parameter, from zeros. counts: whether it needs the number of the step.

    update(p, g, lr, step, state, arguments): the next parameter and the next state.
    """

    state: tuple[str, ...]
    counts: bool
    update: Callable[[Array, Array, Array, Array, State, Mapping[str, Any]], tuple[Array, State]]


def _sgd(
    p: Array, g: Array, lr: Array, step: Array, state: State, arguments: Mapping[str, Any]
) -> tuple[Array, State]:
    """v' = momentum v + g, p' = p - lr v' (nesterov: p - lr (g + momentum v')), g with the decay of weights.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html
    """
    momentum = arguments["momentum"]
    if arguments["weight_decay"]:
        g = g + arguments["weight_decay"] * p
    if not momentum:
        return p - lr * g, {}
    v = momentum * state["momentum"] + g
    return p - lr * (g + momentum * v if arguments["nesterov"] else v), {"momentum": v}


def _adamw(
    p: Array, g: Array, lr: Array, step: Array, state: State, arguments: Mapping[str, Any]
) -> tuple[Array, State]:
    """m' = b1 m + (1 - b1) g, v' = b2 v + (1 - b2) g^2, each over 1 - b^step; p' = p (1 - lr decay) - lr m / (sqrt v + eps).

    Source: Loshchilov and Hutter (2019), arXiv:1711.05101;
    https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html
    """
    first, second = arguments["betas"]
    m = first * state["exp_avg"] + (1 - first) * g
    v = second * state["exp_avg_sq"] + (1 - second) * (g * g)
    spread = sqrt(v) / sqrt(_short_of_one(second, step)) + arguments["eps"]
    if arguments["weight_decay"]:
        p = p * (1.0 - lr * arguments["weight_decay"])
    return p - (lr / _short_of_one(first, step)) * (m / spread), {"exp_avg": m, "exp_avg_sq": v}


def _short_of_one(beta: float, step: Array) -> Array:
    """1 - beta^step. In float32 the difference would lose half its digits; tanh keeps them:
    1 - exp x = -tanh(x / 2) (exp x + 1)."""
    if not beta:
        return step * 0.0 + 1.0
    x = step * log(beta)
    return -tanh(x * 0.5) * (exp(x) + 1.0)


OPTIMIZERS = {
    "sgd": Optimizer(("momentum",), False, _sgd),
    "adamw": Optimizer(("exp_avg", "exp_avg_sq"), True, _adamw),
}


def state_of(name: str, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """What the optimizer `name` keeps of each parameter, with these arguments."""
    keeps = OPTIMIZERS[name].state
    return () if name == "sgd" and not arguments["momentum"] else keeps
