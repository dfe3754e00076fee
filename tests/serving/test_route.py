"""An accepting version and its siblings, each a server on a socket: who answers, and what a failure costs."""

import asyncio
import contextlib
import json
import os
import struct
import threading
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
import uvloop

from headway.core.prediction import Prediction
from headway.core.routing import Chooser, Route, Shadow, Sticky, Table
from headway.core.signature import Field, Signature
from headway.serving import route
from headway.serving.about import About
from headway.serving.app import App
from headway.serving.forward import Lines, request_bytes
from headway.serving.limits import Limits
from headway.serving.record import Answered
from headway.serving.reply import Request
from headway.serving.route import Plan, Router

SIGNATURE = Signature(inputs=(Field(name="who", kind="BYTES"), Field(name="x", kind="FP64")))


class Number:
    """A model that answers each row with its version's number."""

    format = "fake"
    columns = ("who", "x")
    notes = ()
    signature = SIGNATURE

    def __init__(self, version: int) -> None:
        self.version = version
        self.fails: Exception | None = None
        self.gate = threading.Event()
        self.gate.set()

    def predict(self, rows: Any) -> Prediction:
        self.gate.wait(20)
        if self.fails is not None:
            raise self.fails
        return Prediction(labels=np.array([self.version] * len(rows)))


class Noted:
    """A recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.answered: list[Answered] = []

    def note(self, entry: Answered) -> None:
        self.answered.append(entry)

    def label(self, labels: object) -> bool:
        return bool(labels)


class Version:
    """One version and its server on a Unix socket."""

    def __init__(self, folder: Path, version: int, limits: Limits) -> None:
        self.path = str(folder / f"v{version}.sock")
        self.model = Number(version)
        self.noted = Noted()
        self.about = About(endpoint="flights", model="m", version=version, digest="d", format="fake")
        self.app = App(self.model, self.about, recorder=self.noted, limits=limits)
        config = uvicorn.Config(self.app, uds=self.path, log_config=None, lifespan="off", timeout_keep_alive=75)
        self.server = uvicorn.Server(config)
        self.task: asyncio.Task[None] | None = None

    async def up(self) -> None:
        self.task = asyncio.create_task(self.server.serve())
        while not self.server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
            await asyncio.sleep(0.001)

    async def down(self) -> None:
        """End it, whatever is under way."""
        self.server.should_exit = self.server.force_exit = True
        if self.task is not None:
            await self.task
        self.task = None
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)


class Got:
    """What a client got."""

    def __init__(self, sent: Sequence[MutableMapping[str, Any]]) -> None:
        self.status = int(sent[0]["status"])
        self.headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        self.body = bytes(sent[1]["body"])

    @property
    def version(self) -> str:
        return str(self.headers.get("x-headway-version", ""))


class House:
    """Versions 3 and up; 3 accepts."""

    def __init__(self, versions: dict[int, Version]) -> None:
        self.versions = versions
        self.first = versions[3]

    def routes(self, table: Table, *, wait_s: float = 5.0) -> Router:
        sockets = {number: one.path for number, one in self.versions.items()}
        before = self.first.app.router
        if before is not None:
            before.close()
        app = self.first.app
        app.router = Router(
            Plan(table=table, sockets=sockets), self.first.about, SIGNATURE, app.routed, wait_s=wait_s, note=app._note
        )
        return app.router

    async def ask(
        self,
        body: bytes = b'{"who": "a", "x": 1}',
        *,
        path: str = "/predict",
        method: str = "POST",
        app: App | None = None,
        headers: Mapping[str, str] = {},
        **more: str,
    ) -> Got:
        """A client's request, to the version that accepts."""
        scope = {
            "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": b"",
            "headers": [(n.replace("_", "-").encode(), v.encode()) for n, v in (*headers.items(), *more.items())],
            "server": ("127.0.0.1", 80),
        }  # fmt: skip
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        await (app or self.first.app)(scope, receive, send)
        return Got(sent)

    async def settled(self) -> None:
        """Wait until all copies are sent and every recorder was told."""
        while self.first.app.router is not None and self.first.app.router._senders:  # noqa: ASYNC110 (tasks)
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def house(folder: Path, *numbers: int, limits: Limits | None = None) -> AsyncIterator[House]:
    made = {number: Version(folder, number, limits or Limits()) for number in numbers}
    for one in made.values():
        await one.up()
    built = House(made)
    try:
        yield built
    finally:
        if built.first.app.router is not None:
            await built.first.app.router.end()
        for one in made.values():
            await one.down()


