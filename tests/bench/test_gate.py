"""The gate's benchmark judges headway by a loop with NumPy and SciPy, and notices when they differ."""

from contextlib import chdir
from typing import Any

import pytest

import gate
import gate_worker

Said = dict[str, Any]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> tuple[Said, Said]:
    folder = tmp_path_factory.mktemp("gate")
    with chdir(folder):
        gate_worker.make(20_000)
    path = str(folder / gate.FILE)
    return gate_worker.headway(path), gate_worker.by_hand(path)


def test_headways_numbers_are_those_of_the_loop(said: tuple[Said, Said]) -> None:
    ours, exact = said
    assert gate.fault_of(ours, exact) is None
    assert set(ours["values"]) == set(gate_worker.checks())
    assert len(gate_worker.checks()) == 20
    assert len(exact["values"]["new.accuracy - old.accuracy > -0.05 for each region"]) == 50


def test_a_wrong_number_is_no_measurement(said: tuple[Said, Said]) -> None:
    ours, exact = said
    check = "disagreement(new, old) < 0.3"
    wrong = {**ours, "values": {**ours["values"], check: 0.5}}
    assert str(gate.fault_of(wrong, exact)).startswith(f"{check} : 0.5 instead of")
    assert gate.fault_of({"values": {}}, exact) == ("says nothing of some rows: new.accuracy - old.accuracy > -0.01")
