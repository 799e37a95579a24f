"""The scale and shift that end a normalisation: parameters, and how they lie along a map."""

from __future__ import annotations

from netc.dims import AnyDim, Shape, at_least, decide, value
from netc.ops.arrays import np
from netc.ops.contract import Array, Graph, Init, Parameter, require


def require_eps(eps: float) -> None:
    require(
        eps < 1,
        "eps",
        f"eps is a small number such as 1e-5, not {eps:g}; how many features come in is inferred",
    )
    require(eps >= 0, "eps", f"eps must not be negative, not {eps}")


def require_several(factors: Shape, at: str, message: str) -> None:
    """That more than one value is normalised; of sizes that are all free, the last is to be 2 or more."""
    if any(decide("least", n, 2) for n in factors):
        return
    free = [n for n in factors if value(n) is None]
    require(bool(free) and at_least(free[-1], 2), at, message)


def affine_params(shape: Shape, affine: bool, bias: bool = True) -> dict[str, Parameter]:
    weight, shift = Parameter(shape, Init("ones")), Parameter(shape, Init("zeros"))
    return ({"weight": weight, "bias": shift} if bias else {"weight": weight}) if affine else {}


def per_channel(values: Array, rank: int) -> Array:
    """`values` [C] as they broadcast against [N, C, ...]."""
    return values.reshape((values.shape[0], *(1,) * (rank - 2)))


def unit_affine(graph: Graph, shape: Shape, dtype: str) -> tuple[str, str]:
    """A scale of ones and a shift of zeros, spread at run time where a size is free."""
    known: list[AnyDim | None] = [value(n) for n in shape]
    if None not in known:
        return graph.constant(np.ones(known), dtype), graph.constant(np.zeros(known), dtype)
    sizes = graph.sizes(shape)
    ones, zeros = (graph.node("Expand", graph.constant(v, dtype), sizes) for v in (1.0, 0.0))
    return ones, zeros
