"""Real endpoints on this machine when processes die, and under load while versions come and go."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from headway.backends.target_local import LocalTarget
from headway.errors import TargetUnavailable, VersionNotReady
from headway.ports import Answer, Serving
from headway.testing.processes import eventually, is_alive
from headway.testing.target_contract import ENDPOINT, READY_S, ROW, serving

pytestmark = pytest.mark.slow


def post(url: str, body: bytes = ROW) -> Answer:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    try:
        connection.request("POST", "/predict", body)
        response = connection.getresponse()
        return Answer(status=response.status, body=response.read(), ms=0.0)
    finally:
        connection.close()


class Place:
    """One endpoint of a test: its target, its files, its processes."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.target = LocalTarget(os.path.join(root, ".headway/endpoints"))
        self.folder = os.path.join(root, ".headway/endpoints", ENDPOINT)

    def up(self, version: int, text: str = "", *, port: int = 0) -> Serving:
        made = serving(self.root, version, text=text)
        self.target.start(made, port=port, timeout_s=READY_S)
        return made

    def serve(self, version: int, text: str = "", *, port: int = 0) -> str:
        self.up(version, text, port=port)
        return self.target.switch(ENDPOINT, version)

    def holder(self) -> int:
        with open(os.path.join(self.folder, "endpoint.json"), "rb") as file:
            return int(json.load(file)["pid"])

    def worker(self, version: int) -> int:
        """The process that answers for a version: the one that its model tells."""
        body = b'{"inputs": [{"pid": 0}]}'
        answer = self.target.ask(ENDPOINT, version, [body], timeout_s=30)[0]
        return int(json.loads(answer.body)["predictions"][0])

    def is_well(self) -> bool:
        state = self.target.state(ENDPOINT)
        return state is not None and state.healthy


PID = "import os\ndef predict(rows): return [os.getpid()] * len(rows)"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(os.path.realpath(tmp_path))
    yield made
    made.target.stop(ENDPOINT, None)


def test_a_connection_that_was_open_before_the_switch_is_answered_by_the_new_version(place: Place) -> None:
    url = place.serve(1)
    place.up(2)
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    told = []
    for version in (1, 2, 2):
        place.target.switch(ENDPOINT, version)
        connection.request("POST", "/predict", ROW, {"X-Request-Id": f"r{version}"})
        response = connection.getresponse()
        told.append((response.headers["X-Headway-Version"], response.headers["X-Request-Id"], response.status))
        response.read()
    connection.close()
    assert told == [("m@1", "r1", 200), ("m@2", "r2", 200), ("m@2", "r2", 200)]


def test_a_killed_worker_comes_back_and_waiting_clients_are_answered(place: Place) -> None:
    url = place.serve(1, PID)
    before = place.worker(1)
    os.kill(before, signal.SIGKILL)
    # No wait: the request stands in the queue of the port until the worker is back.
    answer = post(url)
    assert answer.status == 200
    assert json.loads(answer.body)["predictions"] != [before]
    eventually(place.is_well)


def test_a_version_that_keeps_crashing_is_given_up_and_clients_are_told(place: Place) -> None:
    flag = os.path.join(place.root, "crash")
    text = f"import os\nif os.path.exists({flag!r}): os._exit(3)\ndef predict(rows): return [os.getpid()] * len(rows)"
    url = place.serve(1, text)
    Path(flag).touch()
    os.kill(place.worker(1), signal.SIGKILL)
    eventually(lambda: "8 times in a row" in _detail(place), within_s=60)
    answer = post(url)
    assert answer.status == 503
    assert b"keeps crashing" in answer.body
    assert not place.is_well()
    os.unlink(flag)
    # Started again it answers by itself: whoever brings back what should serve need not switch to it.
    place.up(1, text)
    assert {post(url).status for _ in range(10)} == {200}
    assert place.serve(1, text) == url
    assert post(url).status == 200


def _detail(place: Place) -> str:
    state = place.target.state(ENDPOINT)
    return "" if state is None else state.detail


def test_a_killed_holder_takes_its_workers_along_and_a_start_brings_all_back(place: Place) -> None:
    url = place.serve(1, PID)
    worker = place.worker(1)
    os.kill(place.holder(), signal.SIGKILL)
    eventually(lambda: not is_alive(worker))
    state = place.target.state(ENDPOINT)
    assert state is not None
    assert (state.url, state.serving, state.healthy) == (url, None, False)
    assert "deploy again" in state.detail
    with pytest.raises((VersionNotReady, TargetUnavailable)):
        place.target.switch(ENDPOINT, 1)
    # Another version is started: the one that served is restored as well, and serves.
    place.up(2)
    eventually(place.is_well)
    state = place.target.state(ENDPOINT)
    assert state is not None
    assert (state.url, state.serving, state.versions) == (url, 1, (1, 2))
    assert post(url).status == 200


def test_the_last_words_of_a_version_that_cannot_start_are_told(place: Place) -> None:
    with pytest.raises(VersionNotReady, match="ZeroDivisionError: division by zero") as caught:
        place.up(1, "1 / 0")
    assert caught.value.exit_code == 7
    with pytest.raises(VersionNotReady, match=r"not ready within 1 s"):
        place.target.start(serving(place.root, 2, text="import time\ntime.sleep(60)"), port=0, timeout_s=1)


def test_a_model_file_that_was_changed_is_not_served(place: Place) -> None:
    made = serving(place.root, 1)
    Path(made.path).write_text("def predict(rows): return ['changed'] * len(rows)")
    with pytest.raises(VersionNotReady, match="is not the one that was vouched for: its content is another"):
        place.target.start(made, port=0, timeout_s=READY_S)


