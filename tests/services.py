"""Servers that tests talk to, started on loopback and ended by their process id."""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import glob

import pytest

USERS = ("postgres", "nobody")
"""Whom PostgreSQL runs as when the tests run as root, which it refuses."""


_GIVEN: set[int] = set()


def free_port() -> int:
    """A port of loopback that nobody listens on, and that stays free until whoever asked takes it.

    It lies below those that systems hand out (32768 and up on Linux, 49152 elsewhere): one of these, freed to be taken
    a moment later, may be somebody's connection by then.
    """
    while True:
        port = secrets.choice(range(15_000, 30_000))
        with suppress(OSError), socket.socket() as s:
            s.bind(("127.0.0.1", port))
            if port not in _GIVEN:
                _GIVEN.add(port)
                return port


def _binary(name: str) -> str:
    for path in sorted(glob(f"/usr/lib/postgresql/*/bin/{name}"), reverse=True):
        return path
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"PostgreSQL's {name} is not installed: apt-get install postgresql (or tools/system.sh as root)")
    return found


def _user() -> tuple[int, int] | None:
    """User and group that the server runs as; None: as the tests themselves."""
    import pwd

    if os.getuid():
        return None
    for name in USERS:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    return pytest.skip(f"PostgreSQL refuses to run as root, and there is no user {' or '.join(USERS)}")


@contextmanager
def postgresql() -> Iterator[str]:
    """The URL of a PostgreSQL server of one's own, whose user `headway` has the password `secret`."""
    initdb, postgres = _binary("initdb"), _binary("postgres")
    account = _user()
    uid, gid = account or (None, None)
    groups: list[int] | None = None if account is None else []
    # Not in pytest's folders: these are closed to the user that the server runs as.
    folder = tempfile.mkdtemp(prefix="headway-postgresql-")
    data = os.path.join(folder, "data")
    password = os.path.join(folder, "password")
    with open(password, "w") as f:
        f.write("secret")
    for path in (folder, password):
        os.chown(path, -1 if uid is None else uid, -1 if gid is None else gid)
    port = free_port()
    server = None
    try:
        words = [initdb, "-D", data, "-U", "headway", "-A", "scram-sha-256", f"--pwfile={password}", "-E", "UTF8"]
        made = subprocess.run(
            [*words, "--locale=C", "--no-sync"],
            capture_output=True,
            text=True,
            cwd=folder,
            check=False,
            user=uid,
            group=gid,
            extra_groups=groups,
        )
        assert made.returncode == 0, made.stderr
        settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
        with open(os.path.join(folder, "log"), "wb") as log:
            server = subprocess.Popen(
                [postgres, "-D", data, *(word for key, value in settings.items() for word in ("-c", f"{key}={value}"))],
                stdout=log,
                stderr=log,
                cwd=folder,
                user=uid,
                group=gid,
                extra_groups=groups,
            )
        url = f"postgresql://headway:secret@127.0.0.1:{port}/postgres"
        _wait(url, server)
        yield url
    finally:
        if server is not None:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()
        shutil.rmtree(folder)


def _wait(url: str, server: "subprocess.Popen[bytes]") -> None:
    import psycopg

    for _ in range(300):
        assert server.poll() is None, "PostgreSQL ended"
        with suppress(psycopg.OperationalError):
            psycopg.connect(url).close()
            return
        time.sleep(0.1)
    raise AssertionError("PostgreSQL does not answer")
