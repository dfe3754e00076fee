"""One line that moves on a screen while something long goes on: what, how much of it, how long. Else nothing."""

import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Self, cast

from headway.core.ids import Digest
from headway.ports import Batch, Blobs
from headway.terminal.live import CALM_S, EVERY_S, Region, clock
from headway.terminal.out import Out
from headway.terminal.paint import can_redraw, paint_for
from headway.terminal.width import cut
from headway.terminal.words import size


class Working:
    """Draws until it is left; `label` may be changed meanwhile, `watch` lets it count what is stored and fetched."""

    def __init__(self, environ: Mapping[str, str], label: str, *, quiet: bool) -> None:
        """On standard error, if that is a screen; not when `quiet`."""
        self.label = label
        self.n_files = 0
        self.n_bytes = 0
        self.n_rows = 0
        self._out = Out(sys.stderr)
        self._paint = paint_for(sys.stderr, environ)
        self._region = Region(self._out)
        self._ended = threading.Event()
        self._counting = threading.Lock()
        is_watched = not quiet and can_redraw(environ, is_terminal=sys.stderr.isatty())
        # A thread, since what takes long does not call back: one large file, a batch of many.
        self._thread = threading.Thread(target=self._draw, daemon=True) if is_watched else None

    def watch(self, blobs: Blobs) -> Blobs:
        """The same store; what goes in and out through it is counted."""
        return cast("Blobs", _Watched(blobs, self)) if self._thread is not None else blobs

    def count(self, n_bytes: int) -> None:
        """One more file."""
        self.count_files(1)
        self.n_bytes += n_bytes

    def count_files(self, n_files: int) -> None:
        """So many more files; from any thread."""
        with self._counting:
            self.n_files += n_files

    def count_rows(self, n_rows: int) -> None:
        """So many rows of a table have been read; when it is read again, it begins anew."""
        self.n_rows = n_rows

    def line(self) -> str:
        """What the line says, without the sign and the time."""
        if self.n_rows:
            return f"{self.label}  {self.n_rows:,} rows"
        if not self.n_files:
            return self.label
        amount = f", {size(self.n_bytes)}" if self.n_bytes else ""
        return f"{self.label}  {self.n_files:,} file{'s' * (self.n_files > 1)}{amount}"

    def __enter__(self) -> Self:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._region.end([])

    def _draw(self) -> None:
        began = time.monotonic()
        if self._ended.wait(CALM_S):
            return
        n = 0
        while not self._ended.wait(EVERY_S):
            columns, _ = self._out.size()
            frame = self._paint.frames[n % len(self._paint.frames)]
            text = cut(f"{frame} {self.line()}  {clock(time.monotonic() - began)}", columns - 1, self._paint.ellipsis)
            self._region.draw([], [(text, text)])
            n += 1


class _Watched:
    """A store whose comings and goings are counted; all else is the store's own."""

    def __init__(self, blobs: Blobs, working: Working) -> None:
        self._blobs = blobs
        self._working = working

    # Any: whatever the store has.
    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (as above)
        return getattr(self._blobs, name)

    def put_file(self, path: str, *, move: bool = False) -> tuple[Digest, int]:
        digest, n_bytes = self._blobs.put_file(path, move=move)
        self._working.count(n_bytes)
        return digest, n_bytes

    def fetch(self, digest: Digest, path: str, *, executable: bool = False) -> None:
        self._blobs.fetch(digest, path, executable=executable)
        self._working.count(0)

    def fetch_all(self, wanted: Sequence[tuple[Digest, str, bool]]) -> None:
        self._blobs.fetch_all(wanted, self._working.count_files)

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        with self._blobs.batch() as batch:
            yield cast("Batch", _WatchedBatch(batch, self._working))


class _WatchedBatch:
    """A batch that is counted."""

    def __init__(self, batch: Batch, working: Working) -> None:
        self._batch = batch
        self._working = working

    # Any: whatever the batch has.
    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 (as above)
        return getattr(self._batch, name)

    def put(self, data: bytes) -> Digest:
        digest = self._batch.put(data)
        self._working.count(len(data))
        return digest

    def put_file(self, path: str) -> tuple[Digest, int]:
        digest, n_bytes = self._batch.put_file(path)
        self._working.count(n_bytes)
        return digest, n_bytes
