import math

import pytest

from headway.core import facts as f
from headway.core.rollout_judge import Judge, Verdict
from headway.core.rollout_picture import Row, coming, left_s, picture, to_type, traffic, waits_for
from headway.core.rollout_view import Releases, ReleaseView
from headway.core.rollout_window import Counts, Window
from headway.core.strategy import Strategy
from headway.core.strategy_typed import read_typed

STAGES = "canary: 10% for 10000 requests, pause: approval by alice, promote, bake: 14d"


def strategy(stages: str = STAGES, **said: str | list[str]) -> Strategy:
    return read_typed({"strategy": stages, **said}, at="test")


def view(wanted: Strategy, *then: tuple[f.Fact, float]) -> ReleaseView:
    """The release of version 2 in place of version 1, after what happened then."""
    releases = Releases()
    first = f.ReleaseStarted(endpoint="e", release=1, model="m", version=1, key="1")
    second = f.ReleaseStarted(endpoint="e", release=2, model="m", version=2, key="2", strategy=wanted)
    before = (first, f.EndpointSwitched(release=1, url=""), f.ReleaseFinished(release=1, outcome="released"), second)
    for fact, at in (*((fact, 0.0) for fact in before), *then):
        releases.after(fact, at)
    return releases.all[-1]


def began(stage: int) -> f.Fact:
    return f.StageBegan(release=2, stage=stage)


def judged(wanted: Strategy, *windows: Window, now: float = 60.0) -> Verdict:
    judge = Judge(wanted)
    judge.begin(0, 0.0)
    for window in windows:
        judge.after(window)
    return judge.verdict(now)


def counted(failed: int, place: str = "", *, n: int = 640) -> Window:
    where = (("region", place),) if place else ()
    return Window(
        slice=where, new=Counts(requests=n, failed=failed), old=Counts(requests=9 * n, failed=max(n // 20, 1))
    )


def rows(wanted: Strategy, *windows: Window, most: int = 3) -> tuple[tuple[Row, ...], int]:
    now = view(wanted, (began(0), 1.0), (f.StageLooked(release=2, stage=0, windows=windows), 60.0))
    seen = picture(now, wanted, judged(wanted, *windows), now=60.0, most=most)
    return seen.rows, seen.n_more


def test_evidence_is_drawn_by_its_logarithm() -> None:
    (row,), _ = rows(strategy(rollback="errors"), counted(failed=4, n=200))
    evidence = judged(strategy(rollback="errors"), counted(failed=4, n=200)).seen[0].evidence
    assert 1 < evidence < 20
    assert row.share == pytest.approx(math.log(evidence) / math.log(20))
    assert row.counts == "4 of 200 (2 %), champion 10 of 1,800 (0.56 %)"


@pytest.mark.parametrize(("failed", "mark"), [(5, "quiet"), (9, "near"), (20, "broken")])
def test_a_guard_is_quiet_near_or_broken(failed: int, mark: str) -> None:
    (row,), _ = rows(strategy(rollback="errors"), counted(failed=failed))
    assert row.mark == mark
    assert (row.share == 1) == (mark == "broken")


def test_a_check_shows_how_far_its_proof_is() -> None:
    wanted = strategy(rollback="errors", checks=["new.errors / old.errors <= 1.5"])
    (errors, check), _ = rows(wanted, counted(failed=1))
    assert (errors.mark, check.mark) == ("quiet", "unproved")
    assert check.told.startswith("proof ")
    (_, check), _ = rows(wanted, counted(failed=400, n=90_000))
    assert (check.mark, check.told, check.share) == ("proved", "proof 20+ of 20", 1.0)


def test_of_many_quiet_rows_the_ones_that_are_waited_for_are_drawn() -> None:
    wanted = strategy(rollback="errors,latency", checks=["new.errors / old.errors <= 1.5"], **{"slower-than": "1s"})
    few, n_more = rows(wanted, counted(failed=1), most=3)
    assert (len(few), n_more) == (3, 0)
    few, n_more = rows(wanted, counted(failed=1), most=2)
    assert ([row.mark for row in few], n_more) == (["unproved"], 2)


def test_whatever_is_broken_is_drawn_and_slices_by_their_place() -> None:
    wanted = strategy(rollback="not-ready", checks=["new.errors / old.errors <= 1.5 for each region"])
    told = [counted(failed=3, place="north"), counted(failed=400, place="south"), counted(failed=1, place="west")]
    few, n_more = rows(wanted, *told, most=2)
    assert [(row.name, row.mark) for row in few] == [("errors in region=south", "broken")]
    assert n_more == 3
    assert few[0].counts == ""


def test_harm_is_a_row_where_it_has_a_budget() -> None:
    (_, harm), _ = rows(strategy(rollback="errors", harm="100"), counted(failed=24, n=400))
    assert (harm.name, harm.told, harm.mark) == ("harm", "22 of 100", "quiet")


def test_a_stage_ends_by_what_comes_first() -> None:
    wanted = strategy("canary: 10% for 10000 requests within 1h, promote")
    now = view(wanted, (began(0), 100.0), (f.StageLooked(release=2, stage=0, windows=(counted(1),)), 160.0))
    verdict = judged(wanted, counted(1))
    # 6,400 requests in a minute: the other 3,600 take half of one.
    assert left_s(now, verdict, 160.0) == pytest.approx(60 * 3600 / 6400)
    assert coming(now, verdict, now=160.0) == "next: promote in about 34 seconds"
    slow = judged(wanted, counted(1, n=1))
    assert left_s(now, slow, 160.0) == pytest.approx(3540)


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ((), "m@1 answers everything, m@2 is starting"),
        ((began(0),), "m@2 answers 10 %, m@1 90 %"),
        ((began(0), began(1)), "m@2 answers 10 %, m@1 90 %"),
        ((began(1),), "m@1 answers everything, m@2 waits"),
        ((began(0), f.EndpointSwitched(release=2, url="")), "m@2 answers everything, m@1 stays warm"),
        ((f.EndpointSwitched(release=2, url=""), began(3)), "m@2 answers everything, m@1 stays warm"),
        ((f.ReleaseFinished(release=2, outcome="rolled-back"),), "m@1 answers everything, m@2 waits"),
        ((f.ReleaseFinished(release=2, outcome="released"),), "m@2 answers everything"),
    ],
)
def test_who_answers_is_told(then: tuple[f.Fact, ...], said: str) -> None:
    assert traffic(view(strategy(), *((fact, 1.0 + i) for i, fact in enumerate(then)))) == said


