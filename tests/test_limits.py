"""Each limit one below, at and one above; and specs that would unroll to far too much, refused at once."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterator

import pytest
from click.testing import CliRunner
from in_memory import HEAD, TAIL, Clock, body, codes, found, program

from netc.cli.main import cli
from netc.diagnostics import Refused, Source, Span, wording_names
from netc.diagnostics.render import render, render_text
from netc.passes.elaborate import elaborate
from netc.passes.initial import state

AT_ONCE = 8  # seconds of processor time on a slow, busy machine; what is not refused takes hours


@pytest.fixture(autouse=True)
def deep() -> Iterator[None]:
    """As deep a recursion as the command line allows."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(20_000)
    yield
    sys.setrecursionlimit(before)


# -- the limits themselves ----------------------------------------------------------------------------


@pytest.mark.parametrize("size, wrong", [(-1, []), (0, []), (1, ["E0101"])])
def test_file(size: int, wrong: list[str]) -> None:
    text = body("")
    text += "#" * ((1 << 20) + size - len(text))
    assert codes(text) == wrong


def nested(count: int, opening: str = "(", closing: str = ")") -> str:
    return HEAD + f"    output {opening * count}x{closing * count}\n}}\n"


@pytest.mark.parametrize("depth, wrong", [(62, []), (63, []), (64, ["E0107"])])
def test_nesting(depth: int, wrong: list[str]) -> None:
    """The braces of the net are the first of 64."""
    assert codes(nested(depth)) == wrong


@pytest.mark.parametrize("count, wrong", [(63, []), (64, []), (65, ["E0107"])])
def test_branches(count: int, wrong: list[str]) -> None:
    text = "    if false { y = 1 }" + " else if false { y = 1 }" * count
    assert codes(body(text))[:1] == wrong


@pytest.mark.parametrize("length, wrong", [(63, []), (64, []), (65, ["E0109"])])
def test_identifiers(length: int, wrong: list[str]) -> None:
    assert codes(body(f"    {'a' * length} = 1")) == wrong
    assert codes(f"net {'A' * length} {{\n input x: float32[N]\n output relu(x)\n}}\n") == wrong


@pytest.mark.parametrize("length, wrong", [(63, []), (64, []), (65, ["E0505"])])
def test_labels(length: int, wrong: list[str]) -> None:
    assert codes(HEAD + f'    output x -> "{"a" * length}": Linear(3)\n}}\n') == wrong


@pytest.mark.parametrize("parts, wrong", [(31, []), (32, []), (33, ["E0311"])])
def test_paths(parts: int, wrong: list[str]) -> None:
    assert codes(HEAD + f"    output x -> {'.'.join(['a'] * parts)}: Linear(3)\n}}\n") == wrong


@pytest.mark.parametrize("length, wrong", [(4095, []), (4096, []), (4097, ["E0111"])])
def test_strings(length: int, wrong: list[str]) -> None:
    assert codes(body(f'    y = "{"a" * length}"')) == wrong


@pytest.mark.parametrize("length, wrong", [(4095, []), (4096, []), (4097, ["E0311"])])
def test_strings_that_are_made(length: int, wrong: list[str]) -> None:
    half = f'    y = "{"a" * 2000}"\n    z = "{"a" * (length - 4000)}"\n'
    assert codes(body(half + '    w = "{y}{y}{z}"')) == wrong
    assert codes(body(half + "    w = y + y + z")) == wrong


@pytest.mark.parametrize(
    "number, wrong", [(2**63 - 2, []), (2**63 - 1, []), (2**63, ["E0110"]), (10**19, ["E0110"])]
)
def test_integers(number: int, wrong: list[str]) -> None:
    assert codes(body(f"    y = {number}")) == wrong


@pytest.mark.parametrize(
    "text, wrong", [("2**62 + (2**62 - 1)", []), ("2**62 + 2**62", ["E0308"]), ("2**63", ["E0308"])]
)
def test_computed_integers(text: str, wrong: list[str]) -> None:
    assert codes(body(f"    y = {text}")) == wrong


@pytest.mark.parametrize(
    "text, wrong", [("1.7e308", []), ("1e309", ["E0110"]), ("1" * 400 + ".5", ["E0110"])]
)
def test_floats(text: str, wrong: list[str]) -> None:
    assert codes(body(f"    y = {text}")) == wrong
    assert codes(body("    y = 1e308 * 10")) == codes(body("    y = 10.0 ** 400")) == ["E0308"]


