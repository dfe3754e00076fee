"""Endpoints in a Kubernetes cluster: a Deployment and a Service for each version, a Service or route for the endpoint.

What is there is asked of the cluster each time; nothing is remembered here, so whoever drives may die and be another.
Neighbours: `core/manifest` says what is applied, `core/pods` what became of it, `waiting` for that, `client` speaks.
Versions are asked through the API server, pod by pod: that reaches them from anywhere, and each of them.
"""

import os
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from headway.backends import path_of
from headway.backends.target_kubernetes import access, gateway, logs, standing, waiting
from headway.backends.target_kubernetes import endpoint as ends
from headway.backends.target_kubernetes.client import Client
from headway.backends.target_kubernetes.shared import Shared
from headway.core import manifest as m
from headway.core.cluster import Pod, View
from headway.core.manifest_diff import Difference, differences
from headway.core.manifest_names import ENDPOINT, VERSION, endpoint_name, label_value, version_name
from headway.core.placement import Placement
from headway.core.routing import Table, faults, refuse, without
from headway.errors import Fault, FileFaulty, TargetUnavailable, UsageMistaken, VersionNotReady
from headway.ports import Answer, EndpointState, Serving, Target

_OF_VERSION = ("HorizontalPodAutoscaler", "Deployment", "PodDisruptionBudget", "Service", "ConfigMap")


def connect(url: str, environ: Mapping[str, str]) -> "KubernetesTarget":
    """The target that HEADWAY_KUBERNETES describes: JSON of `Placement`. Raises UsageMistaken, FileFaulty.

    `KUBERNETES_SAID_IN` names the file that says so, where nobody set the variable itself.

    What pods logged is collected in the folder `kubernetes:<project>/.headway/endpoints`.
    """
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
    if not environ.get("KUBERNETES_SAID_IN"):
        _see_sound(placement, "HEADWAY_KUBERNETES")
    reach = lambda: access.find(environ, api=placement.api, context=placement.context)  # noqa: E731 (used once)
    return KubernetesTarget(reach, placement, path_of(url))


