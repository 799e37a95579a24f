"""How a parameter starts, as the user says it: each initialiser with its rule, its numpy draw and its torch spelling."""

from __future__ import annotations

from dataclasses import dataclass, fields
from math import erf, hypot, prod, sqrt
from typing import Any, ClassVar, Literal, TypeVar, dataclass_transform

from netc.dims import Shape, divides, value
from netc.ops.arrays import np
from netc.ops.code import Argument, Code, Hole, Keyword, call
from netc.ops.contract import Array, Op, require

Random = Any  # a numpy.random.Generator
WHOLE = {"int32": 2.0**31 - 1, "int64": 2.0**53}  # the largest whole number that a float gives exactly
FARTHEST = 10.0  # deviations from the mean: no normal draw of numpy's lies beyond
LEAST_SHARE = 0.01  # of a normal distribution that trunc_normal may keep: others are drawn again


@dataclass(frozen=True)
class Initialiser:
    """A distribution of starting values, or fixed ones. Subclasses are made by @register, which freezes them.

    Attributes are dataclass fields, as those of an op. The formulas and names are those of torch.nn.init.
    """

    name: ClassVar[str]
    operands: ClassVar[tuple[str, ...]] = ()
    variadic: ClassVar[str] = ""
    extra: ClassVar[str] = ""
    params: ClassVar[Any] = Op.params  # none: what binds the arguments of ops binds these, too
    axes: ClassVar[range] = range(100)  # how many axes a parameter may have

    def fits(self, shape: Shape) -> None:
        """Raises Mismatch where a parameter of `shape` cannot start so. Sizes may be symbols."""
        least, most = self.axes[0], self.axes[-1]
        wanted = f"{least}" if least == most else f"{least} to {most}" if most < 9 else f"at least {least}"
        require(len(shape) in self.axes, "shape", f"it takes {wanted} axes")

    @property
    def reach(self) -> float:
        """No number that it draws, or reckons with on the way, is greater."""
        return 1.0

    def whole(self, dtype: str) -> bool:
        """Whether it gives numbers of `dtype`, which is one of whole numbers or bool."""
        return False

    def draw(self, random: Random, shape: tuple[int, ...], dtype: Any) -> Array:
        """The starting values."""
        raise NotImplementedError

    def arguments(self) -> tuple[Argument, ...]:
        """Those of the function of torch.nn.init."""
        return tuple(Keyword(f.name, getattr(self, f.name), f.default) for f in fields(self))

    def torch(self, parameter: str) -> Code:
        """The statement that draws `parameter`."""
        return call(f"nn.init.{self.name}_", parameter, *self.arguments())


INITIALISERS: dict[str, type[Initialiser]] = {}
T = TypeVar("T", bound=Initialiser)


@dataclass_transform(frozen_default=True)
def register(cls: type[T]) -> type[T]:
    """Enters an initialiser under the name that torch.nn.init has for it."""
    made = dataclass(frozen=True)(cls) if "__annotations__" in vars(cls) else cls
    INITIALISERS[made.name] = made
    return made


def scaled(values: Array, by: float, more: float = 0.0) -> Array:
    """values * by + more in their own precision."""
    values *= values.dtype.type(by)
    values += values.dtype.type(more)
    return values


@register
class Zeros(Initialiser):
    """Every number is 0."""

    name = "zeros"

    def whole(self, dtype: str) -> bool:
        return True

    def draw(self, random: Random, shape: tuple[int, ...], dtype: Any) -> Array:
        return np.zeros(shape, dtype)


@register
class Ones(Initialiser):
    """Every number is 1."""

    name = "ones"

    def whole(self, dtype: str) -> bool:
        return True

    def draw(self, random: Random, shape: tuple[int, ...], dtype: Any) -> Array:
        return np.ones(shape, dtype)


@register
class Constant(Initialiser):
    """Every number is `value`."""

    name = "constant"
    value: float

    @property
    def reach(self) -> float:
        return abs(self.value)

    def whole(self, dtype: str) -> bool:
        return dtype != "bool" and self.value.is_integer() and abs(self.value) <= WHOLE[dtype]

    def draw(self, random: Random, shape: tuple[int, ...], dtype: Any) -> Array:
        return np.full(shape, self.value, dtype)

    def arguments(self) -> tuple[Argument, ...]:
        return (Hole(self.value, "value"),)


