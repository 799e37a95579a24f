"""The mutants fit the source as it is, nothing is noticed without one, and some of them are noticed here."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # tests.mutants is a package

from tests.mutants import oracles
from tests.mutants.catalogue import MUTANTS, NOTHING
from tests.mutants.mutant import Mutant

ROOT = Path(__file__).parents[1]
EVERY = 24


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.what)
def test_a_mutant_fits_the_source(mutant: Mutant) -> None:
    count = mutant.source().count(mutant.old)
    assert count == 1, f"{mutant.old!r} stands {count} times in {mutant.where}: write the mutant anew"
    assert mutant.new != mutant.old
    assert all(name in oracles.ORACLES for name in mutant.oracles)
    assert all((ROOT / "tests" / f"{name.partition('::')[0]}.py").exists() for name in mutant.tests)


def test_there_are_enough_of_each_kind() -> None:
    places = Counter(m.where.split(":")[0].split(".")[0] for m in MUTANTS)
    assert len({m.what for m in MUTANTS}) == len(MUTANTS) >= 300
    assert min(places[room] for room in ("ops", "backends", "dims", "passes", "autodiff")) >= 15, places
    assert all(len(m.equivalent) > 20 for m in MUTANTS if m.equivalent)


def test_nothing_is_noticed_without_a_mutant() -> None:
    with NOTHING.planted():
        assert oracles.nets(NOTHING) is oracles.gradients(NOTHING) is oracles.refusals(NOTHING) is None
    assert all(len(found) == 1 for found in oracles.wanted_codes().values())
    assert not oracles.unfit() and not oracles.unfit_gradients()


def test_a_planted_mutant_is_gone_afterwards() -> None:
    mutant = next(m for m in MUTANTS if "nets" in m.oracles)
    before = mutant.source()
    oracles.unfit()  # to be known before one is planted, whatever test ran first
    with mutant.planted():
        assert oracles.nets(mutant) is not None
    assert mutant.source() == before and oracles.nets(mutant) is None


def test_some_mutants_are_noticed() -> None:
    """All of them by `python -m tests.mutants`."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.mutants", "--trusting", "--every", str(EVERY)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        f"{-(-sum(not m.equivalent for m in MUTANTS) // EVERY)} mutants: " in done.stdout
        and "\n0 survive" in done.stdout
    )
