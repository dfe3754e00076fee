"""Sources that the log tells of: alarms, the age of models, other pipelines' ends."""

from pathlib import Path

import pytest

from events_world import NOON, Looking
from headway.backends.log_memory import MemoryLog
from headway.core import facts as f
from headway.core.ids import Artifact, Digest, RunId

DAY_S = 86400.0
DIGEST = Digest("d" * 64)


def append(log: MemoryLog, stream: str, *facts: f.Fact, at: float = NOON) -> None:
    log.append(stream, facts, expect=len(log.read(stream)), at=at)


# --- alarms ---------------------------------------------------------------------------------------------------------


def alarm(number: int, about: f.AlarmKind, says: f.Says = "retrain", since: int = 1) -> f.AlarmRaised:
    why = f"{about} moved.\nMore about it."
    return f.AlarmRaised(monitor="live", alarm=number, about=about, says=says, since_window=since, why=why)


def window(number: int) -> f.WindowClosed:
    return f.WindowClosed(monitor="live", number=number, version=1, since=0.0, until=1.0, n_requests=1, n_rows=1)


@pytest.mark.parametrize(
    ("triggers", "wanted"),
    [
        ({"drift": {"monitor": "live"}}, {"alarm 4": "drift: live"}),
        ({"quality": {"monitor": "live"}}, {"alarm 4": "quality: live", "alarm 5": "quality: live"}),
        ({"drift": {"monitor": "live", "says": "any"}}, {"alarm 3": "drift: live", "alarm 4": "drift: live"}),
        ({"drift": {"monitor": "other"}}, {}),
    ],
    ids=["drift", "quality", "any", "another monitor"],
)
def test_alarms_of_the_right_kind_that_say_so_are_events(
    tmp_path: Path, triggers: dict[str, object], wanted: dict[str, str]
) -> None:
    looking = Looking(tmp_path, triggers)
    assert looking.told() == []
    raised = [alarm(1, "schema"), alarm(2, "traffic"), alarm(3, "drift", "look"), alarm(4, "estimate")]
    append(looking.log, "monitor/live", *raised, alarm(5, "quality"), alarm(6, "quality", "roll back"))
    assert {one.key: one.source for one in looking.told(after_s=30)} == wanted
    assert looking.told(after_s=30) == []
    assert Looking(tmp_path, triggers, log=looking.log).told() == []


def test_an_alarm_tells_its_first_line_and_one_that_ended_nothing(tmp_path: Path) -> None:
    looking = Looking(tmp_path, {"quality": {"monitor": "live"}})
    append(looking.log, "monitor/live", alarm(1, "quality"), f.AlarmEnded(monitor="live", alarm=1, why="w"))
    assert looking.told() == []
    assert looking.source.pace.said == "no alarm"
    append(looking.log, "monitor/live", alarm(2, "quality"))
    assert [one.why for one in looking.told(after_s=30)] == ["alarm 2 of live: quality moved."]
    assert looking.source.pace.said == "alarm 2 is open"


def test_an_alarm_must_last_as_many_windows_as_asked_for(tmp_path: Path) -> None:
    looking = Looking(tmp_path, {"drift": {"monitor": "live", "windows": 3}})
    append(looking.log, "monitor/live", window(7), alarm(1, "drift", since=7), window(8))
    assert looking.told() == []
    assert looking.source.pace.said == "alarm 1 lasts for 2 of 3 windows"
    append(looking.log, "monitor/live", window(9))
    assert len(looking.told(after_s=30)) == 1


def test_an_alarm_that_asks_for_less_is_shown(tmp_path: Path) -> None:
    looking = Looking(tmp_path, {"drift": {"monitor": "live"}})
    append(looking.log, "monitor/live", alarm(1, "drift", "look"))
    assert looking.told() == []
    assert looking.source.pace.said == "alarm 1 says only `look`"


# --- age ------------------------------------------------------------------------------------------------------------


def register(log: MemoryLog, version: int, at: float) -> None:
    made = f.ModelRegistered(
        model="churn", version=version, artifact=Artifact(path="m.pkl", digest=DIGEST), key=f"run/{version}"
    )
    append(log, "model/churn", made, f.AliasMoved(model="churn", alias="champion", version=version), at=at)


AGE = {"model-age": {"model": "churn@champion", "older-than": "30d"}}


