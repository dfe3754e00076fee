"""What a server in this folder does under load: asked by `wrk`, its processor and memory read from /proc.

The server is all processes whose working directory is this folder, but this one and the launcher above it. Only the
standard library is used: this runs in the environment of each tool.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

#: What wrk is told: the request, and what to print at the end.
SCRIPT = """
wrk.method = "POST"
wrk.body = io.open("%s", "rb"):read("*a")
%s
function done(summary, latency, requests)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.status + e.timeout
  io.write(string.format('\\n{"n":%%d,"us":%%d,"p50_us":%%d,"p99_us":%%d,"failed":%%d}\\n', summary.requests,
    summary.duration, latency:percentile(50), latency:percentile(99), failed))
end
"""
LONG_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that is sent over and over."""

    path: str
    body: bytes
    headers: Mapping[str, str]

    def on_wire(self) -> bytes:
        """The whole of it, for a connection of one's own that the server closes."""
        head = {"host": "localhost", "content-length": str(len(self.body)), "connection": "close", **self.headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        return f"POST {self.path} HTTP/1.1\r\n{lines}\r\n".encode() + self.body


def once(port: int, request: Request) -> bytes:
    """The whole answer to a request; raises OSError when there is none."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request.on_wire())
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts)


def first(port: int, request: Request) -> bytes:
    """The body of the first good answer, waited for as long as it takes to start."""
    deadline = time.monotonic() + LONG_S
    while True:
        try:
            head, _, body = once(port, request).partition(b"\r\n\r\n")
        except OSError:
            head, body = b"", b""
        if head.startswith(b"HTTP/1.1 200"):
            return body
        if time.monotonic() > deadline:
            raise SystemExit(f"no good answer in {LONG_S} s: {head[:60]!r} {body[:200]!r}")
        time.sleep(0.01)


class Load:
    """`wrk` at work, from the moment this is made; `end` gives what it counted."""

    def __init__(self, port: int, request: Request, *, n_connections: int, seconds: int) -> None:
        folder = Path("wrk").resolve()
        folder.mkdir(exist_ok=True)
        (folder / "body").write_bytes(request.body)
        headers = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in request.headers.items())
        (folder / "script.lua").write_text(SCRIPT % (folder / "body", headers))
        words = ["wrk", "-t1", f"-c{n_connections}", f"-d{seconds}s", "--timeout", "10s"]
        words += ["-s", str(folder / "script.lua")]
        self._process = subprocess.Popen(
            [*words, f"http://127.0.0.1:{port}{request.path}"], stdout=subprocess.PIPE, text=True, cwd="/"
        )

    def cut(self) -> None:
        """End it now, not when its seconds are over."""
        self._process.send_signal(signal.SIGINT)

    # Any: what wrk says.
    def end(self) -> dict[str, Any]:
        """`n` answers, of which `failed`, in `us`; the median and the 99th percentile of latencies."""
        said, _ = self._process.communicate(timeout=600)
        return dict(json.loads(said.strip().splitlines()[-1]))


def tree() -> list[Path]:
    """The processes of the server."""
    here, found = os.path.realpath("."), []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(process / "cwd") == here and int(process.name) not in (os.getpid(), os.getppid()):
                found.append(process)
        except OSError:
            continue
    return found


def cpu_s() -> float:
    """Seconds of processor that the server's processes took so far, those that ended and were waited for included."""
    total = 0
    for process in tree():
        try:
            fields = (process / "stat").read_text().rsplit(") ", 1)[1].split()
        except OSError:
            continue
        total += sum(int(field) for field in fields[11:15])
    return total / os.sysconf("SC_CLK_TCK")


def pss_bytes() -> int:
    """Memory of the server: pages that processes share are counted in parts."""
    total = 0
    for process in tree():
        try:
            text = (process / "smaps_rollup").read_text()
        except OSError:
            continue
        total += int(text.split("\nPss:")[1].split()[0]) * 1024
    return total


# Any: what is told of one load.
def under_load(port: int, request: Request, *, n_connections: int, seconds: int) -> dict[str, Any]:
    """Answers per second, microseconds of the server's processor an answer, latencies, memory after it, failures."""
    before = cpu_s()
    told = Load(port, request, n_connections=n_connections, seconds=seconds).end()
    used_s = cpu_s() - before
    n = max(1, told["n"])
    return {
        "per_second": told["n"] / told["us"] * 1e6,
        "cpu_us": used_s / n * 1e6,
        "p50_ms": told["p50_us"] / 1000,
        "p99_ms": told["p99_us"] / 1000,
        "pss_bytes": pss_bytes(),
        "failed": told["failed"],
        "n": told["n"],
    }
