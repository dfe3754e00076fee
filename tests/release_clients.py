"""Clients of an endpoint in a process of their own: they ask at a steady rate, tell truths later, and miss nothing.

    python tests/release_clients.py URL RATE

Rows are {"x": n}; the truth of a row is `truth(n)`, and a row of POISON no version can answer: that one fails is no
fault of a release. Commands come as words on stdin, one a line: `early` (a label as soon as it is answered), `late`
(kept back), `never`, `flush` (tell those that were kept back), `mark` (print what happened since the mark before, as
JSON), `end`.
"""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

N_CONNECTIONS = 8
POISON = 50
NOISE = 10
"""Of 100 rows so many have a truth that no version knows."""

BATCH = 50
"""Labels in one request."""


def answer(x: int) -> int:
    """What a right model answers."""
    return x % 2


def truth(x: int) -> int:
    """What turns out to be so."""
    return answer(x) if x // 100 % 100 >= NOISE else 1 - answer(x)


Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _usable(link: Link | None) -> Link | None:
    """A connection that may be used again: the server has not closed it, and did not say that it will."""
    return None if link is None or link[0].at_eof() or link[1].is_closing() else link


class Clients:
    """All of them, on one event loop."""

    def __init__(self, url: str, rate: float) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self.host, self.port, self.rate = host, int(port), rate
        self.labels = "never"
        self.kept: list[tuple[str, int]] = []
        self.waiting: list[tuple[str, int]] = []
        self.n = 0
        self.is_over = False
        self.chance = random.Random(7)
        self.reset()

    def reset(self) -> None:
        self.counts: dict[str, int] = {}
        self.faults: list[str] = []
        self.n_faults = 0
        self.n_labels = 0
        self.slowest_ms = 0.0

    async def run(self) -> None:
        pace = asyncio.create_task(self.commands())
        work = [asyncio.create_task(self.client(n)) for n in range(N_CONNECTIONS)]
        work.append(asyncio.create_task(self.teller()))
        await pace
        await asyncio.gather(*work)

    async def commands(self) -> None:
        reader = asyncio.StreamReader()
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := (await reader.readline()).decode().strip():
            if line in ("early", "late", "never"):
                self.labels = line
            elif line == "flush":
                self.waiting += self.kept
                self.kept = []
            elif line == "mark":
                print(json.dumps({"counts": self.counts, "faults": self.faults, "n_faults": self.n_faults,
                                  "n_labels": self.n_labels, "slowest_ms": self.slowest_ms}), flush=True)  # fmt: skip
                self.reset()
            else:
                break
        self.is_over = True

    async def client(self, number: int) -> None:
        """Asks again and again; every other one on a new connection for each request."""
        link: Link | None = None
        next_at = time.monotonic()
        while not self.is_over:
            next_at = max(next_at + N_CONNECTIONS / self.rate, time.monotonic() - 1.0)
            await asyncio.sleep(max(next_at - time.monotonic(), 0))
            x = self.chance.randrange(10_000)
            self.n += 1
            name = f"r{self.n}"
            began = time.monotonic()
            link = _usable(link)
            try:
                link = link or await asyncio.open_connection(self.host, self.port)
                status, version, body = await asyncio.wait_for(
                    self.asked(link, "/predict", {"x": x}, f"X-Request-Id: {name}\r\n"), 30
                )
            except (OSError, EOFError, TimeoutError, ValueError) as e:
                self.fault(f"{name} x={x}: {e!r}")
                if link is not None:
                    link[1].close()
                link = None
                continue
            self.slowest_ms = max(self.slowest_ms, (time.monotonic() - began) * 1000)
            self.answered(name, x, status, version, body)
            if number % 2:
                link[1].close()
                link = None
        if link is not None:
            link[1].close()

    def answered(self, name: str, x: int, status: int, version: str, body: bytes) -> None:
        what = "poison" if x % 100 == POISON else str(status)
        self.counts[f"{version} {what}"] = self.counts.get(f"{version} {what}", 0) + 1
        if what == "poison":
            if status == 200:
                self.fault(f"{name} x={x}: a row that nobody can answer was answered by {version}")
            return
        if status != 200:
            self.fault(f"{name} x={x}: {status} of {version} {body[:200]!r}")
        elif self.labels != "never":
            (self.waiting if self.labels == "early" else self.kept).append((name, truth(x)))

    def fault(self, told: str) -> None:
        self.n_faults += 1
        if len(self.faults) < 20:
            self.faults.append(told)

    async def teller(self) -> None:
        """Tells the truths, some at a time."""
        link: Link | None = None
        while not self.is_over:
            if not self.waiting:
                await asyncio.sleep(0.05)
                continue
            some, self.waiting = self.waiting[:BATCH], self.waiting[BATCH:]
            link = _usable(link)
            labels = [{"request_id": name, "label": label} for name, label in some]
            try:
                link = link or await asyncio.open_connection(self.host, self.port)
                status, _, body = await asyncio.wait_for(self.asked(link, "/labels", labels, ""), 30)
                if status >= 300:
                    self.fault(f"labels: {status} {body[:200]!r}")
                self.n_labels += len(some)
            except (OSError, EOFError, TimeoutError, ValueError) as e:
                self.fault(f"labels: {e!r}")
                link = None
        if link is not None:
            link[1].close()

    async def asked(self, link: Link, path: str, value: object, more: str) -> tuple[int, str, bytes]:
        """One request: status, the version that answered, body."""
        reader, writer = link
        body = json.dumps(value).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: {self.host}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        writer.write(head.encode() + body)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        told = await reader.readexactly(int(headers.get("content-length", "0")))
        if headers.get("connection", "").lower() == "close":
            writer.close()
        return int(lines[0].split()[1]), headers.get("x-headway-version", "?").rpartition("@")[2], told


class Told:
    """What happened between two marks."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.faults: list[str] = told["faults"]
        self.n_faults: int = told["n_faults"]
        self.n_labels: int = told["n_labels"]
        self.slowest_ms: float = told["slowest_ms"]
        self.counts: dict[str, int] = told["counts"]

    def of(self, version: int) -> int:
        """How many a version answered to clients."""
        return sum(n for key, n in self.counts.items() if key.split()[0] == str(version))

    def __str__(self) -> str:
        told = f"{self.counts}, {self.n_labels} labels, slowest {self.slowest_ms:.0f} ms"
        return f"{told}, {self.n_faults} faults {self.faults[:3]}"


class Load:
    """The clients, from the process that wants them."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def say(self, word: str) -> None:
        """Send a command."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def mark(self) -> Told:
        """What happened since the mark before."""
        self.say("mark")
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the clients have ended"
        return Told(json.loads(line))


@contextmanager
def load(url: str, rate: float) -> Iterator[Load]:
    """Clients that ask until the end of the block."""
    argv = [sys.executable, str(Path(__file__)), url, str(rate)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        made = Load(process)
        try:
            yield made
            made.say("end")
            process.wait(60)
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(Clients(sys.argv[1], float(sys.argv[2])).run())
