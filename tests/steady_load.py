"""A constant load on an endpoint: by `wrk` where it is there, and by clients of our own, which tell of each fault."""

import http.client
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

SCRIPT = """
wrk.method = "POST"
wrk.body = '{"x": 1}'
local n = 0
request = function()
  n = n + 1
  -- Most clients keep their connection, some open one for each request.
  if n %% 8 == 0 then return wrk.format(nil, nil, {["connection"] = "close"}) end
  return wrk.format()
end
done = function(s, latency, requests)
  local e = s.errors
  io.write(string.format('{"n": %%d, "failed": %%d, "p99_ms": %%.2f, "max_ms": %%.2f}\\n', s.requests,
    e.connect + e.read + e.write + e.status + e.timeout, latency:percentile(99) / 1000, latency.max / 1000))
end
""".replace("%%", "%")


class Tally:
    """How a load went, filled in at its end. Times in milliseconds."""

    n = 0
    n_failed = 0
    p99_ms = 0.0
    max_ms = 0.0
    told = ""


class Fault(NamedTuple):
    """A request that failed, and when it was under way (monotonic seconds)."""

    began: float
    ended: float
    why: str


class Client(threading.Thread):
    """Asks without a pause. A request fails unless it is answered 200; with `reuse` on one connection."""

    def __init__(self, url: str, *, reuse: bool, body: bytes = b'{"x": 1}') -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.faults: list[Fault] = []
        self.answers: list[tuple[float, float]] = []
        self.versions: Counter[str] = Counter()
        self._host = url.removeprefix("http://")
        self._reuse = reuse
        self._body = body

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=30)
        while not self.over.is_set():
            began = time.monotonic()
            why = ""
            try:
                connection.request("POST", "/predict", self._body)
                response = connection.getresponse()
                body = response.read()
                if response.status == 200:
                    self.versions[response.headers["X-Headway-Version"]] += 1
                else:
                    why = f"{response.status} {body[:200]!r}"
            except (http.client.HTTPException, OSError) as e:
                why = repr(e)
                connection.close()
            ended = time.monotonic()
            if why:
                self.faults.append(Fault(began, ended, why))
            else:
                self.answers.append((began, ended))
            if not self._reuse:
                connection.close()
        connection.close()


@contextmanager
def clients(url: str, n: int = 8) -> Iterator[list[Client]]:
    """So many of our own clients, every other one with a connection for each request; ended at the end."""
    made = [Client(url, reuse=i % 2 == 0) for i in range(n)]
    for one in made:
        one.start()
    try:
        yield made
    finally:
        for one in made:
            one.over.set()
        for one in made:
            one.join(60)


@contextmanager
def load(url: str, folder: Path, *, n_connections: int = 32) -> Iterator[Tally]:
    """Load until the end of the block."""
    tally = Tally()
    if shutil.which("wrk") is None:
        sys.__stderr__.write("\nwrk IS NOT HERE: the load is that of slower clients of our own\n")  # type: ignore[union-attr] # pytest has one
        with clients(url) as made:
            yield tally
        took = sorted(ended - began for one in made for began, ended in one.answers)
        tally.n_failed = sum(len(one.faults) for one in made)
        tally.n = len(took) + tally.n_failed
        tally.p99_ms, tally.max_ms = took[int(len(took) * 0.99)] * 1000, took[-1] * 1000
        tally.told = str([fault for one in made for fault in one.faults][:10])
        return
    script = folder / "load.lua"
    script.write_text(SCRIPT)
    words = ["wrk", "-t1", f"-c{n_connections}", "-d3600s", "--timeout", "20s", "-s", str(script), url + "/predict"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield tally
            process.send_signal(signal.SIGINT)
            tally.told = process.communicate(timeout=60)[0]
        finally:
            process.kill()
    told = json.loads(tally.told.strip().splitlines()[-1])
    tally.n, tally.n_failed, tally.p99_ms, tally.max_ms = told["n"], told["failed"], told["p99_ms"], told["max_ms"]
