"""Recognises what people bring along from Python and torch, and says how the language writes it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

CHARACTERS = {
    "'": 'write strings in double quotes: "..."',
    "‘": 'write strings in straight double quotes: "..."',
    "’": 'write strings in straight double quotes: "..."',
    "“": 'write strings in straight double quotes: "..."',
    "”": 'write strings in straight double quotes: "..."',
    '"': "the string does not end on this line",
    ";": "end a statement with a newline",
    "\\": "a statement goes on where the next line begins with `->`, and within parentheses",
    "&": "write `and`",
    "&&": "write `and`",
    "|": "write `or`",
    "||": "write `or`",
    "|>": "write `->`",
    "!": "write `not`",
    "~": "write `not`",
    "^": "powers are written `**`",
    "?": "write `a if test else b`",
    "→": "write `->`",
    "⟶": "write `->`",
    "×": "write `*`",
    "·": "write `*`",
    "÷": "write `/`",
    "−": "write `-`",
    "–": "write `-`",
    "—": "write `-`",
    "≤": "write `<=`",
    "≥": "write `>=`",
    "≠": "write `!=`",
    "\xa0": "this is a no-break space; write an ordinary space",
}

CHANNELS_INFERRED = (
    "the channels that come in are inferred; the first arguments are out_channels and kernel_size"
)
TENSORS_FIRST = "a tensor stands before the arguments, or leads into the layer: `x -> {}(...)`"
TRAILING_AXES = (
    "it is told how many trailing axes it takes, not their sizes, which are inferred: leave {} out"
)
RECIPE = (  # what a train block may say, and the arguments for which --set has a short form
    *("optimizer", "schedule", "augment", "batch", "epochs", "ema", "seed"),
    *("lr", "momentum", "nesterov", "weight_decay", "betas", "eps", "warmup"),
)
BRACES = "a body stands in braces: `{` opens it, and `}` closes it"
# (what the line is up to and with what was found, what to write instead); the first that fits is given
LINES: tuple[tuple[str, str], ...] = (
    (r"elif\b", "write `else if`, after the `}`"),
    (r"while\b", "there are no loops without an end: write `for i in range(n) { ... }`"),
    (
        r"(def|class)\b",
        "write `fn name(...) = expression` for a helper and `block Name(...) { ... }` for a layer",
    ),
    (r"(for|if|else|with)\b.*:\s*$", BRACES),
    (r"(if|assert|for)\b.*[^=!<>]=$", "compare with `==`"),
    (r".*->\s*(\w+)\s*=$", r"a label is written `\1: Layer(...)`"),
    (rf"({'|'.join(RECIPE)})\s*=$", r"leave out the `=`: `\1 value`"),
    (r"//?$|.*//\s*[A-Za-z]\w*\s+\w+$", "a comment begins with `#`"),
    (r"(output|loss|metric|input|target|param)\s*[=(:]", "write the keyword and then its value: `output x`"),
    (r"(from|import)\b", 'an import names a file of blocks, at the top of a file: `import "blocks.net"`'),
    (r"(pass|\.\.\.)$", "an empty body is `{ }`"),
    (r"print\b", "nothing runs at compile time; `netc show` prints shapes"),
    (r"self\b", "a name stands alone: `conv = Conv2d(64, 3)`"),
    (
        r"(with|del|global|yield|raise|try|except|async|await|break|continue)\b",
        "the language has no such statement",
    ),
    (
        r".*\blambda\b",
        "a helper is a definition of its own: `fn name(v) = expression`; a layer is passed by its name",
    ),
    (r"\w+\s*==", "a name is bound with one `=`"),
    (r"\w+\s*(\+|-|\*|/|@)", "a statement binds a name; write `x = x + y` for `x += y`"),
    (r"\w+\s*:", "a bound name has no type: `name = expression`"),
    (r".*[(,]\s*\*\*?$", "every argument is written out; nothing is unpacked into a call"),
    (r".*\b[fr]\"", 'strings need no prefix: "layer{i}" holds the value of `i`'),
    (r".*[\[(].*\bfor$", "there are no comprehensions: write a `for` loop with `xs = xs + [x]`"),
    (r".*\bis$", "compare with `==`"),
    (r".*\bin$", "lists are walked with `for`, and nothing asks whether they hold a value"),
    (r".*[=(,\[]\s*\{$", "there are no dictionaries or sets; use a list"),
    (r".*(?<![\w\])])\d+\.\s*\W{0,2}$", "write a digit after the point: `3.0`"),
    (r".*(?<![\w)\]])\.$", "write a digit before the point: `0.5`"),
    (r".*\b0[xXbBoO]\w*$", "numbers are written in decimal digits"),
    (r".*\b\d+_\d*$", "digits stand together: `1000`"),
    (r".*\b\d+[A-Za-z_]\w*$", "a name begins with a letter"),
)


def line_habit(line: str) -> str | None:
    """What to write instead of a line that ends at the place at fault."""
    found = ((re.match(pattern, line.strip()), help_) for pattern, help_ in LINES)
    return next((match.expand(help_) for match, help_ in found if match), None)


COMPUTED_KERNEL = (
    "`{}(out_channels, kernel_size)` owns its kernel; one that is computed goes with `unfold` and `einsum`"
)
NAMES = {
    "True": "write `true`",
    "False": "write `false`",
    "None": "write `none`",
    "nn": "name layers and functions without a module: `Conv2d`, `relu`",
    "torch": "name layers and functions without a module: `Conv2d`, `relu`",
    "F": "name layers and functions without a module: `Conv2d`, `relu`",
    "np": "functions stand without a module: `sqrt(n)`",
    "math": "functions stand without a module: `sqrt(n)`",
    "arange": "write `tensor(range(n))` for known numbers, `positions(x, axis=1)` for the places along an axis",
    "self": "a name stands alone: `conv = Conv2d(64, 3)`",
    "super": "a block has no constructor: it begins with its inputs",
    **{f"conv{n}d": COMPUTED_KERNEL.format(f"Conv{n}d") for n in (1, 2, 3)},
    "linear": "`Linear(out_features)` owns its weight; with a weight that is computed, write `x @ w`",
    "embedding": "`Embedding(count, width)` owns its table; rows of a table that is computed are `table[index]`",
    "Sequential": "layers are chained with `->`",
    "ModuleList": "repeat a layer with `layer * n`, or write a `for` loop",
    "Add": "tensors are added with `+`",
    "Input": "write `input x: float32[N, 3, 32, 32]`",
    "print": "nothing runs at compile time; `netc show` prints shapes",
    "str": 'write the value within a string: "layer{i}"',
    "list": "write `[a, b]`",
    "tuple": "write `[a, b]`",
}

INFERRED = "leave it out: what comes in is inferred"
ARGUMENTS = {
    "dim": ("axis",),
    "dims": ("axis",),
    "axes": ("axis",),
    "keepdim": ("keepdims",),
    "label_smoothing": ("smoothing",),
    "filters": ("out_channels",),
    "channels": ("out_channels",),
    "units": ("out_features",),
    "features": ("out_features",),
    "out_features": ("out_channels",),
    "out_channels": ("out_features",),
    "size": ("kernel_size", "output_size"),
    "rate": ("p",),
    "prob": ("p",),
    "epsilon": ("eps",),
    "use_bias": ("bias",),
    "pad": ("padding",),
    "alpha": ("negative_slope",),
    "nonlinearity": (),
    "slope": ("negative_slope",),
    "sections": ("chunks",),
}
NEEDLESS = {
    "in_channels": INFERRED,
    "in_features": INFERRED,
    "num_features": INFERRED,
    "normalized_shape": INFERRED,
    "num_channels": INFERRED,
    "input_size": INFERRED,
    "input_shape": INFERRED,
    "inplace": "leave it out: no value changes in place",
    "device": "leave it out: a net runs where its inputs are",
    "dtype": "leave it out: the dtype is that of what comes in",
    "track_running_stats": "leave it out: they are always tracked",
    "reduction": "leave it out: a loss is the mean",
    "size_average": "leave it out: a loss is the mean",
    "activation": "chain it: `layer -> relu`",
}


def argument_habit(name: str, known: Iterable[str]) -> str | None:
    """What to write instead of an argument that another library has."""
    for other in ARGUMENTS.get(name, ()):
        if other in known:
            return f"did you mean `{other}`?"
    if name in NEEDLESS:
        return NEEDLESS[name]
    begun = [other for other in known if other.startswith(f"{name}_")]
    return f"did you mean `{begun[0]}`?" if len(begun) == 1 else None


def mismatch_habit(
    layer: str, at: str, attributes: Mapping[str, object], shapes: Sequence[Sequence[object]], maker: str
) -> str | None:
    """What to write instead of an argument or input that does not fit.

    attributes: the layer's. shapes: of its inputs. maker: the layer that made the first of them, else empty.
    """
    channels = shapes[0][1] if shapes and len(shapes[0]) > 1 else None
    if at == "kernel_size" and channels is not None and attributes.get("out_channels") == channels:
        return CHANNELS_INFERRED
    if (layer, at) == ("LayerNorm", "axes"):
        return TRAILING_AXES.format(attributes[at])
    classifies = layer in ("cross_entropy", "accuracy") and at == "target"
    if classifies and maker == "Linear" and len(shapes[0]) > len(shapes[1]) + 1:
        return "`Linear` works on the last axis: flatten first, `-> flatten -> Linear(...)`"
    return None


def operand_habit(name: str, inputs: Sequence[str], given: Sequence[str]) -> str | None:
    """What to write instead of a call with a tensor too many. inputs: the names of those that it takes."""
    if list(inputs) == ["counts"] and len(given) == 2:
        return f"write `{name}(confusion_matrix({', '.join(given)}))`"
    return None


DTYPES = {
    "float": "float32",
    "half": "float32",
    "float16": "float32",
    "bfloat16": "float32",
    "double": "float64",
    "int": "int64",
    "long": "int64",
    "uint8": "int64",
    "int8": "int64",
    "int16": "int64",
    "boolean": "bool",
}
METHODS = {
    "view": "reshape",
    "cat": "concat",
    "t": "transpose",
    "T": "transpose",
    "add": "add",
    "contiguous": "",
    "clone": "",
    "size": "shape",
    "dim": "shape",
}


def method_habit(name: str, functions: Iterable[str]) -> str | None:
    """What to write instead of a method of a tensor."""
    other = METHODS.get(name, name)
    if name in METHODS and not other:
        return "leave it out: values never change in place"
    return (
        f"tensors have no methods: write `{other}(x, ...)` or `x -> {other}(...)`"
        if other in functions
        else None
    )
