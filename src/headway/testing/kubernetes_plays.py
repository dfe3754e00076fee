"""What a fake cluster's controllers and kubelets do with a Deployment: start its pods well, or as was once recorded.

A recording (lines of watches, see tests/recordings) is played under another name, namespace and time: objects appear
as they did, each so many seconds after the Deployment. Does not know HTTP.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from headway.core.cluster import seconds
from headway.core.pods import REVISION
from headway.testing.kubernetes_objects import Objects, Thing

Due = tuple[float, Callable[[], None]]
"""When something happens, and what."""

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def stamp(at: float) -> str:
    """UTC seconds as the API writes them.

    >>> stamp(60.0)
    '1970-01-01T00:01:00Z'
    """
    return datetime.fromtimestamp(int(at), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Play:
    """One recording, made to be of this Deployment from `at` on; `number` keeps plays apart."""

    def __init__(self, lines: Sequence[Thing], deployment: Thing, at: float, number: int) -> None:
        meta = deployment["metadata"]
        self._name, self._namespace, self._number = meta["name"], meta["namespace"], number
        self._labels = deployment["spec"]["template"]["metadata"]["labels"]
        self._generation = meta["generation"]
        self._uid = meta["uid"]
        began = next(line for line in lines if line["resource"] == "deployments")
        self._old_name = began["object"]["metadata"]["name"]
        self._old_namespace = began["object"]["metadata"]["namespace"]
        self._old_uid = began["object"]["metadata"]["uid"]
        made = seconds(began["object"]["metadata"]["creationTimestamp"])
        assert made is not None
        self._shift = at - made
        self._began = at - began["t"]
        self._lines = [line for line in lines if line["t"] >= began["t"] or line["resource"] != "deployments"]

    def logs(self) -> Iterator[tuple[tuple[str, str, bool], Thing]]:
        """What its containers print, by pod, container and whether it is the run before."""
        for line in self._lines:
            if line["resource"] == "logs":
                said = line["object"]
                yield (self._renamed(said["pod"]), said["container"], line["type"] == "PREVIOUS"), said

    def dues(self, objects: Objects) -> Iterator[Due]:
        """When each object appears, changes or goes."""
        for line in self._lines:
            if line["resource"] in ("deployments", "replicasets", "pods", "events"):
                yield self._began + line["t"], self._act(line, objects)

    def _act(self, line: Thing, objects: Objects) -> Callable[[], None]:
        def act() -> None:
            thing = self._own(line["object"])
            key = (line["resource"], self._namespace, thing["metadata"]["name"])
            if line["resource"] == "deployments":
                self._told(objects, thing)
            elif ("deployments", self._namespace, self._name) not in objects.held:
                # It was deleted meanwhile: nobody makes its pods any more.
                return
            elif line["type"] == "DELETED":
                objects.remove(key)
            else:
                objects.put(key, thing)

        return act

    def _told(self, objects: Objects, thing: Thing) -> None:
        key = ("deployments", self._namespace, self._name)
        now = objects.held.get(key)
        if now is None or now["metadata"]["generation"] != self._generation:
            return
        status = thing.get("status", {})
        if status.get("observedGeneration"):
            status["observedGeneration"] = self._generation
        revised = {**now["metadata"].get("annotations", {}), **thing["metadata"].get("annotations", {})}
        objects.put(key, {**now, "metadata": {**now["metadata"], "annotations": revised}, "status": status})

    def _own(self, recorded: Thing) -> Thing:
        text = json.dumps(recorded).replace(self._old_namespace, self._namespace).replace(self._old_uid, self._uid)
        text = _UID.sub(lambda m: m[0] if m[0] == self._uid else f"{m[0][:-4]}{self._number:04x}", text)
        text = _STAMP.sub(lambda m: stamp((seconds(m[0]) or 0) + self._shift), text)
        made: Thing = json.loads(self._renamed(text))
        if made.get("metadata", {}).get("labels", {}).get("pod-template-hash"):
            made["metadata"]["labels"].update(self._labels)
        return made

    def _renamed(self, text: str) -> str:
        old = re.escape(self._old_name)
        return re.sub(rf'(?<![\w-]){old}(?=-[0-9a-f]{{7,10}}\b|\\?"|-[0-9a-z]{{5}}\b)', self._name, text)


def well(deployment: Thing, objects: Objects, at: float, ready_s: float) -> Iterator[Due]:
    """A Deployment whose pods run and are ready after `ready_s`; with a new template the old pods go then."""
    revision = _revision(deployment, objects)
    yield at, lambda: _observed(deployment, objects, revision, at)
    yield at + ready_s, lambda: _ready(deployment, objects, revision, at + ready_s)


def taken(route: Thing, objects: Objects, at: str) -> None:
    """What a Gateway says of a route: that it takes it, and whether there are all the Services that it names."""
    meta = route["metadata"]
    key = ("httproutes", meta["namespace"], meta["name"])
    now = objects.held.get(key)
    if now is None or now["metadata"]["generation"] != meta["generation"]:
        return
    names = [backend["name"] for rule in route["spec"]["rules"] for backend in rule["backendRefs"]]
    missing = [name for name in names if ("services", meta["namespace"], name) not in objects.held]
    lost = f"Cannot load HTTPBackendRef {meta['namespace']}/{missing[0]}: getting service" if missing else ""
    said = {"observedGeneration": meta["generation"], "lastTransitionTime": at}
    accepted = {"type": "Accepted", "status": "True", "reason": "Accepted", "message": "", **said}
    resolved = {"type": "ResolvedRefs", "status": "False" if lost else "True", "message": lost, **said}
    resolved["reason"] = "BackendNotFound" if lost else "ResolvedRefs"
    objects.put(key, {**now, "status": {"parents": [{"conditions": [accepted, resolved]}]}})


def _revision(deployment: Thing, objects: Objects) -> int:
    meta = deployment["metadata"]
    template = json.dumps(deployment["spec"]["template"], sort_keys=True)
    owned = [one for one in objects.found("replicasets", meta["namespace"], {}) if _is_owned(one, meta["uid"])]
    for one in owned:
        if json.dumps(one["spec"]["template"], sort_keys=True) == template:
            return int(one["metadata"]["annotations"][REVISION])
    return 1 + max((int(one["metadata"]["annotations"][REVISION]) for one in owned), default=0)


def _is_owned(thing: Thing, uid: str) -> bool:
    return any(owner["uid"] == uid for owner in thing["metadata"].get("ownerReferences", []))


def _current(deployment: Thing, objects: Objects) -> Thing | None:
    meta = deployment["metadata"]
    now = objects.held.get(("deployments", meta["namespace"], meta["name"]))
    return now if now is not None and now["metadata"]["generation"] == meta["generation"] else None


def _observed(deployment: Thing, objects: Objects, revision: int, at: float) -> None:
    now = _current(deployment, objects)
    if now is None:
        return
    meta = now["metadata"]
    owner = [{"uid": meta["uid"], "kind": "Deployment", "name": meta["name"]}]
    name = f"{meta['name']}-{revision:010x}"
    template = now["spec"]["template"]
    made = {"name": name, "namespace": meta["namespace"], "uid": f"{meta['uid']}-{revision}", "ownerReferences": owner}
    made |= {"labels": template["metadata"]["labels"], "annotations": {REVISION: str(revision)}}
    spec = {"replicas": now["spec"].get("replicas", 1), "template": template}
    objects.put(("replicasets", meta["namespace"], name), {"metadata": made, "spec": spec, "status": {}})
    _tell(objects, now, revision, at, n_ready=0)


def _ready(deployment: Thing, objects: Objects, revision: int, at: float) -> None:
    now = _current(deployment, objects)
    if now is None:
        return
    meta = now["metadata"]
    wanted = now["spec"].get("replicas", 1)
    newest = f"{meta['uid']}-{revision}"
    for one in objects.found("replicasets", meta["namespace"], {}):
        if _is_owned(one, meta["uid"]):
            for pod in objects.found("pods", meta["namespace"], {}):
                number = pod["metadata"]["name"].rpartition("-")[2]
                is_spare = one["metadata"]["uid"] != newest or not number.isdigit() or int(number) >= wanted
                if _is_owned(pod, one["metadata"]["uid"]) and is_spare:
                    objects.remove(("pods", meta["namespace"], pod["metadata"]["name"]))
    for number in range(wanted):
        _run(objects, now, f"{meta['name']}-{revision:010x}-{number:05d}", newest, at)
    _tell(objects, now, revision, at, n_ready=wanted)


def _run(objects: Objects, deployment: Thing, name: str, owner: str, at: float) -> None:
    template, namespace = deployment["spec"]["template"], deployment["metadata"]["namespace"]
    meta = {"name": name, "namespace": namespace, "uid": f"{owner}-{name}", "creationTimestamp": stamp(at)}
    meta |= {"labels": template["metadata"]["labels"], "annotations": template["metadata"].get("annotations", {})}
    meta |= {"ownerReferences": [{"uid": owner, "kind": "ReplicaSet", "name": name.rpartition("-")[0]}]}
    containers = [
        {"name": one["name"], "ready": True, "restartCount": 0, "state": {"running": {"startedAt": stamp(at)}}}
        for one in template["spec"]["containers"]
    ]
    conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": stamp(at)}]
    status = {"phase": "Running", "conditions": conditions, "containerStatuses": containers}
    objects.put(("pods", namespace, name), {"metadata": meta, "spec": template["spec"], "status": status})


def _tell(objects: Objects, now: Thing, revision: int, at: float, *, n_ready: int) -> None:
    meta = now["metadata"]
    wanted = now["spec"].get("replicas", 1)
    counts = {"replicas": wanted, "updatedReplicas": wanted, "readyReplicas": n_ready, "availableReplicas": n_ready}
    reason = "NewReplicaSetAvailable" if n_ready == wanted else "ReplicaSetUpdated"
    progressing = {"type": "Progressing", "status": "True", "reason": reason, "lastTransitionTime": stamp(at)}
    status = {"observedGeneration": meta["generation"], "conditions": [progressing], **counts}
    annotations = {**meta.get("annotations", {}), REVISION: str(revision)}
    key = ("deployments", meta["namespace"], meta["name"])
    objects.put(key, {**now, "metadata": {**meta, "annotations": annotations}, "status": status})
