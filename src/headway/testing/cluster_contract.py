"""What a release in any cluster must come to: subclass the suite here and say how the cluster is reached.

The same scenarios run against the fake on every change and, by `make test-cluster`, against a real one with a kubelet
and containers. A broken version is to be named with its own words within half a minute while the one that serves goes
on, and nothing of it may be left. Needs pytest.
"""

import json
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

import pytest
from msgspec import Struct

from headway.backends.target_kubernetes import KubernetesTarget
from headway.core import manifest as m
from headway.core.manifest_names import ENDPOINT, label_value, log_name, version_name
from headway.core.routing import Route, Table
from headway.errors import TargetUnavailable, VersionNotReady
from headway.ports import Answer, Serving

NAMED_S = 30.0
"""How soon a broken version is to be named."""

START_S = 180.0
"""How long a good one may take: an image may have to be pulled."""

ROW = b'{"x": 1}'


class Scenario(Struct, frozen=True, kw_only=True):
    """A version that goes wrong. `program` is its model, `placement` what is asked of the cluster for it.

    `words` is a pattern for how it is named; `fake` the recording that plays it.
    """

    words: str
    fake: str
    program: str = "def predict(rows): return [2] * len(rows)"
    placement: dict[str, Any] = {}


BROKEN = {
    "image-missing": Scenario(
        words=r"its image cannot be pulled: ", fake="image-missing", placement={"image": "{image}-that-is-not-there"}
    ),
    "crash-at-start": Scenario(
        words=r"server ended with exit code \d+, 2 times[\s\S]*boom: cannot load model",
        fake="crash-at-start",
        program="raise RuntimeError('boom: cannot load model')",
    ),
    "bad-config": Scenario(
        words=r'(secret|configmap) "nope" not found', fake="missing-configmap", placement={"secret": "nope"}
    ),
    "unschedulable": Scenario(
        words=r"no node takes it: .*Insufficient cpu", fake="unschedulable-cpu-gpu", placement={"cpu": "5000"}
    ),
    "model-pull-fails": Scenario(
        words=r"model ended with exit code \d+, 2 times", fake="init-container-fails", program="# in no store"
    ),
    "never-ready": Scenario(
        words=r"server (runs and is not ready|was killed).*probe failed",
        fake="never-ready",
        program="import time\ntime.sleep(3600)",
        placement={"start_s": 300},
    ),
    "out-of-memory": Scenario(
        words="used more memory than its limit and was killed",
        fake="oom-killed",
        program="held = []\nwhile True:\n    held.append(bytearray(b'x') * (16 << 20))",
        placement={"memory": "512Mi"},
    ),
    "quota": Scenario(words="exceeded quota: ", fake="quota-exceeded"),
}
"""What goes wrong, by its name."""

CRASHES_UNDER_LOAD = """import os

def predict(rows):
    os.write(2, b"boom: under load\\n")
    os._exit(3)
"""


def good(version: int) -> str:
    """The program of a version that answers with its number."""
    return f"def predict(rows): return [{version}] * len(rows)"


