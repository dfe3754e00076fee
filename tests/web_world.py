"""A project that is served: its facts, a browser that is none, and whoever may come in."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import msgspec

import releases_told
from headway import config, wiring
from headway.core import facts as f
from headway.core.access import Role, Token
from headway.core.ids import Artifact, Digest, RunId
from headway.core.signature import Field, Signature
from headway.core.strategy_typed import read_typed
from headway.web import passes
from headway.web.serve import Server
from headway.web.site import Site

PIPELINE = """
pipeline: churn
triggers:
  push: {branches: [main]}
  http: {path: retrain, secret: RETRAIN_KEY}
steps:
  - {name: Train Model, run: python train.py}
  - {name: Gate, run: python gate.py}
"""

AT = 1_790_000_000.0
"""When all of it happened, a minute apart from then on."""

NOW = AT + 7200

TOKENS: dict[Role, str] = {"viewer": "hw_v", "operator": "hw_o", "approver": "hw_p", "admin": "hw_a"}

MODEL = Digest("1" * 64)


def _run(n: int, outcome: f.RunOutcome | Literal["running"], *, why: str = "") -> list[f.Fact]:
    started = f.RunStarted(
        run=RunId(n),
        name="churn",
        file="pipeline.yaml",
        pipeline=Digest("0" * 64),
        options=f.RunOptions(),
        params={"train.lr": 0.1 * n},
        source=f.Source(commit=f"{n}f00ba4c" + "0" * 32, branch="main"),
        trigger="person" if n % 2 else "schedule: 0 3 * * 1",
    )
    facts: list[f.Fact] = [
        started,
        f.StepStarted(step="train-model", why="it never passed before"),
        f.StepFinished(
            step="train-model",
            outcome="passed",
            exit_code=0,
            seconds=12.5,
            metrics=(
                *(f.Metric(name="loss <b>", value=1 / (i + n), at_step=i) for i in range(20)),
                f.Metric(name="auc", value=0.7 + n / 100),
            ),
            tests=(f.TestResult(name="test_<b>bold</b>", outcome="passed"),),
        ),
    ]
    if outcome == "running":
        return [*facts, f.StepStarted(step="gate")]
    ended: list[f.Fact] = [
        f.StepStarted(step="gate"),
        f.StepFinished(step="gate", outcome=outcome, exit_code=1, seconds=3.0, why=f"<script>alert({n})</script>"),
        f.RunFinished(outcome=outcome, exit_code=1, seconds=16.0, why=why),
    ]
    return facts + ended


def _registered(version: int) -> f.ModelRegistered:
    return f.ModelRegistered(
        model="m",
        version=version,
        artifact=Artifact(path="models/model.pkl", digest=MODEL, size_bytes=4096),
        key=f"{version}",
        format="sklearn",
        run=RunId(version),
        step="register",
        data=(Artifact(path="data/training.csv", digest=Digest("2" * 64), size_bytes=2000),),
        metrics=(f.Metric(name="auc", value=0.7 + version / 100),),
        params={"train.lr": 0.1},
        signature=Signature(inputs=(Field(name="age"), Field(name="<b>plan</b>")) if version == 1 else ()),
    )


def streams() -> dict[str, list[f.Fact]]:
    """The facts of a project: three runs, two versions of a model, a canary that is held, a monitor with an alarm."""
    strategy = read_typed(
        {
            "strategy": releases_told.STAGES,
            "rollback": "errors,latency",
            "slower-than": "200ms",
            "harm": "20",
            "checks": releases_told.CHECKS,
        },
        at="test",
    )
    windows = (releases_told.counted(4), releases_told.counted(2, place="north", n=200))
    return {
        "run/1": _run(1, "passed"),
        "run/2": _run(2, "refused", why="Gate: 1 of 2 checks failed"),
        "run/3": _run(3, "running"),
        "dataset/training": [
            f.DatasetVersioned(
                dataset="training",
                version=n,
                artifact=Artifact(path="data/training.csv", digest=Digest(f"{n}" * 64), size_bytes=n * 1000),
                by="ann",
                note=f"<i>month {n}</i>",
            )
            for n in (2, 3)
        ],
        "model/m": [_registered(1), f.AliasMoved(model="m", alias="champion", version=1, by="ann"), _registered(2)],
        "endpoint/e": [
            f.ReleaseStarted(endpoint="e", release=1, model="m", version=1, key="1"),
            f.EndpointSwitched(release=1, url=""),
            f.ReleaseFinished(release=1, outcome="released"),
            f.ReleaseStarted(
                endpoint="e", release=2, model="m", version=2, key="2", by="ann", strategy=strategy, run=RunId(2)
            ),
            releases_told.began(0),
            *(releases_told.looked(*windows) for _ in range(3)),
            f.ReleaseHeld(release=2, stage=0, why="what was counted does not suffice"),
        ],
        "monitor/live": [
            f.MonitorBegan(
                monitor="live",
                endpoint="e",
                model="m",
                version=1,
                reference=MODEL,
                layout="l",
                window="1d",
                false_alarms_per_year=2.0,
            ),
            f.WindowClosed(
                monitor="live",
                number=1,
                version=1,
                since=AT,
                until=AT + 3600,
                n_requests=900,
                n_rows=1000,
                readings=(f.Reading(of="tenure", measure="psi", value=0.31, usual_high=0.1, is_beyond=True),),
            ),
            f.AlarmRaised(
                monitor="live",
                alarm=1,
                about="drift",
                says="retrain",
                since_window=1,
                window=1,
                version=1,
                endpoint="e",
                model="m",
                why="tenure moved, and the estimated accuracy fell from 0.91 to 0.85",
                causes=(f.Cause(of="tenure", moved=0.31, explains=0.6, words="tenure explains 60 %"),),
            ),
        ],
    }


def write(folder: Path) -> config.Settings:
    """The project's folder, with all of that in its log; the settings know four tokens."""
    (folder / "pipeline.yaml").write_text(PIPELINE)
    settings = config.load(folder=str(folder))
    with wiring.open(settings) as parts:
        for stream, facts in streams().items():
            for i, fact in enumerate(facts):
                parts.log.append(stream, [fact], expect=i, at=AT + 60 * i)
    return msgspec.structs.replace(with_tokens(settings), environ={"RETRAIN_KEY": "of the caller"})


