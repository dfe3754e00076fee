"""The benchmark of profiles judges each tool by what is true, and notices what is not."""

import json
from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

import profiles
import profiles_worker

Report = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Report]:
    folder = tmp_path_factory.mktemp("profiles")
    with chdir(folder):
        profiles_worker.make(2000, 2)
    return profiles_worker.headway(str(folder / "data.parquet")), json.loads((folder / "truth.json").read_text())


def test_headways_profile_is_true(reports: tuple[Report, Report], tmp_path: Path) -> None:
    said, truth = reports
    assert profiles.fault_of(said, truth) is None
    assert len(said) == 20


@pytest.mark.parametrize(
    ("change", "fault"), [({"mean": 1e9}, "f3: mean is"), ({"n_null": 0}, "f3: n_null is 0"), (None, "nothing of f3")]
)
def test_a_wrong_profile_is_no_measurement(
    reports: tuple[Report, Report], change: dict[str, Any] | None, fault: str
) -> None:
    said, truth = reports
    changed = {name: column for name, column in said.items() if name != "f3"}
    if change is not None:
        changed["f3"] = said["f3"] | change
    assert fault in (profiles.fault_of(changed, truth) or "")