class ClusterContract(ABC):
    """The scenarios. Override what is abstract; an endpoint's name is the class's own and all of it is taken down."""

    endpoint = "accepted"
    is_never_ready_after_s = 20.0

    @abstractmethod
    def target(self, placement: Mapping[str, Any]) -> KubernetesTarget:
        """The target, with these changes of its placement; `{image}` stands for the image."""

    @abstractmethod
    def serving(self, program: str, version: int, how: str = "") -> Serving:
        """A version with this program, whose files the cluster's pods can get; `how` names a broken one."""

    @abstractmethod
    def call(self, target: KubernetesTarget, body: bytes, request_id: str) -> Answer:
        """A client's request to the endpoint."""

    @abstractmethod
    def seconds(self) -> float:
        """The time that goes by in the cluster."""

    @abstractmethod
    def wait(self, seconds: float) -> None:
        """Let so much time go by there."""

    @abstractmethod
    def quota(self) -> AbstractContextManager[None]:
        """While it lasts no further pod is allowed."""

    @abstractmethod
    def stray_pod(self, target: KubernetesTarget, manifest: m.Manifest) -> None:
        """Make a pod of one's own, and wait until it is ready."""

    @abstractmethod
    def kubectl(self) -> Mapping[str, str] | None:
        """The environment in which `kubectl` speaks to the cluster; None where there is no kubectl."""

    def tell(self, figure: str) -> None:
        """Say what was measured, where pytest shows it with a test that fails; override to show it always."""
        sys.stdout.write(f"{figure}\n")

    @pytest.fixture(autouse=True)
    def _taken_down(self) -> Iterator[None]:
        yield
        self.target({}).stop(self.endpoint, None)

    # --- words of the suite -------------------------------------------------------------------------------------

    def up(self, *versions: int, replicas: int = 2) -> KubernetesTarget:
        """Start these; the first one serves, and answers: a Gateway says that it took a route before it goes by it."""
        target = self.target({"replicas": replicas})
        for version in versions:
            target.start(self.serving(good(version), version), port=0, timeout_s=START_S)
        target.switch(self.endpoint, versions[0])
        self.until(lambda: self.call(target, ROW, "the-first").status == 200, within_s=20, what="the endpoint answers")
        return target

    def told(self, target: KubernetesTarget, *, n: int = 20, prefix: str = "r") -> list[int]:
        """Who answered so many requests; none may fail."""
        found = []
        for number in range(n):
            answer = self.call(target, ROW, f"{prefix}-{number}")
            assert answer.status == 200, answer.body
            found.append(json.loads(answer.body)["predictions"][0])
        return found

    def until(self, is_so: Callable[[], bool], *, within_s: float, what: str) -> None:
        """Wait for something."""
        ends_at = self.seconds() + within_s
        while not is_so():
            assert self.seconds() < ends_at, f"{what}: not within {within_s:g} s"
            self.wait(0.5)

    # --- the scenarios ------------------------------------------------------------------------------------------

    def test_a_good_version_serves_and_applying_it_again_would_change_nothing(self) -> None:
        target = self.up(1)
        assert self.told(target, n=3) == [1, 1, 1]
        state = target.state(self.endpoint)
        assert state is not None
        assert (state.serving, state.versions, state.healthy, state.ends) == (1, (1,), True, ())
        assert target.diff(self.serving(good(1), 1)) == []
        target.start(self.serving(good(1), 1), port=0, timeout_s=START_S)
        assert self.told(target, n=3) == [1, 1, 1]

    def test_a_second_version_takes_over_and_the_first_one_comes_back(self) -> None:
        target = self.up(1, 2)
        assert set(self.told(target)) == {1}
        target.switch(self.endpoint, 2)
        self.until(lambda: set(self.told(target, n=5)) == {2}, within_s=10, what="2 answers alone")
        target.switch(self.endpoint, 1)
        self.until(lambda: set(self.told(target, n=5)) == {1}, within_s=10, what="1 answers alone")

    @pytest.mark.parametrize("how", BROKEN)
    def test_a_broken_version_is_named_soon_with_its_own_words_and_the_other_serves_on(self, how: str) -> None:
        scenario = BROKEN[how]
        target = self.up(1)
        broken = self.target(scenario.placement)
        serving = self.serving(scenario.program, 2, how)
        # All but this one are certain long before their time is over.
        timeout_s = self.is_never_ready_after_s if how == "never-ready" else START_S
        if how == "never-ready":
            broken = self.target({**scenario.placement, "start_s": round(timeout_s)})
        with self.quota() if how == "quota" else nullcontext():
            began = self.seconds()
            with pytest.raises(VersionNotReady, match=scenario.words) as e:
                broken.start(serving, port=0, timeout_s=timeout_s)
            took_s = self.seconds() - began
        self.tell(f"{how}: named after {took_s:.1f} s")
        assert took_s <= NAMED_S
        assert "no traffic reached it" in e.value.remedy
        assert set(self.told(target, n=3)) == {1}
        state = target.state(self.endpoint)
        assert state is not None
        assert (state.serving, state.held, state.healthy) == (1, (1,), True)

    def test_a_version_that_crashes_under_load_is_named_with_its_last_words(self) -> None:
        target = self.up(1)
        target.start(self.serving(CRASHES_UNDER_LOAD, 2, "crash-under-load"), port=0, timeout_s=START_S)
        began = self.seconds()
        # What the API server says of a pod that ends under a request, if it says anything.
        with suppress(VersionNotReady):
            answers = target.ask(self.endpoint, 2, [ROW] * 4, timeout_s=5)
            assert {answer.status for answer in answers} & {500, 502, 503}
        ended: list[str] = []

        def is_told() -> bool:
            state = target.state(self.endpoint)
            assert state is not None
            ended[:] = [one.words for one in state.ends if one.version == 2]
            return any("boom: under load" in words for words in ended)

        self.until(is_told, within_s=NAMED_S - (self.seconds() - began), what="its last words")
        self.tell(f"crash-under-load: named after {self.seconds() - began:.1f} s")
        assert set(self.told(target, n=3)) == {1}

    def test_a_pod_that_serves_another_model_is_named_before_any_traffic(self) -> None:
        target = self.up(1)
        running = target.client.get("Deployment", version_name(self.endpoint, 1))
        assert running is not None
        template = running["spec"]["template"]
        labels = {**template["metadata"]["labels"], **m.labels(self.endpoint, 2)}
        name = f"{version_name(self.endpoint, 2)}-stray"
        meta = {"name": name, "labels": labels}
        self.stray_pod(target, {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]})
        try:
            with pytest.raises(VersionNotReady, match=r"-stray serves .*@1 \(.*\), and not .*@2"):
                target.start(self.serving(good(2), 2), port=0, timeout_s=START_S)
        finally:
            target.client.delete("Pod", name)
        assert set(self.told(target, n=3)) == {1}

    @pytest.mark.parametrize("ends", ["abort", "promote"])
    def test_a_canary_gets_its_share_and_its_end_gives_all_to_one(self, ends: str) -> None:
        target = self.up(1, 2, replicas=1)
        half = Table(routes=(Route(version=1, weight=1), Route(version=2, weight=1)))
        target.route(self.endpoint, half)
        self.until(lambda: set(self.told(target)) == {1, 2}, within_s=20, what="both answer")
        state = target.state(self.endpoint)
        assert state is not None
        assert (state.serving, state.table) == (1, half)
        found = self.told(target, n=100)
        # Of a fair coin 15 or fewer come once in 10^12 times.
        assert min(found.count(1), found.count(2)) > 15
        if ends == "abort":
            target.route(self.endpoint, None)
        else:
            target.switch(self.endpoint, 2)
        left = 1 if ends == "abort" else 2
        self.until(lambda: set(self.told(target)) == {left}, within_s=20, what=f"{left} answers alone")
        state = target.state(self.endpoint)
        assert state is not None
        assert (state.serving, state.table, state.versions) == (left, None, (1, 2))

    # Clusters before 1.22 do not write down who scaled something by the way that is made for it.
    @pytest.mark.parametrize("below", ["", "scale"], ids=["patched", "scaled"])
    def test_what_somebody_else_manages_is_not_taken_and_named(self, below: str) -> None:
        target = self.up(1, replicas=1)
        name = version_name(self.endpoint, 1)
        path = target.client.path("Deployment", name, below)
        body = b'{"spec": {"replicas": 2}}'
        kind = {"Content-Type": "application/merge-patch+json"}
        said = target.client.request("PATCH", path, {"fieldManager": "somebody"}, body, kind)
        assert said.status == 200, said.body
        with pytest.raises(TargetUnavailable, match=r'conflict with "somebody"[^:]*: \.spec\.replicas'):
            target.start(self.serving(good(1), 1), port=0, timeout_s=START_S)
        assert set(self.told(target, n=3)) == {1}

    def test_what_pods_logged_comes_here_once(self, tmp_path: "os.PathLike[str]") -> None:
        from headway.tables.prediction_log import read

        target = self.up(1)
        self.told(target, prefix="logged")
        wanted = {f"logged-{number}" for number in range(20)}
        folder = os.path.join(target.root, self.endpoint, "predictions")

        def is_here() -> bool:
            assert target.collect(self.endpoint) == []
            found = read(folder)["request_id"].to_list()
            assert len(found) == len(set(found))
            return wanted <= set(found)

        self.until(is_here, within_s=20, what="all 20 requests in the log here")
        target.stop(self.endpoint, None)
        found = [one for one in read(folder)["request_id"].to_list() if one in wanted]
        assert len(found) == 20

    def test_an_endpoint_that_was_taken_down_leaves_nothing(self) -> None:
        target = self.up(1, 2)
        target.stop(self.endpoint, 2)
        target.stop(self.endpoint, None)
        labels = {ENDPOINT: label_value(self.endpoint)}
        for kind in ("ConfigMap", "Deployment", "Service", "PodDisruptionBudget"):
            assert target.client.found(kind, labels) == []
        # To list all Secrets nobody who releases needs the right.
        assert target.client.get("Secret", log_name(self.endpoint)) is None
        self.until(lambda: target.client.found("Pod", labels) == [], within_s=90, what="all pods are gone")
        assert target.state(self.endpoint) is None

    def test_plain_steps_apply_a_deployment_and_list_its_pods(self, tmp_path: "os.PathLike[str]") -> None:
        """The words that people have in their pipelines: `kubectl apply -f` and `kubectl get pods -l`."""
        import subprocess

        environ = self.kubectl()
        if environ is None:
            pytest.skip("kubectl is not installed: the steps that call it were not run")
        target = self.target({})
        labels = {"app": "ml-model", ENDPOINT: label_value(self.endpoint)}
        container = {"name": "server", "image": target.image, "command": ["sleep", "600"]}
        spec = {"terminationGracePeriodSeconds": 1, "containers": [container]}
        name = f"{self.endpoint}-plain"
        deployment = {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": spec},
            },
        }
        folder = os.fspath(tmp_path)
        with open(os.path.join(folder, "deployment.yaml"), "w", encoding="utf-8") as f:
            json.dump(deployment, f)
        with open(os.path.join(folder, "pipeline.yaml"), "w", encoding="utf-8") as f:
            f.write(
                "steps:\n"
                "  - name: Deploy Model\n    run: kubectl apply -f deployment.yaml\n"
                "  - name: Verify Deployment\n    run: kubectl get pods -l app=ml-model\n"
            )

        def headway(*words: str) -> str:
            argv = [sys.executable, "-m", "headway", *words]
            done = subprocess.run(
                argv, cwd=folder, env=dict(environ), capture_output=True, text=True, timeout=100, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        try:
            headway("run")
            assert f"deployment.apps/{name} created" in headway("logs", "1", "deploy-model")
            self.until(lambda: bool(target.client.found("Pod", labels)), within_s=30, what="its pod")
            headway("run")
            assert f"deployment.apps/{name} unchanged" in headway("logs", "2", "deploy-model")
            assert f"{name}-" in headway("logs", "2", "verify-deployment")
        finally:
            target.client.delete("Deployment", name)
