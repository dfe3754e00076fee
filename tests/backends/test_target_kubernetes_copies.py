"""Without a Gateway the number of copies makes the shares, and the version that serves never has fewer than before."""

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cluster_world import PLAIN, World
from clusters import lines
from headway.backends.target_kubernetes import KubernetesTarget
from headway.core.routing import Route, Table
from headway.errors import TargetUnavailable, UsageMistaken, VersionNotReady
from headway.testing.target_contract import ENDPOINT, READY_S, serving

TENTH = Table(routes=(Route(version=1, weight=9), Route(version=2, weight=1)))
HALF = Table(routes=(Route(version=1, weight=1), Route(version=2, weight=1)))


class Copies(World):
    """A cluster without a Gateway; in `fails` are versions whose further copies a quota forbids, as was recorded."""

    def __init__(self, root: str) -> None:
        super().__init__(root, gateway=None)
        self.fails: set[int] = set()

    def play(self, deployment: dict[str, Any]) -> Any:
        if int(deployment["metadata"]["labels"]["headway.dev/version"]) not in self.fails:
            return super().play(deployment)
        recorded = lines("quota-exceeded")
        failed = next(
            line["object"]["status"]
            for line in reversed(recorded)
            if line["resource"] == "replicasets" and line["object"]["status"].get("conditions")
        )
        for key, thing in list(self.cluster.objects.held.items()):
            if key[0] == "replicasets" and key[2].startswith(deployment["metadata"]["name"]):
                self.cluster.objects.put(key, {**thing, "status": failed})
        return [line for line in recorded if line["resource"] == "deployments"]

    def up(self, *versions: int, **more: Any) -> KubernetesTarget:
        target = self.target(msgspec.structs.replace(PLAIN, **more))
        for version in versions:
            target.start(serving(self.root, version), port=0, timeout_s=READY_S)
        target.switch(ENDPOINT, versions[0])
        return target

    def wanted(self) -> dict[int, int]:
        return {
            int(key[2].rpartition("-v")[2]): thing["spec"]["replicas"]
            for key, thing in self.cluster.objects.held.items()
            if key[0] == "deployments"
        }

    def told(self, n: int = 20) -> Counter[int]:
        """Who answered so many requests; none may fail."""
        found: Counter[int] = Counter()
        for _ in range(n):
            status, body = self.cluster.call("flights.default.svc", "/predict", b'{"x": 1}')
            assert status == 200
            found[json.loads(body)["predictions"][0]] += 1
        return found

    def service(self) -> dict[str, Any]:
        return self.cluster.objects.held["services", "default", "flights"]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Copies]:
    made = Copies(str(tmp_path))
    with made.cluster:
        yield made


def assert_near(found: Counter[int], wished: dict[int, int]) -> None:
    """The cluster sends to its pods evenly, in steps of the golden ratio: it is never far off."""
    assert set(found) == set(wished)
    assert all(abs(found[version] - n) <= 2 for version, n in wished.items())


def test_a_tenth_of_the_requests_is_nine_copies_to_one(world: Copies) -> None:
    target = world.up(1, 2)
    target.route(ENDPOINT, TENTH)
    assert world.wanted() == {1: 9, 2: 1}
    assert_near(world.told(200), {1: 180, 2: 20})
    state = target.state(ENDPOINT)
    assert state is not None
    assert (state.serving, state.table, state.healthy) == (1, TENTH, True)


def test_from_stage_to_stage_and_to_its_end_copies_come_and_go(world: Copies) -> None:
    target = world.up(1, 2)
    target.route(ENDPOINT, TENTH)
    target.route(ENDPOINT, HALF)
    assert world.wanted() == {1: 2, 2: 2}
    assert_near(world.told(200), {1: 100, 2: 100})
    target.switch(ENDPOINT, 2)
    assert world.told() == {2: 20}
    assert world.wanted() == {1: 2, 2: 2}
    assert not world.service()["metadata"].get("annotations")


@pytest.mark.parametrize("ends", ["promote", "abort", "stop"])
def test_at_the_end_of_a_canary_all_have_their_copies_back(world: Copies, ends: str) -> None:
    target = world.up(1, 2, replicas=3)
    target.route(ENDPOINT, TENTH)
    assert world.wanted() == {1: 9, 2: 1}
    if ends == "promote":
        target.switch(ENDPOINT, 2)
    elif ends == "abort":
        target.route(ENDPOINT, None)
    else:
        target.stop(ENDPOINT, 2)
    assert world.wanted() == {"promote": {1: 3, 2: 3}, "abort": {1: 3, 2: 3}, "stop": {1: 3}}[ends]
    assert world.told() == {2 if ends == "promote" else 1: 20}
    assert not world.service()["metadata"].get("annotations")


