"""The scenarios of releases in a real cluster: `make test-cluster` (docs/kubernetes.md says what it needs)."""

import importlib.util
import json
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from blake3 import blake3

from headway import config
from headway.backends import connect
from headway.backends.target_kubernetes import KubernetesTarget
from headway.backends.target_kubernetes import connect as reach
from headway.core import manifest as m
from headway.core.ids import Digest
from headway.core.manifest_names import endpoint_name
from headway.core.placement import Placement
from headway.core.routing import Route, Table
from headway.ports import Answer, Serving
from headway.testing.cluster_contract import ROW, START_S, ClusterContract, good

pytestmark = [pytest.mark.slow, pytest.mark.cluster, pytest.mark.timeout(600)]

QUOTA = "/api/v1/namespaces/{}/resourcequotas/accepted"


class TestCluster(ClusterContract):
    @pytest.fixture(autouse=True)
    def _reached(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        self.capfd = capfd
        settings = config.load(folder=str(tmp_path))
        self.environ = settings.environ
        said = settings.target_environ["HEADWAY_KUBERNETES"]
        if not said:
            pytest.skip("NO CLUSTER: HEADWAY_KUBERNETES says nothing of one, so that no scenario was run on a real one")
        self.root = tmp_path
        placement = msgspec.json.decode(said, type=Placement)
        store = placement.store_url or f"file:{_models().STORE}"
        self.placement = msgspec.structs.replace(placement, store_url=store, replicas=1)
        if not store.startswith("file:"):
            _models().put(connect("blobs", store, settings.store_environ))
        self.gateway = settings.environ.get("HEADWAY_CLUSTER_GATEWAY", "")

    # The suite takes the endpoint down where it was reached.
    @pytest.fixture(autouse=True)
    def _taken_down(self, _reached: None) -> Iterator[None]:
        yield
        self.target({}).stop(self.endpoint, None)

    def target(self, placement: Mapping[str, Any]) -> KubernetesTarget:
        told = {
            key: one.replace("{image}", self.placement.image) if key == "image" else one
            for key, one in placement.items()
        }
        said = msgspec.json.encode(msgspec.structs.replace(self.placement, **told)).decode()
        return reach(f"kubernetes:{self.root}/endpoints", {**self.environ, "HEADWAY_KUBERNETES": said})

    def serving(self, program: str, version: int, how: str = "") -> Serving:
        digest = Digest(blake3(program.encode()).hexdigest())
        return Serving(
            endpoint=self.endpoint, model="m", version=version, path="models/model.py", format="function", digest=digest
        )

    def call(self, target: KubernetesTarget, body: bytes, request_id: str) -> Answer:
        told = {"X-Request-Id": request_id, "Content-Type": "application/json"}
        if self.placement.gateway and self.gateway:
            return self._through_gateway(body, told)
        # The API server chooses a pod of the Service for each request.
        path = target.client.path("Service", f"{endpoint_name(self.endpoint)}:80", "proxy/predict")
        said = target.client.request("POST", path, None, body, told)
        return Answer(status=said.status, body=said.body, ms=0.0)

    def _through_gateway(self, body: bytes, told: Mapping[str, str]) -> Answer:
        connection = HTTPConnection(urlsplit(self.gateway).netloc, timeout=10)
        try:
            host = {"Host": self.placement.hostname} if self.placement.hostname else {}
            connection.request("POST", "/predict", body, {**told, **host})
            said = connection.getresponse()
            return Answer(status=said.status, body=said.read(), ms=0.0)
        finally:
            connection.close()

    @pytest.mark.parametrize("ends", ["abort", "promote"])
    def test_a_canary_gets_its_share_and_its_end_gives_all_to_one(self, ends: str) -> None:
        if self.placement.gateway and not self.gateway:
            pytest.skip("HEADWAY_CLUSTER_GATEWAY says no address of the Gateway: no canary was run through it")
        super().test_a_canary_gets_its_share_and_its_end_gives_all_to_one(ends)

    def test_no_request_fails_while_a_version_comes_by_canary_and_the_other_goes(self) -> None:
        target = self.up(1)
        with self._clients(4) as answers:
            target.start(self.serving(good(2), 2), port=0, timeout_s=START_S)
            target.route(self.endpoint, Table(routes=(Route(version=1, weight=1), Route(version=2, weight=1))))
            self.until(lambda: {1, 2} <= {told for _, told in answers[-40:]}, within_s=60, what="both answer")
            target.switch(self.endpoint, 2)
            self.until(lambda: {told for _, told in answers[-40:]} == {2}, within_s=60, what="2 answers alone")
            target.stop(self.endpoint, 1)
            old = m.labels(self.endpoint, 1)
            self.until(lambda: target.client.found("Pod", old) == [], within_s=120, what="the old pods are gone")
        assert [one for one in answers if one[0] != 200] == []
        self.tell(f"canary, promotion and end of the old version: {len(answers)} requests, none failed")

    @contextmanager
    def _clients(self, n: int) -> Iterator[list[tuple[int, int]]]:
        """While it lasts so many clients ask, one request after the other; the status and the version of each."""
        answers: list[tuple[int, int]] = []
        over = threading.Event()

        def ask(who: int) -> None:
            target, number = self.target({}), 0
            while not over.is_set():
                number += 1
                said = self.call(target, ROW, f"client-{who}-{number}")
                answers.append((said.status, json.loads(said.body)["predictions"][0] if said.status == 200 else 0))

        with ThreadPoolExecutor(n) as pool:
            asked = [pool.submit(ask, who) for who in range(n)]
            try:
                yield answers
            finally:
                over.set()
        for one in asked:
            one.result()

    def tell(self, figure: str) -> None:
        with self.capfd.disabled():
            sys.stdout.write(f"\n  {figure}\n")

    def seconds(self) -> float:
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    @contextmanager
    def quota(self) -> Iterator[None]:
        client = self.target({}).client
        path = QUOTA.format(client.namespace)
        n_pods = len(client.found("Pod"))
        made = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "accepted"}}
        body = json.dumps({**made, "spec": {"hard": {"pods": str(n_pods)}}}).encode()
        kind = {"Content-Type": "application/apply-patch+yaml"}
        said = client.request("PATCH", path, {"fieldManager": m.MANAGER}, body, kind)
        assert said.status < 300, said.body
        try:
            self.until(
                lambda: bool(client.request("GET", path).json().get("status", {}).get("used")),
                within_s=30,
                what="the quota is counted",
            )
            yield
        finally:
            client.request("DELETE", path)

    def stray_pod(self, target: KubernetesTarget, manifest: m.Manifest) -> None:
        target.client.apply(manifest)
        name = manifest["metadata"]["name"]

        def is_ready() -> bool:
            pod = target.client.get("Pod", name)
            conditions = [] if pod is None else pod.get("status", {}).get("conditions", [])
            return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)

        self.until(is_ready, within_s=120, what="a pod of one's own is ready")

    def kubectl(self) -> Mapping[str, str] | None:
        if shutil.which("kubectl") is None:
            return None
        context = [f"--context={self.placement.context}"] if self.placement.context else []
        if self.placement.api:
            cluster = {"server": self.placement.api}
            told: dict[str, Any] = {"apiVersion": "v1", "kind": "Config", "current-context": "c"}
            told["clusters"] = [{"name": "c", "cluster": cluster}]
            told["users"] = [{"name": "c", "user": {"token": self.environ.get("HEADWAY_KUBERNETES_TOKEN", "none")}}]
            told["contexts"] = [{"name": "c", "context": {"cluster": "c", "user": "c"}}]
        else:
            argv = ["kubectl", "config", "view", "--raw", "--minify", "-o", "json", *context]
            done = subprocess.run(argv, env=dict(self.environ), capture_output=True, check=True, timeout=60)
            told = json.loads(done.stdout)
        told["contexts"][0]["context"]["namespace"] = self.target({}).client.namespace
        path = self.root / "kubeconfig"
        path.write_text(json.dumps(told))
        path.chmod(0o600)
        return {**self.environ, "KUBECONFIG": str(path)}


class _Models:
    """What `models.py` beside this has; it is a script, so that it is read by its path."""

    STORE: str
    put: Callable[[object], None]


def _models() -> "_Models":
    spec = importlib.util.spec_from_file_location("cluster_models", Path(__file__).with_name("models.py"))
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    found: Any = made
    return found  # type: ignore[no-any-return] # a module
