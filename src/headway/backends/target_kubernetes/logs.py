"""What the pods of an endpoint logged: which pods have something, the key that opens it, and how long it is kept here.

`collecting` copies. Does not know how a version is started or routed to.
"""

import errno
import os
from base64 import b64decode
from collections.abc import Callable, Mapping
from secrets import token_hex

import msgspec

from headway.backends.target_kubernetes import collecting
from headway.backends.target_kubernetes.client import Client, Response
from headway.core import manifest as m
from headway.core.cluster import Pod
from headway.core.manifest_names import ENDPOINT, VERSION, label_value, log_name
from headway.core.placement import Placement
from headway.core.recording import Recording
from headway.errors import DiskFull, TargetUnavailable
from headway.ports import Serving

DRAIN_S = 0.5


def collect(client: Client, endpoint: str, folder: str, *, now: float) -> list[str]:
    """See `ports.Target.collect`; `folder` is the endpoint's here."""
    pods = _with_log(client, {ENDPOINT: label_value(endpoint)})
    if not pods:
        return []
    kept = client.get("Secret", log_name(endpoint))
    if kept is None:
        return [f"the logs of {len(pods)} pods cannot be had: there is no Secret {log_name(endpoint)}"]
    told = {m.LOG_KEY_HEADER: b64decode(kept["data"]["key"]).decode()}

    def get(pod: str, name: str, begins: int) -> Response:
        path = client.path("Pod", f"{pod}:{m.LOG_PORT}", "/".join(filter(None, ("proxy/log", name))))
        return client.request("GET", path, {"from": str(begins)}, None, told, timeout_s=collecting.ASK_S)

    copies = os.path.join(folder, "predictions")
    try:
        untold, held = collecting.collect(get, pods, copies)
        collecting.expire(copies, _recording(client, endpoint), held, now=now)
    except OSError as e:
        kind = DiskFull if e.errno in (errno.ENOSPC, errno.EDQUOT) else TargetUnavailable
        raise kind(
            f"what pods logged cannot be written down: {e.strerror or e}",
            at=copies,
            remedy="make room or mend the rights there, and do it again: it goes on where it was",
        ) from e
    return untold


def drain(
    client: Client,
    endpoint: str,
    folder: str,
    version: int | None,
    *,
    now: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """Collect until the pods of a version, or all, have ended that are about to: their last lines come, too."""
    labels = {ENDPOINT: label_value(endpoint)} | ({} if version is None else {VERSION: str(version)})
    ends_at = now() + m.UNROUTE_S + m.FETCH_S
    while _with_log(client, labels) and now() < ends_at:
        collect(client, endpoint, folder, now=now())
        sleep(DRAIN_S)


def _with_log(client: Client, labels: Mapping[str, str]) -> list[str]:
    """The pods whose log can be asked for: also failing ones, and those that are about to end."""
    found = msgspec.convert(client.found("Pod", labels), tuple[Pod, ...], strict=False)
    return sorted(
        pod.metadata.name
        for pod in found
        if any(one.name == "log" and one.state.running is not None for one in pod.status.container_statuses)
    )


def _recording(client: Client, endpoint: str) -> Recording:
    """How the newest version is to be logged, which says for how long, too."""
    found = client.found("ConfigMap", {ENDPOINT: label_value(endpoint)})
    specs = [msgspec.json.decode(one["data"]["version.json"], type=Serving) for one in found]
    return max(specs, key=lambda one: one.version).recording if specs else Recording()


def make_key(client: Client, endpoint: str, placement: Placement) -> None:
    """Make the key to what an endpoint's pods log, once, before the first of them."""
    if client.get("Secret", log_name(endpoint)) is None:
        client.apply(m.log_key(endpoint, token_hex(32), placement))


def drop_key(client: Client, endpoint: str) -> None:
    """Delete the key when the last version is gone."""
    if not client.found("ConfigMap", {ENDPOINT: label_value(endpoint)}):
        client.delete("Secret", log_name(endpoint))
