"""Specs with names and texts that Python, torch or a file could trip over, by a title each."""

from __future__ import annotations

NAMES = """self torch nn F Tensor OrderedDict list print super range getattr ValueError lambda class return None match
type _ __x __class__ __debug__ async forward train half training _parameters _buffers _modules _forward_hooks
_load_from_state_dict state_dict call_super_init keys items pop output0 N x_ width weight bias name copy""".split()
LABELS = [
    *NAMES,
    "0",
    "1a",
    "a-b",
    "-",
    "a.b",
    "a b",
    "é",
    "",
    "a..b",
    ".a",
    "move_to_end",
    "fromkeys",
    "setdefault",
]
METRICS = ['"x\\"y"', '"a\\""', '"a\\\\"', '"a{1}"', "a.b", "a[1]", "(1\n+2)", "foo()", '"é"', '""', '"a\tb"', '"loss"',
           '"a b"', '"\\": torch.load(\\"x\\"), \\""', '"top-1 %"']  # fmt: skip
DOCS = ["a \\", 'a"', '"a', 'a \\" b', "\\N{BULLET}", "\\x00", "# coding: utf-7", "+AGkAbQBwAG8AcgB0-", "{x}", "%s", "", "   ",
        "'", "'''", "a\\\nb", "é\u0301", "a\tb", '""', "a\u00a0y", "\U0001f600", "import os\nos.system('x')"]  # fmt: skip
SIZES = [
    "T",
    "F",
    "N",
    "None",
    "True",
    "Ellipsis",
    "ValueError",
    "OrderedDict",
    "Tensor",
    "F_",
    "Linear",
    "A",
    "B",
]
PATTERNS = ["n (a b) -> n a b", "n (self b) -> n b self", "n (class b) -> b class n", "n' (a b) -> n' a b",
            'n (a b) -> \\"n a b', "n (a b) -> n (b a)", "n (a b) -> n (b a) __import__"]  # fmt: skip
MODES = ["reflect", "refl'ect", 'x\\"', "zeros); import os"]


def plain(name: str = "A", value: str = "x", label: str = "") -> str:
    return f"net {name} {{\n input {value}: float32[N, 4]\n output {value} -> {label} Linear(3)\n}}\n"


def with_loss(value: str = "y", target: str = "t", metric: str = "") -> str:
    return (
        f"net A {{\n input x: float32[N, 4]\n target {target}: int64[N]\n {value} = x -> Linear(3)\n"
        f" output {value}\n loss cross_entropy({value}, {target})\n metric {metric}accuracy({value}, {target})\n}}\n"
    )


def twice(parameters: str, first: str, second: str, lines: str) -> str:
    """A block used with two sets of arguments, which its class gets as such."""
    return (
        f"block B({parameters}) {{\n input x: [N, C]\n{lines}}}\n"
        f"net A {{\n input x: float32[N, 4]\n output x -> B({first}) -> B({second})\n}}\n"
    )


def of_names() -> dict[str, str]:
    specs = {}
    for name in NAMES:
        specs[f"net {name}"] = plain(name=name)
        specs[f"block {name}"] = (
            f"block {name}(width: int) {{\n input x: [N, C]\n output x -> Linear(width) -> relu\n}}\n"
            f"net A {{\n input x: float32[N, 4]\n output x -> {name}(3) -> {name}(5)\n}}\n"
        )
        specs[f"input {name}"] = plain(value=name)
        specs[f"output {name}"] = with_loss(value=name)
        specs[f"target {name}"] = with_loss(target=name)
        specs[f"whole argument {name}"] = twice(
            f"{name}: int, k: float", "3, 0.5", "5, 0.25", f" output (x -> Linear({name})) * k\n"
        )
        specs[f"argument {name}"] = twice(
            f"{name}: float", "0.5", "0.25", f" output (x -> Linear(C)) * {name}\n"
        )
        specs[f"param {name}"] = (
            f"net A {{\n input x: float32[N, 4]\n param {name}: float32[4] = normal(std=0.1)\n"
            f" output x * {name}\n}}\n"
        )
        specs[f"argument and child {name}"] = twice(
            f"{name}: float", "0.5", "0.25", f' output (x -> "{name}": Linear(4)) * {name}\n'
        )
    return specs


