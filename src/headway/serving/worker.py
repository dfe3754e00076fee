"""One process, one model version: loads it, listens on a private socket, and on the shared one while it serves.

Started by `holder`, which speaks to it over its stdin and stdout, one JSON object a line:

    holder: {"serving": {…}, "listener": 5, "private": "/…/v3.sock", "folder": "/…"}     the first line
    worker: {"ready": true}                                              the model is loaded, the private socket answers
    holder: {"do": "accept", "plan": {…}}        take new connections from the shared socket, too; `plan`, which may be
                                                 null, is who answers beside this version (`route.Plan`)
    holder: {"do": "drain", "to": "/…/v4.sock"}  take no more; what still comes on old connections is for that one
    holder: {"do": "set", "serving": {…}}        log and limit as this says from now on
    holder: {"do": "stop"}                       drain, finish what is under way, end
    worker: {"done": true}                       to each of these

When the holder is gone (end of input) the worker ends as if told to stop. Whatever the model prints goes to the log.
"""

import asyncio
import math
import os
import socket
import sys

import msgspec
import uvicorn
import uvloop
from msgspec import Struct

from headway.core.limits import Limits
from headway.core.prediction import LoadedModel
from headway.errors import HeadwayError
from headway.ports import Serving
from headway.serving.about import About
from headway.serving.app import App
from headway.serving.direct import connections
from headway.serving.grpc_service import http2
from headway.serving.limits import watch
from headway.serving.load import load
from headway.serving.record import log_of
from headway.serving.route import Plan
from headway.serving.tracing import spans_of

LINGER_S = 5.0
"""How long an ending worker waits for clients to use or close their idle connections."""

LOOK_S = 0.02

SWAP_S = 300.0
"""How long a log that another one replaces may take for its last entries: nobody waits for it."""

END_S = 6.0
"""How long an ending worker waits for its logs and traces, which have limits of their own, and for replaced logs."""

FINISH_S = 30
"""How long requests under way may take when the worker ends."""


class Begin(Struct, frozen=True, kw_only=True):
    """The holder's first line."""

    serving: Serving
    listener: int
    private: str
    # An older holder does not say it: it lives on while headway is brought up to date.
    folder: str = ""


class Order(Struct, frozen=True, kw_only=True):
    """Each further line."""

    do: str
    to: str | None = None
    plan: Plan | None = None
    serving: Serving | None = None


def main() -> int:
    """Serve until told to stop; returns the exit code."""
    # stdin and stdout are the holder's; the model's code gets others.
    orders, reports = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    first = bytearray()
    while not first.endswith(b"\n"):
        byte = os.read(orders, 1)
        if not byte:
            return 0
        first += byte
    begin = msgspec.json.decode(first, type=Begin)
    try:
        # It was registered, so it is trusted, provided that its file still has the digest it had then.
        model = load(begin.serving, is_trusted=True)
    except HeadwayError as e:
        sys.stderr.write(f"{e.problem}; {e.remedy}\n")
        return e.exit_code
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Worker(begin, model, reports).serve(orders))
    return 0


