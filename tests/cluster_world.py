"""A fake cluster for tests of what speaks to one: time passes when the target waits, versions answer their number."""

import json
import os
from collections.abc import Sequence
from typing import Any

import msgspec

from clusters import lines
from headway.backends.target_kubernetes import KubernetesTarget
from headway.backends.target_kubernetes.access import Access
from headway.backends.target_memory import its_version
from headway.core.placement import Placement
from headway.ports import Serving
from headway.testing.clock import Clock
from headway.testing.kubernetes import FakeKubernetes

ROUTED = Placement(image="headway:1", gateway="public", hostname="flights.example.com")
PLAIN = Placement(image="headway:1")


class World:
    """A version's format says how it comes up: `function` well, else as the recording of that name.

    `changes` is what pods say of themselves beside their spec; `gateway` are the features of a Gateway, None: there is
    none.
    """

    def __init__(self, root: str, *, gateway: Sequence[str] | None = (), **more: Any) -> None:
        self.root, self.clock = root, Clock()
        self.changes: dict[str, Any] = {}
        self.cluster = FakeKubernetes(
            clock=self.clock.now,
            plays=self.play,
            answer=self._answer,
            gateway=gateway,
            logs=os.path.join(root, "pods"),
            **more,
        )

    def target(self, placement: Placement = PLAIN) -> KubernetesTarget:
        reached = Access(server=self.cluster.url)
        root = os.path.join(self.root, "endpoints")
        return KubernetesTarget(lambda: reached, placement, root, now=self.clock.now, sleep=self.clock.jump)

    def play(self, deployment: dict[str, Any]) -> Sequence[dict[str, Any]] | None:
        meta = deployment["metadata"]
        spec = json.loads(
            self.cluster.objects.held["configmaps", meta["namespace"], meta["name"]]["data"]["version.json"]
        )
        return None if spec["format"] == "function" else lines(spec["format"])

    def _answer(self, spec: dict[str, Any], path: str, body: bytes) -> tuple[int, bytes]:
        its = msgspec.convert({**spec, **self.changes}, Serving)
        if path == "/":
            return 200, msgspec.json.encode({"model": its.model, "version": its.version, "digest": its.digest})
        assert path == "/predict"
        if len(body) > its.limits.max_body_bytes:
            return 413, b"{}"
        said = its_version(its, body)
        return said.status, said.body

    def names(self, kind: str) -> list[str]:
        return sorted(key[2] for key in self.cluster.objects.held if key[0] == kind)

    def n_pods(self, version: int) -> int:
        return len(self.cluster.objects.found("pods", "default", {"headway.dev/version": str(version)}))
