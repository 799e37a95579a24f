"""Emitted PyTorch: fit to be read, equal in names and starting values to what netc says, safe to run."""

import ast
import inspect
import math
import random
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import torch
from emitted import RIGHT, ROOT, loaded, made, net_of, nets, run_source, sizes_of, training_of, written
from in_memory import lines_run
from update_golden import EXAMPLES, GOLDEN, golden

import netc.autodiff.trial
from netc.autodiff.interpret import interpret
from netc.autodiff.trial import random_weights, trials
from netc.backends.to_torch import to_torch
from netc.backends.torch_source import layout
from netc.backends.torch_source.check import UnsafeSource, check_source
from netc.deploy.verify import verify
from netc.diagnostics import Refused
from netc.ir.module import Net, blocks, results
from netc.passes.initial import draw, state
from netc.passes.inline import inline

GOLDENS = sorted([*GOLDEN.glob("*.py"), *EXAMPLES.glob("*.py")])
SMALL = {
    ("resnet", "ResNet101"),
    ("resnet", "ResNet152"),
    ("densenet", "DenseNet169"),
    ("densenet", "DenseNet201"),
    ("vgg", "VGG16BN"),
}
NETS = [(path, name) for path, name in nets() if (path.stem, name) not in SMALL]


def net_id(value: Any) -> str:
    return value.stem if isinstance(value, Path) else str(value)


# -- golden files -------------------------------------------------------------------------------------


def test_golden_files() -> None:
    wanted = golden()
    assert set(GOLDENS) == set(wanted)
    for path, text in wanted.items():
        assert path.read_text(encoding="utf-8") == text, (
            f"{path.name}: run python -m tests.update_golden and read it"
        )


def test_resnet50_is_short() -> None:
    assert (EXAMPLES / "resnet50.py").read_text().count("\n") <= 120


@pytest.mark.parametrize("path", GOLDENS, ids=net_id)
def test_form(path: Path) -> None:
    """No line is too long, no name is imported or assigned in vain, and no argument goes unused."""
    text = path.read_text()
    assert max(map(len, text.split("\n"))) <= 100
    assert "_]" not in text and "[_" not in text, "a size that has no name"
    tree = ast.parse(text)
    used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            assert {(a.asname or a.name) for a in node.names} <= used
    for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
        read = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        written = {
            n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
        }
        assert {a.arg for a in function.args.args[1:]} | (written - {"_"}) <= read, function.name


# -- shape comments -----------------------------------------------------------------------------------


class Comments:
    """Compares the shapes in the comments of a module's methods with those that its values have."""

    def __init__(self, source: str, net: Net) -> None:
        self.axes = {b.name: [str(d) for d in b.inputs[0].type.shape] for b in blocks(net.block) if b.inputs}
        self.seen: set[int] = set()
        self.wanted: dict[int, tuple[list[str], list[str]]] = {}
        self.ends: dict[int, int] = {}
        lines = source.split("\n")
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Assign | ast.AnnAssign | ast.Return):
                said = re.search(r"  # (\[.*\])$", lines[node.end_lineno - 1])
                if said and "self" in ast.unparse(node) + "self":
                    names = _targets(node)
                    self.wanted[node.end_lineno] = (names, re.findall(r"\[([^]]*)\]", said[1]))
                    self.ends |= dict.fromkeys(range(node.lineno, node.end_lineno + 1), node.end_lineno)

    def names(self, class_name: str, axes: int) -> Sequence[str]:
        """The names of the axes of a class's input: those of its block, else the customary ones."""
        block = max((b for b in self.axes if class_name.startswith(b)), key=len, default="")
        declared = self.axes.get(block, [])
        if len(declared) == axes and any(map(str.isidentifier, declared)):
            return declared
        return {4: "NCHW", 3: "NTD", 2: "NC"}.get(axes, "_" * axes)

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != "emitted.py" or frame.f_code.co_name not in (
            "forward",
            "_trunk",
        ):
            return None
        sizes = dict(getattr(frame.f_locals.get("self"), "given", {}))
        first = next(
            (v for k, v in frame.f_locals.items() if k != "self" and isinstance(v, torch.Tensor)), None
        )
        if first is not None:
            names = self.names(type(frame.f_locals.get("self")).__name__, first.dim())
            sizes |= {n: d for n, d in zip(names, first.shape, strict=True) if n not in sizes}
        before = [0]

        def inside(frame: FrameType, event: str, value: Any) -> Any:
            line = self.ends.get(before[0], 0)
            if line and line in self.wanted and (event == "return" or self.ends.get(frame.f_lineno) != line):
                names, shapes = self.wanted[line]
                if names or event == "return":
                    values = [frame.f_locals[n] for n in names] if names else value
                    self.check(line, values, shapes, {**frame.f_locals, **sizes})
            before[0] = frame.f_lineno
            return inside

        return inside

    def check(self, line: int, values: Any, shapes: list[str], sizes: dict[str, Any]) -> None:
        values = list(values) if isinstance(values, tuple | list) else [values]
        shapes = shapes if len(shapes) == len(values) else shapes * len(values)
        assert len(shapes) == len(values), f"line {line}"
        for value, shape in zip(values, shapes, strict=True):
            dims = [d for d in shape.split(", ") if d]
            assert len(dims) == value.dim(), f"line {line}: {shape} for {tuple(value.shape)}"
            for dim, real in zip(dims, value.shape, strict=True):
                assert eval(dim, {"ceil": math.ceil}, sizes) == real, (
                    f"line {line}: {shape} for {tuple(value.shape)}"
                )
        self.seen.add(line)