def of_labels() -> dict[str, str]:
    specs = {}
    for label in LABELS:
        specs[f"label {label!r}"] = plain(label=f'"{label}":')
        specs[f"child of a chain {label!r}"] = plain(label=f'c: ("{label}": Linear(3) -> relu) ->')
        specs[f"child of a container {label!r}"] = (
            f'net A {{\n input x: float32[N, 4]\n a = x -> "c.{label}": Linear(4)\n'
            ' b = x -> "c.zz": Linear(4)\n output a * b + a\n}\n'
        )
    return specs


def of_texts() -> dict[str, str]:
    specs = {f"metric {m!r}": with_loss(metric=f"{m}: ") for m in METRICS}
    for doc in DOCS:
        text = f'net A {{\n """{doc}"""\n input x: float32[N, 4]\n output x -> Linear(3)\n}}\n'
        specs[f"docstring {doc!r}"] = f'"""{doc}"""\n{text}'
        specs[f"docstring of the file {doc!r}"] = f'"""{doc}"""\n{plain()}'
    for size in SIZES:
        lines = f" input x: [N_, {size}, C]\n output reshape(x, N_, {size} * C)\n"
        specs[f"size {size}"] = f"net A {{\n{lines.replace('[', 'float32[').replace('C', '4')}}}\n"
        specs[f"size of a block {size}"] = (
            f"block B {{\n{lines}}}\nnet A {{\n input x: float32[N_, Q, 4]\n output x -> B\n}}\n"
        )
    for pattern in PATTERNS:
        specs[f"pattern {pattern!r}"] = (
            f'net A {{\n input x: float32[N, 4]\n output rearrange(x, "{pattern}", b=2) -> flatten\n}}\n'
        )
    for mode in MODES:
        layer = f'Conv2d(3, 3, padding=1, padding_mode="{mode}")'
        specs[f"mode {mode!r}"] = f"net A {{\n input x: float32[N, 4, 8, 8]\n output x -> {layer}\n}}\n"
    return specs


def of_structure() -> dict[str, str]:
    """Names that meet, and nesting near what Python reads."""
    k = " output (x -> k: Linear(4) -> k_: Linear(4)) * k\n"
    raw = " param k_: [C] = ones\n output (x -> k: Linear(4)) * k * k_\n"
    both = " output (x -> k: Linear(4)) * k * k_\n"
    deep = "net A {\n input x: float32[N, 4]\n output x -> "
    return {
        "child named as an argument": twice("width: int", "3", "5", " output x -> width: Linear(width)\n"),
        "children k and k_": twice("k: float", "0.5", "0.25", k),
        "child k, param k_": twice("k: float", "0.5", "0.25", raw),
        "arguments k and k_": twice("k: float, k_: float", "0.5, 2.0", "0.25, 3.0", both),
        "names that differ in case": "block Foo {\n input x: [N, C]\n output x -> Linear(3)\n}\n"
        "block FOO {\n input x: [N, C]\n output x -> Linear(4)\n}\n"
        "net foo {\n input x: float32[N, 4]\n output x -> Foo -> FOO\n}\n",
        "nets of the same files": plain("ResNet") + plain("Res_net") + plain("RESNet"),
        "a net whose file is torch.py": plain("Torch"),
        "a net named as a variant": "block B(f: layer) {\n input x: [N, C]\n output x -> Linear(C) -> f\n}\n"
        "net BRelu {\n input x: float32[N, 4]\n output x -> B(relu) -> B(tanh) -> B(sigmoid)\n}\n",
        "a net as a layer": with_loss().replace("net A", "net M")
        + "net A {\n input x: float32[N, 4]\n output x -> M -> Linear(3)\n}\n",
        "containers 31 deep": deep + "(l: " * 31 + "Linear(3) -> relu" + ")" * 31 + "\n}\n",
        "chains 31 deep": deep + "l: (" * 31 + "a: Linear(3) -> relu" + ")" * 31 + "\n}\n",
        "repeats 15 deep": deep + "l: (" * 15 + "Linear(4) -> relu" + ") * 1" * 15 + "\n}\n",
        "blocks 150 deep": "block B0 {\n input x: [N, C]\n output relu(x)\n}\n"
        + "".join(f"block B{i} {{\n input x: [N, C]\n output x -> B{i - 1}\n}}\n" for i in range(1, 150))
        + deep + "B149 -> Linear(3)\n}\n",
    }  # fmt: skip


def every() -> dict[str, str]:
    return {**of_names(), **of_labels(), **of_texts(), **of_structure()}
