"""What only the rows of a window show: columns that go together otherwise, and what a model of numbers loses."""

from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace

from headway.core.ids import Digest
from headway.core.monitor_grammar import Plan, plan_of
from headway.core.prediction_log import Line
from headway.core.reference import Axis, Layout, Realised, Reference
from headway.core.watch_drift import Ground
from headway.core.watch_estimate import Asked
from headway.core.watch_quality import Promise
from headway.core.watch_spans import Span
from headway.flows.watch_begin import Kept
from headway.flows.watch_rows import Rows
from headway.stats import shift_cells
from headway.testing.bench import MemoryParts
from monitored import START
from watched import write_lines

DAY = Span(since=START, until=START + 86400.0, cells=())
PLAN: Plan = plan_of("live", {"endpoint": "shop", "metric": "mae"})


class Place:
    """A version that gives numbers, its reference of so many rows, and a log."""

    def __init__(self, folder: Path, rows: pl.DataFrame) -> None:
        self.folder = str(folder)
        blobs = MemoryParts(self.folder).blobs
        held = BytesIO()
        rows.write_parquet(held)
        axes = tuple(Axis(name=name, kind="number") for name in ("a", "b"))
        layout = Layout(version=1, inputs=axes, outputs=(Axis(name="prediction", kind="number"),))
        reference = Reference(
            model="shop",
            version=1,
            data="d.csv",
            n_rows=rows.height,
            layout=layout,
            counts=b"",
            rows=blobs.put(held.getvalue()),
            blocks=Digest(""),
            realised={"mae": Realised(value=1.0, low=0.9, high=1.1)},
        )
        against = tuple(shift_cells.Axis(counts=np.zeros(64, dtype=np.int64)) for _ in layout.axes)
        on = Ground(axes=layout.axes, against=against, n_inputs=2, blocks=np.empty((0, 3, 64), dtype=np.int64))
        self.rows = Rows(blobs, self.folder, PLAN, Kept(reference=reference, ground=on))

    def log(self, rows: pl.DataFrame) -> Span:
        lines = [
            Line(
                request_id=f"r{i}",
                at=round(START + 80_000 * i / rows.height, 3),
                ms=1.0,
                model="shop",
                version=1,
                rows=[{"a": row["feature.a"], "b": row["feature.b"]}],
                predictions=[row["prediction"]],
            )
            for i, row in enumerate(rows.to_dicts())
        ]
        write_lines(self.folder, "predictions-0000000000000001.jsonl", lines)
        return DAY


def table(seed: int, n: int, *, together: float = 0.0, noise: float = 1.0) -> pl.DataFrame:
    """Two columns that go together so much, each as it always is; the model is off by `noise` where `a` is above 0."""
    rng = np.random.default_rng(seed)
    a, other = rng.normal(size=(2, n))
    b = together * a + (1 - together**2) ** 0.5 * other
    off = rng.normal(size=n) * np.where(a > 0, noise, 0.2)
    return pl.DataFrame({"feature.a": a, "feature.b": b, "prediction": a + b, "label": a + b + off})


def test_columns_that_go_together_otherwise_are_told_apart(tmp_path: Path) -> None:
    place = Place(tmp_path, table(1, 4000))
    found = place.rows.recognised(place.log(table(2, 2000, together=0.9)), None, per_year=365.25)
    assert found is not None
    assert found.is_beyond
    assert found.value > 0.6
    assert (found.of, found.measure, found.about) == ("rows", "recognised", "drift")


def test_rows_like_those_of_the_reference_are_not(tmp_path: Path) -> None:
    place = Place(tmp_path, table(1, 4000))
    found = place.rows.recognised(place.log(table(3, 2000)), None, per_year=365.25)
    assert found is not None
    assert not found.is_beyond
    assert abs(found.value - 0.5) < 0.05


def test_all_columns_are_looked_at_once_a_day(tmp_path: Path) -> None:
    rows = Place(tmp_path, table(1, 500)).rows
    assert rows.is_due(DAY)
    assert not rows.is_due(Span(since=START, until=START + 3600, cells=()))
    assert rows.is_due(Span(since=START + 82_000, until=START + 86_400, cells=()))


def test_few_rows_tell_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path, table(1, 500))
    assert place.rows.recognised(place.log(table(2, 20)), None, per_year=365.25) is None


@pytest.mark.slow
def test_what_a_model_of_numbers_loses_is_estimated_from_where_it_is_asked(tmp_path: Path) -> None:
    place = Place(tmp_path, table(1, 6000))
    asked = Asked(metric="mae", was={"mae": Promise(metric="mae", value=0.48)}, alpha=1e-4, least_loss=0.02)
    usual, hard = table(2, 3000), table(3, 12_000).filter(pl.col("feature.a") > 0).head(3000)
    same = place.rows.guess([place.log(usual)], asked)
    other = Place(tmp_path / "other", table(1, 6000))
    lost = other.rows.guess([other.log(hard)], asked)
    assert same is not None
    assert lost is not None
    for guess, rows in ((same, usual), (lost, hard)):
        real = float(np.abs(rows["prediction"].to_numpy() - rows["label"].to_numpy()).mean())
        assert guess.low < real < guess.high
    assert (same.is_beyond, lost.is_beyond) == (False, True)
    assert (lost.metric, lost.was) == ("mae", 0.48)


def test_rows_of_a_window_are_thinned_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path, table(1, 200))
    monkeypatch.setattr("headway.flows.watch_rows.MOST_ROWS", 100)
    span = place.log(table(2, 1000))
    cells = place.rows.of_spans([replace(span, cells=())])
    assert cells.height == 1000
    thinned = place.rows.of_spans([_Counted(since=span.since, until=span.until, cells=())])
    assert thinned.height == 100
    assert thinned["at"].is_sorted()


class _Counted(Span, frozen=True, kw_only=True):
    """A window of which the cells counted a thousand rows."""

    @property
    def n_rows(self) -> int:
        return 1000