def run(folder: Path, work: Callable[[House], Awaitable[None]], *numbers: int, limits: Limits | None = None) -> None:
    """Do something in a house of these versions."""

    async def whole() -> None:
        async with house(folder, *numbers, limits=limits) as built:
            await work(built)
        # Who still reads a connection that was closed just now closes its own end first: one that is left open is
        # warned of whenever its memory is taken back, in whichever test that happens.
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=1)
        await asyncio.sleep(0.01)

    # The loop that workers run on.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(whole())


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("s")


HALVES = Table(routes=(Route(version=3, weight=1), Route(version=4, weight=1)))


def test_each_version_answers_the_requests_that_the_table_gives_it(folder: Path) -> None:
    async def work(h: House) -> None:
        h.routes(HALVES)
        chooser = Chooser("flights", HALVES)
        ids = [f"order-{i}" for i in range(300)]
        got = [await h.ask(x_request_id=i) for i in ids]
        assert [g.version for g in got] == [f"m@{chooser.version(i)}" for i in ids]
        assert [json.loads(g.body)["predictions"] for g in got] == [[chooser.version(i)] for i in ids]
        assert [g.headers["x-request-id"] for g in got] == ids
        n = Counter(g.version for g in got)
        assert h.first.app.routed.answers == {(3, "own"): n["m@3"], (4, "handed on"): n["m@4"]}
        # Who answered writes it down, once.
        await h.settled()
        assert len(h.first.noted.answered) == n["m@3"]
        assert {e.request_id for e in h.versions[4].noted.answered} == {i for i in ids if chooser.version(i) == 4}

    run(folder, work, 3, 4)


def test_a_connection_to_a_sibling_serves_one_request_after_the_other(folder: Path) -> None:
    async def work(h: House) -> None:
        router = h.routes(Table(routes=(Route(version=3, weight=0), Route(version=4, weight=1))))
        for _ in range(50):
            assert (await h.ask()).version == "m@4"
        assert router._lines[4].n_opened == 1
        assert Counter([g.version for g in await asyncio.gather(*(h.ask() for _ in range(200)))]) == {"m@4": 200}
        await asyncio.sleep(0.05)
        assert len(h.versions[4].server.server_state.connections) <= 64

    run(folder, work, 3, 4)


def test_a_version_that_leaves_the_table_is_let_go_once_it_has_answered(folder: Path) -> None:
    async def work(h: House) -> None:
        h.routes(Table(routes=(Route(version=3, weight=0), Route(version=4, weight=1)), shadow=Shadow(version=5)))
        asked = [asyncio.create_task(h.ask()) for _ in range(20)]
        await asyncio.sleep(0.001)
        h.routes(Table(routes=(Route(version=3, weight=1),)))
        assert {(g.status, g.version) for g in await asyncio.gather(*asked)} <= {(200, "m@4"), (200, "m@3")}
        await asyncio.sleep(0.2)
        # A connection that was kept would keep a version that ends waiting for it.
        assert not h.versions[4].server.server_state.connections
        assert not h.versions[5].server.server_state.connections

    run(folder, work, 3, 4, 5)


V2 = {"inputs": [{"name": "who", "shape": [1], "datatype": "BYTES", "data": ["ann"]},
                 {"name": "x", "shape": [1], "datatype": "FP64", "data": [1.5]}]}  # fmt: skip


