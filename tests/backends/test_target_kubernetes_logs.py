"""What pods logged comes here, each line once: while they write, seal and end, and whoever copies is killed."""

import contextlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster_world import World
from headway.backends.target_kubernetes import collecting
from headway.backends.target_kubernetes.client import Response
from headway.core.manifest_names import log_name
from headway.core.prediction_log import Cursor, Line, segment, sketch_name
from headway.core.recording import DAY_S, Recording
from headway.ports import Serving
from headway.serving import handout
from headway.serving.handout import Handout
from headway.serving.journal import Journal
from headway.tables.prediction_log import follow, read, seal
from headway.testing.target_contract import ENDPOINT, READY_S, serving
from tries import tries

KEY = "k" * 64
START_AT = 1_760_000_000.0


class Pod:
    """The log of one pod, written as its server writes it."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = str(folder / name), name
        os.makedirs(self.folder)
        self.open: Journal | None = None
        self.handout = Handout(self.folder, KEY)

    def write(self, number: int) -> None:
        if self.open is None:
            self.open = Journal(self.folder, "predictions")
        at = START_AT + number
        line = Line(
            request_id=f"r{number}", at=at, ms=1.0, model="m", version=1, rows=[{"x": number}], predictions=[number]
        )
        self.open.append(msgspec.json.encode(line) + b"\n", 1)

    def tear(self) -> None:
        """Half a line, as of a writer that is at work or was killed."""
        if self.open is not None:
            with open(self.open.path, "ab") as f:
                f.write(b'{"request_id":"half')

    def seal(self) -> None:
        if self.open is not None:
            path = self.open.path
            self.open.close()
            self.open = None
            seal(path)

    def kill(self) -> None:
        """Its server, which leaves its file as it is; the next one begins another."""
        if self.open is not None:
            os.close(self.open._fd)
            self.open = None


class Pods:
    """Several pods, and a place where their logs are collected."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.here = str(folder / "here")
        self.pods: dict[str, Pod] = {}
        self.n_written = self.n_made = 0
        self.breaks_after = -1
        self.cursor, self.followed = Cursor(), list[str]()

    def follow(self) -> None:
        """What is new here since the last time, as whoever judges a release reads it."""
        while (found := follow(self.here, self.cursor)).lines:
            self.followed += [line.request_id for line in found.lines]
            self.cursor = found.cursor
        self.cursor = found.cursor

    def get(self, pod: str, name: str, begins: int) -> Response:
        self.breaks_after -= 1
        if self.breaks_after == 0:
            raise KilledError
        path = f"/log/{name}?from={begins}" if name else "/log?from=0"
        return Response(*self.pods[pod].handout.answer(path, KEY))

    def make(self) -> Pod:
        self.n_made += 1
        made = Pod(self.folder, f"pod-{self.n_made}")
        self.pods[made.name] = made
        return made

    def collect(self) -> None:
        untold, _ = collecting.collect(self.get, sorted(self.pods), self.here)
        assert untold == []

    def happens(self, chance: random.Random, pod: Pod) -> None:
        """Something, to this pod or to whoever collects."""
        what = chance.randrange(7)
        if what == 0:
            pod.seal()
        elif what == 1:
            pod.kill()
        elif what == 2:
            self.make()
        elif what == 3 and len(self.pods) > 1:
            # It ends as it should: what it has is read before it goes.
            self.collect()
            del self.pods[pod.name]
        elif what == 4:
            self.breaks_after = chance.randrange(1, 6)
            with contextlib.suppress(KilledError):
                self.collect()
            self.breaks_after = -1
        else:
            self.collect()

    def told(self) -> list[str]:
        return sorted(read(self.here)["request_id"].to_list(), key=lambda name: int(name[1:]))


class KilledError(BaseException):
    """Whoever collects dies here."""


