"""Requests that bring other columns than they did: told by name, in the alarm about how requests are built."""

from pathlib import Path

import msgspec

from headway.core import facts as f
from headway.core.prediction_log import Line, open_name
from headway.core.watch_detail import Detail
from headway.flows.predictions import folder_of
from headway.tables.labelled import Wanted
from headway.tables.new_columns import others
from headway.tables.prediction_log import seal
from watched import HOUR_S, Project, day, rows_of, write_lines

N = 300


def hour(number: int) -> float:
    return day(0) + number * HOUR_S


def asked(project: Project, n: int, *, leave_out: str = "", status: int = 200, **more: object) -> None:
    """An hour of requests that bring these columns as well, one of them left out."""
    rows = rows_of(n, N)
    chances = [float(str(one)) for one in rows["probability.1"]]
    lines = [
        Line(
            request_id=f"d{n}-{i}", at=hour(n) + i, ms=5.0, model="churn", version=1, status=status,
            rows=[
                {name: value for name, value in {"age": rows["age"][i], "plan": rows["plan"][i], **more}.items()
                 if name != leave_out}
            ],
            predictions=[rows["prediction"][i]] if status == 200 else [],
            classes=[0, 1] if status == 200 else [],
            probabilities=[[1 - chances[i], chances[i]]] if status == 200 else [],
        )
        for i in range(N)
    ]  # fmt: skip
    write_lines(folder_of(project.home, "churn"), open_name("predictions", f"{n:016x}"), lines)


def project(folder: Path, window: str = "1h") -> Project:
    found = Project(str(folder), window=window)
    found.release(1)
    found.begin(rows_of(100, 2000))
    return found


def alarms(found: Project) -> list[f.AlarmRaised]:
    return [fact for fact in found.facts() if isinstance(fact, f.AlarmRaised) and fact.about == "schema"]


def test_a_column_that_comes_newly_is_told_by_name_once_and_then_known(tmp_path: Path) -> None:
    watched = project(tmp_path)
    for n in range(2):
        asked(watched, n, customer="c")
    watched.look(hour(2) + 120)
    assert alarms(watched) == []
    for n in range(2, 5):
        asked(watched, n, customer="c", region="north")
    watched.look(hour(5) + 120)
    (alarm,) = alarms(watched)
    assert alarm.says == "look"
    assert alarm.why.startswith(
        "Requests newly bring region in 100 % of rows, which the reference does not have since 2025-12-01 02:00."
    )
    ends = [fact for fact in watched.facts() if isinstance(fact, f.AlarmEnded)]
    assert [end.alarm for end in ends] == [alarm.alarm]
    newest = watched.windows()[-1]
    assert newest.detail is not None
    detail = msgspec.msgpack.decode(watched.blobs.get(newest.detail), type=Detail)
    assert detail.others == {"customer": N, "region": N}


def test_columns_that_stop_coming_are_told_by_name(tmp_path: Path) -> None:
    watched = project(tmp_path)
    for n in range(5):
        asked(watched, n, customer="c")
    asked(watched, 5)
    watched.look(hour(6) + 120)
    (alarm,) = alarms(watched)
    assert alarm.why.startswith("Customer does not come any more (it was in 100 % of rows) since 2025-12-01 05:00.")


def test_a_column_that_the_model_takes_and_does_not_get_is_told_by_name(tmp_path: Path) -> None:
    watched = project(tmp_path, window="1d")
    asked(watched, 0, leave_out="age")
    watched.look(day(1) + 120)
    (alarm,) = alarms(watched)
    assert alarm.why.startswith("Age does not come any more (it was missing in 0 % of rows) since 2025-12-01.")


def test_requests_that_are_refused_for_a_column_tell_its_name(tmp_path: Path) -> None:
    watched = project(tmp_path)
    for n in range(2):
        asked(watched, n)
    asked(watched, 2, leave_out="age", years=41, status=400)
    watched.look(hour(3) + 120)
    assert [alarm.why.partition(",")[0] for alarm in alarms(watched)] == ["Requests newly bring years in 100 % of rows"]


def test_open_files_and_segments_are_counted_alike(tmp_path: Path) -> None:
    watched = project(tmp_path)
    asked(watched, 0, customer="c")
    folder = folder_of(watched.home, "churn")
    wanted = Wanted(version=1, since=hour(0), until=hour(0) + 10)
    is_open = others(folder, wanted, ["age", "plan"])
    seal(f"{folder}/{open_name('predictions', '0' * 16)}")
    assert others(folder, wanted, ["age", "plan"]) == is_open == {"customer": 10}
    assert others(folder, wanted, ["age", "plan", "customer"]) == {}
