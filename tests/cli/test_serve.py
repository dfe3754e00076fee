"""`headway serve` in a process of its own, ended by Ctrl-C; and `headway lineage` back from an answer."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from headway.tables import prediction_log as files

MODEL = "COLUMNS = ('distance',)\ndef predict(rows):\n    return [row['distance'] > 1000 for row in rows]\n"
PIPELINE = """steps:
  - name: Make
    run: cp model.py made.py
    in: model.py
    out: {model: made.py}
  - name: Register
    uses: register
    with: {model: "${{ steps.make.out.model }}", name: far}
"""


def headway(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "headway", *words], cwd=folder, capture_output=True, text=True, timeout=100, check=False
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    (folder / "model.py").write_text(MODEL)
    (folder / "pipeline.yaml").write_text(PIPELINE)
    done = headway(folder, "run")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def served(project: Path) -> Iterator[tuple[dict[str, Any], "subprocess.Popen[str]"]]:
    words = [sys.executable, "-m", "headway", "serve", "far@challenger", "--port", "0", "--json"]
    with subprocess.Popen(words, cwd=project, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, "it ended before it said its address"
            text += line
        yield json.loads(text), process
        process.kill()


def post(url: str, value: object, request_id: str) -> dict[str, Any]:
    request = urllib.request.Request(url, json.dumps(value).encode(), {"X-Request-Id": request_id})
    with urllib.request.urlopen(request, timeout=30) as response:
        return dict(json.loads(response.read()))


def test_a_version_is_served_until_ctrl_c_and_a_prediction_leads_back(project: Path, served: Any) -> None:
    told, process = served
    assert (told["model"], told["version"]) == ("far", 1)
    assert told["curl"].startswith(f'curl -s {told["url"]}/predict -d \'{{"distance":')
    assert post(told["url"] + "/predict", {"distance": 1200}, "order-1")["predictions"] == [True]
    assert post(told["url"] + "/labels", {"request_id": "order-1", "label": False}, "l") == {"accepted": 1}
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    back = headway(project, "lineage", "order-1", "--json")
    assert back.returncode == 0, back.stderr
    document = json.loads(back.stdout)
    assert (document["endpoint"], document["model"], document["version"]) == ("serve-far", "far", 1)
    assert document["rows"][0]["feature.distance"] == 1200
    assert document["rows"][0]["prediction"] is True
    assert [label["label"] for label in document["labels"]] == [False]
    assert document["lineage"]["run"]["run"] == 1
    text = headway(project, "lineage", "order-1").stdout
    assert "distance=1200" in text
    assert "far@1" in text


def test_what_cannot_be_served_is_told_of(project: Path) -> None:
    (project / "other.py").write_text(MODEL + "# another\n")
    assert "would run code" in headway(project, "serve", "other.py", "--port", "0").stderr
    assert headway(project, "serve", "nope@1").returncode == 2
    assert headway(project, "serve", "far@1", "--share", "2").returncode == 2
    assert headway(project, "lineage", "no-such-request").returncode == 2


@pytest.fixture(scope="module")
def versions(project: Path) -> Path:
    """Versions 2 and 3 beside the first, which answer the other way round."""
    for n, text in (("2", "<"), ("3", "<=")):
        (project / "model.py").write_text(MODEL.replace(">", text) + f"# {n}\n")
        done = headway(project, "run")
        assert done.returncode == 0, done.stderr
    return project


def begun(project: Path, *words: str) -> tuple["subprocess.Popen[str]", dict[str, Any]]:
    argv = [sys.executable, "-m", "headway", "serve", *words, "--port", "0", "--json"]
    process = subprocess.Popen(argv, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    text = ""
    while not text.endswith("}\n"):
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        text += line
    return process, json.loads(text)


def gone(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=60).close()
    except OSError:
        return True
    return False


def test_several_versions_share_one_port_until_ctrl_c(versions: Path) -> None:
    words = ["far@1", "far@2", "--weights", "50,50", "--sticky", "distance", "--shadow", "far@3=100%"]
    process, told = begun(versions, *words)
    try:
        assert told["shares"] == {"1": 0.5, "2": 0.5}
        assert (told["sticky"], told["shadow"]) == ("field:distance", {"version": 3, "share": 1.0})
        assert told["curl"].startswith(f'curl -s {told["url"]}/predict -d \'{{"distance":')
        answers = {i: post(told["url"] + "/predict", {"distance": i}, f"o-{i}")["model"] for i in range(40)}
        assert set(answers.values()) == {"far@1", "far@2"}
        again = {i: post(told["url"] + "/predict", {"distance": i}, f"p-{i}")["model"] for i in range(40)}
        assert again == answers
        # Another cannot take the same place.
        second = headway(versions, "serve", "far@1", "far@2", "--port", "0")
        assert (second.returncode, "served already" in second.stderr) == (2, True)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()
    assert gone(told["url"])
    found = files.read(str(versions / ".headway/endpoints/serve-far/predictions"), shadows=True)
    mine = found.filter(pl.col("request_id").is_in([f"o-{i}" for i in range(40)]))
    by = {(r, s): f"{m}@{v}" for r, s, m, v in mine.select("request_id", "is_shadow", "model", "version").rows()}
    assert by == {(f"o-{i}", False): answers[i] for i in answers} | {(f"o-{i}", True): "far@3" for i in answers}


@pytest.mark.parametrize("names", [["far@1"], ["far@1", "far@2"]], ids=["one", "several"])
def test_a_port_that_is_taken_is_told_before_anything_is_loaded(versions: Path, names: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        done = headway(versions, "serve", *names, "--port", str(other.getsockname()[1]))
    assert (done.returncode, "give another --port" in done.stderr) == (2, True)


def test_any_free_port_is_another_one_when_the_last_is_taken(versions: Path) -> None:
    remembered = versions / ".headway/endpoints/serve-far/endpoint.json"
    with socket.create_server(("127.0.0.1", 0)) as other:
        remembered.parent.mkdir(parents=True, exist_ok=True)
        control = str(remembered.parent / "gone.sock")
        remembered.write_text(json.dumps({"port": other.getsockname()[1], "stopped": True, "control": control}))
        process, told = begun(versions, "far@1", "far@2", "--no-log")
        try:
            assert told["url"] != f"http://127.0.0.1:{other.getsockname()[1]}"
            assert post(told["url"] + "/predict", {"distance": 1}, "x")["model"] in ("far@1", "far@2")
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            process.communicate()


@pytest.mark.slow
def test_versions_end_with_the_command_that_serves_them_however_it_ends(versions: Path) -> None:
    process, told = begun(versions, "far@1", "far@2", "--no-log")
    process.kill()
    process.communicate()
    deadline = time.monotonic() + 60
    while not gone(told["url"]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    # Nor do they come back with the next one.
    process, told = begun(versions, "far@2", "--shadow", "far@3=0.5", "--no-log")
    assert told["shares"] == {"2": 1.0}
    assert post(told["url"] + "/predict", {"distance": 1}, "x")["model"] == "far@2"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    process.communicate()


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["far@1", "far@2", "--weights", "1"], "1 weight for 2 versions"),
        (["far@1", "far@2", "--weights", "1,x"], "are no weights"),
        (["far@1", "far@2", "--weights", "0,0"], "no version has a weight"),
        (["far@1", "far@1"], "named twice"),
        (["far@1", "model.py"], "no registered version"),
        (["far@1", "--shadow", "far@1"], "is their shadow"),
        (["far@1", "--shadow", "far@2=2"], "is no share"),
        (["far@1", "--shadow", "=20%"], "no registered version"),
        (["far@1", "--host", "nowhere.invalid"], "give another --host"),
        (["far@1", "far@2", "--host", "nowhere.invalid"], "give another --host"),
        (["far@1", "far@2", "--sticky", "header:"], "names no key"),
        (["far@1", "--weights", "1"], "nothing to share"),
        (["far@1", "far@2", "--sticky", "customer_id"], "customer_id is no column of the model"),
    ],
)
def test_what_cannot_be_shared_out_is_told(versions: Path, words: list[str], problem: str) -> None:
    done = headway(versions, "serve", *words, "--port", "0")
    assert done.returncode == 2
    assert problem in done.stderr
