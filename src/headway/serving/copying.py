"""Copies of requests, on a port of their own: answered as by a shadow, so that what they say is logged as a shadow's.

For a version that is asked by a router which copies requests and knows nothing of us (a Gateway). Beside `foreground`,
in the same process and with the same model; whoever sent a copy gives the answer to nobody.
"""

import asyncio
import math
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from headway.core.limits import Limits
from headway.serving.app import App, Scope, Send
from headway.serving.body import Receive
from headway.serving.forward import HANDED_ON, SHADOW

FINISH_S = 5


class _AsShadow:
    """The application as a private socket has it, where what is handed on says what it is."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a copy."""
        if scope["type"] == "http":
            headers = [one for one in scope["headers"] if one[0] != HANDED_ON]
            scope = {**scope, "server": None, "headers": [*headers, (HANDED_ON, SHADOW)]}
        await self._app(scope, receive, send)


class _Server(uvicorn.Server):
    """A second server in a process: signals are the first one's."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


class Copying:
    """Answers copies that come to a socket, from now on until its `end`. Made on the loop that answers."""

    def __init__(self, app: App, limits: Limits, copies: socket.socket) -> None:
        self._server = _Server(
            uvicorn.Config(
                _AsShadow(app),
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=math.ceil(limits.idle_s),
                timeout_graceful_shutdown=FINISH_S,
            )
        )
        self._running = asyncio.create_task(self._server.serve(sockets=[copies]))

    async def end(self) -> None:
        """End it; copies that are under way are answered."""
        self._server.should_exit = True
        await self._running
