"""The fake store keeps the contract of the real one."""

import itertools
from collections.abc import Callable

import pytest

from headway.backends.blobs_memory import MemoryBlobs
from headway.core.ids import Digest
from headway.ports import Blobs
from headway.testing.blobs_contract import BlobsContract
from headway.testing.stateful import BRIEFLY, BlobsMachine


class TestMemoryBlobs(BlobsContract):
    @pytest.fixture(autouse=True)
    def _places(self) -> None:
        self.places: dict[str, MemoryBlobs] = {}

    def make(self, root: str) -> Blobs:
        return self.places.setdefault(root, MemoryBlobs())

    def damage(self, blobs: Blobs, root: str, digest: Digest) -> None:
        self.places[root].damage(digest)


class Machine(BlobsMachine):
    def place(self) -> Callable[[], Blobs]:
        return itertools.repeat(MemoryBlobs()).__next__


TestMachine = Machine.TestCase
TestMachine.settings = BRIEFLY