def _targets(node: ast.Assign | ast.AnnAssign | ast.Return) -> list[str]:
    if isinstance(node, ast.Return):
        return []
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    return [n.id for n in ast.walk(target) if isinstance(n, ast.Name) and n.id != "_"]


def recorded(module: Any) -> None:
    """Makes each instance of the module's classes keep the arguments it was made with."""
    for cls in [c for c in vars(module).values() if inspect.isclass(c) and issubclass(c, torch.nn.Module)]:
        if "__init__" in vars(cls) and cls.__module__ == module.__name__:
            _record(cls)


def _record(cls: Any) -> None:
    original, signature = cls.__init__, inspect.signature(cls.__init__)

    def init(self: Any, *given: Any, **named: Any) -> None:
        original(self, *given, **named)
        bound = signature.bind(self, *given, **named)
        bound.apply_defaults()
        object.__setattr__(self, "given", {k: v for k, v in bound.arguments.items() if k != "self"})

    cls.__init__ = init


def shapes_checked(net: Net, source: str) -> Comments:
    torch.set_num_threads(1)
    module = run_source(source)
    recorded(module)
    instance = getattr(module, net.name)().eval()
    comments = Comments(source, net)
    trial = trials(net, inline(net, (*net.block.outputs, *net.losses.values())))[0]
    given = [torch.from_numpy(trial.inputs[v.hint]) for v in (*net.block.inputs, *net.targets)]
    with torch.no_grad():
        sys.settrace(comments.trace)
        try:
            instance(*given[: len(net.block.inputs)])
            if net.losses:
                training_of(instance)(*given)
        finally:
            sys.settrace(None)
    return comments


@pytest.mark.parametrize(("path", "name"), [n for n in NETS if n[1] != "ResNet34"], ids=net_id)
def test_shape_comments(path: Path, name: str) -> None:
    net = net_of(path, name)
    comments = shapes_checked(net, to_torch(net))
    assert comments.seen == set(comments.wanted), sorted(set(comments.wanted) - comments.seen)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[N, 64, 8, 8]", "[N, 64, 8, 4]"),
        ("(W + 1)//2", "W"),
        ("[N, width, H", "[N, 2*width, H"),
        ("# [N, 10]", "# [N]"),
    ],
)
def test_a_wrong_shape_comment_shows(before: str, after: str) -> None:
    net = net_of(ROOT / "specs" / "resnet_cifar.net", "ResNetNarrow")
    source = to_torch(net)
    before = before if before in source else "W//2"
    assert before in source
    with pytest.raises(AssertionError):
        shapes_checked(net, source.replace(before, after))


# -- names and starting values ------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "name"), NETS, ids=net_id)
def test_names_and_shapes_of_the_state(path: Path, name: str) -> None:
    net = net_of(path, name)
    found = {k: (tuple(v.shape), str(v.dtype)) for k, v in made(net).state_dict().items()}
    assert found == {k: (p.type.shape, f"torch.{p.type.dtype}") for k, p in state(net).items()}


STARTS = """
net Starts {
    input x: float32[N, 64, 12]
    input map: float32[N, 16, 8, 8]
    param a: float32[40, 50] = normal(mean=1.5, std=0.25)
    param b: float32[40, 50] = uniform(-0.5, 0.25)
    param c: float32[7] = zeros
    param d: float32[7] = ones
    y = x -> Conv1d(48, 3) -> BatchNorm1d -> LayerNorm(2) -> Linear(96)
    z = map -> Conv2d(64, 3, groups=2) -> GroupNorm(4) -> BatchNorm2d -> ConvTranspose2d(32, 4, stride=2)
    output y, z, a + b, c * d
}
"""


def test_starting_values() -> None:
    net = written(STARTS)
    torch.manual_seed(0)
    values = {k: v.numpy() for k, v in made(net).state_dict().items()}
    for name, param in state(net).items():
        ours, torchs = draw(name, param, 0).astype(float), values[name].astype(float)
        if param.init.kind in ("zeros", "ones", "constant"):
            assert np.array_equal(ours, torchs), name
            continue
        if ours.size < 200:
            continue  # too few to tell distributions apart
        assert abs(ours.mean() - torchs.mean()) < 6 * ours.std() / math.sqrt(ours.size), name
        assert abs(ours.std() / torchs.std() - 1) < 0.1, name
        if param.init.kind != "normal":
            assert abs(np.ptp(ours) / np.ptp(torchs) - 1) < 0.1, name


