"""Specs by someone who has not read the code: the wrong are refused at their mistakes, the right run."""

from pathlib import Path

import numpy as np
import pytest
import torch
from emitted import RIGHT, ROOT, WRONG, loaded, net_of, sizes_of, training_of

import netc.autodiff.trial
from netc.autodiff.interpret import interpret
from netc.autodiff.trial import Trial, random_weights, trials
from netc.backends.onnx_file import write_onnx
from netc.backends.to_onnx import to_onnx
from netc.backends.to_torch import to_torch
from netc.backends.weights import Held
from netc.deploy.deviation import relative_error
from netc.deploy.runtime import outputs_of, start
from netc.deploy.verify import TOLERANCE, verify
from netc.diagnostics import Diagnostic, Refused
from netc.ir.module import results
from netc.passes.elaborate import elaborate
from netc.passes.initial import state
from netc.passes.inline import inline
from netc.passes.load import load

MARK = "#!"


def name_of(path: Path) -> str:
    return path.stem


def refusals(path: Path, text: str | None = None) -> list[Diagnostic]:
    """What is found in all nets of a file."""
    data = (text or path.read_text()).encode()
    program = load(path.name, lambda _: data)
    found: dict[tuple[str, int], Diagnostic] = {}
    for name in program.nets:
        try:
            elaborate(program, name)
        except Refused as refused:
            found |= {(d.message, d.span.start if d.span else -1): d for d in refused.diagnostics}
    if not program.nets:
        found |= {(d.message, -1): d for d in program.found}
    return list(found.values())


def lines_of(diagnostic: Diagnostic) -> range:
    """The numbers of the lines that a finding underlines."""
    span = diagnostic.span
    assert span is not None
    before = span.source.text[: span.start].count("\n") + 1
    return range(before, before + span.text.rstrip("\n").count("\n") + 1)


def marked(path: Path) -> list[int]:
    return [i for i, line in enumerate(path.read_text().split("\n"), 1) if MARK in line]


def test_there_are_thirty_of_each() -> None:
    assert (len(WRONG), len(RIGHT)) == (30, 33)


@pytest.mark.parametrize("path", WRONG, ids=name_of)
def test_wrong(path: Path) -> None:
    found = refusals(path)
    assert len(found) == 1, [d.message for d in found]
    (line,) = marked(path)
    assert line in lines_of(found[0]), found[0].message


def test_five_mistakes_are_five_findings() -> None:
    path = ROOT / "tests" / "soundness" / "five.net"
    found = refusals(path)
    wanted = marked(path)
    assert len(found) == len(wanted) == 5, [d.message for d in found]
    for line in wanted:
        assert sum(line in lines_of(d) for d in found) == 1


@pytest.mark.parametrize("path", RIGHT, ids=name_of)
def test_right(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial, weights, truth = truth_of(path, monkeypatch)
    found = torch_results(path, to_torch(net_of(path)), trial, weights)
    assert set(found) == set(truth)
    assert max(relative_error(truth[k], found[k]) for k in truth) <= TOLERANCE
    write_onnx(tmp_path / "a.onnx", to_onnx(net_of(path)), Held(weights))
    outputs = outputs_of(start(tmp_path / "a.onnx"), tmp_path / "a.onnx", trial.inputs)
    wanted = [truth[k] for k in truth if k.startswith("output")]
    assert max(relative_error(a, b) for a, b in zip(wanted, outputs, strict=True)) <= TOLERANCE


@pytest.mark.parametrize("stem", ["08_tied_weights", "24_auxiliary_heads", "30_dense_free"])
def test_right_by_verify(stem: str) -> None:
    path = ROOT / "tests" / "soundness" / "right" / f"{stem}.net"
    report = verify(net_of(path), to_torch(net_of(path)), net_of(path).name)
    assert report.passed, report.blames


def truth_of(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Trial, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """What to run a spec on, at the sizes that it says, and what the interpreter makes of it in float64."""
    net = net_of(path)
    sizes = sizes_of(path)
    assert set(sizes) == set(net.free), "the line `# sizes:` gives each free size"
    monkeypatch.setattr(netc.autodiff.trial, "chosen_sizes", lambda *_: sizes)
    flat = inline(net, tuple(results(net).values()))
    trial = trials(net, flat)[0]
    weights = random_weights(state(net))
    values = interpret(flat, trial.inputs, weights)
    return trial, weights, dict(zip(results(net), values, strict=True))


def torch_results(
    path: Path, source: str, trial: Trial, weights: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The same from the emitted module."""
    net = net_of(path)
    module = loaded(net, weights, source)
    given = [torch.from_numpy(trial.inputs[v.hint]) for v in (*net.block.inputs, *net.targets)]
    with torch.no_grad():
        outputs = module(*given[: len(net.block.inputs)])
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        found = {f"output/{i}": y.numpy() for i, y in enumerate(outputs)}
        if net.losses:
            losses, metrics = training_of(module)(*given)
            found |= {f"loss/{name}": y.numpy() for name, y in losses.items()}
            found |= {f"metric/{name}": y.numpy() for name, y in metrics.items()}
    return found


# -- the tests themselves can fail --------------------------------------------------------------------


def test_a_mistake_mended_is_not_refused() -> None:
    path = next(p for p in WRONG if p.stem == "01_residual_channels")
    (line,) = marked(path)
    lines = path.read_text().split("\n")
    assert refusals(path)
    del lines[line - 1]
    assert not any(d in refusals(path) for d in refusals(path, "\n".join(lines)))


@pytest.mark.parametrize(
    ("stem", "before", "after"),
    [
        ("01_one_by_one_maps", "stride=7", "stride=7, bias=False"),
        ("10_negative_axes", "dim=-3)", "dim=-1)"),
        ("15_depthwise", "F.relu6(", "F.relu("),
        ("22_several_outputs", "- 1 - logvar", "- 1 + logvar"),
        ("23_attention_by_hand", "/ 6**0.5", "/ 6"),
        ("26_mixed_norms", "eps=0.001", "eps=0.1"),
        ("30_dense_free", "dilation=4", "dilation=2"),
    ],
)
def test_an_altered_source_fails(stem: str, before: str, after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ROOT / "tests" / "soundness" / "right" / f"{stem}.net"
    trial, weights, truth = truth_of(path, monkeypatch)
    source = to_torch(net_of(path))
    assert before in source
    with pytest.raises((AssertionError, RuntimeError)):
        found = torch_results(path, source.replace(before, after), trial, weights)
        assert max(relative_error(truth[k], found[k]) for k in truth) <= TOLERANCE
