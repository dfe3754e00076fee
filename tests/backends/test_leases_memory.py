"""The fake leases keep the contract of the real ones."""

import pytest

from headway.backends.leases_memory import MemoryLeases
from headway.ports import Leases
from headway.testing.leases_contract import LeasesByTimeContract


class TestMemoryLeases(LeasesByTimeContract):
    @pytest.fixture(autouse=True)
    def _places(self) -> None:
        self.places: dict[str, MemoryLeases] = {}

    def make(self, root: str) -> Leases:
        return self.places.setdefault(root, MemoryLeases())
