"""`headway serve` in a process of its own, ended by Ctrl-C; and `headway lineage` back from an answer."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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
    assert process.wait(30) == 0
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
