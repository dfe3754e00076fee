"""`headway rollout status`, typed for real against a log in which releases stand and ended as they can."""

import json
import time
from pathlib import Path

import pytest

from headway import wiring
from headway.cli import dispatch
from headway.config import load
from headway.core import facts as f
from headway.core.rollout_window import Compared, Counts, Window
from headway.core.strategy import Strategy
from headway.core.strategy_typed import read_typed

STAGES = "canary: 10% for 10000 requests, pause: approval by alice, promote, bake: 14d"
GUARDED: dict[str, str | list[str]] = {"rollback": "errors,latency", "slower-than": "200ms"}


class Told:
    """A project whose log is told what happened on an endpoint, a minute before one another."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = str(folder)
        self._capsys = capsys
        self._at = time.time() - 3600

    def happened(self, *facts: f.Fact, endpoint: str = "churn", after_s: float = 60.0) -> None:
        with wiring.open(load(folder=self.folder)) as parts:
            for fact in facts:
                self._at += after_s
                stream = f"endpoint/{endpoint}"
                parts.log.append(stream, [fact], expect=len(parts.log.read(stream)), at=self._at)

    def released(self, release: int, version: int, endpoint: str = "churn") -> None:
        """A release that took over at once."""
        self.happened(
            f.ReleaseStarted(
                endpoint=endpoint, release=release, model="churn", version=version, key=f"k/{release}", by="ann"
            ),
            f.EndpointSwitched(release=release, url="http://127.0.0.1:1"),
            f.ReleaseFinished(release=release, outcome="released"),
            endpoint=endpoint,
            after_s=1.0,
        )

    def begun(self, stages: str = STAGES, **said: str | list[str]) -> Strategy:
        """The second release, of version 2, by ann."""
        strategy = read_typed({**GUARDED, "strategy": stages, **said}, at="test")
        self.happened(
            f.ReleaseStarted(
                endpoint="churn", release=2, model="churn", version=2, key="k/2", by="ann", strategy=strategy
            ),
            f.StageBegan(release=2, stage=0),
        )
        return strategy

    def looked(self, new: Counts, old: Counts, *, stage: int = 0, compared: Compared | None = None) -> None:
        window = Window(new=new, old=old, compared=compared or Compared())
        self.happened(f.StageLooked(release=2, stage=stage, windows=(window,)))

    def __call__(self, *words: str, code: int = 0) -> str:
        got = dispatch(["rollout", "status", *words, "-C", self.folder])
        out, err = self._capsys.readouterr()
        assert got == code, err
        return out if code == 0 else err


@pytest.fixture
def told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Told:
    return Told(tmp_path, capsys)


def test_nothing_was_ever_released(told: Told) -> None:
    assert told() == "no release yet: a `deploy` step or `headway deploy` makes one\n"
    assert json.loads(told("--json")) == []


def test_a_healthy_release_is_told_in_six_lines(told: Told) -> None:
    told.released(1, 1)
    told.begun(harm="20")
    told.looked(Counts(requests=640, failed=3, slow=5), Counts(requests=5760, failed=31, slow=44))
    with wiring.open(load(folder=told.folder)) as parts:
        parts.leases.acquire("endpoint/churn", holder="ann (process 12)", ttl_s=600.0, now=time.time())
        lines = told("churn").splitlines()
        parts.leases.release("endpoint/churn", holder="ann (process 12)")
    assert len(lines) == 6
    assert lines[0].startswith("churn: churn@2 answers 10 %, churn@1 90 % (release 2 by ann, ")
    assert lines[1].startswith("  stage 1 of 4, canary: 10% for 10000 requests  ")
    assert lines[1].endswith(" 6,400 of 10,000 requests")
    assert lines[2].startswith("  · errors  ")
    assert lines[2].endswith("  3 of 640 (0.47 %), champion 31 of 5,760 (0.54 %)")
    assert lines[4].startswith("  · harm    ")
    assert lines[5].startswith("  nothing shown to be worse; next: pause: approval by alice in about ")
    assert max(map(len, lines)) <= 100
    # The one that is under way is meant where none is named; that nobody drives it needs a line of its own.
    assert told().splitlines()[1] == lines[1]
    assert told().splitlines()[6] == "  nobody drives it now: headway rollout watch churn"


def test_a_machine_is_told_the_same(told: Told) -> None:
    told.released(1, 1)
    told.begun()
    told.looked(Counts(requests=640, failed=3), Counts(requests=5760, failed=31))
    said = json.loads(told("churn", "--json"))
    assert (said["endpoint"], said["driver"]) == ("churn", None)
    assert said["release"]["stages"][0] | {"began_at": 0} == {
        "text": "canary: 10% for 10000 requests",
        "kind": "canary",
        "state": "now",
        "began_at": 0,
        "counted": 6400,
        "requests": 10_000,
        "time_s": 0.0,
        "share": 0.1,
        "approver": "",
    }
    assert said["verdict"]["outcome"] == "keep-looking"
    assert said["verdict"]["seen"][0]["guard"] == "errors"
    assert said["strategy"]["alpha"] == 0.05
    assert [one["endpoint"] for one in json.loads(told("--json"))] == ["churn"]


def test_what_is_shown_to_be_worse_is_told_with_its_numbers(told: Told) -> None:
    told.released(1, 1)
    told.begun()
    told.looked(Counts(requests=640, failed=64), Counts(requests=5760, failed=31))
    text = told("churn")
    assert "\n  ✗ errors  ━━━━━━━━━━━━ 25+ of 25  " in text
    assert "\n  roll back: errors: 64 of 640 (10 %) failed, of the champion's 31 of 5,760 (0.538 %): " in text


def test_a_release_that_waits_says_for_whom_and_what_to_type(told: Told) -> None:
    told.released(1, 1)
    told.begun()
    told.looked(Counts(requests=1000, failed=3), Counts(requests=9000, failed=31))
    told.happened(f.StageBegan(release=2, stage=1))
    lines = told("churn").splitlines()
    # A pause leaves the traffic as it was.
    assert lines[0].startswith("churn: churn@2 answers 10 %, churn@1 90 % ")
    assert lines[1].startswith("  stage 2 of 4, pause: approval by alice, for ")
    assert lines[-1] == "  waits for alice: headway rollout promote churn or headway rollout abort churn"


def test_a_release_that_somebody_paused_says_who_and_why(told: Told) -> None:
    told.released(1, 1)
    told.begun()
    told.happened(f.ReleaseDirected(release=2, act="pause", by="bob", why="a holiday"))
    assert "  paused by bob: a holiday: headway rollout resume churn or headway rollout abort churn" in told("churn")


def test_a_bake_says_who_stays_warm_and_when_it_ends(told: Told) -> None:
    told.released(1, 1)
    told.begun("canary: 10% for 100 requests, promote, bake: 14d")
    told.looked(Counts(requests=10), Counts(requests=90))
    told.happened(f.EndpointSwitched(release=2, url="http://127.0.0.1:1"), f.StageBegan(release=2, stage=2))
    lines = told("churn").splitlines()
    assert lines[0].startswith("churn: churn@2 answers everything, churn@1 stays warm (release 2 by ann, ")
    assert lines[1].startswith("  stage 3 of 3, bake: 14d  ")
    assert lines[1].endswith(" of 14 days")
    assert "next: the end in about 14 days, and the old version is ended" in lines[-2] + lines[-1]


def test_a_shadow_says_who_gets_copies(told: Told) -> None:
    told.released(1, 1)
    told.begun("shadow: 50% for 2000 requests, promote", checks=["disagreement(new, old) <= 0.1"])
    told.looked(Counts(requests=600), Counts(requests=1200), compared=Compared(answered=590, differ=12))
    text = told("churn")
    assert "churn: churn@1 answers everything, churn@2 gets copies of 50 % (" in text
    assert " 1,200 of 2,000 requests\n" in text
    (row,) = [line for line in text.splitlines() if "disagreement" in line]
    assert row.startswith("  ✓ disagreement(new, old) <= 0.1 ")
    assert " ━━━━━━━━━━━━ proof 20+ of 20  12 of 590 (2 %) differ" in row


def test_an_ended_release_says_how_and_why(told: Told) -> None:
    told.released(1, 1)
    told.begun()
    told.looked(Counts(requests=640, failed=64), Counts(requests=5760, failed=31))
    told.happened(f.ReleaseFinished(release=2, outcome="rolled-back", why="errors: 64 of 640 (10 %) failed"))
    text = told("churn")
    assert text.startswith("churn: churn@2 was rolled back ")
    assert ", churn@1 answers everything (release 2 by ann)\n" in text
    assert text.endswith("\n  errors: 64 of 640 (10 %) failed\n")
    # Its evidence is still there.
    assert "  ✗ errors  " in text
    assert told() == text
    assert told("churn", "--release", "1").startswith("churn: churn@1 took over ")


def test_all_releases_are_listed_the_newest_first(told: Told) -> None:
    told.released(1, 1)
    told.begun()
    told.happened(f.ReleaseFinished(release=2, outcome="aborted", why="bob aborted it: too late in the week"))
    rows = told("churn", "--all").splitlines()
    assert [row.split()[:3] for row in rows[1:]] == [["2", "churn@2", "aborted"], ["1", "churn@1", "released"]]
    assert rows[1].endswith("bob aborted it: too late in the week")
    said = json.loads(told("churn", "--all", "--json"))
    assert [one["outcome"] for one in said] == ["aborted", "released"]


def test_a_first_release_says_that_it_compares_with_nothing(told: Told) -> None:
    strategy = read_typed({"strategy": "canary: 10% for 100 requests, promote, bake: 1h"}, at="test")
    told.happened(
        f.ReleaseStarted(endpoint="new", release=1, model="m", version=1, key="k", strategy=strategy),
        f.EndpointSwitched(release=1, url="http://127.0.0.1:1"),
        f.ReleaseFinished(release=1, outcome="released"),
        endpoint="new",
    )
    first, second = told("new").splitlines()
    assert first.startswith("new: m@1 took over ")
    assert second == "  nothing served beside it that it could be compared with"
    said = json.loads(told("new", "--json"))
    assert [stage["state"] for stage in said["release"]["stages"]] == ["skipped", "done", "skipped"]


@pytest.mark.parametrize(
    ("words", "problem", "remedy"),
    [
        (["chrun"], "there is no endpoint 'chrun'", "did you mean `churn`?"),
        (["zebra"], "there is no endpoint 'zebra'", "use one of: churn"),
        (["churn", "--release", "7"], "churn had no release 7", "give a number from 1 to 1"),
        (["--all"], "the releases of one endpoint are meant", "headway rollout status ENDPOINT --all"),
        (["e", "--all", "--svg", "x.svg"], "every release gets a line alone", "or --svg to list them"),
        (["e", "--all", "--release", "1"], "every release gets a line alone", "or --release to list them"),
        (["e", "--all", "--every"], "every release gets a line alone", "or --every to list them"),
        (["--release", "1"], "the releases of one endpoint are meant", "headway rollout status ENDPOINT --release"),
        (["churn", "--release", "one"], "'one' is not a whole number", "--help"),
    ],
)
def test_what_is_not_there_is_said(told: Told, words: list[str], problem: str, remedy: str) -> None:
    told.released(1, 1)
    err = told(*words, code=2)
    assert problem in err
    assert remedy in err


def test_the_course_of_a_release_is_written_as_a_picture(told: Told, tmp_path: Path) -> None:
    told.released(1, 1)
    told.begun()
    told.looked(Counts(requests=640, failed=3), Counts(requests=5760, failed=31))
    told.looked(Counts(requests=640, failed=64), Counts(requests=5760, failed=31))
    told.happened(f.ReleaseFinished(release=2, outcome="rolled-back", why="errors"))
    text = told("churn", "--svg", "release.svg")
    assert text.endswith("\nwrote release.svg\n")
    picture = (tmp_path / "release.svg").read_text()
    assert "release 2 of churn: churn@2" in picture
    assert "errors came 100 % of its way to rolling back" in picture
    assert "churn@2 was rolled back " in picture
    err = told("churn", "--release", "1", "--svg", "first.svg", code=2)
    assert "release 1 of churn had no stages to be drawn" in err
    assert not (tmp_path / "first.svg").exists()
