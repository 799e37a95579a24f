"""Drafts one block's class: the constructors of its children and the lines of its forward, with holes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from netc.backends.torch_source.constant_names import names_of
from netc.dims import AnyDim, Dim, substitute
from netc.ir.module import (
    Block,
    Call,
    Constant,
    ConstantTensor,
    Node,
    Param,
    Path,
    Step,
    Value,
    is_number,
    operands,
)
from netc.ops.code import Code, Hole, Keyword, Piece, call
from netc.ops.contract import Init, Operand
from netc.passes.elaboration.naming import MODULE

Given: TypeAlias = Mapping[str, AnyDim]


@dataclass(frozen=True)
class Child:
    """Stands in a hole for an argument of a called block's class: the call, and which argument."""

    call: Call
    argument: int


@dataclass(frozen=True, eq=False)
class Draft:
    """What a block's class says: its children, its raw parameters, and the expression of each plain function.

    constants: the tensors known at compile time that its methods read, with the buffers that hold them.
    values: all that the expressions may name, by the number that stands for each until it has a name.
    """

    children: Mapping[str, Module]
    raws: Mapping[str, Param]
    constants: Mapping[ConstantTensor, str]
    lines: Mapping[Step, Code]
    values: Sequence[Value]
    index: Mapping[Value, int]


@dataclass(frozen=True, eq=False)
class Module:
    """A child of the class: a layer with its constructor, or a container of children."""

    code: Code | None = None
    call: Call | None = None
    children: dict[str, Module] = field(default_factory=dict)
    sequential: bool = False

    @cached_property
    def numbered(self) -> bool:
        """Whether the children are named 0, 1, 2, ..."""
        return all(name == str(i) for i, name in enumerate(self.children))


def marker(index: int) -> str:
    """The text that stands for a value until it has a name."""
    return f"\x00{index}\x00"


def constructor(step: Step) -> Code | Call | None:
    """What builds the module of a step that has a path; None where it is a plain function."""
    if isinstance(step, Call):
        return step
    if step.path is None:
        return None
    made = step.op.module(*(v.type.shape for v in (*step.inputs, *step.params)))
    if made is None or all(p.type.dtype != "float64" for p in step.params):
        return made
    *pieces, end = made.pieces
    return Code((*pieces, Keyword("dtype", Text("torch.float64")), end))


def draft(block: Block, kept: Collection[Value] = ()) -> Draft:
    """The parts of a block's class. `kept`: values that its losses read."""
    index: dict[Value, int] = {}
    lines: dict[Step, Code] = {}
    for value in block.inputs:
        index.setdefault(value, len(index))
    for step in block.body:
        function = isinstance(step, Node) and constructor(step) is None
        for value in operands(step) if function else step.inputs:
            index.setdefault(value, len(index))
        if isinstance(step, Node) and function:
            lines[step] = expression(step, index)
        for value in step.outputs:
            index.setdefault(value, len(index))
    for value in (*block.outputs, *kept):
        index.setdefault(value, len(index))
    raws = {p.path[0]: p for p in block.params if len(p.path) == 1}
    children = tree_of(block, kept)
    taken = {*children, *raws, *block.parameters, *MODULE}
    constants = names_of((v for v in index if isinstance(v, ConstantTensor)), taken)
    return Draft(children, raws, constants, lines, tuple(index), index)


def expression(step: Node, index: Mapping[Value, int]) -> Code:
    """A function applied, on markers."""
    given = []
    constants = {}
    for value in operands(step):
        text = marker(index[value])
        if is_number(value):
            # an op spells a number otherwise than a tensor, and tells it by its first digit
            mark = f"0{text}"
            constants[mark] = value
            text = mark if step.op.numbers else _tensor(mark, value, step, index)
        given.append(Operand.of(text, value.type.shape, value.type.dtype))
    code = literals(step.op.torch(*given), constants)
    return Code((*code.pieces, "[0]")) if step.op.cuts and len(step.outputs) == 1 else code


def _tensor(mark: str, number: Constant, step: Node, index: Mapping[Value, int]) -> str:
    """A number as a tensor like another operand, for an op that takes nothing but tensors."""
    alike = (v for v in operands(step) if v.type.dtype == number.type.dtype and not is_number(v))
    return f"{marker(index[next(alike)])}.new_tensor({mark})"


def literals(code: Code, constants: Mapping[str, Constant]) -> Code:
    """`code` with the markers of constants made holes, since a number may differ between instances."""
    pieces: list[Piece] = []
    for piece in code.pieces:
        if isinstance(piece, str):
            pieces += _split(piece, constants)
        else:
            pieces.append(piece)
    return Code(tuple(pieces), code.infix)


