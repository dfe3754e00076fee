"""The benchmark of serving: what is asked of servers, what wrk counts, and which peer a goal is held against."""

import http.server
import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import serving
from report import Sample, Series
from serving_load import Load, first, once
from serving_servers import ROW, WIDTH, Running, label


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers each row with 1; the path /broken with 500."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = b'{"predictions": [1]}'
        self.send_response(500 if self.path == "/broken" else 200)
        self.send_header("content-length", str(len(body)))
        if self.headers.get("connection") == "close":
            self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_request_for_rows_is_json_or_binary() -> None:
    running = Running(port=1, began=0, input="X")
    asked = json.loads(running.request(2).body)["inputs"][0]
    assert (asked["name"], asked["shape"], asked["data"]) == ("X", [2, WIDTH], ROW * 2)
    binary = running.request(100, is_binary=True)
    size = int(binary.headers["Inference-Header-Content-Length"])
    assert len(binary.body) - size == 100 * WIDTH * 8
    plain = Running(port=1, began=0, path="/predict").request(3)
    assert json.loads(plain.body) == {"inputs": [ROW] * 3}


def test_the_first_answer_is_read_and_a_bad_one_is_none(port: int) -> None:
    assert label(first(port, Running(port=port, began=0, path="/predict").request())) == 1
    broken = once(port, Running(port=port, began=0, path="/broken").request())
    assert broken.startswith(b"HTTP/1.1 500")


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not on the PATH")
@pytest.mark.parametrize("path", ["/predict", "/broken"])
def test_wrk_counts_answers_and_those_that_failed(
    port: int, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    load = Load(port, Running(port=port, began=0, path=path).request(), n_connections=2, seconds=1)
    told = load.end()
    assert told["n"] > 0
    assert told["us"] >= 900_000
    assert 0 < told["p50_us"] <= told["p99_us"]
    assert told["failed"] == (told["n"] if path == "/broken" else 0)


def a_series(tool: str, case: str, rate: float, wall_s: float = 1.0) -> Series:
    counts = {serving.RATE: rate, serving.CPU: 1e6 / rate, serving.MEMORY: 100.0}
    return Series(tool=tool, case=case, samples=[Sample(wall_s=wall_s, cpu_s=1, rss_bytes=1, counts=counts)])


def test_a_goal_is_held_against_the_best_setting_of_a_peer() -> None:
    slow, quick = "mlserver, in process", "mlserver, a worker, batching"
    series = [a_series(tool, serving.MANY, rate) for tool, rate in ((serving.GRAPH, 1000), (slow, 50), (quick, 100))]
    of_rates = [one for one in serving.promises(series) if one.measure == serving.RATE and one.of[0] == serving.GRAPH]
    held = {one.over: one.judged(series) for one in of_rates}
    assert held[quick, serving.MANY] == ("BROKEN", 10.0)
    assert (slow, serving.MANY) not in held


def test_what_was_not_measured_is_not_kept() -> None:
    assert {one.judged([])[0] for one in serving.promises([])} == {"unmeasured"}


def test_the_peer_that_starts_first_is_found() -> None:
    series = [a_series("fastapi", serving.START, 1, 3.0), a_series("mlserver, in process", serving.START, 1, 2.0)]
    assert (
        serving.best(series, ["fastapi", "mlserver, in process"], serving.START, least=True) == "mlserver, in process"
    )
