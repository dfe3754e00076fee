"""The story of `headway demo` on real data, on a free port, with every claim of it checked."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from end_to_end.project import Ended, Project, environ
from headway.cli import _demo_loop
from headway.cli.demo import _Story
from headway.config import load
from headway.core import facts as f
from headway.wiring import look as open_settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Demo(Project):
    """The example project with the flights of New York, month by month."""

    def month(self, *words: str) -> str:
        """Let the data of the next month arrive; what was said about it."""
        done = subprocess.run(
            [sys.executable, "fetch_data.py", *words],
            cwd=self.folder,
            env=environ(),
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    # Any: the endpoint's JSON.
    def endpoint(self) -> Any:
        """The one endpoint, as `headway endpoints --json` tells it."""
        (found,) = self("endpoints", "--json").json
        return found

    # Any: the answer's JSON.
    def predict(self) -> Any:
        """The answer to a real request over HTTP."""
        row = json.loads((self.folder / "tests" / "golden.jsonl").read_text().splitlines()[0])["inputs"]
        request = urllib.request.Request(
            self.endpoint()["url"] + "/predict", json.dumps(row).encode(), {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """The example as `headway init` makes it, but for its port; the endpoint is taken down whatever happens."""
    outside = Project(tmp_path)
    outside("init", "demo", "--example", "flights")
    made = Demo(tmp_path / "demo")
    for name in ("pipeline.yaml", "loop.yaml"):
        text = made.read(name)
        assert "port: 8723" in text
        made.write(name, text.replace("port: 8723", "port: 0"))
    who = ("-c", "user.name=Test", "-c", "user.email=test@example.invalid")
    for words in (("init", "--quiet"), ("add", "."), (*who, "commit", "--quiet", "-m", "Begin")):
        subprocess.run(["git", *words], cwd=made.folder, env=environ(), check=True)
    try:
        yield made
    finally:
        made("endpoints", "--stop", "flights", expect=None)


def test_the_whole_loop_on_real_data(demo: Demo) -> None:
    before = february(demo)
    march(demo, before)
    tuning(demo)
    faulty(demo)
    april(demo)
    looking_back(demo)
    rolled_back(demo, before)
    taken_down(demo)


# Any (here and below): an answer's JSON.
def february(demo: Demo) -> Any:
    """The first model, which only the absolute check judges; an answer of it."""
    demo.month()
    assert set(states_of(demo("run", "--json")).values()) == {"passed"}
    live = demo.endpoint()
    assert (live["model"], live["version"], live["is_healthy"]) == ("flights", 1, True)
    answer = demo.predict()
    assert answer["model"] == "flights@1"
    return answer


def march(demo: Demo, before: Any) -> None:
    """The challenger is better beyond doubt, and takes over on the same address."""
    url = demo.endpoint()["url"]
    demo.month()
    assert states_of(demo("run", "--json"))["gate"] == "passed"
    assert (demo.endpoint()["version"], demo.endpoint()["url"]) == (2, url)
    after = demo.predict()
    assert after["model"] == "flights@2"
    assert after["probabilities"] != before["probabilities"]


def tuning(demo: Demo) -> None:
    """Ten times the trees: every test is green, and the gate refuses."""
    states = states_of(demo("run", "-p", "train.n_trees=500", "--json", expect=3))
    assert (states["test-model"], states["gate"], states["deploy"]) == ("passed", "refused", "skipped")
    assert demo.predict()["model"] == "flights@2"


def faulty(demo: Demo) -> None:
    """A delivery with faults: nothing is trained on it."""
    demo.month("--broken")
    ended = demo("run", "--json", expect=4)
    states = states_of(ended)
    assert (ended.json["outcome"], states["data-validation"], states["train-model"]) == (
        "invalid",
        "invalid",
        "skipped",
    )
    assert demo.predict()["model"] == "flights@2"


def april(demo: Demo) -> None:
    """Nobody can tell, and unsure is no pass."""
    demo.month()
    ended = demo("run", "--json", expect=6)
    assert (ended.json["outcome"], states_of(ended)["gate"]) == ("held", "held")
    assert demo.predict()["model"] == "flights@2"


def looking_back(demo: Demo) -> None:
    """Models with what led to them, what is live, what ran, what changed, and that nobody rewrote it."""
    assert "champion" in demo("models").out
    card = demo("models", "show", "flights@champion", "--json").json
    version = card["version"]
    assert (version["version"], version["run"]) == (2, 2)
    assert "champion" in card["aliases"]
    assert "data/training.csv" in {part["path"] for part in version["data"]}
    assert version["source"]["commit"]
    assert version["verdict"]
    status = demo("status", "--json").json
    assert (status["live"][0]["version"], status["last"]["outcome"]) == (2, "held")
    assert "flights@2" in demo("status").out
    assert [run["outcome"] for run in demo("runs", "--json").json["runs"]] == [
        "held",
        "invalid",
        "refused",
        "passed",
        "passed",
    ]
    kinds = {change["kind"] for change in demo("diff", "1", "2", "--json").json["changes"]}
    assert {"inputs", "outputs", "metrics"} <= kinds
    demo("audit")


def rolled_back(demo: Demo, before: Any) -> None:
    """The first model again, with the answers it gave."""
    demo("rollback", "flights")
    back = demo.predict()
    assert (back["model"], back["probabilities"]) == ("flights@1", before["probabilities"])
    demo("audit")


def taken_down(demo: Demo) -> None:
    """The address no longer answers."""
    url = demo.endpoint()["url"]
    demo("endpoints", "--stop", "flights")
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=5)
    assert "down" in demo("endpoints").out


@pytest.mark.timeout(1200)
def test_the_loop_goes_round_by_itself(demo: Demo) -> None:
    demo.month("--through", "2013-03")
    demo("run", "loop.yaml")
    port = int(demo.endpoint()["url"].rpartition(":")[2])
    told = _Story(str(demo.folder), environ())
    _demo_loop.tell(told, str(demo.folder), environ(), port)

    with open_settings(load(folder=str(demo.folder))) as parts:
        facts = [entry.fact for entry in parts.log.scan()]
    # Labels showed a loss, a run began for it, and what it made took over.
    alarm = next(one for one in facts if isinstance(one, f.AlarmRaised) and one.says == "retrain")
    assert alarm.about == "quality"
    fired = [one for one in facts if isinstance(one, f.TriggerFired)]
    assert fired[0].sources == ("quality: live",)
    started = [one for one in facts if isinstance(one, f.RunStarted) and one.options.firing]
    assert [one.options.firing for one in started] == [f"flights/{one.firing}" for one in fired]
    ends = {one.run: one.outcome for one in facts if isinstance(one, f.FiringEnded)}
    outcomes = [ends.get(one.run) for one in started]
    assert outcomes[0] == "passed"
    assert "invalid" in outcomes
    releases = {one.release: one.outcome for one in facts if isinstance(one, f.ReleaseFinished)}
    back = next(n for n, outcome in releases.items() if outcome == "rolled-back")
    reason = next(one.why for one in facts if isinstance(one, f.ReleaseFinished) and one.release == back)
    assert "quality" in reason
    # The one before serves, and nobody's request was lost by any of it.
    bad = next(one for one in facts if isinstance(one, f.ReleaseStarted) and one.release == back)
    assert demo.endpoint()["version"] == bad.version - 1
    assert demo.endpoint()["is_healthy"]
    windows = [one for one in facts if isinstance(one, f.WindowClosed)]
    assert sum(one.n_failed for one in windows) == 0
    story = demo("log", "--since", "2h").out
    for part in ("alarm", "rolled back", "firing"):
        assert part in story
    demo("audit")


def states_of(ended: Ended) -> dict[str, str]:
    """By step, from a run's JSON: how it ended."""
    return {step["step"]: step["state"] for step in ended.json["steps"]}


def test_the_examples_own_commands_work_by_hand(demo: Demo) -> None:
    demo.month()
    for command in (
        [sys.executable, "train_model.py", "--data", "data/training.csv", "--output", "models/model_v1.pkl"],
        [sys.executable, "-m", "pytest", "-q", "tests/test_model_quality.py"],
    ):
        done = subprocess.run(command, cwd=demo.folder, env=environ(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout
    assert "app: ml-model" in demo.read("deployment.yaml")
