"""Hostile text, paths and names: refused with a place, or made into modules that work; and mutated specs."""

from __future__ import annotations

import copy
import os
import random
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import odd_specs
import onnxruntime
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from in_memory import HEAD, TAIL, body, codes, found, program

from netc.backends.onnx_file import write_onnx
from netc.backends.to_onnx import to_onnx
from netc.backends.to_torch import to_torch
from netc.backends.torch_source.check import check_source
from netc.backends.weights import Held
from netc.cli.options import read_program
from netc.diagnostics import Refused
from netc.diagnostics.render import render_json, render_text, visible
from netc.dims import substitute
from netc.ir.module import Net, Value
from netc.passes.check import check
from netc.passes.elaborate import elaborate
from netc.passes.initial import draw, state
from netc.passes.load import complete
from netc.syntax import KEYWORDS

ROOT = Path(__file__).parents[1]


# -- text ---------------------------------------------------------------------------------------------

CONTROL = [c for c in map(chr, [*range(32), *range(127, 160)]) if c not in "\t\n"]
DISGUISE = [*"\u00ad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2060\u2061"
            "\u2062\u2063\u2064\u2066\u2067\u2068\u2069\u206a\u206f\ufeff\ufff9\ufffa\ufffb\U000e0001\U000e0041"]  # fmt: skip


@pytest.mark.parametrize("character", [*CONTROL, *DISGUISE], ids=lambda c: f"U+{ord(c):04X}")
def test_characters_that_hide_or_disguise(character: str) -> None:
    """Refused everywhere: in a comment, a string, a docstring, and where they mean nothing."""
    for text in (f"# a{character}b\n" + body(""), body(f'    y = "a{character}b"'), body(f"    y ={character} 1"),
                 f'"""a{character}b"""\n' + body("")):  # fmt: skip
        (wrong,) = found(text)
        assert wrong.code == "E0103" and wrong.span is not None and f"U+{ord(character):04X}" in wrong.message


def test_line_endings_and_byte_order_mark() -> None:
    text = body("    y = x -> Linear(3)\n    z = nothing")
    plain = [(d.code, d.span and d.span.line) for d in found(text)]
    assert plain == [("E0201", 4)]
    assert [(d.code, d.span and d.span.line) for d in found(text.replace("\n", "\r\n"))] == plain
    assert [(d.code, d.span and d.span.line) for d in found("\ufeff" + text)] == plain
    assert codes("\ufeff\ufeff" + text) == ["E0103"]
    assert codes(text.replace("\n", "\r")) == codes(text.replace("\n", "\n\r")) == ["E0103"]


@pytest.mark.parametrize(
    "data", [b"\xff", b"net A\xc3", b"\xed\xa0\x80", b"\xc0\x80", "net Ä".encode("latin-1")]
)
def test_not_utf8(data: bytes) -> None:
    assert codes(data) == ["E0102"]


@pytest.mark.parametrize(
    "text", ["", "\n\n", "# nothing\n", "\ufeff", '"""only a docstring"""\n', "netc 1\n", "   "]
)
def test_empty_files(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize("name", ["ﬁt", "naïve", "x²", "ⅷ", "Ａ", "名", "a\u0301", "\u00b5"])
def test_names_are_ascii(name: str) -> None:
    assert codes(body(f"    {name} = 1"))[:1] in (["E0104"], ["E0105"])


@pytest.mark.parametrize("number", ["٣", "1_000", "0x10", "１", "1e", "²"])
def test_numbers_are_ascii_decimal(number: str) -> None:
    assert codes(body(f"    y = {number}"))[:1] in (["E0104"], ["E0105"])


@pytest.mark.parametrize("word", KEYWORDS)
def test_words_of_the_language_end_where_a_name_goes_on(word: str) -> None:
    """`inputsx` is one name, not `input` and a rest."""
    for name in (f"{word}sx", f"{word}_", f"{word}1"):
        assert codes(body(f"    {name} = 1\n    y = {name}")) == []
    assert codes(body(f"    {word}sx: float32[N]"))[:1] == ["E0105"]


# -- paths --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/etc/passwd.net", "../x.net", "a/../../x.net", "a.txt", "a", "", "..", "a\\\\b.net",
                                  "C:\\\\x.net", "\\\\\\\\host\\\\x.net", "./../x.net"])  # fmt: skip
def test_imports_stay_inside(path: str) -> None:
    assert codes(f'import "{path}"\n' + body("")) == ["E0605"]


