"""Web hooks over a real connection: what forges and curl send, what becomes an event, and who is sent away."""

import hashlib
import hmac
import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msgspec
import pytest

from codec.test_hook import GITEA, GITHUB, GITLAB
from headway import config, wiring
from headway.core import facts as f
from headway.web import hooks
from headway.web.serve import Server
from headway.web.site import Site

PIPELINE = """
pipeline: churn
triggers:
  push: {branches: [main, develop, master], paths: ["src/**", "data/**", "app/**"]}
  http: {path: retrain, secret: RETRAIN_KEY}
steps:
  - run: python train.py
"""
OTHER = """
triggers:
  push:
  http: true
steps:
  - run: python features.py
"""
ENVIRON = {"RETRAIN_KEY": "of the caller", "HEADWAY_HOOK_SECRET": "of the forge"}


class Call:
    """A project that is served."""

    def __init__(self, folder: Path, environ: dict[str, str], url: str = "") -> None:
        (folder / "pipeline.yaml").write_text(PIPELINE)
        (folder / "features.yaml").write_text(OTHER)
        settings = msgspec.structs.replace(config.load(folder=str(folder)), environ=environ, web_url=url)
        self.heard: list[str] = []
        self.told: list[str] = []
        self.now = 1_790_000_000.0
        self.site = Site(
            settings=settings,
            files=("pipeline.yaml", "features.yaml"),
            heard=self.heard.append,
            tell=self.told.append,
            now=lambda: self.now,
        )
        self.server = Server(self.site)
        self.url = self.server.start()

    def post(self, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
        connection = HTTPConnection(self.url.removeprefix("http://"), timeout=60)
        try:
            connection.request("POST", path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def events(self, pipeline: str = "churn") -> list[f.EventSeen]:
        with wiring.look(self.site.settings) as parts:
            facts = [entry.fact for entry in parts.log.read(f"trigger/{pipeline}")]
        return [fact for fact in facts if isinstance(fact, f.EventSeen)]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[..., Call]]:
    begun: list[Call] = []

    def begin(environ: dict[str, str] = ENVIRON, url: str = "") -> Call:
        begun.append(Call(tmp_path, environ, url))
        return begun[-1]

    yield begin
    for one in begun:
        one.server.stop()


def signed(body: bytes, secret: str = "of the forge") -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def of_github(payload: object, event: str = "push") -> tuple[bytes, dict[str, str]]:
    body = msgspec.json.encode(payload)
    return body, {
        "Content_Type": "application/json",
        "X_GitHub_Event": event,
        "X_GitHub_Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "X_Hub_Signature_256": f"sha256={signed(body)}",
    }


def test_a_push_to_github_is_an_event_of_each_pipeline_that_asks_for_it_and_of_none_when_sent_again(
    served: Callable[..., Call],
) -> None:
    call = served()
    body, headers = of_github(GITHUB)
    status, said = call.post("/hooks/push", body, **headers)
    assert status == 202
    assert [(one["pipeline"], one["key"], one["is_new"]) for one in said["heard"]] == [
        ("churn", f"main@{GITHUB['after']}", True),
        ("features", f"main@{GITHUB['after']}", True),
    ]
    (event,) = call.events()
    assert (event.source, event.key, event.by) == ("push", f"main@{GITHUB['after']}", "octocat")
    assert event.why == "1 commit on main, to 59b20b8d"
    assert sorted(call.heard) == ["churn", "features"]
    headers["X_GitHub_Delivery"] = "another-name-for-the-same"
    _, again = call.post("/hooks/push", body, **headers)
    assert [one["is_new"] for one in again["heard"]] == [False, False]
    assert call.events() == [event]


def test_an_old_push_that_is_sent_again_is_no_news(served: Callable[..., Call]) -> None:
    call = served()
    old, new = of_github(GITHUB), of_github({**GITHUB, "after": "f" * 40})
    for body, headers in (old, new):
        assert call.post("/hooks/push", body, **headers)[1]["heard"][0]["is_new"] is True
    assert call.post("/hooks/push", old[0], **old[1])[1]["heard"][0]["is_new"] is False
    assert len(call.events()) == 2


@pytest.mark.skipif(shutil.which("git") is None, reason="git is not here")
def test_only_the_branch_that_is_checked_out_is_meant(served: Callable[..., Call], tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--initial-branch=develop"], cwd=tmp_path, check=True)
    call = served()
    body, headers = of_github(GITHUB)
    assert call.post("/hooks/push", body, **headers)[1]["heard"][1]["why"] == (
        "refs/heads/main was pushed, and develop is checked out here"
    )
    body, headers = of_github({**GITHUB, "ref": "refs/heads/develop"})
    assert call.post("/hooks/push", body, **headers)[1]["heard"][1]["is_new"] is True


def test_gitlab_and_gitea_are_understood(served: Callable[..., Call]) -> None:
    call = served()
    body = msgspec.json.encode(GITLAB)
    status, said = call.post(
        "/hooks/push", body, X_Gitlab_Token="of the forge", X_Gitlab_Event="Push Hook", X_Gitlab_Event_UUID="13792a34"
    )
    assert (status, [one["is_new"] for one in said["heard"]]) == (202, [True, True])
    body = msgspec.json.encode(GITEA)
    status, said = call.post("/hooks/push", body, X_Gitea_Signature=signed(body), X_Gitea_Event="push")
    assert (status, [one["is_new"] for one in said["heard"]]) == (202, [True, True])
    assert [(event.by, event.why) for event in call.events()] == [
        ("jsmith", "4 commits on master, to da156088"),
        ("gitea", "1 commit on develop, to bffeb742"),
    ]


def test_a_push_that_is_not_asked_for_is_heard_and_said_to_be_none(served: Callable[..., Call]) -> None:
    call = served()
    body, headers = of_github({**GITHUB, "ref": "refs/heads/wip"})
    status, said = call.post("/hooks/push", body, **headers)
    assert status == 202
    assert {one["pipeline"]: one["why"] for one in said["heard"]}["churn"] == (
        "refs/heads/wip at 59b20b8d is not what `push` asks for"
    )
    assert call.events() == []
    assert [event.key for event in call.events("features")] == [f"wip@{GITHUB['after']}"]


@pytest.mark.parametrize(
    ("event", "why"), [("ping", "the forge asked whether anybody is here"), ("issues", "issues is no push")]
)
def test_other_events_of_a_forge_start_nothing(served: Callable[..., Call], event: str, why: str) -> None:
    call = served()
    body, headers = of_github({"zen": "Keep it logically awesome."}, event)
    status, said = call.post("/hooks/push", body, **headers)
    assert (status, said["heard"][0]["why"]) == (202, why)
    assert call.events() == []


def test_a_signed_body_that_is_no_push_is_a_bad_request(served: Callable[..., Call]) -> None:
    call = served()
    body, headers = of_github(["no", "push"])
    status, said = call.post("/hooks/push", body, **headers)
    assert (status, said["error"]) == (400, "usage")
    assert call.events() == []


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_curl_starts_a_run_with_a_token(served: Callable[..., Call]) -> None:
    call = served()
    typed = ["curl", "-sS", "-X", "POST", "-H", "Authorization: Bearer of the caller", f"{call.url}/hooks/retrain"]
    for _ in range(2):
        done = subprocess.run(typed, capture_output=True, text=True, check=True)
        (heard,) = json.loads(done.stdout)["heard"]
        assert (heard["pipeline"], heard["source"], heard["is_new"]) == ("churn", "http: retrain", True)
    assert len({event.key for event in call.events()}) == 2
    typed[-1:-1] = ["-H", "Idempotency-Key: monday"]
    for is_new in (True, False):
        done = subprocess.run(typed, capture_output=True, text=True, check=True)
        assert json.loads(done.stdout)["heard"][0]["is_new"] is is_new
    assert len(call.events()) == 3
    assert call.events()[-1].why == "somebody called /hooks/retrain"


def test_a_pipeline_that_names_no_path_is_called_by_its_name(served: Callable[..., Call]) -> None:
    call = served()
    status, said = call.post("/hooks/features", Authorization="Bearer of the forge")
    assert (status, said["heard"][0]["source"]) == (202, "http")
    assert [event.source for event in call.events("features")] == ["http"]


def test_a_forge_may_call_an_address_too(served: Callable[..., Call]) -> None:
    call = served()
    body = b'{"action": "published"}'
    headers = {"X_GitHub_Event": "release", "X_Hub_Signature_256": f"sha256={signed(body, 'of the caller')}"}
    assert call.post("/hooks/retrain", body, **headers)[1]["heard"][0]["is_new"] is True
    assert call.post("/hooks/retrain", body, **headers)[1]["heard"][0]["is_new"] is False
    assert call.events()[0].by == "github"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer of the forge"},
        {"Authorization": "Bearer "},
        {"X_Gitlab_Token": "letmein"},
        {"X_Hub_Signature_256": "sha256=" + "0" * 64},
    ],
    ids=["nothing", "the-secret-of-another", "empty", "token", "signature"],
)
def test_whoever_does_not_know_the_secret_is_sent_away(served: Callable[..., Call], headers: dict[str, str]) -> None:
    call = served()
    status, said = call.post("/hooks/retrain", b"{}", **headers)
    assert (status, said["error"]) == (401, "unauthorized")
    assert "of the caller" not in json.dumps(said)
    assert call.events() == []
    assert call.heard == []


