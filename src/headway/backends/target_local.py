"""Endpoints on this machine: a port of 127.0.0.1 that stays, and a process for each version behind it.

This file speaks for the command that is run now. The port is held by a process that outlives it (`serving/holder`,
started here when there is none), told over a Unix socket; see ADR 0005 for why it is made so. Each endpoint has a
folder: `endpoint.json` (where the holder is, what serves), `v3.log` (what version 3 printed), `holder.log`.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from headway.backends import path_of
from headway.core.routing import Table, faults, refuse
from headway.errors import TargetUnavailable, UsageMistaken, VersionNotReady
from headway.ports import Answer, EndpointState, Serving, Target

if TYPE_CHECKING:
    from http.client import HTTPConnection

BEGIN_S = 15.0
"""How long a new holder may take to bind its port and answer: an interpreter's start, on a busy machine."""

OBEY_S = 60.0
"""How long a holder may take to switch or stop: more than the limits it has itself (40 s to end a worker)."""

HERE = "127.0.0.1"

_REMEDY = "mend that (a full disk? a version number used for two models?), then deploy again"

_START_IT = "start it (`headway deploy`), or leave it out; the table that was in force still is"

# Any: the JSON that the holder speaks, see there.
Words = dict[str, Any]


def connect(url: str, environ: Mapping[str, str]) -> "LocalTarget":
    """The target whose endpoints lie in the folder `local:<project>/.headway/endpoints`.

    `HOST` and `TETHER` in `environ` are what `LocalTarget` calls so.
    """
    tether = environ.get("TETHER", "")
    return LocalTarget(path_of(url), host=environ.get("HOST") or HERE, tether=int(tether) if tether else None)


_QUIET = {
    "PYTHONUNBUFFERED": "1",
    # One request has too little work to share: on a busy machine threads that wait for each other took 5 times as long.
    "OMP_NUM_THREADS": "1",
}
"""What a server's environment has unless somebody set it otherwise."""


