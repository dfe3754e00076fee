"""What lies elsewhere, taken as files into the workspace and versioned: a URL, a pattern of URLs, a query.

It is taken out of sight and moved into its place when it is whole; what is there must be in the store before.
"""

import os
import shutil

from msgspec import Struct

from headway.codec.lock import Lock
from headway.core.paths import MAGIC
from headway.core.redact import redacted
from headway.core.tree import Tree
from headway.errors import ContentUnsaved, UsageMistaken
from headway.flows import contents, dataset
from headway.flows.dataset import Added, Project
from headway.ports import Source


class Asked(Struct, frozen=True, kw_only=True):
    """What to take: of the source at `url` the pattern or query `wanted`; as which dataset, and where it shall lie."""

    wanted: str
    url: str
    name: str
    to: str | None = None
    note: str = ""

    @property
    def is_query(self) -> bool:
        """Whether it is asked of a database: then the URL is not what is wanted."""
        return self.wanted != self.url

    @property
    def said(self) -> str:
        """Where it came from, as it is recorded: without passwords."""
        return f"{redacted(self.url)}: {self.wanted}" if self.is_query else redacted(self.url)

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder: a pattern may find one file today and two tomorrow."""
        scheme, _, path = self.wanted.partition("://")
        # On the web a question mark begins the query.
        signs = MAGIC - {"?"} if scheme in ("http", "https") else MAGIC
        return not self.is_query and not signs.isdisjoint(path)


def take(project: Project, source: Source, asked: Asked) -> Added:
    """Take a snapshot, put it in its place and make it a version; none when it is what is there already.

    Raises what the source raises, ContentUnsaved when no version holds what stands in the place, and as `dataset.add`.
    """
    path = _place(project, asked)
    target = os.path.join(project.folder, path)
    one = dataset.claimed(project, path, asked.name)
    _see_free(project, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    # Beside its place, so that it can be moved there; under a name that is part of no folder's content.
    fresh = os.path.join(os.path.dirname(target), f".headway-{os.getpid()}-taken.tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    os.mkdir(fresh)
    try:
        names = source.snapshot(asked.wanted, fresh)
        _put(fresh, target, names, is_folder=asked.is_folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return dataset.add(project, one, note=asked.note, source=asked.said)


def _place(project: Project, asked: Asked) -> str:
    if asked.to is not None:
        return asked.to
    pinned = (project.pins.read() or Lock()).data.get(asked.name)
    if pinned is not None:
        return pinned.artifact.path
    if asked.is_query:
        return f"data/{asked.name}.parquet"
    last = asked.wanted.partition("?")[0].rpartition("/")[2]
    endings = "".join(f".{part}" for part in last.split(".")[1:][-2:]) if not asked.is_folder else ""
    return f"data/{asked.name}{endings}"


def _see_free(project: Project, path: str) -> None:
    """See that what stands in the place can be brought back."""
    now = contents.here(project, path)
    if now is None:
        return
    tree = contents.tree(project, now, is_work=True)
    is_listed = now.kind == "tree" and bool(project.blobs.has([now.digest]))
    lost = contents.unheld(project, tree, Tree(), is_listed=is_listed)
    if lost:
        raise ContentUnsaved(
            f"no version holds what is in {contents.joined(path, lost[0])}",
            at=path,
            remedy="keep it with `headway data add`, move it away, or choose another place with --to PATH",
        )


def _put(fresh: str, target: str, names: list[str], *, is_folder: bool) -> None:
    if not is_folder and len(names) != 1:
        raise UsageMistaken(
            f"{len(names)} files were found where one was meant",
            at="headway data add",
            remedy="write a pattern (`*.csv`): what it finds becomes a folder",
        )
    taken = fresh if is_folder else os.path.join(fresh, names[0])
    if os.path.isdir(target) and not os.path.islink(target):
        old = f"{fresh}.old.tmp"
        os.rename(target, old)
        os.rename(taken, target)
        shutil.rmtree(old)
    else:
        if is_folder and os.path.lexists(target):
            os.unlink(target)
        os.rename(taken, target)
