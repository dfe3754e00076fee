"""A window judged: a headline that has what counts, and a detail that has everything."""

import numpy as np
import pytest

from headway.core.facts import Reading
from headway.core.monitor_grammar import DAY_S, Plan
from headway.core.reference import FIRST, Axis, Layout
from headway.core.sketch import N_CELLS, Sketch
from headway.core.watch_detail import Guess
from headway.core.watch_drift import Ground, ground
from headway.core.watch_judge import MOST_READINGS, Around, Extra, judge, spending
from headway.core.watch_spans import Span
from headway.stats.sketch import packed
from monitored import reference

PLAN = Plan(name="live", endpoint="churn")
DAY = Span(since=0.0, until=DAY_S, cells=())
N_COLUMNS = 30


def counts(moved: bool) -> "np.ndarray[tuple[int, int], np.dtype[np.int64]]":
    found = np.zeros((N_COLUMNS, N_CELLS), dtype=np.int64)
    found[:, FIRST : FIRST + 2] = (300, 700) if moved else (500, 500)
    return found


def made() -> Ground:
    axes = tuple(Axis(name=f"x{i}", kind="number", edges=(0.0,)) for i in range(N_COLUMNS))
    on = Layout(version=1, inputs=axes, outputs=())
    there = reference(on, {"prediction": [0], **{axis.name: [0.0] for axis in axes}})
    return ground(there, 10 * counts(moved=False), np.empty((0, N_COLUMNS, N_CELLS), dtype=np.int64))


def cells(*, moved: bool) -> Sketch:
    return Sketch(
        layout="l",
        version=1,
        first_at=0.0,
        last_at=1.0,
        n_requests=1000,
        n_rows=1000,
        counts=packed(counts(moved)),
        ms=packed(np.bincount([20] * 1000, minlength=N_CELLS)),
    )


def test_a_headline_leads_with_traffic_and_quality_and_the_rest_is_in_the_detail() -> None:
    guess = Guess(metric="accuracy", value=0.8, low=0.7, high=0.9)
    judged = judge(DAY, cells(moved=True), PLAN, Around(ground=made()), Extra(guesses=(guess,), notes=("n",)))
    assert len(judged.readings) == MOST_READINGS
    assert [one.of for one in judged.readings[:4]] == ["requests", "errors", "latency", "quality"]
    assert all(one.is_beyond for one in judged.readings[4:])
    assert len(judged.detail.moved) == N_COLUMNS
    assert all(one.beyond == ("values",) for one in judged.detail.moved)
    assert (judged.detail.guesses, judged.detail.notes) == ((guess,), ("n",))


def test_of_what_is_usual_the_columns_that_moved_most_are_told() -> None:
    judged = judge(DAY, cells(moved=False), PLAN, Around(ground=made()), Extra())
    assert [one.measure for one in judged.readings] == ["an hour", "share", "p95 ms", "psi", "psi", "psi"]
    assert not any(one.is_beyond for one in judged.readings)


def test_a_window_without_rows_has_traffic_alone() -> None:
    judged = judge(DAY, None, PLAN, Around(ground=made()), Extra())
    assert [(one.of, one.value) for one in judged.readings] == [("requests", 0.0)]
    assert judged.detail.moved == ()


def test_rows_that_are_told_apart_are_in_the_headline() -> None:
    apart = Reading(of="rows", measure="recognised", value=0.7, is_beyond=True)
    judged = judge(DAY, cells(moved=False), PLAN, Around(ground=made()), Extra(recognised=apart))
    assert apart in judged.readings
    assert judged.detail.together == 0.7


def test_the_parts_of_a_window_are_what_the_page_says() -> None:
    parts = spending(PLAN, 365.25)
    shares = [parts.inputs + parts.columns, parts.together, parts.outputs, parts.traffic, parts.estimate, parts.proven]
    assert [round(one / parts.whole, 9) for one in shares] == pytest.approx([1 / 4, 1 / 4, 1 / 4, *[1 / 12] * 3])
