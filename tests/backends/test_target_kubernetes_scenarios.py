"""The scenarios of `make test-cluster` against the fake: the same words, in the time that was recorded."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest
from blake3 import blake3

from clusters import lines
from headway.backends.target_kubernetes import KubernetesTarget
from headway.backends.target_kubernetes.access import Access
from headway.core import manifest as m
from headway.core.ids import Digest
from headway.core.manifest_names import endpoint_name
from headway.core.placement import Placement
from headway.core.prediction_log import Line
from headway.ports import Answer, Serving
from headway.serving.journal import Journal
from headway.testing.clock import Clock
from headway.testing.cluster_contract import BROKEN, ClusterContract
from headway.testing.kubernetes import FakeKubernetes


class InFake(ClusterContract):
    """A version's format says how it comes up, as its file cannot run here."""

    gateway: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture(autouse=True)
    def _begun(self, tmp_path: Path) -> Iterator[None]:
        self.root, self.clock = tmp_path, Clock()
        self.journals: dict[str, Journal] = {}
        self.fake = FakeKubernetes(
            clock=self.clock.now,
            plays=self._play,
            answer=self._answer,
            gateway=() if self.gateway else None,
            logs=str(tmp_path / "pods"),
        )
        with self.fake:
            yield
        for one in self.journals.values():
            one.close()

    # The suite takes the endpoint down before the fake ends.
    @pytest.fixture(autouse=True)
    def _taken_down(self, _begun: None) -> Iterator[None]:
        yield
        self.target({}).stop(self.endpoint, None)

    def target(self, placement: Mapping[str, Any]) -> KubernetesTarget:
        told = {"image": "headway:1", **self.gateway, **placement}
        told["image"] = told["image"].replace("{image}", "headway")
        reached = Access(server=self.fake.url)
        endpoints = str(self.root / "endpoints")
        return KubernetesTarget(
            lambda: reached, Placement(**told), endpoints, now=self.clock.now, sleep=self.clock.jump
        )

    def serving(self, program: str, version: int, how: str = "") -> Serving:
        digest = Digest(blake3(program.encode()).hexdigest())
        kind = BROKEN[how].fake if how in BROKEN else how or "function"
        return Serving(
            endpoint=self.endpoint, model="m", version=version, path="models/model.py", format=kind, digest=digest
        )

    def _play(self, deployment: dict[str, Any]) -> Any:
        meta = deployment["metadata"]
        config = self.fake.objects.held.get(("configmaps", meta["namespace"], meta["name"]))
        kind = json.loads(config["data"]["version.json"])["format"] if config is not None else "function"
        return None if kind in ("function", "crash-under-load") else lines(kind)

    def _answer(self, spec: dict[str, Any], path: str, body: bytes) -> tuple[int, bytes]:
        its = msgspec.convert(spec, Serving)
        if path == "/":
            return 200, msgspec.json.encode({"model": its.model, "version": its.version, "digest": its.digest})
        if its.format == "crash-under-load":
            self._crash(its)
            return 502, b"EOF"
        return 200, msgspec.json.encode({"predictions": [its.version]})

    def _crash(self, its: Serving) -> None:
        crashed = next(
            one
            for line in lines("crash-at-start")
            if line["resource"] == "pods"
            for one in line["object"]["status"].get("containerStatuses", [])
            if one["restartCount"] == 1
        )
        for pod in self.fake.objects.found("pods", "default", m.labels(self.endpoint, its.version)):
            status = {**pod["status"], "containerStatuses": [{**crashed, "name": "server"}]}
            self.fake.objects.put(("pods", "default", pod["metadata"]["name"]), {**pod, "status": status})
            said = {"exit": 0, "stdout": "boom: under load\n", "stderr": ""}
            for is_previous in (False, True):
                self.fake._logs[pod["metadata"]["name"], "server", is_previous] = said

    def call(self, target: KubernetesTarget, body: bytes, request_id: str) -> Answer:
        host = self.gateway.get("hostname") or f"{endpoint_name(self.endpoint)}.default.svc"
        status, content = self.fake.call(host, "/predict", body)
        if status == 200:
            self._log(json.loads(content)["predictions"][0], request_id)
        return Answer(status=status, body=content, ms=0.0)

    def _log(self, version: int, request_id: str) -> None:
        """What the pod's own writer would write."""
        pod, *_ = self.fake.objects.found("pods", "default", m.labels(self.endpoint, version))
        folder = str(self.root / "pods" / pod["metadata"]["name"])
        if folder not in self.journals:
            os.makedirs(folder, exist_ok=True)
            self.journals[folder] = Journal(folder, "predictions")
        line = Line(
            request_id=request_id,
            at=self.clock.now(),
            ms=1.0,
            model="m",
            version=version,
            rows=[{"x": 1}],
            predictions=[version],
        )
        self.journals[folder].append(msgspec.json.encode(line) + b"\n", 1)

    def seconds(self) -> float:
        return self.clock.now()

    def wait(self, seconds: float) -> None:
        self.clock.jump(seconds)

    @contextmanager
    def quota(self) -> Iterator[None]:
        # The recording has one.
        yield

    def stray_pod(self, target: KubernetesTarget, manifest: m.Manifest) -> None:
        made = target.client.apply(manifest)
        ready = {"type": "Ready", "status": "True"}
        status = {"phase": "Running", "conditions": [ready], "containerStatuses": []}
        self.fake.objects.put(("pods", "default", made["metadata"]["name"]), {**made, "status": status})

    def kubectl(self) -> Mapping[str, str] | None:
        if shutil.which("kubectl") is None:
            return None
        config = self.root / "kubeconfig"
        cluster = {"name": "fake", "cluster": {"server": self.fake.url}}
        context = {"name": "fake", "context": {"cluster": "fake", "user": "me"}}
        told = {"apiVersion": "v1", "kind": "Config", "clusters": [cluster], "contexts": [context]}
        told |= {"users": [{"name": "me", "user": {"token": "me"}}], "current-context": "fake"}
        config.write_text(json.dumps(told))
        home = self.root / "home"
        home.mkdir(exist_ok=True)
        return {**os.environ, "KUBECONFIG": str(config), "HOME": str(home)}  # noqa: TID251 (a child inherits it)


class TestByCopies(InFake):
    pass


class TestByGateway(InFake):
    gateway: ClassVar[Mapping[str, str]] = {"gateway": "public", "hostname": "accepted.example.com"}