@settings(max_examples=tries(60), deadline=None)
@given(seed=st.integers(0, 2**32))
def test_each_line_comes_once_whatever_happens_meanwhile(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    chance = random.Random(seed)
    pods = Pods(tmp_path_factory.mktemp("pods"))
    pods.make()
    for _ in range(chance.randrange(1, 25)):
        pod = chance.choice(list(pods.pods.values()))
        for _ in range(chance.randrange(1, 8)):
            pod.write(pods.n_written)
            pods.n_written += 1
        pods.happens(chance, pod)
        if os.path.isdir(pods.here):
            seen = pods.told()
            assert len(seen) == len(set(seen))
            if chance.random() < 0.7:
                pods.follow()
    wanted = [f"r{number}" for number in range(pods.n_written)]
    for _ in range(2):
        pods.collect()
        assert pods.told() == wanted
        pods.follow()
        assert sorted(pods.followed, key=lambda name: int(name[1:])) == wanted


def test_a_segment_that_was_copied_before_the_last_look_and_shown_after_it_is_followed(tmp_path: Path) -> None:
    pods = Pods(tmp_path)
    pod = pods.make()
    pod.write(0)
    pod.seal()
    (name,) = os.listdir(pod.folder)
    known = segment(name)
    assert known is not None
    os.makedirs(pods.here)
    part = Path(pods.here) / f"{collecting.copied_name(known)}.part"
    part.write_bytes((Path(pod.folder) / name).read_bytes())
    os.utime(part, (1.0, 1.0))
    pods.follow()
    pods.collect()
    pods.follow()
    assert pods.followed == ["r0"]


def test_half_a_line_is_not_copied_before_it_is_whole(tmp_path: Path) -> None:
    pods = Pods(tmp_path)
    pod = pods.make()
    pod.write(0)
    pod.tear()
    pods.collect()
    assert pods.told() == ["r0"]
    (name,) = [name for name in os.listdir(pods.here) if name.endswith(".jsonl")]
    assert (Path(pods.here) / name).read_bytes().endswith(b"\n")


def test_files_that_are_larger_than_one_answer_come_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handout, "MOST_BYTES", 100)
    pods = Pods(tmp_path)
    pod = pods.make()
    for number in range(50):
        pod.write(number)
    pods.collect()
    assert len(pods.told()) == 50
    pod.seal()
    pod.write(50)
    pods.collect()
    assert len(pods.told()) == 51
    assert sorted(name.partition(".")[2] for name in os.listdir(pods.here)) == ["jsonl", "lock", "parquet"]


def test_a_copy_looks_like_the_pods_own_log_but_is_no_writers_here(tmp_path: Path) -> None:
    pods = Pods(tmp_path)
    pod = pods.make()
    pod.write(0)
    pods.collect()
    (name,) = [name for name in os.listdir(pods.here) if name.endswith(".jsonl")]
    (original,) = os.listdir(pod.folder)
    assert name == original.replace("predictions-", "predictions-p")
    assert (Path(pods.here) / name).read_bytes() == (Path(pod.folder) / original).read_bytes()


def test_a_writer_here_seals_what_a_killed_writer_left_but_no_copy(tmp_path: Path) -> None:
    pods = Pods(tmp_path)
    pods.make().write(0)
    pods.collect()
    own = Pod(tmp_path, "here-too")
    own.write(1)
    own.kill()
    (left,) = Path(own.folder).iterdir()
    left.rename(Path(pods.here) / left.name)
    begin = msgspec.json.encode({"folder": pods.here, "model": "m", "version": 1}) + b"\n"
    argv = [sys.executable, "-m", "headway.serving.log_writer"]
    subprocess.run(argv, input=begin, check=True, timeout=60, capture_output=True)
    while (Path(pods.here) / left.name).exists():
        time.sleep(0.05)
    names = [name for name in os.listdir(pods.here) if not name.endswith("lock")]
    assert sorted(name.endswith(".jsonl") for name in names) == [False, True]
    assert pods.told() == ["r0", "r1"]


def test_labels_come_as_predictions_do(tmp_path: Path) -> None:
    pods = Pods(tmp_path)
    pod = pods.make()
    labels = Journal(pod.folder, "labels")
    label = {"request_id": "r0", "row": 0, "label": 1, "at": START_AT, "received_at": START_AT}
    labels.append(msgspec.json.encode(label) + b"\n", 1)
    pods.collect()
    assert read(pods.here, "labels")["request_id"].to_list() == ["r0"]


def test_a_pod_that_cannot_be_reached_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    pods = Pods(tmp_path)
    lost, well = pods.make(), pods.make()
    for number, pod in enumerate((lost, well)):
        pod.write(number)
    through = pods.get

    def get(pod: str, name: str, begins: int) -> Response:
        if pod == lost.name:
            return Response(503, b'{"message": "error trying to reach service: connection refused"}')
        return through(pod, name, begins)

    untold, _ = collecting.collect(get, sorted(pods.pods), pods.here)
    assert untold == [f"the log of pod {lost.name} cannot be had: error trying to reach service: connection refused"]
    assert pods.told() == ["r1"]


