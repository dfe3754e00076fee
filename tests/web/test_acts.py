"""What can be done on the pages: by whom, with a reason, as a fact, and never twice or on a page that only reads."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from headway import wiring
from headway.config import Settings
from headway.core import facts as f
from web_world import TOKENS, Visitor, served, write

ACT = "/releases/e/2/act"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return write(tmp_path)


@pytest.fixture
def visitor(settings: Settings) -> Iterator[Visitor]:
    with served(settings) as found:
        yield found


def said(settings: Settings, stream: str) -> list[f.Fact]:
    with wiring.look(settings) as parts:
        facts = [entry.fact for entry in parts.log.read(stream)]
    return [fact for fact in facts if isinstance(fact, f.ReleaseDirected | f.EventSeen)]


# Any: an answer's JSON.
def sent(visitor: Visitor, path: str, token: str, **fields: str) -> tuple[int, Any]:
    headers = {"Authorization": f"Bearer {token}", "Content_Type": "application/json"}
    answer, text = visitor.ask(f"/api/v1{path}", "POST", json.dumps(fields), **headers)
    return answer.status, json.loads(text)


def typed(visitor: Visitor, path: str, **fields: str) -> tuple[int, str]:
    answer, text = visitor.ask(
        path, "POST", urlencode(fields), Accept="text/html", Sec_Fetch_Site="same-origin",
        Content_Type="application/x-www-form-urlencoded",
    )  # fmt: skip
    return answer.status, answer.getheader("location") or text


def test_an_approver_says_what_is_to_become_of_a_release_and_it_is_recorded_with_the_reason(
    visitor: Visitor, settings: Settings
) -> None:
    visitor.enter("approver")
    assert typed(visitor, ACT, act="promote", why="  the numbers\nare good ") == (303, "/releases/e/2")
    assert said(settings, "endpoint/e") == [
        f.ReleaseDirected(release=2, act="promote", by="ann", why="the numbers are good")
    ]
    _, text = visitor.page("/releases/e/2")
    assert "the numbers are good" in text


def test_a_program_does_the_same(visitor: Visitor, settings: Settings) -> None:
    status, told = sent(visitor, ACT, TOKENS["approver"], act="pause", why="lunch")
    assert (status, told) == (200, {"done": "pause: release 2 of e", "page": "/releases/e/2"})
    assert [(fact.act, fact.by) for fact in said(settings, "endpoint/e") if isinstance(fact, f.ReleaseDirected)] == [
        ("pause", "approver-1")
    ]
    # Paused it is, and cannot be paused again.
    status, told = sent(visitor, ACT, TOKENS["approver"], act="pause", why="lunch")
    assert (status, told["error"]) == (400, "usage")
    assert sent(visitor, ACT, TOKENS["approver"], act="resume", why="back")[0] == 200


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_who_has_not_the_role_does_nothing_and_is_shown_no_button(
    visitor: Visitor, settings: Settings, role: Any
) -> None:
    visitor.enter(role)
    assert typed(visitor, ACT, act="promote", why="I want to")[0] == 403
    assert said(settings, "endpoint/e") == []
    _, text = visitor.page("/releases/e/2")
    assert "<dialog" not in text
    assert f"You are here as {role}; to promote, pause, roll back takes an approver" in " ".join(text.split())
    assert "headway rollout promote e" in text


def test_an_approver_is_shown_what_can_be_said(visitor: Visitor) -> None:
    visitor.enter("approver")
    _, text = visitor.page("/releases/e/2")
    assert [act for act in ("promote", "pause", "resume", "abort") if f'id="say-{act}"' in text] == [
        "promote", "pause", "abort",
    ]  # fmt: skip
    assert "<dialog" not in visitor.page("/releases/e/1")[1]


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        (ACT, {"act": "promote"}, 400),
        (ACT, {"act": "promote", "why": " \n "}, 400),
        (ACT, {"act": "promote", "why": "x" * 501}, 400),
        (ACT, {"why": "so"}, 400),
        (ACT, {"act": "delete", "why": "so"}, 400),
        ("/releases/e/1/act", {"act": "abort", "why": "so"}, 409),
        ("/releases/no/1/act", {"act": "abort", "why": "so"}, 404),
        ("/releases/e/x/act", {"act": "abort", "why": "so"}, 404),
        ("/runs", {"why": "so"}, 400),
        ("/runs", {"pipeline": "no", "why": "so"}, 404),
    ],
    ids=["no-why", "blank", "long", "no-act", "unknown-act", "over", "no-endpoint", "no-number", "no-name", "no-such"],
)
def test_what_cannot_be_done_is_said_and_not_done(
    visitor: Visitor, settings: Settings, path: str, fields: dict[str, str], status: int
) -> None:
    got, told = sent(visitor, path, TOKENS["admin"], **fields)
    assert (got, bool(told["problem"]), bool(told["remedy"])) == (status, True, True)
    assert said(settings, "endpoint/e") == said(settings, "trigger/churn") == []


def test_a_body_that_is_none_is_refused(visitor: Visitor) -> None:
    headers = {"Authorization": f"Bearer {TOKENS['admin']}", "Content_Type": "application/json"}
    for body in ("", "[]", '{"why": 1}', "{", json.dumps({"why": "x" * 20_000, "act": "abort"})):
        assert visitor.ask(f"/api/v1{ACT}", "POST", body, **headers)[0].status == 400


def test_another_site_cannot_do_it_in_the_name_of_a_browser(visitor: Visitor, settings: Settings) -> None:
    visitor.enter("admin")
    form = urlencode({"act": "abort", "why": "ha"})
    for headers in ({"Sec_Fetch_Site": "cross-site"}, {"Origin": "http://evil.example"}):
        assert visitor.ask(ACT, "POST", form, **headers)[0].status == 403
    assert said(settings, "endpoint/e") == []


def test_an_operator_starts_a_run_which_the_daemon_hears_of(settings: Settings) -> None:
    heard: list[str] = []
    with served(settings, heard=heard.append) as visitor:
        visitor.enter("operator")
        for path in ("/", "/runs"):
            text = " ".join(visitor.page(path)[1].split())
            assert "Start a run of churn?" in text
            assert "begins it as soon as no run is at work" in text
            assert '<input type="hidden" name="pipeline" value="churn">' in text
        assert typed(visitor, "/runs", pipeline="churn", why="new labels came") == (303, "/")
        assert "A run of churn is due: new labels came." in visitor.page("/")[1]
    assert heard == ["churn"]
    (event,) = said(settings, "trigger/churn")
    assert isinstance(event, f.EventSeen)
    assert (event.source, event.why, event.by) == ("hand", "new labels came", "ann")


def test_who_may_not_start_a_run_is_told_who_may(visitor: Visitor) -> None:
    visitor.enter("viewer")
    for path in ("/", "/runs"):
        assert "<dialog" not in visitor.page(path)[1]
    assert "You are here as viewer; to start a run takes an operator, or type" in visitor.page("/runs")[1]


def test_of_several_pipelines_one_is_chosen(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("pipeline: other\nsteps: [{name: Try, run: python try.py}]\n")
    with served(settings, files=("pipeline.yaml", "other.yaml")) as visitor:
        visitor.enter("operator")
        _, text = visitor.page("/")
        assert "<option>churn</option><option>other</option>" in text
        assert 'type="hidden" name="pipeline"' not in text
        assert typed(visitor, "/runs", pipeline="other", why="so")[0] == 303
    (event,) = said(settings, "trigger/other")
    assert isinstance(event, f.EventSeen)


def test_on_pages_that_only_read_there_is_nothing_to_do(settings: Settings) -> None:
    with served(settings, reading=True) as visitor:
        visitor.enter("admin")
        assert "<details" not in visitor.page("/releases/e/2")[1]
        for path in ("/", "/runs"):
            assert "<dialog" not in visitor.page(path)[1]
        assert "These pages only show. To start a run, open those of" in visitor.page("/runs")[1]
        assert typed(visitor, ACT, act="abort", why="so")[0] == 404
        assert typed(visitor, "/runs", pipeline="churn", why="so")[0] == 405
    assert said(settings, "endpoint/e") == said(settings, "trigger/churn") == []


def test_what_took_over_is_rolled_back_by_asking_for_the_version_before(visitor: Visitor, settings: Settings) -> None:
    before = [
        fact
        for n in (1, 2)
        for fact in (
            f.ReleaseStarted(endpoint="g", release=n, model="m", version=n, key=f"{n}"),
            f.EndpointSwitched(release=n, url=""),
            f.ReleaseFinished(release=n, outcome="released"),
        )
    ]
    with wiring.open(settings) as parts:
        parts.log.append("endpoint/g", before, expect=0, at=0.0)
    visitor.enter("approver")
    text = " ".join(visitor.page("/releases/g/2")[1].split())
    assert "m@1 is started, asked its golden requests, and answers everything in place of m@2." in text
    # Of a release that does not serve any more nothing can be said.
    assert "<dialog" not in visitor.page("/releases/g/1")[1]
    assert typed(visitor, "/releases/g/1/act", act="rollback", why="it is slow")[0] == 409
    status, to = typed(visitor, "/releases/g/2/act", act="rollback", why="it is slow")
    assert (status, to) == (303, "/releases/g/3")
    with wiring.look(settings) as parts:
        claim = parts.log.read("endpoint/g")[-1].fact
    assert isinstance(claim, f.ReleaseStarted)
    assert (claim.version, claim.cause, claim.by, claim.why) == (1, "rollback", "ann", "it is slow")
    assert "as a rollback" in visitor.page(to)[1]