# -- hard cases ---------------------------------------------------------------------------------------


def agrees(
    text: str, sizes: dict[str, int] | None = None, monkeypatch: pytest.MonkeyPatch | None = None
) -> str:
    """The source of a spec whose emitted module does what the interpreter does, its state included."""
    net = written(text)
    source = to_torch(net)
    if sizes and monkeypatch:
        monkeypatch.setattr(netc.autodiff.trial, "chosen_sizes", lambda *_: sizes)
    flat = inline(net, tuple(results(net).values()))
    weights = random_weights(state(net))
    module = loaded(net, weights, source).double()
    for trial in trials(net, flat):
        given = [torch.from_numpy(trial.inputs[v.hint]) for v in (*net.block.inputs, *net.targets)]
        given = [x.double() if x.is_floating_point() else x for x in given]
        truth = interpret(flat, trial.inputs, weights)
        with torch.no_grad():
            found = module(*given[: len(net.block.inputs)])
            found = list(found) if isinstance(found, tuple) else [found]
            if net.losses:
                losses, metrics = training_of(module)(*given)
                assert (list(losses), list(metrics)) == (list(net.losses), list(net.metrics))
                found += [*losses.values(), *metrics.values()]
        for a, b in zip(truth, found, strict=True):
            np.testing.assert_allclose(b.numpy(), a, rtol=1e-9, atol=1e-9, err_msg=source)
    return source


CASES = {
    "sizes of a block at two scales": """
        block B { input x: [N, C, H, W]
            y = x -> reshape(N, C, H * W)
            output y -> reshape(N, C, H, W) }
        net A { input x: float32[N, 3, H, W]
            assert H % 2 == 0
            assert W % 2 == 0
            output x -> B -> max_pool2d(2) -> B }""",
    "arguments named as words of the module": """
        block B(half: float, nn: int, self: int = 3, range: float = 2.0, conv: float = 1.5) { input x: [N, C]
            output (x -> conv: Linear(nn) -> Linear(self)) * half + range - conv }
        net A { input x: float32[N, 3]
            output x -> B(0.5, 7) -> B(0.25, 6, 9, 4.0, 2.5) }""",
    "values named as sizes and builtins": """
        net A { input N: float32[M, F, 4]
            max = N -> Linear(4)
            H = max + 1
            list = reshape(H, M, F * 4)
            output list, H }""",
    "brackets": """
        block S(k: float) { input x: [N, C]
            output maximum(x, k) + (-k) ** x - (k - x) * (2 * k) / (1 + k * x ** 2) }
        net A { input x: float32[N, 3]
            y = abs(x) + 0.5
            a = (y -> S(2.0) -> S(4.0)) - (y - (y - 1))
            b = (y * 2) ** (y + 1) - (-y) ** 2 + -(y ** 2) / (y / (y / 3)) - 2 ** (y ** 2) + (2 ** y) ** 2
            output a, b, (y + y)[:, 1], -(y + y), minimum(maximum(y, 0.25), 2.0), y > 0.3
            output (y + 1) @ transpose(y - 1, 0, 1) }""",
    "arguments that are expressions beside operators": """
        block S(k: int) { input x: [N, C]
            output x / (2 * k) + x ** (2 * k) - x * (k * k) }
        net A { input x: float32[N, 3]
            output x -> S(1) -> S(2) -> S(3) }""",
    "only a bool, a word and a list differ": """
        block Way(act: bool, mode: str, ks: list[int]) { input x: [N, C, H, W]
            for k in ks { x = x -> Conv2d(4, k, padding="same", padding_mode=mode, bias=act) }
            output x }
        net A { input x: float32[N, 4, 12, 12]
            output x -> Way(true, "reflect", [3, 5]) -> Way(false, "circular", [1, 3]) }""",
    "no parameters, several outputs, used twice": """
        block Z { input x: [N, C]
            output relu(x), x -> Linear(C), x }
        net A { input x: float32[N, 3]
            z = Z
            a, b, c = x -> z
            d, e, f = (a + b) -> z
            output d, c, d, x, e + f }""",
    "losses, metrics and heads": """
        net A { input x: float32[N, 3]
            target t: float32[N, 4]
            a = x -> Linear(4)
            b = a -> Linear(4)
            h = b -> Linear(2)
            loss mse(a, t)
            loss 0.5 * l1(a -> Linear(4), t)
            loss mean(h) * mean(b)
            metric gap: mean(a - b)
            metric far: max(a)
            output b, x, b }""",
    "a loss of inputs alone": """
        net A { input x: float32[N, 3]
            target t: float32[N, 3]
            output x -> Linear(2)
            loss mse(x, t) }""",
    "containers": """
        block T { input x: [N, C]
            output x -> a.b: Linear(C) -> c.0: Linear(C) -> d.1: Linear(C) }
        net A { input x: float32[N, 3]
            t = T
            y = x -> t
            twice = p: (Linear(3) -> dropout -> Linear(3))
            l = x -> q: (Linear(4) -> relu -> permute(1, 0))
            tapped = x -> r.0: Linear(3)
            rest = tapped -> r.1: relu -> r.2: Linear(3)
            odd = x -> s: (Linear(4) -> tap: Linear(3) -> dropout(0.3) -> inner: (Linear(3) -> sigmoid) * 2)
            output y @ t.a.b.weight + y @ t.c.0.weight + y @ t.d.1.weight
            output y -> twice -> twice -> twice, l, tapped, rest, odd }""",
    "names that are no identifiers": """
        net A { input x: float32[N, 3]
            output x -> "0": Linear(2) -> "a-b": Linear(4) -> "a-c".d: Linear(3)
                     -> e[0]: Linear(2) -> e[2]: Linear(3) -> "f-1": (Linear(2) -> tanh) }""",
    "numbered children that differ by steps": """
        block One(k: int, p: float) { input x: [N, C]
            output concat(x, x -> Linear(k), axis=1) * p }
        net A { input x: float32[N, 4]
            y = x
            for i in range(6) { y = y -> "l{i}": One(3, 1.5) }
            z = x
            skips = [x]
            for i in range(6) {
                z = z -> "m{i + 1}": Linear(4)
                skips = skips + [z]
            }
            for i in range(6) { z = (z -> "o{i}": Linear(4)) ** 2 * (i + 1) }
            output y, concat(skips, axis=1), z }""",
    "two sizes in a tied weight": """
        net A(code: int = 5) { input x: float32[N, 7]
            enc = Linear(code)
            wide = Linear(2 * code)
            z = x -> enc
            output z @ enc.weight, (z -> wide) @ wide.weight + enc.bias }""",
    "unpacking": """
        net A { input x: float32[N, 12]
            q, k, v = x -> rearrange("n (three d) -> three n d", three=3)
            s, t = x -> rearrange("n (two d) -> two n d", two=2)
            output q * k + v, s, t }""",
}


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_hard_cases(text: str) -> None:
    agrees(text)


