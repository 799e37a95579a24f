"""Differences that others are known to make: each with its cause, the versions that show it, and its pattern.

A pattern is of nodes of the ONNX graph or of PyTorch expressions, as wide as what shows the difference and no wider. `shows` is a program
that shows it; a test runs it, and fails where the difference is gone, so that the entry goes, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.autodiff.interpret import interpret
from netc.fuzz.case import Case
from netc.fuzz.judge import Finding
from netc.ir.module import Node
from netc.ops.code import Keyword, Piece
from netc.ops.contract import Operand

Array: TypeAlias = npt.NDArray[Any]
SMALL = 0.05  # of which exp(x) - 1 has lost four bits
BELOW = -3.0  # where 1 + tanh has lost four bits
CLOSED = 0.05  # what a gate lets through that is next to nothing
LEVEL = 1e-5  # of their size: values that differ less are told apart by few digits of float32
FLAT = 100.0  # how many times the variance the square of a mean may be


@dataclass(frozen=True)
class Known:
    """A difference of others. oracles: those that see it. versions: where it was measured. says: of an error."""

    name: str
    cause: str
    versions: str
    oracles: tuple[str, ...]
    pattern: Callable[[Case], bool]
    shows: str
    says: str = ""


def known_of(finding: Finding, case: Case) -> Known | None:
    """The difference that explains a finding, if one does."""
    told = (k for k in KNOWN if finding.oracle in k.oracles and k.says in finding.note)
    return next((k for k in told if k.pattern(case)), None)


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


def _topk_ties(case: Case) -> bool:
    """Whether some elements are equal where the largest are taken."""
    return any(_tied(x) for node, operands in called_with(case, ".topk(") for x in operands[:1])


def _tied(x: Array) -> bool:
    """Whether an element stands twice along some axis."""
    return any(bool((np.diff(np.sort(x, axis), axis=axis) == 0).any()) for axis in range(x.ndim))


def _short_vectors(case: Case) -> bool:
    """Whether a vector is shorter than the least length that its cosine is divided by."""
    return any(
        bool((np.sqrt((x * x).sum(getattr(node.op, "axis", -1))) < getattr(node.op, "eps", 0.0)).any())
        for node, operands in called_with(case, "F.cosine_similarity(")
        for x in operands
    )


def _padding_rows(case: Case) -> bool:
    """Whether a table is read at the row that takes no gradient."""
    return any(
        getattr(node.op, "padding_idx", None) is not None
        for node, operands in called_with(case, "padding_idx=")
    )


def _small_exponentials(case: Case) -> bool:
    """Whether all that an elu, selu or celu is given lies near 0: below it, exp(x) - 1 cancels."""
    kinds = {"Elu": "F.elu(", "Selu": "F.selu(", "Celu": "F.celu("}
    calls = [call for kind, call in kinds.items() if chained(case, kind)]
    given = [x for call in calls for _, (x, *_) in called_with(case, call)]
    return any(bool((np.abs(x) < SMALL).all() and (x < 0).any()) for x in given)


def _sure_shares(case: Case) -> bool:
    """Whether what is said to be likely is sure: the logarithm of 0 stands before its target."""
    given = called_with(case, "F.binary_cross_entropy(")
    return any(bool(((x == 0) | (x == 1)).any()) for _, (x, *_) in given)


def _maps_of_classes(case: Case) -> bool:
    return any(x.ndim > 2 for _, (x, *_) in called_with(case, "F.nll_loss("))


def _permuted_instances(case: Case) -> bool:
    """Whether several maps of one channel each are normalised, and what comes back may be laid out otherwise."""
    maps = (x for _, (x, *_) in called_with(case, "F.instance_norm("))
    return any(x.ndim > 3 and x.shape[0] > 1 and x.shape[1] == 1 for x in maps)


def _far_below(case: Case) -> bool:
    """Whether a gelu by tanh is taken far below 0, where 1 + tanh cancels."""
    return any(bool((x < BELOW).any()) for _, (x, *_) in called_with(case, "F.gelu(a0, approximate="))


def _closed_gates(case: Case) -> bool:
    """Whether a recurrent layer lets next to nothing through: its gates are sigmoids far below 0."""
    kinds = ("nn.LSTM", "nn.GRU")
    return any(chained(case, kind.removeprefix("nn.")) for kind in kinds) and any(
        bool(np.abs(y).max(initial=0) < CLOSED)
        for truth in case.truths
        for y in truth.values
        if y.dtype.kind == "f"
    )


def _equal_values(case: Case) -> bool:
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


def _flat_groups(case: Case) -> bool:
    """Whether a group that is normalised hardly differs from its mean."""
    if not chained(case, "GroupNormalization"):
        return False
    for node, (x, *_) in called_with(case, "F.group_norm("):
        groups = x.reshape(x.shape[0], getattr(node.op, "num_groups", 1), -1)
        if bool((groups.mean(-1) ** 2 > FLAT * groups.var(-1)).any()):
            return True
    return False


KNOWN: tuple[Known, ...] = (
    Known(
        "instance_norm of several maps of one channel, permuted",
        "the gradient of its weight is wrong where what comes back has the samples last",
        "torch 2.13 (torch.autograd against the formula, in float64)",
        ("gradient",),
        _permuted_instances,
        """netc 1

