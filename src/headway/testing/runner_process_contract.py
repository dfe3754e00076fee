"""What runners that start processes of this machine must do besides: see `runner_contract`.

Signals, process groups, environment, descriptors, and what a driver leaves that was killed. Needs Linux's /proc for
looking at processes with eyes other than the runner's.
"""

import os
import signal
import sys
import time
from abc import abstractmethod
from contextlib import suppress

import pytest

from headway.errors import StepNotStarted
from headway.ports import Runner, Task
from headway.testing.processes import (
    eventually,
    is_alive,
    is_inheritable,
    marked,
    open_descriptors,
    own_memory,
    read,
    script,
    write,
)
from headway.testing.runner_contract import PATH, Deed, RunnerContract, ends, log_of


class ProcessContract(RunnerContract):
    """What holds for runners that start processes of this machine."""

    @abstractmethod
    def maker(self) -> str:
        """Python source of an expression that gives a runner for `root`, for drivers in processes of their own."""

    def shell(self, root: str, key: str, script: str) -> Task:
        """A task that runs a shell script."""
        return self.task(root, key, argv=("/bin/sh", "-c", script))

    def orphans(self, root: str, *tasks: Task) -> None:
        """Have a driver start these tasks, and kill it as soon as they run."""
        driver = self.driver(
            f"root = {root!r}",
            f"runner = {self.maker()}",
            *(f"runner.start(Task(**{as_words(task)!r}))" for task in tasks),
            "os.kill(os.getpid(), 9)",
        )
        _, status = os.waitpid(driver, 0)
        assert os.waitstatus_to_exitcode(status) == -9

    def driver(self, *lines: str) -> int:
        """The pid of a process that executes this Python source; runner and Task can be imported there."""
        source = "\n".join(("import os, sys, time", "from headway.ports import Task", *lines))
        env = {"PATH": PATH, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONDONTWRITEBYTECODE": "1"}
        return os.posix_spawn(sys.executable, [sys.executable, "-c", source], env)

    # --- what the process gets ----------------------------------------------------------------------------------

    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV, signal.SIGPIPE])
    def test_an_end_by_a_signal_has_the_code_that_a_shell_shows(self, runner: Runner, root: str, number: int) -> None:
        runner.start(self.shell(root, "k", f"kill -{int(number)} $$"))
        assert ends(runner, 1)[0].code == 128 + number

    def test_the_log_holds_both_streams_in_order(self, runner: Runner, root: str) -> None:
        runner.start(self.shell(root, "k", "echo 1; echo 2 >&2; echo 3; echo 4 >&2"))
        ends(runner, 1)
        assert read(log_of(root, "k")) == b"1\n2\n3\n4\n"

    def test_standard_input_is_empty(self, runner: Runner, root: str) -> None:
        runner.start(self.shell(root, "k", "wc -c"))
        ends(runner, 1)
        assert read(log_of(root, "k")).strip() == b"0"

    def test_the_environment_is_what_was_given_and_the_mark(self, runner: Runner, root: str) -> None:
        given = {"A": "1", "EMPTY": "", "ODD": "a=b\nc ä", "PATH": PATH}
        runner.start(self.task(root, "k", argv=("/usr/bin/env", "-0"), env=given))
        ends(runner, 1)
        found = dict(entry.split("=", 1) for entry in read(log_of(root, "k")).decode().split("\0") if entry)
        assert found.pop("HEADWAY_TASK")
        assert found == given

    def test_the_working_directory_is_the_tasks_and_ours_stays(self, runner: Runner, root: str) -> None:
        folder = os.path.join(os.path.dirname(root), "else where")
        os.makedirs(folder)
        before = os.getcwd()
        runner.start(self.task(root, "k", argv=("/bin/sh", "-c", "pwd"), cwd=folder))
        ends(runner, 1)
        assert read(log_of(root, "k")).decode().strip() == folder
        assert os.getcwd() == before

    def test_only_the_standard_streams_and_the_lock_are_inherited(self, runner: Runner, root: str) -> None:
        runner.start(self.task(root, "other", Deed(seconds=30)))
        runner.start(self.task(root, "k", argv=("/bin/ls", "/proc/self/fd")))
        while [one.key for one in runner.wait(10)] != ["k"]:
            pass
        found = {int(fd) for fd in read(log_of(root, "k")).split()}
        # What pytest itself was handed by its parent it hands on, as make does with its job server.
        handed_on = {int(fd) for fd in os.listdir("/proc/self/fd") if is_inheritable(int(fd))}
        # Two more: the folder that ls has open, and the lock.
        assert {0, 1, 2} <= found
        assert len(found - handed_on - {0, 1, 2}) <= 2

    # --- finding the command ------------------------------------------------------------------------------------

    def test_commands_are_found_on_the_path_of_the_task(self, runner: Runner, root: str) -> None:
        folder = os.path.join(os.path.dirname(root), "bin")
        script(os.path.join(folder, "trainer"), "#!/bin/sh\necho found\n")
        runner.start(self.task(root, "k", argv=("trainer",), env={"PATH": f"{PATH}:{folder}"}))
        ends(runner, 1)
        assert read(log_of(root, "k")) == b"found\n"

    def test_a_command_that_appears_earlier_on_the_path_is_found_at_once(self, runner: Runner, root: str) -> None:
        base = os.path.dirname(root)
        script(os.path.join(base, "late", "trainer"), "#!/bin/sh\nexit 1\n")
        task = self.task(root, "k", argv=("trainer",), env={"PATH": f".venv/bin:{base}/late"})
        runner.start(task)
        assert ends(runner, 1)[0].code == 1
        script(os.path.join(base, ".venv", "bin", "trainer"), "#!/bin/sh\nexit 2\n")
        runner.start(task)
        assert ends(runner, 1)[0].code == 2

    @pytest.mark.parametrize("name", ["no-such-command", "./no-such-script", "/no/such/file", "/", "./plain.txt"])
    def test_the_fallback_is_used_when_the_command_cannot_be_executed(
        self, runner: Runner, root: str, name: str
    ) -> None:
        write(os.path.join(os.path.dirname(root), "plain.txt"), "not executable")
        runner.start(self.task(root, "k", argv=(name,), fallback=("sh", "-c", "exit 9")))
        assert ends(runner, 1)[0].code == 9

    def test_the_fallback_is_used_for_a_script_without_a_first_line(self, runner: Runner, root: str) -> None:
        script(os.path.join(os.path.dirname(root), "bare"), "exit 4\n")
        runner.start(self.task(root, "k", argv=("./bare",), fallback=("/bin/sh", "-c", "./bare")))
        assert ends(runner, 1)[0].code == 4

    @pytest.mark.parametrize(
        "fields",
        [
            {"argv": ("no-such-command",)},
            {"argv": ("no-such-command",), "fallback": ("neither-this",)},
            {"argv": ("/bin/true", "nul\0")},
            {"argv": ("/bin/true",), "env": {"A=B": "c"}},
            {"argv": ("/bin/true",), "cwd": "/no/such/folder"},
            {"argv": ("/bin/true",), "cwd": "/bin/true"},
            {"argv": ("/bin/true", "x" * 3_000_000)},
            {"argv": ("/bin/true",), "log_path": "/proc/no/log"},
            {"argv": ()},
        ],
        ids=[
            "missing",
            "both-missing",
            "nul",
            "variable",
            "no-folder",
            "file-as-folder",
            "too-long",
            "log",
            "no-words",
        ],
    )
    def test_what_cannot_be_started_says_why_and_leaves_nothing(
        self, runner: Runner, root: str, fields: dict[str, object]
    ) -> None:
        before = os.getcwd()
        with pytest.raises(StepNotStarted) as caught:
            runner.start(self.task(root, "k", None, **fields))
        assert caught.value.remedy
        assert os.getcwd() == before
        assert runner.wait(0) == []
        assert runner.ask("k") == "gone"
        runner.start(self.task(root, "k"))
        assert ends(runner, 1)[0].code == 0

    # --- groups -------------------------------------------------------------------------------------------------

    def test_stop_ends_the_whole_group(self, runner: Runner, root: str) -> None:
        runner.start(self.shell(root, "k", "sleep 60 & sleep 61 & echo $!; wait"))
        child = int(line(root, "k"))
        runner.stop("k", grace_s=10)
        assert ends(runner, 1)[0].code == 143
        assert not is_alive(child)

    def test_a_child_gets_the_grace_when_its_shell_goes_first(self, runner: Runner, root: str) -> None:
        runner.start(
            self.shell(
                root, "k", "sh -c 'trap \"sleep 0.3; echo saved; exit\" TERM; echo up; while :; do sleep 0.05; done'; :"
            )
        )
        line(root, "k")
        runner.stop("k", grace_s=10)
        ends(runner, 1)
        assert read(log_of(root, "k")).endswith(b"saved\n")

    def test_a_child_that_ignores_the_request_is_gone_when_the_end_is_told(self, runner: Runner, root: str) -> None:
        runner.start(self.shell(root, "k", "sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.05; done'; :"))
        child = int(line(root, "k"))
        runner.stop("k", grace_s=0.3)
        assert ends(runner, 1)[0].code == 143
        assert not is_alive(child)

    def test_a_suspended_task_can_be_stopped_politely(self, runner: Runner, root: str) -> None:
        runner.start(self.shell(root, "k", "trap 'exit 7' TERM; echo up; kill -STOP $$; sleep 60"))
        line(root, "k")
        time.sleep(0.1)
        runner.stop("k", grace_s=10)
        assert ends(runner, 1)[0].code == 7

    def test_what_a_task_leaves_in_the_background_is_left_alone(self, runner: Runner, root: str) -> None:
        runner.start(self.shell(root, "k", "sleep 60 & echo $!"))
        assert ends(runner, 1)[0].code == 0
        child = int(line(root, "k"))
        assert is_alive(child)
        assert runner.ask("k") == "gone"
        os.kill(child, signal.SIGKILL)

    def test_a_signal_to_our_group_does_not_reach_the_tasks(self, runner: Runner, root: str) -> None:
        runner.start(self.shell(root, "k", "ps -o pgid= -p $$; echo $$"))
        ends(runner, 1)
        group, pid = read(log_of(root, "k")).split()
        assert group == pid

    def test_other_children_are_not_waited_for(self, runner: Runner, root: str) -> None:
        mine = os.posix_spawn("/bin/sh", ["sh", "-c", "exit 5"], {})
        runner.start(self.task(root, "k", Deed(seconds=0.2)))
        ends(runner, 1)
        assert os.waitstatus_to_exitcode(os.waitpid(mine, 0)[1]) == 5

    def test_a_wait_is_woken_by_a_signal_handler(self, runner: Runner, root: str) -> None:
        before = signal.signal(signal.SIGUSR1, lambda *_: runner.wake())
        helper = os.posix_spawn("/bin/sh", ["sh", "-c", f"sleep 0.2; kill -USR1 {os.getpid()}"], {"PATH": PATH})
        try:
            runner.start(self.task(root, "k", Deed(seconds=30)))
            began = time.monotonic()
            assert runner.wait(None) == []
            assert time.monotonic() - began < 10
        finally:
            os.waitpid(helper, 0)
            signal.signal(signal.SIGUSR1, before)

    def test_memory_and_processor_time_are_measured(self, root: str) -> None:
        work = "b = bytearray(300_000_000); b[:] = b'x' * 300_000_000; sum(range(3_000_000))"
        # By a driver, which is small: Linux counts what a process weighed between its fork and its exec, and a test's
        # own process may weigh a gigabyte.
        driver = self.driver(
            f"root = {root!r}",
            f"runner = {self.maker()}",
            f"runner.start(Task(**{as_words(self.task(root, 'k', argv=(sys.executable, '-c', work)))!r}))",
            "ended = []",
            "while not ended: ended = runner.wait(20)",
            "open(f'{root}/measured', 'w').write(f'{ended[0].max_rss_bytes} {ended[0].cpu_s}')",
        )
        assert os.waitstatus_to_exitcode(os.waitpid(driver, 0)[1]) == 0
        max_rss_bytes, cpu_s = map(float, read(f"{root}/measured").split())
        assert 300e6 < max_rss_bytes < 1e9
        assert 0.01 < cpu_s < 30

    # --- orphans of a driver that was killed --------------------------------------------------------------------

    @pytest.mark.parametrize(
        "does",
        [
            "sleep 60",
            "trap '' TERM; while :; do sleep 0.05; done",
            "sleep 60 & sleep 60; :",
            "(sleep 60 &) ; exit 0",
            "setsid sleep 60 & exit 0",
            "exec env -i /bin/sleep 60",
        ],
        ids=["plain", "stubborn", "children", "left-by-its-leader", "own-session", "environment-cleared"],
    )
    def test_orphans_are_told_and_ended(self, runner: Runner, root: str, does: str) -> None:
        self.orphans(root, self.shell(root, "run/1/a/1", f"echo up; {does}"), self.shell(root, "run/1/b/1", "sleep 60"))
        line(root, "run/1/a/1")
        assert runner.ask("run/1/a/1") == "running"
        with pytest.raises(StepNotStarted):
            runner.start(self.task(root, "run/1/a/1"))
        runner.evict("run/1/a/1", grace_s=0.3)
        assert runner.ask("run/1/a/1") == "gone"
        assert runner.ask("run/1/b/1") == "running"
        runner.evict("run/1/b/1", grace_s=5)
        runner.start(self.task(root, "run/1/a/1"))
        assert ends(runner, 1)[0].code == 0

    def test_orphans_that_end_by_themselves_are_gone(self, runner: Runner, root: str) -> None:
        self.orphans(root, self.shell(root, "k", "sleep 0.3; echo done"))
        eventually(lambda: runner.ask("k") == "gone")
        assert read(log_of(root, "k")) == b"done\n"

    def test_the_same_key_of_another_project_is_another_task(self, runner: Runner, root: str) -> None:
        other = os.path.join(os.path.dirname(root), "other", "runs")
        self.orphans(other, self.task(other, "run/1/a/1", Deed(seconds=60), cwd=os.path.dirname(root)))
        assert runner.ask("run/1/a/1") == "gone"
        runner.evict("run/1/a/1", grace_s=1)
        its = self.make(other)
        assert its.ask("run/1/a/1") == "running"
        its.evict("run/1/a/1", grace_s=5)
        its.close()

    def test_what_one_task_left_in_the_background_is_not_taken_for_the_next(self, runner: Runner, root: str) -> None:
        driver = self.driver(
            f"root = {root!r}",
            f"runner = {self.maker()}",
            f"runner.start(Task(**{as_words(self.shell(root, 'a', 'sleep 60 & echo $!'))!r}))",
            "assert runner.wait(20)[0].code == 0",
            f"runner.start(Task(**{as_words(self.shell(root, 'b', 'echo up; sleep 60'))!r}))",
            "os.kill(os.getpid(), 9)",
        )
        os.waitpid(driver, 0)
        line(root, "b")
        child = int(line(root, "a"))
        assert (runner.ask("a"), runner.ask("b")) == ("gone", "running")
        runner.evict("b", grace_s=5)
        assert runner.ask("b") == "gone"
        assert is_alive(child)
        os.kill(child, signal.SIGKILL)

    # --- many ---------------------------------------------------------------------------------------------------

    def test_no_descriptor_and_no_file_is_left_over(self, root: str) -> None:
        count = open_descriptors()
        runner = self.make(root)
        for i in range(20):
            runner.start(self.task(root, f"k/{i}", Deed(code=i)))
            with suppress(StepNotStarted):
                runner.start(self.task(root, f"bad/{i}", argv=("no-such-command",)))
        ends(runner, 20)
        runner.start(self.task(root, "last", Deed(seconds=30)))
        runner.close()
        assert open_descriptors() == count
        assert [name for _, _, names in os.walk(root) for name in names if not name.endswith(".log")] == []

    def test_sixty_four_at_a_time_all_end(self, runner: Runner, root: str) -> None:
        for i in range(64):
            runner.start(self.task(root, f"k/{i}", Deed(code=i)))
        assert sorted(one.code for one in ends(runner, 64, within_s=60)) == list(range(64))

    @pytest.mark.slow
    def test_a_thousand_tasks_two_at_a_time_are_told_once_each(self, runner: Runner, root: str) -> None:
        told: list[str] = []
        for i in range(1000):
            if i >= 2:
                told += [one.key for one in runner.wait(30)]
            runner.start(self.task(root, f"k/{i}", argv=("/bin/true",)))
        told += [one.key for one in ends(runner, 1000 - len(told))]
        assert sorted(told) == sorted(f"k/{i}" for i in range(1000))

    @pytest.mark.slow
    def test_a_gigabyte_of_output_costs_the_driver_nothing(self, runner: Runner, root: str) -> None:
        before = own_memory()
        runner.start(self.shell(root, "k", "head -c 1000000000 /dev/zero"))
        assert ends(runner, 1, within_s=100)[0].code == 0
        assert os.path.getsize(log_of(root, "k")) == 10**9
        os.unlink(log_of(root, "k"))
        assert own_memory() - before < 5e6

    @pytest.mark.slow
    def test_a_driver_killed_at_any_moment_leaves_the_truth(self, root: str) -> None:
        """The moment is swept over starts and ends; nothing may live that is not told, each time."""
        source = (
            f"root = {root!r}",
            f"runner = {self.maker()}",
            f"task = {as_words(self.shell(root, 'K', 'sleep 0.02; sleep 60'))!r}",
            "i = 0",
            "print('up', flush=True)",
            "while True:",
            "    i += 1",
            "    runner.start(Task(**(task | {'key': f'k/{i}'})))",
            "    if i % 3 == 0: runner.stop(f'k/{i}', grace_s=0)",
            "    runner.wait(0.003)",
        )
        found = 0
        for moment in range(30):
            driver = self.driver(*source)
            time.sleep(0.25 + 0.0037 * moment)
            os.kill(driver, signal.SIGKILL)
            os.waitpid(driver, 0)
            runner = self.make(root)
            keys = [f"k/{i}" for i in range(1, 200)]
            for key in keys:
                if runner.ask(key) == "running":
                    found += 1
                    runner.evict(key, grace_s=0)
            assert marked(root) == []
            assert all(runner.ask(key) == "gone" for key in keys)
            runner.close()
        assert found >= 30


def line(root: str, key: str) -> str:
    """The first line of a task's log, once it is there."""
    eventually(lambda: os.path.exists(log_of(root, key)) and b"\n" in read(log_of(root, key)))
    return read(log_of(root, key)).decode().splitlines()[0]


def as_words(task: Task) -> dict[str, object]:
    """A task as plain values, to be written into a driver's source."""
    return {name: getattr(task, name) for name in task.__struct_fields__}