def _split(text: str, constants: Mapping[str, Constant]) -> Iterator[Piece]:
    for mark, constant in constants.items():
        before, found, after = text.partition(mark)
        if found:
            yield from _split(before, constants)
            yield Hole(constant.number, "factor")
            yield from _split(after, constants)
            return
    if text:
        yield text


def raw_parameter(param: Param) -> Code:
    """The tensor of a `param` or `buffer` statement, filled by its distribution."""
    sizes = tuple(Hole(d, "size") for d in param.type.shape)
    dtype = () if param.type.dtype == "float32" else (Keyword("dtype", Text(f"torch.{param.type.dtype}")),)
    fill = FILLS.get(param.init.kind, "empty")
    if fill == "full":
        shape = Code(("(", sizes[0], ",)")) if len(sizes) == 1 else call("", *sizes)
        start = param.init.by.arguments() if param.init.by is not None else ()
        return call("torch.full", shape, *start, *dtype)
    return call(f"torch.{fill}", *(sizes or ("()",)), *dtype)


FILLS = {"zeros": "zeros", "ones": "ones", "constant": "full"}


def raw_fill(name: str, init: Init) -> Code | None:
    """The statement that draws a raw parameter, where its constructor does not."""
    if init.by is None or init.kind in FILLS:
        return None
    return init.by.torch(f"self.{name}")


@dataclass(frozen=True)
class Text:
    """A piece of code in a keyword, printed as it is."""

    text: str


def value_for(held: Any, given: Given) -> Any:
    """What a hole holds in one instance; Child is resolved by the caller."""
    if isinstance(held, Dim):
        return substitute(held, given)
    if isinstance(held, tuple):
        return tuple(value_for(part, given) for part in held)
    return held


def tree_of(block: Block, kept: Collection[Value] = ()) -> dict[str, Module]:
    """The children of a block's class by name; containers hold theirs. kept: values that losses read."""
    roots: dict[str, Module] = {}
    within: dict[Path, list[int]] = defaultdict(list)
    for i, step in enumerate(block.body):
        for depth in range(1, len(step.path or ())):
            within[(step.path or ())[:depth]].append(i)
        made = constructor(step)
        if made is None or step.path is None:
            continue
        level = roots
        for segment in step.path[:-1]:
            level = level.setdefault(segment, Module()).children
        if step.path[-1] not in level:
            level[step.path[-1]] = Module(call=made) if isinstance(made, Call) else Module(code=made)
    reads = Counter(v for step in block.body for v in operands(step))
    reads.update((*kept, *block.outputs))
    survey = Survey(block.body, within, reads)
    return {name: _settle(survey, (name,), module) for name, module in roots.items()}


@dataclass(frozen=True)
class Survey:
    """A body seen as a whole: which steps stand within each container, and how often each value is read."""

    body: Sequence[Step]
    within: Mapping[Path, Sequence[int]]
    reads: Mapping[Value, int]


def _settle(survey: Survey, path: Path, module: Module) -> Module:
    if not module.children:
        return module
    children = {k: _settle(survey, (*path, k), m) for k, m in module.children.items()}
    return Module(children=children, sequential=_is_sequential(survey, path, children))


def _is_sequential(survey: Survey, path: Path, children: Mapping[str, Module]) -> bool:
    """Whether each use of the container at `path` passes a value through all its children in order."""
    if any(m.children and not m.sequential for m in children.values()):
        return False
    within, names = survey.within[path], leaves(path, children)
    if not within or len(within) % len(names):
        return False
    for start in range(0, len(within), len(names)):
        run = within[start : start + len(names)]
        steps = [survey.body[i] for i in run]
        adjacent = run[-1] - run[0] == len(run) - 1
        if not adjacent or [s.path for s in steps] != names or not is_chain(steps, survey.reads):
            return False
    return True


def leaves(path: Path, children: Mapping[str, Module]) -> list[Path]:
    """The paths of the layers and blocks in a container, those of containers within it included."""
    out: list[Path] = []
    for name, module in children.items():
        out += leaves((*path, name), module.children) if module.children else [(*path, name)]
    return out


def is_chain(steps: Sequence[Step], reads: Mapping[Value, int]) -> bool:
    """Whether `steps` pass one value along, which nothing else reads on the way."""
    if any(len(s.inputs) != 1 or len(s.outputs) != 1 for s in steps):
        return False
    pairs = zip(steps, steps[1:], strict=False)
    return all(b.inputs[0] is a.outputs[0] and reads[a.outputs[0]] == 1 for a, b in pairs)
