"""`target: kubernetes` from the command line: released, refused with the pod's words, rolled back, taken down.

And in stages, judged by nothing but what its pods logged.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec
import pytest

from clusters import lines
from headway.backends.target_memory import its_version
from headway.core.prediction_log import Line
from headway.ports import Serving
from headway.serving.journal import Journal
from headway.testing.kubernetes import FakeKubernetes

PIPELINE = """steps:
  - name: Make
    run: cp model.py made.py
    in: model.py
    out: {model: made.py}
  - name: Gate
    uses: gate
    with: {challenger: "${{ steps.make.out.model }}", data: holdout.csv, target: "n", checks: [new.mae < 9]}
  - name: Register
    uses: register
    with: {model: "${{ steps.make.out.model }}", name: far}
  - name: Deploy
    uses: deploy
    with: {endpoint: far, model: "${{ steps.register.out.version }}", target: kubernetes, golden: golden.jsonl}
"""

CLIENTS = b'{"x": 1, "of": "a client"}'


class World:
    """A cluster in which versions answer with their number; the one after `n_well` crashes at its start."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.n_well = folder, 2
        self.started_at = time.time()
        # Ten times as fast as it was recorded.
        clock = lambda: self.started_at + (time.time() - self.started_at) * 10  # noqa: E731 (used once)
        self.failing = self.n_asked = 0
        logs = str(folder / "pods")
        self.cluster = FakeKubernetes(clock=clock, plays=self._play, answer=self._answer, ready_s=0.5, logs=logs)

    def _play(self, deployment: dict[str, Any]) -> Sequence[dict[str, Any]] | None:
        version = int(deployment["metadata"]["labels"]["headway.dev/version"])
        return lines("crash-at-start") if version > self.n_well else None

    def _answer(self, spec: dict[str, Any], path: str, body: bytes) -> tuple[int, bytes]:
        its = msgspec.convert(spec, Serving)
        if path == "/":
            return 200, msgspec.json.encode({"model": its.model, "version": its.version, "digest": its.digest})
        said = its_version(its, body)
        if body != CLIENTS:
            return said.status, said.body
        self.n_asked += 1
        if its.version == self.failing and self.n_asked % 2:
            return 500, msgspec.json.encode({"error": "boom", "version": its.version})
        return said.status, msgspec.json.encode({**msgspec.json.decode(said.body), "version": its.version})

    def headway(self, *words: str) -> "subprocess.CompletedProcess[str]":
        said = json.dumps({"api": self.cluster.url, "image": "headway:1", "namespace": "default"})
        environ = {**os.environ, "HEADWAY_KUBERNETES": said}  # noqa: TID251 (a child inherits it)
        argv = [sys.executable, "-m", "headway", *words]
        return subprocess.run(
            argv, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=100, check=False
        )

    def make(self, version: int) -> None:
        """Register a version, and release nothing."""
        (self.folder / "pipeline.yaml").write_text(PIPELINE.partition("  - name: Deploy")[0])
        (self.folder / "model.py").write_text(f"def predict(rows): return [{version}] * len(rows)\n")
        done = self.headway("run")
        assert done.returncode == 0, done.stdout + done.stderr

    def release(self, version: int) -> "subprocess.CompletedProcess[str]":
        (self.folder / "model.py").write_text(f"def predict(rows): return [{version}] * len(rows)\n")
        (self.folder / "golden.jsonl").write_text(f'{{"inputs": {{"x": 1}}, "expect": {version}}}\n')
        return self.headway("run")

    def serves(self) -> object:
        status, body = self.cluster.call("far.default.svc", "/predict", b'{"x": 1}')
        return json.loads(body)["predictions"] if status == 200 else status


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "holdout.csv").write_text("x,n\n" + "".join(f"{n},{n % 7}\n" for n in range(200)))
    made = World(tmp_path)
    with made.cluster:
        yield made


