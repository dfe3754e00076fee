"""Slices of a monitor: what happens in one and is hidden in the whole is seen, and told by its name."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from headway.core import facts as f
from headway.core.watch_detail import Detail
from headway.flows.watch_view import view
from headway.terminal.monitors import status
from headway.terminal.paint import Paint
from watched import HOUR_S, Project, Rows, day, rows_of, truth_of


def merged(*parts: Rows) -> Rows:
    """The rows of all of these."""
    return {name: [value for one in parts for value in one[name]] for name in parts[0]}


def only(rows: Rows, plan: str) -> Rows:
    held = [i for i, value in enumerate(rows["plan"]) if value == plan]
    return {name: [values[i] for i in held] for name, values in rows.items()}


def without(rows: Rows, plan: str) -> Rows:
    held = [i for i, value in enumerate(rows["plan"]) if value != plan]
    return {name: [values[i] for i in held] for name, values in rows.items()}


def project(folder: Path) -> Project:
    found = Project(str(folder), slices=["plan"], metric="accuracy")
    found.release(1)
    reference = rows_of(100, 4000)
    found.begin(reference, truth_of(np.random.default_rng(1), reference))
    return found


def detail(found: Project) -> Detail:
    newest = found.windows()[-1]
    assert newest.detail is not None
    return msgspec.msgpack.decode(found.blobs.get(newest.detail), type=Detail)


def alarms(found: Project) -> list[f.AlarmRaised]:
    return [fact for fact in found.facts() if isinstance(fact, f.AlarmRaised)]


def test_slices_as_usual_are_counted_and_raise_nothing(tmp_path: Path) -> None:
    watched = project(tmp_path)
    rows = rows_of(0, 3000)
    watched.answer(rows, at=day(0) + HOUR_S)
    watched.look(day(1) + 120)
    seen = detail(watched).slices
    assert {one.value: one.n_requests for one in seen} == {
        plan: list(rows["plan"]).count(plan) for plan in set(rows["plan"])
    }
    assert not [reading for one in seen for reading in one.readings if reading.is_beyond]
    assert {reading.measure for reading in seen[0].readings} >= {"an hour", "share", "p95 ms", "psi", "accuracy"}
    assert watched.alarms() == []


def test_what_moves_in_one_slice_and_hardly_in_the_whole_is_seen(tmp_path: Path) -> None:
    watched = project(tmp_path)
    small = min(("basic", "plus", "pro"), key=list(rows_of(0, 3000)["plan"]).count)
    # Of the whole, to which one of ten rows belongs, that is hardly anything.
    rows = merged(without(rows_of(0, 3000), small), only(rows_of(1, 3000, age=0.7), small))
    watched.answer(rows, at=day(0) + HOUR_S)
    watched.look(day(1) + 120)
    assert not [one for one in detail(watched).moved if one.of == "age" and one.beyond]
    (alarm,) = alarms(watched)
    assert f"where plan={small}" in alarm.why
    newest = watched.windows()[-1]
    assert {one.slice for one in newest.readings if one.is_beyond} == {f"plan={small}"}
    shown = view(watched.log, watched.blobs, "live", now=watched.now)
    lines = [plain for plain, _ in status(shown, columns=200, paint=Paint(colours=False, unicode=True))]
    assert [line for line in lines if "age moved" in line and f"where plan={small}" in line]
    assert all(f"plan={small}" not in one.name for one in shown.series)


@pytest.mark.slow
def test_a_slice_that_stops_coming_is_told_by_its_name(tmp_path: Path) -> None:
    watched = project(tmp_path)
    for n in range(6):
        watched.answer(rows_of(n, 400), at=day(n) + HOUR_S)
    watched.look(day(6) + 120)
    assert watched.alarms() == []
    gone = str(rows_of(0, 400)["plan"][0])
    rows = without(rows_of(9, 400), gone)
    watched.answer(rows, at=day(6) + HOUR_S)
    watched.look(day(7) + 120)
    told = [one for one in alarms(watched) if one.about == "traffic"]
    assert [one for one in told if "0 requests came an hour" in one.why and f"where plan={gone}" in one.why]


def test_slices_of_an_hour_are_judged_by_the_day_that_ends_with_it(tmp_path: Path) -> None:
    watched = Project(str(tmp_path), slices=["plan"], window="8h")
    watched.release(1)
    watched.begin(rows_of(100, 4000))
    # By night others ask than by day, as in the reference, of which nobody knows the hours.
    for n, age in enumerate((-0.5, 0.5, -0.5, 0.5, -0.5, 0.5)):
        watched.answer(rows_of(n, 600, age=age), at=day(0) + 8 * n * HOUR_S, span_s=7 * HOUR_S)
    watched.look(day(2) + 120)
    first, *_, last = watched.windows()
    assert first.detail is not None
    early = msgspec.msgpack.decode(watched.blobs.get(first.detail), type=Detail)
    assert {reading.measure for one in early.slices for reading in one.readings} == {"an hour", "share", "p95 ms"}
    late = detail(watched).slices
    assert {reading.measure for one in late for reading in one.readings} >= {"an hour", "psi"}
    assert sum(one.n_requests for one in late) == last.n_requests == 600


def test_a_column_that_the_reference_does_not_have_is_told(tmp_path: Path) -> None:
    watched = Project(str(tmp_path), slices=["region"])
    watched.release(1)
    watched.begin(rows_of(100, 2000))
    watched.answer(rows_of(0, 1000), at=day(0) + HOUR_S)
    watched.look(day(1) + 120)
    assert [note for note in detail(watched).notes if "no column region" in note]
