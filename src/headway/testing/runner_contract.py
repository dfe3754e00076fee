"""What every runner must do: subclass the suite here in a test file, and say how your runner is made.

Holds for all runners, remote ones and the fake included; `runner_process_contract` adds what holds for those that start
processes of this machine. Needs pytest and, unless `command` is overridden, a POSIX shell.
"""

import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from msgspec import Struct

from headway.errors import StepNotStarted
from headway.ports import Exit, Runner, Task
from headway.testing.processes import read

PATH = "/usr/local/bin:/usr/bin:/bin"
"""Where the suite's own commands are found."""


class Deed(Struct, frozen=True, kw_only=True):
    """What a task of the suite does: says something, takes its time, ends with a code; `stubborn` ignores SIGTERM."""

    says: str = ""
    seconds: float = 0.0
    code: int = 0
    stubborn: bool = False


class RunnerContract(ABC):
    """What holds for every runner. Override `make`; and `command`, where tasks are no shell commands."""

    @abstractmethod
    def make(self, root: str) -> Runner:
        """A new runner; `root` is the same for all runners of a test that shall know of each other's tasks."""

    def command(self, deed: Deed) -> tuple[str, ...]:
        """The words of a task that does this."""
        script = [f"printf %s '{deed.says}'"] if deed.says else []
        if deed.stubborn:
            script.append("trap '' TERM")
        if deed.seconds:
            # The shell itself waits, so that it is there to be stopped; a trapped one must outlive its sleep.
            script.append(f"sleep {deed.seconds:.3f}")
        script.append(f"exit {deed.code}")
        return ("/bin/sh", "-c", "; ".join(script))

    @pytest.fixture
    def root(self, tmp_path: "os.PathLike[str]") -> str:
        """The folder of one test's runners."""
        return os.path.join(os.path.realpath(tmp_path), "runs")

    @pytest.fixture
    def runner(self, root: str) -> Iterator[Runner]:
        """A runner, closed after the test."""
        made = self.make(root)
        yield made
        made.close()

    # Any: the fields of Task, by name.
    def task(self, root: str, key: str, deed: Deed | None = None, **fields: Any) -> Task:  # noqa: ANN401 (as above)
        """A task of the suite; `fields` override those of `Task`."""
        values = {
            "key": key,
            "argv": self.command(deed or Deed()),
            "cwd": os.path.dirname(root),
            "env": {"PATH": PATH},
            "log_path": log_of(root, key),
        }
        return Task(**{**values, **fields})

    # --- beginning and end --------------------------------------------------------------------------------------

    @pytest.mark.parametrize("code", [0, 1, 2, 77, 255])
    def test_the_end_has_the_code_of_the_command(self, runner: Runner, root: str, code: int) -> None:
        runner.start(self.task(root, "run/1/a/1", Deed(code=code)))
        assert [(one.key, one.code) for one in ends(runner, 1)] == [("run/1/a/1", code)]

    def test_each_end_is_told_once(self, runner: Runner, root: str) -> None:
        for i in range(4):
            runner.start(self.task(root, f"run/1/{i}/1"))
        told = ends(runner, 4)
        assert sorted(one.key for one in told) == [f"run/1/{i}/1" for i in range(4)]
        assert runner.wait(0.05) == []

    def test_wait_returns_at_once_when_nothing_runs(self, runner: Runner) -> None:
        assert runner.wait(None) == []

    def test_wait_returns_when_its_time_is_over(self, runner: Runner, root: str) -> None:
        runner.start(self.task(root, "run/1/a/1", Deed(seconds=30)))
        assert runner.wait(0.02) == []
        assert runner.wait(0) == []

    def test_wall_time_is_measured(self, runner: Runner, root: str) -> None:
        runner.start(self.task(root, "run/1/a/1", Deed(seconds=0.2)))
        assert 0.2 <= ends(runner, 1)[0].seconds < 5

    def test_what_ends_first_is_told_first(self, runner: Runner, root: str) -> None:
        runner.start(self.task(root, "run/1/slow/1", Deed(seconds=0.4)))
        runner.start(self.task(root, "run/1/quick/1"))
        assert [one.key for one in ends(runner, 2)] == ["run/1/quick/1", "run/1/slow/1"]

    def test_the_log_is_appended_to_and_its_folder_made(self, runner: Runner, root: str) -> None:
        for attempt, says in enumerate(("one ", "two")):
            task = self.task(root, f"run/1/a/{attempt}", Deed(says=says), log_path=log_of(root, "deep/er/a"))
            runner.start(task)
            ends(runner, 1)
        assert read(log_of(root, "deep/er/a")) == b"one two"

    def test_a_key_that_runs_is_refused(self, runner: Runner, root: str) -> None:
        runner.start(self.task(root, "run/1/a/1", Deed(seconds=30)))
        with pytest.raises(StepNotStarted):
            runner.start(self.task(root, "run/1/a/1"))
        runner.stop("run/1/a/1", grace_s=0)
        assert [one.code for one in ends(runner, 1)] == [128 + signal.SIGKILL]

    def test_keys_of_any_characters_and_length_stay_apart(self, runner: Runner, root: str) -> None:
        keys = ["a/b", "a+b", "a b", "a%b", "a.b", "ä/ö", ".", "..", "a" * 300, "a" * 301]
        for i, key in enumerate(keys):
            runner.start(self.task(root, key, Deed(seconds=0.1, code=i), log_path=log_of(root, str(i))))
        assert {one.key: one.code for one in ends(runner, len(keys))} == {key: i for i, key in enumerate(keys)}

    # --- stopping -----------------------------------------------------------------------------------------------

    def test_stop_ends_a_task(self, runner: Runner, root: str) -> None:
        runner.start(self.task(root, "run/1/a/1", Deed(seconds=30)))
        runner.stop("run/1/a/1", grace_s=10)
        (end,) = ends(runner, 1)
        assert end.code == 128 + signal.SIGTERM
        assert end.seconds < 9

    def test_a_task_that_ignores_being_asked_is_killed_after_the_grace(self, runner: Runner, root: str) -> None:
        runner.start(self.task(root, "run/1/a/1", Deed(seconds=30, stubborn=True)))
        runner.wait(0.2)
        runner.stop("run/1/a/1", grace_s=0.3)
        (end,) = ends(runner, 1)
        assert end.code == 128 + signal.SIGKILL
        assert 0.3 <= end.seconds < 10

    def test_a_second_stop_with_a_shorter_grace_brings_the_end_forward(self, runner: Runner, root: str) -> None:
        runner.start(self.task(root, "run/1/a/1", Deed(seconds=60, stubborn=True)))
        runner.wait(0.2)
        runner.stop("run/1/a/1", grace_s=50)
        runner.stop("run/1/a/1", grace_s=0.01)
        runner.stop("run/1/a/1", grace_s=50)
        assert ends(runner, 1)[0].seconds < 10

    def test_stopping_what_is_unknown_or_over_is_harmless(self, runner: Runner, root: str) -> None:
        runner.stop("run/1/never/1", grace_s=1)
        runner.start(self.task(root, "run/1/a/1"))
        ends(runner, 1)
        runner.stop("run/1/a/1", grace_s=1)
        assert runner.wait(0) == []

    def test_stopping_one_leaves_the_others(self, runner: Runner, root: str) -> None:
        runner.start(self.task(root, "run/1/a/1", Deed(seconds=30)))
        runner.start(self.task(root, "run/1/b/1", Deed(seconds=0.3, code=3)))
        runner.stop("run/1/a/1", grace_s=5)
        assert {one.key: one.code for one in ends(runner, 2)} == {"run/1/a/1": 143, "run/1/b/1": 3}

    def test_a_wake_before_the_wait_is_not_lost(self, runner: Runner, root: str) -> None:
        runner.start(self.task(root, "run/1/a/1", Deed(seconds=30)))
        runner.wake()
        runner.wake()
        began = time.monotonic()
        assert runner.wait(20) == []
        assert time.monotonic() - began < 10

    def test_close_may_be_called_twice(self, root: str) -> None:
        runner = self.make(root)
        runner.start(self.task(root, "run/1/a/1", Deed(seconds=30, stubborn=True)))
        runner.close()
        runner.close()
        runner.wake()
        assert runner.ask("run/1/a/1") == "gone"

    # --- what another driver started ----------------------------------------------------------------------------

    def test_unknown_tasks_are_gone(self, runner: Runner) -> None:
        assert runner.ask("run/1/never/1") == "gone"
        runner.evict("run/1/never/1", grace_s=1)

    def test_a_running_task_is_running_to_all_and_gone_after_its_end(self, runner: Runner, root: str) -> None:
        other = self.make(root)
        runner.start(self.task(root, "run/1/a/1", Deed(seconds=30)))
        assert (runner.ask("run/1/a/1"), other.ask("run/1/a/1")) == ("running", "running")
        runner.stop("run/1/a/1", grace_s=5)
        ends(runner, 1)
        assert (runner.ask("run/1/a/1"), other.ask("run/1/a/1")) == ("gone", "gone")
        other.close()

    @pytest.mark.parametrize("stubborn", [False, True])
    def test_evict_ends_what_another_runner_started(self, runner: Runner, root: str, stubborn: bool) -> None:
        other = self.make(root)
        runner.start(self.task(root, "run/1/a/1", Deed(seconds=30, stubborn=stubborn)))
        runner.wait(0.2)
        other.evict("run/1/a/1", grace_s=0.2)
        assert other.ask("run/1/a/1") == "gone"
        other.evict("run/1/a/1", grace_s=0.2)
        other.close()


def ends(runner: Runner, n: int, *, within_s: float = 30.0) -> Sequence[Exit]:
    """The next `n` ends; fails when they do not come in time."""
    told: list[Exit] = []
    give_up_at = time.monotonic() + within_s
    while len(told) < n:
        assert time.monotonic() < give_up_at, f"{len(told)} of {n} tasks ended in {within_s} s"
        told += runner.wait(1.0)
    assert len(told) == n
    return told


def log_of(root: str, key: str) -> str:
    """Where the suite's tasks write."""
    return os.path.join(root, "logs", f"{key.replace('/', '_')[:100]}.log")
