"""Releases as the log tells them: read on from where one was, and found by their number."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from headway import wiring
from headway.config import load
from headway.core import facts as f
from headway.core.strategy_typed import read_typed
from headway.errors import NameUnknown, UsageMistaken
from headway.flows.rollout import names
from headway.flows.rollout_view import Looker, course, history, look, only_open
from headway.wiring import Parts
from releases_told import began, counted, looked

STRATEGY = read_typed({"strategy": "canary: 10% for 10000 requests, promote"}, at="test")


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with wiring.open(load(folder=str(tmp_path))) as opened:
        yield opened


def happened(parts: Parts, *facts: f.Fact, endpoint: str = "e") -> None:
    stream = f"endpoint/{endpoint}"
    for fact in facts:
        n = len(parts.log.read(stream))
        parts.log.append(stream, [fact], expect=n, at=60.0 * n)


def started(release: int, version: int, endpoint: str = "e") -> f.Fact:
    return f.ReleaseStarted(
        endpoint=endpoint, release=release, model="m", version=version, key=str(release), strategy=STRATEGY
    )


def test_one_who_looks_again_sees_what_one_sees_who_looks_the_first_time(parts: Parts) -> None:
    looker = Looker(parts.log, parts.leases, "e")
    story: list[f.Fact] = [
        started(1, 1),
        f.EndpointSwitched(release=1, url=""),
        f.ReleaseFinished(release=1, outcome="released"),
        started(2, 2),
        began(0),
        looked(counted(2), counted(1, place="north")),
        looked(counted(40)),
        f.ReleaseDirected(release=2, act="abort", why="errors"),
        f.ReleaseFinished(release=2, outcome="rolled-back", why="errors"),
        started(3, 3),
    ]
    for n, fact in enumerate(story):
        happened(parts, fact)
        now = 60.0 * n + 30
        assert looker.look(now) == look(parts.log, parts.leases, "e", now=now)
        # And at another time without anything new.
        assert looker.look(now + 10) == look(parts.log, parts.leases, "e", now=now + 10)
    ended = look(parts.log, parts.leases, "e", now=9999.0, release=2)
    assert (ended.release.outcome, ended.driver) == ("rolled-back", None)
    assert ended.verdict is not None
    assert ended.verdict.outcome == "roll-back"
    assert [view.release for view in history(parts.log, "e")] == [3, 2, 1]


def test_the_only_release_that_is_under_way_is_meant(parts: Parts) -> None:
    with pytest.raises(NameUnknown, match="no release is under way"):
        only_open(parts.log)
    happened(parts, started(1, 1))
    assert only_open(parts.log) == "e"
    happened(parts, started(1, 1, "other"), endpoint="other")
    assert names(parts.log) == ("e", "other")
    with pytest.raises(UsageMistaken, match="2 releases are under way") as e:
        only_open(parts.log)
    assert e.value.remedy == "name one of e, other"
    happened(parts, f.ReleaseFinished(release=1, outcome="aborted"))
    assert only_open(parts.log) == "other"


def test_the_course_of_a_release_has_each_look_and_each_stage(parts: Parts) -> None:
    happened(
        parts,
        started(1, 1),
        f.EndpointSwitched(release=1, url=""),
        f.ReleaseFinished(release=1, outcome="released"),
        started(2, 2),
        began(0),
        looked(counted(2), counted(1, place="north")),
        looked(counted(12)),
        f.EndpointSwitched(release=2, url=""),
        f.ReleaseFinished(release=2, outcome="released"),
        started(3, 3),
    )
    found = course(parts.log, "e", release=2, now=9999.0)
    assert (found.names, found.ended_at) == (("errors",), 480.0)
    assert found.stages == ((240.0, "canary: 10% for 10000 requests"), (420.0, "promote"))
    assert [moment.at for moment in found.moments] == [300.0, 360.0]
    assert found.moments[0].ways == (0.0,)
    assert 0 < found.moments[1].ways[0] < 1
    # One that is under way, and was not looked at yet, goes up to now.
    assert course(parts.log, "e", release=3, now=9999.0).ended_at == 9999.0
    with pytest.raises(NameUnknown, match="release 7 of e had no stages"):
        course(parts.log, "e", release=7, now=0.0)
