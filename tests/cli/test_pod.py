"""What the containers of a version run: its files come by digest, and nothing else is served."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
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
        with urllib.request.urlopen(url, timeout=10) as response:
            told = json.load(response)
        assert (told["model"], told["version"], told["digest"]) == ("m", 3, inside.digest)
        for path in ("/v2/health/ready", "/v2/health/live"):
            assert urllib.request.urlopen(url + path, timeout=10).status == 200
        with urllib.request.urlopen(f"{url}/predict", b'{"x": 1}', timeout=10) as response:
            assert json.load(response)["predictions"] == [3]
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0


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


def test_a_store_that_lacks_the_version_ends_the_pod(pod: tuple[Path, Serving]) -> None:
    work, inside = pod
    absent = msgspec.structs.replace(inside, digest="0" * 64)
    (work / "version.json").write_bytes(msgspec.json.encode(absent))
    done = headway(work, "fetch", "version.json")
    assert done.returncode == 1
    assert "0" * 12 in done.stderr