def test_what_is_too_old_goes_but_not_what_a_pod_still_has(tmp_path: Path) -> None:
    pods = Pods(tmp_path)
    old, new = pods.make(), pods.make()
    for number, pod in enumerate((old, new)):
        pod.write(number)
        pod.seal()
    own = Pod(tmp_path / "here", "own")
    own.write(2)
    own.seal()
    _, held = collecting.collect(pods.get, sorted(pods.pods), pods.here)
    late = START_AT + 100 * DAY_S
    collecting.expire(pods.here, Recording(), held, now=late)
    assert pods.told() == ["r0", "r1"]
    del pods.pods[old.name]
    _, held = collecting.collect(pods.get, sorted(pods.pods), pods.here)
    collecting.expire(pods.here, Recording(), held, now=START_AT + DAY_S)
    assert pods.told() == ["r0", "r1"]
    for path in Path(pods.here).glob("predictions-*.parquet"):
        (path.parent / sketch_name(path.name)).write_bytes(b"counted")
    collecting.expire(pods.here, Recording(), held, now=late)
    assert pods.told() == ["r1"]
    # What was counted of a segment goes with it.
    left = {path.stem for path in Path(pods.here).glob("predictions-*.parquet")}
    assert {path.stem for path in Path(pods.here).glob("predictions-*.sketch")} == left


# --- who may read ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["", "wrong", KEY[:-1], "k" * 65, "\xff"])
def test_a_log_is_handed_out_to_nobody_without_its_key(tmp_path: Path, key: str) -> None:
    pod = Pod(tmp_path, "pod")
    pod.write(0)
    (name,) = os.listdir(pod.folder)
    for path in ("/log", f"/log/{name}"):
        status, body = pod.handout.answer(path, key)
        assert status == 403
        assert b"r0" not in body
        assert name.encode() not in body


def test_a_pod_without_a_key_hands_out_nothing(tmp_path: Path) -> None:
    pod = Pod(tmp_path, "pod")
    pod.write(0)
    assert Handout(pod.folder, "").answer("/log", "")[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/metrics",
        "/log/../../secret",
        "/log/%2e%2e%2fsecret",
        "/log/hash.key",
        "/log/predictions-a.jsonl?from=-1",
        "/log/predictions-a/../../secret.jsonl",
    ],
)
def test_only_files_of_the_log_are_handed_out(tmp_path: Path, path: str) -> None:
    for name in ("secret", "secret.jsonl"):
        (tmp_path / name).write_text("secret\n")
    pod = Pod(tmp_path, "pod")
    os.mkdir(os.path.join(pod.folder, "predictions-a"))
    pod.write(0)
    (Path(pod.folder) / "hash.key").write_text("secret")
    status, body = pod.handout.answer(path, KEY)
    assert (status, b"secret" in body) == (404, False)


def test_a_pod_goes_on_until_what_it_has_was_read(tmp_path: Path) -> None:
    pod = Pod(tmp_path, "pod")
    pods = Pods(tmp_path)
    pods.pods["pod"] = pod

    def state() -> tuple[bool, bool]:
        return pod.handout.is_listened_to, pod.handout.is_read

    pod.write(0)
    assert state() == (False, False)
    pods.collect()
    # All was read, but its server may write more.
    assert state() == (True, False)
    pod.tear()
    pod.kill()
    assert state() == (True, False)
    pods.collect()
    assert state() == (True, True)
    pod.write(1)
    pod.seal()
    assert state() == (True, False)
    pods.collect()
    assert state() == (True, True)


# --- in a cluster ---------------------------------------------------------------------------------------------------


class Logged(World):
    """A cluster whose pods log what they are told to."""

    def start(self, version: int, **more: Any) -> Serving:
        one = msgspec.structs.replace(serving(self.root, version), **more)
        self.target().start(one, port=0, timeout_s=READY_S)
        return one

    def pods(self, version: int) -> list[Pod]:
        names = sorted(
            key[2]
            for key, thing in self.cluster.objects.held.items()
            if key[0] == "pods" and thing["metadata"]["labels"]["headway.dev/version"] == str(version)
        )
        return [Pod(Path(self.root) / "pods", name) for name in names]

    def told(self) -> list[str]:
        return sorted(read(os.path.join(self.root, "endpoints", ENDPOINT, "predictions"))["request_id"].to_list())


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Logged]:
    made = Logged(str(tmp_path))
    with made.cluster:
        yield made


