"""What an op is: one frozen class that holds all the facets of one operation together.

A family file defines ops; nothing else in netc names one (but the generated catalog, by which it is loaded). The driver of each phase calls the facets:

    shape, dtype     the rule, on dimensions that may be symbols (ask `same`, `at_least`, `divides`)
    params           the parameters, with their shapes and initialisation
    forward, vjp     the numpy reference and the gradient rule (`netc.ops.notation`)
    branch           which smooth piece of a piecewise function each element lies on
    below            which whole numbers an operand of positions may hold
    index_range      which whole numbers its outputs hold, where they are positions
    training, noise  what training computes, where it differs, and what it draws for it
    draws            whether evaluation draws that, too
    flops, macs      the cost
    torch, module    the PyTorch spelling: an expression, and the constructor of its nn.Module
    onnx             the ONNX spelling
    samples          inputs for the tests of every facet, good and bad
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, dataclass_transform

from netc.dims import AnyDim, Shape
from netc.ops.arrays import np
from netc.ops.code import Code
from netc.ops.index_range import IndexRange, Known, widest
from netc.ops.registry import OPERATORS as OPERATORS
from netc.ops.registry import OPS as OPS

if TYPE_CHECKING:
    from netc.ops.initialiser import Initialiser

FLOATS = ("float32", "float64")
INTEGERS = ("int64", "int32")
DTYPES = (*FLOATS, *INTEGERS, "bool")

Array = Any  # a numpy array, or an IR value that offers the same operators (see netc.ops.notation)


class Mismatch(Exception):
    """An op that cannot be applied: `at` names the operand or the attribute at fault."""

    def __init__(self, at: str, message: str) -> None:
        super().__init__(message)
        self.at = at
        self.message = message


def require(condition: bool, at: str, message: str) -> None:
    """Raises Mismatch unless `condition` holds. `message` is a sentence part: "x has 3 axes, not 4"."""
    if not condition:
        raise Mismatch(at, message)


@dataclass(frozen=True)
class Init:
    """How a parameter starts: "zeros", "ones", "constant" (a: value), "normal" (a: mean, b: std),
    "uniform" (from a to b) or "fan_in" (a: the number of inputs of a unit, which may be a symbol;
    uniform within 1/sqrt(a), as torch starts layers with weights). zero_row: the row that starts at zero
    whatever the others do. by: what the spec says instead; then `kind` is its name."""

    kind: str
    a: float | AnyDim = 0.0
    b: float = 0.0
    zero_row: int | None = None
    by: Initialiser | None = None


@dataclass(frozen=True)
class Parameter:
    """A parameter that an op owns. A buffer (running statistics) is not trainable.

    dtype: None for the dtype of the op's float operands; `float` marks nothing else.
    """

    shape: Shape
    init: Init
    trainable: bool = True
    dtype: str | None = None


@dataclass(frozen=True)
class Noise:
    """What an op draws in training, in the op's float dtype, an element from each place of its own.

    kind: "mask", which is 1 with probability `keep`, else 0; "normal", of mean 0 and deviation 1; or "uniform", from 0 to 1.
    """

    shape: Shape
    keep: float = 1.0
    kind: str = "mask"

    def drawn(self, random: Any, shape: tuple[int, ...]) -> Array:
        """A draw by a numpy Generator: numbers of float32, so that either precision has the same."""
        if self.kind == "normal":
            return np.asarray(random.standard_normal(shape, "float32"), "float64")
        if self.kind == "uniform":
            return np.asarray(random.random(shape, "float32"), "float64")
        return np.asarray(random.random(shape) < self.keep, "float64")


class Operand(str):
    """The text of an operand in an emitter, with its type: `x.shape`, `x.dtype`."""

    shape: Shape
    dtype: str

    @staticmethod
    def of(text: str, shape: Shape, dtype: str) -> Operand:
        operand = Operand(text)
        operand.shape, operand.dtype = shape, dtype
        return operand


class Graph(Protocol):
    """The ONNX graph under construction. Names of values are strings; an operand is an `Operand`."""

    opset: int

    def node(self, op_type: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Adds a node; gives the name of its output, or a tuple of names where `outputs` > 1.
        An attribute that is None is left out. An input '' means "absent"."""

    def constant(self, values: Any, dtype: str) -> str:
        """A constant tensor: `values` is a number, a nested list or an array."""

    def made_by(self, x: str) -> str | None:
        """The type of the node that gives `x`; None where it is an input of the graph or function."""

    def made_from(self, x: str) -> tuple[str, ...]:
        """The inputs of the node that gives `x`; none where it is an input of the graph or function."""

    def sizes(self, shape: Shape) -> str:
        """An int64 vector that holds `shape`, computed at run time where it depends on a free size."""

    def reduce(self, op_type: str, x: str, axes: Sequence[int], keepdims: bool) -> str:
        """A ReduceSum, ReduceMean, ReduceMax, ... over `axes`, as the opset in use spells it."""


