import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core import tally_known
from headway.core.tally import Tally
from headway.core.tally_answers import Bins
from headway.core.tally_known import Labelled, Recent, Waiting
from logged import CANARY, NEW, OLD, label, line, strategy, total

rows = st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3)), max_size=60)


@given(rows)
def test_a_row_is_new_once_however_they_are_packed(log: list[tuple[str, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tally_known, "_LOOSE", 4)
        known, seen = Labelled(), set[tuple[str, int]]()
        for request_id, row in log:
            assert known.is_new(request_id, row) == ((request_id, row) not in seen)
            seen.add((request_id, row))
        assert len(known) == len(seen)


def test_labels_that_cannot_be_told_apart_any_more_are_not_counted_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_known, "MOST_LABELS", 3)
    one = Tally(strategy(CANARY, rollback=["quality"]), NEW, OLD, Bins(of="classes", classes=("0",)))
    lines = [line(f"r{i}", NEW) for i in range(5)]
    found = total(one.after(lines, [label(f"r{i}", 0) for i in range(5)], lines))
    assert found.new.labelled == 3
    assert one.told() == ("2 labels came when no more could be told apart",)


def test_ids_are_remembered_for_a_minute_at_least_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally_known, "MOST_RECENT", 1000)
    recent = Recent()
    assert recent.is_new("a", 0.0)
    assert not recent.is_new("a", 59.0)
    # Few requests: what is remembered is small, and is kept.
    assert not recent.is_new("a", 600.0)
    busy = Recent()
    assert all(busy.is_new(f"r{i}", i / 10) for i in range(100_000))
    assert len(busy._now) + len(busy._before) <= 2000
    assert not busy.is_new("r99999", 10_000.0)
    assert not busy.is_new("r99500", 10_000.0)
    assert busy.is_new("r0", 10_000.0)


def test_the_one_that_has_waited_longest_makes_room() -> None:
    waiting: Waiting[int] = Waiting(2)
    for i, name in enumerate("abc"):
        waiting.put(name, i)
    waiting.put("a", 7)
    assert waiting.given_up() == [7]
    assert [name in waiting for name in "abc"] == [False, True, True]
    assert (waiting.pop("b"), waiting.pop("b"), waiting.get("c"), len(waiting)) == (1, None, 2, 1)
