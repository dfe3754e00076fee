"""What nobody needs any more, out of the store: the only place from which blobs are deleted.

The caller says what is needed (from aliases, lock files, endpoints, runs); this only finds what that leads to.
"""

from collections.abc import Iterable

from msgspec import Struct

from headway.core.ids import Artifact, Digest
from headway.errors import BlobDamaged, BlobMissing
from headway.flows.store import tree_in
from headway.ports import Blobs

STALE_S = 86_400.0
"""Seconds after which a half-written blob has no writer any more: no upload takes a day."""


class Collected(Struct, frozen=True, kw_only=True):
    """What `collect` removed, or would remove; `fresh` is what was stored too recently to be judged.

    `missing` are needed blobs that the store does not have: nothing here deleted them.
    """

    n_removed: int = 0
    removed_bytes: int = 0
    n_kept: int = 0
    kept_bytes: int = 0
    n_fresh: int = 0
    missing: tuple[Digest, ...] = ()


def collect(
    blobs: Blobs,
    artifacts: Iterable[Artifact],
    digests: Iterable[Digest],
    *,
    now: float,
    grace_s: float,
    dry_run: bool = False,
) -> Collected:
    """Delete all blobs but those of `artifacts` (folders with all their files), `digests`, and young ones.

    Young is what was stored less than `grace_s` before `now` (UTC seconds): a run that is under way stores first and
    tells the log after. `dry_run` only counts. Interrupted, it has deleted some of what nobody needs; call it again.
    """
    wanted, missing = _reachable(blobs, artifacts, digests)
    n_kept = kept = n_fresh = 0
    doomed: dict[Digest, int] = {}
    for blob in blobs.list():
        if blob.digest in wanted:
            n_kept += 1
            kept += blob.size_bytes
        elif blob.at > now - grace_s:
            n_fresh += 1
        else:
            doomed[blob.digest] = blob.size_bytes
    removed = sum(doomed.values()) if dry_run else blobs.delete(doomed.keys(), before=now - grace_s)
    if not dry_run:
        removed += blobs.sweep(before=now - max(grace_s, STALE_S))
    return Collected(
        n_removed=len(doomed),
        removed_bytes=removed,
        n_kept=n_kept,
        kept_bytes=kept,
        n_fresh=n_fresh,
        missing=tuple(sorted(missing)),
    )


def _reachable(
    blobs: Blobs, artifacts: Iterable[Artifact], digests: Iterable[Digest]
) -> tuple[set[Digest], set[Digest]]:
    wanted = set(digests)
    trees = set()
    for artifact in artifacts:
        wanted.add(artifact.digest)
        if artifact.kind == "tree":
            trees.add(artifact.digest)
    missing: set[Digest] = set()
    for digest in trees:
        try:
            wanted.update(file.digest for file in tree_in(blobs, digest).files)
        except (BlobMissing, BlobDamaged):
            missing.add(digest)
    wanted.update(part for _, parts in blobs.parts(list(wanted)) for part in parts)
    return wanted, missing | (wanted - blobs.has(list(wanted)))