@pytest.mark.parametrize("size, wrong", [(2**31 - 2, []), (2**31 - 1, []), (2**31, ["E0407"])])
def test_dimension(size: int, wrong: list[str]) -> None:
    assert codes(f"net A {{\n input x: float32[N, {size}]\n output relu(x)\n}}\n")[:1] == wrong


@pytest.mark.parametrize("size, wrong", [(2**20 - 1, []), (2**20, ["E0407"]), (2**20 + 1, ["E0407"])])
def test_elements(size: int, wrong: list[str]) -> None:
    """Below 2^40: a tensor of (2^20 - 1) 2^20 elements is the largest of these."""
    assert codes(f"net A {{\n input x: float32[{2**20}, {size}]\n output relu(x)\n}}\n")[:1] == wrong


@pytest.mark.parametrize("count, wrong", [(2**29 - 1, []), (2**29, ["E0407"]), (2**29 + 1, ["E0407"])])
def test_parameters_in_all(count: int, wrong: list[str]) -> None:
    """Two layers of 1024 x `count` weights, none of which is too large by itself."""
    layers = f"x -> Linear(1024, bias=false) -> Linear({count}, bias=false)"
    text = f"net A {{\n input x: float32[N, {count}]\n output {layers}\n}}\n"
    assert codes(text) == wrong
    if wrong:
        assert "8.0 TiB" not in found(text)[0].message or count > 2**29
        assert "4.0 TiB" in found(text)[0].message


def test_buffers_count_as_parameters() -> None:
    norms = " -> BatchNorm1d" * 200
    text = f"net A {{\n input x: float32[N, {2**31 - 1}]\n output x{norms}\n}}\n"
    assert codes(text) == ["E0407"]


def test_nothing_is_allocated_to_check_a_huge_net() -> None:
    text = f"net A {{\n input x: float32[N, {2**19}]\n output x -> Linear({2**19}) -> Linear({2**19})\n}}\n"
    made = program(text)
    tracemalloc.start()
    net = elaborate(made, "A")
    assert len(state(net)) == 4
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20


# -- imports ------------------------------------------------------------------------------------------


def chain(length: int) -> dict[str, str]:
    """`length` files, each of which imports the next."""
    files = {f"f{i}": f'import "f{i + 1}.net"\n' for i in range(1, length)}
    return {**files, f"f{length}": ""}


@pytest.mark.parametrize("depth, wrong", [(15, []), (16, []), (17, ["E0607"])])
def test_import_depth(depth: int, wrong: list[str]) -> None:
    assert codes('import "f1.net"\n' + body(""), **chain(depth)) == wrong


@pytest.mark.parametrize("count, wrong", [(254, []), (255, []), (256, ["E0607"])])
def test_import_files(count: int, wrong: list[str]) -> None:
    """256 files, the spec among them."""
    text = "".join(f'import "f{i}.net"\n' for i in range(count))
    assert codes(text + body(""), **{f"f{i}": "" for i in range(count)}) == wrong


@pytest.mark.parametrize("more, wrong", [(-1, []), (0, []), (1, ["E0607"])])
def test_import_bytes(more: int, wrong: list[str]) -> None:
    text = "".join(f'import "f{i}.net"\n' for i in range(8)) + body("")
    files = {f"f{i}": "#" * (1 << 20) for i in range(7)}
    files["f7"] = "#" * ((1 << 20) - len(text) + more)
    assert codes(text, **files) == wrong


def test_import_cycles_name_the_circle() -> None:
    (wrong,) = found('import "a.net"\n' + body(""), a='import "b.net"\n', b='import "a.net"\n')
    assert wrong.code == "E0606" and "a.net -> b.net -> a.net" in wrong.message
    (wrong,) = found('import "spec.net"\n' + body(""))
    assert wrong.code == "E0606"


def test_one_file_imported_by_many_ways_is_read_once() -> None:
    files = {f"f{i}": f'import "f{i + 1}.net"\nimport "f{i + 2}.net"\n' for i in range(10)}
    files |= {"f10": 'import "f11.net"\n', "f11": "fn same(x) = x\n"}
    assert codes('import "f0.net"\n' + body("    y = same(1)"), **files) == []


# -- findings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [99, 100, 101, 5000])
def test_findings(count: int) -> None:
    text = body("".join(f"    y{i} = nothing{i}\n" for i in range(count)))
    with Clock() as clock:
        shown = render_text(found(text))
    assert shown.count("error[") == min(count, 100)
    assert clock.seconds < AT_ONCE