def random_spec(seed: int) -> str:
    """Statements on a few names, which take each other's values again and again, in every way of nesting."""
    rng = random.Random(seed)
    names, lines = ["x", "w"], []

    def value(depth: int) -> str:
        if depth == 0 or rng.random() < 0.2:
            return rng.choice([*names, *names, "0.5", "x"])
        a, b = value(depth - 1), value(depth - 1)
        tensor = rng.choice(names)
        return rng.choice([
            f"({a} + {tensor})", f"({tensor} - {b})", f"({tensor} * {b})", f"({a} / (2 + {tensor} ** 2))",
            f"tanh({tensor} - {a})", f"relu({tensor} + {b})", f"({tensor} -> Linear(4))", f"(-{tensor})",
            f"(({tensor} + {b}) -> B)", f"(tanh({tensor} * {a}) -> e)", f"softmax({tensor} - {b}, axis=1)",
            f"concat({tensor}[:, 2:], {tensor}[:, :2], axis=1)", f"({tensor} ** 2 * ({a} - {tensor}))",
            f"({tensor} -> s{rng.randrange(10**6)}: (Linear(4) -> sigmoid))",
        ])  # fmt: skip

    for _ in range(rng.randrange(2, 9)):
        name = rng.choice(["x", "y", "z", "w", "y2", "x2"])
        lines.append(f"    {name} = x + {value(rng.randrange(1, 5))}")
        names.append(name)
    block = "block B { input x: [N, C]\n    y = x -> Linear(C) -> tanh\n    output x - y * y }"
    outputs = ", ".join(rng.sample(sorted(set(names)), min(3, len(set(names)))))
    inputs = "    input x: float32[N, 4]\n    input w: float32[N, 4]\n    target t: float32[N, 4]\n"
    head = f"{inputs}    e = Linear(4)"
    tail = f"    output {outputs}\n    loss mse({names[-1]}, t)\n    loss mean(w + {value(2)}) * 0.5\n"
    lines += [tail, f"    metric m: max(x + {value(1)})"]
    return f"{block}\nnet A {{\n{head}\n" + "\n".join(lines) + "\n}"


@pytest.mark.parametrize("seed", range(40))
def test_random_specs(seed: int) -> None:
    agrees(random_spec(seed))


