"""Which netc ops compute an ONNX node: norms, resizing, recurrent layers, losses, attention."""

from fractions import Fraction
from math import inf

import numpy as np
from onnx_case import Inexpressible
from onnx_cases import constant, rule

# -- resizing --------------------------------------------------------------------------------------------

MODES = {
    "linear": {1: "linear", 2: "bilinear", 3: "trilinear"},
    "cubic": {2: "bicubic"},
}


@rule("Resize")
def resize(c, x, roi=None, scales=None, sizes=None):
    for name, plain in (("antialias", 0), ("exclude_outside", 0), ("cubic_coeff_a", -0.75)):
        if c.attribute(name, plain) != plain:
            raise Inexpressible(f"no {name} in interpolate")
    how = c.attribute("coordinate_transformation_mode", "half_pixel")
    c.attribute("extrapolation_value")  # of tf_crop_and_resize
    mode, out = c.attribute("mode", "nearest"), wanted_sizes(c, x, scales, sizes)
    to = {"size": out} if scales is None else {"scale_factor": [float(n) for n in map_scales(c, x, scales)]}
    if mode == "nearest":
        return c.op("interpolate", x, mode=nearest(c, x, how, out), **to)
    if how not in ("half_pixel", "align_corners"):
        raise Inexpressible(f"no {how} in interpolate")
    return c.op("interpolate", x, mode=MODES[mode][len(out)], align_corners=how == "align_corners", **to)


def axes_of(c, x):
    return c.attribute("axes") or list(range(len(x.shape)))


def map_scales(c, x, scales):
    """The factors of the axes of a map; each is a short decimal, which float32 has rounded."""
    given = dict(zip(axes_of(c, x), scales.numbers(), strict=True))
    factors = [Fraction(given.get(axis, 1)).limit_denominator(1000) for axis in range(len(x.shape))]
    assert factors[:2] == [1, 1]
    return factors[2:]


def wanted_sizes(c, x, scales, sizes):
    policy = c.attribute("keep_aspect_ratio_policy", "stretch")
    if scales is not None:
        return [int(n * f) for n, f in zip(x.shape[2:], map_scales(c, x, scales), strict=True)]
    given = dict(zip(axes_of(c, x), sizes.numbers(), strict=True))
    if policy != "stretch":
        ratios = [Fraction(m, x.shape[axis]) for axis, m in given.items()]
        ratio = min(ratios) if policy == "not_larger" else max(ratios)
        given = {axis: round(x.shape[axis] * ratio) for axis in given}
    return [given.get(axis, n) for axis, n in enumerate(x.shape)][2:]


def nearest(c, x, how, out):
    """The mode that takes the same elements; that which rounds at a half matters only where one is met."""
    rounding = c.attribute("nearest_mode", "round_prefer_floor")
    if (how, rounding) == ("asymmetric", "floor"):
        return "nearest"
    pairs = list(zip(x.shape[2:], out, strict=True))
    halves = any(Fraction((2 * i + 1) * n, 2 * m).denominator == 1 for n, m in pairs for i in range(m))
    if how == "half_pixel" and (
        rounding == "round_prefer_ceil" or (rounding.startswith("round") and not halves)
    ):
        return "nearest-exact"
    raise Inexpressible(f"no {how} with {rounding} in interpolate")


@rule("Upsample")
def upsample(c, x, scales):
    assert c.attribute("mode") == "nearest"
    return c.op("interpolate", x, scale_factor=scales.numbers()[2:], mode="nearest")


# -- norms -----------------------------------------------------------------------------------------------


@rule("BatchNormalization")
def batch_norm(c, x, weight, bias, mean, variance):
    if c.attribute("training_mode", 0):
        raise Inexpressible("in training, a running variance that is biased")
    params = {"weight": weight, "bias": bias, "running_mean": mean, "running_var": variance}
    return c.op(f"BatchNorm{len(x.shape) - 2}d", x, params=params, eps=c.attribute("epsilon", 1e-5))


@rule("InstanceNormalization")
def instance_norm(c, x, weight, bias):
    params, eps = {"weight": weight, "bias": bias}, c.attribute("epsilon", 1e-5)
    return c.op(f"InstanceNorm{len(x.shape) - 2}d", x, params=params, eps=eps, affine=True)


@rule("GroupNormalization")
def group_norm(c, x, weight, bias):
    params, groups = {"weight": weight, "bias": bias}, c.attribute("num_groups")
    return c.op("GroupNorm", x, params=params, num_groups=groups, eps=c.attribute("epsilon", 1e-5))


@rule("LayerNormalization")
def layer_norm(c, x, weight, bias):
    rank, axis, eps = len(x.shape), c.attribute("axis", -1), c.attribute("epsilon", 1e-5)
    params, over = {"weight": weight, "bias": bias}, list(range(axis % rank, rank))
    y = c.op("LayerNorm", x, params=params, axes=len(over), eps=eps)
    variance = c.op("var", x, axis=over, keepdims=True, correction=0)
    spread = c.op("rsqrt", c.op("add", variance, c.number(eps, x)))
    return y, c.op("mean", x, axis=over, keepdims=True), spread


