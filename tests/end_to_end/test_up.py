"""`headway up` as a user has it: an event starts a run, whoever is killed, and nothing is done twice."""

import json
import os
import random
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from end_to_end.project import HEADWAY, Ended, Project, complaint, environ, eventually_file, finish
from headway.backends import connect
from headway.core import facts as f
from headway.flows.events import see
from headway.ports import Log

PIPELINE = """
pipeline: churn
triggers: {schedule: 0 3 1 1 *}
steps:
  - {id: load, run: echo load >> ledger}
  - {id: train, run: sleep 0.3 && echo train >> ledger}
"""


@pytest.fixture
def churn(project: Project) -> Project:
    project.pipeline(PIPELINE)
    return project


class Up:
    """One `headway up`, started; ended with the test."""

    def __init__(self, project: Project, *words: str) -> None:
        self.lines: list[str] = []
        self.process = project.start("up", *words)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def interrupt(self) -> Ended:
        self.process.send_signal(signal.SIGINT)
        return finish(self.process)


@pytest.fixture
def up(churn: Project) -> Iterator[Callable[..., Up]]:
    started: list[Up] = []

    def start(*words: str, project: Project | None = None) -> Up:
        started.append(Up(project or churn, *words))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.kill()


def happens(project: Project, key: str) -> None:
    """An event, as somebody's hand makes it."""
    project.home.mkdir(exist_ok=True)
    event = f.EventSeen(source="hand", key=key, why=f"ann wants it: {key}")
    with closing(cast("Log", connect("log", f"sqlite:{project.home}/log.sqlite"))) as log:
        see(log, "churn", [event], now=time.time())


def of(project: Project, kind: str) -> list[dict[str, Any]]:
    if not (project.home / "log.sqlite").exists():
        return []
    return [fact for fact in project.facts() if fact["kind"] == kind]


def eventually(project: Project, kind: str, n: int, *, within_s: float = 60.0) -> list[dict[str, Any]]:
    give_up_at = time.monotonic() + within_s
    while len(found := of(project, kind)) < n:
        assert time.monotonic() < give_up_at, f"{len(found)} {kind} within {within_s} s, not {n}"
        time.sleep(0.02)
    return found


def leads(project: Project) -> str:
    path = project.home / "leases" / "up.lease"
    give_up_at = time.monotonic() + 60.0
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < give_up_at, "nobody leads"
        time.sleep(0.02)
    return path.read_text()


def test_an_event_starts_a_run_and_ctrl_c_ends_it_well(churn: Project, up: Callable[..., Up]) -> None:
    happens(churn, "a")
    one = up()
    (ended,) = eventually(churn, "FiringEnded", 1)
    assert (ended["outcome"], ended["run"]) == ("passed", 1)
    done = one.interrupt()
    assert done.code == 0
    said = [line.partition(" UTC  ")[2] for line in done.err.splitlines()]
    assert said == [
        "churn: pipeline.yaml: waits for schedule: 0 3 1 1 *",
        "churn: firing 1: ann wants it: a",
        "churn: run 1 began",
        "churn: run 1 passed",
        "ends; what it started goes on by itself",
    ]
    assert churn.ledger() == ["load", "train"]
    assert not list((churn.home / "up").glob("*.txt"))


def test_killed_while_its_run_is_at_work_it_goes_on_and_the_run_too(churn: Project, up: Callable[..., Up]) -> None:
    one = up("--json")
    leads(churn)
    happens(churn, "a")
    eventually(churn, "StepStarted", 1)
    one.kill()
    another = up("--json")
    eventually(churn, "FiringEnded", 1)
    assert (len(of(churn, "RunStarted")), len(of(churn, "RunResumed")), churn.ledger()) == (1, 0, ["load", "train"])
    lines = [json.loads(line) for line in another.interrupt().out.splitlines()]
    assert ("run", "run 1 passed", 1) in [(line["kind"], line["says"], line.get("run")) for line in lines]


@pytest.mark.slow
def test_a_run_that_is_ended_together_with_its_daemon_is_gone_on_with(churn: Project, up: Callable[..., Up]) -> None:
    churn.pipeline(PIPELINE.replace("sleep 0.3", "sleep 5"))
    one = up("--json")
    leads(churn)
    happens(churn, "a")
    eventually(churn, "StepStarted", 2)
    # As the system does when the machine, or the service, is restarted: everybody is asked to end.
    one.process.terminate()
    _signal_runs(churn, signal.SIGTERM)
    assert finish(one.process).code == 0
    (interrupted,) = eventually(churn, "RunFinished", 1)
    assert interrupted["outcome"] == "interrupted"
    assert of(churn, "FiringEnded") == []
    up("--json")
    (ended,) = eventually(churn, "FiringEnded", 1)
    assert (ended["outcome"], ended["run"], len(of(churn, "RunStarted"))) == ("passed", 1, 1)
    assert churn.ledger() == ["load", "train"]


