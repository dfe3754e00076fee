"""A driver may die at any write: the endpoint answers, and whoever comes next ends the act."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cluster_world import ROUTED, World
from headway.backends.target_kubernetes import KubernetesTarget
from headway.core.routing import Route, Shadow, Table
from headway.testing.target_contract import ENDPOINT, READY_S, serving


class Killed(BaseException):
    """The driver dies here."""


N_WRITES = {"start": 4, "switch": 2, "route": 2, "shadow": 2, "abort": 2, "stop": 5, "stop-routed": 7}
"""How many writes each act makes, which a test below counts."""

BOTH = Table(routes=(Route(version=1, weight=1), Route(version=2, weight=1)))
COPIED = Table(routes=(Route(version=1, weight=1),), shadow=Shadow(version=2))


@pytest.fixture
def copying(tmp_path: Path) -> Iterator[World]:
    """A cluster whose Gateway copies requests."""
    made = World(str(tmp_path), gateway=("HTTPRouteRequestMirror",))
    with made.cluster:
        yield made


def prepared(world: World, root: str, word: str) -> str:
    """What is there before an act; the endpoint's URL."""
    target = world.target(ROUTED)
    for version in (1,) if word == "start" else (1, 2):
        target.start(serving(root, version), port=0, timeout_s=READY_S)
    url = target.switch(ENDPOINT, 1)
    if word in ("abort", "stop-routed"):
        target.route(ENDPOINT, BOTH)
    return url


def act(target: KubernetesTarget, root: str, word: str) -> None:
    """One act of a release of version 2 beside version 1."""
    if word == "start":
        target.start(serving(root, 2), port=0, timeout_s=READY_S)
    elif word == "switch":
        target.switch(ENDPOINT, 2)
    elif word in ("route", "shadow", "abort"):
        target.route(ENDPOINT, {"route": BOTH, "shadow": COPIED}.get(word))
    else:
        target.stop(ENDPOINT, 2)


@pytest.mark.parametrize("is_done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize(("word", "number"), [(word, n) for word, most in N_WRITES.items() for n in range(most)])
def test_a_driver_that_dies_at_any_write_leaves_an_endpoint_that_answers_and_the_next_one_ends_the_act(
    copying: World, tmp_path: "os.PathLike[str]", word: str, number: int, *, is_done: bool
) -> None:
    world, root = copying, str(tmp_path)
    url = prepared(world, root, word)
    dying, left = world.target(ROUTED), [number]
    through = dying.client.request

    def request(method: str, *rest: Any, **more: Any) -> Any:
        if method not in ("PATCH", "DELETE"):
            return through(method, *rest, **more)
        left[0] -= 1
        if left[0] < 0 and not is_done:
            raise Killed
        said = through(method, *rest, **more)
        if left[0] < 0:
            raise Killed
        return said

    dying.client.request = request  # type: ignore[method-assign] # the driver's death is played
    with pytest.raises(Killed):
        act(dying, root, word)
    for _ in range(8):
        assert world.cluster.call(urlsplit(url).netloc, "/predict", b"{}")[0] == 200
    act(world.target(ROUTED), root, word)
    state = world.target(ROUTED).state(ENDPOINT)
    assert state is not None
    assert state.healthy
    assert state.serving == (2 if word == "switch" else 1)
    assert state.versions == state.held == ((1,) if word.startswith("stop") else (1, 2))
    assert state.table == {"route": BOTH, "shadow": COPIED}.get(word)
    n_copied = world.cluster.n_copied.get("flights-v2", 0)
    answers = {
        json.loads(world.cluster.call(urlsplit(url).netloc, "/predict", b"{}")[1])["predictions"][0] for _ in range(8)
    }
    assert answers == {"switch": {2}, "route": {1, 2}}.get(word, {1})
    assert world.cluster.n_copied.get("flights-v2", 0) - n_copied == (8 if word == "shadow" else 0)


@pytest.mark.parametrize("word", N_WRITES)
def test_each_act_writes_as_often_as_it_is_killed_above(
    copying: World, tmp_path: "os.PathLike[str]", word: str
) -> None:
    prepared(copying, str(tmp_path), word)
    copying.cluster.asked.clear()
    act(copying.target(ROUTED), str(tmp_path), word)
    assert sum(method in ("PATCH", "DELETE") for method, _ in copying.cluster.asked) == N_WRITES[word]


@pytest.mark.parametrize("number", range(5))
def test_a_driver_that_dies_while_the_first_version_starts_leaves_what_the_next_one_takes_up_or_takes_down(
    copying: World, tmp_path: Path, number: int
) -> None:
    world = copying
    dying, left = world.target(), [number]
    through = dying.client.apply

    def apply(manifest: Any, **more: Any) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return through(manifest, **more)

    dying.client.apply = apply  # type: ignore[method-assign] # the driver's death is played
    with pytest.raises(Killed):
        dying.start(serving(str(tmp_path), 1), port=0, timeout_s=READY_S)
    if number % 2:
        world.target().start(serving(str(tmp_path), 1), port=0, timeout_s=READY_S)
        state = world.target().state(ENDPOINT)
        assert state is not None
        assert state.versions == (1,)
    world.target().stop(ENDPOINT, None)
    assert not world.cluster.objects.held
