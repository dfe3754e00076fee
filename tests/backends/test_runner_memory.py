"""The fake keeps the contract that flows rely on, in virtual time."""

import os
from math import inf

import msgspec
import pytest

from headway.backends import connect
from headway.backends.runner_memory import MemoryRunner, Play, World
from headway.errors import StepHeld, StepNotStarted
from headway.ports import Task
from headway.testing.runner_contract import Deed, RunnerContract


def deed(task: Task) -> Play:
    does = msgspec.json.decode(task.argv[1], type=Deed)
    return Play(code=does.code, seconds=does.seconds, says=does.says.encode(), stubborn=does.stubborn)


class TestMemoryRunner(RunnerContract):
    @pytest.fixture(autouse=True)
    def _worlds(self) -> None:
        self.worlds: dict[str, World] = {}

    def make(self, root: str) -> MemoryRunner:
        return MemoryRunner(deed, world=self.worlds.setdefault(root, World()))

    def command(self, deed: Deed) -> tuple[str, ...]:
        return ("deed", msgspec.json.encode(deed).decode())


def task(tmp_path: "os.PathLike[str]", key: str = "k") -> Task:
    return Task(key=key, argv=("x",), cwd="/", env={}, log_path=os.path.join(tmp_path, "log"))


def test_hours_pass_in_no_time(tmp_path: "os.PathLike[str]") -> None:
    runner = MemoryRunner(lambda _: Play(seconds=3 * 3600.0, code=1))
    runner.start(task(tmp_path))
    assert runner.wait(3600.0) == []
    assert [one.seconds for one in runner.wait(None)] == [10800.0]
    assert runner.world.now == 10800.0


def test_a_play_acts_at_its_end_unless_it_was_stopped(tmp_path: "os.PathLike[str]") -> None:
    acted: list[str] = []
    runner = MemoryRunner(lambda _: Play(seconds=5.0, act=lambda its: acted.append(its.key)))
    for key in ("a", "b"):
        runner.start(task(tmp_path, key))
    runner.stop("b", grace_s=1.0)
    assert [one.key for one in runner.wait(None)] == ["b"]
    assert [one.key for one in runner.wait(None)] == ["a"]
    assert acted == ["a"]


def test_a_play_may_refuse_to_start(tmp_path: "os.PathLike[str]") -> None:
    runner = MemoryRunner(lambda _: Play(refuses="there is no command 'x'"))
    with pytest.raises(StepNotStarted, match="no command"):
        runner.start(task(tmp_path))
    assert runner.started == []


def test_an_immortal_play_is_held(tmp_path: "os.PathLike[str]") -> None:
    world = World()
    MemoryRunner(lambda _: Play(immortal=True), world=world).start(task(tmp_path))
    with pytest.raises(StepHeld):
        MemoryRunner(world=world).evict("k", grace_s=1.0)


def test_waiting_for_ever_is_a_fault_of_the_test(tmp_path: "os.PathLike[str]") -> None:
    runner = MemoryRunner(lambda _: Play(seconds=inf))
    runner.start(task(tmp_path))
    with pytest.raises(AssertionError, match="never end"):
        runner.wait(None)


def test_a_fake_is_connected_by_its_url() -> None:
    assert isinstance(connect("runner", "memory:"), MemoryRunner)