@dataclass(frozen=True)
class Draw:
    """A sample operand: "normal", "uniform" (low to high), "integers" (0 up to high) or "given"."""

    shape: tuple[int, ...]
    kind: str = "normal"
    low: float = 0.0
    high: float = 1.0
    dtype: str = "float32"
    values: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Sample:
    """One application of an op for the tests. `rejects` names the operand or attribute refused.

    flops, macs: the count worked out by hand, where given.
    facets: those to test; all unless told otherwise, with the reason beside it.
    """

    operands: tuple[Draw, ...]
    attributes: Mapping[str, Any]
    rejects: str | None = None
    flops: int | None = None
    macs: int | None = None
    without: tuple[str, ...] = ()


def sample(
    *operands: tuple[int, ...] | Draw,
    rejects: str | None = None,
    flops: int | None = None,
    macs: int | None = None,
    without: tuple[str, ...] = (),
    **attributes: Any,
) -> Sample:
    """A sample; an operand given as a bare shape is float32, drawn from a normal distribution."""
    draws = tuple(o if isinstance(o, Draw) else Draw(o) for o in operands)
    return Sample(draws, attributes, rejects, flops, macs, without)


def integers(shape: tuple[int, ...], high: int, dtype: str = "int64") -> Draw:
    """Whole numbers from 0 up to and without `high`."""
    return Draw(shape, "integers", 0, high, dtype)


def uniform(shape: tuple[int, ...], low: float, high: float) -> Draw:
    """Numbers from `low` to `high`."""
    return Draw(shape, "uniform", low, high)


def given(*values: Any, dtype: str = "float32") -> Draw:
    """Exactly these values: numbers for a vector, nested tuples for more axes."""
    return Draw((), "given", dtype=dtype, values=values)


