"""Two machines with one log: two folders, two stores of leases' files, one PostgreSQL between them."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import psycopg
import pytest

from end_to_end.project import HEADWAY, Ended, environ, finish
from headway.backends import connect
from headway.codec import wire
from headway.core import facts as f
from headway.flows.events import see
from headway.ports import Leases, Log
from services import postgresql

PIPELINE = """\
pipeline: churn
triggers: {schedule: 0 3 1 1 *}
steps:
  - {id: load, run: echo load > load.txt, in: [pipeline.yaml], out: {rows: load.txt}}
  - {id: train, run: "while [ ! -e GO ]; do sleep 0.05; done"}
"""
"""The second step goes on when somebody makes the file GO."""

pytestmark = pytest.mark.slow

APPEND = """
import sys
from headway.backends import connect
from headway.core.facts import StepStarted
from headway.errors import AppendConflict
url, name, stream, total = *sys.argv[1:4], int(sys.argv[4])
log = connect("log", url)
length, mine = len(log.read(stream)), 0
while mine < total:
    try:
        length = log.append(stream, [StepStarted(step=f"{name} {mine}")], expect=length, at=1.0)
        mine += 1
        print(mine, flush=True)
    except AppendConflict:
        length = len(log.read(stream))
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgresql() as url:
        yield url


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> str:
    return f"{server}?schema={request.node.name[:60]}"


