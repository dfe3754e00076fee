"""Releases in stages of real models in real processes on this machine, under a load of real requests."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from headway import wiring
from headway.config import load
from headway.core import facts as f
from headway.core.ids import Artifact, ModelRef
from headway.core.registry import Registration
from headway.core.rollout import Order, Released
from headway.core.strategy import Strategy
from headway.errors import LeaseHeld, ReleaseTrouble, VersionNotReady
from headway.flows import registry
from headway.flows.release import direct, release, stop, watch
from headway.flows.rollout import Delivery, read
from staged import strategy
from steady_load import Client, clients

GOOD = "def predict(rows): return [{version}] * len(rows)"

RAISES = """
n = 0
def predict(rows):
    global n
    n += 1
    if n % 3 == 0:
        raise RuntimeError("a column is odd")
    return [{version}] * len(rows)
"""

CRASHES = """
import os
n = 0
def predict(rows):
    global n
    n += 1
    if n > 10:
        print("no memory is left for the model", flush=True)
        os._exit(3)
    return [{version}] * len(rows)
"""

PLAN = strategy({"canary": "50% for 300 requests"}, "promote", {"bake": "3s"})


class Project:
    """A project whose endpoint `e` serves version 1 of the model `m`, asked by clients without a pause."""

    def __init__(self, folder: Path, world: Delivery) -> None:
        self.folder = str(folder)
        self.world = world
        self.said: list[str] = []
        self.register(1, GOOD)
        self.deploy(1)
        self.url = read(world.log, "e").url

    def register(self, version: int, text: str) -> None:
        digest = self.world.blobs.put(text.replace("{version}", str(version)).encode())
        artifact = Artifact(path="model.py", digest=digest)
        asked = Registration(model="m", artifact=artifact, key=f"r/{version}", format="function")
        registry.register(self.world.log, asked, now=0.0)

    def deploy(self, version: int, plan: Strategy | None = None, key: str = "") -> Released:
        order = Order(
            endpoint="e", model="m", version=version, key=key or f"run/{version}", strategy=plan, override="a test"
        )
        return release(self.world, order, report=lambda line, _: self.said.append(line))

    def assert_alone(self, version: int) -> None:
        """One version answers all, in the log and by its alias too, and nothing of a release is left."""
        rollout = read(self.world.log, "e")
        assert rollout.open is None
        assert rollout.serving is not None
        state = self.world.target("local").state("e")
        assert state is not None
        assert (state.serving, state.healthy, state.table) == (version, True, None)
        champion = registry.resolve(self.world.log, ModelRef(name="m", alias="champion"))
        assert champion is not None
        assert (rollout.serving.version, champion.version) == (version, version)
        assert set(state.versions) <= set(rollout.kept)

    def end_worker(self, version: int) -> None:
        """Kill a version's process."""
        os.kill(_pid_of(self.folder, f"v{version}.sock"), signal.SIGKILL)


def _pid_of(folder: str, name: str) -> int:
    """The worker that listens on a version's private socket: a child of the endpoint's holder."""
    kept = json.loads(Path(folder, ".headway", "endpoints", "e", "endpoint.json").read_text())
    named = [line.split() for line in Path("/proc/net/unix").read_text().splitlines() if line.endswith("/" + name)]
    sockets = {f"socket:[{words[6]}]" for words in named}
    for pid in Path(f"/proc/{kept['pid']}/task/{kept['pid']}/children").read_text().split():
        held = {os.readlink(fd) for fd in Path(f"/proc/{pid}/fd").iterdir()}
        if held & sockets:
            return int(pid)
    raise AssertionError(f"no process listens on {name}")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    with wiring.open(load(folder=str(tmp_path))) as parts:
        made = Project(tmp_path, parts.delivery(by="ann"))
        try:
            yield made
        finally:
            stop(made.world, "e")


def _faults(made: list[Client]) -> list[str]:
    return [fault.why for one in made for fault in one.faults]


@contextmanager
def _after(seconds: float, act: object) -> Iterator[None]:
    """Something happens beside."""
    assert callable(act)
    timer = threading.Timer(seconds, act)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def test_a_good_version_takes_over_under_load_and_no_request_fails(project: Project) -> None:
    project.register(2, GOOD)
    with clients(project.url, 2) as made:
        assert project.deploy(2, PLAN).outcome == "baking"
        assert watch(project.world, "e").outcome == "released"
    assert _faults(made) == []
    assert {"m@1", "m@2"} <= {version for one in made for version in one.versions}
    project.assert_alone(2)


