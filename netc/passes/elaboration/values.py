"""What an expression can be at compile time, beside numbers, strings, lists, dimensions and IR values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, TypeAlias

from netc.budget import spend
from netc.diagnostics import Span
from netc.ir.module import Path, Value
from netc.ops import attributes
from netc.ops.contract import Op
from netc.ops.initialiser import Initialiser
from netc.syntax import tree


class Poison:
    """Stands for what could not be found out; what merely follows from it is not reported."""


POISON: Final = Poison()


class Poisoned(Exception):
    """An expression that depends on what was reported already."""


@dataclass(frozen=True)
class OneBranch:
    """Stands for a name that only one branch of an `if`, or a loop that may not run, binds."""

    span: Span


@dataclass(frozen=True, eq=False)
class Definition:
    """A block or a net, with the names that its file can see."""

    tree: tree.Block
    scope: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        return self.tree.name.text


@dataclass(frozen=True, eq=False)
class Function:
    """A compile-time helper (`fn`)."""

    tree: tree.Function
    scope: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        return self.tree.name.text


@dataclass(frozen=True, eq=False)
class Alias:
    """A net that is another with arguments: `net ResNet34 = ResNet(...)`."""

    tree: tree.Preset
    scope: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class OpLayer:
    """An op that lacks its first operand. `op` is None while it lacks arguments, too.

    rest: the operands after the first, where the call gave them.
    inits: how its weights and biases start, where the call says so.
    arguments: those that calls gave, as they were written; None for a name alone. places: where they stand.
    """

    kind: type[Op]
    op: Op | None
    rest: tuple[Value, ...] = ()
    places: Mapping[str, Span] = field(default_factory=dict, compare=False, repr=False)
    span: Span | None = field(default=None, compare=False, repr=False)
    inits: tuple[tuple[str, Initialiser], ...] = ()
    arguments: tuple[tuple[str, Any], ...] | None = None


@dataclass(frozen=True)
class BlockLayer:
    """A block with the compile-time arguments that calls gave; None for a name alone. places: where they stand."""

    definition: Definition
    arguments: tuple[tuple[str, Any], ...] | None
    span: Span | None = field(default=None, compare=False, repr=False)
    places: Mapping[str, Span] = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class HelperLayer:
    """A helper with the arguments that calls gave, while it lacks some; None for a name alone.

    applies: whether it was taken for a layer, so that tensors at the head of a call are what the layer is applied to.
    """

    definition: Function
    arguments: tuple[tuple[str, Any], ...] | None
    span: Span | None = field(default=None, compare=False, repr=False)
    places: Mapping[str, Span] = field(default_factory=dict, compare=False, repr=False)
    applies: bool = False


@dataclass(frozen=True)
class Labelled:
    """A layer with the label that names it."""

    label: Path
    layer: Layer
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Chain:
    """Layers one after the other."""

    steps: tuple[Layer, ...]
    span: Span | None = field(default=None, compare=False, repr=False)

    @cached_property
    def least(self) -> int:
        return sum(map(least, self.steps))


@dataclass(frozen=True)
class Repeat:
    """Fresh copies of a layer, chained."""

    layer: Layer
    count: int
    span: Span | None = field(default=None, compare=False, repr=False)

    @cached_property
    def least(self) -> int:
        return self.count * least(self.layer)


@dataclass(frozen=True, eq=False)
class Instance:
    """A layer that a binding named: applied twice, it is the same layer."""

    path: Path
    layer: Layer
    span: Span | None = None


Layer: TypeAlias = OpLayer | BlockLayer | HelperLayer | Labelled | Chain | Repeat | Instance
LAYERS: Final = (OpLayer, BlockLayer, HelperLayer, Labelled, Chain, Repeat, Instance)


@dataclass(frozen=True)
class Rule:
    """How the parameters of the layers below an `init` statement start.

    kind: of these layers; None for all, of which weights with two axes or more. role: "weight" or "bias".
    """

    kind: type[Op] | None
    role: str
    by: Initialiser
    span: Span = field(compare=False, repr=False)


def lacking(layer: Layer) -> str | None:
    """The first argument that `layer` must be given and is not; None where it can be applied to tensors."""
    if isinstance(layer, Labelled | Repeat | Instance):
        return lacking(layer.layer)
    if isinstance(layer, Chain):
        return None
    given = dict(layer.arguments or ())
    if isinstance(layer, OpLayer):
        return None if layer.op is not None else attributes.lacking(layer.kind, given)
    required = (p.name.text for p in layer.definition.tree.parameters if p.default is None)
    return next((name for name in required if name not in given), None)


def unfinished(value: Any) -> HelperLayer | None:
    """The call of a helper that lacks arguments, where a value is meant that is no layer."""
    while isinstance(value, Labelled | Repeat):
        value = value.layer
    return value if isinstance(value, HelperLayer) and value.arguments is not None else None


def least(layer: Layer) -> int:
    """How many layers it has when it is unrolled, a block counted as one."""
    if isinstance(layer, Chain | Repeat):
        return layer.least
    return least(layer.layer) if isinstance(layer, Labelled | Instance) else 1


def template(value: Any) -> Any:
    """A layer as an argument: an instance passes what it is made of, fresh at each use."""
    if isinstance(value, Instance):
        return value.layer
    if isinstance(value, list | tuple):
        spend(len(value))
        return type(value)(template(v) for v in value)
    return value


def describe(value: Any) -> str:
    """What a value is, in the user's words."""
    if isinstance(value, Value):
        return f"a tensor {value.type}"
    if isinstance(value, HelperLayer):
        lacks = f", which lacks its argument `{name}`" if (name := lacking(value)) else ""
        return f"the helper `{value.definition.name}`{lacks}"
    if isinstance(value, LAYERS):
        return "a layer"
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "none"
    if isinstance(value, int | float):
        return f"the number {value}"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, tuple):
        return f"{len(value)} values"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, Initialiser) or (isinstance(value, type) and issubclass(value, Initialiser)):
        return f"the initialiser `{value.name}`"
    return f"the size {value}"
