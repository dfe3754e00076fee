"""What a target holds and no release needs is found, told and removed, and nothing else is."""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from cluster_world import World
from headway.backends.target_local import LocalTarget
from headway.backends.target_memory import MemoryTarget
from headway.core.ids import Artifact
from headway.core.registry import Registration
from headway.core.rollout import Order
from headway.errors import NameUnknown
from headway.flows import registry
from headway.flows.leftovers import YOUNG_S, Leftover, leftovers, remove
from headway.flows.release import release, stop
from headway.flows.rollout import renew
from headway.ports import Target
from headway.testing.bench import MemoryParts
from headway.testing.target_contract import READY_S, serving
from headway.testing.verdicts import kept_verdict


class Killed(BaseException):
    """Stands for SIGKILL of the driver."""


class Place:
    """Endpoints of the model `m` on one target."""

    def __init__(self, folder: Path, name: str, target: Target) -> None:
        self.folder, self.name, self.target = str(folder), name, target
        self.parts = MemoryParts(str(folder), targets={name: target})
        self.world = self.parts.delivery(by="ann")

    def release(self, version: int, endpoint: str = "flights") -> None:
        text = f"def predict(rows): return [{version}] * len(rows)".encode()
        artifact = Artifact(path="models/model.py", digest=self.parts.blobs.put(text), size_bytes=len(text))
        verdict = kept_verdict(self.parts.blobs, artifact)
        asked = Registration(model="m", artifact=artifact, key=f"r/{version}", format="function", verdict=verdict)
        registry.register(self.parts.log, asked, now=0.0)
        key = f"run/{endpoint}/{version}"
        release(self.world, Order(endpoint=endpoint, model="m", version=version, key=key, target=self.name))

    def stray(self, version: int, endpoint: str = "flights") -> None:
        """What a driver leaves that was killed and whose release was ended by another."""
        self.target.start(serving(self.folder, version, endpoint=endpoint), port=0, timeout_s=READY_S)

    def held(self, endpoint: str = "flights") -> tuple[int, ...]:
        state = self.target.state(endpoint)
        return () if state is None else state.held


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[World]:
    made = World(str(tmp_path), gateway=None)
    with made.cluster:
        yield made


@pytest.fixture(params=["memory", "kubernetes"])
def place(tmp_path: Path, request: pytest.FixtureRequest) -> Place:
    if request.param == "memory":
        return Place(tmp_path, "memory", MemoryTarget())
    cluster: World = request.getfixturevalue("cluster")
    return Place(tmp_path, "kubernetes", cluster.target())


def test_what_serves_and_what_a_rollback_goes_to_is_no_leftover(place: Place) -> None:
    place.release(1)
    place.release(2)
    assert place.held() == (1, 2)
    assert leftovers(place.world) == ()
    assert remove(place.world) == ()
    assert place.held() == (1, 2)


def test_a_version_that_no_release_needs_is_found_and_removed(place: Place) -> None:
    place.release(1)
    place.stray(5)
    found = (Leftover(endpoint="flights", target=place.name, version=5),)
    assert leftovers(place.world) == found
    assert place.held() == (1, 5)
    assert remove(place.world, place.name) == found
    assert place.held() == (1,)
    assert leftovers(place.world) == ()


def test_what_is_left_of_an_endpoint_that_was_taken_down_goes_as_a_whole(place: Place) -> None:
    place.release(1)
    stop(place.world, "flights")
    assert leftovers(place.world) == ()
    place.stray(1)
    assert remove(place.world) == (Leftover(endpoint="flights", target=place.name),)
    assert place.target.state("flights") is None


def test_an_endpoint_that_the_log_does_not_know_is_anothers(place: Place) -> None:
    place.release(1)
    place.stray(7, endpoint="theirs")
    assert remove(place.world) == ()
    assert place.held("theirs") == (7,)


def test_the_version_of_a_release_under_way_is_needed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.release(1)

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(type(place.target), "switch", killed)
        with pytest.raises(Killed):
            place.release(2)
    assert place.held() == (1, 2)
    assert leftovers(place.world) == ()


def test_an_endpoint_that_somebody_releases_on_is_left_alone_and_that_is_told(place: Place) -> None:
    place.release(1)
    place.stray(5)
    other = msgspec.structs.replace(place.world, by="bob")
    renew(other, "flights")
    (one,) = remove(place.world)
    assert "bob" in one.kept
    assert place.held() == (1, 5)


def test_a_target_that_nothing_was_released_to_is_a_slip(place: Place) -> None:
    with pytest.raises(NameUnknown, match="nothing was ever released to kuber"):
        leftovers(place.world, "kuber")


def test_files_of_models_that_nobody_serves_go_when_they_are_old(tmp_path: Path) -> None:
    place = Place(tmp_path, "memory", MemoryTarget())
    for version in (1, 2, 3):
        place.release(version)
    models = place.world.models
    names = sorted(os.listdir(models))
    assert len(names) == 3
    assert leftovers(place.world) == ()
    later = place.world.now() + 2 * YOUNG_S
    world = msgspec.structs.replace(place.world, now=lambda: later)
    (one,) = remove(world)
    left = sorted(os.listdir(models))
    assert (len(left), one.folder in names, one.folder in left) == (2, True, False)


@pytest.mark.parametrize("number", range(1, 6))
def test_what_a_driver_left_that_died_while_it_removed_a_version_goes(
    tmp_path: Path, cluster: World, number: int
) -> None:
    target = cluster.target()
    place = Place(tmp_path, "kubernetes", target)
    place.release(1)
    place.stray(5)
    through, left = target.client.delete, [number]

    def delete(kind: str, name: str) -> None:
        left[0] -= 1
        if not left[0]:
            raise Killed
        through(kind, name)

    target.client.delete = delete  # type: ignore[method-assign] # the driver's death is played
    with pytest.raises(Killed):
        target.stop("flights", 5)
    target.client.delete = through  # type: ignore[method-assign] # the next one is well
    assert remove(place.world) == (Leftover(endpoint="flights", target="kubernetes", version=5),)
    assert not [key for key in cluster.cluster.objects.held if key[2].startswith("flights-v5")]


def test_a_key_that_is_all_that_is_left_of_an_endpoint_goes(tmp_path: Path, cluster: World) -> None:
    target = cluster.target()
    place = Place(tmp_path, "kubernetes", target)
    place.release(1)
    kept = cluster.cluster.objects.held["secrets", "default", "flights-log"]
    stop(place.world, "flights")
    cluster.cluster.objects.put(("secrets", "default", "flights-log"), kept)
    assert remove(place.world) == (Leftover(endpoint="flights", target="kubernetes"),)
    assert not cluster.cluster.objects.held


@pytest.mark.slow
def test_processes_on_this_machine_that_no_release_needs_are_ended(tmp_path: Path) -> None:
    target = LocalTarget(str(tmp_path / "endpoints"))
    place = Place(tmp_path, "local", target)
    try:
        place.release(1)
        place.stray(5)
        assert place.held() == (1, 5)
        assert remove(place.world) == (Leftover(endpoint="flights", target="local", version=5),)
        assert place.held() == (1,)
        state = target.state("flights")
        assert state is not None
        assert (state.serving, state.healthy) == (1, True)
    finally:
        target.stop("flights", None)
