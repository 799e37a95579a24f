"""Turns texts of programs into what every oracle says of them."""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from types import TracebackType

import numpy as np

from netc.deploy.evidence import Known
from netc.deploy.known_issues import known_of
from netc.diagnostics import Refused
from netc.fuzz.bench import RECOMPILER, Bench
from netc.fuzz.case import OPSETS, Case, case_of, written
from netc.fuzz.generate import Pair
from netc.fuzz.held import UNSOUND
from netc.fuzz.judge import Finding, judged, unsettled
from netc.fuzz.pairs import pairs_of
from netc.fuzz.recompile import digests

AGAIN = 4  # one program in so many is compiled a second time


@dataclass(frozen=True)
class Task:
    """A program to examine. again: whether it is compiled a second time, in another process."""

    text: str
    opset: int = OPSETS[0]
    again: bool = False


@dataclass(frozen=True)
class Outcome:
    """findings: what nothing explains; explained: what a known difference of others does.

    aside: why the program was not examined, if so. no_onnx: why there is no ONNX graph, if so.
    no_gradient: likewise. values: how many were compared, and unsettled of them could not be.
    """

    findings: tuple[Finding, ...] = ()
    explained: tuple[tuple[Known, Finding], ...] = ()
    pairs: Counter[Pair] = field(default_factory=Counter)
    ops: int = 0
    aside: str = ""
    no_onnx: str = ""
    no_gradient: str = ""
    values: int = 0
    unsettled: int = 0


class Examiner:
    """Examines programs with the help of two processes. Use it as a context."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._bench, self._second = Bench(), Bench(RECOMPILER)

    def __enter__(self) -> Examiner:
        self._stack.enter_context(self._bench)
        self._stack.enter_context(self._second)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._stack.close()

    def examine(self, tasks: Sequence[Task]) -> list[Outcome]:
        """What the oracles say of each program."""
        made = [prepared(task) for task in tasks]
        cases = [case for case in made if isinstance(case, Case)]
        answers = dict(
            zip(map(id, cases), self._bench.run([c.job() for c in cases]) if cases else [], strict=True)
        )
        again = [(c, t) for c, t in zip(made, tasks, strict=True) if t.again and isinstance(c, Case)]
        jobs = [{"text": t.text, "opset": t.opset} for _, t in again]
        second = dict(zip((id(c) for c, _ in again), self._second.run(jobs) if jobs else [], strict=True))
        return [
            _outcome(c, answers[id(c)], second.get(id(c))) if isinstance(c, Case) else c for c in made
        ]  # fmt: skip


def prepared(task: Task) -> Case | Outcome:
    """The case, its values computed; or why there is none."""
    try:
        case = case_of(task.text, task.opset)
    except Refused as refused:
        return Outcome(aside=f"refused: {refused.diagnostics[0].message}")
    except Exception as error:
        return Outcome((crash("compile", error),))
    try:
        _ = case.truths
    except (*UNSOUND, Refused) as error:
        return Outcome(aside=f"unsound: {error}")
    except Exception as error:
        return Outcome((crash("numpy", error),))
    try:
        case.job()
    except Exception as error:
        return Outcome((crash("reverse", error),), pairs=pairs_of(case.located.flat))
    return case


def crash(oracle: str, error: Exception) -> Finding:
    """What stopped netc, and where."""
    at = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{at.filename.rpartition('netc/')[2]}:{at.name}"
    return Finding(oracle, place, f"{type(error).__name__}: {str(error)[:300]}")


def _outcome(case: Case, answer: dict[str, object], second: dict[str, str] | None) -> Outcome:
    try:
        with np.errstate(all="ignore"):
            findings = judged(case, answer)
    except Exception as error:
        findings = [crash("gradient", error)]
    if written(case.program) != case.text:
        findings.append(Finding("written", "the text", "parsed and written, it is another text"))
    if second is not None:
        own = digests(case)
        findings += [
            Finding("second compile", target, second.get("died", "other bytes"))
            for target in own
            if second.get(target) != own[target]
        ]
    pairs = [(explained(f, case), f) for f in findings]
    return Outcome(
        findings=tuple(f for known, f in pairs if known is None),
        explained=tuple((known, f) for known, f in pairs if known is not None),
        pairs=pairs_of(case.located.flat),
        ops=len(case.located.flat.nodes),
        no_onnx=case.refused,
        values=sum(len(t.values) for t in case.truths),
        unsettled=unsettled(case),
        no_gradient=case.no_gradient,
    )


def explained(finding: Finding, case: Case) -> Known | None:
    """The difference of others that explains a finding, if one does."""
    return known_of(finding.oracle, finding.error, finding.note, case.evidence) if finding.sided else None