@dataclass(frozen=True)
class Op:
    """An operation with its attributes. Subclasses are made by @register, which freezes them.

    Attributes are dataclass fields: `field: type = default`. Their order is that of positional arguments.
    A facet of an op names the operands: Shapes for `shape`, `params`, `flops`, `macs` and `module`, names of
    dtypes for `dtype`, arrays for `forward` and `vjp`, Operands for `torch` and `onnx`.
    """

    name: ClassVar[str]  # as the language writes it; the class name unless @register names it
    operands: ClassVar[tuple[str, ...]] = ("x",)  # "*xs" takes any number, "y?" may be absent
    aliases: ClassVar[tuple[str, ...]] = ()  # other names that torch has for it
    short: ClassVar[str] = ""  # of unlabelled layers: conv gives conv1, conv2; the name where empty
    operator: ClassVar[str] = ""  # the operator that spells it: "+", "@", "-x" for a sign, "[]" for an index
    variadic: ClassVar[str] = ""  # the attribute that takes all the positional arguments left
    extra: ClassVar[str] = ""  # the attribute that takes keywords of any other name, as pairs
    accepts: ClassVar[tuple[str, ...]] = FLOATS  # dtypes of the operands
    differentiable: ClassVar[bool] = True
    held: ClassVar[bool] = False  # its output counts as fixed, whatever it is made of
    analytic: ClassVar[bool] = False  # `forward` takes complex numbers: the piece is that of their real parts
    divisors: ClassVar[tuple[str, ...]] = ()  # operands in which a whole number may not be 0
    trains: ClassVar[bool] = False  # training computes something else: `training` says what
    numbers: ClassVar[bool] = False  # `torch` can spell an operand that is a number, such as 0.5
    cuts: ClassVar[bool] = False  # it gives a tuple of outputs, even where that is of one
    elements_of: ClassVar[
        tuple[str, ...]
    ] = ()  # operands of which its outputs hold every element, and no other
    nested: ClassVar[bool] = False  # its module takes, and gives, what follows the first as one tuple
    samples: ClassVar[tuple[Sample, ...]] = ()

    # -- rules ----------------------------------------------------------------------------------
    def shape(self, *operands: Any) -> Shape | list[Shape]:
        """The shape of the output, or a list of shapes for several outputs."""
        raise NotImplementedError

    def dtype(self, *operands: Any) -> str | tuple[str, ...]:
        """The dtype of the outputs, or one for each. Unless overridden, that of the operands, which share it."""
        first: str = operands[0]
        for operand, dtype in zip(self.operand_names(len(operands)), operands, strict=True):
            require(
                dtype in self.accepts,
                operand,
                f"{operand} is {dtype}, but {self.name} takes {' or '.join(self.accepts)}",
            )
            require(
                dtype == first, operand, f"{operand} is {dtype}, but {self.operand_names(1)[0]} is {first}"
            )
        return first

    def agree(self, shapes: Sequence[Shape], dtypes: Sequence[str]) -> None:
        """Refuses what neither `shape` nor `dtype` can tell alone, on operands that both have taken."""

    def params(self, *operands: Any) -> dict[str, Parameter]:
        """The parameters by name, in the order in which they follow the operands."""
        return {}

    # -- numbers --------------------------------------------------------------------------------
    def forward(self, *operands: Array) -> Array:
        """The value in evaluation mode, in numpy, from operands and then parameters."""
        raise NotImplementedError

    def vjp(self, g: Array, y: Array, *operands: Array) -> tuple[Array | None, ...]:
        """The gradient for each operand and parameter, None where there is none (integers, buffers)."""
        raise NotImplementedError

    def branch(self, *operands: Array) -> Array | None:
        """Which smooth piece each element lies on, in numpy, as whole numbers or bools in any shape.

        Between two points of equal branches the op is smooth; None where it is smooth everywhere.
        """
        return None

    def constants(self, *operands: Array) -> tuple[Array | None, ...]:
        """For each operand, in numpy, which elements count as constants: y depends on them, and yet by definition they
        have no gradient. () where none do."""
        return ()

    def selects(self, *numbers: Any) -> int | None:
        """The place of the operand that y equals whatever the others are, where operands are these numbers (None
        where they are tensors): 1 for 1 * x. None where y is to be computed."""
        return None

    def below(self, *operands: Any) -> tuple[AnyDim | None, ...]:
        """For each operand, from the Shapes of all, what whole numbers from 0 in it stay below; None where any do."""
        return (None,) * len(operands)

    def index_range(self, known: Known, *operands: Any) -> IndexRange | tuple[IndexRange | None, ...] | None:
        """What is known of the whole numbers in the output, or in each, from what is of the operands and their Shapes."""
        names = self.operand_names(len(known))
        held = [r for name, r in zip(names, known, strict=True) if name.partition("[")[0] in self.elements_of]
        return widest(held)

    def noise(self, *operands: Any) -> Noise | None:
        """What training draws, from the Shapes of the operands; None where it draws nothing."""
        return None

    def draws(self) -> bool:
        """Whether evaluation draws `noise`, too, and computes what `training` does; `forward` stands for its mean."""
        return False

    def training(self, *operands: Array) -> tuple[Array, dict[str, Array]]:
        """What training computes from operands, parameters and then the draw of `noise`, where there is one:
        the value, and what its buffers become, by name. In the shared notation: it is differentiated as it stands.
        """
        raise NotImplementedError

    def flops(self, y: Any, *operands: Any) -> Any:
        """Floating-point operations; a multiply-add counts as two."""
        raise NotImplementedError

    def macs(self, y: Any, *operands: Any) -> Any:
        """Multiply-adds of convolutions and matrix products, as papers count them."""
        return 0

    # -- spellings ------------------------------------------------------------------------------
    def torch(self, *operands: Any) -> Code:
        """The expression on operands; for an op with parameters, `module` is called instead."""
        raise NotImplementedError

    def module(self, *operands: Any) -> Code | None:
        """The constructor of the nn.Module, where there is one; needed where there are parameters."""
        return None

    def onnx(self, graph: Graph, *operands: Any) -> Any:
        """Adds nodes to `graph`; gives the name of the output or a tuple of names."""
        raise NotImplementedError

    # -- for the drivers ------------------------------------------------------------------------
    def dtypes(self, outputs: int, *operands: str) -> tuple[str, ...]:
        """The dtype of each of so many outputs."""
        made = self.dtype(*operands)
        return (made,) * outputs if isinstance(made, str) else made

    @classmethod
    def operand_names(cls, count: int) -> tuple[str, ...]:
        """The names of `count` operands: a variadic one gives xs[0], xs[1], ..."""
        out: list[str] = []
        for name in cls.operands:
            if name.startswith("*"):
                out += [f"{name[1:]}[{i}]" for i in range(count - len(cls.operands) + 1)]
            else:
                out.append(name.rstrip("?"))
        return tuple(out[:count])


T = TypeVar("T", bound=Op)


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def register(name: str) -> Callable[[type[T]], type[T]]:
    """Enters an op under the `name` that the language gives it."""

    def enter(cls: type[T]) -> type[T]:
        # without attributes of its own, a class inherits all that dataclass would write for it
        made = dataclass(frozen=True)(cls) if "__annotations__" in vars(cls) else cls
        made.name = name
        made.short = made.short or name
        for spelling in (name, *made.aliases):
            OPS.enter(spelling, made)
        if made.operator:
            OPERATORS.enter(made.operator, made)
        return made

    return enter
