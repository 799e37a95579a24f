"""The harness of hostile inputs: a slice of them, and what it must not let pass."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.__main__ import CHECK
from tests.hostile.files import COMMANDS, write_files
from tests.hostile.measure import Outcome, run
from tests.hostile.mutants import examine, mutant
from tests.hostile.specs import SPECS

SLICE = list(SPECS)[::10]


def test_there_are_forty_kinds() -> None:
    assert len(SPECS) + len(COMMANDS) >= 40


@pytest.mark.parametrize("title", SLICE)
def test_a_hostile_spec_ends_in_time(title: str, tmp_path: Path) -> None:
    (tmp_path / "spec.net").write_text(SPECS[title])
    outcome = run(["check", "spec.net"], tmp_path)
    assert outcome.faults(*CHECK) == [], outcome.output[-2000:]


@pytest.mark.parametrize("title", ["model: no protobuf", "run folder: deep JSON"])
def test_a_damaged_file_is_refused(title: str, tmp_path: Path) -> None:
    write_files(tmp_path)
    outcome = run(COMMANDS[title], tmp_path)
    assert outcome.status == 1 and "error[" in outcome.output and outcome.faults(30, 2048) == []


def test_what_the_harness_must_notice(tmp_path: Path) -> None:
    (tmp_path / "spec.net").write_text("net A {\n input x: float32[N]\n output relu(x)\n}\n")
    outcome = run(["check", "spec.net"], tmp_path)
    assert outcome.faults(*CHECK) == [] and outcome.status == 0
    assert outcome.faults(0.0, 512) == ["time"] and outcome.faults(5, 1.0) == ["memory"]
    assert run(["check", "--no-such-option", "spec.net"], tmp_path).faults(*CHECK) == ["usage"]
    assert Outcome(1, "error: netc itself failed (KeyError: 1).", 0, 0).faults(*CHECK) == ["crash"]
    assert Outcome(1, "Traceback (most recent call last):", 0, 0).faults(*CHECK) == ["crash"]
    assert Outcome(-11, "", 0, 0).faults(*CHECK) == ["crash"]


def test_mutants_follow_from_their_number_and_are_checked() -> None:
    assert mutant(7) == mutant(7) and len({mutant(i) for i in range(40)}) == 40
    assert [examine(i)[1] for i in range(20)] == [""] * 20


def test_a_crash_on_a_mutant_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("planted")

    monkeypatch.setattr("tests.hostile.mutants.check", broken)
    monkeypatch.setattr("tests.hostile.mutants.load", lambda *_: None)
    assert "planted" in examine(1)[1]
