"""What a fake Kubernetes says of itself: groups, kinds and the little of its OpenAPI that `kubectl` asks for.

Enough for `kubectl apply` and `kubectl get` as people type them. Knows no objects.
"""

from collections.abc import Collection

from headway.testing.kubernetes_objects import Thing

KINDS = {
    "": {"configmaps": "ConfigMap", "secrets": "Secret", "services": "Service", "pods": "Pod", "events": "Event"},
    "apps": {"deployments": "Deployment", "replicasets": "ReplicaSet"},
    "policy": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "autoscaling": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "gateway.networking.k8s.io": {"httproutes": "HTTPRoute"},
}
"""Plurals and kinds, by group."""

VERSIONS = {"autoscaling": "v2"}
"""The version of a group; of all others v1."""

_SHORT = {"pods": ["po"], "services": ["svc"], "deployments": ["deploy"], "configmaps": ["cm"]}
_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def kind_of(plural: str) -> str:
    """The kind of a plural.

    >>> kind_of("deployments")
    'Deployment'
    """
    return next(kinds[plural] for kinds in KINDS.values() if plural in kinds)


GATEWAY = "gateway.networking.k8s.io"


def discovered(path: str, groups: Collection[str], features: Collection[str] = ()) -> Thing | None:
    """What is said at one of the paths of discovery; None where there is nothing of the kind.

    Any Gateway that is asked for is there, of a class whose Gateways have these `features`.
    """
    if GATEWAY in groups and (its := _gateway(path, features)) is not None:
        return its
    if path.startswith("/openapi/v3"):
        return _openapi(path.removeprefix("/openapi/v3"), groups)
    served = _served(groups)
    if path == "/version":
        return {"major": "1", "minor": "33", "gitVersion": "v1.33.13"}
    if path == "/api":
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    if path == "/apis":
        return {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [_group(group) for group in sorted(groups) if group],
        }
    return _resources(served[path]) if path in served else None


def _gateway(path: str, features: Collection[str]) -> Thing | None:
    if path.startswith(f"/apis/{GATEWAY}/v1/") and "/gateways/" in path:
        return {"kind": "Gateway", "metadata": {}, "spec": {"gatewayClassName": "fake"}}
    if path == f"/apis/{GATEWAY}/v1/gatewayclasses/fake":
        told = [{"name": one} for one in sorted(features)]
        return {"kind": "GatewayClass", "metadata": {}, "status": {"supportedFeatures": told}}
    return None


def _served(groups: Collection[str]) -> dict[str, str]:
    return {f"/apis/{group}/{_version(group)}": group for group in sorted(groups) if group} | {"/api/v1": ""}


def _openapi(below: str, groups: Collection[str]) -> Thing | None:
    served = _served(groups)
    if not below:
        return {"paths": {one.strip("/"): {"serverRelativeURL": f"/openapi/v3{one}"} for one in served}}
    return _schema(served[below]) if below in served else None


def _version(group: str) -> str:
    return VERSIONS.get(group, "v1")


def _group(name: str) -> Thing:
    version = {"groupVersion": f"{name}/{_version(name)}", "version": _version(name)}
    return {"name": name, "versions": [version], "preferredVersion": version}


def _resources(group: str) -> Thing:
    named = f"{group}/{_version(group)}" if group else "v1"
    resources = [
        {
            "name": plural,
            "singularName": kind.lower(),
            "namespaced": True,
            "kind": kind,
            "verbs": _VERBS,
            "shortNames": _SHORT.get(plural, []),
        }
        for plural, kind in KINDS[group].items()
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": named, "resources": resources}


def _schema(group: str) -> Thing:
    """That writing takes `fieldValidation`, which is what `kubectl` looks for before it lets the server validate."""
    base = f"/apis/{group}/{_version(group)}" if group else "/api/v1"
    field = {"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}
    paths = {}
    for plural, kind in KINDS[group].items():
        about = {"group": group, "version": _version(group), "kind": kind}
        patch = {"parameters": [field], "x-kubernetes-group-version-kind": about, "x-kubernetes-action": "patch"}
        paths[f"{base}/namespaces/{{namespace}}/{plural}/{{name}}"] = {"patch": patch}
    return {"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "v1.33.13"}, "paths": paths}