def binary() -> tuple[bytes, dict[str, str]]:
    """The same request in the binary form."""
    who = struct.pack("<I", 3) + b"ann"
    x = struct.pack("<d", 1.5)
    inputs = [
        {**tensor, "parameters": {"binary_data_size": len(raw)}}
        for tensor, raw in zip(V2["inputs"], (who, x), strict=True)
    ]
    for tensor in inputs:
        del tensor["data"]
    head = json.dumps({"inputs": inputs}).encode()
    return head + who + x, {"inference_header_content_length": str(len(head))}


def by_key(sticky: Sticky) -> Table:
    return Table(routes=HALVES.routes, sticky=sticky)


@pytest.mark.parametrize(
    ("sticky", "asked"),
    [
        (Sticky(place="field", name="who"), [
            (b'{"who": "ann", "x": 1}', {}, "/predict"),
            (b'[{"who": "ann", "x": 1}, {"who": "bob", "x": 1}]', {}, "/predict"),
            (b'{"inputs": [{"who": "ann", "x": 2}]}', {}, "/predict"),
            (json.dumps(V2).encode(), {}, "/v2/models/m/infer"),
            (*binary(), "/v2/models/m/infer"),
            (json.dumps({**V2, "parameters": {"who": "ann"}}).encode(), {}, "/v2/models/m/infer"),
        ]),
        (Sticky(place="header", name="x-user"), [(b'{"who": "b", "x": 1}', {"x_user": "ann"}, "/predict")]),
        (Sticky(place="cookie", name="sid"), [(b'{"who": "b", "x": 1}', {"cookie": "a=1; sid=ann; c"}, "/predict")]),
    ],
    ids=["field", "header", "cookie"],
)  # fmt: skip
def test_a_key_stays_with_its_version_wherever_it_stands(
    folder: Path, sticky: Sticky, asked: list[tuple[bytes, dict[str, str], str]]
) -> None:
    async def work(h: House) -> None:
        h.routes(by_key(sticky))
        wanted = Chooser("flights", HALVES).version("ann")
        for body, headers, path in asked:
            for _ in range(12):
                got = await h.ask(body, path=path, headers=headers)
                assert (got.status, got.version) == (200, f"m@{wanted}"), got.body

    run(folder, work, 3, 4)


def test_keys_stay_while_a_canary_grows(folder: Path) -> None:
    async def work(h: House) -> None:
        of_canary: set[str] = set()
        for share in (10, 30, 60):
            routes = (Route(version=3, weight=100 - share), Route(version=4, weight=share))
            h.routes(Table(routes=routes, sticky=Sticky(place="header", name="x-user")))
            got = {u: await h.ask(x_user=u) for u in (f"u{i}" for i in range(60))}
            now = {u for u, g in got.items() if g.version == "m@4"}
            assert of_canary <= now
            of_canary = now
        assert 0 < len(of_canary) < 60

    run(folder, work, 3, 4)


def test_a_request_without_a_key_goes_by_its_id(folder: Path) -> None:
    async def work(h: House) -> None:
        router = h.routes(by_key(Sticky(place="field", name="who")))
        for body in (b'{"who": null, "x": 1}', b"{", b"[]", b"7", b'{"x": 1}', b'{"inputs": 3}', b"\xff"):
            request = Request("/predict", {}, body, "the-id", 0.0)
            assert router.key(request) == "the-id"
        assert (await h.ask(b"{")).status == 400

    run(folder, work, 3, 4)


def test_only_predictions_are_routed(folder: Path) -> None:
    async def work(h: House) -> None:
        h.routes(Table(routes=(Route(version=3, weight=0), Route(version=4, weight=1))))
        for method, path in (("GET", "/"), ("GET", "/health/ready"), ("GET", "/metrics"), ("POST", "/nowhere")):
            assert (await h.ask(b"", method=method, path=path)).version == "m@3"
        assert (await h.ask(json.dumps(V2).encode(), path="/v2/models/m/infer")).version == "m@4"

    run(folder, work, 3, 4)