def test_the_length_of_a_finding() -> None:
    source = Source("spec.net", "x" * 100_000)
    for length in (10, 3000, 4096, 50_000):
        shown = render(wording_names.unknown_name(Span(source, 0, 5), "é" * length, ()))
        assert len(shown.encode()) <= 4096
    assert len(render(wording_names.import_outside(Span(source, 0, 100_000), "x" * 100_000)).encode()) <= 4096


# -- what would unroll to too much --------------------------------------------------------------------


def blocks(first: str, next_: str, count: int) -> str:
    """Blocks B0, B1, ..., each made of the one before."""
    text = f"block B0 {{\n input x: [N, C]\n output {first}\n}}\n"
    for i in range(1, count + 1):
        text += f"block B{i} {{\n input x: [N, C]\n output {next_.replace('B', f'B{i - 1}')}\n}}\n"
    return text + f"net A {{\n input x: float32[N, 4]\n output x -> B{count}\n}}\n"


def helpers(count: int) -> str:
    text = "fn f0(x) = x\n" + "".join(f"fn f{i}(x) = f{i - 1}(x) + f{i - 1}(x)\n" for i in range(1, count))
    return text + body(f"    y = f{count - 1}(1)")


DOUBLED = "    y = [1]\n" + "    y = [y, y]\n" * 60
TAKES_LIST = "block B(a) {\n input x: [N, C]\n output relu(x)\n}\n"
BOMBS = {
    "a repeat of a repeat": HEAD + "    output x -> (Linear(1) * 1000) * 1000\n}\n",
    "repeats 60 deep": HEAD + "    output x -> " + "(" * 60 + "Linear(4)" + " * 1000)" * 60 + "\n}\n",
    "a long repeat twice": HEAD + "    output x -> (Linear(4) * 99999) * 2\n}\n",
    "a repeat of a block": blocks("x -> Linear(C) * 1000", "x -> B * 1000", 3),
    "loops of layers": body("    for i in range(100000) { for j in range(100000) { y = x -> Linear(4) } }"),
    "loops of sums": body("    a = 0\n    for i in range(100000) { for j in range(100000) { a = a + 1 } }"),
    "loops over a name": body("    n = 100000\n    for i in range(n) { for j in range(n) { a = i + j } }"),
    "a loop of ranges": body("    for i in range(100000) { a = range(100000) }"),
    "a loop of sums of ranges": body("    for i in range(100000) { a = sum(range(100000)) }"),
    "a list that grows": body("    a = []\n    for i in range(100000) { a = a + [i] }"),
    "blocks of two blocks": blocks("x -> Linear(C)", "x -> B -> B", 40),
    "blocks of two that do nothing": blocks("x", "x -> B -> B", 40),
    "chains of two chains": body(
        "    a0 = Linear(4) -> Linear(4)\n"
        + "".join(f"    a{i} = a{i - 1} -> a{i - 1}\n" for i in range(1, 40))
        + "    y = x -> a39"
    ),
    "helpers that call twice": helpers(60),
    "a list of two lists": body(DOUBLED),
    "lists compared": body(DOUBLED + "    assert y == y"),
    "lists passed to a block": TAKES_LIST + body(DOUBLED + "    z = x -> B(y)"),
    "lists passed to an op": body(DOUBLED + "    z = x -> max_pool2d(y)"),
    "a long list of long lists": TAKES_LIST + body("    y = [[0] * 100000] * 100000\n    z = x -> B(y)"),
    "a list in a list, ever deeper": body("    y = []\n    for i in range(50000) { y = [y] }"),
    "strings in strings": body('    y = "aaaaaaaaaa"\n' + '    y = "{y}{y}"\n' * 60),
    "strings added": body('    y = "aaaaaaaaaa"\n' + "    y = y + y\n" * 60),
    "labels of long strings": body(
        '    y = "aaaaaaaaaa"\n' + '    y = y + "." + y\n' * 18 + '    z = x -> "{y}": Linear(3)'
    ),
    "powers of powers": body("    y = 9 ** 9 ** 9 ** 9"),
    "a large power": body("    y = (-9) ** 99999999999"),
    "a huge range": body("    y = range(9223372036854775807)"),
    "a size to a power": body("    y = N ** 1000000"),
    "a polynomial squared": "net A {\n input x: float32[B, C, D, E, F]\n y = B + C + D + E + F + 1\n"
    + " y = y * y\n" * 30
    + TAIL,
    "a size times itself": body("    y = N\n    for i in range(100000) { y = y * N }"),
    "quotients in quotients": body("    y = N\n" + "    y = (y * y + 1) // 3\n" * 40),
    "a large factor of a size": body("    y = N\n" + "    y = y * 1000000000\n" * 70),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    with Clock() as clock:
        wrong = codes(BOMBS[name])
    assert wrong and set(wrong) <= {"E0308", "E0311", "E0312"}
    assert clock.seconds < AT_ONCE


# -- what is only long or deep ------------------------------------------------------------------------

LONG = {
    "a sum": "    y = " + " + ".join(["1"] * 50_000),
    "a sum of tensors": "    y = " + " + ".join(["x"] * 5_000),
    "conditions": "    y = " + " and ".join(["true"] * 50_000),
    "a chain": "    y = x -> " + " -> ".join(["relu"] * 5_000),
    "arguments": "    y = max(" + ", ".join(["1"] * 50_000) + ")",
}


@pytest.mark.parametrize("name", LONG)
def test_long_expressions_are_read(name: str) -> None:
    with Clock() as clock:
        assert codes(body(LONG[name])) == []
    assert clock.seconds < AT_ONCE


DEEP = {
    "not": body("    y = " + "not " * 30_000 + "true"),
    "minus": body("    y = " + "- " * 50_000 + "1"),
    "power": body("    y = " + " ** ".join(["1"] * 50_000)),
    "conditional": body("    y = " + "1 if false else " * 30_000 + "1"),
    "calls": body("    y = relu" + "()" * 50_000),
    "indices": body("    y = x" + "[0]" * 30_000),
    "assert": body("    assert " + "not " * 30_000 + "true"),
    "a label": HEAD + "    output x -> x" + ".a" * 50_000 + ": Linear(3)\n}\n",
    "a preset": "net A = " + "- " * 50_000 + "1\n",
    "a default": "net A(a = " + "- " * 50_000 + "1) {\n input x: float32[N]\n output relu(x)\n}\n",
    "a size": "net A {\n input x: float32[" + "-" * 50_000 + "1]\n output relu(x)\n}\n",
    "a recipe": body("") + "train {\n batch " + "-" * 50_000 + "1\n}\n",
    "blocks": blocks("x -> Linear(C)", "x -> B", 2000),
    "else if": body("    if false { a = 1 }" + " else if false { a = 1 }" * 20_000),
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_expressions_are_refused(name: str) -> None:
    with Clock() as clock:
        wrong = codes(DEEP[name])
    assert wrong and set(wrong) <= {"E0107", "E0311", "E0312", "E0613", "E0408", "E0809"}
    assert clock.seconds < AT_ONCE


BROKEN = {
    "a bracket never closed": HEAD + "    y = (\n" + "\n" * 100_000,
    "steps after a mistake": HEAD + "    y = $\n" + "  -> a\n" * 100_000,
    "many mistakes": HEAD + "    y = $\n" * 100_000 + TAIL,
    "braces": "{\n" * 300_000,
    "closing braces": "}\n" * 300_000,
    "quotes": '"' * 500_000,
    "docstrings": '"""a' * 200_000,
    "a docstring never closed": '"""' + "a" * 1_000_000,
    "a string never closed": body('    y = "' + "\\" * 500_001),
    "a long name": body("    y = " + "a" * 1_000_000),
    "a long number": body("    y = " + "9" * 1_000_000),
    "undefined names": body("".join(f"    y{i} = y{i + 1}\n" for i in range(20_000))),
    "unknown arguments": body("    y = Linear(" + ", ".join(f"a{i}=1" for i in range(10_000)) + ")"),
    "nets with mistakes": "".join(
        f"net A{i} {{\n input x: float32[N]\n output z{i}\n}}\n" for i in range(3_000)
    ),
    "settings given again": body("") + "train {\n" + " batch 1\n" * 20_000 + "}\n",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_refused_in_time(name: str) -> None:
    with Clock() as clock:
        assert found(BROKEN[name])
    assert clock.seconds < AT_ONCE


@pytest.mark.parametrize("verb", ["verify", "gradcheck", "trace", "compile"])
def test_weights_that_the_memory_cannot_hold_are_refused_before_they_are_made(verb, tmp_path, monkeypatch):
    spec = tmp_path / "wide.net"
    spec.write_text("net Wide {\n input x: float32[N, 1000]\n output x -> Linear(2000)\n}\n")
    monkeypatch.setattr("netc.cli.room.memory", lambda: 7_000_000)
    where = {"compile": ["-o", str(tmp_path)], "trace": ["--at", "x=[[1]]"]}.get(verb, [])
    done = CliRunner().invoke(cli, [verb, str(spec), *where])
    assert isinstance(done.exception, Refused)
    assert "of memory, and the machine has 6.7 MiB" in done.exception.diagnostics[0].message
