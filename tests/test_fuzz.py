"""The fuzzer: a slice of its programs, that it repeats itself, and that it finds what is broken on purpose."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from netc.cli.main import cli
from netc.deploy.evidence import Known
from netc.deploy.known_issues import KNOWN
from netc.fuzz import case as case_module
from netc.fuzz.bench import RUNNER, Bench
from netc.fuzz.campaign import Tally, campaign, chunk, started, task_of
from netc.fuzz.case import OPSETS, Case, case_of, read, written
from netc.fuzz.draws import Rule, describe, rules
from netc.fuzz.examine import Examiner, Outcome, Task, explained, prepared
from netc.fuzz.generate import generate_pair
from netc.fuzz.judge import Finding, judged, signature
from netc.fuzz.pairs import Chains, pairs_of
from netc.fuzz.shrink import failing, shrink
from netc.fuzz.truth import truth
from netc.ops.contract import OPS

HERE = Path(__file__).parent
REGRESSIONS = sorted((HERE / "fuzz_regressions").glob("*.net"))
SLICE = 150


@pytest.fixture(scope="module")
def examiner() -> Iterator[Examiner]:
    with warnings.catch_warnings(), Examiner() as made:
        warnings.simplefilter("ignore", RuntimeWarning)  # of numpy, on what is not finite
        yield made


def net(*lines: str, inputs: str = "x: float32[N, 3, 4]", doc: str = "") -> str:
    told = f'    """{doc}"""\n' if doc else ""
    body = "\n".join(f"    {line}" for line in lines)
    return f"netc 1\n\nnet Fuzz {{\n{told}    input {inputs}\n{body}\n}}\n"


def found(examiner: Examiner, text: str, opset: int = 20, again: bool = False) -> set[str]:
    """The oracles that find something."""
    (outcome,) = examiner.examine([Task(text, opset, again)])
    assert not outcome.aside
    return {finding.oracle for finding in outcome.findings}


# -- random programs ----------------------------------------------------------------------------------
def test_a_slice_of_programs(examiner: Examiner) -> None:
    tally = chunk(0, range(SLICE), examiner=examiner)
    assert not tally.failures, "\n".join(f"{f.index}: {f.findings}\n{f.text}" for f in tally.failures)
    assert tally.programs == SLICE and sum(tally.aside.values()) < SLICE / 20
    assert (
        tally.ops > 5 * SLICE
        and tally.no_gradient.total() < SLICE / 2
        and tally.unsettled < tally.values / 20
    )


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_what_was_found_stays_mended(path: Path, examiner: Examiner) -> None:
    text = path.read_text("utf-8")
    assert text.startswith("# "), "what was wrong stands in the first line"
    program = written(read(text))
    for outcome in examiner.examine([Task(program, opset) for opset in OPSETS]):
        assert not outcome.aside and not outcome.findings


RARE = {
    ("ConvTranspose2d", "bce"): "conv_transpose2d_bce",
    ("argmin", "max_unpool2d"): "argmin_max_unpool2d",
    ("argsort", "max_unpool3d"): "argsort_max_unpool3d",
    ("one_hot", "max_unpool3d"): "one_hot_max_unpool3d",
}


@pytest.mark.parametrize(("pair", "name"), RARE.items(), ids=RARE.values())
def test_a_pair_that_the_fuzzer_hardly_meets(pair: tuple[str, str], name: str, examiner: Examiner) -> None:
    """Values between 0 and 1, or positions of which none stands twice, that chance does not bring."""
    text = written(read((HERE / "fuzz_pairs" / f"{name}.net").read_text("utf-8")))
    for outcome in examiner.examine([Task(text, opset) for opset in OPSETS]):
        assert outcome.pairs[pair] and not outcome.aside and not outcome.findings


def test_a_program_follows_from_seed_and_number() -> None:
    """Also in another process, where sets have another order."""
    code = "from netc.fuzz.campaign import task_of\nfor i in range(12): print(task_of(7, i).text)"
    env = {**os.environ, "PYTHONHASHSEED": "11", "PYTHONPATH": str(HERE.parent)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    texts = [task.text for i in range(12) if isinstance(task := task_of(7, i), Task)]
    assert done.stdout == "".join(f"{text}\n" for text in texts)
    assert len({*texts}) == 12 and task_of(8, 0) != task_of(7, 0)


def test_the_tally_does_not_depend_on_the_jobs(examiner: Examiner) -> None:
    alone = Tally()
    for start, stop in ((0, 30), (30, 110)):
        alone.add(chunk(3, range(start, stop), examiner=examiner))
    together = Tally()
    with started(2) as pool:
        campaign(pool, together, 3, 110)
    assert together == alone


def test_what_was_found_is_told_when_it_is_interrupted(examiner: Examiner, monkeypatch, tmp_path) -> None:
    def stopped(pool, tally, seed, *rest) -> None:
        tally.add(chunk(seed, range(20), examiner=examiner))
        raise KeyboardInterrupt

    monkeypatch.setattr("netc.fuzz.campaign.campaign", stopped)
    done = CliRunner().invoke(cli, ["fuzz", "--programs", "1000", "--out", str(tmp_path)])
    assert done.exit_code and done.stdout.startswith("20 programs, ") and "unexplained: 0" in done.stdout


def test_programs_use_the_language() -> None:
    texts = [task.text for i in range(300) if isinstance(task := task_of(2, i), Task)]
    for part in (
        "block Unit",
        "setting: int",
        " * 2",
        "for i",
        "loss ",
        "int64[",
        "bool[",
        "[N",
        "float64[",
        " -> (",
        " = tensor([",
        "buffer t",
    ):
        assert any(part in text for text in texts), part
    shared = [text for text in texts if any(text.count(f"u{n}(") > 1 for n in range(200))]
    assert shared, "no layer is applied twice"


def test_pairs_of_ops() -> None:
    flat = case_of(net("y = softmax(x)", "z = y + relu(y)", "output z")).located.flat
    assert set(pairs_of(flat)) == {("softmax", "add"), ("softmax", "relu"), ("relu", "add")}
    chains = Chains()
    assert chains.can(("Conv2d", "BatchNorm2d")) and chains.can(("argmax", "one_hot"))
    assert not chains.can(("argmax", "Conv2d")) and not chains.can(("mse", "Conv2d"))


@pytest.mark.parametrize("pair", [("sum", "ConvTranspose2d"), ("expand", "one_hot"), ("argmax", "where")])
def test_a_pair_that_chance_does_not_meet_is_searched_for(pair: tuple[str, str]) -> None:
    starts = list(Chains().starts(pair))
    text = generate_pair(0, 0, pair, starts)
    assert starts and text is not None
    assert pair in pairs_of(case_of(text).located.flat)


def test_draws_stand_in_the_docstring() -> None:
    given = {"x0": Rule(0.25, 3.0), "k1": Rule(0, 4), "x2": Rule(-2, 2, True), "x3": Rule(1e-05, 1e6)}
    assert rules(describe(given)) == given


# -- negative controls: what is broken is found -------------------------------------------------------
PROGRAM = net(
    "a = softmax(x, axis=1)",
    "b = permute(a, [0, 2, 1])",
    "c = Linear(b, 5)",
    "d = reshape(c, N, -1)",
    "output d",
)


def other(facet, change):
    return lambda self, *given: facet(change(self), *given)


@pytest.mark.parametrize(
    ("name", "facet", "change", "wanted"),
    [
        ("softmax", "torch", lambda op: replace(op, axis=2), {"torch", "torch64", "gradient"}),
        ("softmax", "onnx", lambda op: replace(op, axis=2), {"onnx", "plain onnx"}),
        ("Linear", "onnx", None, {"onnx", "plain onnx"}),
        ("softmax", "vjp", None, {"gradient", "slope"}),
        ("reshape", "onnx", None, {"onnx", "plain onnx"}),
    ],
    ids=["torch", "onnx", "onnx by a little", "gradient", "batch baked in"],
)
def test_a_broken_facet_is_found(name, facet, change, wanted, examiner, monkeypatch) -> None:
    assert found(examiner, PROGRAM) == set()
    op_class, right = OPS[name], getattr(OPS[name], facet)
    if change is not None:
        wrong = other(right, change)
    elif facet == "vjp":
        wrong = lambda self, *given: tuple(1.001 * d for d in right(self, *given))  # noqa: E731
    elif name == "Linear":
        wrong = lambda self, graph, *given: graph.node(  # noqa: E731
            "Mul", right(self, graph, *given), graph.constant(1.0001, "float32")
        )
    else:
        wrong = lambda self, graph, x: graph.node("Reshape", x, graph.constant([2, 20], "int64"))  # noqa: E731
    monkeypatch.setattr(op_class, facet, wrong)
    assert found(examiner, PROGRAM) <= wanted and found(examiner, PROGRAM)


def test_a_little_in_float32_is_found_by_float64(examiner, monkeypatch) -> None:
    """An error far below float32's own."""
    right = OPS["softmax"].forward
    monkeypatch.setattr(OPS["softmax"], "forward", lambda self, x: right(self, x) * (1 + 1e-8))
    oracles = found(examiner, PROGRAM)
    assert "torch64" in oracles and oracles <= {
        "torch64",
        "gradient",
        "slope",
    }  # gradients are in float64, too


