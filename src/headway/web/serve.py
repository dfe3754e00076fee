"""The server in a thread: started by a command, stopped by it, on the loopback unless told otherwise."""

import errno
import socket
import threading
import time

import uvicorn

from headway.core.access import Role
from headway.errors import SystemRefused, UsageMistaken
from headway.web import passes
from headway.web.app import make
from headway.web.live import Live
from headway.web.site import Site

HOST = "127.0.0.1"

END_S = 5
"""How long requests under way may take when the server is stopped."""

START_S = 30.0

_LOOK_S = 0.005


class Server:
    """One server. `start` once, `stop` any number of times; port 0 is any free one."""

    __slots__ = ("_host", "_live", "_port", "_server", "_site", "_thread")

    def __init__(self, site: Site, host: str = HOST, port: int = 0) -> None:
        self._site = site
        self._host = host
        self._port = port
        self._live: Live | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> str:
        """Answer from now on; returns the address. Raises UsageMistaken when it cannot be had, SystemRefused."""
        listener = _listener(self._host, self._port)
        # `port 0` is a real one from here on.
        self._port = listener.getsockname()[1]
        app = make(self._site)
        self._live = app.state.live
        config = uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=END_S,
            # A slow client may hold a connection, never all of them.
            limit_concurrency=512,
            timeout_keep_alive=30,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="web", daemon=True
        )
        self._thread.start()
        patience = time.monotonic() + START_S
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > patience:
                raise SystemRefused("the web server did not start", at=self.url, remedy="start it again")
            time.sleep(_LOOK_S)
        return self.url

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{self._port}"

    def link(self, name: str, role: Role) -> str:
        """An address that lets one browser in, once: see `passes.link`."""
        url = self._site.settings.web_url or self.url
        return passes.link(self._site.keys, url, name=name, role=role, now=self._site.now())

    def stop(self) -> None:
        """Finish what is under way, and end."""
        if self._server is None or self._thread is None:
            return
        self._server.should_exit = True
        if self._live is not None:
            # Streams never end by themselves.
            self._live.close()
        self._thread.join(END_S + 1)
        if self._thread.is_alive():
            self._server.force_exit = True
            self._thread.join(END_S)
        self._server = self._thread = None


def _listener(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise UsageMistaken(f"{port} is no port", at="--port", remedy="give one up to 65535, or 0 for any free one")
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(128)
    except OSError as e:
        made.close()
        taken = e.errno in (errno.EADDRINUSE, errno.EACCES)
        raise UsageMistaken(
            f"{host}:{port} cannot be listened on: {e.strerror or e}",
            at="--port" if taken else "--host",
            remedy="give another --port, or --port 0 for any free one" if taken else "give an address of this machine",
        ) from e
    return made