@rule("RMSNormalization")
def rms_norm(c, x, weight):
    axes = len(x.shape) - c.attribute("axis", -1) % len(x.shape)
    return c.op("RMSNorm", x, params={"weight": weight}, axes=axes, eps=c.attribute("epsilon", 1e-5))


@rule("MeanVarianceNormalization")
def mean_variance_normalization(c, x):
    axes = c.attribute("axes", [0, 2, 3])
    centred = c.op("sub", x, c.op("mean", x, axis=axes, keepdims=True))
    spread = c.op("std", x, axis=axes, keepdims=True, correction=0)
    return c.op("div", centred, c.op("add", spread, c.number(1e-9, x)))


@rule("LRN")
def lrn(c, x):
    alpha, beta, bias = c.attribute("alpha", 1e-4), c.attribute("beta", 0.75), c.attribute("bias", 1.0)
    return c.op("local_response_norm", x, size=c.attribute("size"), alpha=alpha, beta=beta, k=bias)


@rule("Gemm")
def gemm(c, a, b, bias=None):
    """A Linear where it is one."""
    alpha, beta = c.attribute("alpha", 1.0), c.attribute("beta", 1.0)
    a = c.op("transpose", a, dim0=0, dim1=1) if c.attribute("transA", 0) else a
    rows = b.array if c.attribute("transB", 0) else b.array.T
    if alpha == beta == 1 and (bias is None or bias.shape == (1, len(rows))):
        params = {"weight": c.leaf(rows)} | ({} if bias is None else {"bias": c.leaf(bias.array[0])})
        return c.op("Linear", a, params=params, out_features=len(rows), bias=bias is not None)
    b = c.op("transpose", b, dim0=0, dim1=1) if c.attribute("transB", 0) else b
    product = c.op("mul", c.op("matmul", a, b), c.number(alpha, a))
    return c.op("add", product, c.op("mul", bias, c.number(beta, bias)))


# -- losses ----------------------------------------------------------------------------------------------


@rule("NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss")
def class_loss(c, x, target, weight=None):
    name = {"NegativeLogLikelihoodLoss": "nll"}.get(c.case.op_type, "cross_entropy")
    reduction, ignored = c.attribute("reduction", "mean"), c.attribute("ignore_index", -100)
    if reduction == "none":
        raise Inexpressible("no loss for each position")
    loss = c.op(name, x, target, ignore_index=ignored, weight=constant(weight))
    if reduction == "sum":  # of what netc gives the weighted mean
        kept = target.array[target.array != ignored]
        loss = c.op("mul", loss, c.number(len(kept) if weight is None else weight.array[kept].sum(), loss))
    return (loss, c.op("log_softmax", x, axis=1)) if len(c.case.outputs) > 1 else loss


# -- recurrent layers ------------------------------------------------------------------------------------

# ONNX's blocks of rows in the order of torch: LSTM i o f c -> i f g o, GRU z r h -> r z n
GATES = {"RNN": (0,), "LSTM": (0, 2, 3, 1), "GRU": (1, 0, 2)}


@rule("RNN", "LSTM", "GRU")
def recurrent(c, x, weight, hidden, bias=None, lengths=None, h0=None, c0=None, peepholes=None):
    name, size = c.case.op_type, c.attribute("hidden_size")
    backwards = {"forward": False, "bidirectional": False, "reverse": True}[
        c.attribute("direction", "forward")
    ]
    first, directions = bool(c.attribute("layout", 0)), weight.shape[0]
    time = x.shape[1 if first else 0]
    require_plain(c, time, bias, lengths, peepholes)
    x = c.op("flip", x, axis=1 if first else 0) if backwards else x
    states = [c.leaf(np.swapaxes(h.array, 0, 1)) if first else h for h in (h0, c0) if h is not None]
    y, *ends = c.op(
        name,
        x,
        *states,
        params=recurrent_weights(c, name, weight, hidden, bias),
        hidden_size=size,
        bias=bias is not None,
        batch_first=first,
        bidirectional=directions == 2,
    )
    y = c.op("flip", y, axis=1 if first else 0) if backwards else y
    pattern = "n t (d h) -> n t d h" if first else "t n (d h) -> t d n h"
    ends = [c.op("transpose", end, dim0=0, dim1=1) if first else end for end in ends]
    return c.op("rearrange", y, pattern=pattern, d=directions), *ends


