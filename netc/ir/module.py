"""The hierarchical IR: typed blocks of nodes, each an op applied or a block called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeGuard

from netc.budget import spend
from netc.diagnostics import Span
from netc.dims import AnyDim, Fact, Shape, joined, show
from netc.ops.contract import Init, Op

Path: TypeAlias = tuple[str, ...]
LOSS = "loss"  # the name of what the losses without one sum to


@dataclass(frozen=True)
class Type:
    """A dtype, and a shape in the sizes of the block that it stands in."""

    dtype: str
    shape: Shape

    def __str__(self) -> str:
        return f"{self.dtype}{show(self.shape)}"


@dataclass(frozen=True, eq=False)
class Value:
    """What a node makes or a block is given. `hint` is the name that the spec has for it."""

    hint: str
    type: Type


@dataclass(frozen=True, eq=False)
class Constant(Value):
    """A number written in the spec, of shape (); or an array that a gradient rule brings."""

    number: Any = 0


@dataclass(frozen=True, eq=False)
class ConstantTensor(Constant):
    """A tensor known at compile time, whose numbers are in float64 where they are floats.

    made: the op that gives it from other constants; None where the spec lists its numbers.
    """

    made: Node | None = None


def is_number(value: Value) -> TypeGuard[Constant]:
    """Whether a value is a number, which emitters write where it stands."""
    return isinstance(value, Constant) and not isinstance(value, ConstantTensor)


@dataclass(frozen=True, eq=False)
class Param(Value):
    """A parameter or a buffer, at `path` from the block that it stands in.

    owned: False where the block only reads it and an instance within the block owns it.
    start: what it starts as instead of `init`, where the spec computes that.
    """

    path: Path = ()
    init: Init = field(default=Init("zeros"))
    trainable: bool = True
    owned: bool = True
    start: ConstantTensor | None = None


@dataclass(frozen=True, eq=False)
class Node:
    """An op applied to operands and its parameters. `path` is the instance's, where it has a name.

    given: values in the place of parameters, as a gradient applies layers to them.
    """

    op: Op
    inputs: tuple[Value, ...]
    params: tuple[Param, ...]
    outputs: tuple[Value, ...]
    path: Path | None
    span: Span
    given: tuple[Value, ...] = ()

    @property
    def operands(self) -> tuple[Value, ...]:
        """All that the op computes with, in its order."""
        return (*self.inputs, *self.params, *self.given)

    @property
    def made(self) -> Shape | list[Shape]:
        """The shapes of the outputs, as the op's rule gives them."""
        shapes = [v.type.shape for v in self.outputs]
        return shapes if len(shapes) > 1 or self.op.cuts else shapes[0]


@dataclass(frozen=True, eq=False)
class Call:
    """A block applied. `sizes`: each of its own sizes, in the sizes of the block that calls it."""

    block: Block
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    path: Path
    sizes: Mapping[str, AnyDim]
    span: Span


Step: TypeAlias = Node | Call


@dataclass(frozen=True, eq=False)
class Block:
    """A block elaborated for one set of parameters and of what its conditions read.

    name: as in the spec. parameters: the compile-time arguments by name. defaults: those written as literals.
    params: those of the block's own nodes, and its raw ones; those of called blocks are theirs.
    nodes: how many ops it has in all, those of called blocks counted at each call.
    """

    name: str
    doc: str | None
    parameters: Mapping[str, Any]
    inputs: tuple[Value, ...]
    body: tuple[Step, ...]
    outputs: tuple[Value, ...]
    params: tuple[Param, ...]
    sizes: tuple[str, ...]
    nodes: int
    span: Span
    defaults: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Constraint:
    """What callers must meet of a free size, and the place that demands it.

    training: True where only the losses and the metrics need it.
    """

    fact: Fact
    span: Span | None = None
    training: bool = False

    def __str__(self) -> str:
        return str(self.fact)


@dataclass(frozen=True, eq=False)
class Net:
    """A net: a block with outputs, and the targets, losses and metrics that training adds.

    block.body holds every node; `needed` in netc.ir.walk tells those that the outputs need.
    losses, metrics: by name; the losses that the spec does not name are one, their sum, called `loss`. What is
    minimised is the sum of all. free: the sizes that stay unknown until run time.
    """

    name: str
    block: Block
    targets: tuple[Value, ...]
    losses: Mapping[str, Value]
    metrics: Mapping[str, Value]
    constraints: tuple[Constraint, ...]
    free: tuple[str, ...]

    @property
    def facts(self) -> dict[str, Fact]:
        """What is known of free sizes where the outputs are computed."""
        return joined(c.fact for c in self.constraints if not c.training)

    @property
    def training_facts(self) -> dict[str, Fact]:
        """What is known of free sizes where the losses and the metrics are computed, too."""
        return joined(c.fact for c in self.constraints)


def training_values(net: Net) -> tuple[Value, ...]:
    """What training computes besides the outputs: the losses and then, where there are some, the metrics."""
    return (*net.losses.values(), *net.metrics.values()) if net.losses else ()


def results(net: Net) -> dict[str, Value]:
    """All that a net gives, by name: `output/0`, ..., then `loss/NAME` and, where there are losses, `metric/NAME`."""
    outputs = {f"output/{i}": value for i, value in enumerate(net.block.outputs)}
    losses = {f"loss/{name}": value for name, value in net.losses.items()}
    metrics = {f"metric/{name}": value for name, value in net.metrics.items()} if net.losses else {}
    return {**outputs, **losses, **metrics}


def operands(step: Step) -> tuple[Value, ...]:
    """All that a step reads: its inputs and the parameters of its own."""
    return step.operands if isinstance(step, Node) else step.inputs


def blocks(block: Block) -> Iterator[Block]:
    """`block` and every block called within it, each once, callees before callers."""
    seen: set[int] = set()

    def visit(b: Block) -> Iterator[Block]:
        if id(b) in seen:
            return
        seen.add(id(b))
        for step in b.body:
            if isinstance(step, Call):
                yield from visit(step.block)
        yield b

    yield from visit(block)


def parameters(block: Block) -> Iterator[tuple[Path, Param]]:
    """Every parameter of an instance of `block` with its whole path, in the order of first use; shared ones once."""
    return ((path, param) for path, param, _ in parameters_through(block))


def parameters_through(
    block: Block, prefix: Path = (), through: tuple[Call, ...] = ()
) -> Iterator[tuple[Path, Param, tuple[Call, ...]]]:
    """The same, each with the calls that lead to the block which holds it, the outermost first."""
    spend(len(block.body))
    seen: set[Path] = set()
    for step in block.body:
        if isinstance(step, Call):
            if step.path not in seen:
                seen.add(step.path)
                yield from parameters_through(step.block, prefix + step.path, (*through, step))
            continue
        for param in step.params:
            if param.path not in seen:
                seen.add(param.path)
                yield prefix + param.path, param, through
    for param in block.params:
        if param.path not in seen:
            seen.add(param.path)
            yield prefix + param.path, param, through