def test_a_version_can_be_asked_by_its_address(folder: Path) -> None:
    async def work(h: House) -> None:
        h.routes(Table(routes=(Route(version=3, weight=1),), shadow=Shadow(version=4, share=0)))
        body = json.dumps(V2).encode()
        for number in (3, 4):
            got = await h.ask(body, path=f"/v2/models/m/versions/{number}/infer")
            assert (got.status, got.version) == (200, f"m@{number}")
            got = await h.ask(b"", method="GET", path=f"/v2/models/m/versions/{number}")
            assert json.loads(got.body)["versions"] == [str(number)]
        assert (await h.ask(body, path="/v2/models/m/versions/9/infer")).status == 404
        assert (await h.ask(body, path="/v2/models/m/versions/x/infer")).status == 404
        await h.versions[4].down()
        got = await h.ask(body, path="/v2/models/m/versions/4/infer")
        assert (got.status, got.headers["retry-after"]) == (503, "1")

    run(folder, work, 3, 4)


def test_when_a_version_is_gone_the_accepting_one_answers_and_counts_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def work(h: House) -> None:
        h.routes(Table(routes=(Route(version=3, weight=0), Route(version=4, weight=1))))
        assert (await h.ask()).version == "m@4"
        # The kept connection is closed under the next request.
        await h.versions[4].down()
        got = [await h.ask() for _ in range(20)]
        assert {(g.status, g.version) for g in got} == {(200, "m@3")}
        assert h.first.app.routed.answers == {(4, "handed on"): 1, (4, "instead"): 20}
        noted = h.first.noted.answered
        assert [(e.status, e.instead_of, e.is_shadow) for e in noted] == [(200, 4, False)] * 20

    run(folder, work, 3, 4)
    assert capsys.readouterr().err.count("gives no answer") == 1


def test_what_is_under_way_when_a_version_dies_is_answered_all_the_same(folder: Path) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await writer.drain()
        writer.close()

    async def work(h: House) -> None:
        await h.versions[4].down()
        async with await asyncio.start_unix_server(cut, h.versions[4].path):
            h.routes(Table(routes=(Route(version=3, weight=0), Route(version=4, weight=1))))
            assert {(g.status, g.version) for g in [await h.ask() for _ in range(5)]} == {(200, "m@3")}

    run(folder, work, 3, 4)


def test_a_version_that_hangs_keeps_one_client_waiting_and_no_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "SLOW_S", 60.0)
    n_asked = 0

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n_asked
        n_asked += 1
        await reader.read()
        writer.close()

    async def work(h: House) -> None:
        await h.versions[4].down()
        async with await asyncio.start_unix_server(hang, h.versions[4].path):
            h.routes(Table(routes=(Route(version=3, weight=0), Route(version=4, weight=1))), wait_s=0.2)
            loop = asyncio.get_running_loop()
            began = loop.time()
            assert (await h.ask()).version == "m@3"
            assert loop.time() - began >= 0.19
            assert [(await h.ask()).version for _ in range(10)] == ["m@3"] * 10
            # Who waits has asked the version that hangs.
            assert n_asked == 1

    run(folder, work, 3, 4)


def test_a_version_without_room_is_stood_in_for_and_one_that_fails_is_not(folder: Path) -> None:
    async def work(h: House) -> None:
        h.routes(Table(routes=(Route(version=3, weight=0), Route(version=4, weight=1))))
        h.versions[4].model.fails = RuntimeError("no")
        got = await h.ask()
        # Its failures are its own: hidden, a canary would look well.
        assert (got.status, got.version) == (500, "m@4")
        await h.settled()
        assert [(e.status, e.instead_of) for e in h.versions[4].noted.answered] == [(500, 0)]
        assert h.first.noted.answered == []

    run(folder, work, 3, 4)

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"}")
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    async def full(h: House) -> None:
        await h.versions[4].down()
        async with await asyncio.start_unix_server(refuse, h.versions[4].path):
            h.routes(Table(routes=(Route(version=3, weight=0), Route(version=4, weight=1))))
            got = await h.ask()
        assert (got.status, got.version) == (200, "m@3")
        assert h.first.app.routed.answers == {(4, "instead"): 1}
        assert [(e.status, e.instead_of) for e in h.first.noted.answered] == [(200, 4)]

    run(folder, full, 3, 4)


