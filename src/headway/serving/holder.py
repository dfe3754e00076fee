"""The process that keeps one endpoint: its port, its workers, and which of them serves.

It owns the listening socket and lends it to the workers, so the port stays when versions come and go, and waiting
connections survive a crash. It never touches a request. It is told what to do over a Unix socket, one JSON object a
line (see `_OBEY`), writes what must survive it into `endpoint.json`, and starts the serving version again when it is
started anew. While it lives it holds a lock on `holder.lock`; a second holder of the same endpoint ends at once.

Standard library only: it lives for months, should stay small, and must not depend on what a user upgrades meanwhile.
Does not know releases, golden requests or the log: `backends/target_local` speaks for those.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import sys
import tempfile
import time

from headway.serving.held import is_same_file, versions_of, without
from headway.serving.keeper import Child, Place, Words, private_socket

MAX_SOCKET_PATH = 100
"""A Unix socket's path may have 104 bytes (macOS) or 108 (Linux); a longer one moves to the temporary folder."""

LOOK_S = 2.0
"""How often it looks whether its folder is still there."""

BIND_S = 5.0
"""How long the port it had before is waited for: workers of a holder that was killed may be about to let go of it."""

_HEAD_503 = b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\nretry-after: 10\r\n"
_BODY_503 = b'{"error":"the version that serves here keeps crashing; `headway endpoints` tells more"}'


