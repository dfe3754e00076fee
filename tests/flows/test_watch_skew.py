"""A monitor that has features made anew: what differs is an alarm, what cannot be looked at is told and is none."""

import sys
from pathlib import Path

import msgspec
import pytest

from headway.core import facts as f
from headway.core.watch_detail import Detail, Skewed
from headway.flows.watch_view import view
from watched import HOUR_S, Project, day, rows_of

N = 400

ANEW = """
import csv, os
with open(os.environ["HEADWAY_REQUESTS"]) as asked, open(os.environ["HEADWAY_FEATURES"], "w") as made:
    writer = csv.writer(made)
    writer.writerow(["request_id", "age", "plan"])
    for n, row in enumerate(csv.DictReader(asked)):
        writer.writerow([row["request_id"], float(row["age"]) + (5 if n % 10 == 0 else 0), row["plan"]])
"""

ALIKE = ANEW.replace("5 if", "0 if")


def project(folder: Path, script: str, **more: object) -> Project:
    (folder / "features.py").write_text(script)
    skew = {"run": f"{sys.executable} features.py", "rows": 200, **more}
    found = Project(str(folder), skew=skew)
    found.release(1)
    found.begin(rows_of(100, 2000))
    return found


def closed(found: Project, n_days: int = 1) -> Detail:
    """What the newest window showed, of days that each had requests."""
    for n in range(len(found.windows()), n_days):
        found.answer(rows_of(n, N), at=day(n) + HOUR_S)
    found.look(day(n_days) + 120)
    newest = found.windows()[-1]
    assert newest.detail is not None
    return msgspec.msgpack.decode(found.blobs.get(newest.detail), type=Detail)


def seen(detail: Detail) -> Skewed:
    assert detail.skew is not None
    return detail.skew


def test_a_column_that_is_made_otherwise_is_an_alarm_with_examples(tmp_path: Path) -> None:
    watched = project(tmp_path, ANEW)
    found = seen(closed(watched))
    assert (found.n_asked, found.n_rows) == (200, 200)
    assert [(one.of, one.n_differ, one.by) for one in found.columns] == [("age", 20, 5.0), ("plan", 0, None)]
    assert watched.alarms() == ["skew: look at 1"]
    (alarm,) = [fact for fact in watched.facts() if isinstance(fact, f.AlarmRaised)]
    first = "Age was served otherwise than it is made anew in 10 % of rows (6.22 to 15 %) since 2025-12-01."
    assert alarm.why.splitlines()[0] == first
    assert alarm.causes[0].words.startswith("age in 20 of 200 rows, by 5 at the middle: request r")
    assert alarm.causes[0].words.count("made anew it is") == 3
    shown = view(watched.log, watched.blobs, "live", now=watched.now)
    assert shown.skew == found
    assert [one.told for one in shown.series if one.name == "served otherwise"] == ["10 % of age (6.22 to 15)"]


def test_it_ends_when_two_looks_found_all_alike_again(tmp_path: Path) -> None:
    watched = project(tmp_path, ANEW)
    closed(watched)
    (tmp_path / "features.py").write_text(ALIKE)
    assert not seen(closed(watched, 2)).columns[0].n_differ
    assert watched.alarms() == ["skew: look at 1"]
    closed(watched, 3)
    assert watched.alarms() == ["skew: look at 1", "ended 1"]


@pytest.mark.slow
def test_of_many_windows_at_once_only_the_newest_have_features_made_anew(tmp_path: Path) -> None:
    watched = project(tmp_path, ALIKE + 'open("times", "a").write("x")\n')
    closed(watched, 9)
    assert len(watched.windows()) == 9
    assert (tmp_path / "times").read_text() == "xxx"


def test_of_many_windows_of_a_day_the_first_one_is_looked_at(tmp_path: Path) -> None:
    watched = project(tmp_path, ANEW)
    watched.plan = msgspec.structs.replace(watched.plan, window_s=HOUR_S)
    watched.begin(rows_of(100, 2000))
    for n in range(3):
        watched.answer(rows_of(n, 100), at=day(0) + n * HOUR_S, span_s=3000.0)
    watched.look_anew(day(0) + 3 * HOUR_S + 120)
    looked = [any(reading.about == "skew" for reading in one.readings) for one in watched.windows()]
    assert looked == [True, False, False]
    assert watched.alarms() == ["skew: look at 1"]


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("raise SystemExit('no raw data')", "ended with exit code 1: no raw data"),
        ("pass", "wrote no features"),
        (ANEW.replace('"request_id"', '"id"', 1), "needs the column request_id"),
        ("import time; time.sleep(60)", "took longer than 0.5 s and was ended"),
    ],
    ids=["fails", "nothing", "no key", "too long"],
)
def test_what_cannot_be_looked_at_is_told_and_no_alarm(tmp_path: Path, script: str, told: str) -> None:
    watched = project(tmp_path, script, timeout="500ms" if "sleep" in script else "1m")
    detail = closed(watched)
    assert detail.skew is None
    assert [note for note in detail.notes if told in note]
    assert watched.alarms() == []
