"""Asking for the version before: only a claim is written, and whoever drives releases brings the version back."""

from pathlib import Path

import pytest

from headway.backends.target_memory import MemoryTarget, its_version
from headway.core import facts as f
from headway.core.ids import Artifact
from headway.core.registry import Registration
from headway.core.rollout import Order
from headway.errors import Conflict, NameUnknown, UsageMistaken
from headway.flows import registry
from headway.flows.release import release, watch
from headway.flows.release_back import ask_back
from headway.flows.rollout import Delivery, read
from headway.testing.bench import MemoryParts
from headway.testing.verdicts import kept_verdict


@pytest.fixture
def world(tmp_path: Path) -> Delivery:
    parts = MemoryParts(str(tmp_path), targets={"memory": MemoryTarget(its_version)})
    for version in (1, 2):
        text = f"def predict(rows): return [{version}] * len(rows)".encode()
        artifact = Artifact(path="models/model.py", digest=parts.blobs.put(text), size_bytes=len(text))
        asked = Registration(
            model="m", artifact=artifact, key=f"{version}", format="function",
            verdict=kept_verdict(parts.blobs, artifact),
        )  # fmt: skip
        registry.register(parts.log, asked, now=0.0)
    return parts.delivery(by="ann")


def put(world: Delivery, version: int) -> None:
    release(world, Order(endpoint="e", model="m", version=version, key=f"{version}", target="memory"))


def test_it_is_asked_for_and_a_driver_brings_the_version_back(world: Delivery) -> None:
    put(world, 1)
    put(world, 2)
    assert ask_back(world, "e", serving=2, why="it is slow") == 3
    asked = read(world.log, "e")
    assert asked.open is not None
    assert (asked.open.version, asked.open.cause, asked.open.by, asked.open.why) == (1, "rollback", "ann", "it is slow")
    # Until somebody drives it, nothing is moved.
    state = world.target("memory").state("e")
    assert state is not None
    assert state.serving == 2
    assert (watch(world, "e").version, watch_ended(world)) == (1, "released")
    state = world.target("memory").state("e")
    assert state is not None
    assert state.serving == 1


def watch_ended(world: Delivery) -> str:
    ended = read(world.log, "e").ended
    return "" if ended is None else ended.outcome


def test_it_is_refused_where_it_is_not_what_was_looked_at(world: Delivery) -> None:
    with pytest.raises(NameUnknown, match="nothing ever served on e"):
        ask_back(world, "e", serving=1)
    put(world, 1)
    with pytest.raises(NameUnknown, match="no version served on e before"):
        ask_back(world, "e", serving=1)
    put(world, 2)
    with pytest.raises(Conflict, match="release 1 does not serve on e any more: release 2 does"):
        ask_back(world, "e", serving=1)
    ask_back(world, "e", serving=2)
    with pytest.raises(UsageMistaken, match="release 3 is under way on e"):
        ask_back(world, "e", serving=2)
    claims = [entry.fact for entry in world.log.read("endpoint/e") if isinstance(entry.fact, f.ReleaseStarted)]
    assert len(claims) == 3
