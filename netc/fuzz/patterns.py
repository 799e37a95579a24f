"""What a program must have for a difference of others to explain what is found in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.interpret import interpret
from netc.fuzz.case import Case
from netc.ir.module import Node
from netc.ops.code import Keyword, Piece
from netc.ops.contract import Operand

Array: TypeAlias = npt.NDArray[Any]
SMALL = 0.05  # of which exp(x) - 1 has lost four bits
BELOW = -3.0  # where 1 + tanh has lost four bits
CLOSED = 0.05  # what a gate lets through that is next to nothing
NEARLY = 1e-6  # of the greatest: what differs less may be equal in float32
VANISHED = -17.0  # from where on onnxruntime's sigmoid is 0, about
VANISHING = 1.2e-38  # the least normal number of float32
LEVEL = 1e-5  # of their size: values that differ less are told apart by few digits of float32
FLAT = 100.0  # how many times the variance the square of a mean may be


def chained(case: Case, *kinds: str) -> bool:
    """Whether nodes of these types follow each other in the ONNX graph, each reading what the one before makes."""
    return any(
        _follow(case, name, kinds[1:])
        for node in _nodes(case)
        if node.op_type == kinds[0]
        for name in node.output
    )


def _follow(case: Case, name: str, kinds: Sequence[str]) -> bool:
    if not kinds:
        return True
    readers = [node for node in _nodes(case) if node.op_type == kinds[0] and name in node.input]
    return any(_follow(case, out, kinds[1:]) for node in readers for out in node.output)


def _nodes(case: Case) -> Sequence[Any]:
    return () if case.model is None else case.model.proto.graph.node


def called_with(case: Case, text: str) -> Iterator[tuple[Node, Sequence[Array]]]:
    """The nodes whose PyTorch expression holds `text`, each with its operands in every set of inputs."""
    flat = case.located.flat
    chosen = {i: node for i, node in enumerate(flat.nodes) if text in _expression(node)}
    found: list[tuple[Node, Sequence[Array]]] = []

    def watch(index: int, operands: Sequence[Array], outputs: Sequence[Array]) -> None:
        if index in chosen:
            found.append((chosen[index], operands))

    for drawn in case.drawn if chosen else ():
        interpret(flat, drawn.arrays, case.weights, watch)
    yield from found


def _expression(node: Node) -> str:
    """The PyTorch expression of a node, on operands called a0, a1, ..."""
    given = [Operand.of(f"a{i}", v.type.shape, v.type.dtype) for i, v in enumerate(node.operands)]
    return "".join(_piece(piece) for piece in node.op.torch(*given).pieces)


def _piece(piece: Piece) -> str:
    """Text as it is, a keyword where it is not left out, a literal by nothing."""
    if isinstance(piece, Keyword):
        return "" if piece.value == piece.default else f", {piece.name}="
    return piece if isinstance(piece, str) else ""


def topk_ties(case: Case) -> bool:
    """Whether some elements are equal where the largest are taken."""
    return any(_tied(x) for node, operands in called_with(case, ".topk(") for x in operands[:1])


def _tied(x: Array) -> bool:
    """Whether an element stands twice along some axis."""
    return any(bool((np.diff(np.sort(x, axis), axis=axis) == 0).any()) for axis in range(x.ndim))


def short_vectors(case: Case) -> bool:
    """Whether a vector is shorter than the least length that its cosine is divided by."""
    return any(
        bool((np.sqrt((x * x).sum(getattr(node.op, "axis", -1))) < getattr(node.op, "eps", 0.0)).any())
        for node, operands in called_with(case, "F.cosine_similarity(")
        for x in operands
    )


def padding_rows(case: Case) -> bool:
    """Whether a table is read at the row that takes no gradient."""
    return any(
        getattr(node.op, "padding_idx", None) is not None
        for node, operands in called_with(case, "padding_idx=")
    )


def small_exponentials(case: Case) -> bool:
    """Whether all that an elu, selu or celu is given lies near 0: below it, exp(x) - 1 cancels."""
    kinds = {"Elu": "F.elu(", "Selu": "F.selu(", "Celu": "F.celu("}
    calls = [call for kind, call in kinds.items() if chained(case, kind)]
    given = [x for call in calls for _, (x, *_) in called_with(case, call)]
    return any(bool((np.abs(x) < SMALL).all() and (x < 0).any()) for x in given)


def sure_shares(case: Case) -> bool:
    """Whether what is said to be likely is sure: the logarithm of 0 stands before its target."""
    given = called_with(case, "F.binary_cross_entropy(")
    return any(bool(((x == 0) | (x == 1)).any()) for _, (x, *_) in given)


def maps_of_classes(case: Case) -> bool:
    return any(x.ndim > 2 for _, (x, *_) in called_with(case, "F.nll_loss("))


def narrow_maps(case: Case) -> bool:
    """Whether maps with an axis of one are normalised: their layout is ambiguous, and what comes back may be laid
    out otherwise."""
    calls = ("F.instance_norm(", "F.batch_norm(")
    maps = (x for call in calls for _, (x, *_) in called_with(case, call))
    return any(x.ndim > 3 and 1 in x.shape[1:] for x in maps)


def far_below(case: Case) -> bool:
    """Whether a gelu is taken far below 0, where 1 + erf and 1 + tanh cancel."""
    return any(bool((x < BELOW).any()) for _, (x, *_) in called_with(case, "F.gelu("))


def whole_shares(case: Case) -> bool:
    """Whether a share is 0 or 1 but for rounding."""
    given = called_with(case, "F.binary_cross_entropy(")
    return any(bool((np.abs(x - np.round(x)) < NEARLY).any()) for _, (x, *_) in given)


def far_sigmoids(case: Case) -> bool:
    """Whether a sigmoid is taken where onnxruntime's is 0."""
    calls = ("sigmoid(", "F.glu(", "F.silu(")
    given = (x for call in calls for _, (x, *_) in called_with(case, call))
    return chained(case, "Sigmoid") and any(bool((x < VANISHED).any()) for x in given)


