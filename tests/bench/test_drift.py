"""The drift benchmark judges headway by SciPy on all values, and notices when they differ."""

from contextlib import chdir
from pathlib import Path
from typing import Any

import pytest

import drift
import drift_worker

Report = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Report]:
    folder = tmp_path_factory.mktemp("drift")
    with chdir(folder):
        drift_worker.make(50_000)
    paths = [str(folder / f"{name}.parquet") for name in ("reference", "current")]
    return drift_worker.headway(*paths), drift_worker.by_hand(*paths)


def test_headways_report_is_scipys(reports: tuple[Report, Report]) -> None:
    said, exact = reports
    assert drift._fault(said, exact) is None
    assert set(said) == set(exact) == {*drift_worker.NUMBERS, *drift_worker.CATEGORIES}


@pytest.mark.parametrize(
    ("column", "change", "fault"),
    [
        ("f0", {"ks": 0.5}, "Kolmogorov-Smirnov is 0.5"),
        ("f1", {"wasserstein": 0.2}, "Wasserstein is 0.2"),
        ("c1", {"told": True}, "as changed instead of"),
        ("f1", {"told": False}, "as changed instead of"),
    ],
)
def test_a_wrong_report_is_no_measurement(
    reports: tuple[Report, Report], column: str, change: dict[str, Any], fault: str
) -> None:
    said, exact = reports
    found = drift._fault(said | {column: said[column] | change}, exact)
    assert found is not None
    assert fault in found


def test_codes_that_are_alike_are_not_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    drift_worker.codes(20_000, 5000)
    assert drift_worker.headway("reference.parquet", "current.parquet") == {"c": {"told": False}}