def random_blocks(seed: int) -> str:
    """Blocks called again and again with other arguments and sizes, from each other and in containers."""
    rng = random.Random(seed)

    def width() -> str:
        return rng.choice(
            ["a", "b", "2 * a", "a + b", "a * b", "C", "2 * C", "C + a", "max(1, a // 2)", "3", "a + 1"]
        )

    def layer(known: list[str]) -> str:
        if known and rng.random() < 0.5:
            return f"{rng.choice(known)}({width()}, {rng.choice(['b', 'a', '2', 'k=0.5', 'deep=a > 1'])})"
        act = rng.choice(["relu", "tanh", "leaky_relu(k)", "dropout(0.1)"])
        return f"Linear({width()}, bias={rng.choice(['true', 'deep', 'a > b'])}) -> {act}"

    blocks, known = [], []
    for i in range(rng.randrange(1, 4)):
        lines = [f"block B{i}(a: int, b: int = 2, k: float = 0.25, deep: bool = false) {{ input x: [N, C]"]
        lines += [
            f"    y = x -> {layer(known)}"
            if rng.random() < 0.7
            else f"    y = x -> inside: ({layer(known)} -> {layer(known)})"
        ]
        lines += [f"    if deep {{ y = y -> {layer(known)} }}"] * (rng.random() < 0.5)
        lines += [
            "    y = (y + k) * a - b ** 2 / (k + a)",
            f"    y = reshape(concat(x, y, axis=1), N, -1) * {rng.choice(['k', 'a', 'C'])}",
        ]
        lines += [f"    output y[:, :{rng.choice(['a', 'b', 'C', '1'])}] + {rng.choice(['C', 'k', 'b'])} }}"]
        blocks.append("\n".join(lines))
        known.append(f"B{i}")
    calls = []
    for i in range(rng.randrange(2, 6)):
        name, a, b = rng.choice(known), rng.randrange(1, 5), rng.randrange(1, 5)
        more = rng.choice(["", ", k=0.75", ", deep=true"])
        call = f"{name}({a}, {b}{more})"
        calls.append(rng.choice([call, f'"s{i}": ({call} -> {call})', f"{call} * 2", f"n{i}.m: {call}"]))
    return (
        "\n".join(blocks) + "\nnet A { input x: float32[N, 3]\n    output x -> " + " -> ".join(calls) + " }"
    )


@pytest.mark.parametrize("seed", range(30))
def test_random_blocks(seed: int) -> None:
    agrees(random_blocks(seed))


def test_dropout_follows_the_mode() -> None:
    net = written(
        "net A { input x: float32[N, 64]\n output x -> dropout(0.5) -> p: (dropout(0.5) -> identity) }"
    )
    module = made(net)
    x = torch.ones(8, 64)
    assert torch.equal(module(x), x)
    share = float((module.train()(x) == 0).float().mean())
    assert 0.6 < share < 0.9


def test_a_shared_instance_is_one_module() -> None:
    net = written("net A { input x: float32[N, 3]\n e = Linear(3)\n output x -> e -> relu -> e }")
    assert list(made(net).state_dict()) == ["e.weight", "e.bias"]
    assert to_torch(net).count("nn.Linear(") == 1


def test_a_container_with_a_tap_is_no_sequential() -> None:
    text = (
        "net A { input x: float32[N, 3]\n a = x -> c.0: Linear(3)\n b = a -> c.1: Linear(3)\n output a, b }"
    )
    assert "nn.ModuleList([" in to_torch(written(text))
    assert "nn.Sequential(" in to_torch(written(text.replace("output a, b", "output b")))


def test_constraints_are_refused_at_run_time() -> None:
    net = net_of(ROOT / "specs" / "unet.net")
    module = made(net)
    with pytest.raises(ValueError, match="H must be a multiple of 16, not 30"):
        module(torch.zeros(1, 3, 30, 32))
    with pytest.raises(ValueError, match="W must be a multiple of 16, not 20"):
        training_of(module)(torch.zeros(1, 3, 16, 20), torch.zeros(1, 16, 20, dtype=torch.int64))
    least = made(
        written("net A { input x: float32[N, 1, H, W]\n output x -> Conv2d(1, 5, stride=2) -> Conv2d(1, 3) }")
    )
    with pytest.raises(ValueError, match="H must be at least 9, not 8"):
        least(torch.zeros(1, 1, 8, 9))
    assert least(torch.zeros(1, 1, 9, 9)).shape == (1, 1, 1, 1)


@pytest.mark.parametrize("word", ["Tensor", "F", "nn", "torch", "OrderedDict", "Training", "super", "range"])
def test_a_class_named_as_a_word_of_the_module_is_refused(word: str) -> None:
    body = "{ input x: float32[N, 3]\n output x -> Linear(3) }"
    with pytest.raises(Refused):
        written(f"net {word} {body}", word)
    with pytest.raises(Refused):
        written(f"block {word} {body}\nnet A {{ input x: float32[N, 3]\n output x -> {word} }}", "A")


def test_long_chains_and_sums() -> None:
    chain = "\n".join("    x = x -> Linear(2) -> tanh" for _ in range(1000))
    total = " + ".join(["x"] * 400)
    agrees(f"net A {{ input x: float32[N, 2]\n{chain}\n output x + ({total}) }}")


