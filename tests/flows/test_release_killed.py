"""A driver of a release that is really killed, at each of its acts, on real processes."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from headway import wiring
from headway.config import load
from headway.core.ids import Artifact, ModelRef
from headway.core.registry import Registration
from headway.core.rollout import Order, Released
from headway.flows import registry
from headway.flows.release import release, stop
from headway.flows.rollout import Delivery, read
from headway.testing.verdicts import kept_verdict

pytestmark = pytest.mark.slow

DRIVER = """
import os, signal, sys
import msgspec
sys.path[:0] = [sys.argv[4]]
from test_release_killed import deploy
from headway import wiring
from headway.config import load

kill_at, after = int(sys.argv[2]), sys.argv[3] == "after"
n = 0

class Deadly:
    def __init__(self, inner): self._inner = inner
    def __getattr__(self, name):
        act = getattr(self._inner, name)
        if name not in ("append", "start", "ask", "switch", "stop", "acquire"): return act
        def done(*args, **kwargs):
            global n
            n += 1
            if n == kill_at and not after: os.kill(os.getpid(), signal.SIGKILL)
            result = act(*args, **kwargs)
            if n == kill_at: os.kill(os.getpid(), signal.SIGKILL)
            return result
        return done

with wiring.open(load(folder=sys.argv[1])) as parts:
    world = parts.delivery()
    target = Deadly(world.target("local"))
    world = msgspec.structs.replace(
        world, log=Deadly(world.log), leases=Deadly(world.leases), target=lambda _: target)
    deploy(world, 2, f"run/{kill_at}")
"""


def deploy(world: Delivery, version: int, key: str) -> Released:
    golden = os.path.join(os.path.dirname(os.path.dirname(world.models)), f"golden-{version}.jsonl")
    order = Order(endpoint="e", model="m", version=version, key=key)
    return release(world, order, golden_file=golden)


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A project with two versions, the first of which serves."""
    with wiring.open(load(folder=str(tmp_path))) as parts:
        for version in (1, 2):
            digest = parts.blobs.put(f"def predict(rows): return [{version}] * len(rows)".encode())
            artifact = Artifact(path="model.py", digest=digest)
            verdict = kept_verdict(parts.blobs, artifact)
            asked = Registration(model="m", artifact=artifact, key=f"r/{version}", format="function", verdict=verdict)
            registry.register(parts.log, asked, now=0.0)
            (tmp_path / f"golden-{version}.jsonl").write_text(f'{{"inputs": {{"x": 1}}, "expect": {version}}}\n')
        deploy(parts.delivery(), 1, "run/first")
    return str(tmp_path)


class Watch(threading.Thread):
    """A client that asks all the time: whoever answers, somebody must."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.over = threading.Event()
        self.seen: list[int] = []
        self.faults: list[str] = []
        self._host = url.removeprefix("http://")

    def run(self) -> None:
        while not self.over.wait(0.005):
            connection = http.client.HTTPConnection(self._host, timeout=30)
            try:
                connection.request("POST", "/predict", b'{"x": 1}')
                self.seen.append(json.loads(connection.getresponse().read())["predictions"][0])
            except (OSError, http.client.HTTPException, KeyError) as e:
                self.faults.append(repr(e))
            finally:
                connection.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("when", ["before", "after"])
def test_whoever_comes_next_finishes_it_and_somebody_always_answers(folder: str, when: str) -> None:
    with wiring.open(load(folder=folder)) as parts:
        world = parts.delivery()
        watch = Watch(read(world.log, "e").url)
        watch.start()
        n_kills = 0
        try:
            while True:
                n_kills += 1
                argv = [sys.executable, "-c", DRIVER, folder, str(n_kills), when, os.path.dirname(__file__)]
                ended = subprocess.run(argv, check=False, timeout=120)
                if ended.returncode == 0:
                    break
                assert ended.returncode == -signal.SIGKILL
                done = deploy(world, 2, f"run/{n_kills}")
                state = world.target("local").state("e")
                assert state is not None
                assert (done.version, state.serving, state.versions, state.healthy) == (2, 2, (1, 2), True)
                champion = registry.resolve(world.log, ModelRef(name="m", alias="champion"))
                assert champion is not None
                assert champion.version == 2
                # Back to the beginning, for the next death.
                assert deploy(world, 1, f"back/{n_kills}").version == 1
        finally:
            watch.over.set()
            watch.join()
            stop(world, "e")
    assert n_kills > 8
    assert watch.faults == []
    assert {1, 2} <= set(watch.seen)
