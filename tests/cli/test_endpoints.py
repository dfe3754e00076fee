"""`headway deploy`, `endpoints` and `rollback` on real processes, for people and for machines."""

import json
import os
import urllib.error
import urllib.request
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
from headway.flows.release_back import ask_back
from headway.testing.verdicts import kept_verdict

pytestmark = pytest.mark.slow


class Asked:
    """The command line, asked in one project with two versions of the model `m`."""

    def __init__(self, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._capsys = capsys
        with wiring.open(load(folder=folder)) as parts:
            for version in (1, 2):
                digest = parts.blobs.put(f"def predict(rows): return [{version}] * len(rows)".encode())
                artifact = Artifact(path="models/model.py", digest=digest)
                verdict = kept_verdict(parts.blobs, artifact)
                asked = Registration(
                    model="m", artifact=artifact, key=f"r/{version}", format="function", verdict=verdict
                )
                registry.register(parts.log, asked, now=0.0)

    def __call__(self, *words: str) -> tuple[int, str, str]:
        code = dispatch([*words, "-C", self.folder])
        out, err = self._capsys.readouterr()
        return code, out, err

    def predict(self, url: str) -> object:
        request = urllib.request.Request(url + "/predict", data=b'{"x": 1}', method="POST")
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)["predictions"][0]


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Asked]:
    made = Asked(os.path.realpath(tmp_path), capsys)
    yield made
    with wiring.open(load(folder=made.folder)) as parts:
        world = parts.delivery()
        for view in endpoints(world):
            stop(world, view.endpoint)


def test_a_version_is_deployed_replaced_rolled_back_and_taken_down(ask: Asked, tmp_path: Path) -> None:
    assert ask("endpoints")[:2] == (0, "no endpoint yet: a `deploy` step makes one\n")
    golden = tmp_path / "golden.jsonl"
    golden.write_text('{"inputs": {"x": 1}, "expect": 1}\n')
    code, out, _ = ask("deploy", "m@1", "--endpoint", "flights", "--golden", str(golden))
    assert (code, "m@1 serves on http://127.0.0.1:" in out, "1 golden requests right" in out) == (0, True, True)
    code, out, err = ask("deploy", "m@2", "--endpoint", "flights", "--golden", str(golden))
    assert (code, out) == (7, "")
    assert "request 1: answered 2, expected 1" in err
    assert "m@1 still serves" in err

    code, out, _ = ask("deploy", "m@2", "--endpoint", "flights", "--json")
    told = json.loads(out)
    assert (code, told["version"], told["previous"]) == (0, 2, 1)
    assert ask.predict(told["url"]) == 2
    code, out, _ = ask("endpoints")
    assert code == 0
    assert "flights  m@2  well" in out
    assert "back: headway rollback flights (to version 1)" in out

    code, out, _ = ask("rollback", "flights", "--why", "too slow")
    assert (code, out.startswith("m@1 serves on "), ask.predict(told["url"])) == (0, True, 1)
    (view,) = json.loads(ask("endpoints", "--json")[1])
    assert (view["version"], view["is_healthy"], view["url"]) == (1, True, told["url"])

    assert ask("endpoints", "--stop", "flights")[0] == 0
    with pytest.raises(urllib.error.URLError):
        ask.predict(told["url"])
    assert "down" in ask("endpoints")[1]
    ask("deploy", "m@champion", "--endpoint", "flights")
    assert ask.predict(told["url"]) == 1


def test_a_way_back_that_was_asked_for_waits_for_whoever_drives_it(ask: Asked) -> None:
    for version in (1, 2):
        assert ask("deploy", f"m@{version}", "--endpoint", "flights")[0] == 0
    with wiring.open(load(folder=ask.folder)) as parts:
        world = parts.delivery()
        assert ask_back(world, "flights", serving=2, why="too slow") == 3
        told = ask("endpoints")[1]
        assert "m@2  well" in told
        assert "the release of version 1 has begun, and nobody drives it" in told
        parts.leases.acquire("endpoint/flights", holder="up", ttl_s=60, now=world.now())
        assert "version 1 is on its way: headway rollout status flights" in ask("endpoints")[1]
        parts.leases.release("endpoint/flights", holder="up")
    # What it says goes on with it does.
    assert ask("rollout", "watch", "flights")[0] == 0
    assert "m@1  well" in ask("endpoints")[1]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("deploy", "m@9", "--endpoint", "e"), 2, "there is no m@9"),
        (("deploy", "n@1", "--endpoint", "e"), 2, "there is no model 'n'"),
        (("deploy", "m@1", "--endpoint", "e/f"), 2, "cannot be an endpoint's name"),
        (("deploy", "m@1", "--endpoint", "e", "--golden", "/none"), 2, "no file of golden requests"),
        (("deploy", "m@1", "--endpoint", "e", "--golden-within", "soon"), 2, "'soon' is no time"),
        (("rollback", "e"), 2, "there is no endpoint 'e'"),
        (("endpoints", "--stop", "e"), 2, "there is no endpoint 'e'"),
    ],
)
def test_what_cannot_be_done_is_said(ask: Asked, words: tuple[str, ...], code: int, said: str) -> None:
    got, _, err = ask(*words)
    assert got == code
    assert said in err


def test_what_no_gate_let_pass_is_refused_overridden_and_shown(ask: Asked) -> None:
    with wiring.open(load(folder=ask.folder)) as parts:
        digest = parts.blobs.put(b"def predict(rows): return [3] * len(rows)")
        asked = Registration(
            model="m", artifact=Artifact(path="models/model.py", digest=digest), key="r/3", format="function"
        )
        registry.register(parts.log, asked, now=0.0)
    code, out, err = ask("deploy", "m@3", "--endpoint", "shop")
    assert (code, out) == (3, "")
    assert "m@3 is not released: no gate judged it" in err
    code, out, _ = ask("deploy", "m@3", "--endpoint", "shop", "--override", "it is urgent")
    assert code == 0
    assert "note: no gate let it pass; overridden: it is urgent" in out
    assert "answers for it: it is urgent" in ask("endpoints")[1]
    assert "no gate let pass m@3, released on shop" in ask("audit")[1]
    assert "answers for it: it is urgent" in ask("models", "lineage", "m@3")[1]
    (Path(ask.folder) / "headway.toml").write_text('[release]\noverride = ["nobody-here"]\n')
    code, _, err = ask("deploy", "m@3", "--endpoint", "other", "--override", "it is urgent")
    assert code == 3
    assert "may not override that" in err
    assert "(release.override): nobody-here" in err
