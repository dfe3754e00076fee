"""Snapshots of one file on the web: `https://host/path/data.csv`. The web lists nothing, so there are no patterns.

Neighbour: `source_object` is for buckets. Knows nothing of versions or the store.
"""

import errno
import os
import re
import time
from http.client import HTTPException, HTTPResponse
from typing import Protocol
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit

from headway.core.source_state import SourceState
from headway.errors import (
    DiskFull,
    HeadwayError,
    NothingMatches,
    SourceRefused,
    SourceUnreachable,
    SystemRefused,
    UsageMistaken,
)
from headway.ports import Source

BLOCK = 1 << 20
SILENCE_S = 60.0
"""An answer that says nothing for so long is given up."""

_PAUSES_S = (0.5, 2.0, 8.0)
_ODD = re.compile(r"[\x00-\x1f/\\]")


class HttpSource:
    """The web. A user and password in the URL are sent and not shown."""

    __slots__ = ()

    def snapshot(self, wanted: str, folder: str) -> list[str]:
        """The file that the URL `wanted` gives, named as the last part of its path. See `Source`."""
        parts = urlsplit(wanted)
        place = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        if not parts.hostname:
            raise UsageMistaken(f"{place!r} names no host", at=place, remedy="write it as https://HOST/PATH")
        name = _ODD.sub("_", unquote(parts.path.rpartition("/")[2])).strip(".") or "download"
        path = os.path.join(folder, name)
        for pause_s in (*_PAUSES_S, None):
            try:
                _fetch(wanted, place, path)
            except (URLError, HTTPException, TimeoutError, ConnectionError) as e:
                told = _translate(e, place)
                if pause_s is None or told.retry_after_s is None:
                    raise told from e
                time.sleep(pause_s)
            else:
                return [name]
        raise AssertionError("the last pause is None")

    def state(self, wanted: str) -> SourceState:
        """What the server says of the file (tag, time, size), or the file where it says nothing. See `Source`."""
        parts = urlsplit(wanted)
        place = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        for pause_s in (*_PAUSES_S, None):
            try:
                return SourceState(key=_told(wanted, place), n_things=1)
            except (URLError, HTTPException, TimeoutError, ConnectionError) as e:
                told = _translate(e, place)
                if isinstance(told, NothingMatches):
                    return SourceState(key="", n_things=0)
                if pause_s is None or told.retry_after_s is None:
                    raise told from e
                time.sleep(pause_s)
        raise AssertionError("the last pause is None")


_: type[Source] = HttpSource


def connect(url: str) -> HttpSource:
    """The web; nothing is asked of it yet."""
    del url
    return HttpSource()


class _Writable(Protocol):
    def write(self, data: bytes, /) -> int: ...


def _opened(url: str, place: str, method: str = "GET") -> HTTPResponse:
    from base64 import b64encode
    from urllib.request import Request, urlopen

    from headway import __version__

    parts = urlsplit(url)
    # As it lies there, not compressed for the way: what is stored is what others get.
    headers = {"User-Agent": f"headway/{__version__}", "Accept-Encoding": "identity"}
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
    request = Request(place, headers=headers, method=method)  # noqa: S310 (this back-end answers to http and https alone)
    answer: HTTPResponse = urlopen(request, timeout=SILENCE_S)  # noqa: S310 (as above)
    return answer


def _told(url: str, place: str) -> str:
    """What names the state of a file on the web."""
    from blake3 import blake3

    try:
        with _opened(url, place, "HEAD") as answer:
            named = [answer.headers.get(name) or "" for name in ("ETag", "Last-Modified", "Content-Length")]
    except HTTPError as e:
        # Some servers know no HEAD.
        if e.code not in (405, 501):
            raise
        e.close()
        named = ["", "", ""]
    hasher = blake3("\0".join(named).encode())
    if not any(named[:2]):
        with _opened(url, place) as answer:
            while data := answer.read(BLOCK):
                hasher.update(data)
    return hasher.hexdigest(16)


def _fetch(url: str, place: str, path: str) -> None:
    with _opened(url, place) as answer:
        try:
            with open(path, "wb") as f:
                size = _copy(answer, f)
        except OSError as e:
            if e.filename == path or e.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _local(e, path) from e
            raise
        told = answer.headers.get("Content-Length")
        if told is not None and int(told) != size:
            raise ConnectionError(f"{told} bytes were announced, {size} arrived")


def _copy(answer: HTTPResponse, f: _Writable) -> int:
    size = 0
    while data := answer.read(BLOCK):
        f.write(data)
        size += len(data)
    return size


def _translate(e: Exception, place: str) -> HeadwayError:
    if isinstance(e, HTTPError):
        e.close()
        if e.code in (404, 410):
            return NothingMatches(f"there is nothing: {e.code} {e.reason}", at=place, remedy="check the URL")
        if 400 <= e.code < 500 and e.code not in (408, 425, 429):
            return SourceRefused(
                f"the server refuses: {e.code} {e.reason}",
                at=place,
                remedy="check the URL; user and password may stand in it: https://USER:PASSWORD@HOST/…",
            )
    said = e.reason if isinstance(e, URLError) else e
    return SourceUnreachable(
        f"the server does not answer as it should: {said}", at=place, remedy="see that it can be reached, try again"
    )


def _local(e: OSError, path: str) -> HeadwayError:
    if e.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("no space is left for a snapshot", at=path, remedy="free some, then run again")
    return SystemRefused(f"a file of a snapshot cannot be written: {e.strerror}", at=path, remedy="check the folder")
