"""Endpoints in a Kubernetes cluster: a Deployment and a Service for each version, a Service or route for the endpoint.

What is there is asked of the cluster each time; nothing is remembered here, so whoever drives may die and be another.
Neighbours: `core/manifest` says what is applied, `core/pods` what became of it, `waiting` for that, `client` speaks.
Versions are asked through the API server, pod by pod: that reaches them from anywhere, and each of them.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from headway.backends.target_kubernetes import access, waiting
from headway.backends.target_kubernetes.client import Client
from headway.core import manifest as m
from headway.core.cluster import Pod, View
from headway.core.manifest_diff import Difference, differences
from headway.core.manifest_names import ENDPOINT, VERSION, endpoint_name, label_value, version_name
from headway.core.placement import Placement
from headway.core.pods import judge
from headway.core.routing import Table, faults, refuse, without
from headway.errors import Fault, FileFaulty, TargetUnavailable, UsageMistaken, VersionNotReady
from headway.ports import Answer, EndpointState, Serving, Target

TABLE = "headway.dev/table"
"""The annotation of an endpoint's Service that holds the table in force."""

ROUTE_S = 30.0
"""How long a Gateway may take to say what it thinks of a route; the one measured took a tenth of a second."""

_OF_VERSION = ("HorizontalPodAutoscaler", "Deployment", "PodDisruptionBudget", "Service", "ConfigMap")


def connect(_: str, environ: Mapping[str, str]) -> "KubernetesTarget":
    """The target that HEADWAY_KUBERNETES describes: JSON of `Placement`. Raises UsageMistaken, and as `access.find`."""
    said = environ.get("HEADWAY_KUBERNETES", "")
    if not said:
        raise UsageMistaken(
            "nothing is said of the cluster",
            at="headway.toml: kubernetes",
            remedy='write [kubernetes] and image = "registry/name:tag" there, each on a line of its own',
        )
    try:
        placement = msgspec.json.decode(said, type=Placement)
    except msgspec.DecodeError as e:
        remedy = "write JSON like the table `kubernetes` of headway.toml (docs/configuration.md)"
        raise UsageMistaken(f"HEADWAY_KUBERNETES cannot be read: {e}", at="HEADWAY_KUBERNETES", remedy=remedy) from e
    return KubernetesTarget(lambda: access.find(environ, api=placement.api, context=placement.context), placement)


