"""One model version served by this very process, until Ctrl-C: what `headway serve` runs.

The same application as a `worker`'s, without a holder: no version takes over, and nothing starts it again.
"""

import asyncio
import errno
import math
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
import uvloop

from headway.core.prediction import LoadedModel
from headway.core.signature import Signature
from headway.errors import UsageMistaken
from headway.ports import Serving
from headway.serving.about import About
from headway.serving.app import App
from headway.serving.copying import Copying
from headway.serving.direct import connections
from headway.serving.grpc_service import http2
from headway.serving.limits import watch
from headway.serving.record import log_of
from headway.serving.tracing import spans_of

LINGER_S = 5.0
"""How long clients may take to use or close their idle connections at the end."""

LOOK_S = 0.02
FINISH_S = 30


def listen(host: str, port: int) -> socket.socket:
    """The socket of this address; port 0: any free one. Raises UsageMistaken when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except OSError as e:
        made.close()
        raise UsageMistaken(
            f"{host}:{port} cannot be listened on: {e.strerror or e}",
            at="headway serve",
            remedy="give another --port, or --port 0 for any free one"
            if e.errno in (errno.EADDRINUSE, errno.EACCES)
            else "give another --host: a name or an address of this machine",
        ) from e
    return made


class _Server(uvicorn.Server):
    """uvicorn's server, which ends gently at the first signal and at once at the second."""

    is_ending = False

    def __init__(self, config: uvicorn.Config, app: App) -> None:
        super().__init__(config)
        self._app = app
        self._loop = asyncio.get_running_loop()
        self._ending: asyncio.Task[None] | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        if self.is_ending:
            super().handle_exit(sig, frame)
            return
        self.is_ending = True
        self._loop.call_soon_threadsafe(self._begin_to_end)

    def _begin_to_end(self) -> None:
        self._ending = self._loop.create_task(self._end())

    async def _end(self) -> None:
        # Answers say `Connection: close` from now on; a connection that was cut while its client wrote would be a
        # request lost.
        self._app.is_draining = True
        for one in self.servers:
            one.close()
        for _ in range(round(LINGER_S / LOOK_S)):
            if not self.server_state.connections:
                break
            await asyncio.sleep(LOOK_S)
        self.should_exit = True


def serve(
    serving: Serving,
    model: LoadedModel,
    shared: socket.socket,
    folder: str,
    ready: Callable[[Signature], None],
    *,
    copies: socket.socket | None = None,
) -> None:
    """Answer on the socket until SIGINT or SIGTERM; `ready` is called once requests are answered.

    `folder` is the endpoint's, where its predictions are logged. What comes to `copies` is answered as by a shadow:
    whoever copies requests gives the answers to nobody.
    """
    for sig in (signal.SIGINT, signal.SIGTERM):
        # uvicorn raises a signal again when it has ended; by then it has had its effect.
        signal.signal(sig, lambda _sig, _frame: None)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(serving, model, shared, folder, ready, copies))


async def _serve(
    serving: Serving,
    model: LoadedModel,
    shared: socket.socket,
    folder: str,
    ready: Callable[[Signature], None],
    copies: socket.socket | None,
) -> None:
    about = About(
        endpoint=serving.endpoint,
        model=serving.model,
        version=serving.version,
        digest=serving.digest,
        format=serving.format,
        columns=tuple(model.columns),
    )
    limits = serving.limits
    log = log_of(serving, model.signature, folder)
    app = App(model, about, recorder=log, limits=limits)
    spans = spans_of(about)
    app.trace(spans)
    config = uvicorn.Config(
        app,
        http=connections(app, limits, http2(app)),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=math.ceil(limits.idle_s),
        timeout_graceful_shutdown=FINISH_S,
    )
    server = _Server(config, app)
    running = asyncio.create_task(server.serve(sockets=[shared]))
    beside = None if copies is None else Copying(app, limits, copies)
    while not (server.started or running.done()):  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.005)
    watching = asyncio.create_task(watch(server.server_state.connections, limits))
    if server.started:
        ready(model.signature)
    await running
    if beside is not None:
        await beside.end()
    watching.cancel()
    if spans is not None:
        await spans.close()
    if log is not None:
        await log.close()