@pytest.mark.slow
def test_versions_go_to_a_cluster_and_back_and_a_broken_one_never_gets_there(world: World) -> None:
    for version in (1, 2):
        done = world.release(version)
        assert done.returncode == 0, done.stdout + done.stderr
        assert world.serves() == [version]
    done = world.release(3)
    said = done.stdout + done.stderr
    assert done.returncode == 7
    assert "server ended with exit code 3, 2 times" in said
    assert "boom: cannot load model" in said
    assert world.serves() == [2]
    told = json.loads(world.headway("endpoints", "--json").stdout)
    assert "http://far.default.svc" in json.dumps(told)
    done = world.headway("rollback", "far")
    assert done.returncode == 0, done.stderr
    assert world.serves() == [1]
    assert world.headway("endpoints", "--stop", "far").returncode == 0
    assert not [key for key in world.cluster.objects.held if key[0] != "events"]


class Clients(threading.Thread):
    """They ask the endpoint all the time. What a pod answers it logs, as its server would."""

    def __init__(self, world: World) -> None:
        super().__init__(daemon=True)
        self.world, self.is_over = world, threading.Event()
        self.journals: dict[str, Journal] = {}
        self.n_by_version: Counter[int] = Counter()
        self.n_lost = 0

    def run(self) -> None:
        number = 0
        while not self.is_over.wait(0.004):
            number += 1
            status, body = self.world.cluster.call("far.default.svc", "/predict", CLIENTS)
            told = json.loads(body)
            if "version" not in told:
                self.n_lost += 1
                continue
            self.n_by_version[told["version"]] += 1
            self.log(told["version"], f"r{number}", status)

    def log(self, version: int, request_id: str, status: int) -> None:
        pods = self.world.cluster.objects.found("pods", "default", {"headway.dev/version": str(version)})
        if not pods:
            return
        folder = str(self.world.folder / "pods" / pods[0]["metadata"]["name"])
        if folder not in self.journals:
            os.makedirs(folder, exist_ok=True)
            self.journals[folder] = Journal(folder, "predictions")
        line = Line(
            request_id=request_id,
            at=time.time(),
            ms=1.0,
            model="far",
            version=version,
            rows=[{"x": 1}],
            predictions=[version] if status == 200 else [],
            status=status,
        )
        self.journals[folder].append(msgspec.json.encode(line) + b"\n", 1)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_over.set()
        self.join()
        for one in self.journals.values():
            one.close()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_canary_in_a_cluster_is_judged_by_what_its_pods_logged(world: World) -> None:
    """Two copies of the old version to two of the new one; the third version fails half of its requests."""
    world.n_well = 3
    assert world.release(1).returncode == 0
    world.make(2)
    words = ("deploy", "--endpoint", "far", "--target", "kubernetes", "--override", "a test")
    stages = ("--rollback", "not-ready,errors", "--strategy", "canary: 50% for 600 requests, promote")
    with Clients(world) as clients:
        done = world.headway(*words, *stages, "far@2")
        assert done.returncode == 0, done.stdout + done.stderr
        assert clients.n_by_version[2] > 200
        assert world.serves() == [2]
        world.failing = 3
        world.make(3)
        done = world.headway(*words, *stages, "far@3")
        said = done.stdout + done.stderr
        assert done.returncode == 7, said
        assert "errors" in said
        assert world.serves() == [2]
        # Nobody got no answer at all but by the version that gives none.
        assert clients.n_lost == 0
    told = json.loads(world.headway("rollout", "status", "far", "--json").stdout)
    assert "rolled-back" in json.dumps(told)
    held = world.cluster.objects.held
    copies = {key[2]: one["spec"]["replicas"] for key, one in held.items() if key[0] == "deployments"}
    assert copies["far-v2"] == 2
    assert "far-v3" not in copies


@pytest.mark.slow
def test_a_share_that_no_copies_have_is_refused_and_what_served_serves(world: World) -> None:
    assert world.release(1).returncode == 0
    world.make(2)
    words = ("deploy", "--endpoint", "far", "--target", "kubernetes", "--override", "a test")
    done = world.headway(*words, "--strategy", "canary: 1% for 60000 requests, promote", "far@2")
    assert done.returncode in (2, 7), done.stdout + done.stderr
    assert "a share of 1% for version 2 cannot be had by copies" in done.stderr
    assert "choose 5% (19 and 1 copies)" in done.stderr
    assert world.serves() == [1]
    deployments = [key[2] for key in world.cluster.objects.held if key[0] == "deployments"]
    assert deployments == ["far-v1"]
    told = json.loads(world.headway("rollout", "status", "far", "--json").stdout)
    assert "cannot be had by copies" in json.dumps(told)