@pytest.mark.slow
def test_a_version_that_raises_is_rolled_back(project: Project) -> None:
    project.register(2, RAISES)
    with clients(project.url, 2) as made, pytest.raises(ReleaseTrouble, match="m@2 was rolled back: errors: "):
        project.deploy(2, strategy({"canary": "50% for 100000 requests"}, "promote"))
    # What it failed is told to clients, for hidden errors would make a bad version look well.
    assert [why for why in _faults(made) if not why.startswith("500")] == []
    project.assert_alone(1)


@pytest.mark.slow
def test_a_version_that_crashes_under_load_is_rolled_back_with_its_last_words(project: Project) -> None:
    project.register(2, CRASHES)
    with clients(project.url, 2) as made, pytest.raises(ReleaseTrouble) as e:
        project.deploy(2, strategy({"canary": "50% for 100000 requests"}, "promote", rollback=("not-ready",)))
    assert "not-ready: version 2: its process ended with exit code 3" in e.value.problem
    assert "no memory is left for the model" in e.value.problem
    assert _faults(made) == []
    project.assert_alone(1)


@pytest.mark.slow
def test_a_shadow_that_answers_otherwise_is_rolled_back_and_no_client_saw_it(project: Project) -> None:
    project.register(2, GOOD)
    plan = strategy({"shadow": "100% for 100000 requests"}, "promote", checks=["disagreement(new, old) <= 0.1"])
    with clients(project.url, 2) as made, pytest.raises(ReleaseTrouble, match=r"disagreement\(new, old\) <= 0.1: "):
        project.deploy(2, plan)
    assert _faults(made) == []
    assert {version for one in made for version in one.versions} == {"m@1"}
    project.assert_alone(1)


@pytest.mark.slow
def test_a_champion_that_is_killed_in_a_canary_comes_back(project: Project) -> None:
    project.register(2, GOOD)

    def end() -> None:
        _eventually(lambda: any(line.startswith("stage 1 of 2") for line in project.said))
        time.sleep(1)
        project.end_worker(1)

    with clients(project.url, 2), _after(0.0, end):
        assert project.deploy(2, strategy({"canary": "50% for 8s"}, "promote")).outcome == "released"
    project.assert_alone(2)
    state = project.world.target("local").state("e")
    assert state is not None
    assert state.versions == (1, 2)


@pytest.mark.slow
def test_an_endpoint_that_is_killed_whole_in_a_canary_comes_back_with_it(project: Project) -> None:
    project.register(2, GOOD)

    def end_all() -> None:
        _eventually(lambda: any(line.startswith("stage 1 of 2") for line in project.said))
        time.sleep(2)
        kept = json.loads(Path(project.folder, ".headway", "endpoints", "e", "endpoint.json").read_text())
        os.kill(kept["pid"], signal.SIGKILL)

    with clients(project.url, 2) as made, _after(0.0, end_all):
        assert project.deploy(2, strategy({"canary": "50% for 15s"}, "promote")).outcome == "released"
        # Nobody answered while nothing lived; as the canary ends, both versions had answered again.
        n_answers = sum(len(one.answers) for one in made)
        _eventually(lambda: sum(len(one.answers) for one in made) > n_answers)
    project.assert_alone(2)


@pytest.mark.slow
def test_an_abort_by_somebody_else_is_heard_and_leaves_the_champion(project: Project) -> None:
    project.register(2, GOOD)

    def abort() -> None:
        with wiring.open(load(folder=project.folder)) as parts:
            assert direct(parts.delivery(by="bob"), "e", "abort", why="not today").open is None

    told = pytest.raises(ReleaseTrouble, match="bob aborted it: not today")
    with clients(project.url, 2) as made, _after(3.0, abort), told:
        project.deploy(2, strategy({"canary": "50% for 5m"}, "promote"))
    assert _faults(made) == []
    project.assert_alone(1)