def test_a_second_compilation_of_other_bytes_is_found(examiner, monkeypatch) -> None:
    right = case_module.to_torch
    assert found(examiner, PROGRAM, again=True) == set()
    monkeypatch.setattr(case_module, "to_torch", lambda made: right(made) + "\n")
    assert found(examiner, PROGRAM, again=True) == {"second compile"}


def test_a_text_that_is_not_written_again_is_found(examiner, monkeypatch) -> None:
    monkeypatch.setattr(case_module, "write", lambda tree: "")
    assert found(examiner, PROGRAM) == {"written"}


def test_a_crash_is_a_finding(examiner, monkeypatch) -> None:
    def crash(self, *given):
        raise RuntimeError("broken")

    monkeypatch.setattr(OPS["softmax"], "forward", crash)
    assert found(examiner, PROGRAM) == {"numpy"}
    monkeypatch.setattr(OPS["softmax"], "torch", crash)
    assert found(examiner, PROGRAM) == {"compile"}


def test_the_other_process_has_no_netc() -> None:
    code = Path(RUNNER[-1]).read_text("utf-8")
    assert not re.search(r"^\s*(import|from) netc", code, re.MULTILINE)
    assert 'sys.modules["netc"] = None' in code


def test_a_process_that_dies_is_started_anew() -> None:
    case = case_of(PROGRAM)
    good, bad = case.job(), {**case.job(), "source": "import os\nos._exit(3)\n"}
    with Bench() as bench:
        answers = bench.run([good, bad, good])
    assert [set(a) == {"died"} for a in answers] == [False, True, False]
    assert judged(case, answers[1]) == [
        Finding("process", "torch or onnxruntime", "the process ended with 3")
    ]
    assert judged(case, answers[0]) == judged(case, answers[2]) == []