@register
class Normal(Initialiser):
    """A normal distribution."""

    name = "normal"
    mean: float = 0.0
    std: float = 1.0

    def __post_init__(self) -> None:
        require(self.std >= 0, "std", f"std is {self.std}, but must not be negative")

    @property
    def reach(self) -> float:
        return abs(self.mean) + FARTHEST * self.std

    def draw(self, random: Random, shape: tuple[int, ...], dtype: Any) -> Array:
        return scaled(random.standard_normal(shape, dtype=dtype), self.std, self.mean)


@register
class Uniform(Initialiser):
    """A uniform distribution from `low` to `high`."""

    name = "uniform"
    low: float
    high: float

    def __post_init__(self) -> None:
        require(self.low <= self.high, "high", f"high is {self.high}, which lies below low, {self.low}")

    @property
    def reach(self) -> float:
        return max(abs(self.low), abs(self.high), self.high - self.low)

    def draw(self, random: Random, shape: tuple[int, ...], dtype: Any) -> Array:
        return scaled(random.random(shape, dtype=dtype), self.high - self.low, self.low)

    def arguments(self) -> tuple[Argument, ...]:
        return (Hole(self.low, "low"), Hole(self.high, "high"))


@register
class TruncNormal(Initialiser):
    """A normal distribution of which only what lies from `a` to `b` is kept; a and b are numbers, not deviations."""

    name = "trunc_normal"
    mean: float = 0.0
    std: float = 1.0
    a: float = -2.0
    b: float = 2.0

    def __post_init__(self) -> None:
        require(self.std > 0, "std", f"std is {self.std}, but must be above 0")
        require(self.a < self.b, "b", f"b is {self.b}, which is not above a, {self.a}")
        below, above = (0.5 * (1 + erf((end - self.mean) / self.std / sqrt(2))) for end in (self.a, self.b))
        much = above - below >= LEAST_SHARE
        require(much, "a", f"less than {LEAST_SHARE:.0%} of the distribution lies from {self.a} to {self.b}")

    @property
    def reach(self) -> float:
        return max(abs(self.a), abs(self.b), abs(self.mean) + FARTHEST * self.std)

    def draw(self, random: Random, shape: tuple[int, ...], dtype: Any) -> Array:
        values = scaled(np.atleast_1d(random.standard_normal(shape, dtype=dtype)), self.std, self.mean)
        while (outside := (values < self.a) | (values > self.b)).any():
            again = random.standard_normal(int(outside.sum()), dtype=dtype)
            values[outside] = scaled(again, self.std, self.mean)
        return values.reshape(shape)


def fans(shape: Shape) -> tuple[Any, Any]:
    """What comes into a unit and what a unit goes out to, read off a weight [out, in, ...], as in torch.nn.init.

    Of a transposed convolution, whose weight is [in, out, ...], these are exchanged, as there.
    """
    field = prod(shape[2:])
    return shape[1] * field, shape[0] * field


@dataclass(frozen=True)
class Xavier(Initialiser):
    """What both forms share: variance gain^2 2 / (fan_in + fan_out)."""

    axes: ClassVar[range] = range(2, 100)
    gain: float = 1.0

    def __post_init__(self) -> None:
        require(self.gain > 0, "gain", f"gain is {self.gain}, but must be above 0")

    @property
    def reach(self) -> float:
        return FARTHEST * self.gain

    def std(self, shape: tuple[int, ...]) -> float:
        return self.gain * sqrt(2 / sum(fans(shape)))


