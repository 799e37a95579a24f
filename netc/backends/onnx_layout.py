"""Turns nodes that only rearrange parameters into initializers that are laid out as the rest of the graph reads them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import prod
from typing import Any, TypeAlias

from netc.backends.onnx_moves import MOVES, Arrangement, Patch, moved, whole
from netc.ir.module import Param, Type
from netc.passes.initial import numbers

Arrangements: TypeAlias = Mapping[str, Arrangement]
Moves: TypeAlias = dict[int, list[Arrangement]]  # what nodes give, by their places in the graph


@dataclass(frozen=True)
class LaidOut:
    """A tensor that is stored in the file, made of boxes of parameters."""

    type: Type
    patches: tuple[Patch, ...]


Initializer: TypeAlias = Param | LaidOut  # a parameter is stored as it is


def lay_out_parameters(
    graph: Any, params: Mapping[str, Param], free: Callable[[str], str]
) -> dict[str, Initializer]:
    """Takes the nodes that only rearrange `params` out of `graph`, a GraphProto; gives what is to be stored, by name.

    Each element of a parameter is stored once: a parameter that is read in two layouts, or not in all of its
    parts, stays as it is, and so do the nodes that rearrange it. free: gives a name that nothing else has.
    """
    values, moves = _moves(graph, params)
    reads = _settle(graph, values, moves, params)
    names = _names(graph, values, reads, params, free)
    plain = {name for node in graph.node for name in node.input} & params.keys() - values.keys()
    for index, name in reads:
        node = graph.node[index]
        for place, read in enumerate(node.input):
            if read == name:
                node.input[place] = names[values[name]]
    for index in sorted(moves, reverse=True):
        del graph.node[index]
    order = {name: place for place, name in enumerate(params)}
    stored: list[tuple[int, str, Initializer]] = [(order[name], name, params[name]) for name in plain]
    stored += [
        (order[path := a.patches[0].parameter], name, params[path] if name == path else _laid_out(a, params))
        for a, name in names.items()
    ]
    return {name: initializer for _, name, initializer in sorted(stored, key=lambda each: each[0])}


def _laid_out(arrangement: Arrangement, params: Mapping[str, Param]) -> LaidOut:
    dtype = params[arrangement.patches[0].parameter].type.dtype
    return LaidOut(Type(dtype, arrangement.shape), arrangement.patches)


def _moves(graph: Any, params: Mapping[str, Param]) -> tuple[dict[str, Arrangement], Moves]:
    """The parameters that nodes rearrange and what is made of them alone, by name, and the nodes that make it."""
    values: dict[str, Arrangement] = {}
    constants = {tensor.name: tensor for tensor in graph.initializer}
    outputs = {value.name for value in graph.output}
    moves: Moves = {}
    for index, node in enumerate(graph.node):
        if node.op_type not in MOVES or outputs.intersection(node.output):
            continue
        for name in node.input:
            if name in params and name not in values:
                values[name] = whole(name, numbers(params[name].type.shape))
        if (results := moved(node, values, constants)) is not None:
            values.update(zip(node.output, results, strict=True))
            moves[index] = results
    return values, moves


def _settle(
    graph: Any, values: dict[str, Arrangement], moves: Moves, params: Mapping[str, Param]
) -> list[tuple[int, str]]:
    """Leaves in `moves` what can be taken out, in `values` what is then made; gives each reading of a rearranged parameter by another node."""
    while True:
        reads = [
            (index, name)
            for index, node in enumerate(graph.node)
            if index not in moves
            for name in dict.fromkeys(node.input)
            if name in values
        ]
        spoilt = _spoilt({values[name] for _, name in reads}, params)
        if not spoilt:
            return reads
        for index, results in list(moves.items()):
            if any(patch.parameter in spoilt for made in results for patch in made.patches):
                del moves[index]
                for name in graph.node[index].output:
                    del values[name]


def _spoilt(stored: Iterable[Arrangement], params: Mapping[str, Param]) -> set[str]:
    """The parameters of which some element would be stored twice or not at all."""
    boxes: dict[str, list[Patch]] = {}
    for arrangement in stored:
        for patch in arrangement.patches:
            boxes.setdefault(patch.parameter, []).append(patch)
    return {name for name, parts in boxes.items() if not _tiles(parts, numbers(params[name].type.shape))}


MOST_PARTS = 256  # of a parameter, as each is compared with each


def _tiles(parts: Sequence[Patch], shape: tuple[int, ...]) -> bool:
    """Whether `parts` cover a parameter, each element once."""
    if len(parts) > MOST_PARTS or sum(prod(p.shape) for p in parts) != prod(shape):
        return False
    return not any(
        all(max(a, c) < min(b, d) for (a, b), (c, d) in zip(one.box, other.box, strict=True))
        for one, other in combinations(parts, 2)
    )


def _names(
    graph: Any,
    values: Arrangements,
    reads: Sequence[tuple[int, str]],
    params: Mapping[str, Param],
    free: Callable[[str], str],
) -> dict[Arrangement, str]:
    """The name of each initializer: of a parameter as it stands, its path; else the path, what reads it, the part."""
    readers: dict[Arrangement, str] = {}
    for index, name in reads:
        readers.setdefault(values[name], graph.node[index].op_type)
    order = {name: place for place, name in enumerate(params)}
    stored = sorted(readers, key=lambda a: (order[a.patches[0].parameter], a.patches[0].box))
    parts = Counter(a.patches[0].parameter for a in stored)
    seen: Counter[str] = Counter()
    names: dict[Arrangement, str] = {}
    for arrangement in stored:
        path = arrangement.patches[0].parameter
        if arrangement == whole(path, numbers(params[path].type.shape)):
            names[arrangement] = path
            continue
        name = f"{path}/{readers[arrangement]}"
        names[arrangement] = free(f"{name}/{seen[path]}" if parts[path] > 1 else name)
        seen[path] += 1
    return names


def drop_unread(graph: Any) -> None:
    """Takes out of `graph` the nodes and constants of which nothing is read."""
    read = {value.name for value in graph.output}
    for index in range(len(graph.node) - 1, -1, -1):
        node = graph.node[index]
        if read.isdisjoint(node.output):
            del graph.node[index]
        else:
            read.update(node.input)
    for index in range(len(graph.initializer) - 1, -1, -1):
        if graph.initializer[index].name not in read:
            del graph.initializer[index]


def layouts(initializers: Mapping[str, Initializer], params: Mapping[str, Param]) -> dict[str, Any]:
    """Where each parameter lies that is not stored as it is, for the file's metadata (see docs/onnx.md)."""
    found: dict[str, Any] = {}
    laid_out = {name: tensor for name, tensor in initializers.items() if isinstance(tensor, LaidOut)}
    for name, tensor in laid_out.items():
        for patch in tensor.patches:
            path = patch.parameter
            shape = numbers(params[path].type.shape)
            entry = {
                "initializer": name,
                "box": [list(ends) for ends in patch.box],
                "axes": list(patch.axes),
                "start": list(patch.start),
            }
            found.setdefault(path, {"shape": list(shape), "parts": []})["parts"].append(entry)
    return found
