"""Enters every op of every family in the registry."""

from netc.ops import (
    activation,
    adaptive_pool,
    arithmetic,
    batch_norm,
    comparison,
    conv,
    conv_transpose,
    cross_entropy,
    dropout,
    function,
    join,
    linear,
    loss,
    matmul,
    metric,
    norm,
    pad,
    pool,
    rearrange,
    reduce,
    shape,
    slice,
    softmax,
)

__all__ = [
    "activation", "adaptive_pool", "arithmetic", "batch_norm", "comparison", "conv", "conv_transpose",
    "cross_entropy", "dropout", "function", "join", "linear", "loss", "matmul", "metric", "norm", "pad",
    "pool", "rearrange", "reduce", "shape", "slice", "softmax",
]