class LocalTarget:
    """Endpoints in `root`, a folder for each. Workers run in the project's folder, two above `root`.

    Endpoints that it starts listen on `host`. With `tether`, the reading end of a pipe, they end when nobody holds its
    other end any more: when the process that has it ends, however that happens.
    """

    __slots__ = ("_host", "_root", "_tether")

    def __init__(self, root: str, *, host: str = HERE, tether: int | None = None) -> None:
        self._root = os.path.abspath(root)
        self._host = host
        self._tether = tether

    def start(self, serving: Serving, *, port: int, timeout_s: float) -> str:
        """See `ports.Target`. The endpoint's holder is started when there is none."""
        self._hold(serving.endpoint, port)
        spec = msgspec.to_builtins(serving)
        reply = self._tell(
            serving.endpoint, {"do": "start", "serving": spec, "timeout_s": timeout_s}, timeout_s=timeout_s + OBEY_S
        )
        return str(reply["address"])

    def ask(self, endpoint: str, version: int, requests: Sequence[bytes], *, timeout_s: float) -> list[Answer]:
        """See `ports.Target`. Over the version's private socket, on one connection."""
        path = os.path.join(os.path.dirname(self._kept(endpoint).get("control", "")), f"v{version}.sock")
        connection = _over(path, timeout_s)
        answers = []
        try:
            for body in requests:
                began = time.perf_counter()
                connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
                response = connection.getresponse()
                content = response.read()
                answers.append(Answer(status=response.status, body=content, ms=(time.perf_counter() - began) * 1000))
        except (OSError, _protocol_error()) as e:
            raise VersionNotReady(
                f"version {version} of {endpoint} gives no answer: {str(e) or type(e).__name__}",
                at=f"endpoint: {endpoint}",
                remedy=f"read {self._log(endpoint, version)}; deploy the version again when it is mended",
            ) from e
        finally:
            connection.close()
        return answers

    def switch(self, endpoint: str, version: int) -> str:
        """See `ports.Target`. Connections that the old version holds are answered by the new one, too."""
        return str(self._tell(endpoint, {"do": "switch", "version": version}, timeout_s=OBEY_S)["url"])

    def route(self, endpoint: str, table: Table | None) -> None:
        """See `ports.Target`. The version that serves accepts, and hands on what is the others' over their sockets."""
        if table is not None:
            refuse(endpoint, faults(table))
        told = None if table is None else msgspec.to_builtins(table)
        self._tell(endpoint, {"do": "route", "table": told}, timeout_s=OBEY_S)

    def stop(self, endpoint: str, version: int | None) -> None:
        """See `ports.Target`. The port is remembered: a later start of the endpoint takes it again."""
        if self._is_alive(endpoint):
            self._tell(endpoint, {"do": "stop", "version": version}, timeout_s=OBEY_S)
        elif version is None and (kept := self._kept(endpoint)):
            path = os.path.join(self._folder(endpoint), "endpoint.json")
            with open(path + ".new", "w", encoding="utf-8") as f:
                json.dump({**kept, "serving": None, "stopped": True}, f, indent=2)
            os.replace(path + ".new", path)

    def state(self, endpoint: str) -> EndpointState | None:
        """See `ports.Target`. An endpoint whose holder is gone (a reboot) is there, unhealthy, and says what to do."""
        kept = self._kept(endpoint)
        if not kept or kept.get("stopped", False):
            return None
        if not self._is_alive(endpoint):
            return EndpointState(
                url=kept.get("url", ""),
                serving=None,
                detail="its processes are gone (a restart of the machine?); deploy again",
            )
        return msgspec.convert(self._tell(endpoint, {"do": "state"}, timeout_s=OBEY_S), EndpointState)

    def collect(self, endpoint: str) -> list[str]:  # noqa: ARG002 (as below)
        """See `ports.Target`. Its workers write into the endpoint's folder themselves."""
        return []

    # --- the holder ---------------------------------------------------------------------------------------------

    def _folder(self, endpoint: str) -> str:
        return os.path.join(self._root, endpoint)

    def _log(self, endpoint: str, version: int) -> str:
        return os.path.relpath(os.path.join(self._folder(endpoint), f"v{version}.log"))

    def _kept(self, endpoint: str) -> Words:
        try:
            with open(os.path.join(self._folder(endpoint), "endpoint.json"), "rb") as f:
                # Any: what the holder wrote, see there.
                kept: Words = json.load(f)
        except FileNotFoundError:
            return {}
        return kept

    def _is_alive(self, endpoint: str) -> bool:
        kept = self._kept(endpoint)
        if not kept:
            return False
        with _socket(5.0) as control:
            try:
                control.connect(kept.get("control", ""))
            except OSError:
                return False
        return True

    def _hold(self, endpoint: str, port: int) -> None:
        """Make sure that the endpoint's holder lives, on this port (0: any, or the one it had)."""
        if self._is_alive(endpoint):
            have = self._kept(endpoint)["port"]
            if port not in (0, have):
                raise TargetUnavailable(
                    f"the endpoint {endpoint} lives on port {have}, not {port}",
                    at=f"endpoint: {endpoint}",
                    remedy=f"leave port {have}, or take it down first: headway endpoints --stop {endpoint}",
                )
            return
        folder = self._folder(endpoint)
        os.makedirs(folder, mode=0o700, exist_ok=True)
        words = [folder, str(port), os.path.dirname(os.path.dirname(self._root)), self._host]
        said = _spawned(words, self._tether)
        if "error" in said:
            raise TargetUnavailable(
                f"port {said['port']} cannot be taken: {said['error']}",
                at=f"endpoint: {endpoint}",
                remedy=f"free it (`ss -ltnp 'sport = :{said['port']}'` shows who has it), or give another `port:`",
            )
        deadline = time.monotonic() + BEGIN_S
        while "ok" not in said or not self._is_alive(endpoint):
            if "ok" not in said or time.monotonic() > deadline:
                raise TargetUnavailable(
                    f"the process that holds the endpoint {endpoint} could not be started",
                    at=f"endpoint: {endpoint}",
                    remedy=f"read {os.path.relpath(os.path.join(folder, 'holder.log'))}",
                )
            time.sleep(0.02)

    def _tell(self, endpoint: str, words: Words, *, timeout_s: float) -> Words:
        """One question to the holder. Raises VersionNotReady, TargetUnavailable."""
        kept = self._kept(endpoint)
        with _socket(timeout_s) as control:
            try:
                control.connect(kept.get("control", ""))
                control.sendall(json.dumps(words).encode() + b"\n")
                with control.makefile("rb") as lines:
                    line = lines.readline()
            except OSError as e:
                raise self._gone(endpoint, kept, str(e)) from e
        if not line.endswith(b"\n"):
            raise self._gone(endpoint, kept, "it ended without an answer")
        # Any: what the holder says, see there.
        reply: Words = json.loads(line)
        if "error" not in reply:
            return reply
        at = f"endpoint: {endpoint}"
        if reply["error"] == "mistaken":
            raise UsageMistaken(f"{endpoint}: {reply['problem']}", at=at, remedy="name it, with a weight of 0 maybe")
        if reply["error"] == "not-ready":
            version = words.get("version") or words.get("serving", {}).get("version")
            tail = f":\n{reply['tail']}" if reply["tail"] else ""
            where = f"{self._log(endpoint, version)} has all it said; no traffic reached it" if version else _START_IT
            raise VersionNotReady(f"{endpoint}: {reply['problem']}{tail}", at=at, remedy=where)
        raise TargetUnavailable(f"{endpoint}: {reply['problem']}", at=at, remedy=_REMEDY)

    def _gone(self, endpoint: str, kept: Words, why: str) -> TargetUnavailable:
        return TargetUnavailable(
            f"the process that holds the endpoint {endpoint} ({kept.get('pid', 'none')}) does not answer: {why}",
            at=f"endpoint: {endpoint}",
            remedy="deploy again: it is then started anew (end that process first if it hangs)",
        )