def test_imports_follow_no_link_out_of_the_project(tmp_path: Path) -> None:
    (tmp_path / "outside.net").write_text("fn secret(x) = x\n")
    project = tmp_path / "project"
    project.mkdir()
    (project / "link.net").symlink_to(tmp_path / "outside.net")
    (project / "folder").symlink_to(tmp_path)
    (project / "inside.net").symlink_to(project / "real.net")
    (project / "real.net").write_text("fn same(x) = x\n")
    for name, wrong in (("link.net", ["E0604"]), ("folder/outside.net", ["E0604"]), ("inside.net", [])):
        (project / "spec.net").write_text(f'import "{name}"\n' + body(""))
        assert [d.code for d in read_program(str(project / "spec.net")).found] == wrong


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.net")
    for path in (
        str(tmp_path),
        str(tmp_path / "fifo.net"),
        "/dev/zero",
        str(tmp_path / "none.net"),
        "a" * 5000,
    ):
        with pytest.raises(Refused) as refused:
            read_program(path)
        assert [d.code for d in refused.value.diagnostics] == ["E0604"]


def test_names_of_files_are_escaped() -> None:
    shown = render_text(Refused(*_refused("a\n\x1b[31mb\u202e.net")).diagnostics)
    assert "\x1b" not in shown and "\u202e" not in shown and r"a\n\x1b[31mb\u202e.net" in shown
    assert render_json(_refused("\udcff\x1b.net")).isascii()
    assert visible("a\tb\r\x9b\u2066") == r"a    b\r\x9b\u2066"


def _refused(path: str) -> Any:
    with pytest.raises(Refused) as refused:
        read_program(path)
    return refused.value.diagnostics


# -- emitted Python -----------------------------------------------------------------------------------


def made_inputs(net: Net, values: tuple[Value, ...]) -> list[torch.Tensor]:
    """Whole numbers of 0 and 1, or normal ones; each free size is the least allowed, and at least 3."""
    sizes = dict.fromkeys(net.block.sizes, 3)
    sizes |= {name: fact.least for name, fact in net.training_facts.items()}
    out = []
    for value in values:
        shape = tuple(int(str(substitute(d, sizes))) for d in value.type.shape)
        whole = value.type.dtype in ("int64", "int32")
        out.append(torch.randint(0, 2, shape) if whole else torch.randn(shape))
    return out


def exercise(net: Net, folder: Path) -> None:
    """The emitted class works: its state_dict, its modes, its loss; and it agrees with the ONNX file."""
    source = to_torch(net)
    check_source(source)
    names: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(source, "emitted.py", "exec"), names)
    module = names[net.name]()
    weights = {name: draw(name, param, 1) for name, param in state(net).items()}
    module.load_state_dict({n: torch.from_numpy(np.array(w)) for n, w in weights.items()}, strict=True)
    for use in (module.train, module.double, module.float, module.eval, module.zero_grad, module.__repr__):
        use()
    module.apply(lambda m: m)
    copy.deepcopy(module).to("cpu")
    inputs, targets = made_inputs(net, net.block.inputs), made_inputs(net, net.targets)
    with torch.no_grad():
        outputs = module(*inputs)
        if net.losses:
            losses, metrics = names["Training"](module)(*inputs, *targets)
            assert all(loss.ndim == 0 for loss in losses.values())
            assert list(losses) == list(net.losses) and list(metrics) == list(net.metrics)
    agree(net, weights, inputs, outputs if isinstance(outputs, tuple) else (outputs,), folder / "net.onnx")


def agree(
    net: Net, weights: Mapping[str, Any], inputs: list[torch.Tensor], wanted: tuple[Any, ...], path: Path
) -> None:
    write_onnx(path, to_onnx(net, 20), Held(weights), True)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [i.name for i in session.get_inputs()]
    got = session.run(None, dict(zip(names, (x.numpy() for x in inputs), strict=True)))
    for a, b in zip(wanted, got, strict=True):
        np.testing.assert_allclose(b, a.numpy(), atol=1e-4, rtol=1e-4)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("group", ["of_names", "of_labels", "of_texts", "of_structure"])
