"""Kubernetes manifests of a served version and of its endpoint: the same values give the same text, always.

A version has a Deployment, a Service of its own (it can be asked without traffic), a ConfigMap with what it serves, and
a PodDisruptionBudget. An endpoint has a Service that points at the version that serves, or an HTTPRoute with weights,
and a Secret with the key to what its pods log.
Probes ask the model itself, a start may take its time, and a pod goes only when nobody is routed to it any more. Does
not know clusters, files and images' contents: `codec/manifests_own` changes a user's own Deployment.
"""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from msgspec import Struct

from headway.core.ids import Digest
from headway.core.manifest_names import (
    APP,
    DIGEST,
    ENDPOINT,
    MODEL,
    VERSION,
    endpoint_name,
    image_faults,
    label_faults,
    label_value,
    log_name,
    name_faults,
    quantity_faults,
    version_name,
)
from headway.core.placement import Placement
from headway.core.problem import Problem
from headway.core.routing import Shadow

# Any: objects of the Kubernetes API are open JSON.
Manifest = dict[str, Any]

MANAGER = "headway"
PORT = 8080
COPY_PORT = 8082
"""Where a pod takes copies of requests, which it answers as a shadow does: nobody gets the answer."""

LOG_PORT = 8081
"""Where a pod hands out its log, to whoever has the endpoint's key. In no Service: clients do not get there."""

LOG_KEY = "HEADWAY_LOG_KEY"
LOG_KEY_HEADER = "X-Headway-Key"
"""Where a pod is told that key, and where whoever asks tells it. `Authorization` is the API server's own."""
SPEC = "/etc/headway/version.json"
MODELS = "/models"

PROBE_S = 2
UNROUTE_S = 5
"""A pod that ends is still sent requests until every proxy knows: it goes on answering so long."""

FETCH_S = 15
"""How long a pod whose server has ended goes on handing out what that one logged last."""

MIN_READY_S = 5
"""A pod that is ready for a moment and falls over is not one that is available."""


class Version(Struct, frozen=True, kw_only=True):
    """A version to be served. `spec` is what its server reads: JSON, the same for the same version.

    `has_log`: its predictions are logged, and its pods hand them out.
    """

    endpoint: str
    model: str
    version: int
    digest: Digest
    spec: str
    has_log: bool = True


def faults(placement: Placement) -> list[Problem]:
    """All that is wrong with a placement, each with its key as it is written in headway.toml.

    >>> [fault.path for fault in faults(Placement(image="a:1", replicas=-1, memory="much"))]
    [('memory',), ('replicas',)]
    """
    found = image_faults(placement.image) + label_faults(placement.labels) + _name_faults(placement)
    for key in ("cpu", "memory"):
        found += quantity_faults(key, getattr(placement, key))
    for key, value, least in (
        ("replicas", placement.replicas, 0),
        ("most-copies", placement.most_copies, 2),
        ("max-replicas", placement.max_replicas, 0),
        ("gpu", placement.gpu, 0),
        ("start-s", placement.start_s, 1),
        ("drain-s", placement.drain_s, 0),
    ):
        if value < least:
            found.append(Problem(path=(key,), problem=f"{key} is {value}", remedy=f"give a number from {least} up"))
    if 0 < placement.max_replicas < placement.replicas:
        problem = f"max-replicas {placement.max_replicas} is below replicas {placement.replicas}"
        found.append(Problem(path=("max-replicas",), problem=problem, remedy="make it the larger one"))
    return found


def _name_faults(placement: Placement) -> list[Problem]:
    found = [] if not placement.namespace else name_faults("namespace", placement.namespace, is_domain=False)
    for key, name in (
        ("secret", placement.secret),
        ("pull-secret", placement.pull_secret),
        ("service-account", placement.service_account),
        # A host may begin with `*.`, which stands for one name.
        ("hostname", placement.hostname.removeprefix("*.")),
    ):
        if name:
            found += name_faults(key, name)
    namespace, slash, gateway = placement.gateway.rpartition("/")
    if placement.gateway:
        found += name_faults("gateway", gateway)
    if slash:
        found += [
            Problem(path=("gateway",), problem=f"{one.problem} of a gateway", remedy=one.remedy)
            for one in name_faults("namespace", namespace, is_domain=False)
        ]
    return found


def for_version(version: Version, placement: Placement) -> list[Manifest]:
    """All that is one version's, in the order in which it is applied."""
    made = [config(version, placement), deployment(version, placement), service(version, placement)]
    made.append(budget(version, placement))
    if placement.max_replicas:
        made.append(autoscaler(version, placement))
    return made


def labels(endpoint: str, version: int) -> dict[str, str]:
    """What a version's pods are found by. A Deployment's selector cannot change: only what never does is here."""
    return {ENDPOINT: label_value(endpoint), VERSION: str(version)}