def test_time_is_linear() -> None:
    def lines(count: int) -> int:
        net = written(f"net A {{ input x: float32[N, 2]\n output x -> l: (Linear(2) -> relu) * {count} }}")
        net2 = written(
            f"net A {{ input x: float32[N, 2]\n y = x\n for i in range({count}) {{\n"
            'y = y -> "l{i}": Linear(2) -> c[i].a: (Linear(2) -> relu) }\n output y }'
        )
        return lines_run(lambda: (to_torch(net), to_torch(net2)))

    lines(50)  # what is looked up once
    assert lines(800) < 8.5 * lines(100)


# -- safety -------------------------------------------------------------------------------------------

HEAD = "# Written by netc 0.1.0.\n\n"
PLAIN = """import torch
import torch.nn.functional as F
from torch import Tensor, nn


class A(nn.Module):
    def __init__(self, k: int = 1) -> None:
        super().__init__()
        self.fc = nn.Linear(3, k)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.fc(x))
        return y.mean((0, 1))
"""
BAD = {
    "another import": ("import torch\n", "import torch\nimport os\n"),
    "another name of an import": ("import torch\n", "import torch as os\n"),
    "a statement of the module": ("\n\nclass", "\nprint(1)\n\nclass"),
    "a call of the module": ("\n\nclass", "\ntorch.zeros(1)\n\nclass"),
    "a decorator": ("    def forward", "    @torch.compile\n    def forward"),
    "a metaclass": ("A(nn.Module)", "A(nn.Module, metaclass=int)"),
    "another base": ("A(nn.Module)", "A(torch.load)"),
    "a call in a class": ("    def forward", "    torch.load(1)\n\n    def forward"),
    "another method": ("def forward", "def __reduce__"),
    "a default that calls": ("k: int = 1", "k: int = open('f')"),
    "an annotation that calls": ("x: Tensor", "x: eval('1')"),
    "eval": ("F.relu(self.fc(x))", "eval(x)"),
    "a builtin as a value": ("F.relu(self.fc(x))", "torch.where(open, x, x)"),
    "a builtin by another name": ("F.relu(self.fc(x))", "(open)"),
    "__import__": ("F.relu(self.fc(x))", "__import__('os')"),
    "a dunder": ("F.relu(self.fc(x))", "x.__class__"),
    "a dunder of self": ("F.relu(self.fc(x))", "self.__dict__"),
    "getattr of a dunder": ("F.relu(self.fc(x))", "getattr(self, '__dict__')"),
    "getattr of a value": ("F.relu(self.fc(x))", "getattr(x, 'tofile')"),
    "getattr with a computed name": ("F.relu(self.fc(x))", "getattr(self, 'a' + 'b')"),
    "getattr of a method": ("F.relu(self.fc(x))", "getattr(self, 'load_state_dict')"),
    "torch.load": ("F.relu(self.fc(x))", "torch.load('f')"),
    "torch.load as a value": ("F.relu(self.fc(x))", "F.boolean_dispatch(torch.load)"),
    "torch.hub": ("F.relu(self.fc(x))", "torch.hub.load('a', 'b')"),
    "torch through F": ("F.relu(self.fc(x))", "F.torch.load('f')"),
    "torch through nn": ("F.relu(self.fc(x))", "nn.functional.torch.load('f')"),
    "a private function": ("F.relu(self.fc(x))", "F._pad(x)"),
    "a method that writes a file": ("F.relu(self.fc(x))", "self.fc(x).numpy().tofile('f')"),
    "a method of Module": ("F.relu(self.fc(x))", "self.fc.apply(x)"),
    "a method of self": ("F.relu(self.fc(x))", "self.register_forward_hook(x)"),
    "a method that is overwritten": ("self.fc = nn.Linear(3, k)", "self.forward = nn.Linear(3, k)"),
    "an attribute of something else": ("self.fc = nn.Linear(3, k)", "nn.Linear = k"),
    "an attribute of torch": ("self.fc = nn.Linear(3, k)", "torch.load = k"),
    "a variable named torch": ("y = F.relu(self.fc(x))", "torch = x\n        y = torch.load(x)"),
    "a variable named getattr": ("y = F.relu(self.fc(x))", "getattr = x\n        y = getattr(x)"),
    "a lambda": ("F.relu(self.fc(x))", "(lambda: x)()"),
    "a walrus": ("F.relu(self.fc(x))", "(z := x)"),
    "a function in a method": ("        y =", "        def f(): return 1\n        y ="),
    "a global": ("        y =", "        global z\n        y ="),
    "an import in a method": ("        y =", "        import torch\n        y ="),
    "a deletion": ("        y =", "        del x\n        y ="),
    "a loop without end": ("        y =", "        while x:\n            pass\n        y ="),
    "a try": ("        y =", "        try:\n            x\n        finally:\n            x\n        y ="),
    "another exception": ("        y =", "        raise SystemExit\n        y ="),
    "a format": ("F.relu(self.fc(x))", "f'{x!r}'"),
    "a format that is given": ("F.relu(self.fc(x))", "f'{x:{k}}'"),
    "** in a call": ("self.fc(x)", "self.fc(**x)"),
    "* in a call": ("self.fc(x)", "self.fc(*x)"),
    "super of something else": ("super().__init__()", "super(A, self).__init__()"),
    "another method of super": ("super().__init__()", "super().load_state_dict(k)"),
    "bytes": ("F.relu(self.fc(x))", "b'1'"),
    "a comprehension over a call": ("F.relu(self.fc(x))", "nn.Sequential(*(x for _ in open('f')))"),
    "a carriage return": ("        y =", "        # a\r        y ="),
    "a form feed": ("        y =", "\f        y ="),
    "a class named torch": ("class A", "class torch"),
    "a class named range": ("class A", "class range"),
    "await": ("    def forward", "    async def forward"),
}  # fmt: skip


