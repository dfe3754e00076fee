"""Monitors that look for ever: one that cannot holds up no other, files that change, clocks that are set back."""

from pathlib import Path

import pytest

from headway.core.monitor_grammar import Plan, plan_of
from headway.errors import HeadwayError
from headway.flows.watch_here import Here
from headway.flows.watch_news import SOON_S
from headway.flows.watch_run import FIRST_PAUSE_S, ROUND_S, Heard, Rounds
from watched import HOUR_S, Project, day, rows_of

N = 1000


@pytest.fixture
def project(tmp_path: Path) -> Project:
    found = Project(str(tmp_path))
    found.release(1)
    found.begin(rows_of(100, 2000))
    return found


def rounds(project: Project, *more: Plan) -> Rounds:
    plans = {plan.name: plan for plan in (project.plan, *more)}
    return Rounds(project.world, lambda: plans, Here(project.world))


def told(heard: Heard) -> str:
    if heard.trouble is not None:
        return type(heard.trouble).__name__
    assert heard.looked is not None
    return " ".join(type(fact).__name__ for fact in heard.looked.facts)


def test_each_looks_when_it_is_due(project: Project) -> None:
    project.answer(rows_of(0, N), at=day(0) + HOUR_S)
    every = rounds(project)
    assert [told(one) for one in every.do(day(0) + 60)] == [""]
    assert every.do(day(0) + 61) == []
    assert every.next_at(day(0) + 61) == day(0) + 61 + ROUND_S
    assert [told(one) for one in every.do(day(1) + 120)] == ["WindowClosed"]


def test_one_that_cannot_look_holds_up_no_other_and_tries_ever_more_seldom(project: Project) -> None:
    # Nobody can make a reference of what is not registered.
    broken = plan_of("broken", {"endpoint": "churn", "reference": "nowhere.csv"})
    every = rounds(project, broken)
    first = every.do(day(0) + 60)
    assert [told(one) for one in first] == ["", "NameUnknown"]
    trouble = first[1].trouble
    assert isinstance(trouble, HeadwayError)
    assert trouble.remedy
    now, waits = day(0) + 60, []
    for _ in range(3):
        began = now
        while not any(one.monitor == "broken" for one in every.do(now)):
            now += 1.0
        waits.append(now - began)
        now += 0.5
    assert waits == sorted(waits)
    assert waits[0] <= FIRST_PAUSE_S + 1
    assert waits[2] > 3 * waits[0]


def test_a_clock_that_was_set_back_holds_nothing_up(project: Project) -> None:
    every = rounds(project)
    every.do(day(500))
    assert [told(one) for one in every.do(day(0) + 60)] == [""]


def test_a_monitor_that_is_described_otherwise_begins_anew_and_one_that_is_gone_ends(project: Project) -> None:
    plans = {"live": project.plan}
    every = Rounds(project.world, lambda: plans, Here(project.world))
    every.do(day(0) + 60)
    plans["live"] = plan_of("live", {"endpoint": "churn", "window": "7d"})
    # It is another watch, for which a reference has to be made: of this made-up version there is none.
    assert [told(one) for one in every.do(day(0) + 61)] == ["NameUnknown"]
    plans.clear()
    assert every.do(day(1)) == []
    assert every.next_at(day(1)) == day(1) + ROUND_S


def test_what_had_to_be_judged_makes_labels_wait_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project(str(tmp_path), labels="labels")
    project.release(1)
    project.begin(rows_of(100, 2000))
    rows = rows_of(0, N)
    first = int(project.answer(rows, at=day(0) + HOUR_S)[1:])
    (tmp_path / "labels").mkdir()
    project.now = day(400)
    # Each pass takes a quarter of a minute of the processor.
    used = iter(range(0, 1000, 15))
    monkeypatch.setattr("headway.flows.watch_run._processor_s", lambda: float(next(used)))
    every = rounds(project)
    now = day(1) + 120
    assert [told(one) for one in every.do(now)] == ["WindowClosed"]

    def until_told(name: str, part: range) -> float:
        lines = "".join(f"r{first + i},{rows['prediction'][i]}\n" for i in part)
        (tmp_path / "labels" / name).write_text("request_id,label\n" + lines)
        began = now
        for waited in range(1, 1000):
            if any("QualitySeen" in told(one) for one in every.do(began + waited)):
                return waited
        raise AssertionError("never told")

    waited = until_told("first.csv", range(N // 2))
    assert waited <= SOON_S
    # These may be in vain: so the next ones wait.
    now += waited
    assert 20 * 15 <= until_told("second.csv", range(N // 2, N)) <= 20 * 15 + SOON_S


def test_labels_that_arrive_in_its_folder_are_taken_in_first(tmp_path: Path) -> None:
    project = Project(str(tmp_path), labels="labels")
    project.release(1)
    project.begin(rows_of(100, 2000))
    rows = rows_of(0, N)
    first = int(project.answer(rows, at=day(0) + HOUR_S)[1:])
    (tmp_path / "labels").mkdir()
    lines = "".join(f"r{first + i},{answer}\n" for i, answer in enumerate(rows["prediction"]))
    (tmp_path / "labels" / "day.csv").write_text("request_id,label\n" + lines)
    # As seen from then the file was written long ago.
    project.now = day(400)
    (heard,) = rounds(project).do(day(1) + 120)
    assert told(heard) == "WindowClosed QualitySeen"
    (tmp_path / "labels" / "bad.csv").write_text("a,b\n1,2\n")
    (heard,) = rounds(project).do(day(1) + 700)
    assert heard.looked is not None
    assert any("bad.csv" in note for note in heard.looked.notes)