def test_a_model_that_became_old_is_told_once_in_each_such_time(tmp_path: Path) -> None:
    looking = Looking(tmp_path, AGE)
    assert looking.told() == []
    assert looking.source.pace.said == "waits: there is no model 'churn'"
    register(looking.log, 1, NOON)
    told = [(day, one.key) for day in range(1, 100) for one in looking.told(at=NOON + day * DAY_S)]
    assert told == [(30, "1/1"), (60, "1/2"), (90, "1/3")]


def test_a_new_version_is_young_again(tmp_path: Path) -> None:
    looking = Looking(tmp_path, AGE)
    register(looking.log, 1, NOON)
    (event,) = looking.told(at=NOON + 31 * DAY_S)
    assert event.why == "churn@1 is 31 days old, older than 30 days"
    register(looking.log, 2, NOON + 31 * DAY_S)
    assert looking.told(after_s=29 * DAY_S) == []
    assert looking.source.pace.said == "churn@2 is 29 days old; next in 1 day"
    assert [one.key for one in looking.told(after_s=2 * DAY_S)] == ["2/1"]


def test_a_clock_that_was_years_ahead_or_is_set_back_does_no_lasting_harm(tmp_path: Path) -> None:
    looking = Looking(tmp_path, AGE)
    register(looking.log, 1, NOON)
    assert len(looking.told(at=NOON + 4000 * DAY_S)) == 1
    assert looking.source.due_at(NOON) == NOON
    assert looking.told(at=NOON - DAY_S) == []
    assert [one.key for one in looking.told(at=NOON + 30 * DAY_S)] == ["1/1"]
    assert looking.source.due_at(looking.now) <= looking.now + 60


# --- another pipeline -----------------------------------------------------------------------------------------------


def run(log: MemoryLog, number: int, name: str, *outcomes: f.RunOutcome) -> None:
    stream = f"run/{number}"
    if not log.read(stream):
        started = f.RunStarted(run=RunId(number), name=name, file="p", pipeline=DIGEST, options=f.RunOptions())
        append(log, stream, started)
    for outcome in outcomes:
        append(log, stream, f.RunFinished(outcome=outcome, exit_code=0))


def test_the_end_of_another_pipelines_run_is_an_event(tmp_path: Path) -> None:
    looking = Looking(tmp_path, {"pipeline": "features"})
    run(looking.log, 1, "features", "passed")
    assert looking.told() == []
    run(looking.log, 2, "features", "failed")
    run(looking.log, 3, "churn", "passed")
    assert looking.told(after_s=5) == []
    assert looking.source.pace.said == "no run of it passed since"
    run(looking.log, 4, "features", "interrupted")
    assert looking.told(after_s=5) == []
    run(looking.log, 4, "features", "passed")
    (event,) = looking.told(after_s=5)
    assert (event.source, event.key, event.why) == ("pipeline: features", "4", "run 4 of features passed")
    assert looking.told(after_s=5) == []


@pytest.mark.parametrize(("outcome", "wanted"), [("passed", "6"), ("failed", "5"), ("any", "6")], ids=str)
def test_how_it_must_have_ended_can_be_said(tmp_path: Path, outcome: str, wanted: str) -> None:
    looking = Looking(tmp_path, {"pipeline": {"name": "features", "outcome": outcome}})
    looking.told()
    for number, end in ((4, "passed"), (5, "refused"), (6, "passed")):
        run(looking.log, number, "features", end)  # type: ignore[arg-type] # outcomes of runs
    assert [one.key for one in looking.told()] == [wanted]


def test_runs_that_ended_while_nobody_looked_are_not_lost(tmp_path: Path) -> None:
    triggers = {"pipeline": "features"}
    looking = Looking(tmp_path, triggers)
    # One ends after it was looked for, and before what was seen is appended.
    first = looking.source.look(NOON)
    run(looking.log, 1, "features", "passed")
    append(looking.log, "trigger/churn", *first)
    assert [one.key for one in Looking(tmp_path, triggers, log=looking.log).told()] == ["1"]
    run(looking.log, 2, "features", "passed")
    run(looking.log, 3, "features", "passed")
    again = Looking(tmp_path, triggers, log=looking.log)
    assert [one.key for one in again.told()] == ["3"]
    assert again.told() == []