def test_who_fails_too_often_waits_and_then_may_again(served: Callable[..., Call]) -> None:
    call = served()
    for _ in range(hooks.FAILURES):
        assert call.post("/hooks/retrain")[0] == 401
    status, said = call.post("/hooks/retrain", Authorization="Bearer of the caller")
    assert (status, said["error"]) == (429, "too-many-requests")
    call.now += 7.0
    assert call.post("/hooks/retrain", Authorization="Bearer of the caller")[0] == 202


def test_where_no_proxy_is_said_to_be_nobody_can_pretend_to_be_another(served: Callable[..., Call]) -> None:
    call = served()
    for n in range(hooks.FAILURES):
        assert call.post("/hooks/retrain", X_Forwarded_For=f"198.51.100.{n}")[0] == 401
    assert call.post("/hooks/retrain", X_Forwarded_For="198.51.100.99")[0] == 429


def test_who_fails_behind_a_proxy_uses_up_what_is_its_own(served: Callable[..., Call]) -> None:
    call = served(url="https://headway.example.com")
    for _ in range(hooks.FAILURES):
        assert call.post("/hooks/retrain", X_Forwarded_For="198.51.100.7, 203.0.113.9")[0] == 401

    def known(**more: str) -> int:
        return call.post("/hooks/retrain", b"", Authorization="Bearer of the caller", **more)[0]

    assert known(X_Forwarded_For="203.0.113.9") == 429
    # The last address is the proxy's word, the first one anybody's.
    assert known(X_Forwarded_For="203.0.113.9, 192.0.2.1") == 202
    assert known() == 202