def test_a_version_is_not_promoted_before_it_has_the_copies_that_the_other_had(world: Copies) -> None:
    target = world.up(1, 2)
    target.route(ENDPOINT, TENTH)
    seen = _watched(world, lambda: target.switch(ENDPOINT, 2))
    assert all(n_new >= 2 for is_alone, n_new in seen if is_alone)
    assert any(is_alone for is_alone, _ in seen)


def _watched(world: Copies, act: Any) -> list[tuple[bool, int]]:
    """At each write: whether version 2 answers alone, and how many pods it has."""
    seen: list[tuple[bool, int]] = []
    put = world.cluster.objects.put

    def looked(key: Any, thing: Any) -> Any:
        made = put(key, thing)
        seen.append((world.service()["spec"]["selector"].get("headway.dev/version") == "2", world.n_pods(2)))
        return made

    world.cluster.objects.put = looked  # type: ignore[method-assign] # looks on
    act()
    return seen


def test_copies_of_a_canary_are_those_that_were_started_and_the_champion_is_not_started_anew(world: Copies) -> None:
    target = world.up(1, 2)
    before = world.cluster.objects.held["deployments", "default", "flights-v1"]
    newer = world.target()
    newer._given = msgspec.structs.replace(newer._given, image="headway:2", memory="4Gi")
    newer.route(ENDPOINT, TENTH)
    after = world.cluster.objects.held["deployments", "default", "flights-v1"]
    assert after["spec"] == {**before["spec"], "replicas": 9}
    target.switch(ENDPOINT, 1)
    assert world.cluster.objects.held["deployments", "default", "flights-v1"]["spec"] == before["spec"]


def test_a_version_that_is_started_again_meanwhile_keeps_its_share(world: Copies) -> None:
    target = world.up(1, 2)
    target.route(ENDPOINT, TENTH)
    for version in (1, 2):
        target.start(serving(world.root, version), port=0, timeout_s=READY_S)
    assert world.wanted() == {1: 9, 2: 1}


def test_a_third_version_is_not_started_into_a_canary(world: Copies) -> None:
    target = world.up(1, 2)
    target.route(ENDPOINT, TENTH)
    with pytest.raises(UsageMistaken, match="another would be given some at once"):
        target.start(serving(world.root, 3), port=0, timeout_s=READY_S)
    assert world.wanted() == {1: 9, 2: 1}


def test_a_version_that_only_runs_would_be_given_requests_and_is_named(world: Copies) -> None:
    target = world.up(1, 2, 3)
    with pytest.raises(UsageMistaken, match="version 3 runs, too, and copies cannot keep requests from it"):
        target.route(ENDPOINT, TENTH)
    assert world.told() == {1: 20}
    assert world.wanted() == {1: 2, 2: 2, 3: 2}


def test_a_share_that_no_copies_have_is_refused_with_those_that_can_be_had(world: Copies) -> None:
    target = world.up(1, 2)
    with pytest.raises(UsageMistaken, match=r"a share of 1% for version 2 cannot be had by copies: at most 20") as e:
        target.route(ENDPOINT, Table(routes=(Route(version=1, weight=99), Route(version=2, weight=1))))
    assert e.value.remedy.startswith("choose 5% (19 and 1 copies), write `gateway`")
    assert world.wanted() == {1: 2, 2: 2}


def test_an_autoscaler_and_shares_by_copies_do_not_go_together(world: Copies) -> None:
    target = world.up(1, 2, max_replicas=4)
    with pytest.raises(UsageMistaken, match="an autoscaler changes the number of copies"):
        target.route(ENDPOINT, HALF)


def test_copies_that_do_not_come_up_are_named_and_all_is_as_before(world: Copies) -> None:
    target = world.up(1, 2)
    world.fails.add(1)
    with pytest.raises(VersionNotReady, match=r"9 copies of version 1: pods cannot be created: .*exceeded quota") as e:
        target.route(ENDPOINT, TENTH)
    assert e.value.remedy == "mend that; who answers is as before"
    world.fails.clear()
    assert world.wanted()[1] == 2
    state = target.state(ENDPOINT)
    assert state is not None
    assert (state.serving, state.table) == (1, None)
    target.route(ENDPOINT, None)
    world.clock.jump(5)
    assert world.told() == {1: 20}
    assert not world.service()["metadata"].get("annotations")


