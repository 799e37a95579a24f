"""What a program must have for a difference of others to explain what is found in it: a table about ops, which names them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from netc.deploy.evidence import Evidence, called, chained

Array: TypeAlias = npt.NDArray[Any]
INSTANCES = ("InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d")
BATCHES = ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d")
SMALL = 0.05  # of which exp(x) - 1 has lost four bits
BELOW = -3.0  # where 1 + tanh has lost four bits
CLOSED = 0.05  # what a gate lets through that is next to nothing
NEARLY = 1e-6  # of the greatest: what differs less may be equal in float32
VANISHED = -17.0  # from where on onnxruntime's sigmoid is 0, about
VANISHING = 1.2e-38  # the least normal number of float32
LEVEL = 1e-5  # of their size: values that differ less are told apart by few digits of float32
FLAT = 100.0  # how many times the variance the square of a mean may be


def topk_ties(seen: Evidence) -> bool:
    """Whether some elements are equal where the largest are taken."""
    return any(_tied(x) for node, operands in called(seen, "topk", "top_k_accuracy") for x in operands[:1])


def _tied(x: Array) -> bool:
    """Whether an element stands twice along some axis."""
    return any(bool((np.diff(np.sort(x, axis), axis=axis) == 0).any()) for axis in range(x.ndim))


def short_vectors(seen: Evidence) -> bool:
    """Whether a vector is shorter than the least length that its cosine is divided by."""
    return any(
        bool((np.sqrt((x * x).sum(getattr(node.op, "axis", -1))) < getattr(node.op, "eps", 0.0)).any())
        for node, operands in called(seen, "cosine_similarity")
        for x in operands
    )


def small_exponentials(seen: Evidence) -> bool:
    """Whether all that an elu, selu or celu is given lies near 0: below it, exp(x) - 1 cancels."""
    names = [kind.lower() for kind in ("Elu", "Selu", "Celu") if chained(seen, kind)]
    given = [x for _, (x, *_) in called(seen, *names)]
    return any(bool((np.abs(x) < SMALL).all() and (x < 0).any()) for x in given)


def maps_of_classes(seen: Evidence) -> bool:
    return any(x.ndim > 2 for _, (x, *_) in called(seen, "nll"))


def narrow_maps(seen: Evidence) -> bool:
    """Whether maps with an axis of one are normalised: their layout is ambiguous, and what comes back may be laid
    out otherwise."""
    maps = (x for _, (x, *_) in called(seen, *INSTANCES, *BATCHES))
    return any(x.ndim > 3 and 1 in x.shape[1:] for x in maps)


def far_below(seen: Evidence) -> bool:
    """Whether a gelu is taken far below 0, where 1 + erf and 1 + tanh cancel."""
    return any(bool((x < BELOW).any()) for _, (x, *_) in called(seen, "gelu"))


def whole_shares(seen: Evidence) -> bool:
    """Whether a share is 0 or 1 but for rounding."""
    given = called(seen, "bce")
    return any(bool((np.abs(x - np.round(x)) < NEARLY).any()) for _, (x, *_) in given)


def far_sigmoids(seen: Evidence) -> bool:
    """Whether a sigmoid is taken where onnxruntime's is 0."""
    given = (x for _, (x, *_) in called(seen, "sigmoid", "glu", "silu"))
    return chained(seen, "Sigmoid") and any(bool((x < VANISHED).any()) for x in given)


def near_steps(seen: Evidence) -> bool:
    """Whether what is rounded down, up or to the nearest lies at a step but for rounding."""
    given = [x for _, (x, *_) in called(seen, "floor", "ceil")]
    off = [x - np.round(x) for x in given] + [x - np.floor(x) - 0.5 for _, (x, *_) in called(seen, "round")]
    return any(bool((np.abs(d) < NEARLY).any()) for d in off)


def near_ties(seen: Evidence) -> bool:
    """Whether what is put in order differs by next to nothing."""
    given = ((n, x) for n, (x, *_) in called(seen, "argsort", "sort"))
    ordered = (
        np.diff(np.sort(x, axis := getattr(n.op, "axis", -1)), axis=axis) / (np.abs(x).max(initial=0) or 1.0)
        for n, x in given
    )
    return any(bool((np.abs(d) < NEARLY).any()) for d in ordered)


def vanishing_divisors(seen: Evidence) -> bool:
    """Whether a remainder is of what float32 holds for 0."""
    given = (x for _, operands in called(seen, "remainder") for x in operands[1:2])
    return any(bool(((np.abs(x) < VANISHING) & (x != 0)).any()) for x in given)


def closed_gates(seen: Evidence) -> bool:
    """Whether a recurrent layer lets next to nothing through: its gates are sigmoids far below 0."""
    given = called(seen, *(kind for kind in ("LSTM", "GRU") if chained(seen, kind)))
    return any(bool(np.abs(node.op.forward(*x)[0]).max(initial=0) < CLOSED) for node, x in given)


def equal_values(seen: Evidence) -> bool:
    """Whether values that only rounding tells apart are normalised: what comes out is rounding times 1 / sqrt(eps)."""
    for node, (x, *_) in called(seen, "LayerNorm"):
        if _level(x, tuple(range(x.ndim - getattr(node.op, "axes", 1), x.ndim))):
            return True
    for node, (x, *_) in called(seen, "GroupNorm"):
        groups = x.reshape(x.shape[0], getattr(node.op, "num_groups", 1), -1)
        if _level(groups, (2,)):
            return True
    return any(_level(x, tuple(range(2, x.ndim))) for _, (x, *_) in called(seen, *INSTANCES))


def _level(x: Array, axes: tuple[int, ...]) -> bool:
    return bool((x.std(axes) < LEVEL * np.abs(x).max(axes)).any())


def flat_groups(seen: Evidence) -> bool:
    """Whether a group that is normalised hardly differs from its mean."""
    if not chained(seen, "GroupNormalization"):
        return False
    for node, (x, *_) in called(seen, "GroupNorm"):
        groups = x.reshape(x.shape[0], getattr(node.op, "num_groups", 1), -1)
        if bool((groups.mean(-1) ** 2 > FLAT * groups.var(-1)).any()):
            return True
    return False


def constant_maps(seen: Evidence) -> bool:
    """Whether a map of equal values is divided by its deviation, to which nothing is added."""
    return any(
        node.op.eps == 0 and bool((x.std(tuple(range(2, x.ndim))) == 0).any())  # type: ignore[attr-defined]
        for node, (x, *_) in called(seen, *INSTANCES)
    )


def sixths(seen: Evidence) -> int:
    """How many slopes of a sixth there are on the way."""
    return sum(node.op.name == "hard_sigmoid" for node in seen.flat.nodes)


def sure_shares(seen: Evidence) -> bool:
    """Whether what is said to be likely is sure: the logarithm of 0 stands before its target."""
    given = called(seen, "bce")
    return any(bool(((x == 0) | (x == 1)).any()) for _, (x, *_) in given)
