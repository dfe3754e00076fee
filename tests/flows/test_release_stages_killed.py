"""A driver that dies at any act of a release in stages, on memory: whoever comes next brings it to a good end."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headway.errors import NameUnknown, ReleaseTrouble
from headway.flows.release import direct, release, rollback, watch
from headway.flows.rollout import Delivery, read
from staged import ENDPOINT, Behaviour, Staged, strategy

PLAN = strategy(
    {"shadow": "100% for 60 requests"}, {"canary": "50% for 60 requests"}, "promote", {"bake": "4s"},
)  # fmt: skip

BAD = Behaviour(fails=0.6)


class Killed(BaseException):
    """Stands for SIGKILL of the driver."""


class Fatal:
    """Ports of which the n-th act kills the driver: before it is done, or just after."""

    def __init__(self, place: Staged, kill_at: int, *, after: bool) -> None:
        self.n_acts = 0
        self._kill_at = kill_at
        self._after = after
        log = _Deadly(self, place.parts.log, ("append",))
        target = _Deadly(self, place.target, ("start", "ask", "switch", "route", "stop"))
        self.world = msgspec.structs.replace(
            place.world, target=lambda _: target, log=log, sleep=self.deadly(place.sleep)
        )

    def deadly(self, act: Callable[..., Any]) -> Callable[..., Any]:
        def done(*args: Any, **kwargs: Any) -> Any:
            self.n_acts += 1
            is_last = self.n_acts == self._kill_at
            if is_last and not self._after:
                raise Killed
            result = act(*args, **kwargs)
            if is_last:
                raise Killed
            return result

        return done


class _Deadly:
    def __init__(self, fatal: Fatal, inner: Any, names: tuple[str, ...]) -> None:
        self._inner = inner
        for name in names:
            setattr(self, name, fatal.deadly(getattr(inner, name)))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _whole(world: Delivery, place: Staged) -> None:
    """A release to the end of its bake, by one driver or another."""
    release(world, place.order(2, PLAN))
    watch(world, ENDPOINT)


def _again(world: Delivery, place: Staged) -> None:
    release(world, place.order(2, PLAN))
    if read(place.parts.log, ENDPOINT).open is not None:
        watch(world, ENDPOINT)


def _watched(world: Delivery, _: Staged) -> None:
    watch(world, ENDPOINT)


def _aborted(world: Delivery, _: Staged) -> None:
    direct(world, ENDPOINT, "abort", why="enough")


def _other(world: Delivery, place: Staged) -> None:
    release(world, place.order(3, key="another"))


def _back(world: Delivery, _: Staged) -> None:
    rollback(world, ENDPOINT)


NEXT: list[Callable[[Delivery, Staged], None]] = [_again, _watched, _aborted, _other, _back]


def _deaths(folder: Path, like: Behaviour, *, step: int, offset: int = 0) -> Iterator[tuple[int, Staged]]:
    """An endpoint after each `step`-th act killed the driver, before or after it was done."""
    for after in (False, True):
        kill_at = 1 + offset
        while True:
            made = Staged(folder / f"{kill_at}-{after}", rate=40)
            made.release(3)
            made.release(1)
            made.like[2] = like
            fatal = Fatal(made, kill_at, after=after)
            try:
                _whole(fatal.world, made)
            except Killed:
                # Clients go on asking while nobody drives.
                made.sleep(1.0)
                yield kill_at, made
            except ReleaseTrouble:
                break
            else:
                break
            kill_at += step


def _ended(made: Staged, then: Callable[[Delivery, Staged], None], *, good: int) -> None:
    """Let somebody else come, and see that one version answers everything and nobody was left without an answer."""
    try:
        # It had not begun yet, or was whole already.
        with suppress(*([NameUnknown] if then in (_watched, _aborted, _back) else [])):
            then(made.world, made)
    except ReleaseTrouble:
        assert good == 1
    serving = made.target.serving[ENDPOINT]
    assert serving in ({3} if then is _other else {1, 2, 3} if then is _back else {1, 2})
    made.assert_alone(serving)
    if then is _again:
        assert serving == good
    made.sleep(1.0)
    assert 0 not in made.answered
    assert made.n_counted <= made.n_logged


@pytest.mark.parametrize(("like", "good"), [(Behaviour(), 2), (BAD, 1)], ids=["good", "bad"])
def test_whoever_comes_next_brings_it_to_an_end(tmp_path: Path, like: Behaviour, good: int) -> None:
    n_deaths = 0
    for kill_at, made in _deaths(tmp_path, like, step=3):
        n_deaths += 1
        _ended(made, NEXT[kill_at % len(NEXT)], good=good)
    assert n_deaths > 8


@pytest.mark.slow
@pytest.mark.parametrize("then", NEXT, ids=lambda then: then.__name__.strip("_"))
@pytest.mark.parametrize(("like", "good"), [(Behaviour(), 2), (BAD, 1)], ids=["good", "bad"])
def test_at_every_act_whoever_comes_next_brings_it_to_an_end(
    tmp_path: Path, like: Behaviour, good: int, then: Callable[[Delivery, Staged], None]
) -> None:
    n_deaths = 0
    for _, made in _deaths(tmp_path, like, step=1):
        n_deaths += 1
        _ended(made, then, good=good)
    assert n_deaths > 25


@pytest.mark.parametrize("when", [False, True], ids=["before", "after"])
def test_an_abort_that_is_killed_anywhere_is_carried_out_by_the_next(tmp_path: Path, when: bool) -> None:
    kill_at = 0
    while True:
        kill_at += 1
        made = Staged(tmp_path / f"{kill_at}", rate=40)
        made.release(1)
        made.release(2, strategy({"canary": "50% for 60 requests"}, {"pause": "approval"}, "promote"))
        fatal = Fatal(made, kill_at, after=when)
        try:
            direct(fatal.world, ENDPOINT, "abort")
        except Killed:
            assert made.target.serving[ENDPOINT] == 1
            made.sleep(1.0)
            if read(made.parts.log, ENDPOINT).open is not None:
                direct(made.world, ENDPOINT, "abort")
            made.assert_alone(1)
            assert 0 not in made.answered
        else:
            break
    assert kill_at > 3