net Fuzz {
    input x0: float32[N, 1, 3, 2]
    v1 = InstanceNorm2d(x0, eps=0.5, affine=true)
    v2 = permute(v1, 1, 2, 3, 0)
    output v2
}
""",
    ),
    Known(
        "gelu by tanh far below 0",
        "it is computed as 0.5 x (1 + tanh u): where tanh is nearly -1, few digits of the sum are left",
        "torch 2.13",
        ("torch", "torch64"),
        _far_below,
        """netc 1

net Fuzz {
    \"\"\"Draws: x0 in -5.6..-5.1.\"\"\"
    input x0: float32[N, 2]
    v1 = gelu(x0, approximate="tanh")
    output v1
}
""",
    ),
    Known(
        "normalisation of equal values",
        "the variance is that of rounding: what is left of float32 is divided by the square root of eps",
        "torch 2.13: as any that computes in float32",
        ("torch",),
        _equal_values,
        """netc 1

net Fuzz {
    \"\"\"Draws: x0 in -0.9..-0.1, x1 whole.\"\"\"
    input x0: float32[1, 4, 1, 2]
    input x1: float32[2, 1, 1, 2]
    v1 = minimum(x1, x0)
    for i in range(3) {
        v1 = v1 -> abs -> LayerNorm(affine=false)
    }
    output v1
}
""",
    ),
    Known(
        "closed gates of recurrent layers",
        "onnxruntime's sigmoid is off by 1e-8 and more whatever its value, which is all there is far below 0",
        "onnxruntime 1.31",
        ("onnx", "plain onnx"),
        _closed_gates,
        """netc 1

net Fuzz {
    input x0: float32[2, 4, 9]
    v1 = x0 * 3.0 -> norm(keepdims=true)
    y, h, c = LSTM(v1, hidden_size=3)
    output y
}
""",
    ),
    Known(
        "slope of the cosine of short vectors",
        "where a vector is shorter than eps, PyTorch divides by eps and yet differentiates the length",
        "torch 2.13 (the gradient of F.cosine_similarity against differences of itself)",
        ("gradient",),
        _short_vectors,
        """netc 1

net Fuzz {
    input x0: float32[N, 3, 6], x1: float32[N, 3, 6]
    v1 = cosine_similarity(x0 * 0.2, x1, eps=0.9)
    output v1
}
""",
    ),
    Known(
        "ties of torch.topk",
        "PyTorch does not say which of several equal elements it takes; numpy and onnxruntime take the first",
        "torch 2.13; onnxruntime 1.31 (torch: topk is not stable, see its documentation)",
        ("torch", "torch64", "gradient"),
        _topk_ties,
        """netc 1

net Fuzz {
    \"\"\"Draws: x0 in 0..1, x1 whole.\"\"\"
    input x0: int64[N, 6]
    input x1: float32[N, 12]
    v1, v2 = topk(x0, k=3)
    v3, v4 = topk(x1, k=6)
    output v1, v2, v3
}
""",
    ),
    Known(
        "no slope for a padding row",
        "the row padding_idx of a table is meant to stay: PyTorch, and netc with it, gives it no gradient",
        "torch 2.13 (see F.embedding)",
        ("slope",),
        _padding_rows,
        """netc 1

net Fuzz {
    input x0: int64[N, 4]
    v1 = Embedding(x0, num_embeddings=2, embedding_dim=3, padding_idx=0)
    output v1
}
""",
    ),
    Known(
        "variance of onnxruntime's GroupNormalization",
        "it takes the mean of squares less the square of the mean, which cancel where the mean is large",
        "onnxruntime 1.31, from opset 21",
        ("onnx", "plain onnx"),
        _flat_groups,
        """netc 1

net Fuzz {
    input x0: float32[N, 4, 3]
    v1 = GroupNorm(x0 + 300.0, num_groups=2)
    output v1
}
""",
    ),
    Known(
        "elu, selu and celu of onnxruntime near 0",
        "it computes exp(x) - 1, not expm1(x): below 0 and near it few digits are left",
        "onnxruntime 1.31",
        ("onnx", "plain onnx"),
        _small_exponentials,
        """netc 1

net Fuzz {
    \"\"\"Draws: x0 in -0.0009..-0.0001.\"\"\"
    input x0: float32[N, 40]
    v1 = elu(x0)
    v2 = selu(x0)
    v3 = celu(x0)
    output v1, v2, v3
}
""",
    ),
    Known(
        "slope of bce by its target",
        "PyTorch holds the logarithm at -100 and differentiates by the target as if it were not held",
        "torch 2.13",
        ("gradient",),
        _sure_shares,
        """netc 1

net Fuzz {
    \"\"\"Draws: x0 in 0..1.\"\"\"
    input x0: float32[N, 4]
    v1 = bce(relu(x0 - 1.0), x0)
    output v1
}
""",
    ),
    Known(
        "nll_loss of a permuted map",
        "its backward pass asks for a gradient that is contiguous, and makes it like its operand, which is not",
        "torch 2.13",
        ("gradient",),
        _maps_of_classes,
        """netc 1

net Fuzz {
    \"\"\"Draws: x1 in 0..3.\"\"\"
    input x0: float32[N, 3, 4, 5]
    input x1: int64[N, 5, 3]
    v1 = nll(permute(x0, 0, 2, 3, 1), x1)
    output v1
}
""",
        "grad_input must be contiguous",
    ),
)