def test_odd_names_and_texts(group: str, tmp_path: Path) -> None:
    """Each odd spec is refused at a place, or its module and its graph work."""
    torch.manual_seed(0)
    accepted = 0
    for title, text in getattr(odd_specs, group)().items():
        wrong = found(text)
        assert all(d.span is not None for d in wrong), title
        for name in [] if wrong else complete(program(text)):
            try:
                exercise(elaborate(program(text), name), tmp_path)
            except Exception as error:
                raise AssertionError(f"{title}:\n{text}") from error
            accepted += 1
    assert accepted > 5


@pytest.mark.parametrize("text", [d for d in odd_specs.DOCS if not d.endswith('"')])
def test_docstrings_are_kept_to_the_letter(text: str) -> None:
    net = elaborate(
        program(f'net A {{\n """{text}"""\n input x: float32[N, 4]\n output x -> Linear(3)\n}}\n'), "A"
    )
    names: dict[str, Any] = {"__name__": "emitted"}
    exec(compile(to_torch(net), "emitted.py", "exec"), names)

    def words(doc: str | None) -> list[str]:
        return (doc or "").split()

    assert words(vars(names["A"]).get("__doc__")) == words(text.strip())


def test_nothing_of_the_user_stands_in_the_first_two_lines() -> None:
    text = '"""coding: utf-7"""\nnet coding {\n """coding: utf-7"""\n input x: float32[N, 4]\n output x -> Linear(3)\n}\n'
    first = to_torch(elaborate(program(text), "coding")).split("\n")[:2]
    plain = to_torch(elaborate(program(HEAD + "    output x -> Linear(3)\n}\n"), "A")).split("\n")[:2]
    assert first == plain and first[1] == ""


# -- mutated specs ------------------------------------------------------------------------------------

SPECS = sorted(
    [*ROOT.glob("specs/*.net"), *ROOT.glob("tests/soundness/*/*.net"), *ROOT.glob("tests/soundness/*.net")]
)
EXAMPLES = int(os.environ.get("NETC_MUTATIONS", "150"))
TOKEN = re.compile(r'"""|"[^"\n]*"|[A-Za-z_]\w*|[0-9.]+|->|\*\*|//|[=!<>]=|\s+|.', re.S)
SPARE = [
    *"()[]{},:=+-*/%@.",
    "->",
    "**",
    "1",
    "0",
    "-1",
    "x",
    "N",
    "if",
    "else",
    "for",
    "true",
    "none",
    '"a{1}"',
    "\n",
]


def mutated(text: str, choose: random.Random) -> str:
    """`text` with a few tokens or lines deleted, doubled, exchanged or replaced."""
    for _ in range(choose.randint(1, 3)):
        if choose.random() < 0.3:
            lines = text.split("\n")
            text = "\n".join(changed(lines, choose, lines))
        else:
            text = "".join(changed(TOKEN.findall(text), choose, SPARE))
    return text


def changed(parts: list[str], choose: random.Random, spare: list[str]) -> list[str]:
    parts = list(parts)
    i, j = choose.randrange(len(parts)), choose.randrange(len(parts))
    way = choose.randrange(5)
    if way == 0:
        del parts[i]
    elif way == 1:
        parts.insert(j, parts[i])
    elif way == 2:
        parts[i], parts[j] = parts[j], parts[i]
    elif way == 3:
        parts[i] = choose.choice(spare)
    else:
        numbers = [k for k, part in enumerate(parts) if part.isdigit()]
        if numbers:
            parts[choose.choice(numbers)] = str(choose.choice([0, 1, 2, 3, 5, 7, 64, 10**6, 2**31, 2**63]))
    return parts


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.integers(0, 2**63))
def test_mutated_specs(seed: int) -> None:
    """None makes the compiler fail, and what `check` accepts is written for both targets."""
    choose = random.Random(seed)
    text = mutated(choose.choice(SPECS).read_text(), choose)
    try:
        made = program(text)
        wrong = check(made)
    except Refused as refused:
        wrong = list(refused.diagnostics)
    render_text(wrong)
    if wrong:
        return
    for name in complete(made)[:2]:
        net = elaborate(made, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(to_torch(net), "emitted.py", "exec")
        to_onnx(net, 20)


def test_mutations_are_accepted_now_and_then() -> None:
    """Else the test above would only ever see refusals."""
    choose = random.Random(1)
    outcomes = []
    for _ in range(30):
        text = mutated((ROOT / "specs" / "lenet.net").read_text(), choose)
        outcomes.append(bool(found(text)))
    assert 0 < sum(outcomes) < 30
    assert codes(HEAD + TAIL) == []