DRIVER = """
import os, signal, sys
import msgspec
sys.path[:0] = [sys.argv[4], sys.argv[5]]
from test_release_stages_local import QUICK, order_of
from headway import wiring
from headway.config import load
from headway.flows.release import release, watch

kill_at, after = int(sys.argv[2]), sys.argv[3] == "after"
n = 0

class Deadly:
    def __init__(self, inner): self._inner = inner
    def __getattr__(self, name):
        act = getattr(self._inner, name)
        if name not in ("append", "start", "ask", "switch", "route", "stop", "acquire"): return act
        def done(*args, **kwargs):
            global n
            n += 1
            if n == kill_at and not after: os.kill(os.getpid(), signal.SIGKILL)
            result = act(*args, **kwargs)
            if n == kill_at: os.kill(os.getpid(), signal.SIGKILL)
            return result
        return done

with wiring.open(load(folder=sys.argv[1])) as parts:
    world = parts.delivery(by="ann")
    target = Deadly(world.target("local"))
    world = msgspec.structs.replace(
        world, log=Deadly(world.log), leases=Deadly(world.leases), target=lambda _: target)
    release(world, order_of(2, f"run/{kill_at}", QUICK))
    watch(world, "e")
"""

QUICK = strategy({"shadow": "100% for 30 requests"}, {"canary": "50% for 30 requests"}, "promote", {"bake": "1s"})


def order_of(version: int, key: str, plan: Strategy | None = None) -> Order:
    return Order(endpoint="e", model="m", version=version, key=key, strategy=plan, override="a test")


LONG = """
import sys
sys.path[:0] = [sys.argv[2], sys.argv[3]]
from test_release_stages_local import order_of
from staged import strategy
from headway import wiring
from headway.config import load
from headway.flows.release import release

with wiring.open(load(folder=sys.argv[1])) as parts:
    plan = strategy({"canary": "50% for 1h"}, "promote")
    release(parts.delivery(by="bob"), order_of(2, "run/long", plan), report=lambda line, _: print(line, flush=True))
"""


@pytest.mark.slow
def test_a_second_driver_is_told_of_the_first_and_takes_over_when_that_is_killed(project: Project) -> None:
    project.register(2, GOOD)
    here = os.path.dirname(__file__)
    words = [sys.executable, "-c", LONG, project.folder, here, os.path.dirname(here)]
    heard: list[str] = []
    with clients(project.url, 1) as made, subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline().startswith("stage 1 of 2: canary")
        with pytest.raises(LeaseHeld, match="bob"):
            project.deploy(2, PLAN, "run/other")
        watcher = threading.Thread(target=_watch_quietly, args=(project.folder, heard))
        watcher.start()
        _eventually(lambda: any("bob" in line and "only looks on" in line for line in heard))
        first.kill()
        first.wait()
        # Its lease died with it: the one that looked on counts on within a second or two.
        n_looks = _n_looks(project)
        _eventually(lambda: _n_looks(project) > n_looks)
        direct(project.world, "e", "abort", why="seen enough")
        watcher.join(60)
    assert _faults(made) == []
    assert heard[-1] == "m@2 does not take over: ann aborted it: seen enough"
    project.assert_alone(1)


def _watch_quietly(folder: str, heard: list[str]) -> None:
    with wiring.open(load(folder=folder)) as parts:
        try:
            watch(parts.delivery(by="carl"), "e", lambda line, _: heard.append(line))
        except VersionNotReady as e:
            heard.append(e.problem)


def _n_looks(project: Project) -> int:
    return sum(isinstance(entry.fact, f.StageLooked) for entry in project.world.log.read("endpoint/e"))


def _eventually(is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_driver_that_is_killed_at_any_act_is_followed_at_once(project: Project, when: str) -> None:
    project.register(2, GOOD)
    # Before the 1st, 3rd, … act and after it: so there is a death between any two acts, and one before all of them.
    n_kills = -1
    with clients(project.url, 1) as made:
        while True:
            n_kills += 2
            words = [
                project.folder,
                str(n_kills),
                when,
                os.path.dirname(__file__),
                os.path.dirname(os.path.dirname(__file__)),
            ]
            ended = subprocess.run([sys.executable, "-c", DRIVER, *words], check=False, timeout=240)
            if ended.returncode == 0:
                break
            assert ended.returncode == -signal.SIGKILL
            # Its lease died with it: whoever comes next need not wait.
            began = time.monotonic()
            if read(project.world.log, "e").open is None:
                project.deploy(2, QUICK, f"run/{n_kills}")
            elif n_kills % 4 < 2:
                direct(project.world, "e", "abort")
                project.assert_alone(1)
            if read(project.world.log, "e").open is not None:
                watch(project.world, "e")
            assert time.monotonic() - began < 120
            serving = read(project.world.log, "e").serving
            assert serving is not None
            project.assert_alone(serving.version)
            # Back to the beginning, for the next death.
            project.deploy(1, key=f"back/{n_kills}")
    assert n_kills > 20
    assert _faults(made) == []
