"""The fake target keeps the contract of all targets."""

import msgspec

from headway.backends.target_memory import MemoryTarget
from headway.ports import Answer, Serving, Target
from headway.testing.target_contract import TargetContract, serving


class TestMemoryTarget(TargetContract):
    def make(self, root: str) -> Target:
        return MemoryTarget()

    def call(self, target: Target, url: str, body: bytes) -> Answer:
        assert isinstance(target, MemoryTarget)
        return target.call(url, body)

    def broken(self, root: str, version: int) -> Serving:
        return msgspec.structs.replace(serving(root, version), format="broken")
