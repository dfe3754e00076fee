"""SIGKILL and Ctrl-C at any moment of push and pull: typed again they do the rest, and nobody sees a half.

Two moments each by default, many more among the slow tests.
"""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import cast

import pytest

from clones import Clone, another, content, first
from headway.backends import connect
from headway.codec import lock
from headway.flows.store import missing
from headway.ports import Blobs
from headway.testing.folders import Content, write_folder
from object_servers import Server

NOISE = random.Random(11).randbytes(16_000_000)

SHAPE: Content = {
    "large.bin": NOISE,
    "more": {f"{i}.bin": NOISE[i : i + 90_000] for i in range(40)},
    "few": {f"{i}": b"%d" % i for i in range(1000)},
}

# A killed one and an interrupted one.
FEW, MANY = (0, 2), (1, *range(3, 31))

# A batch ends every MB instead of every 256, so that there is something to be seen of each.
SLICED = """
import sys
from headway.flows import transfer
transfer.EVERY_BYTES = 1_000_000
from headway.cli import dispatch
sys.exit(dispatch(sys.argv[1:]))
"""

SEEDS = [*FEW, *(pytest.param(seed, marks=pytest.mark.slow) for seed in MANY)]


def start(clone: Clone, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", SLICED, *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        cwd=clone.folder,
        env=clone.environ,
        start_new_session=True,
    )


def kill_somewhere(clone: Clone, word: str, chance: random.Random, how: int = signal.SIGKILL) -> bool:
    """Kill it at a random moment; whether it was still at work."""
    with start(clone, word) as process:
        time.sleep(chance.uniform(0.2, 1.0))
        os.killpg(process.pid, how)
        _, told = process.communicate(timeout=60)
    if how == signal.SIGINT and process.returncode:
        assert "interrupted" in told or process.returncode == -signal.SIGINT, (process.returncode, told)
    return process.returncode != 0


def whole_or_nothing(remote: str, environ: dict[str, str], clone: Clone) -> bool:
    """Whether the remote has all; fails when it has a list without what that names."""
    store = cast("Blobs", connect("blobs", remote, environ))
    (artifact, _) = lock.parse((clone.folder / "headway.lock").read_bytes()).artifacts()["images"]
    is_listed = bool(store.has([artifact.digest]))
    assert not (is_listed and missing(store, [artifact]))
    for digest, parts in store.parts([blob.digest for blob in store.list()]):
        assert store.has(list(parts)) == set(parts), digest
    return is_listed


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A project with something to push; each test names its own remote."""
    clone = first(tmp_path_factory.mktemp("killed") / "one", "file:../nowhere")
    write_folder(str(clone.folder / "images"), SHAPE)
    clone.headway("data", "add", "images")
    clone.commit("images")
    return clone


@pytest.mark.parametrize("seed", SEEDS)
def test_push_and_pull_killed_anywhere_do_the_rest_when_typed_again(seed: int, project: Clone, tmp_path: Path) -> None:
    chance = random.Random(seed)
    remote = f"bucket:{tmp_path}/remote"
    one = Clone(project.folder, {**project.environ, "HEADWAY_REMOTE_URL": remote})
    how = signal.SIGINT if seed % 3 == 2 else signal.SIGKILL
    for _ in range(1 + (seed in MANY)):
        kill_somewhere(one, "push", chance, how)
        whole_or_nothing(remote, {}, one)
    one.headway("push")
    assert whole_or_nothing(remote, {}, one)

    two = Clone(another(project, tmp_path / "two").folder, one.environ)
    for _ in range(1 + (seed in MANY)):
        kill_somewhere(two, "pull", chance, how)
        # Whatever is there under its name is whole.
        images = two.folder / "images"
        assert not images.exists() or content(images) == content(one.folder / "images")
    two.headway("pull")
    assert content(two.folder / "images") == content(one.folder / "images")
    assert "all are what they should be" in two.headway("data", "verify")


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))])
def test_a_server_sees_nothing_half_of_a_push_that_was_killed(seed: int, project: Clone, s3: Server) -> None:
    chance = random.Random(seed)
    remote, environ = s3.url_of("killed"), dict(s3.environ())
    one = Clone(project.folder, {**project.environ, **environ, "HEADWAY_REMOTE_URL": remote})
    for _ in range(2):
        kill_somewhere(one, "push", chance)
        whole_or_nothing(remote, environ, one)
    one.headway("push")
    assert whole_or_nothing(remote, environ, one)


def test_of_what_a_killed_push_sent_little_is_sent_again(project: Clone, tmp_path: Path) -> None:
    remote, other = tmp_path / "remote", tmp_path / "other"
    one = Clone(project.folder, {**project.environ, "HEADWAY_REMOTE_URL": f"file:{remote}"})
    with start(one, "push") as process:
        while not (remote / "index").exists() or len(os.listdir(remote / "index")) < 5:
            assert process.poll() is None
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
    sent = packed(remote)
    one.headway("push")
    one.headway("push", "--remote", f"file:{other}")
    assert sent > 4_000_000
    # What was under way: a batch of 1 MB, or two, and the heads and ends of packs.
    assert packed(remote) - packed(other) < 3_000_000


def packed(remote: Path) -> int:
    return sum(path.stat().st_size for path in (remote / "packs").iterdir())
