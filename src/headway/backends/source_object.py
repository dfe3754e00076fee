"""Snapshots of objects in a bucket: `s3://bucket/events/*.parquet`, `gs://…`, `az://…`.

What a pattern finds is listed once; each object is then read as it was in the listing, or again when it has changed.
Sizes are checked, and digests where the bucket tells them. Neighbour: `source_http` is for the web at large. Knows
nothing of versions or the store.
"""

import hashlib
import os
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import pairwise
from typing import Any, NamedTuple, TypeVar

from headway.buckets import Access
from headway.codec.source_state import Unordered
from headway.core.pattern import MAGIC, matcher, split
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

_T = TypeVar("_T")

AT_A_TIME = 6
"""Objects that are read at a time, each with a few megabytes in memory."""

BLOCK = 1 << 20
RETRY = {"max_retries": 5, "retry_timeout": timedelta(seconds=30)}
"""How often the client itself asks again, within how long."""

_PAUSES_S = (0.1, 0.5, 2.0)
_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


class _Found(NamedTuple):
    """An object as it was listed, or asked for again."""

    path: str
    size_bytes: int
    e_tag: str | None


class _ChangedMeanwhile(Exception):
    """What arrived is not the object that was listed."""


class ObjectSource:
    """The objects of a bucket; `environ` holds credentials and settings by their usual names (AWS_…)."""

    __slots__ = ("_access", "_bucket", "_has_digests", "_place")

    def __init__(self, url: str, environ: Mapping[str, str]) -> None:
        scheme, _, rest = url.partition("://")
        bucket = rest.partition("/")[0]
        if not bucket or not MAGIC.isdisjoint(bucket):
            raise UsageMistaken(f"{url!r} names no bucket", at=url, remedy="write it as s3://BUCKET/FOLDER/*.parquet")
        self._bucket = f"{scheme}://{bucket}"
        self._place = url
        self._access = Access(url, environ, SourceRefused, SourceUnreachable)
        # Most buckets name an object's state by the MD5 of its bytes; whether this one does, is seen on the way.
        self._has_digests = True

    def snapshot(self, wanted: str, folder: str) -> list[str]:
        """The objects that the URL or pattern `wanted` names, below the folder they have in common. See `Source`."""
        if not wanted.startswith(f"{self._bucket}/"):
            raise UsageMistaken(f"{wanted!r} is not in {self._bucket}", at=wanted, remedy="name one bucket")
        pattern = wanted.removeprefix(f"{self._bucket}/")
        store = self._open()
        found = self._found(store, pattern)
        base = len(split(pattern)[0])
        names = [one.path[base:] for one in found]
        _check_names(names, wanted)
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            reads = [
                pool.submit(self._read, store, one, os.path.join(folder, name))
                for one, name in zip(found, names, strict=True)
            ]
            try:
                for read in reads:
                    read.result()
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return names

    def state(self, wanted: str) -> SourceState:
        """The objects that `wanted` names by name, size and tag, as one listing tells. See `Source`."""
        import obstore

        pattern = wanted.removeprefix(f"{self._bucket}/")
        store = self._open()
        is_one = MAGIC.isdisjoint(pattern) and not pattern.endswith("/")
        matches = matcher(f"{pattern.rstrip('/')}/**" if MAGIC.isdisjoint(pattern) else pattern)
        prefix = pattern if MAGIC.isdisjoint(pattern) else split(pattern)[0]

        def told() -> SourceState:
            hasher, n = Unordered(), 0
            for page in obstore.list(store, prefix.rstrip("/") or None, chunk_size=1000):
                for one in page:
                    if matches(one["path"]):
                        hasher.add(_state(one))
                        n += 1
            return SourceState(key=hasher.key(), n_things=n)

        if is_one:
            one = self._asked(lambda: obstore.head(store, pattern))
            if one is not None:
                hasher = Unordered()
                hasher.add(_state(one))
                return SourceState(key=hasher.key(), n_things=1)
        return self._asked(told) or SourceState(key=Unordered().key(), n_things=0)

    def _found(self, store: Any, pattern: str) -> list[_Found]:  # noqa: ANN401 (obstore's stores have no common type)
        import obstore

        if MAGIC.isdisjoint(pattern):
            one = self._asked(lambda: obstore.head(store, pattern))
            if one is not None:
                return [_as_found(one)]
            matches = matcher(f"{pattern.rstrip('/')}/**")
            remedy = "check the name"
            # A folder of objects is no object, yet likely meant.
            if pattern.endswith("/") or self._listed(store, pattern, matches, most=1):
                remedy = f"to take all that is in it, write {self._bucket}/{pattern.rstrip('/')}/**"
            raise NothingMatches(f"there is no object {pattern!r} in {self._bucket}", at=self._place, remedy=remedy)
        found = self._listed(store, split(pattern)[0], matcher(pattern))
        if not found:
            raise NothingMatches(
                f"no object in {self._bucket} answers to {pattern!r}",
                at=self._place,
                remedy="check the pattern: `*` stands for anything but `/`, `**` for any number of folders",
            )
        return sorted(found)

    def _listed(self, store: Any, prefix: str, matches: Any, most: int | None = None) -> list[_Found]:  # noqa: ANN401 (as above)
        import obstore

        def pages() -> list[_Found]:
            found: list[_Found] = []
            for page in obstore.list(store, prefix.rstrip("/") or None, chunk_size=1000):
                found += [_as_found(one) for one in page if matches(one["path"])]
                if most is not None and len(found) >= most:
                    break
            return found

        return self._asked(pages) or []

    def _read(self, store: Any, one: _Found, path: str) -> None:  # noqa: ANN401 (as above)
        """Read an object to a file; one that changes meanwhile is read as it is then."""
        import obstore

        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
        except OSError as e:
            raise _local(e, path) from e
        doubted, in_parts = "", False
        for pause_s in (0.0, *_PAUSES_S):
            time.sleep(pause_s)
            try:
                seen = self._asked(lambda: self._fetch(store, one, path, in_parts=in_parts))  # noqa: B023 (called at once)
            except _ChangedMeanwhile:
                seen = None
            if seen is not None:
                told = _MD5.fullmatch(one.e_tag or "") if self._has_digests else None
                if told is None or told.group(1) == seen:
                    return
                # Wrong bytes, or a bucket whose tags are something else (some encrypt). What comes again the same when
                # it is asked for in other parts was not changed on the way.
                if seen == doubted:
                    self._has_digests = False
                    return
                doubted, in_parts = seen, not in_parts
                continue
            now = self._asked(lambda: obstore.head(store, one.path))  # noqa: B023 (as above)
            if now is None:
                break
            one = _as_found(now)
        raise SourceUnreachable(
            f"object {one.path!r} changes or goes away while it is read",
            at=self._place,
            remedy="wait until nobody writes to it, then add it again",
        )

    def _fetch(self, store: Any, one: _Found, path: str, *, in_parts: bool) -> str:  # noqa: ANN401 (as above)
        """Write the object as it was listed; returns the MD5 of what arrived. `in_parts`: asked for in two."""
        hasher, size = hashlib.md5(usedforsecurity=False), 0
        cuts = (0, one.size_bytes // 3, one.size_bytes) if in_parts and one.size_bytes > 2 else (0, one.size_bytes)
        try:
            with open(path, "wb") as f:
                for start, end in pairwise(cuts):
                    for block in _got(store, one, (start, end)).stream(min_chunk_size=BLOCK):
                        data = memoryview(block)
                        f.write(data)
                        hasher.update(data)
                        size += len(data)
        except OSError as e:
            if e.errno is not None:
                raise _local(e, path) from e
            raise
        if size != one.size_bytes:
            # Fewer bytes than announced: asked for again, as when the way breaks down.
            raise ConnectionError(f"{one.path!r} has {one.size_bytes} bytes and {size} arrived")
        return hasher.hexdigest()

    def _open(self) -> Any:  # noqa: ANN401 (as above)
        # The first is of the whole answer: an object of any size must pass in it. A silent one is noticed before.
        return self._access.open(self._bucket, {"timeout": "24h", "read_timeout": "60s"}, RETRY)

    def _asked(self, ask: Callable[[], _T]) -> _T | None:
        """What the bucket answers; None when there is no such object."""
        return self._access.ask(ask, _PAUSES_S)


_: type[Source] = ObjectSource


def connect(url: str, environ: Mapping[str, str]) -> ObjectSource:
    """The bucket of a URL; nothing is asked of it yet. Raises UsageMistaken."""
    return ObjectSource(url, environ)


# Any: of obstore's own types.
def _state(one: Any) -> str:  # noqa: ANN401 (as above)
    """What names the state of an object: where the bucket tells no tag, when it was written."""
    return f"{one['path']}\0{one['size']}\0{one['e_tag'] or one['last_modified']}"


# Any, twice: of obstore's own types.
def _got(store: Any, one: _Found, part: tuple[int, int]) -> Any:  # noqa: ANN401
    """The answer that has a part of the object as it was listed. Raises _ChangedMeanwhile when it is another one."""
    import obstore
    from obstore.exceptions import PreconditionError

    options: dict[str, Any] = {"if_match": one.e_tag} if one.e_tag else {}
    if part != (0, one.size_bytes):
        options["range"] = part
    try:
        answer = obstore.get(store, one.path, options=options)  # type: ignore[arg-type] # a plain dict of what its types describe
    except PreconditionError as e:
        raise _ChangedMeanwhile from e
    if answer.meta["size"] != one.size_bytes or (one.e_tag and answer.meta["e_tag"] != one.e_tag):
        raise _ChangedMeanwhile
    return answer


# Any: a plain dict by obstore's own description.
def _as_found(one: Any) -> _Found:  # noqa: ANN401
    return _Found(path=one["path"], size_bytes=one["size"], e_tag=one["e_tag"])


def _check_names(names: list[str], wanted: str) -> None:
    """Raise SystemRefused when the names cannot all be files of one folder."""
    known = set(names)
    for name in names:
        parts = name.split("/")
        above = {"/".join(parts[:i]) for i in range(1, len(parts))}
        if above & known or any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise SystemRefused(
                f"object {name!r} cannot be a file: part of its name is another object's, or no name",
                at=wanted,
                remedy="name a pattern that leaves it out",
            )


def _local(e: OSError, path: str) -> HeadwayError:
    import errno

    if e.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull("no space is left for a snapshot", at=path, remedy="free some, then run again")
    return SystemRefused(f"a file of a snapshot cannot be written: {e.strerror}", at=path, remedy="check the folder")