def _meta(name: str, placement: Placement, own: Mapping[str, str]) -> Manifest:
    all_labels = {"app": APP, "app.kubernetes.io/managed-by": MANAGER, **own, **placement.labels}
    namespace = {"namespace": placement.namespace} if placement.namespace else {}
    return {"name": name, **namespace, "labels": all_labels}


def _of_version(version: Version, placement: Placement) -> Manifest:
    own = {**labels(version.endpoint, version.version), MODEL: label_value(version.model)}
    return _meta(version_name(version.endpoint, version.version), placement, own)


def config(version: Version, placement: Placement) -> Manifest:
    """What the server is to serve."""
    meta = _of_version(version, placement)
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"version.json": version.spec}}


def deployment(version: Version, placement: Placement) -> Manifest:
    """The copies of a version. With an autoscaler their number is that one's affair, and is not said here."""
    selector = labels(version.endpoint, version.version)
    told = {DIGEST: version.digest, "headway.dev/spec": blake2b(version.spec.encode(), digest_size=8).hexdigest()}
    meta = _of_version(version, placement)
    spec: Manifest = {} if placement.max_replicas else {"replicas": placement.replicas}
    spec |= {
        "revisionHistoryLimit": 2,
        "minReadySeconds": MIN_READY_S,
        "progressDeadlineSeconds": placement.start_s + 120,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": selector},
        "template": {
            "metadata": {"labels": meta["labels"], "annotations": told},
            "spec": _pod(version, placement, selector),
        },
    }
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}


def _pod(version: Version, placement: Placement, selector: Mapping[str, str]) -> Manifest:
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": dict(selector)},
    }
    volumes: list[Manifest] = [
        {"name": "version", "configMap": {"name": version_name(version.endpoint, version.version)}},
        {"name": "work", "emptyDir": {}},
    ]
    made: Manifest = {}
    if placement.service_account:
        made["serviceAccountName"] = placement.service_account
    if placement.pull_secret:
        made["imagePullSecrets"] = [{"name": placement.pull_secret}]
    if placement.store_url:
        volumes.append({"name": "models", "emptyDir": {}})
        made["initContainers"] = [_fetcher(placement)]
    # A service account of one's own is how clouds let a pod into a bucket: then its token is needed.
    return made | {
        "automountServiceAccountToken": bool(placement.service_account),
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": UNROUTE_S + placement.drain_s + FETCH_S,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [spread],
        "containers": [_server(placement), *([_handout(version, placement)] if version.has_log else [])],
        "volumes": volumes,
    }


def _container(name: str, word: str, placement: Placement) -> Manifest:
    env: list[Manifest] = [{"name": "HOME", "value": "/work"}, {"name": "TMPDIR", "value": "/work"}]
    if placement.store_url and word == "fetch":
        env.append({"name": "HEADWAY_STORE_URL", "value": placement.store_url})
    if word == "serve":
        # One request has too little work to share among threads.
        env.append({"name": "OMP_NUM_THREADS", "value": "1"})
    made: Manifest = {
        "name": name,
        "image": placement.image,
        "command": ["headway", "pod", word, SPEC],
        "workingDir": "/work",
        "env": env,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "version", "mountPath": "/etc/headway", "readOnly": True},
            {"name": "work", "mountPath": "/work"},
        ],
    }
    if placement.secret:
        made["envFrom"] = [{"secretRef": {"name": placement.secret}}]
    return made


def _fetcher(placement: Placement) -> Manifest:
    made = _container("model", "fetch", placement)
    made["volumeMounts"].append({"name": "models", "mountPath": MODELS})
    asked = {"cpu": placement.cpu, "memory": placement.memory}
    made["resources"] = {"requests": asked, "limits": {"memory": placement.memory}}
    return made


def _handout(version: Version, placement: Placement) -> Manifest:
    """Hands out the log beside the server: it costs that one nothing, and outlives its crashes and its end."""
    made = _container("log", "log", placement)
    # It needs nothing of the store.
    made.pop("envFrom", None)
    key = {"name": log_name(version.endpoint), "key": "key", "optional": True}
    made["env"].append({"name": LOG_KEY, "valueFrom": {"secretKeyRef": key}})
    made["volumeMounts"][1]["readOnly"] = True
    ports = [{"name": "log", "containerPort": LOG_PORT, "protocol": "TCP"}]
    amounts = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}
    return made | {"ports": ports, "resources": amounts}


def log_key(endpoint: str, key: str, placement: Placement) -> Manifest:
    """The Secret with the key that opens the logs of an endpoint's pods; `key` is its text."""
    meta = _meta(log_name(endpoint), placement, {ENDPOINT: label_value(endpoint)})
    data = {"key": b64encode(key.encode()).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "type": "Opaque", "data": data}


