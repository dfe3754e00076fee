"""A fake Kubernetes API server on loopback, shaped by what a real 1.33 said: for tests of what speaks to a cluster.

It answers get, list, watch, server-side apply, PUT, merge patch, scale, delete, events, logs, and requests to pods; it
refuses in the words of a real one. Its Deployments come up well, or as in a recording. There is no scheduler and no
network: a pod answers by a function, and hands out a folder as its log. Time is the caller's, so that minutes of a
recording pass in no time.
"""

import json
import os
import re
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Collection, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from headway.core.manifest import LOG_KEY, LOG_KEY_HEADER, LOG_PORT
from headway.serving.handout import Handout
from headway.testing.kubernetes_discovery import GATEWAY, discovered, kind_of
from headway.testing.kubernetes_objects import Key, Objects, Refused, Thing, has
from headway.testing.kubernetes_plays import Due, Play, stamp, taken, well

Answered = tuple[int, bytes]
"""A status and a body."""

_PATH = re.compile(
    r"/(?:api|apis/(?P<group>[a-z0-9.]+))/v[0-9a-z]+/namespaces/(?P<ns>[^/]+)/(?P<plural>[a-z]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>.+))?"
)
SERVED = frozenset(("", "apps", "policy", "autoscaling"))
GOLDEN = 0.6180339887498949
"""Steps of the golden ratio fill an interval evenly."""

MANY = 500
"""Changes that a watch may be behind; older ones are forgotten, as a real server's are after five minutes."""