@pytest.mark.slow
def test_a_second_one_waits_and_takes_over(churn: Project, up: Callable[..., Up]) -> None:
    first = up()
    assert str(first.process.pid) in leads(churn)
    second = up("--json")
    assert second.process.stdout is not None
    waits = json.loads(second.process.stdout.readline())
    assert waits["says"].startswith(f"process {first.process.pid} on ")
    watched = churn("status").out.splitlines()[2]
    assert watched.startswith(f"headway up watches the project (process {first.process.pid} on ")
    with_once = churn("up", "--once", expect=5)
    assert complaint(with_once)[0].startswith("headway: another `headway up` leads in this project: process ")
    first.kill()
    began = time.monotonic()
    while str(second.process.pid) not in leads(churn):
        assert time.monotonic() - began < 30.0
        time.sleep(0.02)
    happens(churn, "a")
    eventually(churn, "FiringEnded", 1)
    assert len(of(churn, "RunStarted")) == 1


@pytest.mark.slow
def test_a_file_that_changes_is_read_again_and_a_faulty_one_counts_as_before(
    churn: Project, up: Callable[..., Up]
) -> None:
    one = up("--json")
    assert one.process.stdout is not None
    assert "waits for schedule: 0 3 1 1 *" in json.loads(one.process.stdout.readline())["says"]
    churn.pipeline("pipeline: churn\nsteps:\n  - {id: load, runs: echo}\n")
    said = json.loads(one.process.stdout.readline())
    assert (said["kind"], said["says"].partition(":")[0]) == (
        "trouble",
        "pipeline.yaml was changed, and counts as it was before",
    )
    churn.pipeline(PIPELINE.replace("0 3", "5 3"))
    assert json.loads(one.process.stdout.readline())["says"] == "pipeline.yaml was changed, and is read again"
    assert "waits for schedule: 5 3 1 1 *" in json.loads(one.process.stdout.readline())["says"]


@pytest.mark.slow
def test_once_and_a_port_do_not_go_together(churn: Project) -> None:
    told = complaint(churn("up", "--once", "--port", "8765", expect=2))
    assert told[0] == "headway: with --once nobody is answered: it ends when what is due is done"
    assert not churn.home.exists()


def test_once_does_what_is_due_and_leaves_the_run_to_itself(churn: Project) -> None:
    churn.pipeline(PIPELINE.replace("schedule: 0 3 1 1 *", "data: {dataset: day.csv}"))
    churn.write("day.csv", "a,b\n1,2\n")
    churn("up", "--once")
    assert (len(of(churn, "SourceWatched")), of(churn, "TriggerFired")) == (1, [])
    churn.write("day.csv", "a,b\n1,2\n3,4\n")
    # A file that was changed just now may be written on: it is looked at again.
    for _ in range(20):
        churn("up", "--once")
        if of(churn, "TriggerFired"):
            break
        time.sleep(0.5)
    eventually(churn, "RunFinished", 1)
    churn("up", "--once")
    assert [fact["outcome"] for fact in of(churn, "FiringEnded")] == ["passed"]
    assert len(of(churn, "RunStarted")) == 1


def test_data_that_arrive_start_a_run(churn: Project, up: Callable[..., Up]) -> None:
    churn.pipeline(PIPELINE.replace("schedule: 0 3 1 1 *", "data: {dataset: day.csv}"))
    churn.write("day.csv", "a,b\n1,2\n")
    up()
    eventually(churn, "SourceWatched", 1)
    (churn.folder / "day.csv").write_text("a,b\n1,2\n3,4\n")
    (started,) = eventually(churn, "RunStarted", 1)
    assert started["trigger"] == "data: day.csv"
    eventually(churn, "FiringEnded", 1)