def _server(placement: Placement) -> Manifest:
    made = _container("server", "serve", placement)
    if placement.store_url:
        made["volumeMounts"].append({"name": "models", "mountPath": MODELS, "readOnly": True})
    gpu = {"nvidia.com/gpu": placement.gpu} if placement.gpu else {}
    asked = {"cpu": placement.cpu, "memory": placement.memory, **gpu}
    ready = {"httpGet": {"path": "/v2/health/ready", "port": "http"}, "timeoutSeconds": 2}
    live = {"httpGet": {"path": "/v2/health/live", "port": "http"}, "timeoutSeconds": 5}
    return made | {
        "ports": [
            {"name": "http", "containerPort": PORT, "protocol": "TCP"},
            {"name": "copies", "containerPort": COPY_PORT, "protocol": "TCP"},
        ],
        "resources": {"requests": asked, "limits": {"memory": placement.memory, **gpu}},
        "startupProbe": ready | {"periodSeconds": PROBE_S, "failureThreshold": -(-placement.start_s // PROBE_S)},
        "readinessProbe": ready | {"periodSeconds": 5, "failureThreshold": 2},
        "livenessProbe": live | {"periodSeconds": 10, "failureThreshold": 6},
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(UNROUTE_S)]}}},
    }


def service(version: Version, placement: Placement) -> Manifest:
    """A version's own address, with no clients' traffic unless a route sends it there; copies come to another port."""
    made = _service(_of_version(version, placement), labels(version.endpoint, version.version))
    copies = {"name": "copies", "port": COPIES, "targetPort": "copies", "protocol": "TCP", "appProtocol": "http"}
    made["spec"]["ports"].append(copies)
    return made


def endpoint_service(endpoint: str, version: int | None, placement: Placement) -> Manifest:
    """The endpoint's address, which is this version's from now on, or with None that of all its versions' copies."""
    own = {ENDPOINT: label_value(endpoint)}
    chosen = own if version is None else labels(endpoint, version)
    return _service(_meta(endpoint_name(endpoint), placement, own), chosen)


def _service(meta: Manifest, selector: Mapping[str, str]) -> Manifest:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"}]
    spec = {"type": "ClusterIP", "selector": dict(selector), "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def budget(version: Version, placement: Placement) -> Manifest:
    """At most one copy is taken away at a time when nodes are emptied; emptying a node is never prevented."""
    selector = {"matchLabels": labels(version.endpoint, version.version)}
    spec = {"maxUnavailable": 1, "selector": selector}
    meta = _of_version(version, placement)
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec}


def autoscaler(version: Version, placement: Placement) -> Manifest:
    """More copies under load, fewer again only after five quiet minutes."""
    name = version_name(version.endpoint, version.version)
    use = {"type": "Utilization", "averageUtilization": 70}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
        "minReplicas": max(placement.replicas, 1),
        "maxReplicas": placement.max_replicas,
        "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": use}}],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 300}},
    }
    meta = _of_version(version, placement)
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": spec}


COPIES = 81
"""The port of a version's Service that takes copies."""


def route(endpoint: str, shares: Mapping[int, float], placement: Placement, shadow: Shadow | None = None) -> Manifest:
    """An HTTPRoute that gives each version its share (0 to 1, together 1) of the endpoint's requests.

    A shadow gets a copy of its own share of them.
    """
    namespace, _, name = placement.gateway.rpartition("/")
    parent = {"name": name, "namespace": namespace} if namespace else {"name": name}
    backends = [
        {"name": version_name(endpoint, version), "port": 80, "weight": weight}
        for version, weight in weights(shares).items()
    ]
    spec: Manifest = {"parentRefs": [parent]}
    if placement.hostname:
        spec["hostnames"] = [placement.hostname]
    rule: Manifest = {"backendRefs": backends}
    if shadow is not None:
        mirror: Manifest = {"backendRef": {"name": version_name(endpoint, shadow.version), "port": COPIES}}
        if shadow.share < 1:
            # As a fraction, which takes parts of a per cent, too.
            mirror["fraction"] = {"numerator": round(shadow.share * MOST_WEIGHT), "denominator": MOST_WEIGHT}
        rule["filters"] = [{"type": "RequestMirror", "requestMirror": mirror}]
    spec["rules"] = [rule]
    meta = _meta(endpoint_name(endpoint), placement, {ENDPOINT: label_value(endpoint)})
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": meta, "spec": spec}


MOST_WEIGHT = 10_000


def weights(shares: Mapping[int, float]) -> dict[int, int]:
    """Whole weights that together are 10,000 and as near to the shares as can be; a share above 0 has at least 1.

    >>> weights({3: 0.9, 4: 0.1}), weights({3: 1 / 3, 4: 2 / 3}), weights({3: 0.999999, 4: 0.000001})
    ({3: 9000, 4: 1000}, {3: 3333, 4: 6667}, {3: 9999, 4: 1})
    """
    found = {version: round(share * MOST_WEIGHT) or (share > 0) * 1 for version, share in shares.items()}
    largest = max(found, key=lambda version: found[version])
    found[largest] += MOST_WEIGHT - sum(found.values())
    return found