def test_a_full_version_leaves_it_to_whoever_answers_for_it_to_say_so(folder: Path) -> None:
    async def work(h: House) -> None:
        h.routes(Table(routes=(Route(version=3, weight=0), Route(version=4, weight=1)), shadow=Shadow(version=5)))
        for number in (4, 5):
            # One waits at most, besides the one that the model is asked.
            h.versions[number].app.set(h.versions[number].noted, Limits(max_waiting=1))
            h.versions[number].model.gate.clear()
        asked = [asyncio.create_task(h.ask()) for _ in range(10)]
        while not any(one.done() for one in asked):  # noqa: ASYNC110 (tasks)
            await asyncio.sleep(0.005)
        h.versions[4].model.gate.set()
        got = Counter((one.status, one.version) for one in await asyncio.gather(*asked))
        assert set(got) == {(200, "m@3"), (200, "m@4")}
        while h.first.app.routed.copies.get((5, "failed"), 0) == 0:  # noqa: ASYNC110 (tasks)
            await asyncio.sleep(0.005)
        h.versions[5].model.gate.set()
        await h.settled()
        assert [(e.status, e.instead_of) for e in h.first.noted.answered] == [(200, 4)] * got[200, "m@3"]
        assert [(e.status, e.instead_of) for e in h.versions[4].noted.answered] == [(200, 0)] * got[200, "m@4"]
        # A shadow has nobody who would say it.
        copied = Counter((e.status, e.is_shadow) for e in h.versions[5].noted.answered)
        copies = h.first.app.routed.copies
        assert copied == {(503, True): copies[5, "failed"], (200, True): copies[5, "sent"]}

    run(folder, work, 3, 4, 5)


def test_a_version_that_nobody_answers_for_is_told_of_by_whoever_asked_it(folder: Path) -> None:
    async def work(h: House) -> None:
        h.routes(Table(routes=(Route(version=3, weight=1), Route(version=4, weight=0)), shadow=Shadow(version=5)))
        await h.versions[4].down()
        await h.versions[5].down()
        body = b'{"inputs": [{"name": "who", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}'
        assert (await h.ask(body, path="/v2/models/m/versions/4/infer", x_request_id="r")).status == 503
        (lost,) = h.first.noted.answered
        assert (lost.request_id, lost.form, lost.request) == ("r", "infer", body)
        assert (lost.status, lost.instead_of, lost.is_shadow) == (503, 4, False)
        assert (await h.ask(x_request_id="q")).status == 200
        await h.settled()
        answered, copied = h.first.noted.answered[1:]
        assert (answered.request_id, answered.status, answered.is_shadow) == ("q", 200, False)
        assert (copied.request_id, copied.status, copied.instead_of, copied.is_shadow) == ("q", 503, 5, True)

    run(folder, work, 3, 4, 5)


def test_what_a_version_that_no_longer_serves_hands_on_is_routed(folder: Path) -> None:
    async def work(h: House) -> None:
        h.routes(Table(routes=(Route(version=3, weight=0), Route(version=4, weight=1))))
        h.versions[5].app.sibling = h.first.path
        got = await h.ask(app=h.versions[5].app, x_request_id="old-connection")
        assert (got.status, got.version, got.headers["x-request-id"]) == (200, "m@4", "old-connection")
        # A check on the private socket is never routed.
        lines = Lines(h.first.path)
        told = await lines.ask(request_bytes("POST", b"/predict", [], b'{"who": "a", "x": 1}'), timeout_s=5)
        assert json.loads(told.body)["predictions"] == [3]
        lines.close()

    run(folder, work, 3, 4, 5)


