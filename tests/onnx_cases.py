"""Which netc ops compute an ONNX node: elementwise, reductions, shapes and positions."""

import numpy as np
from onnx_case import Absent, Inexpressible

RULES = {}


def rule(*op_types):
    """Enters a function as the rule for these types of nodes."""

    def enter(made):
        RULES.update(dict.fromkeys(op_types, made))
        return made

    return enter


def constant(x):
    """What an input that an attribute of netc stands for holds."""
    return None if x is None else x.numbers()


# -- elementwise -----------------------------------------------------------------------------------------

# nodes and ops without attributes
PLAIN = {
    "Abs": "abs",
    "And": "logical_and",
    "Ceil": "ceil",
    "Cos": "cos",
    "Div": "div",
    "Equal": "eq",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "Greater": "gt",
    "GreaterOrEqual": "ge",
    "HardSwish": "hard_swish",
    "Identity": "identity",
    "Less": "lt",
    "LessOrEqual": "le",
    "Log": "log",
    "MatMul": "matmul",
    "Mish": "mish",
    "Mul": "mul",
    "Neg": "neg",
    "Not": "logical_not",
    "Or": "logical_or",
    "Pow": "pow",
    "Reciprocal": "reciprocal",
    "Relu": "relu",
    "Round": "round",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Sqrt": "sqrt",
    "Sub": "sub",
    "Add": "add",
    "Tanh": "tanh",
    "Where": "where",
    "Xor": "logical_xor",
}
RULES |= {node: lambda c, *xs, op=op: c.op(op, *xs) for node, op in PLAIN.items()}


@rule("Max", "Min", "Sum")
def fold(c, *xs):
    name = {"Max": "maximum", "Min": "minimum", "Sum": "add"}[c.case.op_type]
    out = xs[0] if len(xs) > 1 else c.op("identity", xs[0])
    for x in xs[1:]:
        out = c.op(name, out, x)
    return out


@rule("Mean")
def mean_of_inputs(c, *xs):
    return c.op("mean", c.op("stack", *xs, axis=0), axis=0)


@rule("Mod")
def mod(c, a, b):
    if c.attribute("fmod", 0):
        raise Inexpressible("no remainder with the sign of the dividend")
    return c.op("remainder", a, b)


@rule("Elu")
def elu(c, x):
    return c.op("elu", x, alpha=c.attribute("alpha", 1.0))


@rule("Celu")
def celu(c, x):
    return c.op("celu", x, alpha=c.attribute("alpha", 1.0))


@rule("LeakyRelu")
def leaky_relu(c, x):
    return c.op("leaky_relu", x, negative_slope=c.attribute("alpha", 0.01))


@rule("Selu")
def selu(c, x):
    alpha, gamma = c.attribute("alpha"), c.attribute("gamma")
    if alpha is None and gamma is None:
        return c.op("selu", x)
    return c.op("mul", c.op("elu", x, alpha=alpha), c.number(gamma, x))


@rule("Gelu")
def gelu(c, x):
    return c.op("gelu", x, approximate=c.attribute("approximate", "none"))


@rule("Swish", "SwiGLU")
def swish(c, x, *gated):
    alpha = c.attribute("alpha", 1.0)
    out = c.op("silu", x)
    if alpha != 1:
        out = c.op("mul", x, c.op("sigmoid", c.op("mul", x, c.number(alpha, x))))
    return c.op("mul", out, *gated) if gated else out


@rule("HardSigmoid")
def hard_sigmoid(c, x):
    """netc's has the slope 1 / 6, so a clamp it is."""
    slope, shift = c.number(c.attribute("alpha", 0.2), x), c.number(c.attribute("beta", 0.5), x)
    return c.op("clamp", c.op("add", c.op("mul", x, slope), shift), min=0.0, max=1.0)


@rule("ThresholdedRelu")
def thresholded_relu(c, x):
    passes = c.op("gt", x, c.number(c.attribute("alpha", 1.0), x))
    return c.op("where", passes, x, c.number(0.0, x))


@rule("PRelu")
def prelu(c, x, slope):
    if len(slope.shape) > 1:
        raise Inexpressible("a slope for each element")
    turned = c.op("transpose", x, dim0=1, dim1=-1)
    made = c.op("PReLU", turned, num_parameters=slope.shape[0], params={"weight": slope})
    return c.op("transpose", made, dim0=1, dim1=-1)


@rule("Clip")
def clip(c, x, low=None, high=None):
    if low is None and high is None:
        return c.op("identity", x)
    return c.op("clamp", x, min=constant(low), max=constant(high))


@rule("Cast", "CastLike")
def cast(c, x, *like):
    c.attribute("saturate")  # for types of 8 bits
    if like:  # which has a size of 0 in the cases, and gives its dtype only
        return c.op("type_as", x, c.leaf(np.zeros(1), like[0].dtype))
    return c.op("cast", x, to={1: "float32", 6: "int32", 7: "int64", 11: "float64"}[c.attribute("to")])