class Holder:
    """One endpoint. `turn` is held while it changes who serves."""

    __slots__ = ("active", "children", "ended", "lock", "place", "refusing", "shared", "table", "turn")

    def __init__(self, folder: str, workplace: str, shared: socket.socket, lock: int) -> None:
        sockets = folder
        if len(os.path.join(folder, "v1000000.sock")) > MAX_SOCKET_PATH:
            sockets = tempfile.mkdtemp(prefix="headway-")
        self.place = Place(folder=folder, sockets=sockets, workplace=workplace, listener=shared.fileno())
        self.shared = shared
        self.lock = lock
        self.children: dict[int, Child] = {}
        self.active: int | None = None
        # A `core.routing.Table`, or none: the serving version answers alone.
        self.table: Words | None = None
        self.refusing: asyncio.Server | None = None
        self.ended = asyncio.Event()
        self.turn = asyncio.Lock()

    @property
    def url(self) -> str:
        """Where clients find the endpoint."""
        host, port = self.shared.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def control(self) -> str:
        """The path of the socket on which it is told what to do."""
        return os.path.join(self.place.sockets, "control.sock")

    # --- what can be asked --------------------------------------------------------------------------------------

    async def start(self, asked: Words) -> Words:
        """Bring up a version without traffic; waits until it is ready or has failed."""
        spec, timeout_s = asked["serving"], float(asked["timeout_s"])
        child = self.children.get(int(spec["version"]))
        is_changed = child is not None and child.spec != spec and not child.is_over and is_same_file(child.spec, spec)
        if child is not None and is_changed:
            # Written down before it is told: a process that is started again meanwhile begins with it.
            child.spec = spec
            if child.version in (self.active, *versions_of(self.table)):
                self.save()
        if child is not None and (child.is_over or child.spec != spec):
            if child.version == self.active and not child.is_over:
                return _error("unavailable", f"version {child.version} serves from another file there")
            await self._end(child)
            child = None
        if child is None:
            child = self._add(spec, is_kept=False)
        try:
            await asyncio.wait_for(child.settled.wait(), timeout_s)
        except TimeoutError:
            child.note = f"was not ready within {timeout_s:g} s"
        if child.is_ready and (not is_changed or await child.order({"do": "set", "serving": spec})):
            return {"address": f"unix:{child.private}"}
        if child.version != self.active:
            await self._end(child)
        return _error("not-ready", child.note, tail=child.tail)

    async def switch(self, asked: Words) -> Words:
        """Let a version answer. It accepts before the others stop: at no moment does nobody listen."""
        version = int(asked["version"])
        async with self.turn:
            child, before, table = self.children.get(version), self.active, self.table
            if child is None or not child.is_ready:
                return _error("not-ready", f"version {version} has no live process")
            # Written first: from here on it is this version that a new start of the endpoint brings back.
            self.active, self.table = version, None
            try:
                self.save()
            except OSError:
                self.active, self.table = before, table
                raise
            if not await child.order(self._accept()):
                self.active, self.table = before, table
                self.save()
                return _error("not-ready", f"version {version} does not obey", tail=child.tail)
            await self._refuse(on=False)
            for other in self.children.values():
                if other is not child:
                    await other.order({"do": "drain", "to": child.private})
        return {"url": self.url}

    async def route(self, asked: Words) -> Words:
        """Let the versions of a table answer, or with none the serving one alone."""
        table = asked["table"]
        async with self.turn:
            versions = versions_of(table)
            if not versions and self.active is None:
                return {}
            gone = [v for v in sorted({*versions, self.active or 0}) if not self._is_ready(v)]
            if gone:
                which = f"version {gone[0]} has no live process" if gone[0] else "no version serves yet"
                return _error("not-ready", which)
            if versions and self.active not in {int(route["version"]) for route in table["routes"]}:
                return _error("mistaken", f"version {self.active} serves, and is none of the table's routes")
            before, self.table = self.table, table
            try:
                self.save()
            except OSError:
                self.table = before
                raise
            child = self.children[self.active or 0]
            if not await child.order(self._accept()):
                # It is started again, and told of the table then.
                return _error("not-ready", f"version {child.version} does not obey", tail=child.tail)
        return {}

    async def stop(self, asked: Words) -> Words:
        """Drain and end one version, or all and this process."""
        version = None if asked["version"] is None else int(asked["version"])
        async with self.turn:
            if version is None or self.active == version:
                self.active = self.table = None
                self.save(is_stopped=version is None)
            elif version in versions_of(self.table):
                # The accepting version hears of it first, so that nothing is handed on to one that ends.
                self.table = without(self.table or {}, version)
                self.save()
                await self.children[self.active or 0].order(self._accept())
        if version is None:
            await self.close()
            # Given back before the answer, so that whoever asked can start the endpoint anew at once.
            os.unlink(self.control)
            self.shared.close()
            os.close(self.lock)
        elif version in self.children:
            await self._end(self.children[version])
        return {}

    async def state(self, _: Words) -> Words:
        """What is there now."""
        serving = self.children.get(self.active or 0)
        notes = [f"version {v}: {c.note}" for v, c in sorted(self.children.items()) if c.note and not c.is_ready]
        return {
            "url": self.url,
            "serving": self.active,
            "versions": sorted(v for v, c in self.children.items() if c.is_ready),
            "held": sorted(self.children),
            "healthy": serving is not None and serving.is_ready,
            "detail": "; ".join(notes),
            "table": self.table,
            "ends": [
                {"version": v, "n": c.n_ends, "words": c.last_words}
                for v, c in sorted(self.children.items())
                if c.n_ends
            ],
        }

    # --- workers ------------------------------------------------------------------------------------------------

    def _add(self, spec: Words, *, is_kept: bool) -> Child:
        child = Child(spec, self.place, is_kept=is_kept, on_ready=self._on_ready, on_over=self._on_over)
        self.children[child.version] = child
        return child

    async def _on_ready(self, child: Child) -> None:
        async with self.turn:
            if self.active == child.version:
                await child.order(self._accept())
                await self._refuse(on=False)

    async def _on_over(self, child: Child) -> None:
        async with self.turn:
            if self.active == child.version:
                await self._refuse(on=True)

    def _accept(self) -> Words:
        """What the serving version is told: to accept, and who answers beside it."""
        sockets = {v: private_socket(self.place, v) for v in versions_of(self.table)}
        return {"do": "accept", "plan": self.table and {"table": self.table, "sockets": sockets}}

    def _is_ready(self, version: int) -> bool:
        child = self.children.get(version)
        return child is not None and child.is_ready

    async def _end(self, child: Child) -> None:
        await child.end()
        if self.children.get(child.version) is child:
            del self.children[child.version]

    async def _refuse(self, *, on: bool) -> None:
        """While the serving version is given up, say so to clients at once rather than let them wait for ever."""
        if self.refusing is not None:
            self.refusing.close()
            self.refusing = None
        if on:
            self.refusing = await asyncio.start_server(_say_503, sock=self.shared.dup())

    # --- its own life -------------------------------------------------------------------------------------------

    async def live(self, before: Words, report: int, *, is_tethered: bool) -> None:
        """Serve until told to stop, until SIGTERM, until the folder is gone, or until the tether's other end is."""
        spec = before.get("serving")
        if spec and not before.get("stopped"):
            self.active = int(spec["version"])
            self._add(spec, is_kept=True)
            self.table = before.get("table")
            for other in before.get("others", ()):
                self._add(other, is_kept=True)
        control = await asyncio.start_unix_server(self._hear, self.control)
        self.save()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.ended.set)
        if is_tethered:
            loop.add_reader(0, self._let_go)
        _tell(report, {"ok": True})
        while not self.ended.is_set() and self._is_wanted():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), LOOK_S)
        control.close()
        await self.close()
        if self.place.sockets != self.place.folder:
            shutil.rmtree(self.place.sockets, ignore_errors=True)

    def _let_go(self) -> None:
        """Whoever has this endpoint for a while is gone: so is the endpoint, and nothing of it comes back by itself."""
        asyncio.get_running_loop().remove_reader(0)
        self.active = self.table = None
        with contextlib.suppress(OSError):
            self.save(is_stopped=True)
        self.ended.set()

    async def close(self) -> None:
        """End all workers; afterwards `live` returns."""
        await asyncio.gather(*(self._end(child) for child in list(self.children.values())))
        await self._refuse(on=False)
        self.ended.set()

    def save(self, *, is_stopped: bool = False) -> None:
        """Write down what whoever starts this endpoint again, or wants to reach it, must know."""
        serving = self.children.get(self.active or 0)
        kept = {
            "pid": os.getpid(),
            "control": self.control,
            "url": self.url,
            "port": self.shared.getsockname()[1],
            "serving": None if serving is None else serving.spec,
            "stopped": is_stopped,
            "table": self.table,
            "others": [c.spec for v, c in self.children.items() if v in versions_of(self.table) and v != self.active],
        }
        path = os.path.join(self.place.folder, "endpoint.json")
        with open(path + ".new", "w", encoding="utf-8") as f:
            json.dump(kept, f, indent=2)
            f.flush()
            os.fsync(f.fileno())
        os.replace(path + ".new", path)

    def _is_wanted(self) -> bool:
        """Whether the endpoint's folder is still there: who deletes a project means its processes, too."""
        try:
            return os.stat(os.path.join(self.place.folder, "holder.lock")).st_ino == os.fstat(self.lock).st_ino
        except FileNotFoundError:
            return False

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                asked = json.loads(line)
                try:
                    reply = await _OBEY[asked["do"]](self, asked)
                except OSError as e:
                    reply = _error("trouble", str(e))
                writer.write(json.dumps(reply).encode() + b"\n")
                await writer.drain()
        except ConnectionError:
            # Whoever asked is gone; what was begun goes on, and asking again finds it.
            return
        finally:
            writer.close()


