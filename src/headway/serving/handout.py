"""Hands out a pod's prediction log, bytes as they are, to whoever has the endpoint's key: what `headway pod log` runs.

    GET /log                          [{"name": "predictions-….jsonl", "size_bytes": 4711}, …]
    GET /log/predictions-….jsonl?from=4000      the bytes from there on: whole lines, at most 4 MiB

The key comes in the header `X-Headway-Key`. A process of its own beside the server, on a port of its own that no
Service has: reading a log slows no prediction, and the log can still be read when the server has crashed or ended. Told
to end, it goes on until the server has written its last line and that was read, where somebody reads at all. Only
reads; knows the names of files (docs/formats/predictions.md) and nothing of what is in them.
"""

import hmac
import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from headway.core.manifest import LOG_KEY_HEADER
from headway.core.prediction_log import segment
from headway.serving.journal import is_abandoned

MOST_BYTES = 4 * 2**20

LISTENED_S = 120.0
"""Somebody who asked within this time is taken to be still reading."""

UNROUTED_S = 7.0
"""How long after the order to end the server may yet be given requests (`core/manifest.UNROUTE_S`), and a little."""


class Handout:
    """The log in `folder`, for holders of `key`; nobody gets anything while the key is empty. Thread-safe."""

    def __init__(self, folder: str, key: str) -> None:
        self._folder, self._key = folder, key
        self._read: dict[str, int] = {}
        self._asked_at: float | None = None

    def answer(self, target: str, key: str) -> tuple[int, bytes]:
        """The status and body for a request of `target`, a path with its query."""
        if not self._key:
            return 403, b"this endpoint has no key, so that its log is handed out to nobody"
        if not hmac.compare_digest(key.encode(), self._key.encode()):
            return 403, b"the key is not that of this endpoint"
        self._asked_at = time.monotonic()
        parts = urlsplit(target)
        where, _, name = parts.path.strip("/").partition("/")
        if where != "log":
            return 404, b"there is only /log"
        if not name:
            return 200, json.dumps([{"name": one, "size_bytes": size} for one, size in self._listed()]).encode()
        begins = parse_qs(parts.query).get("from", ["0"])[0]
        if "/" in name or segment(name) is None or not begins.isdigit():
            return 404, b"no such file of a log"
        return self._bytes(name, int(begins))

    @property
    def is_listened_to(self) -> bool:
        """Whether somebody reads it now and then."""
        return self._asked_at is not None and time.monotonic() - self._asked_at < LISTENED_S

    @property
    def is_read(self) -> bool:
        """Whether nobody writes any more, and all was read to its end."""
        return all(
            self._read.get(name, 0) >= size and (name.endswith(".parquet") or is_abandoned(self._path(name)))
            for name, size in self._listed()
        )

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, name)

    def _listed(self) -> list[tuple[str, int]]:
        try:
            with os.scandir(self._folder) as entries:
                return sorted((one.name, one.stat().st_size) for one in entries if segment(one.name) is not None)
        except (FileNotFoundError, NotADirectoryError):
            # Nothing was logged yet, or a file was sealed just now: the next look sees it.
            return []

    def _bytes(self, name: str, begins: int) -> tuple[int, bytes]:
        try:
            with open(self._path(name), "rb") as f:
                f.seek(begins)
                content = f.read(MOST_BYTES)
                is_end = len(content) < MOST_BYTES
                if name.endswith(".jsonl") and not is_end:
                    content += f.readline()
        except FileNotFoundError:
            return 404, b"it was sealed or deleted meanwhile: ask for the list again"
        self._read[name] = begins + len(content)
        if name.endswith(".jsonl") and is_end:
            # What stands behind the last newline is being written, and may be taken back.
            content = content[: content.rfind(b"\n") + 1]
        return 200, content


def serve(handout: Handout, port: int, *, host: str = "0.0.0.0") -> None:  # noqa: S104 (a pod's address is the cluster's to give)
    """Answer until SIGTERM or SIGINT, and then as long as there is something to be read."""
    with ThreadingHTTPServer((host, port), _handler(handout)) as server:
        server.daemon_threads = True
        told = threading.Event()
        for sig in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sig, lambda *_: told.set())
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        print(f"hands out the log on port {server.server_port}", flush=True)
        told.wait()
        ends_at = time.monotonic() + UNROUTED_S
        while handout.is_listened_to and (time.monotonic() < ends_at or not handout.is_read):
            time.sleep(0.2)
        server.shutdown()


def _handler(handout: Handout) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            status, content = handout.answer(self.path, self.headers.get(LOG_KEY_HEADER) or "")
            self.send_response(status)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Who reads is no news."""

    return Handler
