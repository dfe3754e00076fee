"""A client of the Kubernetes API: JSON over one connection that is kept, refusals in words, times out.

Knows paths, server-side apply and logs; not what is applied, nor what it means. A request that only reads is sent again
when the connection broke; one that writes is too, since each of ours may be carried out twice.
"""

import json
import socket
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from msgspec import Struct

from headway.backends.target_kubernetes.access import Access, authorization, tls
from headway.core.manifest import MANAGER, Manifest
from headway.errors import TargetUnavailable

TIMEOUT_S = 30.0
TRIES = 3

PATHS = {
    "ConfigMap": ("/api/v1", "configmaps"),
    "Secret": ("/api/v1", "secrets"),
    "Service": ("/api/v1", "services"),
    "Pod": ("/api/v1", "pods"),
    "Event": ("/api/v1", "events"),
    "Deployment": ("/apis/apps/v1", "deployments"),
    "ReplicaSet": ("/apis/apps/v1", "replicasets"),
    "PodDisruptionBudget": ("/apis/policy/v1", "poddisruptionbudgets"),
    "HorizontalPodAutoscaler": ("/apis/autoscaling/v2", "horizontalpodautoscalers"),
    "Gateway": ("/apis/gateway.networking.k8s.io/v1", "gateways"),
    "HTTPRoute": ("/apis/gateway.networking.k8s.io/v1", "httproutes"),
}
"""Where the kinds are that are spoken of here."""

_REMEDIES = {
    401: "log in again: the token of the kubeconfig has run out, or is another cluster's",
    403: "let somebody who may give you the right: docs/kubernetes.md has the Role that is needed",
    404: "make the namespace, or install what the kind belongs to (the Gateway API, say)",
    409: "somebody else manages that field: let them give it up, or set it as they do",
    422: "mend what it names in headway.toml: kubernetes",
}