class KubernetesTarget:
    """Endpoints of one namespace: the placement's, else the kubeconfig's. `now` and `sleep` are a test's to give.

    `reach` finds the cluster when it is first spoken to. `root` holds a folder for each endpoint, for its log.
    """

    def __init__(
        self,
        reach: Callable[[], access.Access],
        placement: Placement,
        root: str,
        *,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        _see_sound(placement, "headway.toml")
        self._given, self._reach, self.root = placement, reach, root
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
        for one in m.for_version(self._version(serving), self._as_now(serving)):
            before = self.client.get(one["kind"], one["metadata"]["name"])
            found += differences(before, self.client.apply(one, is_dry=True))
        return found

    @property
    def client(self) -> Client:
        """The API, in the namespace of the endpoints: for whoever looks at what is there."""
        if self._opened is None:
            reached = self._reach()
            self._opened = Client(reached, self._given.namespace or reached.namespace or "default")
        return self._opened

    @property
    def _placement(self) -> Placement:
        return msgspec.structs.replace(self._given, namespace=self.client.namespace)

    @property
    def _gateway(self) -> gateway.Gateway:
        return gateway.Gateway(self.client, self._placement, now=self._now, sleep=self._sleep)

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
        before = self.client.get("ConfigMap", name)
        if serving.recording.is_on:
            logs.make_key(self.client, serving.endpoint, self._placement)
        self._apply(m.for_version(self._version(serving), self._as_now(serving)))
        verdict = waiting.settled(
            lambda: self._seen(serving.endpoint, serving.version),
            now=self._now,
            sleep=self._sleep,
            timeout_s=timeout_s,
        )
        if verdict is None or verdict.phase != "done":
            failed = waiting.failure(self.client, f"{serving.model}@{serving.version}", verdict, timeout_s)
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
                said = self.client.request("POST", path, None, body, timeout_s=timeout_s)
            except TargetUnavailable as e:
                raise VersionNotReady(
                    f"version {version} of {endpoint} gives no answer: {e.problem}", at=e.at, remedy=e.remedy
                ) from e
            answers.append(Answer(status=said.status, body=said.body, ms=(time.perf_counter() - began) * 1000))
        return answers

    def switch(self, endpoint: str, version: int) -> str:
        """See `ports.Target`. The route first, where there is one: until it points there, the old version answers."""
        self._ready(endpoint, version)
        before = ends.read(self.client, endpoint)
        if self._placement.gateway:
            self._gateway.put(endpoint, {version: 1.0})
        if before is not None and before.copies:
            self._shared(endpoint).alone(before, version)
        else:
            ends.write(self.client, endpoint, ends.Endpoint(serving=version, chosen=version), self._placement)
        return self._url(endpoint)

    def route(self, endpoint: str, table: Table | None) -> None:
        """See `ports.Target`. By an HTTPRoute's weights, or without a Gateway by the number of copies.

        UsageMistaken for what those cannot do: keys, shadows, and shares that no whole copies have.
        """
        now = ends.read(self.client, endpoint)
        if table is None:
            if now is not None and (now.table is not None or now.copies):
                self.switch(endpoint, now.serving)
            return
        refuse(endpoint, faults(table))
        self._see_possible(endpoint, table)
        serving = 0 if now is None else now.serving
        for version in (serving, *table.versions):
            self._ready(endpoint, version)
        if now is None or serving not in {route.version for route in table.routes}:
            raise UsageMistaken(
                f"{endpoint}: version {serving} serves, and is none of the table's routes",
                at=f"endpoint: {endpoint}",
                remedy="name it, with a weight of 0 maybe",
            )
        if not self._placement.gateway:
            self._shared(endpoint).share(now, table)
            return
        # Who dies in between leaves a route that the next driver puts right: the table is written down first.
        ends.write(self.client, endpoint, msgspec.structs.replace(now, table=table), self._placement)
        self._gateway.put(endpoint, table.shares, table.shadow)

    def stop(self, endpoint: str, version: int | None) -> None:
        """See `ports.Target`. Nobody is routed to a version any more when its pods begin to end; they do so slowly."""
        now = ends.read(self.client, endpoint)
        if version is None or (now is not None and version == now.serving):
            self.client.delete("Service", endpoint_name(endpoint))
            if self._placement.gateway:
                self.client.delete("HTTPRoute", endpoint_name(endpoint))
        elif now is not None and (now.copies or (now.table is not None and version in now.table.versions)):
            left = None if now.table is None else without(now.table, version)
            if now.copies and left is not None:
                # A Service that chooses all versions gives it requests as long as it is there.
                self._remove(version_name(endpoint, version))
            self.route(endpoint, left)
        labels = {ENDPOINT: label_value(endpoint)} | ({} if version is None else {VERSION: str(version)})
        for one in self.client.found("ConfigMap", labels):
            self._remove(one["metadata"]["name"])
        folder = os.path.join(self.root, endpoint)
        logs.drain(self.client, endpoint, folder, version, now=self._now, sleep=self._sleep)
        logs.drop_key(self.client, endpoint)

    def state(self, endpoint: str) -> EndpointState | None:
        """See `ports.Target`."""
        return standing.state(self.client, endpoint, self._url(endpoint), now=self._now())

    def collect(self, endpoint: str) -> list[str]:
        """See `ports.Target`. Also from pods that fail or are about to end, as long as they are there."""
        return logs.collect(self.client, endpoint, os.path.join(self.root, endpoint), now=self._now())

    # --- versions -----------------------------------------------------------------------------------------------

    def _version(self, serving: Serving) -> m.Version:
        inside = msgspec.structs.replace(serving, path=_inside(serving.path), onnx=_inside(serving.onnx))
        return m.Version(
            endpoint=serving.endpoint,
            model=serving.model,
            version=serving.version,
            digest=serving.digest,
            spec=msgspec.json.format(msgspec.json.encode(inside), indent=2).decode() + "\n",
            has_log=serving.recording.is_on,
        )

    def _apply(self, manifests: Sequence[m.Manifest]) -> None:
        for one in manifests:
            self.client.apply(one)

    def _take_back(self, serving: Serving, before: m.Manifest | None) -> None:
        if before is None:
            self._remove(version_name(serving.endpoint, serving.version))
            logs.drop_key(self.client, serving.endpoint)
            return
        spec = before["data"]["version.json"]
        has_log = msgspec.json.decode(spec, type=Serving).recording.is_on
        told = msgspec.structs.replace(self._version(serving), spec=spec, has_log=has_log)
        self._apply(m.for_version(told, self._as_now(serving)))

    def _as_now(self, serving: Serving) -> Placement:
        """The placement, with as many copies as a version has now where their number makes shares."""
        now = None if self._placement.gateway else ends.read(self.client, serving.endpoint)
        if now is None or not now.copies:
            return self._placement
        found = self.client.get("Deployment", version_name(serving.endpoint, serving.version))
        if found is not None:
            return msgspec.structs.replace(self._placement, replicas=found["spec"]["replicas"])
        if now.chosen is None:
            raise UsageMistaken(
                f"{serving.endpoint}: several versions share its requests by their copies, and another would be given "
                "some at once",
                at=f"endpoint: {serving.endpoint}",
                remedy="end that first (`headway rollout promote` or `abort`), then deploy",
            )
        return self._placement

    def _remove(self, name: str) -> None:
        for kind in _OF_VERSION:
            self.client.delete(kind, name)

    def _seen(self, endpoint: str, version: int) -> View | None:
        return waiting.seen(self.client, version_name(endpoint, version), m.labels(endpoint, version))

    def _pods(self, endpoint: str, version: int) -> list[str]:
        found = msgspec.convert(self.client.found("Pod", m.labels(endpoint, version)), list[Pod], strict=False)
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
        return self.client.path("Pod", f"{pod}:{m.PORT}", f"proxy/{below}")

    def _see_same(self, serving: Serving) -> None:
        """Every pod says what it serves: one with another model would be found by chance only, else."""
        for pod in self._ready(serving.endpoint, serving.version):
            told = self.client.request("GET", self._proxy(pod, "")).json()
            if told.get("digest") != serving.digest or told.get("version") != serving.version:
                raise VersionNotReady(
                    f"pod {pod} serves {told.get('model')}@{told.get('version')} ({str(told.get('digest'))[:12]}), "
                    f"and not {serving.model}@{serving.version} ({serving.digest[:12]})",
                    at=f"endpoint: {serving.endpoint}",
                    remedy="see that the image, or the store, has this version's files; no traffic reached it",
                )

    # --- the endpoint -------------------------------------------------------------------------------------------

    def _address(self, name: str) -> str:
        return f"http://{name}.{self.client.namespace}.svc"

    def _url(self, endpoint: str) -> str:
        host = self._placement.hostname if self._placement.gateway else ""
        return f"http://{host}" if host else self._address(endpoint_name(endpoint))

    def _shared(self, endpoint: str) -> Shared:
        return Shared(self.client, endpoint, self._placement, now=self._now, sleep=self._sleep)

    def _see_possible(self, endpoint: str, table: Table) -> None:
        if not self._placement.gateway:
            self._shared(endpoint).see_possible(table)
        else:
            self._gateway.see_possible(endpoint, table)


def _see_sound(placement: Placement, said_in: str) -> None:
    """Raise FileFaulty with all that is wrong; `said_in` is the file, or the variable, that says it."""
    below = ("kubernetes",) if said_in == "headway.toml" else ()
    found = [
        Fault(one.problem, where=".".join((*below, *map(str, one.path))), remedy=one.remedy, file=said_in)
        for one in m.faults(placement)
    ]
    if found:
        # One is told by itself, several below one another.
        is_one = len(found) == 1
        raise FileFaulty(
            found[0].problem if is_one else f"{len(found)} settings are of no use to a cluster",
            at=": ".join((said_in, *((found[0].where,) if is_one else below))),
            remedy=found[0].remedy if is_one else "mend what is listed; docs/configuration.md has every setting",
            faults=() if is_one else tuple(found),
        )


def _inside(path: str) -> str:
    """Where a version's file is in its pod; a folder ends in `/`, as `headway pod` wants it."""
    slash = "/" if os.path.isdir(path) else ""
    return f"{m.MODELS}/{os.path.basename(path)}{slash}" if path else ""


_: type[Target] = KubernetesTarget