class FakeKubernetes:
    """The server, as a context: `url` is its address. `clock` gives UTC seconds; what is due by then has happened.

    `plays` chooses the recording (its lines) of a new Deployment, None for one that comes up well after `ready_s`.
    `answer` speaks for a pod: its ConfigMap's spec, the path and the body. With `gateway` it serves HTTPRoutes, by
    Gateways that have these features; a route that asks for others is said to be taken, and answers 500, as was
    recorded. `n_copied` counts the copies that each version's Service got.
    `logs` has a folder for each pod that logged something, named like it.
    A client with the token `viewer` may do nothing.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        plays: Callable[[Thing], Sequence[Thing] | None] = lambda _: None,
        answer: Callable[[Thing, str, bytes], Answered] = lambda _spec, _path, _body: (200, b"{}"),
        ready_s: float = 1.0,
        gateway: Collection[str] | None = None,
        logs: str = "",
    ) -> None:
        self._clock, self._plays, self._answer, self._ready_s = clock, plays, answer, ready_s
        self._folder, self._features = logs, frozenset(gateway or ())
        self.n_copied: dict[str, int] = {}
        self._groups = SERVED | (frozenset() if gateway is None else {GATEWAY})
        self.objects = Objects(self._begin, lambda: stamp(clock()))
        self.asked: list[tuple[str, str]] = []
        self._due: list[Due] = []
        self._logs: dict[tuple[str, str, bool], Thing] = {}
        self._handouts: dict[str, Handout] = {}
        self._n_plays = self._n_called = self._n_routed = 0
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Serve."""
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, e: BaseException | None, tb: TracebackType | None) -> None:
        """End."""
        self._server.shutdown()
        self._server.server_close()

    # --- what happens by itself ---------------------------------------------------------------------------------

    def _begin(self, deployment: Thing) -> None:
        if deployment["kind"] == "HTTPRoute":
            self._due.append((self._clock() + 0.1, lambda: taken(deployment, self.objects, stamp(self._clock()))))
            return
        lines, at = self._plays(deployment), self._clock()
        if lines is None:
            self._due += well(deployment, self.objects, at, self._ready_s)
        else:
            self._n_plays += 1
            play = Play(lines, deployment, at, self._n_plays)
            self._due += play.dues(self.objects)
            self._logs.update(play.logs())

    def advance(self) -> None:
        """Let everything happen that is due by now."""
        with self._lock:
            while True:
                now = self._clock()
                ready = sorted((due for due in self._due if due[0] <= now), key=lambda due: due[0])
                if not ready:
                    return
                self._due.remove(ready[0])
                ready[0][1]()

    # --- what clients ask ---------------------------------------------------------------------------------------

    def call(self, host: str, path: str, body: bytes) -> Answered:
        """What a client gets from a Service's name (`churn.default.svc`) or a route's host: 503 when no pod is ready.

        Of a route's versions each gets its share, evenly, and of a Service's pods each as many.
        """
        self.advance()
        with self._lock:
            name, namespace, mirrors = self._routed(host)
            if mirrors and not mirrors <= self._features:
                return 500, b""
            found = self.objects.held.get(("services", namespace, name))
            pods = self.objects.found("pods", namespace, found["spec"]["selector"]) if found is not None else []
            ready = [pod for pod in pods if _is_ready(pod)]
            if not ready:
                return 503, b"no endpoints available"
            self._n_called += 1
            return self._pod_says(ready[int(self._n_called * GOLDEN % 1 * len(ready))], path, body)

    def _routed(self, host: str) -> tuple[str, str, set[str]]:
        """The Service that answers, its namespace, and the features that its route asks for."""
        for key, route in self.objects.held.items():
            if key[0] == "httproutes" and host in route["spec"].get("hostnames", []):
                rule = route["spec"]["rules"][0]
                self._n_routed += 1
                mirrors = {self._copied(one["requestMirror"]) for one in rule.get("filters", [])}
                at = self._n_routed * GOLDEN % 1 * sum(backend["weight"] for backend in rule["backendRefs"])
                for backend in rule["backendRefs"]:
                    at -= backend["weight"]
                    if at < 0:
                        return backend["name"], key[1], mirrors
        name, namespace = (*host.split("."), "default")[:2]
        return name, namespace, set()

    def _copied(self, mirror: Thing) -> str:
        """Send a copy, if this request is among those that are copied; the feature that this needs."""
        share = mirror.get("fraction", {"numerator": 1, "denominator": 1})
        if self._n_routed * GOLDEN % 1 * share["denominator"] < share["numerator"]:
            name = mirror["backendRef"]["name"]
            self.n_copied[name] = self.n_copied.get(name, 0) + 1
        return f"HTTPRouteRequest{'Percentage' if 'fraction' in mirror else ''}Mirror"

    def _pod_says(self, pod: Thing, path: str, body: bytes) -> Answered:
        volumes = pod.get("spec", {}).get("volumes", [])
        name = next((one["configMap"]["name"] for one in volumes if "configMap" in one), "")
        config = self.objects.held.get(("configmaps", pod["metadata"]["namespace"], name))
        spec: Thing = json.loads(config["data"]["version.json"]) if config is not None else {}
        return self._answer(spec, path, body)

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        """One request's status and answer: a value of JSON, or text."""
        self.advance()
        with self._lock:
            self.asked.append((method, target))
            path, query = urlsplit(target).path, {k: v[-1] for k, v in parse_qs(urlsplit(target).query).items()}
            about = discovered(path, self._groups, self._features)
            if about is not None:
                return 200, about
            found = _PATH.fullmatch(path)
            if found is None or (found["group"] or "") not in self._groups:
                return 404, "404 page not found\n"
            key = (found["plural"], found["ns"], unquote(found["name"] or ""))
            try:
                self._see_allowed(method, key, headers)
                if found["sub"]:
                    is_log = found["sub"].startswith("proxy/log") and key[2].endswith(f":{LOG_PORT}")
                    below = target.partition("/proxy")[2]
                    return (
                        self._handed_out(key, below, headers)
                        if is_log
                        else self._below(method, key, found["sub"], query, body)
                    )
                return 200, self._object(method, key, query, headers, json.loads(body) if body else {})
            except Refused as e:
                return e.code, e.status

    def _see_allowed(self, method: str, key: Key, headers: Mapping[str, str]) -> None:
        if headers.get("Authorization") != "Bearer viewer":
            return
        verb = {"GET": "get", "PATCH": "patch", "PUT": "update", "DELETE": "delete", "POST": "create"}[method]
        told = f'User "viewer" cannot {verb} resource "{key[0]}" in API group "apps" in the namespace "{key[1]}"'
        details = {"name": key[2], "group": "apps", "kind": key[0]}
        raise Refused(403, "Forbidden", f'{key[0]}.apps "{key[2]}" is forbidden: {told}', details)

    def _object(
        self, method: str, key: Key, query: Mapping[str, str], headers: Mapping[str, str], sent: Thing
    ) -> Thing:
        if method == "GET" and not key[2]:
            return self._list(key, query)
        if method == "GET":
            return self.objects.get(key)
        if method in ("POST", "PUT"):
            name = sent["metadata"]["name"]
            return self.objects.replace(key, sent) if method == "PUT" else self.objects.create((*key[:2], name), sent)
        if method == "DELETE":
            gone = self.objects.remove(key)
            details = {"name": key[2], "group": "apps", "kind": key[0], "uid": gone["metadata"]["uid"]}
            return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}
        if headers.get("Content-Type", "").startswith("application/apply-patch"):
            force, is_dry = query.get("force") == "true", query.get("dryRun") == "All"
            return self.objects.apply(key, sent, query["fieldManager"], force=force, is_dry=is_dry)
        return self.objects.merge(key, sent, query.get("fieldManager", ""))

    def _list(self, key: Key, query: Mapping[str, str]) -> Thing:
        items = self.objects.found(key[0], key[1], selector(query))
        meta = {"resourceVersion": str(self.objects.version)}
        return {"kind": f"{kind_of(key[0])}List", "apiVersion": "v1", "metadata": meta, "items": items}

    def _below(self, method: str, key: Key, sub: str, query: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        if sub == "scale":
            made = self.objects.get(key)
            if method == "PATCH":
                made = self.objects.merge(key, json.loads(body), query.get("fieldManager", "unknown"))
            kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
            meta = {name: value for name, value in made["metadata"].items() if name in kept}
            labels = made["spec"]["selector"]["matchLabels"]
            status = {"replicas": made.get("status", {}).get("replicas", 0)}
            status["selector"] = ",".join(f"{name}={value}" for name, value in labels.items())
            spec = {"replicas": made["spec"].get("replicas", 1)}
            return 200, {
                "kind": "Scale",
                "apiVersion": "autoscaling/v1",
                "metadata": meta,
                "spec": spec,
                "status": status,
            }
        if sub == "log":
            return self._log(key, query)
        if sub.startswith("proxy"):
            pod = self.objects.get((key[0], key[1], key[2].partition(":")[0]))
            if not _is_ready(pod):
                raise Refused(503, "ServiceUnavailable", "error trying to reach service: connection refused")
            return self._pod_says(pod, sub.removeprefix("proxy"), body)
        return 404, "404 page not found\n"

    def _handed_out(self, key: Key, target: str, headers: Mapping[str, str]) -> Answered:
        """A pod's log, also of one that is not ready: its container hands it out as long as it runs."""
        name = key[2].partition(":")[0]
        pod = self.objects.get((key[0], key[1], name))
        containers = {one["name"]: one for one in pod["spec"]["containers"]}
        if "log" not in containers:
            raise Refused(503, "ServiceUnavailable", "error trying to reach service: connection refused")
        asked = next(one["valueFrom"]["secretKeyRef"] for one in containers["log"]["env"] if one["name"] == LOG_KEY)
        kept = self.objects.held.get(("secrets", key[1], asked["name"]))
        its_key = b64decode(kept["data"][asked["key"]]).decode() if kept is not None else ""
        folder = os.path.join(self._folder or os.devnull, name)
        said = self._handouts.setdefault(name, Handout(folder, its_key))
        return said.answer(target, headers.get(LOG_KEY_HEADER, ""))

    def _log(self, key: Key, query: Mapping[str, str]) -> tuple[int, Any]:
        self.objects.get(key)
        container = query.get("container", "server")
        said = self._logs.get((key[2], container, query.get("previous") == "true"))
        if said is None:
            return 200, "serving\n"
        if said["exit"]:
            raise Refused(400, "BadRequest", said["stderr"].partition("(BadRequest): ")[2].strip())
        return 200, "".join(said["stdout"].splitlines(keepends=True)[-int(query.get("tailLines", "1000")) :])

    def changes(self, target: str, since: int) -> list[Thing]:
        """What a watch of this path hears after a version. Raises Refused when that is too long ago."""
        self.advance()
        with self._lock:
            if since < self.objects.version - MANY:
                raise Refused(410, "Expired", f"too old resource version: {since} ({self.objects.version - MANY})")
            found, query = _PATH.fullmatch(urlsplit(target).path), parse_qs(urlsplit(target).query)
            assert found is not None
            chosen = selector({name: values[-1] for name, values in query.items()})
            return [
                {"type": kind, "object": thing, "version": version}
                for version, kind, key, thing in self.objects.history
                if version > since and key[:2] == (found["plural"], found["ns"]) and has(thing, chosen)
            ]


def selector(query: Mapping[str, str]) -> dict[str, str]:
    """The labels that `labelSelector` wants, joined by commas."""
    text = query.get("labelSelector", "")
    return dict(pair.split("=", 1) for pair in text.replace("==", "=").split(",")) if text else {}


def _is_ready(pod: Thing) -> bool:
    return any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions", []))


def _handler(cluster: FakeKubernetes) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body in one piece, at once: in two, each answer would wait 40 ms for a client's delayed ACK.
        disable_nagle_algorithm = True
        wbufsize = -1

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            query = parse_qs(urlsplit(self.path).query)
            if self.command == "GET" and query.get("watch", [""])[-1] in ("1", "true"):
                self._watch(query)
                return
            status, told = cluster.handle(self.command, self.path, dict(self.headers), body)
            content = (
                told
                if isinstance(told, bytes)
                else told.encode()
                if isinstance(told, str)
                else json.dumps(told).encode()
            )
            self.send_response(status)
            self.send_header("Content-Type", "application/json" if isinstance(told, dict) else "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 (the library's names)

        def _watch(self, query: Mapping[str, list[str]]) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            since = int(query.get("resourceVersion", ["0"])[-1] or 0)
            ends_at = time.monotonic() + float(query.get("timeoutSeconds", ["1"])[-1])
            while time.monotonic() < ends_at:
                try:
                    heard = cluster.changes(self.path, since)
                except Refused as e:
                    self._chunk({"type": "ERROR", "object": e.status})
                    break
                for change in heard:
                    since = change.pop("version")
                    self._chunk(change)
                time.sleep(0.01)
            self.wfile.write(b"0\r\n\r\n")

        def _chunk(self, told: Thing) -> None:
            line = json.dumps(told).encode() + b"\n"
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler
