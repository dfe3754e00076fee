"""What targets still hold of versions that no release needs, and its removal: what a driver that was killed left.

Needed are the version that serves, the one that a rollback goes to, and that of a release under way, each on the target
that it was released to. An endpoint that this project's log does not know is another's, and is left alone. Neighbour:
`gc` deletes from the store.
"""

import os
import shutil
from collections.abc import Iterator

from msgspec import Struct

from headway.core import facts as f
from headway.core.ids import ModelRef
from headway.core.rollout import Rollout
from headway.errors import LeaseHeld, NameUnknown
from headway.flows import registry
from headway.flows.delivery import Delivery, holder, renew, stream
from headway.flows.quicker import conversion
from headway.flows.rollout import read

YOUNG_S = 3600.0
"""Files laid out within this time may be somebody's who has not told the log yet."""


class Leftover(Struct, frozen=True, kw_only=True):
    """Something that a target holds and nobody needs.

    `version` None: what is left of a whole endpoint. `folder`: a model's files that were laid out to be served, and
    then `endpoint` and `target` are empty. `kept`: why it was not removed; empty when it was, or would be.
    """

    endpoint: str = ""
    target: str = ""
    version: int | None = None
    folder: str = ""
    kept: str = ""


def leftovers(world: Delivery, target: str = "") -> tuple[Leftover, ...]:
    """All that is left on `target`, or on every target that something was ever released to; nothing is changed.

    Raises TargetUnavailable.
    """
    where = _where(world)
    known = {name for names in where.values() for name in names}
    if target and target not in known:
        raise NameUnknown(
            f"nothing was ever released to {target}",
            at="--target",
            remedy=f"name one of {', '.join(sorted(known))}" if known else "deploy something first",
        )
    found: list[Leftover] = []
    rollouts = [read(world.log, name) for name in sorted(where)]
    for rollout in rollouts:
        for name in sorted(where[rollout.endpoint] & ({target} if target else known)):
            found += _of(world, rollout, name)
    if not target or target == "local":
        found += _files(world, rollouts)
    return tuple(found)


def remove(world: Delivery, target: str = "") -> tuple[Leftover, ...]:
    """Remove them; an endpoint that somebody releases on just now is left alone. Raises TargetUnavailable."""
    return tuple(_removed(world, one) for one in leftovers(world, target))


def _removed(world: Delivery, one: Leftover) -> Leftover:
    if one.folder:
        shutil.rmtree(os.path.join(world.models, one.folder), ignore_errors=True)
        return one
    try:
        renew(world, one.endpoint)
    except LeaseHeld as e:
        return Leftover(endpoint=one.endpoint, target=one.target, version=one.version, kept=e.problem)
    try:
        # Meanwhile somebody may have released it.
        if one in tuple(_of(world, read(world.log, one.endpoint), one.target)):
            world.target(one.target).stop(one.endpoint, one.version)
    finally:
        world.leases.release(stream(one.endpoint), holder=holder(world))
    return one


def _where(world: Delivery) -> dict[str, set[str]]:
    """Every endpoint that something was ever to be released on, with the targets that it was to be on."""
    found: dict[str, set[str]] = {}
    for entry in world.log.scan(["ReleaseStarted"]):
        if isinstance(entry.fact, f.ReleaseStarted):
            found.setdefault(entry.fact.endpoint, set()).add(entry.fact.target)
    return found


def _needed(rollout: Rollout) -> list[f.ReleaseStarted]:
    return [one for one in (rollout.serving, rollout.previous, rollout.open) if one is not None]


def _of(world: Delivery, rollout: Rollout, target: str) -> Iterator[Leftover]:
    """What `target` holds of an endpoint and nobody needs."""
    state = world.target(target).state(rollout.endpoint)
    if state is None:
        return
    needed = {release.version for release in _needed(rollout) if release.target == target}
    if not needed:
        yield Leftover(endpoint=rollout.endpoint, target=target)
        return
    for version in sorted({*state.held, *state.versions} - needed):
        yield Leftover(endpoint=rollout.endpoint, target=target, version=version)


def _files(world: Delivery, rollouts: list[Rollout]) -> Iterator[Leftover]:
    """Folders of models that were laid out for versions which nobody needs any more."""
    needed = {name for rollout in rollouts for release in _needed(rollout) for name in _laid_out(world, release)}
    try:
        entries = sorted(os.scandir(world.models), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.name not in needed and entry.stat().st_mtime < world.now() - YOUNG_S:
            yield Leftover(folder=entry.name)


def _laid_out(world: Delivery, release: f.ReleaseStarted) -> Iterator[str]:
    """The names of the folders that a release's version is served from."""
    made = registry.resolve(world.log, ModelRef(name=release.model, version=release.version))
    if made is not None:
        yield made.artifact.digest[:32]
        graph = conversion(world.log, made, world.trust)
        if graph is not None and graph.digest is not None:
            yield graph.digest[:32]