def test_what_is_counted_late_counts_for_the_stage_it_belongs_to() -> None:
    late = Window(new=Counts(requests=10), old=Counts(requests=90), stage=0)
    now = view(strategy(), (began(0), 1.0), (began(1), 2.0), (f.StageLooked(release=2, stage=1, windows=(late,)), 3.0))
    assert [stage.counted for stage in now.stages] == [100, 0, 0, 0]


HELD = f.ReleaseHeld(release=2, stage=0, why="not proved")


def directed(act: f.Act, by: str = "bob", why: str = "") -> f.Fact:
    return f.ReleaseDirected(release=2, act=act, by=by, why=why)


@pytest.mark.parametrize(
    ("then", "said", "first"),
    [
        ((began(0),), "", ""),
        ((began(0), began(1)), "waits for alice", "headway rollout promote e"),
        ((began(0), HELD), "waits for a person", "headway rollout promote e"),
        ((began(0), directed("pause")), "paused by bob", "headway rollout resume e"),
        ((began(0), directed("pause", why="lunch")), "paused by bob: lunch", "headway rollout resume e"),
        ((began(0), directed("pause"), directed("resume")), "", ""),
        ((began(0), directed("pause"), began(1)), "waits for alice", "headway rollout promote e"),
        ((began(0), HELD, directed("pause"), directed("resume")), "waits for a person", "headway rollout promote e"),
        ((began(0), HELD, directed("pause"), directed("promote")), "", ""),
    ],
)
def test_who_is_waited_for_is_told_and_what_to_type(then: tuple[f.Fact, ...], said: str, first: str) -> None:
    now = view(strategy(), *((fact, 1.0 + i) for i, fact in enumerate(then)))
    assert waits_for(now) == said
    assert (to_type(now) or ("",))[0] == first
