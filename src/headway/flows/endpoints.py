"""What is on the endpoints: the log's word on what should serve beside the target's on what does."""

from msgspec import Struct

from headway.core import facts as f
from headway.flows.rollout import Delivery, read, stream


class EndpointView(Struct, frozen=True, kw_only=True):
    """An endpoint as the log and its target tell it now. `open` is a release that was left in the middle."""

    endpoint: str
    target: str
    model: str = ""
    version: int | None = None
    previous: int | None = None
    release: int = 0
    since: float = 0.0
    url: str = ""
    is_healthy: bool = False
    detail: str = ""
    open: int | None = None


def endpoints(world: Delivery) -> tuple[EndpointView, ...]:
    """All endpoints that something was ever released on, by name; those taken down serve nothing."""
    names = {e.fact.endpoint for e in world.log.scan(["ReleaseStarted"]) if isinstance(e.fact, f.ReleaseStarted)}
    return tuple(_view(world, name) for name in sorted(names))


def _view(world: Delivery, endpoint: str) -> EndpointView:
    rollout = read(world.log, endpoint)
    release = rollout.serving or rollout.open
    left = None if rollout.open is None else rollout.open.version
    if release is None:
        why = rollout.ended.why if rollout.ended is not None else "its release was left in the middle"
        detail = "taken down" if rollout.was_up else f"it never came up: {why}"
        return EndpointView(endpoint=endpoint, target="", detail=detail, open=left)
    state = world.target(release.target).state(endpoint)
    serves = rollout.serving is not None
    since = [
        e.at
        for e in world.log.read(stream(endpoint))
        if isinstance(e.fact, f.EndpointSwitched) and e.fact.release == release.release
    ]
    previous = rollout.previous
    return EndpointView(
        endpoint=endpoint,
        target=release.target,
        model=release.model,
        version=release.version if serves else None,
        previous=None if previous is None else previous.version,
        release=release.release,
        since=since[-1] if since else 0.0,
        url=rollout.url,
        is_healthy=serves and state is not None and state.healthy and state.serving == release.version,
        detail=state.detail if state is not None else "its target knows nothing of it; deploy again",
        open=left,
    )
