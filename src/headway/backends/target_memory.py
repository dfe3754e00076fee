"""Endpoints that exist only in this object: the fake that passes the target's contract, for tests and dry runs.

`url` is `memory://<endpoint>`; `call` is a client's request to it. What a version answers is up to a function.
"""

from collections.abc import Callable, Sequence

import msgspec

from headway.core.routing import Chooser, Table, faults, key_text, refuse, without
from headway.errors import UsageMistaken, VersionNotReady
from headway.ports import Answer, EndpointState, Serving, Target


def connect(_: str) -> "MemoryTarget":
    """A target of its own."""
    return MemoryTarget()


def its_version(serving: Serving, body: bytes) -> Answer:
    """Answer every row with the version's number; 400 for what is no JSON."""
    try:
        asked = msgspec.json.decode(body)
    except msgspec.DecodeError as e:
        return Answer(status=400, body=msgspec.json.encode({"error": str(e)}), ms=0.0)
    inputs = asked.get("inputs", asked) if isinstance(asked, dict) else asked
    n_rows = len(inputs) if isinstance(inputs, list) else 1
    told = {"predictions": [serving.version] * n_rows, "model": f"{serving.model}@{serving.version}"}
    return Answer(status=200, body=msgspec.json.encode(told), ms=0.0)


class MemoryTarget:
    """`answer` speaks for every version. A version of the format `broken` cannot be started.

    `live` and `serving` may be changed by a test that plays a crash; `n_answered` counts clients' requests by version,
    `n_copied` those that a shadow got, too.
    """

    __slots__ = ("_answer", "_n_called", "live", "n_answered", "n_copied", "serving", "tables")

    def __init__(self, answer: Callable[[Serving, bytes], Answer] = its_version) -> None:
        self._answer = answer
        self.live: dict[str, dict[int, Serving]] = {}
        self.serving: dict[str, int] = {}
        self.tables: dict[str, Table] = {}
        self.n_answered: dict[tuple[str, int], int] = {}
        self.n_copied: dict[tuple[str, int], int] = {}
        self._n_called = 0

    def start(self, serving: Serving, *, port: int, timeout_s: float) -> str:  # noqa: ARG002 (there is no port)
        """See `ports.Target`."""
        versions = self.live.setdefault(serving.endpoint, {})
        if serving.format == "broken":
            raise _not_ready(serving.endpoint, serving.version)
        versions[serving.version] = serving
        return f"memory://{serving.endpoint}/{serving.version}"

    def ask(self, endpoint: str, version: int, requests: Sequence[bytes], *, timeout_s: float) -> list[Answer]:  # noqa: ARG002 (nothing takes time)
        """See `ports.Target`."""
        serving = self._find(endpoint, version)
        return [self._answer(serving, body) for body in requests]

    def switch(self, endpoint: str, version: int) -> str:
        """See `ports.Target`."""
        self._find(endpoint, version)
        self.serving[endpoint] = version
        self.tables.pop(endpoint, None)
        return f"memory://{endpoint}"

    def route(self, endpoint: str, table: Table | None) -> None:
        """See `ports.Target`."""
        if table is None:
            self.tables.pop(endpoint, None)
            return
        refuse(endpoint, faults(table))
        serving = self.serving.get(endpoint, 0)
        for version in (serving, *table.versions):
            self._find(endpoint, version)
        if serving not in {route.version for route in table.routes}:
            raise UsageMistaken(
                f"{endpoint}: version {serving} serves, and is none of the table's routes",
                at=f"endpoint: {endpoint}",
                remedy="name it, with a weight of 0 maybe",
            )
        self.tables[endpoint] = table

    def stop(self, endpoint: str, version: int | None) -> None:
        """See `ports.Target`."""
        if version is None:
            self.live.pop(endpoint, None)
            self.serving.pop(endpoint, None)
            self.tables.pop(endpoint, None)
            return
        self.live.get(endpoint, {}).pop(version, None)
        table = self.tables.pop(endpoint, None)
        left = None if table is None or self.serving.get(endpoint) == version else without(table, version)
        if left is not None:
            self.tables[endpoint] = left
        if self.serving.get(endpoint) == version:
            del self.serving[endpoint]

    def state(self, endpoint: str) -> EndpointState | None:
        """See `ports.Target`."""
        if endpoint not in self.live:
            return None
        versions = self.live[endpoint]
        serving = self.serving.get(endpoint)
        return EndpointState(
            url=f"memory://{endpoint}",
            serving=serving,
            versions=tuple(sorted(versions)),
            held=tuple(sorted(versions)),
            healthy=serving in versions,
            table=self.tables.get(endpoint),
        )

    def collect(self, endpoint: str) -> list[str]:  # noqa: ARG002 (nothing is logged)
        """See `ports.Target`."""
        return []

    def call(self, url: str, body: bytes) -> Answer:
        """A client's request to an endpoint's URL. Raises VersionNotReady when nothing serves there."""
        endpoint = url.removeprefix("memory://")
        version = self._routed(endpoint, body)
        serving = self._find(endpoint, version)
        if len(body) > serving.limits.max_body_bytes:
            return Answer(status=413, body=b'{"error": "the body is too large"}', ms=0.0)
        self.n_answered[endpoint, version] = self.n_answered.get((endpoint, version), 0) + 1
        return self._answer(serving, body)

    def _routed(self, endpoint: str, body: bytes) -> int:
        """Who answers a client's request: as the table says, and the one that serves for any that is not there."""
        serving, table = self.serving.get(endpoint, 0), self.tables.get(endpoint)
        if table is None:
            return serving
        self._n_called += 1
        request_id = f"request-{self._n_called}"
        chooser = Chooser(endpoint, table)
        if table.shadow is not None and chooser.is_shadowed(request_id):
            copied = (endpoint, table.shadow.version)
            self.n_copied[copied] = self.n_copied.get(copied, 0) + 1
        key = None
        if table.sticky is not None and table.sticky.place == "field":
            asked = msgspec.json.decode(body)
            key = key_text(asked.get(table.sticky.name)) if isinstance(asked, dict) else None
        chosen = chooser.version(request_id if key is None else key)
        return chosen if chosen in self.live[endpoint] else serving

    def _find(self, endpoint: str, version: int) -> Serving:
        found = self.live.get(endpoint, {}).get(version)
        if found is None:
            raise _not_ready(endpoint, version)
        return found


_: type[Target] = MemoryTarget


def _not_ready(endpoint: str, version: int) -> VersionNotReady:
    return VersionNotReady(
        f"version {version} of {endpoint} has no live process", at=f"endpoint: {endpoint}", remedy="start it first"
    )
