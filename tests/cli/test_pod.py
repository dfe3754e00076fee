"""What the containers of a version run: its files come by digest, and nothing else is served."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest

from headway import config, wiring
from headway.core.recording import Recording
from headway.flows.statcache import StatCache
from headway.flows.store import keep
from headway.ports import Serving
from headway.testing.target_contract import serving


@pytest.fixture
def pod(tmp_path: Path) -> tuple[Path, Serving]:
    """The folder a pod works in, and a version whose files are in its store but not in it."""
    made = serving(str(tmp_path / "project"), 3)
    work = tmp_path / "work"
    work.mkdir()
    with wiring.open(config.load(folder=str(work))) as parts:
        folder, name = os.path.split(made.path)
        assert keep(parts.blobs, folder, name, StatCache()).digest == made.digest
    inside = msgspec.structs.replace(made, path=str(tmp_path / "models" / "model.py"), recording=Recording(is_on=False))
    (work / "version.json").write_bytes(msgspec.json.encode(inside))
    return work, inside


# Whoever hands out a log waits seven seconds for requests on their way to its server. There are none here.
SOON = """
import sys
from headway.serving import handout
handout.UNROUTED_S = 0.5
from headway.cli import dispatch
sys.exit(dispatch(sys.argv[1:]))
"""


def headway(work: Path, *words: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "headway", "pod", *words]
    return subprocess.run(argv, cwd=work, capture_output=True, text=True, timeout=60, check=False)


def test_a_pod_fetches_its_version_and_serves_it_until_it_is_ended(pod: tuple[Path, Serving]) -> None:
    work, inside = pod
    done = headway(work, "fetch", "version.json")
    assert done.returncode == 0, done.stderr
    assert headway(work, "fetch", "version.json").returncode == 0
    argv = [sys.executable, "-m", "headway", "pod", "serve", "version.json", "--port", "0"]
    with subprocess.Popen(argv, cwd=work, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        line = server.stdout.readline()
        assert line.startswith("serves m@3 on port ")
        url = f"http://127.0.0.1:{line.split()[-1]}"
        with urllib.request.urlopen(url, timeout=60) as response:
            told = json.load(response)
        assert (told["model"], told["version"], told["digest"]) == ("m", 3, inside.digest)
        for path in ("/v2/health/ready", "/v2/health/live"):
            assert urllib.request.urlopen(url + path, timeout=60).status == 200
        with urllib.request.urlopen(f"{url}/predict", b'{"x": 1}', timeout=60) as response:
            assert json.load(response)["predictions"] == [3]
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


def test_what_a_pod_logged_is_handed_out_until_it_was_read_to_its_end(pod: tuple[Path, Serving]) -> None:
    work, inside = pod
    assert headway(work, "fetch", "version.json").returncode == 0
    (work / "version.json").write_bytes(msgspec.json.encode(msgspec.structs.replace(inside, recording=Recording())))
    environ = {**os.environ, "HEADWAY_LOG_KEY": "the key"}  # noqa: TID251 (a child inherits it)
    started = [
        subprocess.Popen(
            [sys.executable, "-c", SOON, "pod", word, "version.json", "--port", "0"],
            cwd=work,
            env=environ,
            stdout=subprocess.PIPE,
            text=True,
        )
        for word in ("serve", "log")
    ]
    try:
        ports = []
        for one in started:
            assert one.stdout is not None
            ports.append(one.stdout.readline().split()[-1])
        asked = urllib.request.Request(
            f"http://127.0.0.1:{ports[0]}/predict", b'{"x": 1}', {"X-Request-Id": "the-first"}
        )
        assert urllib.request.urlopen(asked, timeout=60).status == 200
        assert started[0].stdout is not None
        copies = started[0].stdout.readline()
        assert copies.startswith("takes copies of requests on port ")
        # What the header of those who hand on says is nothing to a port that anybody reaches.
        told = {"X-Request-Id": "a-copy", "X-Headway-Handed-On": "routed"}
        copied = urllib.request.Request(f"http://127.0.0.1:{copies.split()[-1]}/predict", b'{"x": 2}', told)
        assert json.load(urllib.request.urlopen(copied, timeout=60))["predictions"] == [3]
        while not (listed := json.loads(_handed_out(ports[1], "/log"))):
            time.sleep(0.05)
        name = listed[0]["name"]
        while len(content := _handed_out(ports[1], f"/log/{name}").splitlines()) < 2:
            time.sleep(0.05)
        found = {
            (line["request_id"], line["version"], line.get("is_shadow", False)) for line in map(json.loads, content)
        }
        assert found == {("the-first", 3, False), ("a-copy", 3, True)}
        with pytest.raises(urllib.error.HTTPError, match="403"):
            _handed_out(ports[1], "/log", key="another")
        for one in started:
            one.send_signal(signal.SIGTERM)
        assert started[0].wait(60) == 0
        # The server is gone: what it sealed at its end is still to be had, and then the log ends, too.
        while started[1].poll() is None:
            # It may end between the question whether it did and the next one.
            with suppress(OSError):
                for held in json.loads(_handed_out(ports[1], "/log")):
                    _handed_out(ports[1], f"/log/{held['name']}")
            time.sleep(0.2)
        assert started[1].returncode == 0
    finally:
        for one in started:
            one.kill()
            one.wait()
            assert one.stdout is not None
            one.stdout.close()


def _handed_out(port: str, path: str, *, key: str = "the key") -> bytes:
    asked = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"X-Headway-Key": key})
    try:
        with urllib.request.urlopen(asked, timeout=60) as response:
            content: bytes = response.read()
    except urllib.error.HTTPError as e:
        if e.code == 404:
            # Sealed meanwhile.
            return b""
        raise
    except (urllib.error.URLError, ConnectionError):
        # It has ended.
        return b"[]"
    return content


def test_a_log_that_nobody_reads_ends_with_its_pod(pod: tuple[Path, Serving]) -> None:
    work, _ = pod
    argv = [sys.executable, "-m", "headway", "pod", "log", "version.json", "--port", "0"]
    with subprocess.Popen(argv, cwd=work, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        assert one.stdout.readline().startswith("hands out the log on port ")
        one.send_signal(signal.SIGTERM)
        assert one.wait(60) == 0


def test_files_that_are_not_the_version_are_not_served(pod: tuple[Path, Serving]) -> None:
    work, inside = pod
    os.makedirs(os.path.dirname(inside.path))
    Path(inside.path).write_text("def predict(rows): return [666]")
    done = headway(work, "serve", "version.json", "--port", "0")
    assert done.returncode == 1
    assert "is not the model that was registered" in done.stderr


def test_a_pod_without_files_or_without_a_version_says_what_is_missing(pod: tuple[Path, Serving]) -> None:
    work, inside = pod
    done = headway(work, "serve", "version.json")
    assert (done.returncode, f"there is no {inside.path} in this pod" in done.stderr) == (2, True)
    (work / "version.json").write_text("{}")
    done = headway(work, "fetch", "version.json")
    assert (done.returncode, "says no version" in done.stderr) == (2, True)


@pytest.mark.parametrize("word", ["fetch", "serve", "log"])
@pytest.mark.parametrize(("key", "value"), [("digest", "latest"), ("digest", "../" * 21 + "x"), ("onnx_digest", "")])
def test_what_is_no_digest_is_told_as_a_fault_of_the_file(
    pod: tuple[Path, Serving], word: str, key: str, value: str
) -> None:
    work, inside = pod
    told = {"onnx": inside.path, "onnx_digest": inside.digest, key: value}
    wrong = msgspec.structs.replace(inside, **told)
    (work / "version.json").write_bytes(msgspec.json.encode(wrong))
    done = headway(work, word, "version.json")
    assert done.returncode == 2
    assert f"says no digest of {inside.path}: {value!r}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_that_lacks_the_version_ends_the_pod(pod: tuple[Path, Serving]) -> None:
    work, inside = pod
    absent = msgspec.structs.replace(inside, digest="0" * 64)
    (work / "version.json").write_bytes(msgspec.json.encode(absent))
    done = headway(work, "fetch", "version.json")
    assert done.returncode == 1
    assert "0" * 12 in done.stderr
