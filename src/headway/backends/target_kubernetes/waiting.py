"""Looks at a version's rollout until it is done or has failed, and says why in the pod's own last words.

Each look lists a handful of objects; a watch would save little and must be picked up again whenever a proxy drops it.
`core/pods` judges.
"""

from collections.abc import Callable, Mapping

import msgspec

from headway.backends.target_kubernetes.client import Client
from headway.core.cluster import Deployment, Event, Pod, ReplicaSet, View
from headway.core.pods import Finding, Verdict, judge
from headway.core.pods_words import REMEDIES
from headway.errors import VersionNotReady

LOOK_S = 0.5
N_WORDS = 12
"""Lines of a container that are told."""


def seen(client: Client, name: str, labels: Mapping[str, str]) -> View | None:
    """A Deployment and what is around it now; None when there is none. Raises TargetUnavailable."""
    deployment = client.get("Deployment", name)
    if deployment is None:
        return None
    sets, pods = client.found("ReplicaSet", labels), client.found("Pod", labels)
    # Events have no labels of what they are about.
    mine = {thing["metadata"]["uid"] for thing in (deployment, *sets, *pods)}
    events = [one for one in client.found("Event") if (one.get("involvedObject") or {}).get("uid") in mine]
    return View(
        deployment=msgspec.convert(deployment, Deployment, strict=False),
        replica_sets=msgspec.convert(sets, tuple[ReplicaSet, ...], strict=False),
        pods=msgspec.convert(pods, tuple[Pod, ...], strict=False),
        events=msgspec.convert(events, tuple[Event, ...], strict=False),
    )


def settled(
    look: Callable[[], View | None], *, now: Callable[[], float], sleep: Callable[[float], None], timeout_s: float
) -> Verdict | None:
    """The verdict once it is none of waiting, or the last one when the time is over; None: it is gone."""
    ends_at = now() + timeout_s
    while True:
        view = look()
        verdict = judge(view, now=now()) if view is not None else None
        if verdict is None or verdict.phase != "progressing" or now() >= ends_at:
            return verdict
        sleep(LOOK_S)


def failure(client: Client, what: str, verdict: Verdict | None, timeout_s: float) -> VersionNotReady:
    """Why a rollout failed, with the container's last words and what still serves."""
    at = f"target: {client.server}, namespace {client.namespace}"
    if verdict is None:
        return VersionNotReady(f"{what}: somebody deleted it meanwhile", at=at, remedy="deploy again")
    found = verdict.found
    told = verdict.told if verdict.phase == "failed" else f"not ready after {timeout_s:g} s: {verdict.told}"
    words = _words(client, found)
    tail = "\n".join(("", *(f"  {line}" for line in words.splitlines()))) if words else ""
    remedy = found.remedy if found is not None else REMEDIES["deadline"]
    return VersionNotReady(f"{what}: {told}{tail}", at=at, remedy=f"{remedy}; no traffic reached it")


def _words(client: Client, found: Finding | None) -> str:
    if found is None or not found.container:
        return ""
    words = client.words(found.pod, found.container, is_previous=found.is_previous, n_lines=N_WORDS)
    return words if words and words not in found.problem else ""
