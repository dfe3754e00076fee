"""Thirty and some releases under load, on this machine: real models, real processes, real requests, labels.

One endpoint is asked all the while by clients of a process of their own. Each version is released by `headway deploy`:
the good ones take over, the bad ones do not or not for long, and no request fails because something is released. A
request that a bad version failed itself, in its canary, is that version's own and is what the canary is for.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from headway import wiring
from headway.config import load as settings_of
from headway.core.ids import Artifact, ModelRef
from headway.core.registry import Registration
from headway.flows import registry
from headway.flows.rollout import read
from headway.testing.verdicts import kept_verdict
from release_clients import N_CONNECTIONS, Load, Told, load

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RATE = 300.0

MODEL = """import os, time
{top}
N = [0]


def predict(rows):
    N[0] += 1
{each}
    answers = []
    for row in rows:
        x = row[{column!r}]
        if x % 100 == 50:
            raise ValueError("nobody can answer that")
        answers.append({answer})
    return answers
"""

LEAK = """
import resource
with open("/proc/self/statm") as f:
    SIZE = int(f.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
# As a container would: so much more, and no further.
resource.setrlimit(resource.RLIMIT_AS, (SIZE + 300 * 2**20, resource.RLIM_INFINITY))
KEPT = []
"""

SLIGHTLY = "1 - x % 2 if x * 7919 % 1000 < 80 else x % 2"


class Made(NamedTuple):
    """What a version does, in words of Python."""

    answer: str = "x % 2"
    column: str = "x"
    each: str = ""
    top: str = ""

    def text(self, version: int) -> str:
        each = "".join(f"    {line}\n" for line in self.each.splitlines())
        return f"# {version}\n" + MODEL.format(top=self.top, each=each, column=self.column, answer=self.answer)


class Case(NamedTuple):
    """A release: what is released how, when labels come, and what must become of it.

    `becomes`: it is `promoted`, `refused` before any traffic, `rolled back` in its stages, `held` for a person (who
    aborts it), or `taken back` in its bake. `harms`: it answers clients with errors of its own meanwhile; `crashes`:
    its process ends while it alone serves, with the requests that are under way in it.
    """

    name: str
    becomes: str
    made: Made
    strategy: str
    labels: str = "never"
    options: tuple[str, ...] = ()
    golden: bool = False
    harms: bool = False
    crashes: bool = False
    why: str = ""


GOOD = Made()
SLIGHTLY_WORSE = Made(answer=SLIGHTLY)
CANARY = "canary: 30% for 1200 requests, promote"
CANARY_LONG = "canary: 30% for 20000 requests, promote"
SHADOW_LONGER = "shadow: 100% for 20000 requests, promote"
SHADOW_LONG = "shadow: 100% for 5000 requests, promote"
SHADOW = "shadow: 100% for 900 requests, promote"
QUALITY = ("--rollback", "not-ready,errors,quality")
LATENCY = ("--rollback", "not-ready,errors,latency", "--slower-than", "100ms")
ALL = ("--rollback", "not-ready,errors,latency,quality,predictions", "--slower-than", "100ms")

CASES = (
    Case("good, all at once", "promoted", GOOD, "all-at-once", golden=True),
    Case("good, in a canary", "promoted", GOOD, CANARY),
    Case("good, in a shadow and a canary", "promoted", GOOD, f"shadow: 100% for 600 requests, {CANARY}", golden=True),
    Case("good, labels early", "promoted", GOOD, CANARY, "early", QUALITY),
    Case("good, labels early, all guards", "promoted", GOOD, CANARY, "early", ALL),
    Case("good, labels late", "promoted", GOOD, f"{CANARY}, bake: 10s", "late", QUALITY),
    Case("good, proved to answer alike", "promoted", GOOD, SHADOW,
         options=("--check", "disagreement(new, old) <= 0.05")),
    Case("good, proved to be right", "promoted", GOOD, "shadow: 100% for 2500 requests, promote", "early",
         ("--check", "new.accuracy - old.accuracy >= -0.05")),
    Case("good, blue-green for a moment", "promoted", GOOD, "promote, bake: 5s", golden=True),
    Case("good, with a pause", "promoted", GOOD, "canary: 30% for 600 requests, pause: 2s, promote"),
    Case("good, customers stay", "promoted", GOOD, "canary: 30% by x for 1200 requests, promote"),
    Case("equal, half of the traffic", "promoted", GOOD, "canary: 50% for 1500 requests, promote"),
    Case("equal, in time", "promoted", GOOD, "canary: 30% for 5s, promote", options=LATENCY),
    Case("equal, labels never", "promoted", GOOD, SHADOW, options=QUALITY),
    Case("slightly worse, labels early", "rolled back", SLIGHTLY_WORSE, SHADOW_LONGER,
         "early", QUALITY, why="quality"),
    Case("slightly worse, labels late", "taken back", SLIGHTLY_WORSE,
         "canary: 50% for 4000 requests, promote, bake: 10m", "late", QUALITY, why="quality"),
    Case("slightly worse, labels never", "held", SLIGHTLY_WORSE, SHADOW,
         options=("--check", "new.accuracy - old.accuracy >= -0.01"), why="not proved"),
    Case("slightly worse, answers compared", "rolled back", SLIGHTLY_WORSE, "shadow: 100% for 5000 requests, promote",
         options=("--check", "disagreement(new, old) <= 0.02"), why="disagreement"),
    Case("crashing at start by an error", "refused", Made(top="raise RuntimeError('no weights')"), CANARY,
         why="no weights"),
    Case("crashing at start without a word", "refused", Made(top="os._exit(3)"), CANARY),
    Case("crashing under load, in a canary", "rolled back", Made(each="if N[0] > 150: os._exit(3)"),
         CANARY_LONG),
    Case("crashing under load, in a shadow", "rolled back", Made(each="if N[0] > 150: os._exit(3)"),
         SHADOW_LONGER),
    Case("crashing under load, in its bake", "taken back", Made(each="if N[0] > 2500: os._exit(3)"),
         "promote, bake: 10m", crashes=True),
    Case("slow, in a canary", "rolled back", Made(each="time.sleep(0.2)"), CANARY_LONG,
         options=LATENCY, why="latency"),
    Case("slow, in a shadow", "rolled back", Made(each="time.sleep(0.2)"), "shadow: 20% for 20000 requests, promote",
         options=LATENCY, why="latency"),
    Case("wrong, asked golden requests", "refused", Made(answer="1 - x % 2"), CANARY, golden=True, why="golden"),
    Case("wrong, answers compared", "rolled back", Made(answer="1 - x % 2"), SHADOW_LONG,
         options=("--check", "disagreement(new, old) <= 0.1"), why="disagreement"),
    Case("wrong, labels early", "rolled back", Made(answer="1 - x % 2"), CANARY_LONG, "early",
         QUALITY, why="quality"),
    Case("always the same answer", "rolled back", Made(answer="1"), CANARY_LONG,
         options=("--rollback", "not-ready,errors,predictions"), why="predictions"),
    Case("leaking memory", "rolled back", Made(top=LEAK, each="KEPT.append(bytes(2**21))"),
         CANARY_LONG, harms=True),
    Case("answering no number", "rolled back", Made(answer="float('nan')"), CANARY_LONG,
         harms=True, options=ALL),
    Case("of another schema", "rolled back", Made(column="amount"), CANARY_LONG,
         harms=True, why="errors"),
    Case("of another schema, asked golden requests", "refused", Made(column="amount"), CANARY, golden=True,
         why="golden"),
)  # fmt: skip


class Endpoint:
    """The endpoint `live` of the model `m` in a project of its own, and who asks it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = 0
        self.clients: Load
        lines = [json.dumps({"inputs": {"x": x}, "expect": x % 2}) for x in (1, 2, 33, 404)]
        (folder / "golden.jsonl").write_text("\n".join(lines) + "\n")

    def register(self, made: Made) -> int:
        self.version += 1
        with wiring.open(settings_of(folder=str(self.folder))) as parts:
            digest = parts.blobs.put(made.text(self.version).encode())
            artifact = Artifact(path="models/model.py", digest=digest)
            verdict = kept_verdict(parts.blobs, artifact)
            asked = Registration(
                model="m", artifact=artifact, key=f"r/{self.version}", format="function", verdict=verdict
            )
            registry.register(parts.log, asked, now=0.0)
        return self.version

    def headway(self, *words: str) -> "subprocess.CompletedProcess[str]":
        argv = [sys.executable, "-m", "headway", *words]
        return subprocess.run(argv, cwd=self.folder, capture_output=True, text=True, timeout=500, check=False)

    def deploy(self, version: int, case: Case | None = None) -> "subprocess.CompletedProcess[str]":
        words = ["deploy", f"m@{version}", "--endpoint", "live"]
        if case is not None:
            words += ["--strategy", case.strategy, "--false-rollbacks", "0.01", *case.options]
            words += ["--golden", str(self.folder / "golden.jsonl")] if case.golden else []
        return self.headway(*words)

    @property
    def serving(self) -> int:
        """The version that serves, by the log, which the alias and the target must say too."""
        with wiring.open(settings_of(folder=str(self.folder))) as parts:
            rollout = read(parts.log, "live")
            assert rollout.serving is not None
            champion = registry.resolve(parts.log, ModelRef(name="m", alias="champion"))
            state = parts.target("local").state("live")
        assert state is not None
        assert champion is not None
        assert (rollout.open, state.table) == (None, None)
        assert state.serving == champion.version == rollout.serving.version
        return rollout.serving.version


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    made = Endpoint(tmp_path_factory.mktemp("project"))
    first = made.deploy(made.register(GOOD))
    assert first.returncode == 0, first.stderr
    url = next(word for word in first.stdout.split() if word.startswith("http://"))
    try:
        with load(url, RATE) as made.clients:
            yield made
    finally:
        made.headway("endpoints", "--stop", "live")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_release_under_load(endpoint: Endpoint, case: Case) -> None:
    old = endpoint.serving
    new = endpoint.register(case.made)
    endpoint.clients.say(case.labels)
    before = endpoint.clients.mark()
    assert before.n_faults == 0, before.faults
    done = endpoint.deploy(new, case)
    told = f"{done.stdout}\n{done.stderr}"
    is_baking = "bake" in case.strategy
    assert done.returncode == {"promoted": 0, "taken back": 0, "held": 6}.get(case.becomes, 7), told
    if is_baking:
        endpoint.clients.say("flush")
        done = endpoint.headway("rollout", "watch", "live")
        told += f"{done.stdout}\n{done.stderr}"
        assert done.returncode == (7 if case.becomes == "taken back" else 0), told
    if case.becomes == "held":
        aborted = endpoint.headway("rollout", "abort", "live")
        assert aborted.returncode == 0, aborted.stderr
    assert case.why in told
    assert endpoint.serving == (new if case.becomes == "promoted" else old)
    during = endpoint.clients.mark()
    print(f"{case.name}: {during}\n{told}")
    _assert_harmless(during, case, new)
    _assert_alone(endpoint, new if case.becomes == "promoted" else old)


def _assert_harmless(during: Told, case: Case, new: int) -> None:
    """No request failed but such as the new version itself failed."""
    if case.crashes:
        # What was under way in it, and what came before its end was known.
        assert during.n_faults <= 3 * N_CONNECTIONS, during.faults
        return
    if not case.harms:
        assert during.n_faults == 0, during.faults
    # Rolled back long before its share of the stage was over.
    assert during.n_faults < 0.3 * 20_000 / 2
    assert all(f" of {new} " in fault for fault in during.faults), during.faults
    if case.becomes == "refused":
        assert during.of(new) == 0


def _assert_alone(endpoint: Endpoint, version: int) -> None:
    """Clients are answered by one version from now on."""
    _wait()
    endpoint.clients.mark()
    _wait()
    after = endpoint.clients.mark()
    assert after.n_faults == 0, after.faults
    answered = {key.split()[0] for key in after.counts}
    assert answered == {str(version)}


def _wait() -> None:
    time.sleep(0.3)
