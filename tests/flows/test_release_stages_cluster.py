"""Releases in stages in a cluster that answers as a recorded one; their driver dies at any write of its own."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cluster_world import PLAIN, ROUTED, World
from headway.core.ids import Artifact, ModelRef
from headway.core.placement import Placement
from headway.core.registry import Registration
from headway.core.rollout import Order
from headway.core.strategy import Strategy
from headway.flows import registry
from headway.flows.release import direct, release, watch
from headway.flows.rollout import Delivery, read
from headway.testing.bench import MemoryParts
from staged import strategy

# Nothing is logged by these pods, so that each stage ends unsure.
PLAN = strategy({"canary": "50% for 6s"}, {"pause": "2s"}, "promote", {"bake": "6s"}, unsure="promote")


class Killed(BaseException):
    """Stands for SIGKILL of the driver."""


class Cluster:
    """The endpoint `flights` of the model `m` in a fake cluster, with a driver that may die at a write."""

    def __init__(self, folder: Path, placement: Placement) -> None:
        self.placement = placement
        self.world = World(str(folder), gateway=() if placement.gateway else None)
        self.folder = folder

    def begin(self) -> None:
        """Put version 1 there; the cluster is up by now."""
        parts = MemoryParts(
            str(self.folder), targets={"k8s": self.world.target(self.placement)}, now=self.world.clock.now
        )
        self.log = parts.log
        self.delivery = msgspec.structs.replace(parts.delivery(by="ann"), sleep=self.world.clock.jump)
        for version in (1, 2):
            digest = parts.blobs.put(f"def predict(rows): return [{version}] * len(rows)".encode())
            artifact = Artifact(path="model.py", digest=digest)
            asked = Registration(model="m", artifact=artifact, key=f"r/{version}", format="function")
            registry.register(self.log, asked, now=0.0)
        self.url = release(self.delivery, self.order(1)).url

    def order(self, version: int, plan: Strategy | None = None) -> Order:
        return Order(
            endpoint="flights", model="m", version=version, key=f"run/{version}", target="k8s", strategy=plan,
            override="a test",
        )  # fmt: skip

    def dying(self, number: int, *, is_done: bool) -> Delivery:
        """What a driver works with that dies at this write, before it is done or just after."""
        left = [number]

        def deadly(act: Callable[..., Any], *, is_write: Callable[..., bool]) -> Callable[..., Any]:
            def done(*args: Any, **more: Any) -> Any:
                if not is_write(*args):
                    return act(*args, **more)
                left[0] -= 1
                if left[0] == 0 and not is_done:
                    raise Killed
                said = act(*args, **more)
                if left[0] == 0:
                    raise Killed
                return said

            return done

        target = self.world.target(self.placement)
        target.client.request = deadly(  # type: ignore[method-assign] # the driver's death is played
            target.client.request, is_write=lambda method, *_: method in ("PATCH", "DELETE", "PUT", "POST")
        )
        return msgspec.structs.replace(self.delivery, target=lambda _: target, log=_Log(self.log, deadly))

    def asked(self, n: int = 8) -> set[int]:
        """Who answers clients now. Somebody always does."""
        answers = set()
        for _ in range(n):
            status, body = self.world.cluster.call(self.url.removeprefix("http://"), "/predict", b"{}")
            assert status == 200, body
            answers.add(json.loads(body)["predictions"][0])
        return answers

    def assert_alone(self, version: int) -> None:
        """One version answers all, in the log and by its alias too, and nothing of a release is left."""
        rollout = read(self.log, "flights")
        assert rollout.open is None
        assert rollout.serving is not None
        champion = registry.resolve(self.log, ModelRef(name="m", alias="champion"))
        assert champion is not None
        state = self.world.target(self.placement).state("flights")
        assert state is not None
        assert (rollout.serving.version, champion.version, state.serving) == (version, version, version)
        assert (state.healthy, state.table) == (True, None)
        assert set(state.held) <= set(rollout.kept)
        assert self.asked() == {version}


class _Log:
    def __init__(self, log: Any, deadly: Callable[..., Any]) -> None:
        self._log = log
        self.append = deadly(log.append, is_write=lambda *_: True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


@pytest.mark.parametrize("placement", [ROUTED, PLAIN], ids=["gateway", "copies"])
def test_a_version_comes_to_a_cluster_in_stages(tmp_path: Path, placement: Placement) -> None:
    made = Cluster(tmp_path, placement)
    with made.world.cluster:
        made.begin()
        assert release(made.delivery, made.order(2, PLAN)).outcome == "baking"
        assert watch(made.delivery, "flights").outcome == "released"
        made.assert_alone(2)


@pytest.mark.parametrize("placement", [ROUTED, PLAIN], ids=["gateway", "copies"])
def test_an_abort_in_a_cluster_gives_all_traffic_and_copies_back(tmp_path: Path, placement: Placement) -> None:
    made = Cluster(tmp_path, placement)
    with made.world.cluster:
        made.begin()
        n_pods = made.world.n_pods(1)
        plan = strategy({"canary": "50% for 6s"}, {"pause": "approval"}, "promote", unsure="promote")
        assert release(made.delivery, made.order(2, plan)).outcome == "held"
        assert made.asked(40) == {1, 2}
        direct(made.delivery, "flights", "abort")
        made.assert_alone(1)
        assert made.world.n_pods(1) == n_pods
        assert made.world.n_pods(2) == 0


def _next(made: Cluster, how: int) -> set[int]:
    """Somebody else comes, and does one of three things; returns who may serve then."""
    if how == 0 or read(made.log, "flights").open is None:
        release(made.delivery, made.order(2, PLAN))
        if read(made.log, "flights").open is not None:
            watch(made.delivery, "flights")
        return {2}
    if how == 1:
        watch(made.delivery, "flights")
        return {2}
    direct(made.delivery, "flights", "abort")
    return {1}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("placement", [ROUTED, PLAIN], ids=["gateway", "copies"])
def test_whoever_comes_next_brings_it_to_an_end(tmp_path: Path, placement: Placement, *, is_done: bool) -> None:
    number = 0
    while True:
        number += 1
        made = Cluster(tmp_path / str(number), placement)
        with made.world.cluster:
            made.begin()
            try:
                world = made.dying(number, is_done=is_done)
                release(world, made.order(2, PLAN))
                watch(world, "flights")
            except Killed:
                assert made.asked() <= {1, 2}
                (serving,) = _next(made, number % 3)
                made.assert_alone(serving)
            else:
                break
    assert number > 15
