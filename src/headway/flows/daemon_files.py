"""The pipelines' files that `headway up` was given: read at the start, and again whenever somebody changed them."""

import os
from collections.abc import Callable, Sequence

from msgspec import Struct

from headway.core.daemon import Told
from headway.core.pipeline import Pipeline
from headway.errors import HeadwayError, UsageMistaken

LOOK_S = 2.0
"""How soon it is seen that a file was changed."""


class Watched(Struct, frozen=True, kw_only=True):
    """A pipeline that is watched: as its `file` (relative to the project's folder) says now."""

    file: str
    pipeline: Pipeline


class Files:
    """The files and what they say. A file that cannot be read any more counts as it was before, and that is told."""

    __slots__ = ("_folder", "_looked_at", "_read", "_stamps", "_tell", "watched")

    def __init__(
        self, files: Sequence[str], *, folder: str, read: Callable[[str], Pipeline], tell: Callable[[Told], None]
    ) -> None:
        """Reads all of them. Raises FileMissing, FileFaulty, and UsageMistaken where two have one name."""
        self._folder = folder
        self._read = read
        self._tell = tell
        self._looked_at: float | None = None
        self._stamps = {file: self._stamp(file) for file in files}
        self.watched = tuple(Watched(file=file, pipeline=read(file)) for file in self._stamps)
        _check_names(self.watched)

    def look(self, now: float) -> bool:
        """Read what was changed since; whether anything is to be done otherwise now."""
        if self._looked_at is not None and self._looked_at <= now < self._looked_at + LOOK_S:
            return False
        self._looked_at = now
        changed = False
        for file, before in self._stamps.items():
            stamp = self._stamp(file)
            if stamp != before:
                self._stamps[file] = stamp
                changed |= self._read_again(file, now)
        return changed

    def _read_again(self, file: str, now: float) -> bool:
        try:
            fresh = Watched(file=file, pipeline=self._read(file))
            watched = tuple(fresh if one.file == file else one for one in self.watched)
            _check_names(watched)
        except HeadwayError as e:
            says = f"{file} was changed, and counts as it was before: {e.problem} ({e.at}); headway plan shows all"
            self._tell(Told(at=now, kind="trouble", says=says))
            return False
        before, self.watched = self.watched, watched
        if before != watched:
            self._tell(Told(at=now, kind="daemon", says=f"{file} was changed, and is read again"))
        return before != watched

    def _stamp(self, file: str) -> tuple[int, ...]:
        """What tells that a file is another one; nothing when it is not there."""
        try:
            seen = os.stat(os.path.join(self._folder, file))
        except OSError:
            return ()
        return seen.st_mtime_ns, seen.st_size, seen.st_ino


def _check_names(watched: Sequence[Watched]) -> None:
    files: dict[str, str] = {}
    for one in watched:
        other = files.setdefault(one.pipeline.name, one.file)
        if other != one.file:
            raise UsageMistaken(
                f"{other} and {one.file} are both the pipeline {one.pipeline.name}",
                at=one.file,
                remedy="give one of them another name: write `pipeline: NAME` at its top",
            )
