"""Who merely watches a release lets somebody go first who acts on the endpoint, and nobody else is let in."""

from pathlib import Path

import msgspec
import pytest

from headway.core import facts as f
from headway.core.rollout import Rollout
from headway.errors import LeaseHeld
from headway.flows.alone import WAY_S
from headway.flows.delivery import wanted
from headway.flows.release import release, rollback, stop, watch
from headway.flows.rollout import read
from staged import ENDPOINT, Staged, strategy

BAKING = strategy({"canary": "20% for 200 requests"}, "promote", {"bake": "14d"})
LEASE = f"endpoint/{ENDPOINT}"


@pytest.fixture
def place(tmp_path: Path) -> Staged:
    made = Staged(tmp_path, rate=20.0)
    made.release(1)
    return made


def held_by_another(place: Staged, for_s: float = 1e9) -> None:
    place.parts.leases.acquire(LEASE, holder="bob (process 1)", ttl_s=for_s, now=place.clock)


def test_a_new_release_does_not_wait_for_the_end_of_a_bake_that_is_watched(place: Staged) -> None:
    place.release(2, BAKING)
    bob = msgspec.structs.replace(place.world, by="bob")
    began = place.clock

    def want() -> None:
        place.parts.leases.acquire(wanted(ENDPOINT), holder="bob", ttl_s=WAY_S, now=place.clock)

    def report(line: str, _: Rollout) -> None:
        if "lets them" in line:
            place.parts.leases.release(wanted(ENDPOINT), holder="bob")
            place.at(0.5, lambda: released.append(release(bob, place.order(3))))

    released: list[object] = []
    place.at(60.0, want)
    done = watch(place.world, ENDPOINT, report)
    assert done.outcome == "released"
    assert len(released) == 1
    assert place.clock - began < 70.0
    place.assert_alone(3)


def test_one_that_watches_takes_up_again_what_nobody_took(place: Staged) -> None:
    place.release(2, strategy({"canary": "20% for 200 requests"}, "promote", {"bake": "2m"}))
    place.at(20.0, lambda: place.parts.leases.acquire(wanted(ENDPOINT), holder="bob", ttl_s=3.0, now=place.clock))
    said: list[str] = []
    done = watch(place.world, ENDPOINT, lambda line, _: said.append(line))
    assert done.outcome == "released"
    assert said.count("somebody acts on this endpoint: this driver lets them") >= 1
    place.assert_alone(2)


@pytest.mark.parametrize("act", ["release", "rollback", "stop"])
def test_a_watched_endpoint_is_waited_for_and_that_is_said(place: Staged, act: str) -> None:
    place.release(2, BAKING)
    held_by_another(place)
    seen: list[str | None] = []

    def free() -> None:
        seen.append(place.parts.leases.holder(wanted(ENDPOINT), now=place.clock))
        place.parts.leases.release(LEASE, holder="bob (process 1)")

    place.at(2.0, free)
    match act:
        case "release":
            assert place.release(3).outcome == "released"
        case "rollback":
            assert rollback(place.world, ENDPOINT, to=1).version == 1
        case _:
            stop(place.world, ENDPOINT)
            assert isinstance(place.facts[-1], f.EndpointStopped)
    assert seen[0] is not None
    assert seen[0].startswith("ann (process ")
    assert place.parts.leases.holder(wanted(ENDPOINT), now=place.clock) is None


def test_a_canary_that_somebody_drives_is_not_waited_for(place: Staged) -> None:
    place.at(2.0, lambda: refused.append(_refused(place)))
    refused: list[float] = []
    place.release(2, strategy({"canary": "20% for 400 requests"}, "promote"))
    assert refused == [0.0]
    place.assert_alone(2)


def _refused(place: Staged) -> float:
    began = place.clock
    bob = msgspec.structs.replace(place.world, by="bob")
    with pytest.raises(LeaseHeld):
        release(bob, place.order(3))
    return place.clock - began


def test_patience_with_a_watcher_who_does_not_hear_has_an_end(place: Staged) -> None:
    place.release(2, BAKING)
    held_by_another(place)
    began = place.clock
    with pytest.raises(LeaseHeld):
        place.release(3)
    assert WAY_S <= place.clock - began < WAY_S + 5.0
    assert read(place.parts.log, ENDPOINT).is_baking
