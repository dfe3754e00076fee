"""Runs that are stopped, killed or doubled: whole process groups end, and what was done is not done again."""

import os
import pty
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from end_to_end.project import HEADWAY, Project, complaint, environ, eventually_file, finish
from headway.testing.processes import eventually, is_alive

LONG = """
    steps:
      - {id: first, run: echo first >> ledger}
      - id: long
        run: |
          echo $$ >> shells
          sleep 300 &
          echo $! >> children
          [ -e go ] || wait
          kill %1
          echo long >> ledger
      - {id: last, run: echo last >> ledger}
"""


@pytest.fixture(autouse=True)
def _hangups_are_heard() -> Iterator[None]:
    """Under nohup, as some CI is, hangups are ignored, and that is inherited: headway then rightly ignores them too."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture
def long(project: Project) -> Iterator[Project]:
    """A pipeline whose second step waits, with a child, until there is a file `go` when it starts."""
    project.pipeline(LONG)
    yield project
    for pid in processes(project):
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)


def processes(project: Project) -> list[int]:
    """The processes that the waiting step ever started."""
    found = []
    for name in ("shells", "children"):
        path = project.folder / name
        found += [int(word) for word in path.read_text().split()] if path.exists() else []
    return found


def at_work(project: Project, *words: str) -> subprocess.Popen[bytes]:
    """A run whose second step is waiting."""
    n = len(processes(project))
    process = project.start(*(words or ("run",)))
    eventually(lambda: len(processes(project)) >= n + 2)
    return process


def nothing_left(project: Project) -> None:
    eventually(lambda: not any(is_alive(pid) for pid in processes(project)), within_s=20)


def goes_on(project: Project) -> None:
    """`headway resume` finishes the run; no finished step is done again."""
    project.write("go", "")
    project("resume")
    assert project.ledger() == ["first", "long", "last"]
    assert project.states() == {"first": "passed", "long": "passed", "last": "passed"}
    kinds = [fact["kind"] for fact in project.facts()]
    assert kinds.count("RunStarted") == 1
    assert kinds[-1] == "RunFinished"
    project("audit")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_signal_stops_whole_groups_and_leaves_a_run_to_resume(long: Project, number: signal.Signals) -> None:
    process = at_work(long)
    process.send_signal(number)
    ended = finish(process)
    assert ended.code == 130
    nothing_left(long)
    assert "next: headway resume 1" in ended.err
    assert long("runs", "--json").json["runs"][0]["outcome"] == "interrupted"
    assert long.states() == {"first": "passed", "long": "interrupted"}
    goes_on(long)


def test_an_interrupted_run_as_json(long: Project) -> None:
    process = at_work(long, "run", "--json")
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert (ended.code, ended.err) == (130, "")
    assert ended.json["outcome"] == "interrupted"


def test_resume_can_itself_be_interrupted_and_resumed(long: Project) -> None:
    for words in (("run",), ("resume",), ("resume", "1")):
        process = at_work(long, *words)
        process.send_signal(signal.SIGINT)
        assert finish(process).code == 130
    goes_on(long)


def test_a_second_ctrl_c_is_at_once(project: Project) -> None:
    project.pipeline("""
        steps:
          - id: deaf
            run: |
              trap 'echo heard > heard' TERM INT
              echo $$ > shells
              while true; do echo >> ticks; sleep 0.1 || true; done
    """)
    process = project.start("run")
    eventually_file(project.folder / "shells")
    process.send_signal(signal.SIGINT)
    eventually_file(project.folder / "heard")
    assert process.poll() is None
    before = len(project.read("ticks"))
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 130
    # After one Ctrl-C the step has five seconds, some fifty turns. Turns are counted, since a busy machine slows both.
    assert len(project.read("ticks")) - before < 20
    nothing_left(project)


def test_ctrl_c_while_a_retry_is_waited_for(project: Project) -> None:
    project.pipeline("""
        steps:
          - {id: s, run: "echo s >> ledger; [ $(wc -l < ledger) -ge 2 ]", retry: {times: 1, wait: 1h}}
    """)
    process = project.start("run")
    eventually(lambda: project.ledger() == ["s"])
    # The end of the step is in the log a moment later.
    eventually(lambda: any(fact["kind"] == "StepFinished" for fact in project.facts()))
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 130
    # Whoever resumes does not want to wait for the hour.
    project("resume")
    assert project.ledger() == ["s", "s"]


def test_steps_for_always_are_not_started_after_an_interruption(project: Project) -> None:
    project.pipeline("""
        steps:
          - {id: wait, run: echo $$ > shells; sleep 60}
          - {id: clean, run: echo clean >> ledger, if: always()}
    """)
    process = project.start("run")
    eventually_file(project.folder / "shells")
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 130
    assert project.ledger() == []


# --- the driver is killed, its steps live on --------------------------------------------------------------------------


def test_after_sigkill_of_the_driver_resume_ends_the_orphans_before_it_starts_again(long: Project) -> None:
    process = at_work(long)
    process.kill()
    finish(process)
    orphans = processes(long)
    assert all(is_alive(pid) for pid in orphans)
    assert "left in the middle: its process is gone" in long("status").out
    resumed = at_work(long, "resume")
    # The second copy runs; of the first, nothing does.
    assert not any(is_alive(pid) for pid in orphans)
    assert all(is_alive(pid) for pid in processes(long) if pid not in orphans)
    resumed.send_signal(signal.SIGINT)
    finish(resumed)
    goes_on(long)
    assert "StepLost" in [fact["kind"] for fact in long.facts()]


def test_a_new_run_closes_the_one_that_was_left(long: Project) -> None:
    process = at_work(long)
    process.kill()
    finish(process)
    orphans = processes(long)
    long.write("go", "")
    long("run")
    assert not any(is_alive(pid) for pid in orphans)
    assert [(run["run"], run["outcome"]) for run in long("runs", "--json").json["runs"]] == [
        (2, "passed"),
        (1, "interrupted"),
    ]
    assert long.ledger() == ["first", "first", "long", "last"]
    long("resume", "1")
    assert long.shown("1")["outcome"] == "passed"
    assert long.ledger()[4:] == ["long", "last"]


def test_resuming_another_run_ends_what_a_killed_one_left(long: Project) -> None:
    process = at_work(long)
    process.send_signal(signal.SIGINT)
    finish(process)
    killed = at_work(long)
    orphans = processes(long)[-2:]
    killed.kill()
    finish(killed)
    long.write("go", "")
    long("resume", "1")
    assert not any(is_alive(pid) for pid in orphans)
    assert {run["run"]: run["outcome"] for run in long("runs", "--json").json["runs"]} == {
        1: "passed",
        2: "interrupted",
    }


def test_an_older_run_that_was_resumed_and_killed_is_closed_too(long: Project) -> None:
    for words, how in ((("run",), signal.SIGINT), (("run",), signal.SIGINT), (("resume", "1"), signal.SIGKILL)):
        process = at_work(long, *words)
        process.send_signal(how)
        finish(process)
    orphans = processes(long)
    long.write("go", "")
    long("run")
    assert not any(is_alive(pid) for pid in orphans)
    assert {run["run"]: run["outcome"] for run in long("runs", "--json").json["runs"]} == {
        1: "interrupted",
        2: "interrupted",
        3: "passed",
    }


def test_outputs_that_a_resumed_run_made_before_are_what_its_later_steps_read(project: Project) -> None:
    project.write("raw", "one")
    project.pipeline("""
        steps:
          - {id: clean, run: cp raw clean, in: raw, out: clean}
          - {id: train, run: "[ -e go ] && cp clean model", in: clean, out: model}
    """)
    project("run", expect=1)
    # Meanwhile somebody worked in the folder.
    project.write("clean", "another run's")
    project.write("go", "")
    project("resume")
    assert project.read("model") == "one"
    (project.folder / "go").unlink()
    (project.folder / "model").unlink()
    project("run")
    assert project.read("model") == "one"


# --- two at once ------------------------------------------------------------------------------------------------------


def test_a_second_run_is_refused_says_who_is_at_work_and_the_first_is_unharmed(long: Project) -> None:
    process = at_work(long)
    for words in (("run",), ("resume",)):
        lines = complaint(long(*words, expect=5))
        assert f"process {process.pid} on {os.uname().nodename}" in lines[0]
    long("plan")
    assert "at work" in long("status").out
    assert long.states()["long"] == "running"
    assert process.poll() is None
    assert len(long("runs", "--json").json["runs"]) == 1
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 130
    goes_on(long)


def test_two_that_begin_at_the_same_moment_are_one_run_and_one_refusal(long: Project) -> None:
    both = [long.start("run"), long.start("run")]
    eventually(lambda: any(process.poll() is not None for process in both))
    refused = next(process for process in both if process.poll() is not None)
    other = next(process for process in both if process is not refused)
    assert finish(refused).code == 5
    eventually(lambda: len(processes(long)) == 2)
    other.send_signal(signal.SIGINT)
    assert finish(other).code == 130
    assert len(long("runs", "--json").json["runs"]) == 1


def test_logs_can_be_followed_from_another_terminal(project: Project) -> None:
    project.pipeline("""
        steps:
          - id: talks
            run: |
              echo begun
              touch begun
              until [ -e go ]; do sleep 0.02; done
              echo ended
    """)
    process = project.start("run")
    eventually((project.folder / "begun").exists)
    assert project("logs").out == "== talks (running)\nbegun\n"
    following = project.start("logs", "latest", "talks", "-f")
    time.sleep(0.3)
    project.write("go", "")
    assert finish(following).out == "begun\nended\n"
    assert finish(process).code == 0


# --- where it is shown goes away --------------------------------------------------------------------------------------


def test_a_closed_terminal_ends_the_run_in_order(long: Project) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(long.folder)
        os.execve(HEADWAY[0], [*HEADWAY, "run"], {**environ(), "TERM": "xterm"})
    eventually(lambda: len(processes(long)) >= 2)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    nothing_left(long)
    assert long("runs", "--json").json["runs"][0]["outcome"] == "interrupted"
    goes_on(long)


def test_under_nohup_a_closed_terminal_is_no_reason_to_stop(long: Project, tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(
            ["nohup", *HEADWAY, "run"], cwd=long.folder, env=environ(), stdout=out, stderr=out, stdin=subprocess.DEVNULL
        )
        eventually(lambda: len(processes(long)) >= 2)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130


def test_a_reader_of_the_progress_that_goes_away_does_not_end_the_run(project: Project) -> None:
    project.pipeline("steps:\n  - run: sleep 0.2 && echo a >> ledger\n  - run: echo b >> ledger\n")
    words = " ".join(HEADWAY)
    done = subprocess.run(
        ["bash", "-c", f"{words} run 2>&1 | head -n 1; exit ${{PIPESTATUS[0]}}"],
        cwd=project.folder,
        env=environ(),
        capture_output=True,
        check=False,
    )
    assert project.ledger() == ["a", "b"]
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


def test_without_any_standard_streams_a_run_passes(project: Project) -> None:
    project.pipeline("steps:\n  - run: echo a >> ledger\n")
    words = " ".join(HEADWAY)
    done = subprocess.run(
        ["bash", "-c", f"{words} run <&- >&- 2>&-"], cwd=project.folder, env=environ(), capture_output=True, check=False
    )
    assert done.returncode == 0
    assert project.ledger() == ["a"]


N_INTERRUPTS = 30


@pytest.mark.slow
def test_interrupted_at_random_moments_a_run_is_finished_by_resume(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    steps = [f"  - {{id: s{i}, needs: [], run: sleep 0.02 && echo s{i} >> ledger, out: []}}" for i in range(12)]
    ends = set()
    for n in range(N_INTERRUPTS):
        project = Project(tmp_path / str(n))
        project.pipeline("\n".join(["steps:", *steps, ""]))
        process = project.start("run", "--jobs", "2")
        time.sleep(chance.uniform(0.0, 0.4))
        # Ctrl-C while the interpreter itself starts is the interpreter's to tell of.
        choice = [signal.SIGTERM, signal.SIGHUP, *([signal.SIGINT] if project.home.exists() else [])]
        process.send_signal(chance.choice(choice))
        ended = finish(process)
        ends.add(ended.code)
        is_begun = (project.home / "log.sqlite").exists() and project("runs", "--json").json["runs"]
        project("resume" if is_begun else "run")
        # What was at work when it was interrupted may have left its line already; it is done anew.
        assert {*project.ledger()} == {f"s{i}" for i in range(12)}
        passed = [f["step"] for f in project.facts() if f["kind"] == "StepFinished" and f["outcome"] == "passed"]
        assert sorted(passed) == sorted(f"s{i}" for i in range(12))
        assert [fact["seq"] for fact in project.facts()] == list(range(1, len(project.facts()) + 1))
        project("audit")
    assert ends <= {0, 130, -signal.SIGTERM, -signal.SIGHUP}, ends