def test_plain_source_is_allowed() -> None:
    check_source(HEAD + PLAIN)


@pytest.mark.parametrize(("before", "after"), BAD.values(), ids=BAD)
def test_anything_else_is_refused(before: str, after: str) -> None:
    assert before in PLAIN
    with pytest.raises((UnsafeSource, SyntaxError)):
        check_source(HEAD + PLAIN.replace(before, after, 1))


@pytest.mark.parametrize(
    "head",
    [
        "",
        "# coding: utf-7\n# Written by netc 0.1.0.\n\n",
        HEAD[2:],
        HEAD[:-1] + "# coding: utf-7\n\n",
        HEAD.replace("0.1.0.", "0. coding: utf-7"),
    ],
)
def test_the_first_two_lines_are_fixed(head: str) -> None:
    with pytest.raises(UnsafeSource):
        check_source(head + PLAIN)


def test_text_of_the_user_stays_text() -> None:
    nasty = "a # b ' \\\\\\\" {x} coding: utf-7 %s"
    text = f'"""{nasty}"""\nnet A {{ input x: float32[N, 3]\n output x -> Linear(3) }}'
    module = run_source(to_torch(written(text)))
    assert "coding: utf-7" in module.A.__doc__ and "{x}" in module.A.__doc__


def test_every_op_is_spelled_with_allowed_names() -> None:
    for path in RIGHT:
        assert sizes_of(path)
    from op_case import case_of
    from op_torch import render, spelled

    from netc.ops.contract import OPS, Operand

    for op in dict.fromkeys(OPS.values()):
        for sample in (s for s in op.samples if s.rejects is None):
            case = case_of(op, sample)
            names = [spelled(n) for n in (*case.names, *case.params)]
            operands = [Operand.of(n, x.shape, str(x.dtype)) for n, x in zip(names, case.arrays, strict=True)]
            made_ = case.op.module(*case.shapes)
            lines = [f"y = {render(case.op.torch(*operands))}", *([f"y = {render(made_)}"] if made_ else [])]
            given = "".join(f", {n}: Tensor" for n in names)
            for line in lines:
                check_source(
                    HEAD
                    + PLAIN
                    + f"\n    def forward(self{given}) -> Tensor:\n        {line}\n        return y\n"
                )


# -- lines ---------------------------------------------------------------------------------------------

MANY = """net Many {
    input x: float32[N, 12], whatever: float32[N, 12], whoever: float32[N, 12]
    target label: int64[N]
    y = x * whatever + whoever
    for i in range(5) {
        y = y -> "layer{i}": Linear(12) -> tanh
    }
    logits = y -> fc: Linear(3)
    output logits, y, tanh(y), sigmoid(y), relu(y)
    loss cross_entropy(logits, label)
    loss 0.01 * l2_penalty(weights("*.weight"))
    loss 0.01 * l1_penalty(weights("layer1.*"))
    metric mean_iou(confusion_matrix(logits, label))
    metric f1_score(confusion_matrix(logits, label))
}
"""


@pytest.mark.parametrize(
    "lines",
    [
        """
    def forward(
        self, x: Tensor, whatever: Tensor, whoever: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
""",
        """
        loss = torch.stack([
            w.square().sum()
            for w in (
                self.net.layer0.weight,
                self.net.layer1.weight,
                self.net.layer2.weight,
                self.net.layer3.weight,
                self.net.layer4.weight,
                self.net.fc.weight,
            )
        ]).sum()
""",
        """
        loss2 = torch.stack([
            w.abs().sum()
            for w in (self.net.layer1.weight, self.net.layer1.bias)
        ]).sum()
""",
        """
        confusion_matrix = torch.bincount(
            (3 * label + logits.argmax(dim=1)).flatten(), minlength=9
        ).reshape(3, 3)  # [3, 3]
        mean_iou = (
            confusion_matrix.diagonal()
            / (confusion_matrix.sum(0) + confusion_matrix.sum(1) - confusion_matrix.diagonal())
        ).nanmean()
        f1_score = (
            2 * confusion_matrix.diagonal() / (confusion_matrix.sum(0) + confusion_matrix.sum(1))
        ).nanmean()
        return""",
    ],
    ids=["a head", "a long sum", "a short sum", "one matrix"],
)
def test_lines_are_broken_as_by_hand(lines: str) -> None:
    assert lines in to_torch(written(MANY))


