"""`headway deploy --strategy` and what is said to a release, typed on real processes that are asked meanwhile."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from headway import wiring
from headway.cli import dispatch
from headway.config import load
from headway.core.ids import Artifact
from headway.core.registry import Registration
from headway.flows import registry
from headway.flows.endpoints import endpoints
from headway.flows.release import stop
from headway.testing.verdicts import kept_verdict

GOOD, ALIKE = "def predict(rows): return [1] * len(rows)", "def predict(rows): return [1 for _ in rows]"
FAILING = """
import random

def predict(rows):
    if random.random() < 0.5:
        raise ValueError("a column that was never seen")
    return [1] * len(rows)
"""
STAGES = "canary: 30% for 200 requests, pause: approval by alice, promote, bake: 1h"


class Asked:
    """The command line, asked by different people in one project with three versions of the model `m`."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = str(folder)
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        with wiring.open(load(folder=self.folder)) as parts:
            for version, code in enumerate((GOOD, ALIKE, FAILING), 1):
                artifact = Artifact(path="models/model.py", digest=parts.blobs.put(code.encode()))
                verdict = kept_verdict(parts.blobs, artifact)
                asked = Registration(
                    model="m", artifact=artifact, key=f"r/{version}", format="function", verdict=verdict
                )
                registry.register(parts.log, asked, now=0.0)

    def __call__(self, *words: str, by: str = "ann", code: int = 0) -> str:
        self._monkeypatch.setenv("USER", by)
        got = dispatch([*words, "-C", self.folder])
        out, err = self._capsys.readouterr()
        assert got == code, out + err
        return out + err

    def begun(self, *words: str) -> "subprocess.Popen[str]":
        """A command of ann's own process."""
        environ = dict(os.environ, USER="ann")  # noqa: TID251 (a child's)
        return subprocess.Popen(
            [sys.executable, "-m", "headway", *words, "-C", self.folder],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def until(self, *words: str) -> None:
        """Wait until a release stands so that its status says all these words."""
        for _ in range(600):
            told = self("rollout", "status", "e")
            if all(word in told for word in words):
                return
            time.sleep(0.1)
        pytest.fail(f"never said {words}: {told}")


class Load:
    """Somebody who asks the endpoint all the time, and counts what was not answered."""

    def __init__(self, url: str) -> None:
        self._address = url.removeprefix("http://")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.n = self.n_bad = 0
        self._thread.start()

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=30)
        while not self._ended.wait(0.005):
            connection.request("POST", "/predict", b'{"x": 1}', {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            self.n += 1
            self.n_bad += response.status != 200
        connection.close()

    def end(self) -> None:
        self._ended.set()
        self._thread.join()


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(tmp_path, capsys, monkeypatch)


@pytest.fixture
def serving(ask: Asked) -> Iterator[Load]:
    """Version 1 serves on `e`, and is asked."""
    ask("deploy", "m@1", "--endpoint", "e")
    (view,) = json.loads(ask("endpoints", "--json"))
    asker = Load(view["url"])
    yield asker
    asker.end()
    with wiring.open(load(folder=ask.folder)) as parts:
        world = parts.delivery()
        for one in endpoints(world):
            stop(world, one.endpoint)


@pytest.mark.slow
def test_a_release_is_approved_by_its_own_person_bakes_and_is_rolled_back_by_hand(ask: Asked, serving: Load) -> None:
    said = ask("deploy", "m@2", "--endpoint", "e", "--strategy", STAGES, "--rollback", "errors", code=6)
    assert "stage 1 of 4: canary: 30% for 200 requests\n" in said
    assert "m@2 is held on e: pause: approval by alice: waits for alice" in said
    assert "next: headway rollout promote e or headway rollout abort e" in said
    said = ask("rollout", "status")
    assert "e: m@2 answers 30 %, m@1 70 % (release 2 by ann, " in said
    assert "waits for alice: headway rollout promote e or headway rollout abort e" in said
    said = ask("endpoints")
    assert (
        "version 1 70 %, version 2 30 %; version 2 is held (pause: approval by alice): headway rollout status e" in said
    )

    said = ask("rollout", "promote", "e", by="bob", code=2)
    assert "`pause: approval by alice` waits for alice, not for bob" in said
    said = ask("rollout", "promote", "e", "--why", "the board said so", by="alice")
    assert said.startswith("e: m@2 answers everything, m@1 stays warm (release 2 by ann, ")
    said = ask("endpoints")
    assert "version 2 bakes (bake: 1h), nobody drives it: headway rollout watch e" in said
    machine = json.loads(ask("rollout", "status", "e", "--json"))
    assert [(one["act"], one["by"], one["why"]) for one in machine["release"]["said"]] == [
        ("promote", "alice", "the board said so")
    ]

    said = ask("rollback", "e", "--why", "the phones are ringing", by="bob")
    assert said.startswith("m@1 serves on http://127.0.0.1:")
    rows = ask("rollout", "status", "e", "--all").splitlines()
    assert rows[1].split()[:3] == ["2", "m@2", "rolled-back"]
    assert "bob aborted it: the phones are ringing" in rows[1]
    serving.end()
    assert serving.n_bad == 0


@pytest.mark.slow
def test_a_failing_version_is_rolled_back_with_the_numbers(ask: Asked, serving: Load) -> None:
    stages = "canary: 30% for 100000 requests, promote"
    said = ask("deploy", "m@3", "--endpoint", "e", "--strategy", stages, "--rollback", "errors", code=7)
    assert "headway: m@3 was rolled back: errors: " in said
    assert "m@1 still serves; `headway rollout status e` shows what was seen" in said
    said = ask("rollout", "status", "e")
    assert "e: m@3 was rolled back " in said
    assert "✗ errors" in said
    assert "evidence " in said
    assert "e  m@1  well" in ask("endpoints")


@pytest.mark.slow
def test_a_driver_that_is_interrupted_leaves_all_as_it_is_and_says_how_to_go_on(ask: Asked, serving: Load) -> None:
    stages = "canary: 30% for 1000000 requests, promote"
    driver = ask.begun("deploy", "m@2", "--endpoint", "e", "--strategy", stages)
    ask.until("e: m@2 answers 30 %, m@1 70 %")
    assert "nobody drives it now" not in ask("rollout", "status", "e")
    # Somebody else may say something to it, and look on, but not drive it.
    assert "paused by bob: lunch: headway rollout resume e" in ask("rollout", "pause", "--why", "lunch", by="bob")
    assert "it is paused already" in ask("rollout", "pause", by="bob", code=2)
    assert "e: m@2 answers 30 %, m@1 70 %" in ask("rollout", "resume", by="bob")
    assert "ann (process " in ask("deploy", "m@3", "--endpoint", "e", code=5)
    driver.send_signal(signal.SIGINT)
    said, _ = driver.communicate(timeout=60)
    assert driver.returncode == 130, said
    assert "headway: interrupted; m@2 answers 30 %, m@1 70 %, and that stays so\n" in said
    assert "  to go on: headway rollout watch e\n  to take it back: headway rollout abort e\n" in said

    assert "nobody drives it now: headway rollout watch e" in ask("rollout", "status", "e")
    watcher = ask.begun("rollout", "watch")
    ask.until("nothing shown to be worse")
    for _ in range(600):
        if "nobody drives it now" not in ask("rollout", "status", "e"):
            break
        time.sleep(0.1)
    said = ask("rollout", "abort", "--why", "it is Friday", by="bob")
    assert said.startswith("e: m@2 was called off ")
    assert "m@1 answers everything" in said
    assert said.endswith("  bob aborted it: it is Friday\n")
    said, _ = watcher.communicate(timeout=60)
    assert watcher.returncode == 7, said
    assert "bob aborted it: it is Friday" in said


@pytest.mark.slow
def test_a_release_is_watched_to_the_end_of_its_bake(ask: Asked, serving: Load) -> None:
    stages = "canary: 50% for 50 requests, promote, bake: 2s"
    said = ask("deploy", "m@2", "--endpoint", "e", "--strategy", stages)
    assert "bake: 2s: `headway rollout watch e` goes on with it" in said
    said = ask("rollout", "watch")
    assert "m@2 serves on http://127.0.0.1:" in said
    assert "bake: 2s: over, and nothing was shown to be worse" in said
    assert ask("rollout", "status", "e").startswith("e: m@2 took over in place of m@1 ")
    assert json.loads(ask("endpoints", "--json"))[0]["open"] is None


PIPELINE = """
steps:
  - name: Deploy
    uses: deploy
    with:
      endpoint: e
      model: {model}
      strategy: [{strategy}]
"""


@pytest.mark.slow
def test_a_run_whose_release_waits_or_is_rolled_back_says_so_in_one_line(ask: Asked, serving: Load) -> None:
    file = Path(ask.folder) / "pipeline.yaml"
    file.write_text(PIPELINE.format(model="m@2", strategy="pause: approval by alice, promote"))
    said = ask("run", str(file), code=6)
    assert "run 1 is held after " in said
    assert "\n  Deploy: m@2 is held on e: pause: approval by alice: waits for alice\n" in said
    assert "  next: headway show 1    nothing is decided: a gate could not tell, or a person is waited for" in said
    said = ask("status")
    assert "\n  m@2 is held: pause: approval by alice\n" in said
    assert said.endswith("next: headway rollout status\n")
    assert "m@2 was called off" in ask("rollout", "abort")
    file.write_text(PIPELINE.format(model="m@3", strategy="canary: 50% for 100000 requests, promote"))
    said = ask("run", str(file), code=7)
    assert "\n  Deploy: m@3 was rolled back: errors: " in said
    assert "  next: headway rollout status    production is as it was" in said


# --- words that are refused before anything is started ------------------------------------------------------------


@pytest.mark.parametrize("word", ["watch", "promote", "abort", "pause", "resume"])
def test_nothing_is_under_way(ask: Asked, word: str) -> None:
    assert "no release is under way" in ask("rollout", word, code=2)
    said = ask("rollout", word, "e", code=2)
    assert "no release is under way on e" in said
    assert "`headway endpoints` shows what serves where" in said


@pytest.mark.parametrize(
    ("words", "problem", "remedy"),
    [
        (["--strategy", "canary: 10% for ever, promote"], "`ever` is not a time", "write 30s, 15m, 2h or 14d"),
        (["--strategy", "canry: 10% for 2h, promote"], "there is no stage `canry`", "did you mean `canary`?"),
        (["--check", "new.errors <= 0.1"], "what is watched is said, and no stage in which", "--strategy"),
        (
            ["--strategy", "canary: 10% for 2h, promote", "--no-log"],
            "predictions are not logged",
            "log them: --log share=1, without --no-log",
        ),
        (
            ["--strategy", "canary: 10% by customer for 2h, promote", "--log", "leave-out=email,customer,phone"],
            "`customer` is not logged, so that `by customer` tells nothing apart",
            "--log leave-out=email,phone --log hash=customer",
        ),
        (
            [
                *("--strategy", "canary: 10% for 2h, promote", "--check", "new.errors <= 0.1 for each region"),
                *("--log", "leave-out=region", "--log", "hash=email"),
            ],
            "`region` is not logged, so that `for each region` tells nothing apart",
            "--log leave-out= --log hash=email,region",
        ),
        (
            ["--strategy", "canary: 10% for 2h, promote", "--rollback", "latency"],
            "it is not said from when on a request is slow",
            "write `slower-than: 200ms` beside it",
        ),
    ],
)
def test_a_strategy_that_cannot_be_meant_is_refused(ask: Asked, words: list[str], problem: str, remedy: str) -> None:
    said = ask("deploy", "m@1", "--endpoint", "e", *words, code=2)
    assert problem in said
    assert remedy in said
    assert "no endpoint yet" in ask("endpoints")


def test_all_faults_of_a_strategy_are_told_before_a_release(ask: Asked) -> None:
    said = ask("deploy", "m@1", "--endpoint", "e", "--strategy", "canary 10% for 2h, promot", "--unsure", "yes", code=2)
    assert "headway: the strategy has 3 faults\n  at: headway deploy\n" in said
    assert said.count("(in --strategy)") == 2
    assert "`yes` is no way to be unsure (in --unsure)" in said
