"""Writes the constructors of a class's children: layers, blocks and containers, and its raw parameters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from netc.backends.torch_source.arguments import ARGUMENT, Explainer, defaults, is_default
from netc.backends.torch_source.constants import Constants
from netc.backends.torch_source.draft import Child, Module, constructor, is_chain, raw_fill, raw_parameter
from netc.backends.torch_source.layout import STEP, broken
from netc.ir.module import Block, Call, Path, operands
from netc.ops.code import Code

if TYPE_CHECKING:
    from netc.backends.torch_source.render import Writer


def raw_lines(writer: Writer) -> list[str]:
    """The lines that make the block's own parameters and buffers, and what it computes once."""
    constants = Constants(writer)
    for name, param in writer.draft.raws.items():
        start = param.start
        made = writer.in_constructor(_raw(writer, name), name) if start is None else constants.text(start)
        kept = (
            f"self.{name} = nn.Parameter({made})"
            if param.trainable
            else f'self.register_buffer("{name}", {made})'
        )
        constants.lines.append(kept)
        if start is None and raw_fill(name, param.init) is not None:
            constants.lines.append(writer.in_constructor(_fill(writer, name), name))
    constants.register()
    return [line for made in constants.lines for line in _lines(made)]


def _raw(writer: Writer, name: str) -> Callable[[Block], Code]:
    return lambda b: raw_parameter(writer.classes.drafts[b].raws[name])


def _fill(writer: Writer, name: str) -> Callable[[Block], Code]:
    return lambda b: raw_fill(name, writer.classes.drafts[b].raws[name].init)  # type: ignore[return-value]


def child_lines(writer: Writer) -> list[str]:
    """The lines that make the children."""
    lines: list[str] = []
    for name, module in writer.draft.children.items():
        text = module_text(writer, (name,), module)
        lines += _lines(
            f"self.{name} = {text}" if name.isidentifier() else f'self.add_module("{name}", {text})'
        )
    return lines


def _lines(line: str) -> list[str]:
    return [part.removeprefix(STEP * 2) for part in broken(line, STEP * 2)]


def sequential_lines(writer: Writer) -> list[str] | None:
    """The constructor of a class that only chains children named 0, 1, 2, ...: an nn.Sequential."""
    block = writer.made.block
    numbers = [(str(i),) for i in range(len(block.body))]
    if writer.draft.raws or writer.draft.constants:
        return None
    if (
        not any(s.path == ("0",) for s in block.body)
        or [s.path or n for s, n in zip(block.body, numbers, strict=True)] != numbers
    ):
        return None
    if (
        len(block.inputs) != 1
        or block.outputs != block.body[-1].outputs
        or block.body[0].inputs != block.inputs
    ):
        return None
    reads = Counter(v for step in block.body for v in operands(step))
    if not is_chain(block.body, reads) or any(_numbered(block, i) is None for i in range(len(block.body))):
        return None
    texts = [_numbered_text(writer, i) for i in range(len(block.body))]
    return ["super().__init__(", *(STEP + line for t in texts for line in _lines(f"{t},")), ")"]


def _numbered(block: Block, i: int) -> Code | Call | None:
    """What makes the child number i, also of a function, which has no path."""
    step = block.body[i]
    if isinstance(step, Call) or step.path is not None:
        return constructor(step)
    return step.op.module(*(v.type.shape for v in operands(step)))


def _numbered_text(writer: Writer, i: int) -> str:
    if isinstance(writer.made.block.body[i], Call):
        return _call_text(writer, lambda b: b.body[i], str(i))  # type: ignore[arg-type,return-value]
    return writer.in_constructor(lambda b: _numbered(b, i), str(i))  # type: ignore[arg-type,return-value]


def module_text(writer: Writer, path: Path, module: Module) -> str:
    """The constructor of a child or a container, in one line."""
    if module.call is not None:
        return _call_text(writer, lambda b: find(writer, b, path).call, path[-1])  # type: ignore[arg-type,return-value]
    if module.code is not None:
        return writer.in_constructor(lambda b: find(writer, b, path).code, path[-1])  # type: ignore[arg-type,return-value]
    inner = {name: module_text(writer, (*path, name), child) for name, child in module.children.items()}
    if module.numbered:
        items = ", ".join(_repeats(list(inner.values())))
        return f"nn.Sequential({items})" if module.sequential else f"nn.ModuleList([{items}])"
    if module.sequential:
        pairs = ", ".join(f'("{name}", {text})' for name, text in inner.items())
        return f"nn.Sequential(OrderedDict([{pairs}]))"
    return "nn.ModuleDict({" + ", ".join(f'"{name}": {text}' for name, text in inner.items()) + "})"


def _repeats(texts: Sequence[str]) -> list[str]:
    """Equal neighbours as a comprehension."""
    out: list[str] = []
    i = 0
    while i < len(texts):
        n = 1
        while i + n < len(texts) and texts[i + n] == texts[i]:
            n += 1
        out.append(f"*({texts[i]} for _ in range({n}))" if n > 1 else texts[i])
        i += n
    return out


def find(writer: Writer, block: Block, path: Path) -> Module:
    """The child at `path` of a member's block."""
    level: Mapping[str, Module] = writer.classes.drafts[block].children
    for segment in path[:-1]:
        level = level[segment].children
    return level[path[-1]]


def _call_text(writer: Writer, locate: Callable[[Block], Call], owner: str) -> str:
    """The construction of a called block's class with its arguments."""
    callee = writer.classes.of[locate(writer.made.block).block]
    defaulted = defaults(callee)
    explainer = Explainer(writer.classes, writer.made)
    calls = [locate(m.block) for m in writer.made.members]
    parts = []
    for i, argument in enumerate(callee.arguments):
        held = tuple(Child(call, i) for call in calls)
        if argument.name in defaulted and all(
            is_default(v, defaulted[argument.name]) for v in explainer.column(held)
        ):
            continue
        text = ARGUMENT.sub(r"\1", explainer.text(held, argument.name, owner))
        parts.append(f"{argument.name}={text}" if argument.name in defaulted else text)
    return f"{callee.name}({', '.join(parts)})"
