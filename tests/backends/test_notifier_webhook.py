"""Notices by a web hook; the server at the other end is a real one of the standard library."""

import hmac
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import msgspec
import pytest

from headway.backends import connect
from headway.core.notifier import Form, Notifying, Ready
from headway.errors import UsageMistaken
from headway.ports import Notifier
from headway.testing.notifier_contract import ODD, PLAIN, SECRET, Arrived, NotifierContract

PATH = f"/services/T0/{SECRET}"


class Hook(ThreadingHTTPServer):
    """Takes what is posted to PATH; `status` and `headers` are what it answers, `said` the body."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.said = b"ok"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}{PATH}"


class Answers(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.server.status == 200 and self.path == PATH:
            self.server.got.append((dict(self.headers), data))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.server.said)))
        self.end_headers()
        self.wfile.write(self.server.said)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def hook() -> Iterator[Hook]:
    with Hook() as server:
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def made(url: str, form: Form = "json", *, links: str = "", secret: str = SECRET) -> Notifier:
    written = Notifying(kind="webhook", to_env="HOOK", form=form)
    ready = Ready(written=written, secret=secret, project="churn", links=links)
    return connect("notifier", f"webhook:{url}", {"NOTIFIER": msgspec.json.encode(ready).decode()})  # type: ignore[return-value] # connect answers by name


class _Contract(NotifierContract):
    form: Form = "json"

    @pytest.fixture(autouse=True)
    def serve(self, hook: Hook) -> None:
        self.hook = hook

    def make(self) -> Notifier:
        return made(self.hook.url, self.form)

    def arrived(self) -> list[Arrived]:
        got = self.hook.got
        return [Arrived(mark=head["Idempotency-Key"], words="\n".join(texts(json.loads(body)))) for head, body in got]

    def down(self) -> None:
        # What it says repeats the address, as servers do.
        self.hook.status, self.hook.said = 503, f"cannot serve {PATH}".encode()

    def up(self) -> None:
        self.hook.status, self.hook.said = 200, b"ok"


def texts(value: Any) -> list[str]:
    """All texts in a document of JSON, read as Slack reads them: its three escapes undone."""
    if isinstance(value, str):
        return [value.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")]
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [text for one in below for text in texts(one)]


class TestJson(_Contract):
    form = "json"


class TestSlack(_Contract):
    form = "slack"


class TestTeams(_Contract):
    form = "teams"


def body(hook: Hook) -> Any:
    return json.loads(hook.got[-1][1])


def test_json_has_all_of_the_notice_and_is_signed(hook: Hook) -> None:
    assert made(hook.url, links="https://headway.example.com/").send(PLAIN).why == ""
    head, data = hook.got[-1]
    assert head["X-Headway-Signature-256"] == "sha256=" + hmac.digest(SECRET.encode(), data, "sha256").hex()
    assert json.loads(data) == {
        "project": "churn",
        "key": "run/7#9",
        "topic": "run",
        "about": "run 7",
        "title": "run 7 of churn failed",
        "text": "train: exit code 1\nsecond line",
        "command": "headway logs 7 train",
        "at": 1_700_000_000.0,
        "is_good": False,
        "link": "https://headway.example.com/runs/7",
    }


def test_without_a_secret_nothing_is_signed(hook: Hook) -> None:
    made(hook.url, secret="").send(PLAIN)
    assert "X-Headway-Signature-256" not in hook.got[-1][0]


def test_slack_finds_no_mention_and_no_markup_in_a_notice(hook: Hook) -> None:
    made(hook.url, "slack", links="https://h.example.com").send(ODD)
    got = body(hook)
    assert "<!channel>" not in got["text"]
    header, text, command, context = got["blocks"]
    assert (header["type"], header["text"]["type"], text["text"]["type"]) == ("header", "plain_text", "plain_text")
    assert len(header["text"]["text"]) <= 150
    assert "\n" not in header["text"]["text"]
    assert command["text"]["text"] == f"`{ODD.command}`"
    assert context["elements"][1] == {"type": "mrkdwn", "text": "<https://h.example.com/runs/7|open>"}


def test_teams_gets_a_card_with_a_button(hook: Hook) -> None:
    made(hook.url, "teams", links="https://h.example.com").send(ODD)
    (attached,) = body(hook)["attachments"]
    card = attached["content"]
    assert attached["contentType"] == "application/vnd.microsoft.card.adaptive"
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert {part["type"] for part in card["body"]} == {"RichTextBlock"}
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Open", "url": "https://h.example.com/runs/7"}]


@pytest.mark.parametrize(
    ("status", "is_final"),
    [(400, True), (413, True), (401, False), (404, False), (410, False), (429, False), (500, False)],
)
def test_only_what_is_said_of_the_notice_itself_is_final(hook: Hook, status: int, is_final: bool) -> None:
    hook.status = status
    receipt = made(hook.url).send(PLAIN)
    assert receipt.is_final is is_final
    assert str(status) in receipt.why
    assert "ok" in receipt.why


def test_who_asks_for_patience_gets_it(hook: Hook) -> None:
    hook.status, hook.headers = 429, {"Retry-After": "17"}
    assert made(hook.url).send(PLAIN).wait_s == 17
    hook.headers = {"Retry-After": "99999999"}
    assert made(hook.url).send(PLAIN).wait_s == 3600
    hook.headers = {"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}
    assert made(hook.url).send(PLAIN).wait_s == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_notice_does_not_go_where_an_answer_points(hook: Hook, status: int) -> None:
    hook.status, hook.headers = status, {"Location": f"{hook.url}?elsewhere"}
    receipt = made(hook.url).send(PLAIN)
    assert str(status) in receipt.why
    assert hook.got == []


def test_a_page_of_html_is_not_repeated(hook: Hook) -> None:
    hook.status, hook.said = 502, b"<html><h1>Bad gateway</h1></html>"
    assert made(hook.url).send(PLAIN).why == "the web hook refuses: 502 Bad Gateway"


def test_a_server_that_is_not_there_is_told() -> None:
    with Hook() as server:
        url = server.url
    receipt = made(url).send(PLAIN)
    assert receipt.why.startswith("the web hook does not answer: ")
    assert SECRET not in receipt.why


@pytest.mark.parametrize(
    "url", ["", "ftp://host/x", "file:///etc/passwd", "https:///x", "http://[::1", "https://host:65536/x"]
)
def test_an_address_that_is_none_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(UsageMistaken, match="none of the web") as refused:
        made(url)
    assert "passwd" not in str(refused.value)
