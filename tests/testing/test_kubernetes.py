"""The fake API server answers as the real one did, and plays what was recorded."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from clusters import FOLDER, lines
from headway.core.cluster import Deployment, Event, Pod, ReplicaSet, View
from headway.core.pods import Verdict, judge
from headway.testing.clock import Clock
from headway.testing.kubernetes import FakeKubernetes

CASES = [json.loads(line) for line in (FOLDER / "api-responses.ndjson").read_text().splitlines()]
PODS = "/api/v1/namespaces/default/pods"
APPS = "/apis/apps/v1/namespaces/{}/deployments/{}?fieldManager={}"


def ask(url: str, method: str = "GET", body: object = None, **headers: str) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            status, content = response.status, response.read()
    except urllib.error.HTTPError as e:
        status, content = e.code, e.read()
        e.close()
    try:
        return status, json.loads(content)
    except ValueError:
        return status, content.decode()


def apply(
    cluster: FakeKubernetes,
    thing: dict[str, Any],
    manager: str = "headway",
    *,
    namespace: str = "default",
    query: str = "",
) -> tuple[int, Any]:
    url = cluster.url + APPS.format(namespace, thing["metadata"]["name"], manager) + query
    return ask(url, "PATCH", thing, **{"Content-Type": "application/apply-patch+yaml"})


def deployment(name: str = "model", **spec: object) -> dict[str, Any]:
    labels = {"app": "ml-model"}
    container = {"name": "server", "image": "registry.local:5000/web:1"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
    asked = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template, **spec}
    meta = {"name": name, "labels": labels}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": asked}


@pytest.fixture
def recorded_world() -> Iterator[FakeKubernetes]:
    """The cluster as it was when the answers were recorded: somebody else scaled what headway had applied."""
    with FakeKubernetes() as cluster:
        cluster.objects.namespaces.add("rec-errors")
        assert apply(cluster, deployment(), namespace="rec-errors")[0] == 200
        done, _ = apply(cluster, deployment(replicas=2), "someone-else", namespace="rec-errors", query="&force=true")
        assert done == 200
        yield cluster


OTHERS = ("version", "api-groups", "list-pods")
COUNTED = ("kind", "status", "reason", "code", "message")


@pytest.mark.parametrize("case", [c for c in CASES if c["case"] not in OTHERS], ids=lambda c: c["case"])
def test_each_recorded_question_gets_the_recorded_answer(recorded_world: FakeKubernetes, case: dict[str, Any]) -> None:
    headers = {"Content-Type": case["content_type"]}
    if case["case"].startswith("forbidden"):
        headers["Authorization"] = "Bearer viewer"
    status, told = ask(recorded_world.url + case["path"], case["method"], case["request"], **headers)
    real = case["response"]
    assert status == case["status"]
    if not isinstance(real, dict):
        assert told == real
        return
    assert {key: told.get(key) or None for key in COUNTED if key in real and key != "status"} == {
        key: real[key] for key in COUNTED if key in real and key != "status"
    }
    if real["kind"] == "Status":
        causes = sorted((c["field"], c["reason"], c["message"]) for c in real.get("details", {}).get("causes", []))
        assert sorted((c["field"], c["reason"], c["message"]) for c in told["details"].get("causes", [])) == causes
    else:
        assert told["spec"]["replicas"] == real["spec"]["replicas"]
        assert told["metadata"]["name"] == real["metadata"]["name"]


def test_groups_that_are_not_installed_are_not_served() -> None:
    for has_gateway in (False, True):
        with FakeKubernetes(gateway=() if has_gateway else None) as cluster:
            _, told = ask(cluster.url + "/apis")
            assert ("gateway.networking.k8s.io" in [group["name"] for group in told["groups"]]) == has_gateway


def test_what_an_applier_leaves_out_it_gives_up() -> None:
    with FakeKubernetes() as cluster:
        apply(cluster, deployment(minReadySeconds=5))
        status, told = apply(cluster, deployment())
        assert status == 200
        assert "minReadySeconds" not in told["spec"]
        assert told["metadata"]["generation"] == 2


def test_a_dry_run_changes_nothing_and_the_same_again_is_no_change() -> None:
    with FakeKubernetes() as cluster:
        assert apply(cluster, deployment(), query="&dryRun=All")[0] == 200
        assert not cluster.objects.held
        apply(cluster, deployment())
        # By now the controllers have said what they saw of it.
        _, one = apply(cluster, deployment())
        _, two = apply(cluster, deployment())
        assert one["metadata"]["resourceVersion"] == two["metadata"]["resourceVersion"]
        assert two["metadata"]["generation"] == 1


def test_a_watch_hears_what_came_after_its_version_and_is_told_when_that_is_too_old() -> None:
    clock = Clock()
    with FakeKubernetes(clock=clock.now) as cluster:
        apply(cluster, deployment())
        url = f"{cluster.url}/api/v1/namespaces/default/pods?watch=1&timeoutSeconds=0.2&labelSelector=app%3Dml-model"
        clock.jump(5)
        with urllib.request.urlopen(f"{url}&resourceVersion=1000", timeout=60) as response:
            heard = [json.loads(line) for line in response]
        assert [one["type"] for one in heard] == ["ADDED"]
        assert heard[0]["object"]["metadata"]["labels"]["app"] == "ml-model"
        cluster.objects.version += 10_000
        with urllib.request.urlopen(f"{url}&resourceVersion=1000", timeout=60) as response:
            (told,) = [json.loads(line) for line in response]
        assert (told["type"], told["object"]["code"], told["object"]["reason"]) == ("ERROR", 410, "Expired")


def names_of_pods(cluster: FakeKubernetes) -> list[str]:
    return sorted(pod["metadata"]["name"] for pod in ask(cluster.url + PODS)[1]["items"])


def verdict(cluster: FakeKubernetes, now: float) -> Verdict:
    """What a look over HTTP finds."""
    base = f"{cluster.url}/apis/apps/v1/namespaces/default"
    _, wish = ask(f"{base}/deployments/churn-v3")
    sets, pods, events = (
        ask(url)[1]["items"]
        for url in (
            f"{base}/replicasets",
            *(f"{cluster.url}/api/v1/namespaces/default/{k}" for k in ("pods", "events")),
        )
    )
    view = View(
        deployment=msgspec.convert(wish, Deployment),
        replica_sets=msgspec.convert(sets, tuple[ReplicaSet, ...]),
        pods=msgspec.convert(pods, tuple[Pod, ...]),
        events=msgspec.convert(events, tuple[Event, ...]),
    )
    return judge(view, now=now)


PLAYED = {
    "crash-at-start": "crash",
    "image-missing": "image",
    "image-registry-unreachable": "image",
    "image-invalid-name": "image-name",
    "oom-killed": "memory",
    "init-container-fails": "init",
    "never-ready": "unready",
    "unschedulable-cpu-gpu": "unschedulable",
    "missing-configmap": "config",
    "missing-secret-volume": "volume",
    "quota-exceeded": "quota",
}


@pytest.mark.parametrize("name", PLAYED)
def test_a_recording_is_played_under_another_name_and_time(name: str) -> None:
    clock = Clock()
    with FakeKubernetes(clock=clock.now, plays=lambda _: lines(name)) as cluster:
        apply(cluster, deployment("churn-v3"))
        seen: list[Verdict] = []
        while not seen or seen[-1].phase == "progressing":
            clock.jump(0.5)
            seen.append(verdict(cluster, clock.now()))
            assert len(seen) < 60
        found = seen[-1].found
        assert found is not None
        assert (seen[-1].phase, found.reason) == ("failed", PLAYED[name])
        assert found.pod.startswith("churn-v3-") or found.reason == "quota"
        held = json.dumps([thing for key, thing in cluster.objects.held.items() if key[0] != "events"])
        assert "rec-" not in held
        assert '"model' not in held.replace('"model sha256', "")


def test_a_pods_words_are_those_that_were_recorded() -> None:
    clock = Clock()
    with FakeKubernetes(clock=clock.now, plays=lambda _: lines("crash-at-start")) as cluster:
        apply(cluster, deployment("churn-v3"))
        clock.jump(30)
        _, pods = ask(f"{cluster.url}/api/v1/namespaces/default/pods")
        url = (
            f"{cluster.url}/api/v1/namespaces/default/pods/{pods['items'][0]['metadata']['name']}/log?container=server"
        )
        assert ask(url) == (200, "boom: cannot load model\n")
        assert ask(f"{url}&previous=true") == (200, "boom: cannot load model\n")


def test_words_of_a_container_that_never_ran_are_refused_as_recorded() -> None:
    clock = Clock()
    with FakeKubernetes(clock=clock.now, plays=lambda _: lines("image-missing")) as cluster:
        apply(cluster, deployment("churn-v3"))
        clock.jump(30)
        _, pods = ask(f"{cluster.url}/api/v1/namespaces/default/pods")
        url = (
            f"{cluster.url}/api/v1/namespaces/default/pods/{pods['items'][0]['metadata']['name']}/log?container=server"
        )
        status, told = ask(url)
        assert (status, told["reason"]) == (400, "BadRequest")
        assert "image can't be pulled" in told["message"]


def test_an_update_keeps_the_old_pods_until_the_new_ones_are_ready_and_a_delete_takes_all() -> None:
    clock = Clock()
    with FakeKubernetes(clock=clock.now, ready_s=2.0) as cluster:
        apply(cluster, deployment("churn-v3", replicas=2))
        assert verdict(cluster, clock.now()).phase == "progressing"
        clock.jump(3)
        assert verdict(cluster, clock.now()).phase == "done"
        old = names_of_pods(cluster)
        changed = deployment("churn-v3", replicas=2)
        changed["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.local:5000/web:2"
        apply(cluster, changed)
        assert names_of_pods(cluster) == old
        clock.jump(3)
        assert len(names_of_pods(cluster)) == 2
        assert not set(names_of_pods(cluster)) & set(old)
        ask(cluster.url + APPS.format("default", "churn-v3", "x"), "DELETE")
        assert names_of_pods(cluster) == []
        assert not cluster.objects.held