def near_steps(case: Case) -> bool:
    """Whether what is rounded down, up or to the nearest lies at a step but for rounding."""
    given = [x for call in (".floor(", ".ceil(") for _, (x, *_) in called_with(case, call)]
    off = [x - np.round(x) for x in given] + [
        x - np.floor(x) - 0.5 for _, (x, *_) in called_with(case, ".round(")
    ]
    return any(bool((np.abs(d) < NEARLY).any()) for d in off)


def near_ties(case: Case) -> bool:
    """Whether what is put in order differs by next to nothing."""
    given = ((n, x) for text in (".argsort(", ".sort(") for n, (x, *_) in called_with(case, text))
    ordered = (
        np.diff(np.sort(x, axis := getattr(n.op, "axis", -1)), axis=axis) / (np.abs(x).max(initial=0) or 1.0)
        for n, x in given
    )
    return any(bool((np.abs(d) < NEARLY).any()) for d in ordered)


def vanishing_divisors(case: Case) -> bool:
    """Whether a remainder is of what float32 holds for 0."""
    spelled = ("%", "torch.remainder(")
    given = (x for text in spelled for _, operands in called_with(case, text) for x in operands[1:2])
    return any(bool(((np.abs(x) < VANISHING) & (x != 0)).any()) for x in given)


def closed_gates(case: Case) -> bool:
    """Whether a recurrent layer lets next to nothing through: its gates are sigmoids far below 0."""
    calls = [call for kind, call in (("LSTM", "torch.lstm("), ("GRU", "torch.gru(")) if chained(case, kind)]
    given = ((node, x) for call in calls for node, x in called_with(case, call))
    return any(bool(np.abs(node.op.forward(*x)[0]).max(initial=0) < CLOSED) for node, x in given)


def equal_values(case: Case) -> bool:
    """Whether values that only rounding tells apart are normalised: what comes out is rounding times 1 / sqrt(eps)."""
    for node, (x, *_) in called_with(case, "F.layer_norm("):
        if _level(x, tuple(range(x.ndim - getattr(node.op, "axes", 1), x.ndim))):
            return True
    for node, (x, *_) in called_with(case, "F.group_norm("):
        groups = x.reshape(x.shape[0], getattr(node.op, "num_groups", 1), -1)
        if _level(groups, (2,)):
            return True
    return any(_level(x, tuple(range(2, x.ndim))) for _, (x, *_) in called_with(case, "F.instance_norm("))


def _level(x: Array, axes: tuple[int, ...]) -> bool:
    return bool((x.std(axes) < LEVEL * np.abs(x).max(axes)).any())


def flat_groups(case: Case) -> bool:
    """Whether a group that is normalised hardly differs from its mean."""
    if not chained(case, "GroupNormalization"):
        return False
    for node, (x, *_) in called_with(case, "F.group_norm("):
        groups = x.reshape(x.shape[0], getattr(node.op, "num_groups", 1), -1)
        if bool((groups.mean(-1) ** 2 > FLAT * groups.var(-1)).any()):
            return True
    return False