def test_the_logs_of_all_pods_of_all_versions_are_collected(world: Logged) -> None:
    pods: list[Pod] = []
    for version in (1, 2):
        world.start(version)
        pods += world.pods(version)
    for number, pod in enumerate(pods):
        pod.write(number)
    assert world.target().collect(ENDPOINT) == []
    assert world.told() == ["r0", "r1", "r2", "r3"]
    assert len(pods) == 4


def test_what_a_pod_logs_while_it_ends_comes_before_its_version_is_gone(world: Logged) -> None:
    world.start(1)
    world.start(2)
    (pod, _), target = world.pods(2), world.target()
    kept = world.cluster.objects.held["pods", "default", pod.name]
    through, lines = target.client.delete, iter(range(3))

    def delete(kind: str, name: str) -> None:
        through(kind, name)
        if kind == "Deployment":
            # It goes on for as long as it drains.
            world.cluster.objects.put(("pods", "default", pod.name), kept)

    def sleep(seconds: float) -> None:
        world.clock.jump(seconds)
        number = next(lines, None)
        if number is None:
            world.cluster.objects.held.pop(("pods", "default", pod.name), None)
        else:
            pod.write(number)

    target.client.delete = delete  # type: ignore[method-assign] # a pod that takes its time is played
    target._sleep = sleep
    target.stop(ENDPOINT, 2)
    # The line that it wrote after the last look but one.
    assert world.told() == ["r0", "r1", "r2"]


def test_a_pod_that_hangs_keeps_nobody_waiting_for_ever(world: Logged) -> None:
    world.start(1)
    world.start(2)
    key = ("pods", "default", world.pods(2)[0].name)
    kept, target = world.cluster.objects.held[key], world.target()
    through = target.client.delete

    def delete(kind: str, name: str) -> None:
        through(kind, name)
        if kind == "Deployment":
            world.cluster.objects.put(key, kept)

    target.client.delete = delete  # type: ignore[method-assign] # a pod that hangs is played
    began = world.clock.now()
    target.stop(ENDPOINT, 2)
    assert 15 <= world.clock.now() - began <= 25
    world.cluster.objects.held.pop(key)


def test_a_pod_that_is_not_ready_any_more_still_hands_out_its_log(world: Logged) -> None:
    world.start(1)
    pod, _ = world.pods(1)
    pod.write(0)
    thing = world.cluster.objects.held["pods", "default", pod.name]
    ended = {**thing["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    conditions = [{"type": "Ready", "status": "False"}]
    world.cluster.objects.put(
        ("pods", "default", pod.name),
        {**thing, "metadata": ended, "status": {**thing["status"], "conditions": conditions}},
    )
    assert world.target().collect(ENDPOINT) == []
    assert world.told() == ["r0"]


def test_each_endpoint_has_a_key_of_its_own_which_goes_with_its_last_version(world: Logged) -> None:
    world.start(1)
    key = ("secrets", "default", log_name(ENDPOINT))
    first = world.cluster.objects.held[key]
    world.start(2)
    world.start(3, endpoint="other")
    assert world.cluster.objects.held[key] == first
    other = world.cluster.objects.held["secrets", "default", log_name("other")]
    assert other["data"] != first["data"]
    world.target().stop(ENDPOINT, 1)
    assert key in world.cluster.objects.held
    world.target().stop(ENDPOINT, None)
    assert key not in world.cluster.objects.held


def test_without_its_key_a_log_stays_where_it_is_and_that_is_told(world: Logged) -> None:
    world.start(1)
    world.pods(1)[0].write(0)
    world.cluster.objects.remove(("secrets", "default", log_name(ENDPOINT)))
    (untold,) = world.target().collect(ENDPOINT)
    assert untold == "the logs of 2 pods cannot be had: there is no Secret flights-log"


def test_a_version_that_is_not_logged_has_nothing_that_hands_out(world: Logged) -> None:
    world.start(1, recording=Recording(is_on=False))
    (deployment,) = [thing for key, thing in world.cluster.objects.held.items() if key[0] == "deployments"]
    assert [one["name"] for one in deployment["spec"]["template"]["spec"]["containers"]] == ["server"]
    assert not [key for key in world.cluster.objects.held if key[0] == "secrets"]
    assert world.target().collect(ENDPOINT) == []
