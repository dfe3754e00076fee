"""What is on the endpoints: the log's word on what should serve beside the target's on what does."""

from msgspec import Struct
from msgspec.structs import replace

from headway.core import facts as f
from headway.core.rollout import Rollout
from headway.core.routing import Table
from headway.flows.rollout import Delivery, names, read, stream


class EndpointView(Struct, frozen=True, kw_only=True):
    """An endpoint as the log and its target tell it now. `open` is the version of a release that did not end yet.

    `stage` is what that release is in, empty where it is in none, and `driver` who drives it. `shares` says of which
    requests each version answers its part (0 to 1), `copies` which one gets copies; empty where one answers all.
    `override` is why the version that serves was released although no gate let it pass, `by` who did.
    """

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
    stage: str = ""
    is_baking: bool = False
    is_held: bool = False
    driver: str | None = None
    shares: dict[int, float] = {}
    copies: dict[int, float] = {}
    override: str = ""
    by: str = ""


def endpoints(world: Delivery) -> tuple[EndpointView, ...]:
    """All endpoints that something was ever released on, by name; those taken down serve nothing."""
    return tuple(_view(world, name) for name in names(world.log))


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
    view = EndpointView(
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
        override=release.override,
        by=release.by,
    )
    return _shared(_staged(view, world, rollout), None if state is None else state.table)


def _staged(view: EndpointView, world: Delivery, rollout: Rollout) -> EndpointView:
    """With how far a release that is under way has come."""
    if view.open is None:
        return view
    view = replace(view, driver=world.leases.holder(stream(view.endpoint), now=world.now()))
    stages = rollout.stages
    if stages is None or stages.now is None or stages.release.strategy is None:
        return view
    return replace(
        view,
        stage=stages.now.text,
        is_baking=stages.is_switched,
        is_held=stages.held is not None,
    )


def _shared(view: EndpointView, table: Table | None) -> EndpointView:
    """With who answers what, as the target has it."""
    if table is None:
        return view
    shadow = table.shadow
    return replace(view, shares=table.shares, copies={} if shadow is None else {shadow.version: shadow.share})