def test_a_hook_whose_variable_is_empty_is_closed_and_says_so(served: Callable[..., Call]) -> None:
    call = served({"RETRAIN_KEY": ""})
    status, said = call.post("/hooks/retrain", Authorization="Bearer ")
    assert (status, said["problem"]) == (503, "this hook has no secret yet")
    assert call.told == ["a hook was called, and nobody can call it: RETRAIN_KEY has no value"]


def test_an_address_that_no_trigger_has_is_none(served: Callable[..., Call]) -> None:
    call = served()
    assert call.post("/hooks/nothing", Authorization="Bearer of the caller")[0] == 404
    assert call.post("/hooks/", Authorization="Bearer of the caller")[0] == 404
    assert call.post("/health")[0] == 405


def test_too_large_a_body_is_refused_before_it_is_read(served: Callable[..., Call], monkeypatch: Any) -> None:
    monkeypatch.setattr(hooks, "BODY_BYTES", 1000)
    call = served()
    status, said = call.post("/hooks/retrain", b" " * 1001, Authorization="Bearer of the caller")
    assert (status, said["error"]) == (413, "too-large")
    assert call.events() == []


def test_who_does_not_end_a_call_keeps_nobody_out(served: Callable[..., Call], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "BODY_S", 0.3)
    call = served()
    host, _, port = call.url.removeprefix("http://").partition(":")
    dawdling = [socket.create_connection((host, int(port)), timeout=60) for _ in range(2 * hooks.AT_ONCE)]
    try:
        for one in dawdling:
            one.sendall(b"POST /hooks/retrain HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nnot")
        assert call.post("/hooks/retrain", Authorization="Bearer of the caller")[0] == 202
        assert all(b" 408 " in one.recv(64) for one in dawdling)
    finally:
        for one in dawdling:
            one.close()


def test_a_pipeline_that_cannot_be_read_is_told_and_the_forge_asks_again_later(
    served: Callable[..., Call], tmp_path: Path
) -> None:
    call = served()
    (tmp_path / "pipeline.yaml").write_text("steps: [")
    status, said = call.post("/hooks/retrain", Authorization="Bearer of the caller")
    assert (status, said["error"]) == (503, "unavailable")
    assert call.told
    assert "pipeline.yaml" in call.told[0]


def test_every_answer_says_what_a_browser_may_do_with_it_and_has_a_number(served: Callable[..., Call]) -> None:
    call = served()
    ids = set()
    for method, path in (("GET", "/health"), ("GET", "/nothing"), ("PUT", "/health"), ("POST", "/hooks/retrain")):
        connection = HTTPConnection(call.url.removeprefix("http://"), timeout=60)
        connection.request(method, path)
        answer = connection.getresponse()
        assert json.loads(answer.read())
        assert "default-src 'none'" in (answer.getheader("content-security-policy") or "")
        assert "unsafe" not in (answer.getheader("content-security-policy") or "")
        assert answer.getheader("x-content-type-options") == "nosniff"
        assert answer.getheader("cache-control") == "no-store"
        assert answer.getheader("server") is None
        ids.add(answer.getheader("x-request-id"))
        connection.close()
    assert len(ids) == 4
    assert None not in ids


def test_what_nobody_expected_is_told_by_its_number_alone(
    served: Callable[..., Call], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = served()

    def damaged(*_: object, **__: object) -> None:
        raise RuntimeError("a secret of the house")

    monkeypatch.setattr(hooks, "hooks_of", damaged)
    status, said = call.post("/hooks/retrain", Authorization="Bearer of the caller")
    assert (status, said["error"]) == (500, "internal")
    assert "secret of the house" not in json.dumps(said)
    assert "secret of the house" in call.told[0]
    assert said["at"].removeprefix("request ") in call.told[0]
    monkeypatch.undo()
    assert call.post("/hooks/retrain", Authorization="Bearer of the caller")[0] == 202
