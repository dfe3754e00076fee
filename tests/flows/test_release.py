"""Releases carried out on memory: what is recorded, what serves, and that a killed driver costs nothing."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headway.backends.target_memory import MemoryTarget, its_version
from headway.core import facts as f
from headway.core.ids import Artifact, ModelRef
from headway.core.limits import Limits
from headway.core.recording import Recording
from headway.core.registry import Registration
from headway.core.rollout import Order, Released
from headway.errors import (
    FileFaulty,
    FileMissing,
    GoldenRefused,
    LeaseHeld,
    NameUnknown,
    TargetUnavailable,
    VersionNotReady,
)
from headway.flows import registry
from headway.flows.endpoints import endpoints
from headway.flows.release import release, rollback, settings, stop
from headway.flows.rollout import Delivery, read
from headway.ports import Answer, Serving
from headway.testing.bench import MemoryParts
from headway.testing.verdicts import kept_verdict


class Killed(BaseException):
    """Stands for SIGKILL of the driver."""


class Place:
    """An endpoint `flights` of the model `m`, on memory."""

    def __init__(self, folder: Path) -> None:
        self.target = MemoryTarget(self.answer)
        self.parts = MemoryParts(str(folder), targets={"memory": self.target})
        self.folder = folder
        self.wrong: set[int] = set()
        self.world = self.parts.delivery(by="ann")

    def answer(self, serving: Serving, body: bytes) -> Answer:
        return its_version(serving, body if serving.version not in self.wrong else b"{")

    def register(self, *versions: int, kind: str = "function") -> None:
        for version in versions:
            text = f"def predict(rows): return [{version}] * len(rows)".encode()
            artifact = Artifact(path="models/model.py", digest=self.parts.blobs.put(text), size_bytes=len(text))
            verdict = kept_verdict(self.parts.blobs, artifact)
            asked = Registration(model="m", artifact=artifact, key=f"r/{version}", format=kind, verdict=verdict)
            registry.register(self.parts.log, asked, now=0.0)

    def order(self, version: int, key: str = "", **fields: Any) -> Order:
        return Order(
            endpoint="flights", model="m", version=version, key=key or f"run/{version}", target="memory", **fields
        )

    def release(self, version: int, key: str = "", *, golden: str = "", **fields: Any) -> Released:
        return release(self.world, self.order(version, key, **fields), golden_file=golden)

    def golden(self, expect: int) -> str:
        path = self.folder / f"golden-{expect}.jsonl"
        path.write_text(f'{{"inputs": {{"x": 1}}, "expect": {expect}}}\n{{"inputs": [{{"x": 1}}]}}\n')
        return str(path)

    def champion(self) -> int | None:
        found = registry.resolve(self.parts.log, ModelRef(name="m", alias="champion"))
        return None if found is None else found.version

    def kinds(self) -> list[str]:
        return [type(e.fact).__name__ for e in self.parts.log.read("endpoint/flights")]

    def serving(self) -> int | None:
        return self.target.serving.get("flights")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path)
    made.register(1, 2, 3, 4)
    return made


def test_a_release_is_recorded_served_and_becomes_champion(place: Place) -> None:
    done = place.release(1, golden=place.golden(1), why="first", run=7)
    assert (done.outcome, done.release, done.url, done.previous, done.n_golden) == (
        "released",
        1,
        "memory://flights",
        None,
        2,
    )
    assert place.kinds() == [
        "ReleaseStarted",
        "VersionStarted",
        "GoldenAnswered",
        "EndpointSwitched",
        "ReleaseFinished",
    ]
    claim = place.parts.log.read("endpoint/flights")[0].fact
    assert isinstance(claim, f.ReleaseStarted)
    assert (claim.why, claim.run, claim.cause) == ("first", 7, "deploy")
    assert (place.serving(), place.champion()) == (1, 1)
    assert str(done) == "m@1 serves on memory://flights (2 golden requests right)"


def test_the_model_is_laid_out_under_its_own_name(place: Place) -> None:
    place.release(1)
    path = place.target.live["flights"][1].path
    assert os.path.basename(path) == "model.py"
    assert Path(path).read_text() == "def predict(rows): return [1] * len(rows)"


def test_without_golden_requests_it_says_that_only_readiness_was_checked(place: Place) -> None:
    assert "no golden requests: only readiness" in str(place.release(1))


def test_wrong_answers_keep_the_old_version_and_are_told(place: Place) -> None:
    place.release(1)
    with pytest.raises(GoldenRefused, match="1 of 2 golden requests were answered wrongly: request 1: answered 2") as e:
        place.release(2, golden=place.golden(1))
    assert e.value.exit_code == 7
    assert "m@1 still serves" in e.value.remedy
    assert (place.serving(), place.champion(), sorted(place.target.live["flights"])) == (1, 1, [1])
    assert place.kinds()[-2:] == ["GoldenAnswered", "ReleaseFinished"]


def test_a_refused_golden_request_counts_as_wrong(place: Place) -> None:
    place.wrong.add(1)
    with pytest.raises(GoldenRefused, match="refused with status 400"):
        place.release(1, golden=place.golden(1))
    assert place.target.live == {}


def test_a_version_that_does_not_start_leaves_the_old_one(place: Place) -> None:
    place.release(1)
    place.register(5, kind="broken")
    with pytest.raises(VersionNotReady):
        place.release(5)
    assert (place.serving(), place.champion()) == (1, 1)
    assert place.release(2).version == 2


def test_the_same_key_is_carried_out_once_and_after_a_failure_again(place: Place) -> None:
    place.wrong.add(1)
    with pytest.raises(GoldenRefused):
        place.release(1, golden=place.golden(1))
    place.wrong.clear()
    assert place.release(1, golden=place.golden(1)).release == 2
    n_facts = len(place.kinds())
    again = place.release(1, golden=place.golden(1))
    assert (again.outcome, again.release, len(place.kinds())) == ("released", 2, n_facts)


def test_what_serves_already_is_only_asked_again(place: Place) -> None:
    place.release(1, "run/a")
    n_facts = len(place.kinds())
    done = place.release(1, "run/b", golden=place.golden(1))
    assert (done.outcome, done.n_golden, len(place.kinds())) == ("already", 2, n_facts)
    with pytest.raises(GoldenRefused, match="serves already, and 1 of 2"):
        place.release(1, "run/c", golden=place.golden(9))
    assert place.serving() == 1


def test_a_version_that_should_serve_but_does_not_is_released_anew(place: Place) -> None:
    place.release(1, "run/a")
    place.target.stop("flights", None)
    assert place.release(1, "run/b").release == 2
    assert place.serving() == 1


def test_one_previous_version_is_kept_warm(place: Place) -> None:
    for version in (1, 2, 3):
        place.release(version)
    assert sorted(place.target.live["flights"]) == [2, 3]


def test_a_rollback_asks_the_golden_requests_of_that_versions_release(place: Place) -> None:
    place.release(1, golden=place.golden(1))
    place.release(2, golden=place.golden(2))
    done = rollback(place.world, "flights", why="it is slow")
    assert (done.version, done.n_golden, done.previous) == (1, 2, None)
    assert (place.serving(), place.champion()) == (1, 1)
    claims = [e.fact for e in place.parts.log.read("endpoint/flights") if isinstance(e.fact, f.ReleaseStarted)]
    assert (claims[-1].cause, claims[-1].why, claims[-1].by) == ("rollback", "it is slow", "ann")
    moves = [e.fact for e in place.parts.log.read("model/m") if isinstance(e.fact, f.AliasMoved)]
    assert (moves[-1].version, moves[-1].why, moves[-1].by) == (1, "it is slow", "ann")


def test_a_rollback_to_a_version_that_now_answers_wrongly_does_not_happen(place: Place) -> None:
    place.release(1, golden=place.golden(1))
    place.release(2)
    place.wrong.add(1)
    with pytest.raises(GoldenRefused):
        rollback(place.world, "flights")
    assert (place.serving(), place.champion()) == (2, 2)


def test_a_rollback_to_a_named_version(place: Place) -> None:
    for version in (1, 2, 3):
        place.release(version)
    assert rollback(place.world, "flights", to=1).version == 1
    assert rollback(place.world, "flights", to=3).version == 3
    assert rollback(place.world, "flights", to=3).outcome == "already"
    with pytest.raises(NameUnknown, match="never released"):
        rollback(place.world, "flights", to=4)


def test_there_must_be_something_to_go_back_to(place: Place) -> None:
    with pytest.raises(NameUnknown, match="no endpoint 'flights'"):
        rollback(place.world, "flights")
    place.release(1)
    with pytest.raises(NameUnknown, match="no version served on flights before"):
        rollback(place.world, "flights")


def test_of_an_endpoint_that_never_came_up_nothing_else_is_said(place: Place) -> None:
    with pytest.raises(NameUnknown):
        place.release(99)
    (view,) = endpoints(place.world)
    assert view.detail.startswith("it never came up: ")
    with pytest.raises(NameUnknown, match="nothing ever served on flights"):
        rollback(place.world, "flights")


def test_an_endpoint_is_taken_down_and_comes_back(place: Place) -> None:
    place.release(1, "run/a")
    stop(place.world, "flights", why="holidays")
    stop(place.world, "flights")
    assert place.target.state("flights") is None
    assert place.kinds().count("EndpointStopped") == 1
    assert endpoints(place.world)[0].detail == "taken down"
    with pytest.raises(NameUnknown, match="nothing serves on flights: it was taken down"):
        rollback(place.world, "flights")
    assert place.release(1, "run/b").release == 2
    with pytest.raises(NameUnknown):
        stop(place.world, "other")


def test_endpoints_tell_what_should_serve_and_whether_it_does(place: Place) -> None:
    assert endpoints(place.world) == ()
    place.release(1)
    place.release(2)
    (view,) = endpoints(place.world)
    assert (view.endpoint, view.model, view.version, view.previous, view.is_healthy) == ("flights", "m", 2, 1, True)
    del place.target.live["flights"][2]
    assert not endpoints(place.world)[0].is_healthy


def test_an_endpoint_serves_one_model(place: Place) -> None:
    place.release(1)
    with pytest.raises(TargetUnavailable, match="serves the model m on memory, not other on memory"):
        release(place.world, msgspec.structs.replace(place.order(2), model="other"))


def test_a_version_nobody_registered_is_unknown_and_leaves_nothing(place: Place) -> None:
    with pytest.raises(NameUnknown, match="no m@9"):
        place.release(9)
    assert place.target.live == {}


def test_golden_requests_that_cannot_be_read_stop_it_before_it_begins(place: Place, tmp_path: Path) -> None:
    with pytest.raises(FileMissing):
        place.release(1, golden=str(tmp_path / "none.jsonl"))
    (tmp_path / "bad.jsonl").write_text("{}")
    with pytest.raises(FileFaulty):
        place.release(1, golden=str(tmp_path / "bad.jsonl"))
    assert place.kinds() == []


def test_two_drivers_do_not_fight(place: Place) -> None:
    place.parts.leases.acquire("endpoint/flights", holder="bob", ttl_s=60, now=place.world.now())
    for act in (
        lambda: place.release(1),
        lambda: rollback(place.world, "flights"),
        lambda: stop(place.world, "flights"),
    ):
        with pytest.raises(LeaseHeld) as caught:
            act()
        assert caught.value.holder == "bob"


class Fatal:
    """Ports of which the n-th act kills the driver: before it is done, or just after."""

    def __init__(self, place: Place, kill_at: int, *, after: bool) -> None:
        self.n_acts = 0
        self._kill_at = kill_at
        self._after = after
        self._target = place.target
        log = place.parts.log
        self.world = msgspec.structs.replace(place.world, target=lambda _: self, log=_FatalLog(self, log))
        for name in ("start", "ask", "switch", "route", "stop", "state"):
            setattr(self, name, self.deadly(getattr(place.target, name)))

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


class _FatalLog:
    def __init__(self, fatal: Fatal, log: Any) -> None:
        self._log = log
        self.append = fatal.deadly(log.append)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


def _deaths(place: Callable[[], Place], act: Callable[[Delivery, Place], object]) -> Iterator[Place]:
    """The place after the driver was killed at each of its acts in turn: before it was done, or just after."""
    for after in (False, True):
        kill_at = 0
        while True:
            kill_at += 1
            made = place()
            fatal = Fatal(made, kill_at, after=after)
            try:
                act(fatal.world, made)
            except Killed:
                # What a dead process held, it holds no more; the fake knows no processes.
                yield made
            else:
                assert kill_at > 8
                break


def _prepared(tmp_path: Path, versions: Sequence[int]) -> Callable[[], Place]:
    def make() -> Place:
        made = Place(tmp_path)
        made.register(1, 2, 3, 4)
        for version in versions:
            made.release(version, golden=made.golden(version))
        return made

    return make


def test_a_driver_killed_at_any_act_of_a_release_is_gone_on_with(tmp_path: Path) -> None:
    def act(world: Delivery, made: Place) -> Released:
        return release(world, made.order(3), golden_file=made.golden(3))

    n_deaths = 0
    for made in _deaths(_prepared(tmp_path, (1, 2)), act):
        n_deaths += 1
        # Never none: what served before serves, or the new one does.
        assert made.serving() in (2, 3)
        done = act(made.world, made)
        assert (done.version, done.release, made.serving(), made.champion()) == (3, 3, 3, 3)
        assert made.kinds().count("ReleaseStarted") == 3
        assert made.kinds()[-1] == "ReleaseFinished"
        assert sorted(made.target.live["flights"]) == [2, 3]
    assert n_deaths > 20


def test_a_driver_killed_at_any_act_of_a_release_makes_way_for_a_rollback(tmp_path: Path) -> None:
    for made in _deaths(_prepared(tmp_path, (1, 2)), lambda world, made: release(world, made.order(3))):
        before = made.serving()
        done = rollback(made.world, "flights")
        assert done.version == {2: 1, 3: 2}[before or 0]
        assert (made.serving(), made.champion()) == (done.version, done.version)
        assert read(made.parts.log, "flights").open is None


def test_a_driver_killed_at_any_act_of_a_rollback_can_roll_back_again(tmp_path: Path) -> None:
    for made in _deaths(_prepared(tmp_path, (1, 2)), lambda world, _: rollback(world, "flights")):
        assert made.serving() in (1, 2)
        rollback(made.world, "flights", to=1)
        assert (made.serving(), made.champion()) == (1, 1)
        assert read(made.parts.log, "flights").open is None


def test_a_driver_killed_while_it_aborts_leaves_the_old_version(tmp_path: Path) -> None:
    for made in _deaths(_prepared(tmp_path, (1, 2)), _refused):
        assert made.serving() == 2
        with pytest.raises(GoldenRefused):
            release(made.world, made.order(3), golden_file=made.golden(9))
        assert (made.serving(), made.champion(), 3 in made.target.live["flights"]) == (2, 2, False)


def _refused(world: Delivery, made: Place) -> None:
    with pytest.raises(GoldenRefused):
        release(world, made.order(3), golden_file=made.golden(9))


# --- how a release logs and limits ------------------------------------------------------------------------------

QUIET = Recording(leave_out=("email",))
NARROW = Limits(max_waiting=5)


def served(place: Place, version: int) -> tuple[Recording, Limits]:
    serving = place.target.live["flights"][version]
    return serving.recording, serving.limits


def test_a_rollback_logs_and_limits_as_its_own_release_did(place: Place) -> None:
    place.release(1, recording=QUIET, limits=NARROW)
    place.release(2)
    assert served(place, 2) == (Recording(), Limits())
    rollback(place.world, "flights")
    assert (place.serving(), served(place, 1)) == (1, (QUIET, NARROW))
    serving = read(place.parts.log, "flights").serving
    assert serving is not None
    assert (serving.recording, serving.limits) == (QUIET, NARROW)


def test_the_version_that_serves_is_released_again_to_be_logged_otherwise(place: Place) -> None:
    place.release(1, "a")
    assert place.release(1, "b").outcome == "already"
    done = place.release(1, "c", recording=QUIET)
    assert (done.outcome, done.release, done.previous) == ("released", 2, None)
    assert (place.serving(), served(place, 1)) == (1, (QUIET, Limits()))


def test_a_version_that_serves_and_answers_wrongly_is_logged_as_before(place: Place) -> None:
    place.release(1, "a", recording=QUIET)
    with pytest.raises(GoldenRefused):
        place.release(1, "b", golden=place.golden(7))
    assert (place.serving(), served(place, 1)) == (1, (QUIET, Limits()))


def test_a_release_left_in_the_middle_is_resumed_with_its_own_recording(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> str:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(MemoryTarget, "start", killed)
        with pytest.raises(Killed):
            place.release(1, "a", recording=QUIET, limits=NARROW)
    place.release(1, "a")
    assert served(place, 1) == (QUIET, NARROW)


def test_by_hand_an_endpoint_goes_on_as_its_newest_release_said_also_after_it_was_taken_down(place: Place) -> None:
    assert settings(place.world, "flights") == (Recording(), Limits())
    place.release(1, recording=QUIET, limits=NARROW)
    stop(place.world, "flights")
    assert settings(place.world, "flights") == (QUIET, NARROW)