def test_what_is_said_twice_means_the_same() -> None:
    agrees(MANY)
    report = verify(written(MANY), to_torch(written(MANY)), "Many")
    assert report.passed, report.blames
    noisy = "net A { input x: float32[N, 3]\n output x\n loss mean(dropout(x, 0.5)) + sum(dropout(x, 0.5)) }"
    assert to_torch(written(noisy)).count("F.dropout(") == 2


@pytest.mark.parametrize("width", range(20, 60, 3))
def test_broken_lines_say_the_same(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "WIDTH", width)
    for line in (
        "y = (aaaaaaa.diagonal() / (bbbbbbb.sum(0) + ccccccc.sum(1) - ddddddd[0])).nanmean()",
        "y = sum(w.square().sum() for w in (self.a.weight, self.b.weight, self.c.weight))",
        "y = x + torch.stack((torch.sin(angle), torch.cos(angle)), dim=2).reshape(T, 8)",
        "y = nn.Sequential(*(Block(3, 'for (all') for _ in range(8)), nn.ReLU(), nn.Linear(3, 4))",
        "def forward(self, x: Tensor, who: Tensor) -> tuple[Tensor, Tensor, Tensor]: pass",
        "y = x.reshape(N, 2, 2, 8).permute(0, 2, 1, 3).reshape(N, 4, 8)",
        "return self.qkv(x).reshape(N, 4, 3).permute(1, 0, 2).flatten(1) + a.b(c).d(e).f(g)",
        "y = (a + b, (c,), [d, e], {'f': (g * h) @ (i - j)}, -(k), (l, m, n)[0])",
    ):
        method = "def f():\n    " if line.startswith("return ") else ""
        text = method + "\n".join(layout.broken(line, "", "  # [N]"))
        assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(method + line)), text


SIGNS = """net Signs {
    input x: float32[N, 8], t: float32[N, 8]
    w = (1 - 0.25) + (2 * 0.25 - 1) * t
    a = x - -2 * t
    b = x + (-0.5 * t + 2 * x)
    c = x - (-t) ** 2
    d = t + (-x) * 2 - -(x + t)
    e = x + (-t) // 2 - (-t) % 3
    output w, a, b, c, d, e, x + -t, x + -3
}
"""


def test_signs_are_as_by_hand() -> None:
    agrees(SIGNS)
    source = to_torch(written(SIGNS))
    for text in (
        "w = 0.75 - 0.5 * t  ", "a = x + 2 * t  ", "b = x + (-0.5 * t + 2 * x)  ", "c = x - (-t) ** 2  ",
        ", t - x * 2 + (x + t), x + -t // 2 - -t % 3, x - t, x - 3  ",
    ):  # fmt: skip
        assert text in source


def test_a_small_power_of_two_is_one() -> None:
    source = to_torch(written("net A { input x: float32[N, 8]\n output x -> RMSNorm }"))
    assert "nn.RMSNorm(8, eps=2**-23)" in source


VARIANTS = """net Variants {
    input t: float32[N, 16, 8]
    a = (t, t, t) -> MultiheadAttention(2, dropout=0.1)
    b = (a, a, a) -> MultiheadAttention(2)
    c = (b, b, b) -> MultiheadAttention(2, dropout=0.1, is_causal=true)
    d = (c, c, c) -> MultiheadAttention(2, bias=false)
    e = reshape(d, [N, 4, 4, 8]) -> WindowAttention(2, 2) -> WindowAttention(2, 2, shift=1)
    output e
}
"""


def test_variants_of_a_block_are_named_by_what_is_switched() -> None:
    tree = ast.parse(to_torch(written(VARIANTS)))
    docs = {c.name: ast.get_docstring(c) or "" for c in tree.body if isinstance(c, ast.ClassDef)}
    assert list(docs) == [
        "MultiheadAttention", "MultiheadAttentionDropout", "MultiheadAttentionDropoutCausal",
        "MultiheadAttentionNoBias", "WindowAttention", "WindowAttentionShift", "Variants",
    ]  # fmt: skip
    assert "`is_causal`" not in docs["MultiheadAttention"] + docs["MultiheadAttentionDropout"]
    assert "`is_causal` hides" in docs["MultiheadAttentionDropoutCausal"]
    assert "`dropout` = 0.1 drops" in docs["MultiheadAttentionDropout"].replace("\n", " ")
    assert "rolled" not in docs["WindowAttention"] and "brings together" not in docs["WindowAttention"]
    assert "`shift` = 1" in docs["WindowAttentionShift"]
    assert all("The parameters bear" in docs[name].replace("\n", " ") for name in list(docs)[:-1])