class Response(Struct, frozen=True):
    """What the server says."""

    status: int
    body: bytes

    # Any: JSON.
    def json(self) -> Any:  # noqa: ANN401 (as above)
        """The body as JSON; a mapping with the text as `message` when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {"message": self.body.decode("utf-8", "replace").strip()}


class Client:
    """Speaks to one namespace of one cluster. Not thread-safe."""

    def __init__(self, access: Access, namespace: str) -> None:
        self._connection: HTTPConnection | None = None
        self.namespace = namespace
        self._access = access
        parts = urlsplit(access.server)
        self._host, self._prefix, self._is_tls = parts.netloc, parts.path.rstrip("/"), parts.scheme == "https"
        self._who: str | None = None

    @property
    def server(self) -> str:
        """The cluster's address."""
        return self._access.server

    def path(self, kind: str, name: str = "", below: str = "") -> str:
        """The path of a kind's objects here, of one of them, or of something below it."""
        base, plural = PATHS[kind]
        whole = f"{base}/namespaces/{quote(self.namespace)}/{plural}"
        return "/".join(filter(None, (whole, quote(name, safe=":"), below)))

    def get(self, kind: str, name: str) -> Manifest | None:
        """An object, None when there is none. Raises TargetUnavailable."""
        said = self.request("GET", self.path(kind, name))
        if said.status == 404:
            return None
        found: Manifest = self._good(said, f"read {kind} {name}")
        return found

    def found(self, kind: str, labels: Mapping[str, str] | None = None) -> list[Manifest]:
        """The objects of a kind that have these labels. Raises TargetUnavailable."""
        items: list[Manifest] = []
        query = {"limit": "500"}
        if labels:
            query["labelSelector"] = ",".join(f"{key}={value}" for key, value in labels.items())
        while True:
            told = self._good(self.request("GET", self.path(kind), query), f"list {kind}s")
            items += told.get("items") or []
            query["continue"] = (told.get("metadata") or {}).get("continue") or ""
            if not query["continue"]:
                return items

    def apply(self, manifest: Manifest, *, is_dry: bool = False) -> Manifest:
        """Server-side apply as headway's own manager; what others manage is never taken. Raises TargetUnavailable."""
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        query = {"fieldManager": MANAGER, "fieldValidation": "Strict"}
        if is_dry:
            query["dryRun"] = "All"
        # JSON is YAML.
        body = json.dumps(manifest).encode()
        said = self.request(
            "PATCH", self.path(kind, name), query, body, {"Content-Type": "application/apply-patch+yaml"}
        )
        made: Manifest = self._good(said, f"apply {kind} {name}")
        return made

    def delete(self, kind: str, name: str) -> None:
        """Delete an object and what it owns; one that is not there is fine. Raises TargetUnavailable."""
        body = json.dumps({"propagationPolicy": "Background"}).encode()
        said = self.request("DELETE", self.path(kind, name), None, body)
        if said.status != 404:
            self._good(said, f"delete {kind} {name}")

    def words(self, pod: str, container: str, *, is_previous: bool, n_lines: int) -> str:
        """The last lines that a container printed; empty when it has printed none."""
        query = {"container": container, "tailLines": str(n_lines)} | ({"previous": "true"} if is_previous else {})
        said = self.request("GET", self.path("Pod", pod, "log"), query)
        return said.body.decode("utf-8", "replace").strip() if said.status == 200 else ""

    def request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
        more: Mapping[str, str] | None = None,
        timeout_s: float = TIMEOUT_S,
    ) -> Response:
        """One request, with `more` headers, whatever its status. Raises TargetUnavailable when there is no answer."""
        url = f"{self._prefix}{path}" + (f"?{urlencode(query)}" if query else "")
        was_renewed = False
        for left in reversed(range(TRIES)):
            try:
                said = self._sent(method, url, body, more or {}, timeout_s)
            except (OSError, HTTPException) as e:
                self.close()
                # A server that took too long would take as long again.
                if not left or isinstance(e, TimeoutError):
                    raise self._unreachable(e) from e
                continue
            if said.status == 401 and not was_renewed:
                # Tokens that are given out run out.
                self._who, was_renewed = None, True
                continue
            return said
        return said

    def _sent(self, method: str, url: str, body: bytes | None, more: Mapping[str, str], timeout_s: float) -> Response:
        if self._who is None:
            self._who = authorization(self._access)
        if self._connection is None:
            self._connection = self._connected(timeout_s)
        headers = {"Accept": "application/json", "User-Agent": MANAGER}
        if self._who:
            headers["Authorization"] = self._who
        if body is not None:
            headers["Content-Type"] = "application/json"
        headers |= more
        if self._connection.sock is not None:
            self._connection.sock.settimeout(timeout_s)
        self._connection.timeout = timeout_s
        self._connection.request(method, url, body, headers)
        response = self._connection.getresponse()
        return Response(response.status, response.read())

    def _connected(self, timeout_s: float) -> HTTPConnection:
        if not self._is_tls:
            return HTTPConnection(self._host, timeout=timeout_s)
        context, name = tls(self._access), self._access.name
        if not name:
            return HTTPSConnection(self._host, timeout=timeout_s, context=context)

        class _Named(HTTPSConnection):
            """The certificate is another host's, as the kubeconfig says."""

            def connect(self) -> None:
                made = socket.create_connection((self.host, self.port), timeout_s)
                self.sock = context.wrap_socket(made, server_hostname=name)

        return _Named(self._host, timeout=timeout_s, context=context)

    def close(self) -> None:
        """Let go; the next request connects again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __del__(self) -> None:
        # A target is never closed by those who use it: its port has no such act.
        self.close()

    # Any: JSON.
    def _good(self, said: Response, what: str) -> Any:  # noqa: ANN401 (as above)
        told = said.json()
        is_ours = isinstance(told, dict)
        if said.status < 300 and is_ours and "kind" in told:
            return told
        if said.status < 300:
            words = said.body[:60].decode("utf-8", "replace")
            raise TargetUnavailable(
                f"what answers is no Kubernetes: asked to {what}, it says {words!r}",
                at=f"target: {self.server}",
                remedy="see whether `kubectl version` reaches it: a proxy or a page to log in may be in between",
            )
        raise TargetUnavailable(
            f"the cluster refuses to {what}: {(told.get('message') if is_ours else '') or said.status}",
            at=f"target: {self.server}, namespace {self.namespace}",
            remedy=_REMEDIES.get(said.status, "try again; if it says the same, ask who runs the cluster"),
        )

    def _unreachable(self, e: Exception) -> TargetUnavailable:
        return TargetUnavailable(
            f"the cluster does not answer: {str(e) or type(e).__name__}",
            at=f"target: {self.server}",
            remedy="see whether `kubectl version` reaches it: a VPN, a proxy, or a cluster that is down",
        )
