"""The loop as a person looks at it: what the sentence says, what each stage shows, what waits for somebody."""

import pytest
from msgspec.structs import replace

import releases_told
from headway.core import facts as f
from headway.core.history import RunView, StepView
from headway.core.ids import Digest, RunId
from headway.core.loop import Data, Known, Loop, Served, State, loop, state_of
from headway.core.rollout_view import ReleaseView
from headway.core.watch import Watch

STARTED = f.RunStarted(
    run=RunId(7), name="churn", file="pipeline.yaml", pipeline=Digest("0" * 64), options=f.RunOptions()
)
STEPS = [("train", "Train Model"), ("gate", "Gate")]
WELL = Served(endpoint="e", model="m", version=3, since=50.0, is_healthy=True)


def run(outcome: str, **states: str) -> RunView:
    steps = {name: StepView(step=name, state=state, started_at=100.0, seconds=5.0) for name, state in states.items()}
    return RunView(run=RunId(7), started=STARTED, at=90.0, outcome=outcome, seconds=20.0, why="so", steps=steps)


def watch(*says: str) -> Watch:
    found = Watch()
    found.after(
        f.WindowClosed(monitor="live", number=4, version=3, since=0.0, until=200.0, n_requests=9, n_rows=9), 200.0
    )
    for n, one in enumerate(says, 1):
        found.after(
            f.AlarmRaised(monitor="live", alarm=n, about="drift", says=one, since_window=4, why="it moved"),  # type: ignore[arg-type] # a table
            210.0,
        )
    return found


def stop(found: Loop, name: str) -> tuple[State, str]:
    return next((one.state, one.words) for one in found.stops if one.name == name)


def test_an_empty_project_is_drawn_whole_and_says_how_to_begin() -> None:
    found = loop(Known())
    assert (found.state, found.headline, found.next) == ("idle", "Nothing is in production yet", "headway init")
    assert [one.kind for one in found.stops] == ["data", "release", "watch"]
    assert {one.state for one in found.stops} == {"idle"}
    assert loop(Known(has_pipeline=True, steps=STEPS)).next == "headway run"


def test_when_all_is_well_it_says_so_and_nothing_waits() -> None:
    known = Known(
        steps=STEPS,
        run=run("passed", train="reused", gate="passed"),
        outcome="passed",
        data=Data(name="training", version=7, at=10.0),
        served=[WELL],
        watches=[("live", watch())],
        has_pipeline=True,
    )
    found = loop(known)
    assert (found.state, found.headline) == ("well", "Production is well: m@3 on e; live sees nothing unusual")
    assert found.said == ("Nothing waits for a person.",)
    assert {one.state for one in found.stops} == {"well"}
    assert stop(found, "Data") == ("well", "training@7")
    assert stop(found, "Train Model") == ("well", "as before")
    assert stop(found, "live") == ("well", "as usual, window 4")
    assert found.waiting == ()


def test_an_endpoint_that_does_not_answer_comes_before_all_else() -> None:
    down = Served(endpoint="e", model="m", version=3, detail="its process ended")
    found = loop(Known(served=[WELL, down], watches=[("live", watch("roll back"))]))
    assert (found.state, found.headline) == ("trouble", "Production is not well: e: its process ended")


@pytest.mark.parametrize(
    ("says", "state", "headline"),
    [
        ("look", "waiting", "Production answers, and somebody should look: the data moved (live)"),
        ("retrain", "trouble", "Production gets worse, train again: the data moved (live)"),
        ("roll back", "trouble", "Production is not well, roll back: the data moved (live)"),
    ],
)
def test_an_alarm_is_in_the_sentence_and_waits_for_somebody(says: str, state: State, headline: str) -> None:
    found = loop(Known(served=[WELL], watches=[("live", watch(says))]))
    assert (found.state, found.headline) == (state, headline)
    (todo,) = found.waiting
    assert (todo.command, todo.why, todo.state) == ("headway monitor live", "it moved", state)


def test_the_alarm_that_asks_for_more_is_told() -> None:
    told = loop(Known(watches=[("live", watch("retrain", "look"))])).headline
    assert told == "Production gets worse, train again: the data moved (live)"