class KubernetesTarget:
    """Endpoints of one namespace: the placement's, else the kubeconfig's. `now` and `sleep` are a test's to give.

    `reach` finds the cluster when it is first spoken to.
    """

    def __init__(
        self,
        reach: Callable[[], access.Access],
        placement: Placement,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        _see_sound(placement)
        self._given, self._reach = placement, reach
        self._opened: Client | None = None
        self._now, self._sleep = now, sleep

    @property
    def image(self) -> str:
        """The image of the servers."""
        return self._given.image

    def manifests(self, serving: Serving) -> list[m.Manifest]:
        """All that `start` applies; without a namespace when none is configured. Asks no cluster."""
        return m.for_version(self._version(serving), self._given)

    def diff(self, serving: Serving) -> list[Difference]:
        """What `start` would change, by the cluster's own reckoning: defaults that it adds are no change."""
        found: list[Difference] = []
        for one in m.for_version(self._version(serving), self._placement):
            before = self._client.get(one["kind"], one["metadata"]["name"])
            found += differences(before, self._client.apply(one, is_dry=True))
        return found

    @property
    def _client(self) -> Client:
        if self._opened is None:
            reached = self._reach()
            self._opened = Client(reached, self._given.namespace or reached.namespace or "default")
        return self._opened

    @property
    def _placement(self) -> Placement:
        return msgspec.structs.replace(self._given, namespace=self._client.namespace)

    def start(self, serving: Serving, *, port: int, timeout_s: float) -> str:
        """See `ports.Target`. A version that fails is taken away again; one that ran before goes on as it did."""
        if port not in (0, 80):
            remedy = "leave `port` away: Services answer on 80"
            raise UsageMistaken(
                f"port {port} cannot be chosen in a cluster", at=f"endpoint: {serving.endpoint}", remedy=remedy
            )
        # Images are pulled and nodes are made first: who gave a start more time knows that. What fails for certain
        # is told at once all the same.
        timeout_s = max(timeout_s, self._placement.start_s)
        name = version_name(serving.endpoint, serving.version)
        before = self._client.get("ConfigMap", name)
        self._apply(m.for_version(self._version(serving), self._placement))
        verdict = waiting.settled(
            lambda: self._seen(serving.endpoint, serving.version),
            now=self._now,
            sleep=self._sleep,
            timeout_s=timeout_s,
        )
        if verdict is None or verdict.phase != "done":
            failed = waiting.failure(self._client, f"{serving.model}@{serving.version}", verdict, timeout_s)
            self._take_back(serving, before)
            raise failed
        try:
            self._see_same(serving)
        except VersionNotReady:
            self._take_back(serving, before)
            raise
        return self._address(name)

    def ask(self, endpoint: str, version: int, requests: Sequence[bytes], *, timeout_s: float) -> list[Answer]:
        """See `ports.Target`. Its pods take turns, so that each is asked. Times are those through the API server."""
        pods = self._ready(endpoint, version)
        answers = []
        for number, body in enumerate(requests):
            began = time.perf_counter()
            path = self._proxy(pods[number % len(pods)], "predict")
            try:
                said = self._client.request("POST", path, None, body, timeout_s=timeout_s)
            except TargetUnavailable as e:
                raise VersionNotReady(
                    f"version {version} of {endpoint} gives no answer: {e.problem}", at=e.at, remedy=e.remedy
                ) from e
            answers.append(Answer(status=said.status, body=said.body, ms=(time.perf_counter() - began) * 1000))
        return answers

    def switch(self, endpoint: str, version: int) -> str:
        """See `ports.Target`. The route first, where there is one: until it points there, the old version answers."""
        self._ready(endpoint, version)
        if self._placement.gateway:
            self._put_route(endpoint, {version: 1.0})
        self._client.apply(m.endpoint_service(endpoint, version, self._placement))
        return self._url(endpoint)

    def route(self, endpoint: str, table: Table | None) -> None:
        """See `ports.Target`. By an HTTPRoute's weights; UsageMistaken for what those cannot do (keys, shadows)."""
        serving, now = self._serving(endpoint)
        if table is None:
            if serving is not None and now is not None:
                self.switch(endpoint, serving)
            return
        refuse(endpoint, faults(table))
        self._see_possible(endpoint, table)
        for version in (serving or 0, *table.versions):
            self._ready(endpoint, version)
        if serving not in {route.version for route in table.routes}:
            raise UsageMistaken(
                f"{endpoint}: version {serving} serves, and is none of the table's routes",
                at=f"endpoint: {endpoint}",
                remedy="name it, with a weight of 0 maybe",
            )
        assert serving is not None
        # Who dies in between leaves a route that the next driver puts right: the table is written down first.
        self._client.apply(self._service(endpoint, serving, table))
        self._put_route(endpoint, table.shares)

    def stop(self, endpoint: str, version: int | None) -> None:
        """See `ports.Target`. Nobody is routed to a version any more when its pods begin to end; they do so slowly."""
        serving, table = self._serving(endpoint)
        if version is None or version == serving:
            self._client.delete("Service", endpoint_name(endpoint))
            if self._placement.gateway:
                self._client.delete("HTTPRoute", endpoint_name(endpoint))
        elif table is not None and version in table.versions:
            self.route(endpoint, without(table, version))
        labels = {ENDPOINT: label_value(endpoint)} | ({} if version is None else {VERSION: str(version)})
        for one in self._client.found("ConfigMap", labels):
            self._remove(one["metadata"]["name"])

    def state(self, endpoint: str) -> EndpointState | None:
        """See `ports.Target`."""
        labels = {ENDPOINT: label_value(endpoint)}
        known = [int(one["metadata"]["labels"][VERSION]) for one in self._client.found("Deployment", labels)]
        live = [version for version in sorted(known) if self._pods(endpoint, version)]
        serving, table = self._serving(endpoint)
        if not known and serving is None:
            return None
        view = self._seen(endpoint, serving) if serving is not None else None
        verdict = judge(view, now=self._now()) if view is not None else None
        well = serving in live and verdict is not None and verdict.phase == "done"
        return EndpointState(
            url=self._url(endpoint),
            serving=serving,
            versions=tuple(live),
            healthy=well,
            detail="" if well or verdict is None else verdict.told,
            table=table,
        )

    # --- versions -----------------------------------------------------------------------------------------------

    def _version(self, serving: Serving) -> m.Version:
        inside = msgspec.structs.replace(serving, path=_inside(serving.path), onnx=_inside(serving.onnx))
        return m.Version(
            endpoint=serving.endpoint,
            model=serving.model,
            version=serving.version,
            digest=serving.digest,
            spec=msgspec.json.format(msgspec.json.encode(inside), indent=2).decode() + "\n",
        )

    def _apply(self, manifests: Sequence[m.Manifest]) -> None:
        for one in manifests:
            self._client.apply(one)

    def _take_back(self, serving: Serving, before: m.Manifest | None) -> None:
        if before is None:
            self._remove(version_name(serving.endpoint, serving.version))
            return
        told = msgspec.structs.replace(self._version(serving), spec=before["data"]["version.json"])
        self._apply(m.for_version(told, self._placement))

    def _remove(self, name: str) -> None:
        for kind in _OF_VERSION:
            self._client.delete(kind, name)

    def _seen(self, endpoint: str, version: int) -> View | None:
        return waiting.seen(self._client, version_name(endpoint, version), m.labels(endpoint, version))

    def _pods(self, endpoint: str, version: int) -> list[str]:
        found = msgspec.convert(self._client.found("Pod", m.labels(endpoint, version)), list[Pod], strict=False)
        return sorted(pod.metadata.name for pod in found if pod.is_ready)

    def _ready(self, endpoint: str, version: int) -> list[str]:
        pods = self._pods(endpoint, version)
        if not pods:
            raise VersionNotReady(
                f"version {version} of {endpoint} has no pod that is ready",
                at=f"endpoint: {endpoint}",
                remedy=f"deploy it first; `kubectl get pods -l {VERSION}={version}` shows what there is",
            )
        return pods

    def _proxy(self, pod: str, below: str) -> str:
        return self._client.path("Pod", f"{pod}:{m.PORT}", f"proxy/{below}")

    def _see_same(self, serving: Serving) -> None:
        """Every pod says what it serves: one with another model would be found by chance only, else."""
        for pod in self._ready(serving.endpoint, serving.version):
            told = self._client.request("GET", self._proxy(pod, "")).json()
            if told.get("digest") != serving.digest or told.get("version") != serving.version:
                raise VersionNotReady(
                    f"pod {pod} serves {told.get('model')}@{told.get('version')} ({str(told.get('digest'))[:12]}), "
                    f"and not {serving.model}@{serving.version} ({serving.digest[:12]})",
                    at=f"endpoint: {serving.endpoint}",
                    remedy="see that the image, or the store, has this version's files; no traffic reached it",
                )

    # --- the endpoint -------------------------------------------------------------------------------------------

    def _address(self, name: str) -> str:
        return f"http://{name}.{self._client.namespace}.svc"

    def _url(self, endpoint: str) -> str:
        host = self._placement.hostname if self._placement.gateway else ""
        return f"http://{host}" if host else self._address(endpoint_name(endpoint))

    def _serving(self, endpoint: str) -> tuple[int | None, Table | None]:
        """Which version serves, and the table in force."""
        found = self._client.get("Service", endpoint_name(endpoint))
        if found is None:
            return None, None
        kept = (found["metadata"].get("annotations") or {}).get(TABLE, "")
        table = msgspec.json.decode(kept, type=Table) if kept else None
        return int(found["spec"]["selector"][VERSION]), table

    def _service(self, endpoint: str, version: int, table: Table) -> m.Manifest:
        made = m.endpoint_service(endpoint, version, self._placement)
        told = {TABLE: msgspec.json.encode(table).decode()}
        return {**made, "metadata": {**made["metadata"], "annotations": told}}

    def _see_possible(self, endpoint: str, table: Table) -> None:
        problem, remedy = "", ""
        if not self._placement.gateway:
            problem, remedy = (
                "weights need a Gateway",
                "write `gateway` into headway.toml: kubernetes, or switch at once",
            )
        elif table.sticky is not None:
            problem, remedy = "a Gateway keeps no keys with a version", "leave `sticky` away"
        elif table.shadow is not None:
            problem, remedy = "a Gateway copies no requests for us yet", "leave the shadow away"
        if problem:
            raise UsageMistaken(problem, at=f"endpoint: {endpoint}", remedy=remedy)

    def _put_route(self, endpoint: str, shares: Mapping[int, float]) -> None:
        """Apply a route and see that the Gateway takes it; the one before comes back when it does not."""
        before = self._client.get("HTTPRoute", endpoint_name(endpoint))
        made = self._client.apply(m.route(endpoint, shares, self._placement))
        ends_at = self._now() + ROUTE_S
        while (said := _thinks(made)) is None and self._now() < ends_at:
            self._sleep(waiting.LOOK_S / 5)
            made = self._client.get("HTTPRoute", endpoint_name(endpoint)) or made
        if said == "":
            return
        if before is None:
            self._client.delete("HTTPRoute", endpoint_name(endpoint))
        else:
            self._client.apply(m.route(endpoint, shares, self._placement) | {"spec": before["spec"]})
        raise TargetUnavailable(
            f"the Gateway {self._placement.gateway} does not take the route of {endpoint}: {said or 'it says nothing'}",
            at=f"target: {self._client.server}, namespace {self._client.namespace}",
            remedy="see `kubectl describe httproute`; what answered before still does",
        )


def _see_sound(placement: Placement) -> None:
    found = [
        Fault(one.problem, where=".".join(("kubernetes", *map(str, one.path))), remedy=one.remedy, file="headway.toml")
        for one in m.faults(placement)
    ]
    if found:
        # One is told by itself, several below one another.
        is_one = len(found) == 1
        raise FileFaulty(
            found[0].problem if is_one else f"{len(found)} settings are of no use to a cluster",
            at=f"headway.toml: {found[0].where if is_one else 'kubernetes'}",
            remedy=found[0].remedy if is_one else "mend what is listed; docs/configuration.md has every setting",
            faults=() if is_one else tuple(found),
        )


def _inside(path: str) -> str:
    """Where a version's file is in its pod; a folder ends in `/`, as `headway pod` wants it."""
    slash = "/" if os.path.isdir(path) else ""
    return f"{m.MODELS}/{os.path.basename(path)}{slash}" if path else ""


def _thinks(route: m.Manifest) -> str | None:
    """What a Gateway says of a route as it is now: nothing against it, why not, or None while it says nothing."""
    generation = route["metadata"].get("generation", 0)
    parents = (route.get("status") or {}).get("parents") or []
    said = [
        c for parent in parents for c in parent.get("conditions") or [] if c.get("observedGeneration") == generation
    ]
    bad = [c.get("message") or c.get("reason") or c["type"] for c in said if c["status"] == "False"]
    if bad:
        return str(bad[0])
    return "" if {"Accepted", "ResolvedRefs"} <= {c["type"] for c in said} else None


_: type[Target] = KubernetesTarget
