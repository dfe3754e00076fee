"""The log as the daemon's sources see it: the contract's, but for what was appended since the loop last looked."""

import pytest

from headway.backends.log_memory import MemoryLog
from headway.core import facts as f
from headway.flows.daemon_log import QuietLog
from headway.ports import Log
from headway.testing.log_contract import LogContract

NEWS = f.EventSeen(source="hand", key="a", why="w")


class Counting(MemoryLog):
    """Counts how often a stream is read."""

    n_read = 0

    def read(self, stream: str, *, after: int = 0) -> list[f.Entry]:
        self.n_read += 1
        return super().read(stream, after=after)


class TestContract(LogContract):
    """Of one who writes through it, as the daemon does."""

    @pytest.fixture(autouse=True)
    def _places(self) -> None:
        self.places: dict[str, QuietLog] = {}

    def make(self, root: str) -> Log:
        return self.places.setdefault(root, QuietLog(MemoryLog()))


def test_a_stream_with_nothing_new_is_not_read_again() -> None:
    inner = Counting()
    quiet = QuietLog(inner)
    assert [quiet.read("trigger/a") for _ in range(5)] == [[]] * 5
    assert inner.n_read == 1
    quiet.append("trigger/a", [NEWS], expect=0, at=1.0)
    assert [len(quiet.read("trigger/a", after=n)) for n in (0, 1, 1, 0)] == [1, 0, 0, 1]
    assert inner.n_read == 3


def test_what_others_appended_is_seen_when_the_loop_says_so() -> None:
    inner = Counting()
    quiet = QuietLog(inner)
    assert quiet.read("trigger/a") == []
    inner.append("trigger/a", [NEWS], expect=0, at=1.0)
    assert quiet.read("trigger/a") == []
    quiet.stirred()
    assert len(quiet.read("trigger/a")) == 1