# -- what is compared ---------------------------------------------------------------------------------
def spread_of(text: str) -> float:
    case = case_of(text)
    return truth(case.located.flat, case.drawn[0].arrays, case.weights).spread


def test_rounding_is_told_from_error() -> None:
    assert spread_of(net("y = permute(x, [0, 2, 1])", "output y")) == 0
    assert 0 < spread_of(net("y = tanh(x)", "output y")) < 1e-5
    assert spread_of(net("y = ceil(x / x)", "output y")) > 1e-3, "rounding decides on which side of 1 it is"


def test_what_comes_from_nan_is_not_compared() -> None:
    assert spread_of(net("y = sort(log(x), axis=2)[1]", "output y")) == float("inf")


def test_an_index_out_of_range_is_no_finding() -> None:
    text = net("y = one_hot(k, 2)", "output y", inputs="k: int64[N]", doc="Draws: k in 5..6.")
    made = prepared(Task(text))
    assert isinstance(made, Outcome) and made.aside.startswith("unsound")


# -- shrinking ----------------------------------------------------------------------------------------
def test_a_failing_program_is_made_small(examiner, monkeypatch) -> None:
    right = OPS["tanh"].onnx
    monkeypatch.setattr(OPS["tanh"], "onnx", lambda self, graph, x: graph.node("Neg", right(self, graph, x)))
    text = net(
        "a = Conv1d(x, 6, 3, padding=1)",
        "b = Unit(a)",
        "c, d = split(b, 3, axis=1)",
        "e = c -> (sigmoid -> tanh) * 2",
        "f = e + d",
        "output f, a",
        "loss mean(f)",
    ).replace(
        "net Fuzz",
        "block Unit(scale: float = 2.0) {\n    input a: [N, C, L]\n    output relu(a) * scale\n}\n\nnet Fuzz",
    )
    (outcome,) = examiner.examine([Task(text)])
    small = shrink(text, failing(examiner, 20, signature(outcome.findings[0]), False))
    assert "tanh" in small and len(small.splitlines()) <= 7, small
    assert found(examiner, small) == {"onnx", "plain onnx"}


