"""What a release may do to an endpoint under load, and what a crash may: no request fails that need not."""

import json
import math
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from headway.backends.target_local import LocalTarget
from headway.core.routing import Chooser, Route, Shadow, Sticky, Table
from headway.errors import TargetUnavailable, VersionNotReady
from headway.tables import prediction_log as files
from headway.testing.processes import eventually
from headway.testing.target_contract import ENDPOINT, READY_S, serving
from steady_load import clients, load

# Each takes half a minute alone on two cores, and several times that beside other work.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


class Place:
    """One endpoint: its target and its processes. Versions answer with their number, or with their process."""

    def __init__(self, root: str) -> None:
        self.target = LocalTarget(os.path.join(root, ".headway/endpoints"))
        self.root = root

    def up(self, *versions: int) -> None:
        for version in versions:
            text = f"import os\ndef predict(rows): return [os.getpid() if 'pid' in row else {version} for row in rows]"
            self.target.start(serving(self.root, version, text=text), port=0, timeout_s=READY_S)

    def serve(self, *versions: int) -> str:
        self.up(*versions)
        return self.target.switch(ENDPOINT, versions[0])

    def process(self, version: int) -> int:
        answer = self.target.ask(ENDPOINT, version, [b'{"pid": 0}'], timeout_s=30)[0]
        return int(json.loads(answer.body)["predictions"][0])

    def comes_back(self, version: int, before: int) -> None:
        """Wait until a version that was killed answers from another process."""

        def is_back() -> bool:
            try:
                return self.process(version) != before
            except VersionNotReady:
                return False

        eventually(is_back, within_s=60)

    def is_live(self, version: int) -> bool:
        try:
            state = self.target.state(ENDPOINT)
        except TargetUnavailable:
            # The holder has just been killed.
            return False
        return state is not None and version in state.versions


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(os.path.realpath(tmp_path))
    yield made
    made.target.stop(ENDPOINT, None)


def canary(share: float, version: int = 2, *, shadow: int | None = None) -> Table:
    routes = (Route(version=1, weight=1 - share), Route(version=version, weight=share))
    return Table(routes=routes, shadow=None if shadow is None else Shadow(version=shadow))


def test_a_hundred_hot_swaps_under_load_fail_no_request(place: Place, tmp_path: Path) -> None:
    url = place.serve(1, 2)
    with load(url, tmp_path) as tally:
        for n in range(1, 101):
            if n % 5 == 0:
                # A version that comes, and the one that did not serve goes: its process ends under load.
                place.up(n + 2)
                place.target.switch(ENDPOINT, n + 2)
                state = place.target.state(ENDPOINT)
                assert state is not None
                for version in state.versions[:-2]:
                    place.target.stop(ENDPOINT, version)
            else:
                state = place.target.state(ENDPOINT)
                assert state is not None
                place.target.switch(ENDPOINT, next(v for v in state.versions if v != state.serving))
            time.sleep(0.05)
    print(f"100 swaps, {tally.n:,} requests, {tally.n_failed} failed, p99 {tally.p99_ms} ms, max {tally.max_ms} ms")
    assert tally.n_failed == 0, tally.told
    assert tally.n > 2000


def test_two_hundred_changes_of_the_table_under_load_fail_no_request(place: Place, tmp_path: Path) -> None:
    url = place.serve(1, 2, 3)
    with load(url, tmp_path) as tally:
        for n in range(200):
            table = canary((n % 11) / 10, 2 + n % 2, shadow=3 - n % 2 if n % 3 == 0 else None)
            place.target.route(ENDPOINT, None if n % 13 == 12 else table)
            time.sleep(0.02)
    print(f"200 tables, {tally.n:,} requests, {tally.n_failed} failed, p99 {tally.p99_ms} ms, max {tally.max_ms} ms")
    assert tally.n_failed == 0, tally.told
    assert tally.n > 2000


def test_versions_that_come_into_a_table_and_leave_it_under_load_fail_no_request(place: Place, tmp_path: Path) -> None:
    url = place.serve(1)
    with load(url, tmp_path) as tally:
        for version in range(2, 12):
            place.up(version)
            place.target.route(ENDPOINT, canary(0.5, version))
            time.sleep(0.2)
            place.target.stop(ENDPOINT, version)
    print(f"10 canaries, {tally.n:,} requests, {tally.n_failed} failed, p99 {tally.p99_ms} ms, max {tally.max_ms} ms")
    assert tally.n_failed == 0, tally.told


def test_the_canary_killed_under_load_fails_no_request(place: Place, tmp_path: Path) -> None:
    url = place.serve(1, 2)
    place.target.route(ENDPOINT, canary(0.5))
    with load(url, tmp_path) as tally:
        for _ in range(5):
            time.sleep(0.5)
            pid = place.process(2)
            os.kill(pid, signal.SIGKILL)
            place.comes_back(2, pid)
    print(f"5 kills, {tally.n:,} requests, {tally.n_failed} failed, p99 {tally.p99_ms} ms, max {tally.max_ms} ms")
    assert tally.n_failed == 0, tally.told
    # It answers its share again.
    with clients(url, 2) as made:
        time.sleep(1)
    assert {name for one in made for name in one.versions} == {"m@1", "m@2"}


