"""Clients that others wrote, unmodified, each in an environment of its own, against servers that run.

The environments lie in the cache of the benchmarks and are made on first use; where no registry is reached the tests
are skipped, with the reason.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import serving_peers
from foreign import environment
from projects.tool import Tool
from served import Served, mixed, served, sums

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CLIENTS = Path(__file__).parent / "clients"
LABELS, CHANCES = [5.25, 11.5], [[0.25, 0.75], [0.5, 0.5]]


@pytest.fixture(scope="module")
def matrix() -> Iterator[Served]:
    with served(sums()) as running:
        yield running


@pytest.fixture(scope="module")
def columns() -> Iterator[Served]:
    with served(mixed()) as running:
        yield running


# Any: what a client printed.
def said(tool: Tool, client: str, *words: str) -> Any:
    command = [str(environment(tool) / "python"), str(CLIENTS / client), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_kserves_rest_client_asks_and_understands(matrix: Served) -> None:
    told = said(serving_peers.KSERVE, "kserve_rest.py", str(matrix.port), "m", "input")
    assert (told["live"], told["ready"], told["model ready"], told["other ready"]) == (True, True, True, False)
    for is_binary in (True, False):
        for back in (True, False):
            found = told[f"binary {is_binary}, back {back}"]
            assert (found["id"], found["model"]) == ("k-1", "m")
            assert found["outputs"] == {"label": LABELS, "probabilities": CHANCES}
    assert told["without id"]["outputs"]["label"] == LABELS
    assert told["without id"]["id"]
    assert list(told["chosen"]["outputs"].items()) == [("probabilities", CHANCES), ("label", LABELS)]
    assert told["object"]["outputs"]["label"] == [6.0]
    assert "there is no input" in told["refused"]


def test_kserves_rest_client_sends_texts(columns: Served) -> None:
    told = said(serving_peers.KSERVE, "kserve_texts.py", str(columns.port), "m")
    assert told == {"True": ["grüngrün", ""], "False": ["grüngrün", ""]}


def test_kserves_grpc_client_asks_and_understands(matrix: Served) -> None:
    told = said(serving_peers.KSERVE, "kserve_grpc.py", str(matrix.port), "m", "input")
    assert (told["live"], told["ready"], told["model ready"]) == (True, True, True)
    for word in ("raw", "contents"):
        assert told[word] == {
            "id": "k-2",
            "model": "m",
            "version": "2",
            "outputs": {"label": LABELS, "probabilities": CHANCES},
        }
    assert told["refused"][0] == "NOT_FOUND"
    assert "no model 'no-such'" in told["refused"][1]


def test_mlservers_types_and_codecs_read_and_write_what_is_ours(matrix: Served, columns: Served) -> None:
    told = said(serving_peers.MLSERVER, "mlserver_types.py", str(matrix.port), str(columns.port))
    assert told["server"] == "headway"
    assert told["inputs"] == [["a", "INT64", [-1]], ["b", "BYTES", [-1]]]
    assert told["index"] == [["m", "READY"]]
    assert told["id"] == "m-1"
    assert told["decoded"] == {"label": LABELS, "probabilities": CHANCES}
    assert told["as a request"] == LABELS
    assert told["texts"] == ["grüngrün", ""]
    assert told["frame"] == {"label": ["grüngrün", ""]}


@pytest.mark.skipif(not shutil.which("java"), reason="java is not installed: apt-get install default-jdk-headless")
def test_javas_own_client_posts_as_it_is(columns: Served) -> None:
    url = f"http://127.0.0.1:{columns.port}/predict"
    command = ["java", str(CLIENTS / "Ask.java"), url, '{"a": 2, "b": "x"}']
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    answers = done.stdout.splitlines()
    assert len(answers) == 3
    for one in answers:
        assert one.startswith("200 ")
        assert json.loads(one[4:])["predictions"] == ["xx"]