def require_plain(c, time, bias, lengths, peepholes):
    if peepholes is not None:
        raise Inexpressible("no peepholes in LSTM")
    if lengths is not None and set(lengths.numbers()) != {time}:
        raise Inexpressible("no lengths of sequences")
    if c.case.op_type == "GRU" and not c.attribute("linear_before_reset", 0):
        rows = 0 if bias is None else bias.array[:, bias.shape[1] // 2 :]
        if time > 1 or np.any(rows):  # in a first step without that bias, there is nothing to reset
            raise Inexpressible("GRU resets after the product, as torch and cuDNN do")


def recurrent_weights(c, name, weight, hidden, bias):
    """By the names of torch, the gates in its order."""
    found, gates = {}, GATES[name]
    for direction, suffix in zip(range(weight.shape[0]), ("l0", "l0_reverse"), strict=False):
        parts = {"weight_ih": weight.array[direction], "weight_hh": hidden.array[direction]}
        if bias is not None:
            parts["bias_ih"], parts["bias_hh"] = np.split(bias.array[direction], 2)
        for part, rows in parts.items():
            blocks = np.split(rows, len(gates))
            found[f"{part}_{suffix}"] = c.leaf(np.concatenate([blocks[gate] for gate in gates]))
    return found


# -- attention -------------------------------------------------------------------------------------------


@rule("Attention", "FlexAttention")
def attention(c, q, k, v, mask=None, past_k=None, past_v=None, lengths=None):
    c.attribute("softmax_precision")
    if c.attribute("softcap", 0.0) or c.attribute("score_mod") or c.attribute("prob_mod"):
        raise Inexpressible("no change of scores before their softmax but a mask")
    flat = len(q.shape) == 3
    if flat:
        heads = c.attribute("q_num_heads"), c.attribute("kv_num_heads"), c.attribute("kv_num_heads")
        q, k, v = (by_head(c, x, h) for x, h in zip((q, k, v), heads, strict=True))
    if past_k is not None:
        k, v = c.op("concat", past_k, k, axis=2), c.op("concat", past_v, v, axis=2)
    present = k, v
    if (repeats := q.shape[1] // k.shape[1]) > 1:
        k, v = (c.op("repeat_interleave", x, repeats=repeats, axis=1) for x in (k, v))
    scale = c.attribute("scale")
    seen, causal = visible(c, q, k, mask, past_k, lengths)
    y = c.op("scaled_dot_product_attention", q, k, v, *seen, is_causal=causal, scale=scale)
    scores = attention_scores(c, q, k, seen, scale) if len(c.case.outputs) == 4 else None
    return (c.op("rearrange", y, pattern="b h s d -> b s (h d)") if flat else y), *present, scores


def by_head(c, x, heads):
    return c.op("rearrange", x, pattern="b s (h d) -> b h s d", h=heads)


def visible(c, q, k, mask, past, lengths):
    """The mask, if any, and whether it is but the causal one; what else hides keys becomes part of the mask."""
    causal = bool(c.attribute("is_causal", 0))
    left, right = c.attribute("left_window_size", -1), c.attribute("right_window_size", -1)
    if past is None and lengths is None and left < 0 and right < 0 and (mask is None or not causal):
        return ([] if mask is None else [whole(c, mask, k)]), causal
    start = 0 if past is None else past.shape[2]
    if lengths is not None:
        start = lengths.array.reshape(-1, 1, 1, 1) - q.shape[2]
    ahead = np.arange(k.shape[2]) - np.arange(q.shape[2])[:, None] - start
    shown = (ahead <= 0) if causal else np.ones(ahead.shape, bool)
    shown = shown & (ahead <= right) if right >= 0 else shown
    shown = shown & (ahead >= -left) if left >= 0 else shown
    if lengths is not None:
        shown = shown & (np.arange(k.shape[2]) < lengths.array.reshape(-1, 1, 1, 1))
    if mask is None:
        return [c.leaf(shown)], False
    given = whole(c, mask, k).array
    return [
        c.leaf(given & shown if mask.dtype == "bool" else np.where(shown, given, -inf), mask.dtype)
    ], False


def whole(c, mask, k):
    """A mask with a row for each query; ONNX lets it lack the last keys, which it hides."""
    short, hidden = k.shape[2] - mask.shape[-1], False if mask.dtype == "bool" else -inf
    if not short and len(mask.shape) > 1:
        return mask
    wide = np.pad(
        np.atleast_2d(mask.array),
        [(0, 0)] * (max(len(mask.shape), 2) - 1) + [(0, short)],
        constant_values=hidden,
    )
    return c.leaf(wide, mask.dtype)


def attention_scores(c, q, k, seen, scale):
    """What the node gives beside its result: 0 the products, 2 with the mask, 3 the weights of the values."""
    mode = c.attribute("qk_matmul_output_mode", 0)
    if mode == 3:
        each = np.broadcast_to(np.eye(k.shape[2]), (*k.shape[:2], k.shape[2], k.shape[2]))
        return c.op("scaled_dot_product_attention", q, k, c.leaf(each, q.dtype), *seen, scale=scale)
    product = c.op("matmul", q, c.op("transpose", k, dim0=-1, dim1=-2))
    scores = c.op("mul", product, c.number(q.shape[-1] ** -0.5 if scale is None else scale, q))
    return c.op("add", scores, *seen) if mode == 2 and seen else scores
