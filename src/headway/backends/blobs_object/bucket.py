"""A bucket as a store uses it: objects put, listed and read in parts. `headway.buckets` opens it and tells its faults.

Bytes that arrive may be wrong: whoever asks for them checks them. Requests are tried again for about a minute.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple, TypeVar

from headway.buckets import Access
from headway.errors import RemoteRefused, RemoteUnreachable

_T = TypeVar("_T")

RETRY = {
    "max_retries": 6,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=5), "base": 2},
}
"""How often the client itself asks again, within how long."""

_PAUSES_S = (0.1, 0.4, 1.6, 4.0)
_LOCAL = "bucket:"


class Listed(NamedTuple):
    """An object in a listing: `at` is when it was put (UTC seconds)."""

    path: str
    size_bytes: int
    at: float


class Bucket:
    """The objects below a URL: `s3://bucket/prefix`, `gs://…`, `az://…`, or `bucket:/folder` for a folder or share.

    `environ` holds credentials and settings under their usual names (AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, …).
    """

    __slots__ = ("_access", "_folder", "_store", "_up", "_written", "url")

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self.url = url
        self._folder = os.path.abspath(_path(url)) if url.startswith(_LOCAL) else None
        again = "see that it can be reached, then do this again: what has arrived is not sent twice"
        what = "bucket" if self._folder is None else "folder"
        self._access = Access(self._folder or url, environ, RemoteRefused, RemoteUnreachable, again, what)
        # Any: obstore's stores share no type that it exports at run time.
        self._store: Any = None
        self._up: Any = None
        self._written: list[str] = []

    def get(self, path: str) -> bytes | None:
        """A whole object; None when there is none."""
        return self._asked(lambda it: bytes(it.get(self._opened, path).bytes()))

    def part(self, path: str, start: int, n: int) -> memoryview | None:
        """`n` bytes of an object from `start`, fewer at its end; None when there is no such object."""
        if n == 0:
            # The protocols know no empty range.
            return memoryview(b"")
        # As it came: to copy megabytes holds up all other threads.
        return self._asked(lambda it: memoryview(it.get_range(self._opened, path, start=start, length=n)))

    def size(self, path: str) -> int | None:
        """How many bytes an object has; None when there is none."""
        return self._asked(lambda it: int(it.head(self._opened, path)["size"]))

    def put(self, path: str, data: bytes) -> None:
        """Put an object, visible as a whole or not at all."""
        self._asked(lambda it: it.put(self._opened_up, path, data, use_multipart=False))
        self._written.append(path)

    def create(self, path: str, data: bytes) -> None:
        """Put an object if there is none of that name; leave the other one alone."""
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        def put(it: Any) -> None:  # noqa: ANN401 (the module)
            try:
                it.put(self._opened_up, path, data, mode="create", use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                return

        self._asked(put)
        self._written.append(path)

    def list(self, prefix: str) -> Iterator[Listed]:
        """All objects whose path begins with `prefix` and a slash."""

        def pages(it: Any) -> "Sequence[Listed]":  # noqa: ANN401 (the module)
            return [
                Listed(one["path"], one["size"], one["last_modified"].timestamp())
                for page in it.list(self._opened, prefix, chunk_size=1000)
                for one in page
            ]

        yield from self._asked(pages) or ()

    def delete(self, paths: Sequence[str]) -> None:
        """Delete objects; those that are not there are passed over."""
        for path in paths:
            self._asked(partial(_delete, self._opened, path))

    def sync(self) -> None:
        """Make what was put durable: a bucket is when it has answered, a folder must be asked to."""
        if self._folder is not None:
            for path in self._written:
                _sync(os.path.join(self._folder, path))
            for folder in {os.path.dirname(os.path.join(self._folder, path)) for path in self._written}:
                _sync(folder)
        self._written.clear()

    @property
    def _opened(self) -> Any:  # noqa: ANN401 (as above)
        if self._store is None:
            self._store = self._open({"timeout": "300s", "read_timeout": "60s"})
        return self._store

    @property
    def _opened_up(self) -> Any:  # noqa: ANN401 (as above)
        """For what goes up: the client counts the time of sending as waiting for an answer."""
        if self._up is None:
            self._up = self._open({"timeout": "900s"})
        return self._up

    def _open(self, timeouts: Mapping[str, str]) -> Any:  # noqa: ANN401 (as above)
        if self._folder is not None:
            return self._access.client().store.LocalStore(self._folder, mkdir=True)
        return self._access.open(self.url, timeouts, RETRY)

    def _asked(self, ask: Callable[[Any], _T]) -> _T | None:
        """What the bucket answers; None when there is no such object."""
        return self._access.ask(partial(ask, self._access.client()), _PAUSES_S)


def _path(url: str) -> str:
    path = url.removeprefix(_LOCAL)
    return "/" + path.lstrip("/") if path.startswith("//") else path


# Any (twice): as above.
def _delete(store: Any, path: str, it: Any) -> None:  # noqa: ANN401
    it.delete(store, path)


def _sync(path: str) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
