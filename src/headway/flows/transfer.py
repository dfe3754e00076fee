"""Content brought from one store to another: only what is lacking there, what it is made of before what names it.

So whoever looks at the other store meanwhile finds an artifact whole or not at all, and whoever was killed goes on near
where that happened. Of what is not whole the rest is brought all the same, and it is told by name. `flows/share` says
what is to be brought; this knows neither names nor locks, and holds a bounded amount of content in memory.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from types import TracebackType
from typing import Self

from msgspec import Struct

from headway.codec import pack
from headway.core.ids import Artifact, Digest
from headway.errors import BlobDamaged, BlobMissing
from headway.flows.needed import Needed
from headway.flows.store import tree_in
from headway.ports import Batch, Blobs, Piece

EVERY_BYTES = 256 << 20
EVERY_S = 30.0
"""After so much content, or time, a batch ends: what it held is kept whatever happens then."""

YOUNG_S = 86_400.0
"""What was sent, or relied on, within a day is not made younger again: nothing there is collected so soon."""

_AT_ONCE = 100_000
"""Blobs that are looked at together: their names take some 30 MB."""

_TRIES = 3
"""How often a list is asked for that does not fit its pieces."""


class Progress(Struct, frozen=True, kw_only=True):
    """How far a transfer is: pieces and bytes that were handed over, and the pieces that are known to be due."""

    n_done: int = 0
    n_due: int = 0
    n_bytes: int = 0


class Lost(Struct, frozen=True, kw_only=True):
    """An artifact that could not be brought: where it lies in a project, what needs it, and the first blob lacking."""

    path: str
    why: str
    digest: Digest


class Moved(Struct, frozen=True, kw_only=True):
    """What a transfer did: artifacts looked at and those that lacked something, pieces and bytes brought, losses."""

    n_artifacts: int = 0
    n_new: int = 0
    n_pieces: int = 0
    n_bytes: int = 0
    seconds: float = 0.0
    lost: tuple[Lost, ...] = ()


Tell = Callable[[Progress], None]


def send(local: Blobs, remote: Blobs, wanted: Needed, tell: Tell = lambda _: None) -> Moved:
    """Let a remote have what it lacks of `wanted`; durable there when this returns.

    What it has already counts there as stored now, so that nobody collects what this push relies on. A folder whose
    list is not here but there was sent by somebody else. Raises what the stores raise, but for content that is missing
    or damaged, which `Moved.lost` tells.
    """
    return _Transfer(local, remote, is_sent=True, tell=tell).all(wanted)


def bring(remote: Blobs, local: Blobs, wanted: Needed, tell: Tell = lambda _: None) -> Moved:
    """Let the local store have what it lacks of `wanted`; durable when this returns. Raises as `send`.

    Nothing is asked of the remote when all is here. Every piece is verified when it arrives.
    """
    return _Transfer(remote, local, is_sent=False, tell=tell).all(wanted)


class _Root(Struct, kw_only=True):
    """An artifact with the blobs that it needs; `top` is the one that must come last, if there are others."""

    path: str
    why: str
    top: Digest
    content: Sequence[Digest] = ()
    is_new: bool = False

    def names(self) -> Iterator[Digest]:
        """All of its blobs."""
        yield from self.content
        yield self.top


class _Transfer:
    """One transfer under way."""

    __slots__ = ("_bad", "_batches", "_done", "_is_sent", "_lost", "_near", "_parts", "_source", "_target", "_tell")

    def __init__(self, source: Blobs, target: Blobs, *, is_sent: bool, tell: Tell) -> None:
        self._source = source
        self._target = target
        self._is_sent = is_sent
        # What costs nothing to ask.
        self._near = source if is_sent else target
        self._tell = tell
        self._done = Progress()
        self._lost: list[Lost] = []
        # Of the group that is under way: what cannot be had, and the pieces of large blobs.
        self._bad: set[Digest] = set()
        self._parts: dict[Digest, Sequence[Digest]] = {}

    def all(self, wanted: Needed) -> Moved:
        """Bring everything."""
        begun = time.monotonic()
        n_new = 0
        with _Batches(self._target) as self._batches:
            for group in self._groups(wanted):
                self._group(group)
                n_new += sum(root.is_new for root in group if root.top in wanted.artifacts)
        self._target.sync()
        return Moved(
            n_artifacts=len(wanted.artifacts),
            n_new=n_new,
            n_pieces=self._done.n_done,
            n_bytes=self._done.n_bytes,
            seconds=time.monotonic() - begun,
            lost=tuple(self._lost),
        )

    def _groups(self, wanted: Needed) -> Iterator[list[_Root]]:
        """Artifacts with what they need, as many together as can well be looked at."""
        roots, n = [], 0
        for root in self._roots(wanted):
            roots.append(root)
            n += 1 + len(root.content)
            if n >= _AT_ONCE:
                yield roots
                roots, n = [], 0
        if roots:
            yield roots

    def _roots(self, wanted: Needed) -> Iterator[_Root]:
        for digest, why in wanted.digests.items():
            if digest not in wanted.artifacts:
                yield _Root(path="", why=why, top=digest)
        trees = [digest for digest, (artifact, _) in wanted.artifacts.items() if artifact.kind == "tree"]
        here = self._near.has(trees)
        rest = [digest for digest in trees if digest not in here]
        far = self._target if self._is_sent else self._source
        there = far.has(rest) if rest else set()
        for digest, (artifact, why) in wanted.artifacts.items():
            root = _Root(path=artifact.path, why=why, top=digest)
            if artifact.kind == "tree":
                found = self._files(digest, is_here=digest in here, is_there=digest in there)
                if found is None:
                    self._lose(root, digest)
                    continue
                root.content = found
            yield root

    def _files(self, digest: Digest, *, is_here: bool, is_there: bool) -> Sequence[Digest] | None:
        """What is in a folder; None when its list cannot be had."""
        stores = [self._near] if is_here else []
        if not self._is_sent:
            stores.append(self._source)
        elif is_there:
            stores.append(self._target)
        for store in stores:
            try:
                return list(dict.fromkeys(file.digest for file in tree_in(store, digest).files))
            except (BlobMissing, BlobDamaged):
                continue
        return None

    # --- a group ------------------------------------------------------------------------------------------------

    def _group(self, roots: Sequence[_Root]) -> None:
        """Bring what these lack: pieces and small blobs, then the lists of large ones, then what names all that."""
        names = list(dict.fromkeys(name for root in roots for name in root.names()))
        lacking = self._lacking(names)
        if not lacking:
            return
        for root in roots:
            root.is_new = any(self._needs(name, lacking) for name in root.names())
        whole = [root for root in roots if not self._is_lost(root)]
        tops = {root.top for root in whole if root.content}
        wanted = dict.fromkeys(name for root in whole for name in root.names())
        pieces = dict.fromkeys(part for name in wanted for part in self._parts.get(name, ()))
        first = [
            name for name in (*pieces, *wanted) if name in lacking and name not in self._parts and name not in tops
        ]
        lists = [name for name in wanted if name in lacking and name in self._parts and name not in tops]
        self._done = Progress(
            n_done=self._done.n_done,
            n_due=self._done.n_due + len(set(first)) + len(lists) + len(tops & lacking),
            n_bytes=self._done.n_bytes,
        )
        self._bring(list(dict.fromkeys(first)))
        self._bring([name for name in lists if not self._is_bad(name)])
        left = [root for root in whole if not self._is_lost(root)]
        self._bring([top for top in dict.fromkeys(root.top for root in left if root.content) if top in lacking])
        for root in left:
            self._is_lost(root)

    def _lacking(self, names: Sequence[Digest]) -> set[Digest]:
        """What the target lacks of these and of their pieces; what the source lacks of that as well is bad."""
        there = self._held(names)
        lacking = {name for name in names if name not in there}
        self._bad = lacking - self._source.has(list(lacking)) if lacking else set()
        # Also of what the target has: its pieces may have been damaged and put aside.
        asked = names if self._is_sent else [name for name in names if name in there]
        self._parts = dict(self._near.parts(asked))
        if self._is_sent and there:
            # Of what is not here, only the remote can say of which pieces it is.
            self._parts |= dict(self._target.parts(sorted(there - self._near.has(list(there)))))
        if not self._is_sent and lacking:
            self._parts |= dict(self._source.parts([name for name in lacking if name not in self._bad]))
        pieces = list(dict.fromkeys(part for parts in self._parts.values() for part in parts))
        there = self._held(pieces)
        rest = [piece for piece in pieces if piece not in there]
        if rest:
            self._bad |= set(rest) - self._source.has(rest)
        return lacking | set(rest)

    def _held(self, names: Sequence[Digest]) -> set[Digest]:
        """Those that the target has. A remote is told that they are relied on."""
        if not self._is_sent:
            return self._target.has(names)
        return self._target.renew(names, before=time.time() - YOUNG_S)

    def _needs(self, name: Digest, among: set[Digest]) -> bool:
        return name in among or any(part in among for part in self._parts.get(name, ()))

    def _is_bad(self, name: Digest) -> bool:
        return bool(self._bad) and self._needs(name, self._bad)

    def _is_lost(self, root: _Root) -> bool:
        """Whether something of it cannot be had; that is then told."""
        bad = next((name for name in root.names() if self._is_bad(name)), None)
        if bad is not None:
            root.is_new = False
            self._lose(root, bad)
        return bad is not None

    def _lose(self, root: _Root, digest: Digest) -> None:
        self._lost.append(Lost(path=root.path, why=root.why, digest=digest))

    def _bring(self, names: Sequence[Digest]) -> None:
        """Bring these as they are; those that turn out damaged are bad from then on, the others come all the same."""
        done: set[Digest] = set()
        try:
            for piece in self._source.pieces(names):
                self._batches.add(self._fitting(piece) if piece.is_list else piece)
                done.add(piece.digest)
                n_bytes = self._done.n_bytes + len(piece.data)
                self._done = Progress(n_done=self._done.n_done + 1, n_due=self._done.n_due, n_bytes=n_bytes)
                self._tell(self._done)
        except (BlobMissing, BlobDamaged):
            if len(names) == 1:
                self._bad.add(names[0])
                return
            # Which of them it is, halves tell.
            rest = [name for name in names if name not in done]
            self._bring(rest[: len(rest) // 2])
            self._bring(rest[len(rest) // 2 :])

    def _fitting(self, piece: Piece) -> Piece:
        """A list that names the pieces that it named before: of all that comes, only lists do not verify themselves.

        Asked for again when it does not, since it may have been changed on its way. Raises BlobDamaged.
        """
        for _ in range(_TRIES):
            parts = [part.hex() for part, _ in pack.listed(piece.data, at="store")]
            if parts == list(self._parts.get(piece.digest, ())):
                return piece
            piece = next(iter(self._source.pieces([piece.digest])))
        raise BlobDamaged(f"the list of blob {piece.digest[:12]} is damaged", at="store", remedy="try again")


class _Batches:
    """Batches of a store, one after the other, each begun when there is something to put into it."""

    __slots__ = ("_batch", "_begun", "_n_bytes", "_stack", "_target")

    def __init__(self, target: Blobs) -> None:
        self._target = target
        self._stack = ExitStack()
        self._batch: Batch | None = None
        self._begun = 0.0
        self._n_bytes = 0

    def add(self, piece: Piece) -> None:
        """Put something into it."""
        if self._batch is None:
            self._batch = self._stack.enter_context(self._target.batch())
            self._begun, self._n_bytes = time.monotonic(), 0
        self._batch.add(piece)
        self._n_bytes += len(piece.data)
        if self._n_bytes >= EVERY_BYTES or time.monotonic() >= self._begun + EVERY_S:
            self._batch = None
            self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._batch = None
        self._stack.__exit__(kind, error, tb)


def see_whole(moved: Moved, *, remedy: str) -> None:
    """Raise BlobMissing when something could not be brought, naming some of it."""
    if not moved.lost:
        return
    named = list(dict.fromkeys(f"{one.path} ({one.why})" if one.path else one.why for one in moved.lost))
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    lost = moved.lost[0]
    raise BlobMissing(
        f"not all of {', '.join(named[:3])}{more} can be had: blob {lost.digest[:12]} is missing or damaged",
        at=lost.path or "store",
        remedy=f"{remedy}; all else was brought",
    )


def artifacts(found: Iterable[tuple[Artifact, str]]) -> Needed:
    """Artifacts with what each is for, as something to be brought."""
    needed = Needed(artifacts={}, digests={})
    for artifact, why in found:
        needed.artifact(artifact, why)
    return needed
