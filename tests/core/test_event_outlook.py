"""What people read of triggers: when a run begins, what holds it back, what sources wait for, how the last went."""

import pytest

from headway.core import facts as f
from headway.core.event_outlook import History, Outlook, told
from headway.core.ids import RunId
from headway.core.trigger import Limits

NOW = 1_000_000.0
DATA = "data: a.csv"


def seen(key: str, source: str = DATA) -> f.EventSeen:
    return f.EventSeen(source=source, key=key, why=f"{source.rpartition(' ')[2]} has {key}")


def outlook(history: History, *news: f.EventSeen, said: str = "3 rows") -> Outlook:
    view = history.view(DATA, said, news)
    return history.outlook("churn", [view], news, now=NOW)


def of(*facts: tuple[f.Fact, float], limits: Limits | None = None) -> History:
    history = History(limits or Limits())
    for fact, at in facts:
        history.after(fact, at)
    return history


FIRED = f.TriggerFired(firing=1, sources=(DATA,), why="a.csv has a")
ENDED = f.FiringEnded(firing=1, outcome="passed", run=RunId(7))


def test_nothing_waits() -> None:
    assert told(outlook(of())) == ["churn: nothing waits", "  data: a.csv  3 rows"]


def test_a_source_that_is_not_watched_yet_says_so() -> None:
    history = of()
    view = history.view(DATA, "3 rows", [f.SourceWatched(source=DATA, key="a")])
    lines = told(history.outlook("churn", [view], [], now=NOW))
    assert lines[1] == "  data: a.csv  3 rows; not watched before the first `headway up`"


def test_what_would_start_a_run_now_is_shown_and_only_what_is_new() -> None:
    history = of((seen("a"), NOW - 7200), (FIRED, NOW - 7200), (ENDED, NOW - 7100))
    assert told(outlook(history, seen("b"))) == [
        "churn: a run may begin now: a.csv has b",
        "  data: a.csv  news: a.csv has b",
        "  last run: 2 hours ago, passed, run 7: a.csv has a",
    ]
    again = of((seen("a"), NOW - 7200), (FIRED, NOW - 7200), (ENDED, NOW - 7100))
    assert told(outlook(again, seen("a")))[:2] == [
        "churn: nothing waits",
        "  data: a.csv  3 rows; last 2 hours ago: a.csv has a",
    ]


@pytest.mark.parametrize(
    ("limits", "head"),
    [
        (Limits(cooldown_s=10800), "churn: a run begins in 1 hour (the cooldown after the last run): a.csv has b"),
        (Limits(per_day=0), "churn: no run begins (no run a day is allowed): a.csv has b"),
    ],
    ids=["cooldown", "never"],
)
def test_what_holds_a_run_back_is_shown_with_its_end(limits: Limits, head: str) -> None:
    history = of((seen("a"), NOW - 7200), (FIRED, NOW - 7200), (ENDED, NOW - 7100), limits=limits)
    assert told(outlook(history, seen("b")))[0] == head


def test_a_run_that_is_under_way_is_shown_and_what_waits_for_its_end() -> None:
    history = of((seen("a"), NOW - 60), (FIRED, NOW - 60))
    assert told(outlook(history)) == [
        "churn: firing 1 is under way",
        "  data: a.csv  3 rows; last 1 minute ago: a.csv has a",
        "  last run: 1 minute ago, is under way: a.csv has a",
    ]
    history = of((seen("a"), NOW - 60), (FIRED, NOW - 60))
    assert told(outlook(history, seen("b")))[0] == (
        "churn: firing 1 is under way; another run waits for its end: a.csv has b"
    )


def test_a_run_that_did_not_begin_says_why() -> None:
    failed = f.FiringEnded(firing=1, outcome="failed", why="the pipeline cannot be read")
    history = of((seen("a"), NOW - 7200), (FIRED, NOW - 7200), (failed, NOW - 7100))
    assert told(outlook(history))[-1] == ("  last run: 2 hours ago, failed (the pipeline cannot be read): a.csv has a")


def test_trouble_is_shown_before_all_else_and_no_triggers_are_no_trouble() -> None:
    history = of()
    view = history.view(DATA, "3 rows", [], trouble="it does not answer (s3://bucket)")
    assert told(history.outlook("churn", [view], [], now=NOW))[1] == "  data: a.csv  it does not answer (s3://bucket)"
    assert told(of().outlook("churn", [], [], now=NOW)) == ["churn: no triggers: a run begins by hand alone"]
