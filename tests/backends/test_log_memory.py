"""The fake log keeps the contract of the real one."""

import itertools
from collections.abc import Callable

import pytest

from headway.backends import connect
from headway.backends.log_memory import MemoryLog
from headway.ports import Log
from headway.testing.log_contract import LogContract
from headway.testing.stateful import BRIEFLY, LogMachine


class TestMemoryLog(LogContract):
    @pytest.fixture(autouse=True)
    def _places(self) -> None:
        self.places: dict[str, MemoryLog] = {}

    def make(self, root: str) -> Log:
        return self.places.setdefault(root, MemoryLog())


class Machine(LogMachine):
    def place(self) -> Callable[[], Log]:
        return itertools.repeat(MemoryLog()).__next__


TestMachine = Machine.TestCase
TestMachine.settings = BRIEFLY


def test_each_url_gives_a_log_of_its_own() -> None:
    assert connect("log", "memory:") is not connect("log", "memory:")
