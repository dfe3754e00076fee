"""A project and a clone of it under any order of words, against a model in memory: versions as values.

What the store, the remote and the clone hold is what the model says, whatever was added, changed, collected, lost,
pushed and pulled in between.
"""

import os
import random
import shutil
import tempfile
import time
from pathlib import Path
from typing import cast

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from clones import Clone, another, first
from headway import config, wiring
from headway.backends import connect
from headway.core.ids import Artifact
from headway.errors import BlobMissing, ContentUnsaved
from headway.flows import checkout, dataset, share, transfer
from headway.flows.dataset import Project
from headway.flows.gc import collect
from headway.flows.needed import needed
from headway.flows.store import missing
from headway.ports import Blobs
from headway.testing.folders import Content, contents, read_folder, write_folder

NAMES = ("one", "two", "large.bin")
"""Two folders and a file."""

_NOISE = random.Random(17).randbytes(600_000)

large = st.builds(
    lambda start, cut: _NOISE[start : start + cut] + b"%d" % cut + _NOISE[start + cut : start + 400_000],
    st.sampled_from([0, 150_000]),
    st.integers(1, 399_999),
)
"""Files that are kept in pieces, and share some."""


def read(path: Path) -> "Content | bytes | None":
    """What lies at a path."""
    if not os.path.lexists(path):
        return None
    return read_folder(str(path)) if path.is_dir() else path.read_bytes()


class Place:
    """A working tree with its parts."""

    def __init__(self, clone: Clone) -> None:
        self.clone = clone
        self.parts = wiring.open(config.load(folder=str(clone.folder)))
        self.open()

    def open(self) -> None:
        """As a new process would: nothing is remembered."""
        settings = self.parts.settings
        self.parts.close()
        self.parts = wiring.open(settings)
        self.project = Project(settings.folder, settings.home, self.parts, by="ann", now=time.time)

    @property
    def remote(self) -> Blobs:
        return self.parts.remote()

    def holds(self, name: str) -> "Content | bytes | None":
        return read(self.clone.folder / name)


