"""What a train block may say, as data: settings, choices and arguments, their types, ranges, defaults."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

REQUIRED: Any = object()


@dataclass(frozen=True)
class Takes:
    """The type of a value and its range; `above` and `below` exclude their ends. A number has both ends."""

    type: type
    above: float | None = None
    least: float | None = None
    below: float | None = None
    most: float | None = None
    many: int = 0

    @property
    def words(self) -> str:
        """The type and the range, for messages."""
        noun = {int: "whole number", float: "number", bool: "true or false"}[self.type]
        if self.type is bool:
            return noun
        noun = f"list of {self.many} {noun}s" if self.many else noun
        low = f"above {self.above:.10g}" if self.above is not None else f"from {self.least:.10g}"
        if self.below is not None:
            return f"a {noun} {low} to below {self.below:.10g}"
        return f"a {noun} {low} {'to' if self.above is None else 'and at most'} {self.most:.10g}"

    def typed(self, value: Any) -> Any:
        """`value` in this type, or None where it is of another."""
        if self.many:
            items = [self._item(v) for v in value] if isinstance(value, list | tuple) else []
            return tuple(items) if len(items) == self.many and None not in items else None
        return self._item(value)

    def _item(self, value: Any) -> Any:
        if isinstance(value, bool) or self.type is bool:
            return value if isinstance(value, bool) and self.type is bool else None
        if self.type is float and isinstance(value, int | float):
            return float(value) if abs(value) < 2**63 or math.isinf(value) or math.isnan(value) else math.inf
        return value if isinstance(value, int) and self.type is int else None

    def within(self, value: Any) -> bool:
        """Whether a value of this type lies in the range."""
        return all(self._inside(item) for item in (value if self.many else (value,)))

    def _inside(self, value: float) -> bool:
        return (
            math.isfinite(value)
            and (self.above is None or value > self.above)
            and (self.least is None or value >= self.least)
            and (self.below is None or value < self.below)
            and (self.most is None or value <= self.most)
        )


@dataclass(frozen=True)
class Argument:
    """One argument of a choice; without a default it is required."""

    name: str
    takes: Takes
    default: Any = REQUIRED


@dataclass(frozen=True)
class Choice:
    """An optimiser, a schedule or an augmentation, with its arguments in their order."""

    name: str
    arguments: tuple[Argument, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(argument.name for argument in self.arguments)


@dataclass(frozen=True)
class SettingKind:
    """A setting takes one value, or one of its choices, or several of them."""

    takes: Takes | None = None
    choices: Mapping[str, Choice] = field(default_factory=dict)
    several: bool = False
    noun: str = ""
    default: Any = None


def _choices(*choices: Choice) -> Mapping[str, Choice]:
    return {choice.name: choice for choice in choices}


# A seed serves numpy and torch alike, which take 32 and 64 bits.
MOST_SEED = 2**32 - 1
MOST = 2**31 - 1
RATE = Takes(float, above=0, most=1e6)
FRACTION = Takes(float, least=0, most=1)
BELOW_ONE = Takes(float, least=0, below=1)
DECAY = Takes(float, least=0, most=1e6)
COUNT = Takes(int, least=1, most=MOST)

EPOCHS = Argument("epochs", COUNT, None)
OPTIMIZERS = _choices(
    Choice("sgd", (
        Argument("lr", RATE), Argument("momentum", BELOW_ONE, 0.0), Argument("nesterov", Takes(bool), False),
        Argument("weight_decay", DECAY, 0.0),
    )),
    Choice("adamw", (
        Argument("lr", RATE, 1e-3), Argument("betas", Takes(float, least=0, below=1, many=2), (0.9, 0.999)),
        Argument("eps", Takes(float, above=0, most=1), 1e-8), Argument("weight_decay", DECAY, 0.01),
    )),
)  # fmt: skip
SCHEDULES = _choices(
    Choice("one_cycle", (EPOCHS, Argument("warmup", FRACTION, 0.3))),
    Choice("cosine", (EPOCHS, Argument("warmup", FRACTION, 0.0))),
)
AUGMENTATIONS = _choices(
    Choice("random_crop", (
        Argument("size", COUNT), Argument("padding", Takes(int, least=0, most=4096), 0),
    )),
    Choice("horizontal_flip", (Argument("p", FRACTION, 0.5),)),
)  # fmt: skip

SETTINGS: Mapping[str, SettingKind] = {
    "optimizer": SettingKind(choices=OPTIMIZERS, noun="optimizer", default="adamw"),
    "schedule": SettingKind(choices=SCHEDULES, noun="schedule"),
    "augment": SettingKind(choices=AUGMENTATIONS, several=True, noun="augmentation"),
    "batch": SettingKind(COUNT, default=128),
    "epochs": SettingKind(COUNT, default=10),
    "ema": SettingKind(Takes(float, above=0, below=1)),
    "seed": SettingKind(Takes(int, least=0, most=MOST_SEED), default=0),
}