@pytest.mark.parametrize("share", [1.0, 0.3])
def test_a_shadow_gets_its_share_and_nobody_sees_its_answers(folder: Path, share: float) -> None:
    async def work(h: House) -> None:
        table = Table(routes=HALVES.routes, shadow=Shadow(version=5, share=share))
        h.routes(table)
        chooser = Chooser("flights", table)
        ids = [f"order-{i}" for i in range(200)]
        got = [await h.ask(x_request_id=i) for i in ids]
        await h.ask(b"{", x_request_id="malformed")
        assert [g.version for g in got] == [f"m@{chooser.version(i)}" for i in ids]
        await h.settled()
        copied = h.versions[5].noted.answered
        assert sorted(e.request_id for e in copied) == sorted(i for i in ids if chooser.is_shadowed(i))
        assert all(e.is_shadow for e in copied)
        assert h.first.app.routed.copies == {(5, "sent"): len(copied)}
        assert not any(e.is_shadow for v in (3, 4) for e in h.versions[v].noted.answered)
        text = (await h.ask(b"", method="GET", path="/metrics")).body.decode()
        assert f'headway_shadow_copies_total{{model="m",outcome="sent",version="5"}} {len(copied)}.0' in text
        assert 'headway_routed_total{model="m",outcome="handed_on",version="4"}' in text
        lines = Lines(h.versions[5].path)
        told = (await lines.ask(request_bytes("GET", b"/metrics", [], b""), timeout_s=5)).body.decode()
        lines.close()
        assert f'route="shadow",version="5"}} {len(copied)}.0' in told
        assert 'route="predict"' not in told

    run(folder, work, 3, 4, 5)


def test_copies_for_a_shadow_that_takes_its_time_delay_nobody_and_are_dropped_above_the_cap(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(route, "ROOM_COPIES", 10)
    monkeypatch.setattr(route, "SENDERS", 2)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def work(h: House) -> None:
        await h.versions[5].down()
        async with await asyncio.start_unix_server(hang, h.versions[5].path):
            router = h.routes(Table(routes=(Route(version=3, weight=1),), shadow=Shadow(version=5)), wait_s=60)
            got = await asyncio.wait_for(asyncio.gather(*(h.ask() for _ in range(100))), 50)
            assert {(g.status, g.version) for g in got} == {(200, "m@3")}
            await asyncio.sleep(0)
            await router.end()
            dropped = h.first.app.routed.copies[5, "dropped"]
            # Two are on their way and ten may wait; at the end those that wait are dropped as well.
            assert 98 <= dropped <= 100

    run(folder, work, 3, 5)


def test_a_client_cannot_say_that_a_request_was_handed_on(folder: Path) -> None:
    async def work(h: House) -> None:
        h.routes(Table(routes=(Route(version=3, weight=0), Route(version=4, weight=1))))
        for what in ("shadow", "routed", "1"):
            assert (await h.ask(x_headway_handed_on=what)).version == "m@4"
        h.first.app.router = None
        assert (await h.ask(x_headway_handed_on="shadow")).version == "m@3"
        await h.settled()
        noted = [*h.first.noted.answered, *h.versions[4].noted.answered]
        assert [e.is_shadow for e in noted] == [False] * 4

    run(folder, work, 3, 4)


def test_a_table_can_be_changed_under_requests(folder: Path) -> None:
    async def work(h: House) -> None:
        over = asyncio.Event()
        seen: Counter[tuple[int, str]] = Counter()

        async def client() -> None:
            while not over.is_set():
                got = await h.ask()
                seen[got.status, got.version] += 1

        clients = [asyncio.create_task(client()) for _ in range(8)]
        for i in range(100):
            h.routes(Table(routes=(Route(version=3, weight=1), Route(version=4 + i % 2, weight=1 + i))))
            await asyncio.sleep(0.003)
        over.set()
        await asyncio.gather(*clients)
        assert set(seen) == {(200, "m@3"), (200, "m@4"), (200, "m@5")}
        assert not [how for _, how in h.first.app.routed.answers if how == "instead"]

    run(folder, work, 3, 4, 5)
