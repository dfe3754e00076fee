"""Live pages: an open page is told over one stream (server-sent events) that facts were appended since what it shows.

It is told how far the log has come, and nothing of what happened: the page is then asked for as ever, with all its
rights. However many listen, one thread looks at the log, over one connection, and only while somebody does.
"""

import asyncio
import threading
from collections import Counter
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from headway.errors import HeadwayError
from headway.ports import Log
from headway.web import answers
from headway.web.access import Access
from headway.web.site import Site

PATH = "/live"

LOOK_S = 0.2
"""How often the log is looked at while somebody listens."""

BEAT_S = 15.0
"""A stream is never silent for longer, so that proxies keep it and a browser that is gone is found out."""

RETRY_MS = 2000
"""How soon a browser comes back when its stream broke off."""

STREAMS = 128
"""Streams in all: a quarter of the connections that a server takes (`serve`)."""

STREAMS_OF_ONE = 4
"""Streams of one session. A browser has six connections to a server, and others must be left for the pages."""

HEADERS = {
    "cache-control": "no-store, no-transform",
    # What nginx and others that copied it take for: hand on at once.
    "x-accel-buffering": "no",
}


def last_seq(log: Log) -> int:
    """How far a log has come; 0 when nothing was ever appended. One row is read."""
    return next((entry.seq for entry in list(log.scan(newest_first=True, limit=1))), 0)


class Live:
    """The streams of one site, on one event loop; `close` may be called from any thread."""

    __slots__ = ("_access", "_is_closed", "_loop", "_news", "_of_session", "_seq", "_site", "_stop")

    def __init__(self, site: Site, access: Access) -> None:
        self._site = site
        self._access = access
        self._seq = 0
        self._news = asyncio.Event()
        self._of_session: Counter[str] = Counter()
        self._stop: threading.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    async def follow(self, request: Request) -> Response:
        """A stream for a page that shows the log up to `after`; refused when there are too many."""
        after = request.query_params.get("after", "")
        if not (after.isascii() and after.isdecimal() and len(after) < 19):
            return answers.refusal(request, 400, "no stream begins there", "give the number of a fact: ?after=17")
        if self._is_closed or self._of_session.total() >= STREAMS:
            return answers.refusal(request, 503, "no more streams are to be had", "ask for the page itself meanwhile")
        session = self._access.session(request)
        if self._of_session[session] >= STREAMS_OF_ONE:
            return answers.busy(request, "too many streams of one session", BEAT_S)
        return _Stream(self, request, session, int(after))

    def close(self) -> None:
        """End all streams, and take no more."""
        self._is_closed = True
        if self._loop is not None:
            # A loop that is over has no streams.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wake)

    # --- what follows runs on the event loop, but `_watch` ------------------------------------------------------

    @property
    def seq(self) -> int:
        """How far the log had come when it was last looked at."""
        return self._seq

    @property
    def news(self) -> asyncio.Event:
        """What is set with the next news. Take it before you look at `seq`, so that none is missed."""
        return self._news

    def may_go_on(self, request: Request) -> bool:
        """Whether a stream may: the session is not over, the log can be read, and the server goes on."""
        return not self._is_closed and self._stop is not None and self._access.who(request) is not None

    def join(self, session: str) -> None:
        """One more listens."""
        self._of_session[session] += 1
        if self._stop is None:
            self._loop = asyncio.get_running_loop()
            self._stop = threading.Event()
            threading.Thread(target=self._watch, args=(self._loop, self._stop), name="live", daemon=True).start()

    def leave(self, session: str) -> None:
        """One listens no more."""
        self._of_session[session] -= 1
        if not self._of_session[session]:
            del self._of_session[session]
        if not self._of_session and self._stop is not None:
            self._stop.set()
            self._stop = None

    def _came(self, seq: int) -> None:
        if seq > self._seq:
            self._seq = seq
            self._wake()

    def _ended(self, stop: threading.Event) -> None:
        if self._stop is stop:
            self._stop = None
            self._wake()

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    def _watch(self, loop: asyncio.AbstractEventLoop, stop: threading.Event) -> None:
        """Look at the log, in a thread of its own, until nobody listens.

        Streams end when it cannot be read: the pages, which are asked for more often then, say what is the matter.
        """
        seen = 0
        # The loop may be gone when a server was stopped, and nobody listens then.
        with suppress(HeadwayError, RuntimeError):
            while not stop.is_set():
                with self._site.looking() as parts:
                    while not stop.wait(LOOK_S if seen else 0.0):
                        found = last_seq(parts.log)
                        if found > seen:
                            seen = found
                            loop.call_soon_threadsafe(self._came, found)
                        if not seen:
                            # A log that is not there yet must be opened anew when it is.
                            break
                stop.wait(LOOK_S)
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._ended, stop)


class _Stream(Response):
    """One stream, until the browser is gone or `Live` says that it may not go on."""

    media_type = "text/event-stream"

    def __init__(self, live: Live, request: Request, session: str, after: int) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._live = live
        self._request = request
        self._session = session
        self._told = after

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 (as ASGI has it)
        """Answer."""
        self._live.join(self._session)
        gone = asyncio.create_task(_gone(receive))
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await _say(send, f"retry: {RETRY_MS}\n\n")
            await self._tell(gone, send)
            if not gone.done():
                await send({"type": "http.response.body", "body": b""})
        except OSError:
            # The browser went in the middle of a word.
            pass
        finally:
            gone.cancel()
            self._live.leave(self._session)

    async def _tell(self, gone: "asyncio.Task[None]", send: Send) -> None:
        while not gone.done():
            news = self._live.news
            if not self._live.may_go_on(self._request):
                return
            if self._live.seq > self._told:
                self._told = self._live.seq
                await _say(send, f"data: {self._told}\n\n")
                continue
            came = asyncio.create_task(news.wait())
            done, _ = await asyncio.wait({gone, came}, timeout=BEAT_S, return_when=asyncio.FIRST_COMPLETED)
            came.cancel()
            if not done and self._live.may_go_on(self._request):
                await _say(send, ":\n\n")


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _say(send: Send, words: str) -> None:
    await send({"type": "http.response.body", "body": words.encode(), "more_body": True})