class Sharing(RuleBasedStateMachine):
    """Versions are numbered from 1 for each name; a commit pins one of some names."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="headway-sharing-"))
        self.one = Place(first(self.root / "one", "file:../remote"))
        self.two = Place(another(self.one.clone, self.root / "two"))
        self.versions: dict[str, list[Content | bytes]] = {name: [] for name in NAMES}
        self.artifacts: dict[tuple[str, int], Artifact] = {}
        self.pinned: dict[str, int] = {}
        self.work: dict[str, Content | bytes | None] = dict.fromkeys(NAMES)
        self.commits: list[tuple[str, dict[str, int]]] = []
        self.pushed: set[tuple[str, int]] = set()
        self.lost: set[tuple[str, int]] = set()

    def teardown(self) -> None:
        self.one.parts.close()
        self.two.parts.close()
        shutil.rmtree(self.root)

    # --- the first clone ----------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(NAMES[:2]), content=contents, is_added=st.booleans())
    def change_folder(self, name: str, content: Content, is_added: bool) -> None:
        write_folder(str(self.one.clone.folder / name), content)
        self.work[name] = content
        if is_added:
            self.add(name)

    @rule(content=large, is_added=st.booleans())
    def change_file(self, content: bytes, is_added: bool) -> None:
        path = self.one.clone.folder / NAMES[2]
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        self.work[NAMES[2]] = content
        if is_added:
            self.add(NAMES[2])

    @rule(name=st.sampled_from(NAMES))
    def add_what_is_there(self, name: str) -> None:
        self.add(name)

    def add(self, name: str) -> None:
        content = self.work[name]
        if content is None:
            return
        project = self.one.project
        wanted = dataset.wanted(project, name)
        added = dataset.add(project, wanted)
        # Content that was a version before is that version again.
        if content not in self.versions[name]:
            self.versions[name].append(content)
        number = self.versions[name].index(content) + 1
        assert added.version.version == number
        self.artifacts[name, number] = added.version.artifact
        self.pinned[name] = number
        # What is stored again was perhaps lost before.
        self.lost = {key for key in self.lost if missing(project.blobs, [self.artifacts[key]])}

    @rule()
    def commit(self) -> None:
        # Not -A: what is not added yet, Git would track.
        git = self.one.clone.git
        for name in ("headway.lock", ".gitignore"):
            if (self.one.clone.folder / name).exists():
                git("add", name)
        git("commit", "-q", "--allow-empty", "-m", f"{len(self.commits)}")
        self.commits.append((git("rev-parse", "HEAD"), dict(self.pinned)))

    @precondition(lambda self: self.artifacts)
    @rule(data=st.data())
    def checkout_version(self, data: st.DataObject) -> None:
        name, number = data.draw(st.sampled_from(sorted(self.artifacts)))
        wanted = checkout.plan(self.one.project, [f"{name.partition('.')[0]}@{number}"])
        current = self.work[name]
        is_kept = current is None or current in self.versions[name]
        try:
            checkout.checkout(self.one.project, wanted)
        except ContentUnsaved:
            assert not is_kept
            checkout.checkout(self.one.project, wanted, force=True)
        except BlobMissing:
            assert (name, number) in self.lost
            return
        self.work[name] = self.versions[name][number - 1]
        self.pinned[name] = number
        assert self.one.holds(name) == self.work[name]

    @rule()
    def gc(self) -> None:
        roots = needed(self.one.parts.log, str(self.one.clone.folder), keep_runs=5)
        kept = [artifact for artifact, _ in roots.artifacts.values()]
        collect(self.one.project.blobs, kept, roots.digests, now=time.time() + 10, grace_s=0.0)

    @rule()
    def lose_the_store(self) -> None:
        shutil.rmtree(self.one.clone.folder / ".headway" / "blobs", ignore_errors=True)
        self.one.open()
        self.lost = set(self.artifacts)

    # --- the remote ---------------------------------------------------------------------------------------------

    @rule(is_all=st.booleans())
    def push(self, is_all: bool) -> None:
        project = self.one.project
        wanted = share.everything(project) if is_all else share.to_send(project)
        newest = {(name, len(found)) for name, found in self.versions.items() if found}
        due = set(self.artifacts) if is_all else {*self.pinned.items(), *newest}
        moved = transfer.send(project.blobs, self.one.remote, wanted)
        named = {(lost.path, lost.why) for lost in moved.lost}
        told = {digest for digest, (artifact, why) in wanted.artifacts.items() if (artifact.path, why) in named}
        if not self.lost - self.pushed:
            assert not told
        # Told lost, or there.
        self.pushed |= {key for key in due if self.artifacts[key].digest not in told}

    @rule()
    def fetch_all(self) -> None:
        project = self.one.project
        transfer.bring(self.one.remote, project.blobs, share.everything(project))
        self.lost = {key for key in self.lost if missing(project.blobs, [self.artifacts[key]])}
        assert not self.lost & self.pushed

    # --- the second clone ---------------------------------------------------------------------------------------

    @precondition(lambda self: self.commits)
    @rule(data=st.data())
    def pull_elsewhere(self, data: st.DataObject) -> None:
        self.pull(*data.draw(st.sampled_from(self.commits)))

    @rule()
    def publish(self) -> None:
        self.commit()
        self.push(is_all=False)
        self.pull(*self.commits[-1])

    def pull(self, commit: str, pinned: dict[str, int]) -> None:
        clone, project = self.two.clone, self.two.project
        clone.git("fetch", "-q", "origin")
        clone.git("checkout", "-q", "--force", commit)
        if not (clone.folder / "headway.lock").exists():
            assert not pinned
            return
        self.two.open()
        project = self.two.project
        wanted = checkout.plan(project, [])
        moved = transfer.bring(self.two.remote, project.blobs, transfer.artifacts(wanted.artifacts.values()))
        if moved.lost:
            assert not set(pinned.items()) <= self.pushed
            return
        checkout.checkout(project, wanted)
        for name, number in pinned.items():
            assert self.two.holds(name) == self.versions[name][number - 1]

    # --- what always holds --------------------------------------------------------------------------------------

    @invariant()
    def every_version_is_in_the_store_unless_it_was_lost(self) -> None:
        kept = [artifact for key, artifact in self.artifacts.items() if key not in self.lost]
        assert missing(self.one.project.blobs, kept) == set()

    @invariant()
    def what_was_pushed_is_in_the_remote(self) -> None:
        store = cast("Blobs", connect("blobs", f"bucket:{self.root}/remote", {}))
        pushed = [self.artifacts[key] for key in self.pushed]
        assert missing(store, pushed) == set()
        # The tops of all, and what large files are made of: the rest `missing` has looked for.
        assert list(store.check([artifact.digest for artifact in pushed])) == []

    @invariant()
    def the_workspace_is_as_it_was_left(self) -> None:
        assert {name: self.one.holds(name) for name in NAMES} == self.work


def _run(n_examples: int, n_steps: int) -> None:
    health = list(HealthCheck)
    run_state_machine_as_test(
        Sharing,
        settings=settings(
            max_examples=n_examples, stateful_step_count=n_steps, deadline=None, suppress_health_check=health
        ),
    )


def test_any_order_of_words_leaves_what_the_model_says() -> None:
    _run(4, 14)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_very_many_orders_of_words_leave_what_the_model_says() -> None:
    _run(40, 30)