@rule("Dropout")
def dropout(c, x, ratio=None, training=None):
    c.attribute("seed")
    if training is not None and training.numbers() and (ratio is None or ratio.numbers()):
        raise Inexpressible("in training, a mask that ONNX draws")
    p = c.attribute("ratio", 0.5 if ratio is None else ratio.numbers())
    return c.op("dropout", x, p=p), Absent("the mask")


# -- reductions ------------------------------------------------------------------------------------------


@rule("ArgMax", "ArgMin")
def argument(c, x):
    axis, keepdims = c.attribute("axis", 0), bool(c.attribute("keepdims", 1))
    name = c.case.op_type.lower()
    if not c.attribute("select_last_index", 0):
        return c.op(name, x, axis=axis, keepdims=keepdims)
    from_end = c.op(name, c.op("flip", x, axis=axis), axis=axis, keepdims=keepdims)
    return c.op("sub", c.number(x.shape[axis] - 1, from_end), from_end)


REDUCTIONS = {
    "ReduceL1": lambda c, x, **over: c.op("sum", c.op("abs", x), **over),
    "ReduceL2": lambda c, x, **over: c.op("norm", x, **over),
    "ReduceLogSum": lambda c, x, **over: c.op("log", c.op("sum", x, **over)),
    "ReduceLogSumExp": lambda c, x, **over: c.op("logsumexp", x, **over),
    "ReduceMax": lambda c, x, **over: c.op("any" if x.dtype == "bool" else "max", x, **over),
    "ReduceMean": lambda c, x, **over: c.op("mean", x, **over),
    "ReduceMin": lambda c, x, **over: c.op("all" if x.dtype == "bool" else "min", x, **over),
    "ReduceProd": lambda c, x, **over: c.op("prod", x, **over),
    "ReduceSum": lambda c, x, **over: c.op("sum", x, **over),
    "ReduceSumSquare": lambda c, x, **over: c.op("sum", c.op("mul", x, x), **over),
}


@rule(*REDUCTIONS)
def reduction(c, x, axes=None):
    listed, keepdims = constant(axes) or None, bool(c.attribute("keepdims", 1))
    if c.attribute("noop_with_empty_axes", 0) and listed is None:
        return c.op("identity", x)
    return REDUCTIONS[c.case.op_type](c, x, axis=listed, keepdims=keepdims)


@rule("CumSum")
def cumsum(c, x, axis):
    at = axis.numbers()
    backwards, without = c.attribute("reverse", 0), c.attribute("exclusive", 0)
    start = c.op("flip", x, axis=at) if backwards else x
    total = c.op("cumsum", start, axis=at)
    if total.dtype != x.dtype:  # as in torch, int32 adds up to int64
        c.takes_other_dtypes, start = True, c.op("cast", start, to=total.dtype)
    total = c.op("sub", total, start) if without else total
    return c.op("flip", total, axis=at) if backwards else total


@rule("Softmax", "LogSoftmax")
def softmax(c, x):
    name = {"Softmax": "softmax", "LogSoftmax": "log_softmax"}[c.case.op_type]
    return c.op(name, x, axis=c.attribute("axis", -1))


@rule("LpNormalization")
def lp_normalization(c, x):
    axis, p = c.attribute("axis", -1), c.attribute("p", 2)
    size = c.op("abs", x) if p == 1 else x
    size = c.op("sum" if p == 1 else "norm", size, axis=axis, keepdims=True)
    nothing = c.op("eq", size, c.number(0.0, x))  # where ONNX gives 0
    return c.op("div", x, c.op("where", nothing, c.number(1.0, x), size))


@rule("TopK")
def topk(c, x, k):
    c.attribute("sorted")
    largest = bool(c.attribute("largest", 1))
    return c.op("topk", x, k=k.numbers()[0], axis=c.attribute("axis", -1), largest=largest)


@rule("Einsum")
def einsum(c, *xs):
    """Axes that ... stands for are named A, B, ... there."""
    equation = c.attribute("equation").replace(" ", "")
    spare = len(xs[0].shape) - len(equation.split(",")[0].split("->")[0].replace("...", ""))
    return c.op("einsum", *xs, equation=equation.replace("...", "ABCDEFGH"[:spare]))


# -- shapes and positions --------------------------------------------------------------------------------


@rule("Reshape")
def reshape(c, x, shape):
    c.attribute("allowzero")  # sizes of 0 are left out before
    sizes = [x.shape[i] if n == 0 else n for i, n in enumerate(shape.numbers())]
    return c.op("reshape", x, sizes=sizes)


@rule("Flatten")
def flatten(c, x):
    rank, axis = len(x.shape), c.attribute("axis", 1) % len(x.shape)
    if axis == 0:
        return c.op("unsqueeze", c.op("flatten", x, start_dim=0), axis=0)
    out = c.op("flatten", x, start_dim=axis, end_dim=rank - 1)
    return c.op("flatten", out, start_dim=0, end_dim=axis - 1)


@rule("Squeeze")
def squeeze(c, x, axes):
    return c.op("squeeze", x, axis=axes.numbers())