class _Worker:
    """The process's one server, and whether it takes new connections."""

    __slots__ = (
        "_app", "_begin", "_closing", "_config", "_folder", "_kind", "_log", "_public", "_recording", "_reports",
        "_server", "_signature", "_spans", "_watching",
    )  # fmt: skip

    def __init__(self, begin: Begin, model: LoadedModel, reports: int) -> None:
        s = begin.serving
        about = About(
            endpoint=s.endpoint,
            model=s.model,
            version=s.version,
            digest=s.digest,
            format=s.format,
            columns=tuple(model.columns),
        )
        self._begin = begin
        self._reports = reports
        self._recording = s.recording
        self._signature = model.signature
        self._folder = begin.folder or os.path.dirname(begin.private)
        self._log = log_of(s, model.signature, self._folder)
        self._closing: list[asyncio.Task[None]] = []
        self._watching: asyncio.Task[None] | None = None
        self._app = App(model, about, recorder=self._log, limits=s.limits)
        self._spans = spans_of(about)
        self._app.trace(self._spans)
        self._kind = connections(self._app, s.limits, http2(self._app))
        self._config = uvicorn.Config(
            self._app,
            uds=begin.private,
            http=self._kind,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=math.ceil(s.limits.idle_s),
            timeout_graceful_shutdown=FINISH_S,
        )
        self._server = uvicorn.Server(self._config)
        self._public: asyncio.AbstractServer | None = None

    async def serve(self, orders: int) -> None:
        """Listen in private, then do what the holder says."""
        loop = asyncio.get_running_loop()
        lines = asyncio.StreamReader()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), os.fdopen(orders, "rb", 0))
        serving = asyncio.create_task(self._server.serve())
        while not (self._server.started or serving.done()):  # noqa: ASYNC110 (uvicorn has no event for it)
            await asyncio.sleep(0.005)
        if self._server.started:
            self._report({"ready": True})
        obeying = asyncio.create_task(self._obey(lines))
        self._watch(self._begin.serving.limits)
        await serving
        obeying.cancel()
        if self._watching is not None:
            self._watching.cancel()
        if self._log is not None:
            self._closing.append(asyncio.create_task(self._log.close()))
        if self._spans is not None:
            self._closing.append(asyncio.create_task(self._spans.close()))
        if self._closing:
            await asyncio.wait(self._closing, timeout=END_S)
            for late in self._closing:
                late.cancel()
            await asyncio.gather(*self._closing, return_exceptions=True)

    async def _obey(self, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            order = msgspec.json.decode(line, type=Order)
            match order.do:
                case "accept":
                    await self._accept(order.plan)
                case "drain":
                    self._drain(order.to)
                case "set" if order.serving is not None:
                    self._set(order.serving)
                case _:
                    break
            self._report({"done": True})
        self._drain(self._app.sibling)
        # The port stays taken while any process has it open.
        os.close(self._begin.listener)
        self._report({"done": True})
        for _ in range(round(LINGER_S / LOOK_S)):
            if not self._server.server_state.connections:
                break
            await asyncio.sleep(LOOK_S)
        self._server.should_exit = True

    def _set(self, serving: Serving) -> None:
        """Log and limit as this says; connections and requests that are there go on."""
        limits = serving.limits
        self._kind.max_head_bytes = limits.max_head_bytes
        self._config.timeout_keep_alive = math.ceil(limits.idle_s)
        self._watch(limits)
        if serving.recording != self._recording:
            self._recording = serving.recording
            if self._log is not None:
                # It sends what it has; answers that are given from now on are the next one's.
                self._closing.append(asyncio.create_task(self._log.close(patience_s=SWAP_S)))
            self._log = log_of(serving, self._signature, self._folder)
        self._app.set(self._log, limits)

    def _watch(self, limits: Limits) -> None:
        """Close connections whose requests take longer than these limits."""
        if self._watching is not None:
            self._watching.cancel()
        self._watching = asyncio.create_task(watch(self._server.server_state.connections, limits))

    async def _accept(self, plan: Plan | None) -> None:
        self._app.sibling = None
        self._app.is_draining = False
        self._app.route(plan)
        if self._public is not None:
            return
        # The descriptor is shared with the holder and the siblings: a copy of it is what may be closed.
        shared = socket.socket(fileno=os.dup(self._begin.listener))
        self._public = await asyncio.get_running_loop().create_server(self._connection, sock=shared, backlog=2048)

    def _connection(self) -> asyncio.Protocol:
        # As uvicorn makes its own.
        return self._kind(config=self._config, server_state=self._server.server_state, app_state={})

    def _drain(self, to: str | None) -> None:
        self._app.sibling = to
        self._app.is_draining = True
        self._app.route(None)
        if self._public is not None:
            self._public.close()
            self._public = None

    def _report(self, what: dict[str, bool]) -> None:
        try:
            os.write(self._reports, msgspec.json.encode(what) + b"\n")
        except BrokenPipeError:
            # The holder is gone; the end of its orders says so as well.
            return


if __name__ == "__main__":
    sys.exit(main())