_: type[Target] = LocalTarget


# Any: a socket and an exception class of modules that only a release needs.
def _socket(timeout_s: float) -> Any:  # noqa: ANN401 (as above)
    import socket

    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.settimeout(timeout_s)
    return made


def _protocol_error() -> type[Exception]:
    from http.client import HTTPException

    return HTTPException


def _over(path: str, timeout_s: float) -> "HTTPConnection":
    """An HTTP connection over a Unix socket, opened at the first request."""
    from http.client import HTTPConnection

    class _Unix(HTTPConnection):
        def connect(self) -> None:
            self.sock = _socket(timeout_s)
            self.sock.connect(path)

    return _Unix("localhost", timeout=timeout_s)


def _spawned(argv: list[str], tether: int | None) -> Words:
    """Start a holder with these words; returns its first words, or none when it said none."""
    # What speaks to a step of the run that starts it must not reach an endpoint, which outlives the run.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("HEADWAY_")}  # noqa: TID251 (inherited, not read)
    tethered = [] if tether is None else ["tethered"]
    folder, argv = argv[0], [sys.executable, "-P", "-m", "headway.serving.holder", *argv, *tethered]
    read, write = os.pipe()
    log = os.open(os.path.join(folder, "holder.log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    try:
        actions = [
            (os.POSIX_SPAWN_DUP2, null if tether is None else tether, 0),
            (os.POSIX_SPAWN_DUP2, write, 1),
            (os.POSIX_SPAWN_DUP2, log, 2),
        ]
        pid = os.posix_spawn(argv[0], argv, {**_QUIET, **environ}, file_actions=actions, setsid=True)
    finally:
        for fd in (write, log, null):
            os.close(fd)
    os.waitpid(pid, 0)
    with os.fdopen(read, "rb") as words:
        line = words.readline()
    # Any: what the holder says first, see there.
    said: Words = json.loads(line) if line else {}
    return said
