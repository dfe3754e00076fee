"""The one loop where others may write beside it: nothing that happened is lost, and nobody else's word is missed."""

from collections.abc import Iterator, Sequence

import pytest

from headway.backends.log_memory import MemoryLog
from headway.core import facts as f
from headway.core.facts import Fact
from headway.errors import AppendConflict
from headway.flows.settle import settle

SAID = f.ReleaseDirected(release=1, act="pause", by="ann")


class Counting:
    """Wants `n` acts; knows all that it was told."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.told: list[Fact] = []

    def after(self, fact: Fact, at: float) -> None:
        assert at >= 0
        self.told.append(fact)

    def next(self, now: float) -> Sequence[int]:
        assert now >= 0
        n_done = sum(isinstance(fact, f.StageBegan) for fact in self.told)
        return () if n_done == self.n else (n_done,)


class Place:
    def __init__(self, other: Fact | None = None) -> None:
        self.log = MemoryLog()
        self.other = other

    def act(self, number: int) -> Iterator[Sequence[Fact]]:
        if self.other is not None:
            # Somebody writes while the act is under way.
            n = len(self.log.read("s"))
            self.log.append("s", [self.other], expect=n, at=1.0)
        yield [f.StageBegan(release=1, stage=number)]

    def settle(self, machine: Counting, beside: tuple[type[Fact], ...] = ()) -> int:
        return settle(machine, log=self.log, stream="s", act=self.act, now=lambda: 2.0, beside=beside)


def test_what_others_may_write_is_told_in_its_place_and_what_happened_is_appended_behind_it() -> None:
    place, machine = Place(SAID), Counting(2)
    assert place.settle(machine, (f.ReleaseDirected,)) == 4
    written = [entry.fact for entry in place.log.read("s")]
    began = [f.StageBegan(release=1, stage=stage) for stage in (0, 1)]
    assert written == machine.told == [SAID, began[0], SAID, began[1]]


def test_nobody_may_write_beside_it_unless_it_is_said() -> None:
    place = Place(SAID)
    with pytest.raises(AppendConflict):
        place.settle(Counting(1))


def test_what_others_may_not_write_stops_it() -> None:
    place = Place(f.EndpointStopped())
    with pytest.raises(AppendConflict, match="EndpointStopped"):
        place.settle(Counting(1), (f.ReleaseDirected,))
    assert [entry.fact for entry in place.log.read("s")] == [f.EndpointStopped()]


def test_a_word_that_was_said_between_acts_is_heard_before_the_next_one() -> None:
    place, machine = Place(), Counting(3)
    seen: list[int] = []

    def act(number: int) -> Iterator[Sequence[Fact]]:
        seen.append(sum(fact == SAID for fact in machine.told))
        yield [f.StageBegan(release=1, stage=number)]
        place.log.append("s", [SAID], expect=len(place.log.read("s")), at=1.0)

    settle(machine, log=place.log, stream="s", act=act, now=lambda: 2.0, beside=(f.ReleaseDirected,))
    assert seen == [0, 1, 2]