@rule("Unsqueeze")
def unsqueeze(c, x, axes):
    rank = len(x.shape) + len(axes.numbers())
    for axis in sorted(i % rank for i in axes.numbers()):
        x = c.op("unsqueeze", x, axis=axis)
    return x


@rule("Transpose")
def transpose(c, x):
    return c.op("permute", x, dims=c.attribute("perm", list(range(len(x.shape)))[::-1]))


@rule("Concat")
def concat(c, *xs):
    return c.op("concat", *xs, axis=c.attribute("axis"))


@rule("Split")
def split(c, x, parts=None):
    axis = c.attribute("axis", 0)
    many = c.attribute("num_outputs", len(c.case.outputs))
    size = -(-x.shape[axis] // many) if parts is None else parts.numbers()
    return c.op("split", x, split_size=size, axis=axis)


@rule("Slice")
def slices(c, x, starts, ends, axes=None, steps=None):
    items = [(None, None, None)] * len(x.shape)
    axes = constant(axes) or list(range(len(starts.numbers())))
    steps = constant(steps) or [1] * len(axes)
    for axis, start, end, step in zip(axes, starts.numbers(), ends.numbers(), steps, strict=True):
        items[axis] = (start, min(end, x.shape[axis]), step)
    return c.op("slice", x, items=items)


@rule("Expand")
def expand(c, x, shape):
    wanted = np.broadcast_shapes(x.shape, tuple(shape.numbers()))
    return c.op("expand", x, sizes=list(wanted))


@rule("Tile")
def tile(c, x, repeats):
    return c.op("tile", x, dims=repeats.numbers())


PAD_MODES = {"constant": "constant", "edge": "replicate", "reflect": "reflect", "wrap": "circular"}


@rule("Pad")
def pad(c, x, pads, value=None, axes=None):
    numbers, rank = pads.numbers(), len(x.shape)
    begin, end = [0] * rank, [0] * rank
    axes = constant(axes) or list(range(rank))
    for axis, before, after in zip(axes, numbers[: len(axes)], numbers[len(axes) :], strict=True):
        begin[axis], end[axis] = before, after
    mode = PAD_MODES[c.attribute("mode", "constant")]
    if mode == "constant":
        return padded(c, x, begin, end, value=constant(value) or 0.0)
    assert not any((*begin[:2], *end[:2]))  # it is a map, which other modes want in floats
    c.takes_other_dtypes = True
    return padded(c, c.leaf(x.array, "float32"), begin[2:], end[2:], mode=mode)


def padded(c, x, begin, end, **how):
    """netc, as torch, takes the last axis first, and what goes before and behind it in turn."""
    pairs = zip(reversed(begin), reversed(end), strict=True)
    return c.op("pad", x, padding=[n for pair in pairs for n in pair], **how)


@rule("Trilu")
def trilu(c, x, k=None):
    name = "triu" if c.attribute("upper", 1) else "tril"
    return c.op(name, x, diagonal=constant(k) or 0)


@rule("Gather")
def gather(c, x, index):
    return c.op("index_select", x, index, axis=c.attribute("axis", 0))


@rule("GatherElements")
def gather_elements(c, x, index):
    return c.op("gather", x, index, axis=c.attribute("axis", 0))


@rule("ScatterElements")
def scatter_elements(c, x, index, updates):
    axis, how = c.attribute("axis", 0), c.attribute("reduction", "none")
    if how != "add":
        raise Inexpressible(f"no scatter but by addition, not {how}")
    return c.op("scatter_add", x, index, updates, axis=axis)


@rule("OneHot")
def one_hot(c, x, depth, values):
    axis, off_on, classes = c.attribute("axis", -1), values.numbers(), int(np.ravel(depth.numbers())[0])
    if (x.array < 0).any():
        raise Inexpressible("classes are counted from 0")
    hot = c.op("one_hot", c.leaf(x.array, "int64"), num_classes=classes)
    rank = len(hot.shape)
    order = list(range(rank - 1))
    order.insert(axis % rank, rank - 1)
    bools = c.op("eq", c.op("permute", hot, dims=order), c.number(1, hot))
    return c.op("where", bools, *(c.number(value, values) for value in off_on[::-1]))


@rule("DepthToSpace")
def depth_to_space(c, x):
    size = c.attribute("blocksize")
    if c.attribute("mode", "DCR") == "CRD":
        return c.op("pixel_shuffle", x, upscale_factor=size)
    pattern = "n (p q c) h w -> n c (h p) (w q)"
    return c.op("rearrange", x, pattern=pattern, p=size, q=size)


@rule("SpaceToDepth")
def space_to_depth(c, x):
    size = c.attribute("blocksize")
    if c.attribute("mode", "DCR") == "CRD":
        return c.op("pixel_unshuffle", x, downscale_factor=size)
    pattern = "n c (h p) (w q) -> n (p q c) h w"
    return c.op("rearrange", x, pattern=pattern, p=size, q=size)
