"""Translates the names that other libraries have for layers, functions and initialisers."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from netc.diagnostics.wording import nearest

ELSEWHERE = {
    "cat": "concat",
    "Concat": "concat",
    "Concatenate": "concat",
    "concatenate": "concat",
    "view": "reshape",
    "Dense": "Linear",
    "FullyConnected": "Linear",
    "Convolution2D": "Conv2d",
    "Conv2DTranspose": "ConvTranspose2d",
    "BatchNormalization": "BatchNorm2d",
    "InstanceNorm": "InstanceNorm2d",
    "LayerNormalization": "LayerNorm",
    "GroupNormalization": "GroupNorm",
    "MaxPooling2D": "MaxPool2d",
    "AveragePooling2D": "AvgPool2d",
    "GlobalAveragePooling2D": "global_avg_pool",
    "GlobalMaxPooling2D": "global_max_pool",
    "StochasticDepth": "DropPath",
    "SpatialDropout2D": "Dropout2d",
    "Attention": "MultiheadAttention",
    "SelfAttention": "MultiheadAttention",
    "Transformer": "TransformerEncoderLayer",
    "TransformerEncoder": "TransformerEncoderLayer",
    "TransformerDecoder": "TransformerDecoderLayer",
    "UpSampling2D": "interpolate",
    "UpsamplingBilinear2d": "interpolate",
    "UpsamplingNearest2d": "interpolate",
    "resize": "interpolate",
    "ZeroPad2d": "pad",
    "swish": "silu",
    "absolute": "abs",
    "power": "pow",
    "fmod": "remainder",
    "mod": "remainder",
    "mm": "matmul",
    "bmm": "matmul",
    "dot": "matmul",
    "tensordot": "einsum",
    "amax": "max",
    "amin": "min",
    "reduce_max": "max",
    "reduce_mean": "mean",
    "reduce_sum": "sum",
    "arange": "positions",
    "masked_fill": "where",
    "ones_like": "full_like",
    "zeros_like": "full_like",
    "movedim": "permute",
    "moveaxis": "permute",
    "swapaxes": "transpose",
    "expand_dims": "unsqueeze",
    "broadcast_to": "expand",
    "repeat": "tile",
    "take": "index_select",
    "take_along_axis": "gather",
    "scatter": "scatter_add",
    "astype": "cast",
    "categorical_crossentropy": "cross_entropy",
    "sparse_categorical_crossentropy": "cross_entropy",
    "binary_crossentropy": "bce",
    "mean_squared_error": "mse",
    "mean_absolute_error": "mae",
    "xavier": "xavier_uniform",
    "glorot": "xavier_uniform",
    "glorot_uniform": "xavier_uniform",
    "glorot_normal": "xavier_normal",
    "kaiming": "kaiming_normal",
    "he_normal": "kaiming_normal",
    "he_uniform": "kaiming_uniform",
    "truncated_normal": "trunc_normal",
}


WORDS = re.compile(r"(.*?)_?([123])d")


def family(name: str, known: Iterable[str]) -> list[str]:
    """The names that `name` would be with its number of spatial axes behind it: batch_norm, BatchNorm1d and so on.

    Functions where there are some and `name` is written as one.
    """
    stem = name.lower().replace("_", "")
    alike = ((k, WORDS.fullmatch(k)) for k in known)
    members = sorted(k for k, found in alike if found and found[1].lower().replace("_", "") == stem)
    cased = [k for k in members if k[0].islower() == name[0].islower()]
    return cased or members


LONG = 6  # letters of a name that may be misspelt and be another library's, too


def name_meant(name: str, known: Collection[str]) -> str | None:
    """The one of the names `known` that `name` was probably meant to be, as a slip or as another library's."""
    if name.lower() not in {k.lower() for k in known}:
        lower = {k.lower(): other for k, other in ELSEWHERE.items()}
        if lower.get(name.lower()) in known:
            return lower[name.lower()]
    if near := nearest(name, known):
        return near
    foreign = nearest(name, ELSEWHERE) if len(name) >= LONG else None
    return ELSEWHERE[foreign] if foreign and ELSEWHERE[foreign] in known else None
