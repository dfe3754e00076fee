"""The Kubernetes target keeps the contract of all targets, and names what goes wrong in a cluster in its own words."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from cluster_world import PLAIN, ROUTED, World
from clusters import lines
from headway import config, wiring
from headway.backends.target_kubernetes import KubernetesTarget, connect
from headway.backends.target_kubernetes.access import Access
from headway.core.placement import Placement
from headway.core.routing import Route, Shadow, Sticky, Table
from headway.errors import FileFaulty, TargetUnavailable, UsageMistaken, VersionNotReady
from headway.ports import Answer, EndpointState, Serving, Target
from headway.testing.target_contract import ENDPOINT, READY_S, TargetContract, serving


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(str(tmp_path))
    with made.cluster:
        yield made


def broken(root: str, version: int, how: str) -> Serving:
    return msgspec.structs.replace(serving(root, version), format=how)


class InCluster(TargetContract):
    """What both ways to make shares have in common."""

    placement = PLAIN
    keys_said = copies_said = ""

    @pytest.fixture(autouse=True)
    def _world(self, world: World) -> None:
        self.world = world

    def make(self, root: str) -> Target:
        return self.world.target(self.placement)

    def call(self, target: Target, url: str, body: bytes) -> Answer:
        status, content = self.world.cluster.call(urlsplit(url).netloc, "/predict", body)
        return Answer(status=status, body=content, ms=0.0)

    def broken(self, root: str, version: int) -> Serving:
        return broken(root, version, "crash-at-start")

    def test_a_key_stays_with_its_version(self, target: Target, root: str) -> None:
        self.up(target, root, 1, 2)
        routes = (Route(version=1, weight=1), Route(version=2, weight=1))
        with pytest.raises(UsageMistaken, match=self.keys_said):
            target.route(ENDPOINT, Table(routes=routes, sticky=Sticky(place="field", name="x")))

    def test_a_shadow_answers_nobody(self, target: Target, root: str) -> None:
        url = self.up(target, root, 1, 2)
        with pytest.raises(UsageMistaken, match=self.copies_said):
            target.route(ENDPOINT, Table(routes=(Route(version=1, weight=1),), shadow=Shadow(version=2)))
        assert self.told(target, url) == {1: 60}

    def test_a_table_that_cannot_be_is_refused_and_changes_nothing(self, target: Target, root: str) -> None:
        self.start(target, serving(root, 1))
        two = Table(routes=(Route(version=1, weight=1), Route(version=2, weight=1)))
        with pytest.raises(VersionNotReady):
            target.route(ENDPOINT, Table(routes=(Route(version=1, weight=1),)))
        url = target.switch(ENDPOINT, 1)
        with pytest.raises(VersionNotReady):
            target.route(ENDPOINT, two)
        self.start(target, serving(root, 2))
        target.route(ENDPOINT, two)
        for wrong in (Table(routes=two.routes[1:]), Table(routes=(Route(version=1, weight=0),))):
            with pytest.raises(UsageMistaken):
                target.route(ENDPOINT, wrong)
        assert self.state(target).table == two
        assert set(self.told(target, url)) == {1, 2}


class TestByGateway(InCluster):
    placement = ROUTED
    keys_said, copies_said = "a Gateway keeps no keys", r"do not say that they can copy .*\(HTTPRouteRequestMirror\)"

    def test_endpoints_know_nothing_of_each_other(self, target: Target, root: str) -> None:
        # One host is one endpoint's: here each has its own Service's name.
        super().test_endpoints_know_nothing_of_each_other(self.world.target(PLAIN), root)


def test_a_route_that_asks_a_gateway_for_what_it_has_not_is_said_to_be_well_and_answers_500(
    world: World, tmp_path: "os.PathLike[str]"
) -> None:
    """As was recorded: that is why a Gateway's class is asked, and not the route's conditions."""
    target = world.target(ROUTED)
    for version in (1, 2):
        target.start(serving(str(tmp_path), version), port=0, timeout_s=READY_S)
    url = target.switch(ENDPOINT, 1)
    target._gateway.put(ENDPOINT, {1: 1.0}, Shadow(version=2))
    assert world.cluster.call(urlsplit(url).netloc, "/predict", b"{}")[0] == 500
    target.switch(ENDPOINT, 1)
    assert world.cluster.call(urlsplit(url).netloc, "/predict", b"{}")[0] == 200


class TestByGatewayThatCopies(TestByGateway):
    @pytest.fixture(autouse=True)
    def _world(self, tmp_path: Path) -> Iterator[None]:
        self.world = World(
            str(tmp_path), gateway=("HTTPRouteRequestMirror", "HTTPRouteRequestPercentageMirror", "HTTPRouteMethods")
        )
        with self.world.cluster:
            yield

    def test_a_shadow_answers_nobody(self, target: Target, root: str) -> None:
        TargetContract.test_a_shadow_answers_nobody(self, target, root)
        assert self.world.cluster.n_copied == {"flights-v2": 60}

    def test_a_shadow_may_get_a_share(self, target: Target, root: str) -> None:
        url = self.up(target, root, 1, 2)
        table = Table(routes=(Route(version=1, weight=1),), shadow=Shadow(version=2, share=0.25))
        target.route(ENDPOINT, table)
        assert self.state(target).table == table
        assert self.told(target, url, n=200) == {1: 200}
        assert 45 <= self.world.cluster.n_copied["flights-v2"] <= 55
        target.route(ENDPOINT, None)
        before = self.world.cluster.n_copied["flights-v2"]
        assert self.told(target, url) == {1: 60}
        assert self.world.cluster.n_copied["flights-v2"] == before


class TestByCopies(InCluster):
    keys_said, copies_said = "a Service keeps no keys", "a Service copies no requests"


# --- what goes wrong ------------------------------------------------------------------------------------------------

WORDS = {
    "crash-at-start": ("server ended with exit code 3, 2 times\n  boom: cannot load model", 5),
    "init-container-fails": ("pull-model ended with exit code 4, 2 times\n  model sha256 mismatch", 5),
    "image-missing": ("its image cannot be pulled: registry.local:5000/web:missing: not found", 16),
    "image-registry-unreachable": ("i/o timeout", 25),
    "image-invalid-name": ("must be lowercase", 5),
    "oom-killed": ("used more memory than its limit and was killed", 3),
    "missing-configmap": ('configmap "nope" not found', 3),
    "missing-secret-volume": ('secret "nope" not found', 5),
    "unschedulable-cpu-gpu": ("no node takes it: 0/1 nodes are available: 1 Insufficient cpu", 25),
    "quota-exceeded": ("exceeded quota: q", 3),
    "never-ready": ("server runs and is not ready: Readiness probe failed", 25),
}


@pytest.mark.parametrize("how", WORDS)
def test_a_broken_version_is_named_with_its_own_words_in_time_and_leaves_nothing(
    world: World, tmp_path: "os.PathLike[str]", how: str
) -> None:
    words, within_s = WORDS[how]
    began = world.clock.now()
    with pytest.raises(VersionNotReady) as e:
        world.target().start(broken(str(tmp_path), 2, how), port=0, timeout_s=600)
    assert words in e.value.problem
    assert "no traffic reached it" in e.value.remedy
    assert world.clock.now() - began <= within_s
    assert not [key for key in world.cluster.objects.held if key[0] != "events"]


def test_a_version_that_is_too_slow_is_waited_for_no_longer_than_asked(tmp_path: "os.PathLike[str]") -> None:
    world = World(str(tmp_path), ready_s=100.0)
    with world.cluster:
        for start_s, timeout_s in ((1, 20), (20, 1)):
            hasty = world.target(msgspec.structs.replace(PLAIN, start_s=start_s))
            with pytest.raises(VersionNotReady, match="not ready after 20 s: 0 of 2 ready"):
                hasty.start(serving(str(tmp_path), 1), port=0, timeout_s=timeout_s)
        assert world.target().start(serving(str(tmp_path), 1), port=0, timeout_s=200) == "http://flights-v1.default.svc"


def test_a_pod_with_another_model_is_found_before_traffic(world: World, tmp_path: "os.PathLike[str]") -> None:
    world.changes = {"digest": "0" * 64}
    with pytest.raises(VersionNotReady, match=r"serves m@1 \(000000000000\), and not m@1"):
        world.target().start(serving(str(tmp_path), 1), port=0, timeout_s=READY_S)
    assert not world.cluster.objects.held


def test_new_limits_that_do_not_come_up_leave_the_version_as_it_was(world: World, tmp_path: "os.PathLike[str]") -> None:
    target, one = world.target(), serving(str(tmp_path), 1)
    target.start(one, port=0, timeout_s=READY_S)
    url = target.switch(ENDPOINT, 1)
    with pytest.raises(VersionNotReady):
        target.start(msgspec.structs.replace(one, format="crash-at-start"), port=0, timeout_s=READY_S)
    world.clock.jump(5)
    assert world.cluster.call(urlsplit(url).netloc, "/predict", b"{}")[0] == 200
    kept = json.loads(world.cluster.objects.held["configmaps", "default", "flights-v1"]["data"]["version.json"])
    assert kept["format"] == "function"


def test_a_field_that_somebody_else_manages_is_not_taken_and_named(world: World, tmp_path: "os.PathLike[str]") -> None:
    target, one = world.target(), serving(str(tmp_path), 1)
    target.start(one, port=0, timeout_s=READY_S)
    key = ("deployments", "default", "flights-v1")
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {"replicas": 7}}
    world.cluster.objects.apply(key, scaled, "someone-else", force=True, is_dry=False)
    with pytest.raises(TargetUnavailable, match=r'conflict with "someone-else": \.spec\.replicas') as e:
        target.start(one, port=0, timeout_s=READY_S)
    assert "somebody else manages that field" in e.value.remedy
    assert world.cluster.objects.held[key]["spec"]["replicas"] == 7


def test_a_route_that_the_gateway_refuses_comes_back_as_it_was(world: World, tmp_path: "os.PathLike[str]") -> None:
    target = world.target(ROUTED)
    for version in (1, 2):
        target.start(serving(str(tmp_path), version), port=0, timeout_s=READY_S)
    url = target.switch(ENDPOINT, 1)
    world.cluster.objects.remove(("services", "default", "flights-v2"))
    with pytest.raises(TargetUnavailable, match="Cannot load HTTPBackendRef default/flights-v2"):
        target.switch(ENDPOINT, 2)
    assert json.loads(world.cluster.call(urlsplit(url).netloc, "/predict", b"{}")[1])["predictions"] == [1]


def test_a_stopped_endpoint_leaves_nothing_behind(world: World, tmp_path: "os.PathLike[str]") -> None:
    target = world.target(msgspec.structs.replace(ROUTED, max_replicas=4))
    target.start(serving(str(tmp_path), 1), port=0, timeout_s=READY_S)
    target.switch(ENDPOINT, 1)
    assert world.names("horizontalpodautoscalers") == ["flights-v1"]
    target.stop(ENDPOINT, None)
    assert not world.cluster.objects.held


def test_all_pods_of_a_version_are_asked_in_turn(world: World, tmp_path: "os.PathLike[str]") -> None:
    target = world.target()
    target.start(serving(str(tmp_path), 1), port=0, timeout_s=READY_S)
    world.cluster.asked.clear()
    target.ask(ENDPOINT, 1, [b"{}"] * 4, timeout_s=5)
    asked = [path.split("/pods/")[1].split(":")[0] for method, path in world.cluster.asked if method == "POST"]
    assert (len(asked), len(set(asked))) == (4, 2)


def test_somebody_else_goes_on_where_the_driver_died(world: World, tmp_path: "os.PathLike[str]") -> None:
    one, two = serving(str(tmp_path), 1), serving(str(tmp_path), 2)
    world.target(ROUTED).start(one, port=0, timeout_s=READY_S)
    world.target(ROUTED).switch(ENDPOINT, 1)
    table = Table(routes=(Route(version=1, weight=9), Route(version=2, weight=1)))
    world.target(ROUTED).start(two, port=0, timeout_s=READY_S)
    world.target(ROUTED).route(ENDPOINT, table)
    state = world.target(ROUTED).state(ENDPOINT)
    assert state is not None
    assert (state.serving, state.versions, state.healthy, state.table) == (1, (1, 2), True, table)


@pytest.mark.parametrize(
    ("placement", "at"),
    [
        (Placement(image="Registry/UPPER:1"), "headway.toml: kubernetes.image"),
        (Placement(image="a:1", memory="12 apples"), "headway.toml: kubernetes.memory"),
    ],
)
def test_what_no_cluster_takes_is_refused_before_it_is_asked(placement: Placement, at: str) -> None:
    with pytest.raises(FileFaulty) as e:
        KubernetesTarget(lambda: Access(server="http://127.0.0.1:9"), placement, "")
    assert e.value.at == at


def test_all_that_no_cluster_takes_is_told_at_once() -> None:
    with pytest.raises(FileFaulty) as e:
        KubernetesTarget(
            lambda: Access(server="http://127.0.0.1:9"), Placement(image="a:1", cpu="lots", labels={"app": "x"}), ""
        )
    assert {fault.where for fault in e.value.faults} == {"kubernetes.cpu", "kubernetes.labels.app"}


def test_what_no_cluster_takes_is_told_where_it_was_said() -> None:
    one, two = ({"image": "a:1", **more} for more in ({"cpu": "lots"}, {"cpu": "lots", "namespace": "A"}))
    from_file = {"KUBERNETES_SAID_IN": "headway.toml"}
    for said, environ, at in (
        (one, {}, "HEADWAY_KUBERNETES: cpu"),
        (two, {}, "HEADWAY_KUBERNETES"),
        (one, from_file, "headway.toml: kubernetes.cpu"),
        (two, from_file, "headway.toml: kubernetes"),
    ):
        with pytest.raises(FileFaulty) as e:
            connect("kubernetes:x", {"HEADWAY_KUBERNETES": json.dumps(said), **environ})
        assert e.value.at == at
        assert {fault.file for fault in e.value.faults} <= {at.partition(":")[0]}


def test_an_address_that_is_none_is_told_where_it_was_said(tmp_path: Path) -> None:
    (tmp_path / "headway.toml").write_text('[kubernetes]\nimage = "a:1"\napi = "nowhere"\n')
    for environ, at in (
        (config.load(folder=str(tmp_path)).target_environ, "headway.toml: kubernetes.api"),
        ({"HEADWAY_KUBERNETES": '{"image": "a:1", "api": "nowhere"}'}, "HEADWAY_KUBERNETES: api"),
    ):
        with pytest.raises(UsageMistaken, match="'nowhere' is no address of a cluster") as e:
            connect("kubernetes:x", environ).state(ENDPOINT)
        assert e.value.at == at


def test_a_cluster_that_is_down_is_named(tmp_path: "os.PathLike[str]") -> None:
    target = KubernetesTarget(lambda: Access(server="http://127.0.0.1:9"), PLAIN, "")
    with pytest.raises(TargetUnavailable, match="the cluster does not answer"):
        target.state(ENDPOINT)


def test_a_viewer_is_told_that_a_right_is_missing(world: World, tmp_path: "os.PathLike[str]") -> None:
    target = KubernetesTarget(lambda: Access(server=world.cluster.url, token="viewer"), PLAIN, "")
    with pytest.raises(TargetUnavailable, match='User "viewer" cannot') as e:
        target.start(serving(str(tmp_path), 1), port=0, timeout_s=READY_S)
    assert "the Role that is needed" in e.value.remedy


def test_the_environment_says_which_cluster_and_how(world: World) -> None:
    said = {"api": world.cluster.url, "image": "headway:1", "namespace": "risk", "max-replicas": 4}
    assert connect("kubernetes:x", {"HEADWAY_KUBERNETES": json.dumps(said)}).state(ENDPOINT) is None
    assert "/namespaces/risk/" in world.cluster.asked[-1][1]
    with pytest.raises(UsageMistaken, match="nothing is said of the cluster"):
        connect("kubernetes:x", {})
    with pytest.raises(UsageMistaken, match="cannot be read: Object contains unknown field `imgae`"):
        connect("kubernetes:x", {"HEADWAY_KUBERNETES": '{"imgae": "headway:1"}'})


def test_what_the_file_says_and_leaves_away_is_what_the_target_takes(tmp_path: "os.PathLike[str]") -> None:
    (Path(tmp_path) / "headway.toml").write_text('[kubernetes]\nimage = "headway:1"\nmax-replicas = 4\n')
    said = config.load(folder=str(tmp_path)).target_environ["HEADWAY_KUBERNETES"]
    assert msgspec.json.decode(said, type=Placement) == Placement(image="headway:1", max_replicas=4)


def test_a_project_says_in_its_file_which_cluster_is_meant(world: World, tmp_path: "os.PathLike[str]") -> None:
    text = (
        f'[kubernetes]\nimage = "headway:1"\napi = "{world.cluster.url}"\nnamespace = "risk"\nlabels = {{team = "x"}}\n'
    )
    (Path(tmp_path) / "headway.toml").write_text(text)
    settings = config.load(folder=str(tmp_path))
    with wiring.open(settings) as parts:
        assert parts.target("kubernetes").state(ENDPOINT) is None
        assert parts.target("local").state(ENDPOINT) is None
        assert isinstance(parts.target("kubernetes"), KubernetesTarget)
    assert "/namespaces/risk/" in world.cluster.asked[-1][1]


def test_a_pod_is_told_where_its_files_are_and_whether_they_are_a_folder(
    world: World, tmp_path: "os.PathLike[str]"
) -> None:
    one = serving(str(tmp_path), 1)
    folder = msgspec.structs.replace(one, path=os.path.dirname(one.path), onnx=one.path, onnx_digest=one.digest)
    for given, path, onnx in ((one, "/models/model.py", ""), (folder, "/models/1-0/", "/models/model.py")):
        config_map = world.target().manifests(given)[0]
        told = msgspec.json.decode(config_map["data"]["version.json"], type=Serving)
        assert (told.path, told.onnx, told.digest) == (path, onnx, one.digest)


def test_a_diff_says_what_would_change_and_changes_nothing(world: World, tmp_path: "os.PathLike[str]") -> None:
    target, one = world.target(), serving(str(tmp_path), 1)
    assert [str(found) for found in target.diff(one)] == [
        f"{kind} flights-v1: new" for kind in ("ConfigMap", "Deployment", "Service", "PodDisruptionBudget")
    ]
    assert not world.cluster.objects.held
    target.start(one, port=0, timeout_s=READY_S)
    assert target.diff(one) == []
    (found,) = world.target(msgspec.structs.replace(PLAIN, replicas=3)).diff(one)
    assert str(found) == "Deployment flights-v1: spec.replicas: 2 -> 3"


def test_servers_that_ended_after_they_were_ready_are_told_with_their_last_words(
    world: World, tmp_path: "os.PathLike[str]"
) -> None:
    target = world.target()
    target.start(serving(str(tmp_path), 1), port=0, timeout_s=READY_S)
    target.switch(ENDPOINT, 1)
    assert state_of(target).ends == ()
    crashed = next(
        one
        for line in lines("crash-at-start")
        if line["resource"] == "pods"
        for one in line["object"]["status"].get("containerStatuses", [])
        if one["restartCount"] == 1
    )
    for number, name in enumerate(world.names("pods")):
        pod = world.cluster.objects.held["pods", "default", name]
        restarts = {"name": "server", "restartCount": number + 1}
        status = {**pod["status"], "containerStatuses": [{**crashed, **restarts}]}
        world.cluster.objects.put(("pods", "default", name), {**pod, "status": status})
        said = {"exit": 0, "stdout": "loading\nboom: out of cheese\n", "stderr": ""}
        world.cluster._logs[name, "server", crashed["state"].get("running") is not None] = said
    (found,) = state_of(target).ends
    assert (found.version, found.n) == (1, 3)
    assert found.words.endswith("boom: out of cheese")


def state_of(target: Target) -> EndpointState:
    state = target.state(ENDPOINT)
    assert state is not None
    return state


def test_a_version_that_does_not_answer_is_not_ready(world: World, tmp_path: "os.PathLike[str]") -> None:
    target = world.target()
    target.start(serving(str(tmp_path), 1), port=0, timeout_s=READY_S)
    answer = world.cluster._answer

    def slow(spec: dict[str, Any], path: str, body: bytes) -> tuple[int, bytes]:
        time.sleep(0.5)
        return answer(spec, path, body)

    world.cluster._answer = slow
    with pytest.raises(VersionNotReady, match="version 1 of flights gives no answer"):
        target.ask(ENDPOINT, 1, [b"{}"], timeout_s=0.1)
