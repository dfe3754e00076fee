"""`target: kubernetes` from the command line: released, refused with the pod's words, rolled back, taken down."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from clusters import lines
from headway.backends.target_memory import its_version
from headway.ports import Serving
from headway.testing.kubernetes import FakeKubernetes

PIPELINE = """steps:
  - name: Make
    run: cp model.py made.py
    in: model.py
    out: {model: made.py}
  - name: Register
    uses: register
    with: {model: "${{ steps.make.out.model }}", name: far}
  - name: Deploy
    uses: deploy
    with: {endpoint: far, model: "${{ steps.register.out.version }}", target: kubernetes, golden: golden.jsonl}
"""


class World:
    """A cluster in which versions answer with their number; the one after `n_well` crashes at its start."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.n_well = folder, 2
        self.started_at = time.time()
        # Ten times as fast as it was recorded.
        clock = lambda: self.started_at + (time.time() - self.started_at) * 10  # noqa: E731 (used once)
        self.cluster = FakeKubernetes(clock=clock, plays=self._play, answer=self._answer, ready_s=0.5)

    def _play(self, deployment: dict[str, Any]) -> Sequence[dict[str, Any]] | None:
        version = int(deployment["metadata"]["labels"]["headway.dev/version"])
        return lines("crash-at-start") if version > self.n_well else None

    def _answer(self, spec: dict[str, Any], path: str, body: bytes) -> tuple[int, bytes]:
        its = msgspec.convert(spec, Serving)
        if path == "/":
            return 200, msgspec.json.encode({"model": its.model, "version": its.version, "digest": its.digest})
        said = its_version(its, body)
        return said.status, said.body

    def headway(self, *words: str) -> "subprocess.CompletedProcess[str]":
        said = json.dumps({"api": self.cluster.url, "image": "headway:1", "namespace": "default"})
        environ = {**os.environ, "HEADWAY_KUBERNETES": said}  # noqa: TID251 (a child inherits it)
        argv = [sys.executable, "-m", "headway", *words]
        return subprocess.run(
            argv, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=100, check=False
        )

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