class Machine:
    """A folder that has nothing but the log and the store in common with the other one."""

    def __init__(self, folder: Path, url: str, store: Path) -> None:
        folder.mkdir()
        self.folder = folder
        self.log_url = url
        shown = url.replace(":secret@", "@")
        toml = f'log = {{url = "{shown}"}}\nstore = {{url = "file:{store}"}}\n'
        (folder / "headway.toml").write_text(toml)
        (folder / "pipeline.yaml").write_text(PIPELINE.replace("GO", str(folder.parent / "go")))

    def start(self, *words: str) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*HEADWAY, *words],
            cwd=self.folder,
            env=environ(PGPASSWORD="secret"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def __call__(self, *words: str) -> Ended:
        return finish(self.start(*words))


@pytest.fixture
def machines(tmp_path: Path, url: str) -> tuple[Machine, Machine]:
    return Machine(tmp_path / "a", url, tmp_path / "store"), Machine(tmp_path / "b", url, tmp_path / "store")


def _eventually(url: str, kind: str, n: int = 1, *, within_s: float = 120.0) -> list[f.Fact]:
    give_up_at = time.monotonic() + within_s
    with closing(cast("Log", connect("log", url))) as log:
        while len(found := [entry.fact for entry in log.scan([kind])]) < n:
            assert time.monotonic() < give_up_at, f"{len(found)} {kind} within {within_s} s, not {n}"
            time.sleep(0.05)
    return found


def test_a_run_on_one_machine_is_seen_and_left_alone_on_the_other(machines: tuple[Machine, Machine], url: str) -> None:
    one, other = machines
    at_work = one.start("run")
    _eventually(url, "StepStarted", 2)
    shown = other("runs")
    assert "running" in shown.out
    refused = other("resume", "1")
    assert refused.code == 5
    assert "run/1 is at work in another folder" in refused.err
    (one.folder.parent / "go").touch()
    assert finish(at_work).code == 0
    shown = other("runs")
    assert "passed" in shown.out
    assert "secret" not in shown.out + shown.err
    # What one made, the other need not.
    again = other("run")
    assert again.code == 0
    assert [fact.step for fact in _eventually(url, "StepReused") if isinstance(fact, f.StepReused)] == ["load"]
    assert (other.folder / "load.txt").read_text() == "load\n"
    whole = one("audit")
    assert "the log is whole" in whole.out


def test_a_log_is_moved_into_the_database_with_its_chain(machines: tuple[Machine, Machine], url: str) -> None:
    one, other = machines
    toml = (one.folder / "headway.toml").read_text()
    (one.folder / "headway.toml").write_text("")
    (one.folder.parent / "go").touch()
    assert one("run").code == 0
    before = one("audit", "--copy-to", url)
    assert before.code == 0, before
    assert "secret" not in before.out + before.err
    (one.folder / "headway.toml").write_text(toml)
    whole = other("audit", "--json").json
    assert f"last hash {whole['head']}" in before.out
    assert one("audit", "--noted", whole["head"]).code == 0
    assert "passed" in other("runs").out


def test_what_keeps_one_from_the_log_is_told_without_the_password(machines: tuple[Machine, Machine], url: str) -> None:
    one, _ = machines
    toml = (one.folder / "headway.toml").read_text()
    (one.folder / "headway.toml").write_text(toml.replace("headway@", "nobody@"))
    refused = one("runs")
    assert refused.code == 1
    assert "PostgreSQL does not let you in" in refused.err
    assert "secret" not in refused.err
    (one.folder / "headway.toml").write_text(toml.replace("headway@", "headway:hunter2@"))
    refused = one("runs")
    assert refused.code == 2
    assert "`url` has a password in it" in refused.err
    assert "hunter2" not in refused.err + refused.out


def test_of_two_that_watch_one_leads_and_the_other_takes_over(machines: tuple[Machine, Machine], url: str) -> None:
    one, other = machines
    first = one.start("up", "--json", "--port", "0")
    leases = cast("Leases", connect("leases", url, looking=True))
    give_up_at = time.monotonic() + 60
    while leases.holder("up", now=0.0) is None:
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
    second = other.start("up", "--json", "--port", "0")
    assert second.stdout is not None
    line = second.stdout.readline()
    assert b"leads in this project" in line
    event = f.EventSeen(source="hand", key="a", why="ann wants it")
    with closing(cast("Log", connect("log", url))) as log:
        see(log, "churn", [event], now=time.time())
    _eventually(url, "StepStarted", 2)
    first.kill()
    first.communicate()
    (one.folder.parent / "go").touch()
    began = time.monotonic()
    try:
        with closing(cast("Log", connect("log", url))) as log:
            see(log, "churn", [f.EventSeen(source="hand", key="b", why="ann wants more")], now=time.time())
        _eventually(url, "FiringEnded", 2)
        # The run that the killed one had started went on where it was, and was begun once.
        assert len(_eventually(url, "RunStarted", 2)) == 2
        assert time.monotonic() - began < 100
    finally:
        second.send_signal(signal.SIGINT)
        finish(second)


def _ask(server: str, sql: str) -> tuple[object, ...] | None:
    """What the server says, also when it has to get up first."""
    give_up_at = time.monotonic() + 60
    while True:
        try:
            with psycopg.connect(server, autocommit=True) as db:
                return db.execute(sql.encode()).fetchone()
        except psycopg.OperationalError:
            assert time.monotonic() < give_up_at
            time.sleep(0.05)


def _crash(server: str) -> None:
    """Kill a process of the server: it drops all connections, recovers what was committed, and starts again."""
    found = _ask(server, "SELECT pid FROM pg_stat_activity WHERE application_name = 'headway' LIMIT 1")
    if found is not None:
        os.kill(int(str(found[0])), signal.SIGKILL)


def test_two_who_append_lose_nothing_while_connections_break_and_the_server_crashes(url: str, server: str) -> None:
    words = [
        [sys.executable, "-c", APPEND, url, name, stream, "1000"] for name, stream in (("a", "run/1"), ("b", "run/1"))
    ]
    connect("log", url).close()  # type: ignore[attr-defined] # connect answers by name
    writers = [subprocess.Popen(one, stdout=subprocess.PIPE, text=True) for one in words]
    chance = random.Random(7)
    for i in range(30):
        time.sleep(chance.uniform(0.02, 0.15))
        if i % 10 == 5:
            _crash(server)
        else:
            _ask(server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'headway'")
    for writer in writers:
        assert len(writer.communicate()[0].splitlines()) == 1000
        assert writer.returncode == 0
    with closing(cast("Log", connect("log", url))) as log:
        assert wire.verify(log.raw())[0] == 2000
        steps = [entry.fact.step for entry in log.read("run/1") if isinstance(entry.fact, f.StepStarted)]
    for name in "ab":
        assert [step for step in steps if step.startswith(name)] == [f"{name} {i}" for i in range(1000)]


def test_what_a_killed_writer_was_told_is_there_and_nothing_is_half_there(url: str) -> None:
    chance = random.Random(8)
    told = 0
    for i in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", APPEND, url, str(i), f"run/{i}", "100000"], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        assert writer.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.2))
        os.kill(writer.pid, signal.SIGKILL)
        told = 1 + len(writer.communicate()[0].splitlines())
        with closing(cast("Log", connect("log", url))) as log:
            assert told <= len(log.read(f"run/{i}")) <= told + 1
            wire.verify(log.raw())
