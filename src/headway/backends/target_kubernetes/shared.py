"""Shares of an endpoint's requests by the number of copies, where there is no Gateway.

The endpoint's Service chooses the pods of all versions, and each copy gets as many connections as any other. Copies are
added before they are needed and taken away after: the version that serves never has fewer than without a table. How
many that is stands in the Service from before the first change until after the last, so that whoever comes after a
driver that died knows it. `core/copies` says how many; whatever is done here may be done again.
"""

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import structs

from headway.backends.target_kubernetes import waiting
from headway.backends.target_kubernetes.client import Client
from headway.backends.target_kubernetes.endpoint import Endpoint, write
from headway.core import copies as c
from headway.core import manifest as m
from headway.core.manifest_names import ENDPOINT, VERSION, label_value, version_name
from headway.core.placement import Placement
from headway.core.problem import Problem
from headway.core.routing import Table
from headway.errors import UsageMistaken, VersionNotReady


class Shared:
    """The copies of one endpoint's versions."""

    __slots__ = ("_client", "_endpoint", "_now", "_placement", "_sleep")

    def __init__(
        self,
        client: Client,
        endpoint: str,
        placement: Placement,
        *,
        now: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        self._client, self._endpoint, self._placement = client, endpoint, placement
        self._now, self._sleep = now, sleep

    def see_possible(self, table: Table) -> None:
        """Raise UsageMistaken for what copies cannot do at all."""
        problem = ""
        if table.sticky is not None:
            problem = "a Service keeps no keys with a version"
        elif table.shadow is not None:
            problem = "a Service copies no requests for a shadow"
        elif self._placement.max_replicas:
            problem = "an autoscaler changes the number of copies, so that they make no shares"
        if problem:
            remedy = "write `gateway` into headway.toml: kubernetes" + (
                ", or leave `max-replicas` away" if self._placement.max_replicas else ", or leave that away"
            )
            raise UsageMistaken(f"{self._endpoint}: {problem}", at=f"endpoint: {self._endpoint}", remedy=remedy)

    def share(self, before: Endpoint, table: Table) -> None:
        """Let a table without faults be in force. Raises UsageMistaken, VersionNotReady; all is as before then."""
        self.see_possible(table)
        have = self._have()
        full = {version: have[version] for version in table.versions if version in have} | before.copies
        live = {version: share for version, share in table.shares.items() if share > 0}
        chosen = next(iter(live)) if len(live) == 1 else None
        if chosen is None:
            self._see_all_named(table, have)
            wanted = self._chosen(live, before.serving, full[before.serving])
        else:
            wanted = {chosen: max(full.get(chosen, 0), full[before.serving])}
        if before.copies != full:
            write(self._client, self._endpoint, structs.replace(before, copies=full), self._placement)
        self._scale(have, {version: n for version, n in wanted.items() if n > have[version]})
        if before.chosen is not None:
            # Nobody is sent to a version that is to have fewer.
            self._scale(have, {version: n for version, n in wanted.items() if n < have[version]})
        after = Endpoint(serving=before.serving, chosen=chosen, table=table, copies=full)
        write(self._client, self._endpoint, after, self._placement)
        self._scale(self._have(), wanted)

    def alone(self, before: Endpoint, version: int) -> None:
        """Let one version answer again, and all have their copies back. Raises VersionNotReady."""
        full = {**before.copies, version: max(before.copies.values())}
        have = self._have()
        if have.get(version, 0) < full[version]:
            self._scale(have, {version: full[version]})
        after = Endpoint(serving=version, chosen=version, copies=full)
        write(self._client, self._endpoint, after, self._placement)
        self._scale(self._have(), {v: n for v, n in full.items() if v in have})
        write(self._client, self._endpoint, structs.replace(after, copies={}), self._placement)

    def _chosen(self, live: Mapping[int, float], serving: int, least: int) -> dict[int, int]:
        found = c.chosen(live, serving=serving, least=least, most=self._placement.most_copies)
        if isinstance(found, Problem):
            raise UsageMistaken(
                f"{self._endpoint}: {found.problem}", at=f"endpoint: {self._endpoint}", remedy=found.remedy
            )
        return found

    def _see_all_named(self, table: Table, have: Mapping[int, int]) -> None:
        """A Service that chooses all versions gives requests to one that was not meant, too."""
        live = {version for version, share in table.shares.items() if share > 0}
        for version in sorted(have.keys() - live):
            raise UsageMistaken(
                f"{self._endpoint}: version {version} runs, too, and copies cannot keep requests from it",
                at=f"endpoint: {self._endpoint}",
                remedy="stop it first, or write `gateway` into headway.toml: kubernetes",
            )

    def _have(self) -> dict[int, int]:
        """How many copies each version is to have now."""
        found = self._client.found("Deployment", {ENDPOINT: label_value(self._endpoint)})
        return {int(one["metadata"]["labels"][VERSION]): int(one["spec"].get("replicas", 1)) for one in found}

    def _scale(self, have: Mapping[int, int], wanted: Mapping[int, int]) -> None:
        """Give versions so many copies, and wait for them; when they do not come they have what they had."""
        changed = {version: n for version, n in wanted.items() if have.get(version) not in (None, n)}
        for version, n in changed.items():
            self._give(version, n)
        for version, n in changed.items():
            name, labels = version_name(self._endpoint, version), m.labels(self._endpoint, version)
            verdict = waiting.settled(
                lambda name=name, labels=labels: waiting.seen(self._client, name, labels),  # type: ignore[misc] # bound here
                now=self._now,
                sleep=self._sleep,
                timeout_s=self._placement.start_s,
            )
            if verdict is None or verdict.phase != "done":
                what = f"{self._endpoint}: {n} copies of version {version}"
                failed = waiting.failure(self._client, what, verdict, self._placement.start_s)
                for one in changed:
                    self._give(one, have[one])
                raise VersionNotReady(failed.problem, at=failed.at, remedy="mend that; who answers is as before")

    def _give(self, version: int, n: int) -> None:
        """Scale a Deployment and change nothing else of it, whatever image and settings a new one would have."""
        name = version_name(self._endpoint, version)
        found = self._client.get("Deployment", name)
        if found is None or found["spec"].get("replicas", 1) == n:
            return
        meta = {key: found["metadata"][key] for key in ("name", "namespace", "labels")}
        spec = _without_nulls({**found["spec"], "replicas": n})
        self._client.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec})


# Any (twice): a value of JSON.
def _without_nulls(value: Any) -> Any:  # noqa: ANN401 (as above)
    if isinstance(value, dict):
        return {key: _without_nulls(below) for key, below in value.items() if below is not None}
    if isinstance(value, list):
        return [_without_nulls(one) for one in value]
    return value
