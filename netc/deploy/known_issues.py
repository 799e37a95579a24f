"""Differences that others are known to make: each with its cause, the versions that show it, and its pattern.

The fuzzer and `netc verify` read it. A pattern is of ops and their operands, or of nodes of the ONNX graph, as wide as
what shows the difference and no wider. `shows` is a program of the fuzzer's that shows it; a test runs it, and fails
where the difference is gone, so that the entry goes, too.
"""

from __future__ import annotations

from netc.deploy import patterns
from netc.deploy.evidence import Evidence, Known

LEVELLED = 0.05  # rounding times 1 / sqrt(eps), through some layers
SIXTH = 6e-8  # twice what 1/6 loses in float32


def known_of(oracle: str, error: float, note: str, seen: Evidence) -> Known | None:
    """The difference that explains an error, or a failure that says `note`, if one does."""
    told = (k for k in KNOWN if oracle in k.oracles and k.says in note)
    return next((k for k in told if (times := k.pattern(seen)) and not error > k.most * times), None)


KNOWN: tuple[Known, ...] = (
    Known(
        "batch_norm and instance_norm of maps with an axis of one",
        "their gradients are wrong where what comes back is laid out otherwise, as by permute or a product",
        "torch 2.13 (torch.autograd against the formula, in float64)",
        ("gradient",),
        patterns.narrow_maps,
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
        "gelu far below 0",
        "it is computed as 0.5 x (1 + erf u), or tanh: where that is nearly -1, few digits of the sum are left",
        "torch 2.13",
        ("torch", "torch64"),
        patterns.far_below,
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
        "gelu of onnxruntime far below 0",
        "it, too, adds 1 to what is nearly -1",
        "onnxruntime 1.31",
        ("onnx", "plain onnx"),
        patterns.far_below,
        """netc 1

net Fuzz {
    \"\"\"Draws: x5 in 0.1..0.9.\"\"\"
    input x4: float32[N, 3, 4]
    input x5: float32[N, 3, 4]
    v6 = kl_div(x4, x5)
    v8 = gelu(v6, "tanh")
    output v8
}
""",
    ),
    Known(
        "order of what only rounding tells apart",
        "the values that are put in order are equal but for the rounding of float32",
        "torch 2.13, onnxruntime 1.31: as any that compute in float32",
        ("torch", "onnx", "plain onnx"),
        patterns.near_ties,
        """netc 1

net Fuzz {
    input x5: float32[N, 2]
    v6 = cosine_similarity(x5, x5)
    v20 = v6 -> argsort(descending=true)
    output v20
}
""",
    ),
    Known(
        "sigmoid of onnxruntime far below 0",
        "it is exactly 0 from -18 on, and such values are all there is",
        "onnxruntime 1.31",
        ("onnx", "plain onnx"),
        patterns.far_sigmoids,
        """netc 1

net Fuzz {
    input x0: float32[N, 3]
    v1 = sigmoid(x0 - 25.0)
    output v1
}
""",
    ),
    Known(
        "steps that rounding decides",
        "what is a whole number but for rounding is rounded to one or the other",
        "torch 2.13, onnxruntime 1.31: as any that compute in float32",
        ("torch", "onnx", "plain onnx"),
        patterns.near_steps,
        """netc 1

net Fuzz {
    \"\"\"Draws: x8 whole.\"\"\"
    input x8: float32[N, 2, 1]
    v9 = log_softmax(x8, axis=0, temperature=0.25)
    v21 = v9
    v21 = v21 -> floor
    v23 = ne(v21, v9)
    output v23
}
""",
    ),
    Known(
        "normalisation of equal values in onnxruntime",
        "as in PyTorch, of which the error in float32 is another one",
        "onnxruntime 1.31: as any that computes in float32",
        ("onnx", "plain onnx"),
        patterns.equal_values,
        """netc 1

block Unit15(setting: int = 1) {
    input a6: [N, 2]
    v9 = GroupNorm(a6, num_groups=setting, affine=false)
    v14 = abs(v9)
    output v14
}

net Fuzz {
    input x0: float32[N, 2]
    setting = 1
    v9 = GroupNorm(x0, num_groups=setting, affine=false)
    v14 = abs(v9)
    v17 = v14 -> Unit15 * 2
    output v17
}
""",
        most=LEVELLED,
    ),
    Known(
        "shares that rounding takes past 0 or 1",
        "what is 0 or 1 but for rounding is less or more, and bce takes numbers from 0 to 1",
        "torch 2.13: as any that rounds",
        ("torch", "torch64"),
        patterns.whole_shares,
        """netc 1

net Fuzz {
    \"\"\"Draws: x0 in 0.5..0.5, x3 in 0.5..0.5.\"\"\"
    input x0: float32[2, 6, 3, 2]
    input x3: float32[2, 6, 3, 2]
    input x6: float32[N]
    v1 = InstanceNorm2d(x0, eps=1e-07, affine=true)
    v2 = v1 -> InstanceNorm2d
    v4 = (v2, x3) -> bce
    v7 = (x6, x6) -> cosine_similarity(axis=0)
    output v4, v7
    loss bce(v7, v7)
}
""",
        "between 0 and 1",
    ),
    Known(
        "remainders by what vanishes in float32",
        "the divisor is a number in float64 and 0 in float32",
        "torch 2.13, onnxruntime 1.31: as any that compute in float32",
        ("torch", "onnx", "plain onnx"),
        patterns.vanishing_divisors,
        """netc 1

net Fuzz {
    input x0: float32[1]
    input x1: float32[N, 3]
    v1 = detach(x0 % softmax(x1, temperature=0.01))
    output v1
}
""",
    ),
    Known(
        "normalisation of equal values",
        "the variance is that of rounding: what is left of float32 is divided by the square root of eps",
        "torch 2.13: as any that computes in float32",
        ("torch",),
        patterns.equal_values,
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
        most=LEVELLED,
    ),
    Known(
        "closed gates of recurrent layers",
        "onnxruntime's sigmoid is off by 1e-8 and more whatever its value, which is all there is far below 0",
        "onnxruntime 1.31",
        ("onnx", "plain onnx"),
        patterns.closed_gates,
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
        patterns.short_vectors,
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
        ("torch", "torch64"),
        patterns.topk_ties,
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
        "variance of onnxruntime's GroupNormalization",
        "it takes the mean of squares less the square of the mean, which cancel where the mean is large",
        "onnxruntime 1.31, from opset 21",
        ("onnx", "plain onnx"),
        patterns.flat_groups,
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
        patterns.small_exponentials,
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
        patterns.sure_shares,
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
        patterns.maps_of_classes,
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
    Known(
        "slope of hard_sigmoid",
        "PyTorch multiplies by 1/6 as float32 has it, in float64, too",
        "torch 2.13 (the gradient of F.hardsigmoid against that of its formula)",
        ("gradient",),
        patterns.sixths,
        """netc 1

net Fuzz {
    input x0: float32[N, 4]
    v1 = hard_sigmoid(x0)
    output v1
}
""",
        most=SIXTH,
    ),
    Known(
        "normalisation of equal values without eps",
        "0 divided by 0 is 0 for PyTorch's kernel, which takes the inverse of a deviation of 0 for 0",
        "torch 2.13",
        ("torch", "torch64"),
        patterns.constant_maps,
        """netc 1

net Fuzz {
    \"\"\"Draws: x0 in 0..0.\"\"\"
    input x0: float32[N, 2, 3]
    v1 = InstanceNorm1d(x0, eps=0.0)
    output v1
}
""",
    ),
)
