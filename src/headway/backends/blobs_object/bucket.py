"""A bucket: objects put, listed and read in parts, with what can go wrong on the way. `obstore` is met here alone.

Bytes that arrive may be wrong: whoever asks for them checks them. Requests are tried again for about a minute.
"""

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple, TypeVar

from headway.errors import ExtraMissing, HeadwayError, RemoteRefused, RemoteUnreachable, UsageMistaken

_T = TypeVar("_T")

_REFUSED = re.compile(r"status code: 40[13]\b")
_SECRET = ("KEY", "SECRET", "TOKEN", "PASSWORD", "CREDENTIAL", "SAS")
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

    __slots__ = ("_environ", "_folder", "_store", "_up", "_written", "url")

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        self.url = url
        self._environ = environ
        self._folder = os.path.abspath(_path(url)) if url.startswith(_LOCAL) else None
        # Any: obstore's stores share no type that it exports at run time.
        self._store: Any = None
        self._up: Any = None
        self._written: list[str] = []

    def get(self, path: str) -> bytes | None:
        """A whole object; None when there is none."""
        return self._asked(lambda it: bytes(it.get(self._opened, path).bytes()))

    def part(self, path: str, start: int, n: int) -> bytes | None:
        """`n` bytes of an object from `start`, fewer at its end; None when there is no such object."""
        if n == 0:
            # The protocols know no empty range.
            return b""
        return self._asked(lambda it: bytes(it.get_range(self._opened, path, start=start, length=n)))

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
        try:
            from obstore.store import LocalStore, from_url
        except ModuleNotFoundError as e:
            raise ExtraMissing(
                "stores in a bucket need a package that is not installed",
                at=self.url,
                remedy="pip install 'headway[remote]'",
            ) from e
        if self._folder is not None:
            return LocalStore(self._folder, mkdir=True)
        schemes = {"s3": "AWS_", "gs": "GOOGLE_", "az": "AZURE_"}
        prefix = schemes.get(self.url.partition(":")[0], "AWS_")
        config = {name: value for name, value in self._environ.items() if name.startswith(prefix)}
        is_plain = config.pop(f"{prefix}ALLOW_HTTP", "") not in ("", "0", "false")
        is_plain |= config.get(f"{prefix}ENDPOINT_URL", "").startswith("http://")
        options = {"allow_http": is_plain, "connect_timeout": "10s", **timeouts}
        retry = {
            "max_retries": 6,
            "retry_timeout": timedelta(seconds=60),
            "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=5), "base": 2},
        }
        known = {name: value for name, value in config.items() if name.removeprefix(prefix) in _SETTINGS}
        if prefix == "AWS_":
            # With the signature alone, some servers keep what was changed on the way to them.
            known.setdefault("AWS_CHECKSUM_ALGORITHM", "sha256")
        return from_url(self.url, config=known, client_options=options, retry_config=retry)  # type: ignore[call-overload] # plain dicts of what its types describe

    def _asked(self, ask: Callable[[Any], _T]) -> _T | None:
        """What the bucket answers, asked again when the way there failed; None when there is no such object."""
        import obstore
        from obstore.exceptions import BaseError, NotFoundError

        for pause_s in (*_PAUSES_S, None):
            try:
                return ask(obstore)
            except (NotFoundError, FileNotFoundError) as e:
                if "NoSuchBucket" in str(e):
                    raise self._translated(e) from e
                return None
            except (BaseError, OSError, ValueError) as e:
                told = self._translated(e)
                if pause_s is None or told.retry_after_s is None:
                    raise told from e
                time.sleep(pause_s)
        raise AssertionError("the last pause is None")

    def _translated(self, e: Exception) -> HeadwayError:
        from obstore.exceptions import PermissionDeniedError, UnauthenticatedError, UnknownConfigurationKeyError

        said = str(e).partition("\n\nDebug source")[0].strip().replace("\n", " ")
        for name, value in self._environ.items():
            if len(value) > 3 and any(word in name.upper() for word in _SECRET):
                said = said.replace(value, f"${name}")
        said = said[:300]
        if "NoSuchBucket" in str(e):
            return RemoteRefused("there is no such bucket", at=self.url, remedy="make the bucket, or mend the URL")
        if isinstance(e, UnknownConfigurationKeyError | ValueError):
            return UsageMistaken(f"the remote's settings cannot be meant: {said}", at=self.url, remedy="mend them")
        # For a listing, the client has no error of its own for this.
        is_refused = isinstance(e, PermissionDeniedError | UnauthenticatedError) or _REFUSED.search(said)
        if is_refused:
            return RemoteRefused(
                f"the remote refused: {said}",
                at=self.url,
                remedy="see that the credentials in the environment (AWS_ACCESS_KEY_ID, …) may read and write there",
            )
        return RemoteUnreachable(
            f"the remote does not answer as it should: {said}",
            at=self.url,
            remedy="see that it can be reached, then do this again: what has arrived is not sent twice",
        )


_SETTINGS = frozenset(
    {
        "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN", "REGION", "DEFAULT_REGION", "ENDPOINT_URL", "ENDPOINT",
        "VIRTUAL_HOSTED_STYLE_REQUEST", "SKIP_SIGNATURE", "SERVICE_ACCOUNT", "SERVICE_ACCOUNT_KEY",
        "SERVICE_ACCOUNT_PATH",
        "APPLICATION_CREDENTIALS", "STORAGE_ACCOUNT_NAME", "STORAGE_ACCOUNT_KEY", "STORAGE_SAS_KEY",
        "STORAGE_SAS_TOKEN", "STORAGE_USE_EMULATOR", "CLIENT_ID", "CLIENT_SECRET", "TENANT_ID",
    }
)  # fmt: skip
"""What of the environment a client is given; other variables that begin alike are somebody else's."""


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
