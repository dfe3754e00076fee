"""What a gate measures on is whole, in an order of its own; models are asked at once, and timed one row at a time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from headway.core.check_grammar import parse_checks
from headway.core.prediction import LoadedModel, Prediction
from headway.core.signature import Field, Signature
from headway.errors import DataUnreadable, Unmeasurable
from headway.stats.answers import Answers, Rows
from headway.tables import asked, gate_inputs
from headway.tables.gate_inputs import Layout

TABLE = pl.DataFrame({"customer": ["b", "a", "b", None], "region": ["n", "s", "n", "s"], "q": [3, 3, 1, 1]})
TRUTH = np.array([1, 0, 1, 0])


def test_rows_know_their_units_and_queries() -> None:
    rows = gate_inputs.rows_of(TABLE.head(3), TRUTH[:3], Layout(unit="customer", query="q"), seed=5)
    assert rows.units is not None
    assert rows.queries is not None
    assert (rows.units.tolist(), rows.queries.tolist(), rows.seed) == ([1, 0, 1], [1, 1, 0], 5)
    with pytest.raises(Unmeasurable, match="customer is missing in row 4"):
        gate_inputs.rows_of(TABLE, TRUTH, Layout(unit="customer"), seed=5)
    with pytest.raises(DataUnreadable, match="no column 'custmer'"):
        gate_inputs.rows_of(TABLE, TRUTH, Layout(unit="custmer"), seed=5)


def gathered(truth: object, labels: object, old: object = None, **more: object) -> None:
    rows = Rows(truth=np.array(truth))
    said = None if old is None else Answers(labels=np.array(old))
    gate_inputs.gather(TABLE, rows, Answers(labels=np.array(labels), **more), said, ())  # type: ignore[arg-type] # columns


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ({"truth": [1.0, np.nan, 0.0, np.nan], "labels": [1, 1, 0, 0]}, "2 of 4 true values .*: rows 2 and 4"),
        ({"truth": ["a", None, "b", "a"], "labels": ["a"] * 4}, "1 of 4 true values are missing .*: row 2"),
        ({"truth": TRUTH, "labels": [np.inf, 1, 1, 1]}, "1 of 4 answers of the new model .*: row 1"),
        ({"truth": TRUTH, "labels": TRUTH, "old": [1, 0, 1, np.nan]}, "1 of 4 answers of the old model .*: row 4"),
        ({"truth": TRUTH, "labels": TRUTH, "chances": np.array([0, np.nan, 1, 1])}, "of the new model .*: row 2"),
        ({"truth": TRUTH, "labels": [1, 0, 1]}, "gave answers of shape"),
        ({"truth": np.full(100, np.nan), "labels": np.zeros(100)}, "100 of 100 .*: rows 1, 2, 3 and 97 more"),
    ],
    ids=["truth", "texts", "infinite", "old", "chances", "length", "many"],
)  # fmt: skip
def test_what_is_missing_is_told_by_row(case: dict[str, Any], said: str) -> None:
    with pytest.raises(Unmeasurable, match=said):
        gathered(**case)


def test_rows_come_in_one_order_with_their_groups() -> None:
    checks = parse_checks(["new.accuracy > 0.1 for each region", "gap(new.accuracy by q) < 1"])
    told = []
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        table, truth = TABLE[order], TRUTH[order]
        labels = np.array(["x", "y", "z", "w"], dtype=object)[order]
        rows = Rows(truth=truth)
        found = gate_inputs.gather(table, rows, Answers(labels=labels), None, checks)
        assert set(found.groups) == {("region",), ("q",)}
        told.append((found.new.labels.tolist(), found.rows.truth.tolist(), found.groups["region",].codes.tolist()))
    assert told[0] == told[1]


# --- asking models -----------------------------------------------------------------------------------------------


class Echo:
    """A model that says whether `q` is 3, and counts how often it was asked for one row."""

    format, columns, notes, signature = "echo", ("q",), (), Signature(inputs=(Field(name="q"),))

    def __init__(self, *, chances: bool = True) -> None:
        self.singles: list[object] = []
        self._chances = chances

    def predict(self, rows: "Sequence[Mapping[str, Any]] | pl.DataFrame") -> Prediction:
        if isinstance(rows, pl.DataFrame):
            is_three = (rows["q"] == 3).to_numpy()
        else:
            self.singles += [row["q"] for row in rows]
            is_three = np.array([row["q"] == 3 for row in rows])
        chances = np.column_stack([1 - is_three, is_three]).astype(np.float64)
        if self._chances:
            return Prediction(labels=is_three.astype(np.int64), probabilities=chances, classes=(0, 1))
        return Prediction(labels=is_three.astype(np.int64))


_: type[LoadedModel] = Echo


def test_a_model_is_asked_about_all_rows_at_once() -> None:
    new, old, times, columns = asked.run_both(Echo, lambda: Echo(chances=False), TABLE, timed=False)
    assert new.labels.tolist() == [1, 1, 0, 0]
    assert new.chances is not None
    assert new.chances.tolist() == [1, 1, 0, 0]
    assert new.classes == (0, 1)
    assert old is not None
    assert old.chances is None
    assert times == (None, None)
    assert columns == Echo().columns


def test_models_are_timed_by_turns_on_the_same_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "TIMED", 20)
    monkeypatch.setattr(asked, "WARM_UP", 5)
    models = [Echo(), Echo()]
    times = asked.time_rows(models, TABLE)
    assert [len(one) for one in times] == [20, 20]
    assert all((one > 0).all() for one in times)
    assert models[0].singles == models[1].singles
    assert len(models[0].singles) == 25
    assert [len(one) for one in asked.time_rows([Echo()], TABLE.head(0))] == [0]


def test_timing_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "TIME_LIMIT_S", 0.0)
    (times,) = asked.time_rows([Echo()], TABLE)
    assert len(times) == 1


def test_a_folder_is_as_large_as_its_files(tmp_path: Path) -> None:
    (tmp_path / "m" / "deep").mkdir(parents=True)
    (tmp_path / "m" / "a").write_bytes(b"x" * 1_500_000)
    (tmp_path / "m" / "deep" / "b").write_bytes(b"x" * 500_000)
    assert asked.size_mb(str(tmp_path / "m")) == 2.0
    assert asked.size_mb(str(tmp_path / "m" / "a")) == 1.5