def test_a_port_somebody_else_has_is_named(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TargetUnavailable, match=f"port {port} cannot be taken"):
            place.up(1, port=port)
    # Free again: the very same call works, and the port is the endpoint's from now on.
    assert place.serve(1, port=port) == f"http://127.0.0.1:{port}"
    with pytest.raises(TargetUnavailable, match=f"lives on port {port}"):
        place.up(2, port=port + 1)


def test_starters_at_the_same_moment_find_one_holder(place: Place) -> None:
    made = serving(place.root, 1)
    command = (
        "import sys, msgspec\n"
        "from headway.backends.target_local import LocalTarget\nfrom headway.ports import Serving\n"
        "LocalTarget(sys.argv[1]).start(msgspec.json.decode(sys.argv[2], type=Serving), port=0, timeout_s=60)"
    )
    argv = [sys.executable, "-c", command, os.path.dirname(place.folder), msgspec.json.encode(made).decode()]
    starters = [subprocess.Popen(argv) for _ in range(3)]
    assert [starter.wait(timeout=90) for starter in starters] == [0, 0, 0]
    assert len(_holders(place)) == 1


def _holders(place: Place) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"headway.serving.holder" in words and place.folder.encode() in words:
                found.append(int(name))
    return found


def test_an_endpoint_outlives_the_process_group_that_started_it(place: Place) -> None:
    made = serving(place.root, 1)
    command = (
        "import sys, time, msgspec\n"
        "from headway.backends.target_local import LocalTarget\nfrom headway.ports import Serving\n"
        "t = LocalTarget(sys.argv[1])\n"
        "t.start(msgspec.json.decode(sys.argv[2], type=Serving), port=0, timeout_s=60)\n"
        "print(t.switch('flights', 1), flush=True)\ntime.sleep(60)"
    )
    argv = [sys.executable, "-c", command, os.path.dirname(place.folder), msgspec.json.encode(made).decode()]
    with subprocess.Popen(argv, start_new_session=True, stdout=subprocess.PIPE, text=True) as driver:
        assert driver.stdout is not None
        url = driver.stdout.readline().strip()
        os.killpg(driver.pid, signal.SIGKILL)
        # Whoever waits for the end of its output is not kept waiting by the endpoint.
        assert driver.stdout.read() == ""
    assert post(url).status == 200


def test_a_deleted_project_ends_its_processes(place: Place) -> None:
    place.serve(1)
    holder = place.holder()
    subprocess.run(["rm", "-rf", place.folder], check=True)
    eventually(lambda: not is_alive(holder))


def test_a_switch_that_cannot_be_written_down_does_not_happen(place: Place) -> None:
    url = place.serve(1)
    place.up(2)
    # Stands for a full disk: the file cannot be written.
    in_the_way = os.path.join(place.folder, "endpoint.json.new")
    os.mkdir(in_the_way)
    with pytest.raises(TargetUnavailable, match="Is a directory"):
        place.target.switch(ENDPOINT, 2)
    assert json.loads(post(url).body)["predictions"] == [1]
    os.rmdir(in_the_way)
    assert place.target.switch(ENDPOINT, 2) == url
    assert json.loads(post(url).body)["predictions"] == [2]


def test_a_project_in_a_deep_folder_works(tmp_path: Path) -> None:
    deep = Place(os.path.join(os.path.realpath(tmp_path), "d" * 60, "e" * 60))
    try:
        assert post(deep.serve(1)).status == 200
    finally:
        deep.target.stop(ENDPOINT, None)


@pytest.mark.parametrize("reuse", [False, True], ids=["new-connections", "keep-alive"])
def test_no_request_fails_while_versions_come_and_go(place: Place, reuse: bool) -> None:
    url = place.serve(1)
    clients = [_Client(url, reuse=reuse) for _ in range(4)]
    for client in clients:
        client.start()
    for version in range(2, 8):
        place.serve(version)
        place.target.stop(ENDPOINT, version - 1)
    for client in clients:
        client.over.set()
    for client in clients:
        client.join()
    assert [fault for client in clients for fault in client.faults] == []
    assert all({1, 7} <= client.seen for client in clients)
    # What a client once saw replaced never answers it again.
    assert all(client.order == sorted(client.order) for client in clients)


class _Client(threading.Thread):
    """Asks without a pause; a request fails unless it is answered 200 (a closed idle connection may be opened anew)."""

    def __init__(self, url: str, *, reuse: bool) -> None:
        super().__init__()
        self.over = threading.Event()
        self.faults: list[str] = []
        self.seen: set[int] = set()
        self.order: list[int] = []
        self._host = url.removeprefix("http://")
        self._reuse = reuse

    def run(self) -> None:
        connection = http.client.HTTPConnection(self._host, timeout=30)
        while not self.over.is_set():
            try:
                self._ask(connection)
            except (http.client.HTTPException, OSError) as e:
                self.faults.append(f"{time.time():.3f} {e!r}")
                connection.close()
            if not self._reuse:
                connection.close()
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        connection.request("POST", "/predict", ROW)
        response = connection.getresponse()
        body = response.read()
        if response.status != 200:
            self.faults.append(f"{response.status} {body!r}")
            return
        version = json.loads(body)["predictions"][0]
        if not self.order or self.order[-1] != version:
            self.order.append(version)
        self.seen.add(version)