def test_the_sentence_says_what_moved_and_which_version_answers() -> None:
    found = watch()
    causes = tuple(f.Cause(of=name, moved=0.3, words=f"{name} moved") for name in ("tenure", "age"))
    raised = f.AlarmRaised(
        monitor="live", alarm=1, about="drift", says="look", since_window=4, why="", causes=causes, version=3,
        endpoint="e", model="m",
    )  # fmt: skip
    found.after(raised, 210.0)
    told = loop(Known(served=[WELL], watches=[("live", found)])).headline
    assert told == "Production answers, and somebody should look: tenure and age moved (m@3 on e)"


def test_where_nothing_judges_that_is_said() -> None:
    found = loop(Known(served=[WELL]))
    assert (found.headline, found.word) == ("Production answers: m@3 on e; no monitor has judged it yet", "answers")
    assert loop(Known(served=[WELL], watches=[("live", watch())])).word == "well"


def test_a_version_that_was_taken_back_is_told_with_what_answers() -> None:
    back = released(releases_told.began(0), f.ReleaseFinished(release=2, outcome="rolled-back", why="more errors"))
    assert loop(Known(releases=[back])).said[0] == "m@2 was rolled back from e, m@1 answers again."


@pytest.mark.parametrize(
    ("outcome", "what", "command"),
    [
        ("failed", "Run 7 failed", "headway show 7"),
        ("held", "Run 7 is held: nobody can tell yet", "headway show 7"),
        ("invalid", "Run 7 was stopped at invalid data", "headway show 7"),
        ("unfinished", "Run 7 was left in the middle", "headway resume 7"),
    ],
)
def test_a_run_that_did_not_pass_waits_for_somebody(outcome: str, what: str, command: str) -> None:
    found = loop(Known(run=run("running" if outcome == "unfinished" else outcome), outcome=outcome))
    assert [(todo.what, todo.command) for todo in found.waiting] == [(what, command)]


def test_a_run_at_work_says_where_and_waits_for_nobody() -> None:
    known = Known(steps=STEPS, run=run("running", train="running"), outcome="running")
    found = loop(known)
    assert found.said[0] == "Run 7 is at work on train."
    assert [(one.what, one.where, one.share) for one in found.running] == [("Run 7", "train", 0.0)]
    assert found.last is None
    assert stop(found, "Train Model") == ("running", "running")
    assert stop(found, "Gate") == ("idle", "waits")
    assert found.waiting == ()
    left = loop(replace(known, outcome="unfinished"))
    assert left.running == ()
    assert left.last is not None
    assert (left.last.what, left.last.where, left.last.state) == ("Run 7", "was left in the middle", "trouble")
    assert stop(left, "Train Model") == ("trouble", "left")
    assert stop(left, "Gate") == ("idle", "it did not come to this")


def released(*facts: f.Fact) -> ReleaseView:
    return releases_told.told(*facts)[0].release


def test_a_release_under_way_is_running_and_one_that_is_held_waits() -> None:
    view = released(releases_told.began(0))
    found = loop(Known(served=[WELL], releases=[view]))
    assert stop(found, "e") == ("running", "m@2: canary: 10% for 10000 requests")
    assert found.said[0] == "m@2 is on its way to e: canary: 10% for 10000 requests."
    assert [(one.what, one.share) for one in found.running] == [("m@2 on e", 0.0)]
    assert found.waiting == ()
    held = released(releases_told.began(0), f.ReleaseHeld(release=2, stage=0, why="too few"))
    found = loop(Known(served=[WELL], releases=[held]))
    assert stop(found, "e")[0] == "waiting"
    assert [(todo.what, todo.why, todo.command) for todo in found.waiting] == [
        ("m@2 on e is held", "too few", "headway rollout promote e")
    ]
    paused = released(releases_told.began(0), f.ReleaseDirected(release=2, act="pause", by="ann"))
    assert [todo.command for todo in loop(Known(releases=[paused])).waiting] == ["headway rollout resume e"]


def test_what_waits_is_told_newest_first() -> None:
    held = released(releases_told.began(0), f.ReleaseHeld(release=2, stage=0))
    found = loop(Known(run=run("failed"), outcome="failed", releases=[held], watches=[("live", watch("look"))]))
    assert [todo.at for todo in found.waiting] == sorted((todo.at for todo in found.waiting), reverse=True)
    assert found.said[-1] == "3 things wait for a person."


def test_states_of_outcomes() -> None:
    assert [state_of(one) for one in ("passed", "reused", "skipped", "held", "failed", "timeout", "lost")] == [
        "well", "well", "idle", "waiting", "trouble", "trouble", "trouble",
    ]  # fmt: skip
