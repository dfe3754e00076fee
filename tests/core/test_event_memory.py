"""What is known of sources: the newest states of each, bounded, and whether a run was claimed for the last."""

from headway.core import facts as f
from headway.core.event_memory import REMEMBERED, Memory


def memory(*facts: f.Fact) -> Memory:
    made = Memory()
    for n, fact in enumerate(facts, start=1):
        made.after(f.Entry(seq=n + 100, stream="trigger/churn", n=n, at=float(n), fact=fact))
    return made


def seen(key: str, source: str = "push", n_rows: int | None = None) -> f.EventSeen:
    return f.EventSeen(source=source, key=key, why="w", n_rows=n_rows)


def test_the_newest_state_of_a_source_is_the_last_that_was_told() -> None:
    known = memory(
        f.SourceWatched(source="push", key="main@a", n_rows=3), seen("dev@b"), seen("main@a"), seen("x", "hand")
    )
    newest = known.newest("push")
    assert newest is not None
    assert (newest.key, newest.at, newest.seq, newest.n_rows) == ("main@a", 3.0, 103, None)
    assert [one.key for one in known.states("push")] == ["main@a", "dev@b"]
    other = known.newest("push", "dev@")
    assert other is not None
    assert other.key == "dev@b"
    assert known.newest("data: a.csv") is None
    assert known.length == 4


def test_a_claim_is_for_what_was_told_before_it() -> None:
    claim = f.TriggerFired(firing=1, sources=("push",), why="w")
    assert not memory(seen("a")).is_fired("push")
    assert memory(seen("a"), claim).is_fired("push")
    assert not memory(seen("a"), claim, seen("b")).is_fired("push")
    assert not memory(seen("a", "hand"), claim).is_fired("hand")
    assert not memory(claim).is_fired("push")


def test_of_one_source_not_more_is_remembered_than_anybody_needs() -> None:
    known = memory(*[seen(str(n)) for n in range(REMEMBERED + 5)])
    keys = [one.key for one in known.states("push")]
    assert (len(keys), keys[0], keys[-1]) == (REMEMBERED, str(REMEMBERED + 4), "5")
