"""Drafts one block's class: the constructors of its children and the lines of its forward, with holes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from netc.dims import AnyDim, Dim, substitute
from netc.ir.module import Block, Call, Constant, Node, Param, Path, Step, Value
from netc.ops.code import Code, Hole, Keyword, Piece, call
from netc.ops.contract import Init, Operand

Given: TypeAlias = Mapping[str, AnyDim]


@dataclass(frozen=True)
class Child:
    """Stands in a hole for an argument of a called block's class: the call, and which argument."""

    call: Call
    argument: int


@dataclass(frozen=True)
class Line:
    """One assignment of forward: the values made, and the expression on values (by marker)."""

    outputs: tuple[Value, ...]
    code: Code
    operands: tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class Module:
    """A child of the class: a layer with its constructor, or a container of children."""

    code: Code | None = None
    call: Call | None = None
    children: dict[str, Module] = field(default_factory=dict)
    sequential: bool = False


def marker(index: int) -> str:
    """The text that stands for a value until it has a name."""
    return f"\x00{index}\x00"


def constructor(step: Step) -> Code | Call | None:
    """What builds the module of a step that has a path; None where it is a plain function."""
    if isinstance(step, Call):
        return step
    if step.path is None:
        return None
    return step.op.module(*(v.type.shape for v in (*step.inputs, *step.params)))


def expression(step: Node, index: Mapping[Value, int]) -> Code:
    """A function applied, on markers."""
    operands = []
    for value in (*step.inputs, *step.params):
        operands.append(Operand.of(reference(value, index), value.type.shape, value.type.dtype))
    return literals(step.op.torch(*operands), {reference(v, index): v for v in step.inputs if isinstance(v, Constant)})


def reference(value: Value, index: Mapping[Value, int]) -> str:
    return marker(index[value])


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
    """The nn.Parameter that a `param` statement declares, filled by its distribution."""
    sizes = tuple(Hole(d, "size") for d in param.type.shape)
    dtype = () if param.type.dtype == "float32" else (Keyword("dtype", Text(f"torch.{param.type.dtype}")),)
    fill = FILLS[param.init.kind]
    if fill == "full":
        shape = call("", *sizes, *((",",) if len(sizes) == 1 else ()))
        return call("nn.Parameter", call("torch.full", shape, Hole(param.init.a, "value"), *dtype))
    return call("nn.Parameter", call(f"torch.{fill}", *(sizes or ("()",)), *dtype))


FILLS = {"zeros": "zeros", "ones": "ones", "constant": "full", "normal": "empty", "uniform": "empty"}


def raw_fill(name: str, init: Init) -> Code | None:
    """The statement that draws a raw parameter, where its constructor does not."""
    if init.kind == "normal":
        return call("nn.init.normal_", f"self.{name}", Keyword("mean", init.a, 0.0), Keyword("std", init.b, 1.0))
    if init.kind == "uniform":
        return call("nn.init.uniform_", f"self.{name}", Hole(init.a, "low"), Hole(init.b, "high"))
    return None


@dataclass(frozen=True)
class Text:
    """A piece of code in a keyword, printed as it is."""

    text: str


def holes(code: Code) -> Iterator[Any]:
    """The values in a piece of code that may differ between instances."""
    for piece in code.pieces:
        if not isinstance(piece, str):
            yield piece.value


def value_for(held: Any, given: Given) -> Any:
    """What a hole holds in one instance; Child is resolved by the caller."""
    if isinstance(held, Dim):
        return substitute(held, given)
    if isinstance(held, tuple):
        return tuple(value_for(part, given) for part in held)
    return held


def tree_of(block: Block, kept: Collection[Value] = ()) -> dict[str, Module]:
    """The children of a block's class by name; containers hold theirs. `kept`: values read beside the outputs."""
    roots: dict[str, Module] = {}
    for step in block.body:
        made = constructor(step)
        if made is None or step.path is None:
            continue
        level = roots
        for segment in step.path[:-1]:
            level = level.setdefault(segment, Module()).children
        if step.path[-1] not in level:
            level[step.path[-1]] = Module(call=made) if isinstance(made, Call) else Module(code=made)
    kept = {*kept, *block.outputs}
    return {name: _settle(block.body, (name,), module, kept) for name, module in roots.items()}


def _settle(body: Sequence[Step], path: Path, module: Module, kept: Collection[Value]) -> Module:
    if not module.children:
        return module
    children = {k: _settle(body, (*path, k), m, kept) for k, m in module.children.items()}
    return Module(children=children, sequential=is_sequential(body, path, children, kept))


def is_sequential(body: Sequence[Step], path: Path, children: Mapping[str, Module], kept: Collection[Value]) -> bool:
    """Whether each use of the container at `path` passes a value through all its children in order."""
    if any(m.children and not m.sequential for m in children.values()):
        return False
    within = [i for i, s in enumerate(body) if s.path is not None and len(s.path) > len(path) and s.path[: len(path)] == path]
    names = leaves(path, children)
    if not within or len(within) % len(names):
        return False
    for start in range(0, len(within), len(names)):
        run = within[start : start + len(names)]
        steps = [body[i] for i in run]
        if run != list(range(run[0], run[0] + len(run))) or [s.path for s in steps] != names or not is_chain(body, steps, kept):
            return False
    return True


def leaves(path: Path, children: Mapping[str, Module]) -> list[Path]:
    out: list[Path] = []
    for name, module in children.items():
        out += leaves((*path, name), module.children) if module.children else [(*path, name)]
    return out


def is_chain(body: Sequence[Step], steps: Sequence[Step], kept: Collection[Value]) -> bool:
    """Whether `steps` pass one value along, which nothing else reads on the way."""
    if any(len(s.inputs) != 1 or len(s.outputs) != 1 for s in steps):
        return False
    if any(b.inputs[0] is not a.outputs[0] for a, b in zip(steps, steps[1:], strict=False)):
        return False
    between = {s.outputs[0] for s in steps[:-1]}
    reads = sum(v in between for s in body for v in s.inputs)
    return reads == len(between) and not any(v in between for v in kept)