# -- what others are known to do otherwise ------------------------------------------------------------
@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_a_known_difference_is_still_there(known: Known, examiner: Examiner) -> None:
    """Where this fails, the others have mended it: the entry goes."""
    seen = set()
    for outcome in examiner.examine([Task(known.shows, opset) for opset in OPSETS]):
        assert not outcome.aside and not outcome.findings, "the entry is narrower than what it shows"
        seen |= {(entry.name, finding.oracle) for entry, finding in outcome.explained}
    assert {oracle for name, oracle in seen if name == known.name} == set(known.oracles)


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_a_known_difference_explains_nothing_else(known: Known) -> None:
    assert not known.pattern(case_of(PROGRAM).evidence)
    assert known.cause and known.versions
    assert isinstance(case_of(known.shows), Case)


def test_none_is_blamed_for_a_wrong_gradient(examiner: Examiner, monkeypatch) -> None:
    """Where PyTorch's gradient is known to be wrong, netc's must still be what differences say."""
    norm, shows = OPS["InstanceNorm2d"], next(known.shows for known in KNOWN if "axis of one" in known.name)
    right, flat = norm.vjp, shows.replace("permute(v1, 1, 2, 3, 0)", "v1 * 1.5")
    assert found(examiner, shows) == found(examiner, flat) == set()
    monkeypatch.setattr(norm, "vjp", lambda self, *given: tuple(1.001 * d for d in right(self, *given)))
    (outcome,) = examiner.examine([Task(shows)])
    assert {f.where for f in outcome.findings} >= {
        f"gradient by {n}" for n in ("x0", "in1.weight", "in1.bias")
    }
    monkeypatch.setattr(
        norm, "vjp", lambda self, *given: (right(self, *given)[0] + 0.1, *right(self, *given)[1:])
    )
    (outcome,) = examiner.examine([Task(flat)])  # where the slope is 0, and PyTorch is right
    assert {f.where for f in outcome.findings} >= {"gradient by x0"}
    assert (
        explained(Finding("gradient", "gradient by x0", "its shape differs", sided=False), case_of(shows))
        is None
    )


def test_none_is_blamed_for_an_error_that_rounding_cannot_make() -> None:
    known = next(known for known in KNOWN if known.most < 1)
    case, oracle = case_of(known.shows), known.oracles[0]
    assert explained(Finding(oracle, "output/0", error=known.most), case) is known
    assert explained(Finding(oracle, "output/0", error=2 * known.most), case) is None