def test_the_accepting_version_killed_under_load_fails_only_what_was_under_way(place: Place) -> None:
    url = place.serve(1, 2)
    place.target.route(ENDPOINT, canary(0.3))
    killed: list[float] = []
    n_clients = 8
    with clients(url, n_clients) as made:
        for _ in range(4):
            time.sleep(0.7)
            pid = place.process(1)
            killed.append(time.monotonic())
            os.kill(pid, signal.SIGKILL)
            place.comes_back(1, pid)
        time.sleep(0.5)
    faults = [fault for one in made for fault in one.faults]
    # A client has one request under way at a time, and no kill costs it more than that one.
    assert len(faults) <= n_clients * len(killed)
    strays = [f for f in faults if not any(f.began <= at + 0.05 and at <= f.ended for at in killed)]
    assert strays == []
    answers = sorted(ended for one in made for _, ended in one.answers)
    pauses = [next(ended for ended in answers if ended > at + 0.05) - at for at in killed]
    print(f"{len(answers):,} answered, {len(faults)} failed in 4 kills; the next answer came after {pauses} s")
    assert max(pauses) < 15
    # The table is in force again.
    state = place.target.state(ENDPOINT)
    assert state is not None
    assert state.table == canary(0.3)
    with clients(url, 2) as again:
        time.sleep(1)
    assert {name for one in again for name in one.versions} == {"m@1", "m@2"}


def test_a_killed_holder_is_started_with_all_versions_and_the_table(place: Place) -> None:
    url = place.serve(1, 2)
    table = Table(
        routes=(Route(version=1, weight=1), Route(version=2, weight=1)), sticky=Sticky(place="header", name="x-user")
    )
    place.target.route(ENDPOINT, table)
    with open(os.path.join(place.root, ".headway/endpoints", ENDPOINT, "endpoint.json"), "rb") as file:
        os.kill(int(json.load(file)["pid"]), signal.SIGKILL)
    eventually(lambda: not place.is_live(1))
    place.up(3)
    eventually(lambda: place.is_live(1) and place.is_live(2), within_s=60)
    state = place.target.state(ENDPOINT)
    assert state is not None
    assert (state.url, state.serving, state.versions, state.table) == (url, 1, (1, 2, 3), table)


def test_weights_and_copies_hold_in_what_was_logged(place: Place) -> None:
    url = place.serve(1, 2, 3)
    table = Table(routes=canary(0.2).routes, shadow=Shadow(version=3, share=0.5))
    place.target.route(ENDPOINT, table)
    with clients(url, 4) as made:
        time.sleep(4)
    assert [fault for one in made for fault in one.faults] == []
    told = sum((one.versions for one in made), Counter())
    n = told.total()
    time.sleep(1)
    place.target.stop(ENDPOINT, None)
    folder = os.path.join(place.root, ".headway/endpoints", ENDPOINT, "predictions")
    log = files.read(folder, shadows=True)
    clients_got = log.filter(~log["is_shadow"])
    copies = log.filter(log["is_shadow"])
    by_version = dict(clients_got["version"].value_counts().rows())
    assert by_version == {1: told["m@1"], 2: told["m@2"]}
    assert abs(told["m@2"] - 0.2 * n) <= 5 * math.sqrt(n * 0.2 * 0.8)
    assert set(copies["version"]) == {3}
    assert set(copies["request_id"]) <= set(clients_got["request_id"])
    assert copies["request_id"].n_unique() == copies.height
    assert abs(copies.height - 0.5 * n) <= 5 * math.sqrt(n * 0.25)


def test_grpc_is_routed_as_rest_is(place: Place) -> None:
    client = pytest.importorskip("tritonclient.grpc", reason="tritonclient is not installed")
    import numpy as np

    for version in (1, 2):
        text = f"COLUMNS = ('x',)\ndef predict(rows): return [{version}] * len(rows)"
        place.target.start(serving(place.root, version, text=text), port=0, timeout_s=READY_S)
    url = place.target.switch(ENDPOINT, 1)
    table = Table(routes=canary(0.5).routes, sticky=Sticky(place="field", name="x"))
    place.target.route(ENDPOINT, table)
    chooser = Chooser(ENDPOINT, table)
    asking = client.InferenceServerClient(url.removeprefix("http://"))
    tensor = client.InferInput("x", [1], "FP64")
    for key in range(20):
        tensor.set_data_from_numpy(np.array([float(key)]))
        told = asking.infer("m", [tensor])
        wanted = chooser.version(str(key))
        assert (told.as_numpy("label").tolist(), told.get_response().model_version) == ([wanted], str(wanted))
    for version in (1, 2):
        assert asking.infer("m", [tensor], model_version=str(version)).as_numpy("label").tolist() == [version]
    asking.close()
