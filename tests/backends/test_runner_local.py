"""The local runner passes both suites, with pidfds and /proc and, as far as that goes, without."""

import errno
import os
import signal
import sys
import time

import pytest

from headway.backends import connect
from headway.backends.runner_local import LocalRunner, alive, loop
from headway.backends.runner_local.spawn import explained
from headway.errors import DiskFull, StepHeld, StepNotStarted
from headway.ports import Task
from headway.testing.processes import eventually, is_alive, read
from headway.testing.runner_contract import PATH, Deed, RunnerContract, ends, log_of
from headway.testing.runner_process_contract import ProcessContract, line


class TestLocalRunner(ProcessContract):
    def make(self, root: str) -> LocalRunner:
        return LocalRunner(root)

    def maker(self) -> str:
        return "__import__('headway.backends', fromlist=['connect']).connect('runner', f'local:{root}')"

    def test_a_run_inside_a_step_belongs_to_the_outer_task_too(self, runner: LocalRunner, root: str) -> None:
        inner = ("/bin/sh", "-c", "echo up; exec sleep 60")
        runner.start(self.task(root, "inner", argv=inner, env={"PATH": PATH, alive.MARK: "/out/er"}))
        line(root, "inner")
        (pid,) = alive.remains(alive.path_of(f"{root}/alive", "inner")) or []
        with open(f"/proc/{pid}/environ", "rb") as f:
            assert f"{alive.MARK}=/out/er:{root}/alive/inner".encode() in f.read().split(b"\0")
        assert alive._names(pid, b"/out/er")
        assert not alive._names(pid, b"/out")

    def test_a_daemon_that_drops_both_marks_outlives_an_eviction(self, runner: LocalRunner, root: str) -> None:
        # bash: sh cannot close descriptors above 9.
        script = f"env -u {alive.MARK} setsid sleep 60 {alive.LOCK_FD}>&- & echo $!; sleep 60"
        runner.start(self.task(root, "k", argv=("bash", "-c", script)))
        daemon = int(line(root, "k"))
        other = self.make(root)
        time.sleep(0.2)
        other.evict("k", grace_s=1)
        assert is_alive(daemon)
        os.kill(daemon, signal.SIGKILL)
        other.close()

    def test_a_driver_without_standard_streams_keeps_its_logs_apart(self, root: str) -> None:
        task = self.shell(root, "k", "echo out; echo err >&2; cat")
        driver = self.driver(
            "os.close(0); os.close(1); os.close(2)",
            f"root = {root!r}",
            f"runner = {self.maker()}",
            f"runner.start(Task(**{ {name: getattr(task, name) for name in task.__struct_fields__}!r}))",
            "os._exit(runner.wait(20)[0].code)",
        )
        assert os.waitstatus_to_exitcode(os.waitpid(driver, 0)[1]) == 0
        assert read(log_of(root, "k")) == b"out\nerr\n"

    def test_a_driver_born_with_ignored_children_still_learns_the_codes(self, root: str) -> None:
        driver = self.driver(
            "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
            f"root = {root!r}",
            f"runner = {self.maker()}",
            "runner.start(Task(key='k', argv=('/bin/sh', '-c', 'exit 6'), cwd='/', env={}, log_path=root + '/l'))",
            "os._exit(runner.wait(20)[0].code)",
        )
        assert os.waitstatus_to_exitcode(os.waitpid(driver, 0)[1]) == 6

    def test_a_status_that_somebody_else_took_is_no_success(self, runner: LocalRunner, root: str) -> None:
        runner.start(self.task(root, "k", argv=("/bin/true",)))
        os.waitpid(-1, 0)
        assert ends(runner, 1)[0].code == loop.CODE_LOST

    def test_a_survivor_is_named(self, runner: LocalRunner, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
        other = self.make(root)
        runner.start(self.task(root, "k", Deed(seconds=60)))
        monkeypatch.setattr(alive, "SURVIVAL_S", 0.1)
        monkeypatch.setattr(alive, "_signal_group_of", lambda *_: None)
        with pytest.raises(StepHeld, match=r"pids: \d+"):
            other.evict("k", grace_s=0.1)
        other.close()


class TestWithoutPidfds(RunnerContract):
    """Macs, kernels before 5.3, sandboxes, and when no descriptor is left."""

    @pytest.fixture(autouse=True)
    def _nothing_but_polling(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(os, "pidfd_open")

    def make(self, root: str) -> LocalRunner:
        return LocalRunner(root)


class TestWithoutProc(RunnerContract):
    """What is left of `ask` and `evict` where processes cannot be listed."""

    @pytest.fixture(autouse=True)
    def _nothing_but_the_lock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(alive, "_PROC", "/no/proc")
        # The init of some sandboxes takes seconds to wait for orphans, and without /proc zombies look alive.
        monkeypatch.setattr(loop, "LINGER_S", 0.1)

    def make(self, root: str) -> LocalRunner:
        return LocalRunner(root)

    def test_what_left_the_group_is_held_but_not_found(
        self, runner: LocalRunner, root: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(alive, "SURVIVAL_S", 0.1)
        other = self.make(root)
        runner.start(self.task(root, "k", argv=("/bin/sh", "-c", "setsid sleep 60 & echo $!; sleep 60")))
        child = int(line(root, "k"))
        eventually(lambda: os.getsid(child) == child)
        with pytest.raises(StepHeld, match="fuser -k"):
            other.evict("k", grace_s=0)
        os.kill(child, signal.SIGKILL)
        eventually(lambda: other.ask("k") == "gone")
        other.close()


def test_a_full_disk_is_told_as_such() -> None:
    error = explained(OSError(errno.ENOSPC, "x"), "the log cannot be opened", "run/1/a/1")
    assert isinstance(error, DiskFull)
    assert "No space left" in error.problem


def test_too_many_processes_are_worth_another_try() -> None:
    error = explained(OSError(errno.EAGAIN, "x"), "'train' cannot be started", "run/1/a/1")
    assert isinstance(error, StepNotStarted)
    assert error.retry_after_s == 1.0
    assert "--jobs" in error.remedy


def test_a_runner_is_connected_by_its_url(tmp_path: "os.PathLike[str]") -> None:
    runner = connect("runner", f"local:{tmp_path}")
    assert isinstance(runner, LocalRunner)
    runner.close()


def test_importing_the_runner_imports_nothing_heavy(tmp_path: "os.PathLike[str]") -> None:
    heavy = {"subprocess", "selectors", "threading", "asyncio", "tempfile", "pathlib", "logging"}
    lines = (
        "import sys, headway.ports",
        "before = set(sys.modules)",
        "import headway.backends.runner_local",
        f"print(sorted((set(sys.modules) - before) & {heavy!r}))",
    )
    log = os.path.join(tmp_path, "log")
    runner = LocalRunner(str(tmp_path))
    argv = (sys.executable, "-c", "\n".join(lines))
    runner.start(Task(key="k", argv=argv, cwd="/", env={}, log_path=log))
    ends(runner, 1)
    runner.close()
    assert read(log) == b"[]\n"