@pytest.mark.slow
def test_a_hook_that_is_called_starts_a_run_at_once(churn: Project) -> None:
    churn.pipeline(PIPELINE.replace("schedule: 0 3 1 1 *", "http: {path: retrain, secret: RETRAIN_KEY}"))
    process = subprocess.Popen(
        [*HEADWAY, "up", "--port", "0", "--json"],
        cwd=churn.folder, env=environ(RETRAIN_KEY="sesame"), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    said = [json.loads(process.stdout.readline())["says"] for _ in range(2)]
    url = said[1].removeprefix("answers on ")
    asked = urllib.request.Request(
        f"{url}/hooks/retrain", method="POST", headers={"Authorization": "Bearer sesame"}, data=b"{}"
    )
    with urllib.request.urlopen(asked, timeout=30) as answer:
        assert answer.status == 202
    (ended,) = eventually(churn, "FiringEnded", 1)
    assert ended["outcome"] == "passed"
    process.send_signal(signal.SIGTERM)
    assert finish(process).code == 0


@pytest.mark.slow
def test_files_of_two_projects_and_two_of_one_name_are_refused(churn: Project, tmp_path: Path) -> None:
    other = Project(tmp_path / "other")
    other.pipeline(PIPELINE)
    said = complaint(churn("up", "pipeline.yaml", "../other/pipeline.yaml", expect=2))
    assert said[0].startswith("headway: these files are of 2 projects: ")
    churn.write("b.yaml", PIPELINE)
    said = complaint(churn("up", "pipeline.yaml", "b.yaml", expect=2))
    assert said[0] == "headway: pipeline.yaml and b.yaml are both the pipeline churn"


RELEASING = """
pipeline: churn
triggers: {schedule: 0 3 1 1 *}
steps:
  - {id: register, uses: register, with: {model: model.py, name: churn}}
  - id: deploy
    uses: deploy
    with:
      endpoint: live
      model: ${{ steps.register.out.version }}
      override: a test
      strategy: [canary: 50% for 1s, promote]
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_release_that_nobody_drives_is_driven_and_makes_room_for_the_next(
    churn: Project, up: Callable[..., Up]
) -> None:
    churn.pipeline(RELEASING)
    churn.write("model.py", "def predict(rows): return [1 for row in rows]")
    try:
        churn("run")
        one = up("--json")
        churn.write("model.py", "def predict(rows): return [2 for row in rows]")
        happens(churn, "second")
        # Nobody asked anything, so that it is held; the run that began it is over then.
        (held,) = eventually(churn, "FiringEnded", 1)
        assert held["outcome"] == "held"
        said = iter(lambda: json.loads(one.process.stdout.readline())["says"], None)  # type: ignore[union-attr] # piped
        assert next(line for line in said if "is driven from here on" in line) == "release 2 is driven from here on"
        lease = churn.home / "leases" / "endpoint%2Flive.lease"
        assert "process" in eventually_file(lease)
        churn.write("model.py", "def predict(rows): return [3 for row in rows]")
        happens(churn, "third")
        _, third = eventually(churn, "FiringEnded", 2)
        assert third["outcome"] == "held"
        assert [fact["release"] for fact in of(churn, "ReleaseStarted")] == [1, 2, 3]
    finally:
        churn("endpoints", "--stop", "live", expect=None)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_random_moments_every_event_has_one_run(tmp_path: Path) -> None:
    """The daemon alone, or it and its run together: at any moment, between spawn and the run's first fact, too."""
    seed = random.SystemRandom().randrange(10**6)
    chance = random.Random(seed)
    print(f"seed {seed}")
    project = Project(tmp_path / "p")
    project.pipeline(PIPELINE)
    for n in range(12):
        happens(project, str(n))
        up = Up(project)
        time.sleep(chance.uniform(0.0, 2.0))
        up.kill()
        if chance.random() < 0.5:
            _signal_runs(project, signal.SIGKILL)
        last = Up(project)
        eventually(project, "FiringEnded", n + 1, within_s=60.0)
        last.kill()
        runs = of(project, "RunStarted")
        assert [run["options"]["firing"] for run in runs] == [f"churn/{i + 1}" for i in range(n + 1)], f"seed {seed}"
        assert [run["outcome"] for run in of(project, "FiringEnded")] == ["passed"] * (n + 1), f"seed {seed}"
        passed = [fact["stream"] for fact in of(project, "StepFinished") if fact["step"] == "train"]
        assert passed == [f"run/{i + 1}" for i in range(n + 1)], f"seed {seed}"
    project("audit")


def _signal_runs(project: Project, number: int) -> None:
    """Signal every process of a firing in this project; those of no other."""
    found = subprocess.run(["pgrep", "-f", "headway run .*--firing"], capture_output=True, text=True, check=False)
    for pid in map(int, found.stdout.split()):
        try:
            if os.readlink(f"/proc/{pid}/cwd") == str(project.folder):
                os.kill(pid, number)
        except (FileNotFoundError, ProcessLookupError):
            continue
