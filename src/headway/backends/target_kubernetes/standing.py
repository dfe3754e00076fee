"""How an endpoint stands in the cluster: who serves, which versions have pods that are ready, whose servers ended.

Looks, and changes nothing.
"""

from collections.abc import Sequence

import msgspec

from headway.backends.target_kubernetes import endpoint as ends
from headway.backends.target_kubernetes import waiting
from headway.backends.target_kubernetes.client import Client
from headway.core import manifest as m
from headway.core.cluster import Pod
from headway.core.manifest_names import ENDPOINT, VERSION, label_value, log_name, version_name
from headway.core.pods import judge
from headway.ports import EndpointState, ProcessEnd

N_WORDS = 12
"""Lines of a server that ended which are told."""


def state(client: Client, endpoint: str, url: str, *, now: float) -> EndpointState | None:
    """See `ports.Target.state`."""
    labels = {ENDPOINT: label_value(endpoint)}
    # A version's ConfigMap is made first and deleted last; one's own Deployment has none.
    held = {
        int(one["metadata"]["labels"][VERSION])
        for kind in ("ConfigMap", "Deployment")
        for one in client.found(kind, labels)
    }
    its = ends.read(client, endpoint)
    if its is None and not held and client.get("Secret", log_name(endpoint)) is None:
        return None
    pods: dict[int, list[Pod]] = {}
    for pod in msgspec.convert(client.found("Pod", labels), list[Pod], strict=False):
        pods.setdefault(int(pod.metadata.labels.get(VERSION, 0)), []).append(pod)
    live = {version for version in held if any(pod.is_ready for pod in pods.get(version, ()))}
    view = None
    if its is not None:
        view = waiting.seen(client, version_name(endpoint, its.serving), m.labels(endpoint, its.serving))
    verdict = judge(view, now=now) if view is not None else None
    well = its is not None and its.serving in live and verdict is not None and verdict.phase == "done"
    ended = [_ended(client, version, pods[version]) for version in sorted(held & pods.keys())]
    return EndpointState(
        url=url,
        serving=None if its is None else its.serving,
        versions=tuple(sorted(live)),
        healthy=well,
        detail="" if well or verdict is None else verdict.told,
        table=None if its is None else its.table,
        ends=tuple(one for one in ended if one is not None),
        held=tuple(sorted(held)),
    )


def _ended(client: Client, version: int, pods: Sequence[Pod]) -> ProcessEnd | None:
    """How often a version's servers ended by themselves, in the pods that are there, and the last words of one."""
    restarted = [
        (one.restart_count, pod.metadata.name, one)
        for pod in pods
        for one in pod.status.container_statuses
        if one.name == "server" and one.restart_count
    ]
    if not restarted:
        return None
    _, name, one = max(restarted, key=lambda found: found[0])
    words = client.words(name, one.name, is_previous=one.state.running is not None, n_lines=N_WORDS)
    last = one.last_state.terminated
    said = words or ("" if last is None else f"{last.reason}, exit code {last.exit_code}")
    return ProcessEnd(version=version, n=sum(n for n, _, _ in restarted), words=said)