_OBEY = {
    "start": Holder.start, "switch": Holder.switch, "route": Holder.route, "stop": Holder.stop, "state": Holder.state,
}  # fmt: skip


def _error(kind: str, problem: str, *, tail: str = "") -> Words:
    return {"error": kind, "problem": problem, "tail": tail}


async def _say_503(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, TimeoutError):
        # What the client wrote is read first: closing on unread bytes would reset the connection under the answer.
        await asyncio.wait_for(reader.read(1 << 16), 1.0)
        writer.write(_HEAD_503 + b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(_BODY_503) + _BODY_503)
        await writer.drain()
    writer.close()


def _tell(report: int, what: Words) -> None:
    """Answer whoever started this process, over the pipe that was its stdout; then let that go."""
    with contextlib.suppress(BrokenPipeError):
        os.write(report, json.dumps(what).encode() + b"\n")
    os.close(report)


def _bind(shared: socket.socket, host: str, port: int, *, patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return shared.bind((host, port))
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.05)


def main() -> int:
    """Hold the endpoint in the folder `argv[1]` on port `argv[2]` (0: the one before, or any); work in `argv[3]`.

    `argv[4]` is the host, 127.0.0.1 if it is missing; with a fifth word stdin is a tether, and 0
    is any port.
    """
    if os.fork():
        # The starter waits for this first process only: the holder is nobody's zombie and in nobody's process tree.
        os._exit(0)
    # Nor does it keep what it was handed by accident: a step's output, or the file by which a runner knows its tasks.
    os.closerange(3, 1 << 16)
    folder, port, workplace = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    report = os.dup(1)
    os.dup2(2, 1)
    lock = os.open(os.path.join(folder, "holder.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        # Somebody else was faster; whoever started us finds that one.
        _tell(report, {"ok": True})
        return 0
    before: Words = {}
    with contextlib.suppress(FileNotFoundError, json.JSONDecodeError), open(f"{folder}/endpoint.json", "rb") as f:
        before = json.load(f)
    is_tethered = len(sys.argv) > 5
    # Nobody was promised to find a tethered one where the one before it was.
    port = port or (0 if is_tethered else int(before.get("port", 0)))
    host = (sys.argv[4:5] or ["127.0.0.1"])[0]
    shared = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        _bind(shared, host, port, patience_s=BIND_S if port == before.get("port") else 0.0)
    except OSError as e:
        _tell(report, {"port": port, "error": e.strerror or str(e)})
        return 1
    asyncio.run(Holder(folder, workplace, shared, lock).live(before, report, is_tethered=is_tethered))
    return 0


if __name__ == "__main__":
    sys.exit(main())
