"""The application, asked as a server would, without a network."""

import asyncio
import json
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
import pytest

from headway.core.prediction import Prediction
from headway.core.prediction_log import Label
from headway.core.signature import Field, Signature
from headway.errors import DataUnreadable
from headway.serving.about import About
from headway.serving.app import App
from headway.serving.limits import Limits
from headway.serving.record import Answered

ABOUT = About(endpoint="flights", model="m", version=2, digest="d", format="fake", columns=("x",))


class Doubler:
    """A model that doubles `x`; with `fails` it raises that."""

    format = "fake"
    columns = ("x",)
    notes = ()
    signature = Signature(inputs=(Field(name="x"),))

    def __init__(self, fails: Exception | None = None) -> None:
        self.fails = fails

    def predict(self, rows: Any) -> Prediction:
        if self.fails is not None:
            raise self.fails
        return Prediction(labels=np.array([row["x"] * 2 for row in rows]))


class Noted:
    """A recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.answered: list[Answered] = []
        self.labels: list[Label] = []
        self.has_room = True

    def note(self, entry: Answered) -> None:
        self.answered.append(entry)

    def label(self, labels: tuple[Label, ...]) -> bool:
        if self.has_room:
            self.labels += labels
        return self.has_room


class Reply:
    def __init__(self, sent: Sequence[MutableMapping[str, Any]]) -> None:
        self.status = int(sent[0]["status"])
        self.headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        self.body = bytes(sent[1]["body"])

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


def ask(
    app: App,
    body: bytes = b'{"x": 1}',
    *,
    method: str = "POST",
    path: str = "/predict",
    headers: Mapping[str, str] = {},
    is_public: bool = True,
    parts: Sequence[bytes] | None = None,
) -> Reply:
    """One request; `parts` is the body as it arrives."""
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(n.encode(), v.encode()) for n, v in headers.items()],
        "server": ("127.0.0.1", 80) if is_public else ("/v1.sock", None),
    }
    chunks = list(parts if parts is not None else [body])
    messages = [
        {"type": "http.request", "body": chunk, "more_body": i < len(chunks) - 1} for i, chunk in enumerate(chunks)
    ]
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return dict(messages.pop(0)) if messages else {"type": "http.disconnect"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return Reply(sent)


@pytest.fixture
def app() -> App:
    return App(Doubler(), ABOUT)


def test_a_row_is_answered_with_version_and_request_id(app: App) -> None:
    reply = ask(app, b'{"x": 4}', headers={"x-request-id": "order-7"})
    assert reply.status == 200
    assert reply.json == {"predictions": [8], "model": "m@2", "request_id": "order-7"}
    assert (reply.headers["x-headway-version"], reply.headers["x-request-id"]) == ("m@2", "order-7")
    assert reply.headers["content-length"] == str(len(reply.body))


def test_each_request_without_an_id_gets_its_own(app: App) -> None:
    first, second = ask(app).json["request_id"], ask(app).json["request_id"]
    assert first != second
    assert ask(app, headers={"x-request-id": "no good\n"}).json["request_id"] != "no good\n"


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/v2/health/live", "/v2/health/ready"])
def test_health_is_answered(app: App, path: str) -> None:
    assert ask(app, b"", method="GET", path=path).json["live"] is True


def test_the_root_tells_what_is_served(app: App) -> None:
    told = ask(app, b"", method="GET", path="/").json
    assert (told["model"], told["version"], told["digest"], told["columns"]) == ("m", 2, "d", ["x"])
    assert ask(app, b"", method="HEAD", path="/").body == b""


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/nowhere", 404, "there is nothing at /nowhere"),
        ("GET", "/predict", 405, "/predict takes POST, not GET"),
        ("POST", "/health/live", 405, "/health/live takes GET or HEAD, not POST"),
    ],
)
def test_a_wrong_path_or_method_is_told(app: App, method: str, path: str, status: int, error: str) -> None:
    reply = ask(app, method=method, path=path)
    assert reply.status == status
    assert error in reply.json["error"]


def test_malformed_json_is_the_clients_fault(app: App) -> None:
    reply = ask(app, b"{")
    assert reply.status == 400
    assert reply.json["request_id"] == reply.headers["x-request-id"]


def test_rows_the_model_cannot_use_are_the_clients_fault() -> None:
    app = App(Doubler(DataUnreadable("x is a text", at="x", remedy="send a number")), ABOUT)
    reply = ask(app)
    assert (reply.status, reply.json["error"]) == (400, "x is a text")


def test_a_model_that_raises_gives_500_and_tells_its_log(capsys: pytest.CaptureFixture[str]) -> None:
    app = App(Doubler(RuntimeError("secret detail")), ABOUT)
    reply = ask(app, headers={"x-request-id": "r-1"})
    assert reply.status == 500
    assert b"secret detail" not in reply.body
    told = capsys.readouterr().err
    assert "r-1" in told
    assert "RuntimeError: secret detail" in told


@pytest.mark.parametrize("parts", [[b"x" * 101], [b"x" * 60, b"x" * 60]], ids=["one-piece", "in-pieces"])
def test_a_body_over_the_limit_is_refused_and_its_connection_closed(parts: list[bytes]) -> None:
    reply = ask(App(Doubler(), ABOUT, limits=Limits(max_body_bytes=100)), parts=parts)
    assert (reply.status, reply.headers["connection"]) == (413, "close")
    reply = ask(App(Doubler(), ABOUT, limits=Limits(max_body_bytes=100)), parts=[], headers={"content-length": "101"})
    assert reply.status == 413


def test_a_body_in_pieces_is_put_together(app: App) -> None:
    assert ask(app, parts=[b'{"x"', b": 3", b"}"]).json["predictions"] == [6]


def test_only_what_clients_got_is_recorded() -> None:
    recorder = Noted()
    app = App(Doubler(), ABOUT, recorder=recorder)
    ask(app, b'{"x": 2}', headers={"x-request-id": "r"})
    ask(app, is_public=False)
    (a,) = recorder.answered
    assert (a.request_id, a.form, a.request, json.loads(a.answer)["predictions"]) == ("r", "predict", b'{"x": 2}', [4])
    assert a.status == 200


INFER = "/v2/models/m/infer"


@pytest.mark.parametrize(
    ("path", "body", "fails", "status"),
    [
        ("/predict", b'{"y": 2}', None, 400),
        ("/predict", b"{", None, 400),
        ("/predict", b'{"x": 2}', DataUnreadable("no", at="row 0", remedy="-"), 400),
        ("/predict", b'{"x": 2}', RuntimeError("no"), 500),
        (INFER, b"{}", None, 400),
        (INFER, b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [2]}]}', RuntimeError("no"), 500),
    ],
    ids=["columns", "no-json", "refused-by-model", "raised", "infer-no-inputs", "infer-raised"],
)
def test_requests_that_the_model_gave_no_answer_to_are_recorded(
    path: str, body: bytes, fails: Exception | None, status: int
) -> None:
    recorder = Noted()
    app = App(Doubler(fails), ABOUT, recorder=recorder)
    headers = {"x-request-id": "r", "inference-header-content-length": str(len(body))}
    assert ask(app, body, path=path, headers=headers).status == status
    (a,) = recorder.answered
    form = "infer" if path == INFER else "predict"
    assert (a.request_id, a.form, a.request, a.status) == ("r", form, body, status)
    assert (a.request_head, a.is_shadow, a.instead_of) == (len(body), False, 0)
    # A check is none of a client's.
    ask(app, body, path=path, is_public=False)
    assert len(recorder.answered) == 1


def test_what_says_nothing_of_the_version_is_not_recorded() -> None:
    recorder = Noted()
    app = App(Doubler(), ABOUT, recorder=recorder, limits=Limits(max_body_bytes=1024))
    got = [
        ask(app, path="/nowhere"),
        ask(app, path="/predict", method="GET"),
        ask(app, b" " * 2000),
        ask(app, headers={"content-encoding": "zip"}),
        ask(app, b"{", path="/labels"),
    ]
    assert [one.status for one in got] == [404, 405, 413, 415, 400]
    assert recorder.answered == []


def test_what_a_version_that_no_longer_serves_hands_on_is_a_clients() -> None:
    recorder = Noted()
    ask(App(Doubler(), ABOUT, recorder=recorder), is_public=False, headers={"x-headway-handed-on": "1"})
    assert len(recorder.answered) == 1


def test_labels_are_taken_whole_or_not_at_all() -> None:
    recorder = Noted()
    app = App(Doubler(), ABOUT, recorder=recorder)
    good = b'[{"request_id": "r", "label": 1, "at": 5}, {"request_id": "q", "label": "late", "row": 1, "at": 6}]'
    assert ask(app, good, path="/labels").json == {"accepted": 2}
    bad = ask(app, b'[{"request_id": "r", "label": 1}, {"request_id": "a b", "lable": 1}]', path="/labels")
    assert bad.status == 400
    assert [(f["row"], f["field"]) for f in bad.json["fields"]] == [(1, "label"), (1, "lable"), (1, "request_id")]
    assert [(one.request_id, one.label, one.at, one.row) for one in recorder.labels] == [
        ("r", 1, 5.0, 0),
        ("q", "late", 6.0, 1),
    ]
    recorder.has_room = False
    assert ask(app, good, path="/labels").status == 503
    assert ask(App(Doubler(), ABOUT), good, path="/labels").status == 409


def test_a_draining_version_closes_its_clients_connections_but_not_the_private_one(app: App) -> None:
    app.is_draining = True
    assert ask(app).headers["connection"] == "close"
    assert "connection" not in ask(app, is_public=False).headers


def test_without_an_answer_of_the_version_that_took_over_the_old_one_answers(app: App) -> None:
    app.sibling = "/nowhere/v3.sock"
    assert ask(app).headers["x-headway-version"] == "m@2"


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"],
    ids=["nothing", "no-length", "cut-off"],
)
def test_a_broken_answer_of_the_version_that_took_over_is_not_passed_on(
    app: App, answer: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = str(tmp_path_factory.mktemp("s") / "s")
    app.sibling = path
    assert _with_sibling(path, answer, lambda: ask_soon(app)).headers["x-headway-version"] == "m@2"


async def ask_soon(app: App) -> Reply:
    """As `ask`, from a loop that also plays the sibling."""
    return await asyncio.to_thread(ask, app)


def _with_sibling(path: str, answer: bytes, work: Callable[[], Any]) -> Reply:
    async def played() -> Reply:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        async with await asyncio.start_unix_server(speak, path):
            reply = await work()
        assert isinstance(reply, Reply)
        return reply

    return asyncio.run(played())