def test_copies_that_somebody_else_manages_are_not_taken(world: Copies) -> None:
    target = world.up(1, 2)
    scaled = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {}, "spec": {"replicas": 7}}
    world.cluster.objects.apply(
        ("deployments", "default", "flights-v1"), scaled, "someone-else", force=True, is_dry=False
    )
    world.clock.jump(5)
    with pytest.raises(TargetUnavailable, match=r'conflict with "someone-else": \.spec\.replicas'):
        target.route(ENDPOINT, Table(routes=(Route(version=1, weight=19), Route(version=2, weight=1))))
    assert world.wanted()[1] == 7
    assert world.told() == {1: 20}


class KilledError(BaseException):
    """The driver dies here."""


ACTS = ("share", "next", "promote", "abort", "stop")


def _prepared(world: Copies, word: str) -> KubernetesTarget:
    target = world.up(1, 2)
    if word != "share":
        target.route(ENDPOINT, TENTH)
    return target


def _act(target: KubernetesTarget, word: str) -> None:
    if word in ("share", "next"):
        target.route(ENDPOINT, TENTH if word == "share" else HALF)
    elif word == "promote":
        target.switch(ENDPOINT, 2)
    elif word == "abort":
        target.route(ENDPOINT, None)
    else:
        target.stop(ENDPOINT, 2)


N_WRITES = {"share": 4, "next": 3, "promote": 4, "abort": 4, "stop": 9}
"""How many writes each act makes, which a test below counts."""


@pytest.mark.parametrize("word", ACTS)
def test_each_act_writes_as_often_as_it_is_killed_below(world: Copies, word: str) -> None:
    target = _prepared(world, word)
    world.cluster.asked.clear()
    _act(target, word)
    assert sum(method in ("PATCH", "DELETE") for method, _ in world.cluster.asked) == N_WRITES[word]


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("word", "number"), [(word, n) for word in ACTS for n in range(N_WRITES[word])])
def test_a_driver_that_dies_at_any_write_leaves_the_champion_its_copies_and_the_next_one_ends_it(
    world: Copies, word: str, number: int, *, is_done: bool
) -> None:
    _prepared(world, word)
    dying, left = world.target(), [number]
    through = dying.client.request

    def request(method: str, *rest: Any, **more: Any) -> Any:
        if method not in ("PATCH", "DELETE"):
            return through(method, *rest, **more)
        left[0] -= 1
        if left[0] < 0 and not is_done:
            raise KilledError
        said = through(method, *rest, **more)
        if left[0] < 0:
            raise KilledError
        return said

    dying.client.request = request  # type: ignore[method-assign] # the driver's death is played
    with pytest.raises(KilledError):
        _act(dying, word)
    for _ in range(3):
        assert set(world.told()) <= {1, 2}
        assert world.n_pods(1) >= 2
        world.clock.jump(1)
    _act(world.target(), word)
    world.clock.jump(5)
    copies = {"share": {1: 9, 2: 1}, "next": {1: 2, 2: 2}, "stop": {1: 2}}.get(word, {1: 2, 2: 2})
    assert world.wanted() == copies
    assert {version: world.n_pods(version) for version in copies} == copies
    answers = {"share": {1: 18, 2: 2}, "next": {1: 10, 2: 10}, "promote": {2: 20}}.get(word, {1: 20})
    assert_near(world.told(), answers)
    state = world.target().state(ENDPOINT)
    assert state is not None
    assert (state.healthy, state.serving) == (True, 2 if word == "promote" else 1)


@pytest.mark.parametrize("word", ["abort", "promote"])
@pytest.mark.parametrize("number", range(4))
def test_whoever_comes_after_a_dead_driver_may_end_the_canary_otherwise(world: Copies, word: str, number: int) -> None:
    """Killed while shares were made: the next one aborts or promotes instead, and nothing of it is left."""
    _prepared(world, "share")
    dying, left = world.target(), [number]
    through = dying.client.request

    def request(method: str, *rest: Any, **more: Any) -> Any:
        if method == "PATCH":
            left[0] -= 1
            if left[0] < 0:
                raise KilledError
        return through(method, *rest, **more)

    dying.client.request = request  # type: ignore[method-assign] # the driver's death is played
    with pytest.raises(KilledError):
        _act(dying, "share")
    _act(world.target(), word)
    world.clock.jump(5)
    assert world.wanted() == {1: 2, 2: 2}
    assert world.told() == {2 if word == "promote" else 1: 20}
    assert not world.service()["metadata"].get("annotations")
