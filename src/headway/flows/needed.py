"""What must not be collected: all that model versions, lock files of any branch, endpoints and recent runs name."""

import os
import subprocess

from msgspec import Struct

from headway.codec import lock
from headway.core import facts as f
from headway.core.ids import Artifact, Digest
from headway.errors import FileFaulty
from headway.ports import Log


class Needed(Struct, kw_only=True):
    """Artifacts and plain blobs that are needed, each with the reason that is shown by `--dry-run`."""

    artifacts: dict[Digest, tuple[Artifact, str]] = {}
    digests: dict[Digest, str] = {}

    def artifact(self, artifact: Artifact, why: str) -> None:
        """Keep an artifact; the first reason given stands."""
        self.artifacts.setdefault(artifact.digest, (artifact, why))

    def digest(self, digest: Digest | None, why: str) -> None:
        """Keep a blob, if there is one."""
        if digest is not None:
            self.digests.setdefault(digest, why)


def needed(log: Log, folder: str, *, keep_runs: int) -> Needed:
    """Everything that is needed in the project in `folder`; of runs older than the newest `keep_runs` only lineage."""
    found = Needed(artifacts={}, digests={})
    for name, pinned in _locks(folder):
        for one in pinned.values():
            for artifact in one.outputs.values():
                found.artifact(artifact, f"headway.lock of {name}")
    for entry in log.scan(("ModelRegistered", "ReleaseStarted", "RunStarted")):
        match entry.fact:
            case f.ModelRegistered() as made:
                found.artifact(made.artifact, f"{made.model}@{made.version}")
                found.digest(made.verdict, f"the verdict on {made.model}@{made.version}")
                found.digest(made.source.diff, f"the code of {made.model}@{made.version}")
            case f.ReleaseStarted() as release:
                found.digest(release.golden, f"golden requests of endpoint {release.endpoint}")
            case f.RunStarted() as run:
                # A few kilobytes each: a run can be understood as long as the log says that it was.
                for digest in (run.pipeline, run.source.diff, run.place.packages):
                    found.digest(digest, f"how run {run.run} came about")
            case _:
                pass
    for entry in log.scan(("RunStarted",), newest_first=True, limit=keep_runs):
        _of_run(log, entry.stream, found)
    return found


def _of_run(log: Log, stream: str, found: Needed) -> None:
    for entry in log.read(stream):
        match entry.fact:
            case f.StepFinished() as done:
                for artifact in done.outputs.values():
                    found.artifact(artifact, f"an output of {stream}")
                found.digest(done.log, f"what a step of {stream} printed")
                found.digest(done.summary, f"a summary of {stream}")
            case f.StepReused() as done:
                for artifact in done.outputs.values():
                    found.artifact(artifact, f"an output of {stream}")
            case _:
                pass


def _locks(folder: str) -> list[tuple[str, dict[str, lock.Pinned]]]:
    """The lock files of the workspace and of every branch and tag of its repository."""
    found = []
    path = os.path.join(folder, lock.FILE)
    if os.path.exists(path):
        with open(path, "rb") as file:
            found.append(("this workspace", lock.parse(file.read())))
    for ref in _git(folder, "for-each-ref", "--format=%(refname)").decode().split():
        data = _git(folder, "show", f"{ref}:./{lock.FILE}")
        if data:
            try:
                found.append((ref, lock.parse(data)))
            except FileFaulty as e:
                raise FileFaulty(
                    f"headway.lock of {ref} cannot be read, so nobody can say what it needs: {e.problem}",
                    at=f"{ref}:{lock.FILE}",
                    remedy="mend or delete that branch; nothing was deleted",
                ) from e
    return found


def _git(folder: str, *words: str) -> bytes:
    try:
        done = subprocess.run(("git", "-C", folder, *words), capture_output=True, check=False)  # noqa: S607 (PATH's git)
    except FileNotFoundError:
        return b""
    return done.stdout if done.returncode == 0 else b""