@register
class XavierUniform(Xavier):
    """Uniform within gain sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""

    name = "xavier_uniform"

    def draw(self, random: Random, shape: tuple[int, ...], dtype: Any) -> Array:
        bound = sqrt(3) * self.std(shape)
        return scaled(random.random(shape, dtype=dtype), 2 * bound, -bound)


@register
class XavierNormal(Xavier):
    """Normal with deviation gain sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010)."""

    name = "xavier_normal"

    def draw(self, random: Random, shape: tuple[int, ...], dtype: Any) -> Array:
        return scaled(random.standard_normal(shape, dtype=dtype), self.std(shape))


GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": sqrt(2), "selu": 0.75}


@dataclass(frozen=True)
class Kaiming(Initialiser):
    """What both forms share: deviation gain / sqrt(fan), for a gain by the nonlinearity that follows.

    The gain is 1 for linear and sigmoid, 5/3 for tanh, sqrt 2 for relu, 3/4 for selu and sqrt(2 / (1 + a^2))
    for leaky_relu of slope a.
    """

    axes: ClassVar[range] = range(2, 100)
    a: float = 0.0
    mode: Literal["fan_in", "fan_out"] = "fan_in"
    nonlinearity: Literal["linear", "sigmoid", "tanh", "relu", "leaky_relu", "selu"] = "leaky_relu"

    def __post_init__(self) -> None:
        leaky = self.nonlinearity == "leaky_relu"
        require(
            leaky or self.a == 0,
            "a",
            f"a is the slope of leaky_relu, but the nonlinearity is {self.nonlinearity}",
        )

    @property
    def reach(self) -> float:
        return FARTHEST * sqrt(2)

    def std(self, shape: tuple[int, ...]) -> float:
        gain = GAINS.get(self.nonlinearity, sqrt(2) / hypot(1, self.a))
        return gain / sqrt(fans(shape)[self.mode == "fan_out"])


@register
class KaimingUniform(Kaiming):
    """Uniform within gain sqrt(3 / fan) (He et al., 2015)."""

    name = "kaiming_uniform"

    def draw(self, random: Random, shape: tuple[int, ...], dtype: Any) -> Array:
        bound = sqrt(3) * self.std(shape)
        return scaled(random.random(shape, dtype=dtype), 2 * bound, -bound)


@register
class KaimingNormal(Kaiming):
    """Normal with deviation gain / sqrt(fan) (He et al., 2015)."""

    name = "kaiming_normal"

    def draw(self, random: Random, shape: tuple[int, ...], dtype: Any) -> Array:
        return scaled(random.standard_normal(shape, dtype=dtype), self.std(shape))


ORTHOGONAL = 2**36  # of multiplications that a decomposition may take: seconds


@register
class Orthogonal(Initialiser):
    """Rows, or columns where these are fewer, at right angles and of length `gain` (Saxe et al., 2014).

    A weight of more than two axes is taken as the matrix [first, rest].
    """

    name = "orthogonal"
    axes = range(2, 100)
    gain: float = 1.0

    @property
    def reach(self) -> float:
        return abs(self.gain)

    def fits(self, shape: Shape) -> None:
        super().fits(shape)
        rows, columns = value(shape[0]), value(prod(shape[1:]))
        known = rows is not None and columns is not None
        steps = rows * columns * min(rows, columns) if known else 0  # type: ignore[type-var, operator]
        message = f"a matrix of {rows} x {columns} takes too long to make orthogonal: rows x columns x the fewer of them"
        require(steps <= ORTHOGONAL, "shape", f"{message} may be 2^36 at most")

    def draw(self, random: Random, shape: tuple[int, ...], dtype: Any) -> Array:
        rows, columns = shape[0], prod(shape[1:])
        normal = random.standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(normal)
        q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)  # so that every rotation is as likely
        made = q if rows >= columns else q.T
        return np.ascontiguousarray((self.gain * made).reshape(shape), dtype)


@register
class Dirac(Initialiser):
    """A convolution that passes on as many channels as it can: 1 at the middle of the kernel, 0 elsewhere."""

    name = "dirac"
    axes = range(3, 6)
    groups: int = 1

    def fits(self, shape: Shape) -> None:
        super().fits(shape)
        require(self.groups >= 1, "groups", f"groups is {self.groups}, but must be at least 1")
        whole = divides(self.groups, shape[0])
        require(whole, "groups", f"{shape[0]} output channels cannot be divided into {self.groups} groups")

    def draw(self, random: Random, shape: tuple[int, ...], dtype: Any) -> Array:
        values = np.zeros(shape, dtype)
        each = shape[0] // self.groups
        middle = tuple(n // 2 for n in shape[2:])
        for group in range(self.groups):
            for channel in range(min(each, shape[1])):
                values[(group * each + channel, channel, *middle)] = 1
        return values


@register
class Eye(Initialiser):
    """The identity matrix; of one that is not square, 1 on the diagonal."""

    name = "eye"
    axes = range(2, 3)

    def draw(self, random: Random, shape: tuple[int, ...], dtype: Any) -> Array:
        return np.eye(*shape, dtype=dtype)


ROLES = {"init": "weight", "bias_init": "bias"}


def start_keywords(kind: type[Op]) -> tuple[str, ...]:
    """The keywords by which a call of `kind` says how its parameters start; none where it has no parameters."""
    own = {f.name for f in fields(kind)}
    return () if kind.params is Op.params else tuple(name for name in ROLES if name not in own)


def role(parameter: str) -> str:
    """What a parameter of an op is to `init`: "weight", "bias" or nothing, told by its name."""
    return next((word for word in ("bias", "weight") if word in parameter), "")