def with_tokens(settings: config.Settings) -> config.Settings:
    """Settings that know the four tokens."""
    tokens = tuple(Token(name=f"{role}-1", role=role, digest=passes.digest_of(token)) for role, token in TOKENS.items())
    return msgspec.structs.replace(settings, web_tokens=tokens)


class Visitor:
    """Asks a server; keeps the cookie it is given, as a browser does."""

    def __init__(self, server: Server, site: Site) -> None:
        self.server = server
        self.site = site
        self.cookie = ""

    def ask(self, path: str, method: str = "GET", body: str | None = None, **headers: str) -> tuple[HTTPResponse, str]:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookie:
            sent.setdefault("Cookie", self.cookie)
        connection = HTTPConnection(urlsplit(self.server.url).netloc, timeout=60)
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            # Files that are handed out are of any kind; what is ours is UTF-8.
            is_file = (answer.getheader("content-disposition") or "").startswith("attachment")
            text = answer.read().decode(errors="replace" if is_file else "strict")
        finally:
            connection.close()
        given = answer.getheader("set-cookie")
        if given:
            self.cookie = given.partition(";")[0]
        return answer, text

    def page(self, path: str, **headers: str) -> tuple[HTTPResponse, str]:
        """As a browser asks."""
        return self.ask(path, Accept="text/html,application/xhtml+xml,*/*;q=0.8", **headers)

    # Any: an answer's JSON.
    def json(self, path: str, token: str = TOKENS["viewer"]) -> Any:
        """As a program asks."""
        answer, text = self.ask(path, Authorization=f"Bearer {token}")
        assert answer.status == 200, text
        return json.loads(text)

    def enter(self, role: Role = "viewer") -> None:
        """Come in by a link."""
        path = self.server.link("ann", role).removeprefix(self.server.url)
        assert self.page(path)[0].status == 303

    def type_in(self, token: str, **headers: str) -> int:
        """Come in by a token that is typed."""
        form = urlencode({"token": token})
        return self.ask("/enter", "POST", form, Accept="text/html", **headers)[0].status


@contextmanager
def served(settings: config.Settings, *, port: int = 0, **of_site: Any) -> Iterator[Visitor]:
    """A server of the project, and one who asks it; the clock stands still at `NOW` unless it is given."""
    told: list[str] = []
    of_site = {"now": lambda: NOW, "tell": told.append, **of_site}
    site = Site(settings=settings, **of_site)
    server = Server(site, port=port)
    server.start()
    try:
        yield Visitor(server, site)
    finally:
        server.stop()
    assert not told
