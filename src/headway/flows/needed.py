"""What must not be collected: all that versions of data and models, lock files, endpoints and recent runs name.

Lock files: of the workspace, of every branch, tag, remote branch and stash, and of commits of late (see `flows/git`).
"""

from contextlib import suppress

from msgspec import Struct

from headway.codec import lock
from headway.core import facts as f
from headway.core.ids import Artifact, Digest
from headway.errors import FileFaulty
from headway.flows import dataset, git
from headway.flows.pins import Pins
from headway.flows.watch_needed import of_monitors
from headway.ports import Log


class Needed(Struct, kw_only=True):
    """Artifacts and plain blobs that are needed, each with the reason that is shown by `--dry-run`.

    `elsewhere` are artifacts that only locks of other commits name: a clone may never have fetched them.
    """

    artifacts: dict[Digest, tuple[Artifact, str]] = {}
    digests: dict[Digest, str] = {}
    elsewhere: set[Digest] = set()

    def artifact(self, artifact: Artifact, why: str) -> None:
        """Keep an artifact; the first reason given stands."""
        self.artifacts.setdefault(artifact.digest, (artifact, why))

    def digest(self, digest: Digest | None, why: str) -> None:
        """Keep a blob, if there is one."""
        if digest is not None:
            self.digests.setdefault(digest, why)


def needed(log: Log, folder: str, *, keep_runs: int) -> Needed:
    """Everything that is needed in the project in `folder`; of runs older than the newest `keep_runs` only lineage.

    Raises FileFaulty when a lock cannot be read that the workspace or a ref has: nobody can say then what it needs.
    """
    found = Needed(artifacts={}, digests={}, elsewhere=set())
    _of_lock(Pins(folder, "").read() or lock.Lock(), "this workspace", found)
    for one in dataset.read_all(log).values():
        for version in one.versions:
            found.artifact(version.artifact, f"dataset {version.dataset}@{version.version}")
    _of_log(log, found, keep_runs)
    for digest, why in of_monitors(log):
        found.digest(digest, why)
    here = set(found.artifacts)
    _of_git(folder, found)
    found.elsewhere = found.artifacts.keys() - here
    return found


def _of_lock(pins: lock.Lock, name: str, found: Needed) -> None:
    for artifact, _ in pins.artifacts().values():
        found.artifact(artifact, f"headway.lock of {name}")


def _of_git(folder: str, found: Needed) -> None:
    for held in git.held(folder, lock.FILE):
        if held.refs:
            _of_lock(_parsed(held.data, held.refs[0]), held.refs[0], found)
            continue
        # Somebody once committed a lock that a merge had left in pieces: it needs nothing that can be told.
        with suppress(FileFaulty):
            _of_lock(lock.parse(held.data), f"commit {held.commits[0][:12]}", found)


def _parsed(data: bytes, ref: str) -> lock.Lock:
    try:
        return lock.parse(data)
    except FileFaulty as e:
        raise FileFaulty(
            f"headway.lock of {ref} cannot be read, so nobody can say what it needs: {e.problem}",
            at=f"{ref}:{lock.FILE}",
            remedy="mend or delete that branch; nothing was deleted",
        ) from e


_KINDS = ("HoldoutAnswered", "ModelConverted", "ModelJudged", "ModelRegistered", "ReleaseStarted", "RunStarted")


def _of_log(log: Log, found: Needed, keep_runs: int) -> None:
    for entry in log.scan(_KINDS):
        match entry.fact:
            case f.ModelRegistered() as made:
                _of_version(made, found)
            case f.ModelConverted() as done:
                found.digest(done.onnx.digest, f"{done.model}@{done.version} as ONNX")
            case f.ModelJudged() as judged:
                found.digest(judged.verdict, f"a verdict on {judged.model}@{judged.version}")
                found.digest(judged.answers, f"what {judged.model}@{judged.version} answered")
            case f.HoldoutAnswered() as answered:
                found.digest(answered.verdict, f"an answer of {entry.stream[:20]}")
                found.digest(answered.answers, f"what a model answered to {entry.stream[:20]}")
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


def _of_version(made: f.ModelRegistered, found: Needed) -> None:
    name = f"{made.model}@{made.version}"
    found.artifact(made.artifact, name)
    found.digest(made.verdict, f"the verdict on {name}")
    found.digest(made.answers, f"what {name} answered")
    found.digest(made.source.diff, f"the code of {name}")
    found.digest(made.place.packages, f"the packages of {name}")
    found.digest(made.origin, f"where {name} came from")
    if made.onnx is not None:
        found.digest(made.onnx.digest, f"{name} as ONNX")


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
