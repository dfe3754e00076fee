"""Everything that is needed, read and checked: what is damaged or missing, whose it is; healed from a remote."""

import os
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from headway.core.ids import Artifact, Digest
from headway.errors import BlobDamaged, BlobMissing
from headway.flows.needed import Needed
from headway.flows.store import tree_in
from headway.ports import Blobs

_SHOWN = 3
"""Owners of a blob that are named."""


class Fault(Struct, frozen=True, kw_only=True):
    """A blob that cannot be had: what is wrong, what it belongs to, and whether a remote had it."""

    digest: Digest
    what: Literal["missing", "damaged"]
    of: tuple[str, ...]
    is_healed: bool = False


class Verified(Struct, frozen=True, kw_only=True):
    """How many blobs were read, and those that cannot be had."""

    n_checked: int
    faults: tuple[Fault, ...] = ()


def verify(blobs: Blobs, needed: Needed, *, remote: Blobs | None = None, scratch: str = "") -> Verified:
    """Read all that is needed; what a remote has takes the place of what is damaged or missing here.

    `scratch` is a folder for what comes from there. A folder whose list is lost is looked at again when that is healed.
    """
    faults: dict[Digest, Fault] = {}
    checked: set[Digest] = set()
    left = {digest: [why] for digest, why in needed.digests.items()}
    trees: dict[Digest, tuple[Artifact, str]] = {}
    for digest, (artifact, why) in needed.artifacts.items():
        left.setdefault(digest, []).append(f"{artifact.path} of {why}")
        if artifact.kind == "tree":
            trees[digest] = (artifact, why)
    # The lists of folders first: they say what else there is.
    for chosen in (set(left), None):
        names = chosen if chosen is not None else set(left) - checked
        faults |= _check(blobs, {d: left[d] for d in names}, remote, scratch)
        checked |= names
        if chosen is not None:
            for digest, (artifact, why) in trees.items():
                _spread(blobs, digest, f"{artifact.path}", why, left)
    return Verified(n_checked=len(checked), faults=tuple(sorted(faults.values(), key=lambda one: one.of)))


def _spread(blobs: Blobs, digest: Digest, path: str, why: str, left: dict[Digest, list[str]]) -> None:
    """Add what is in a folder to what is to be looked at."""
    try:
        files = tree_in(blobs, digest).files
    except (BlobMissing, BlobDamaged):
        return
    for file in files:
        owners = left.setdefault(file.digest, [])
        if len(owners) < _SHOWN:
            owners.append(f"{path}/{file.path} of {why}")


def _check(
    blobs: Blobs, owners: Mapping[Digest, Sequence[str]], remote: Blobs | None, scratch: str
) -> dict[Digest, Fault]:
    found: dict[Digest, Literal["missing", "damaged"]] = dict(blobs.check(sorted(owners)))
    healed = heal(blobs, remote, sorted(found), scratch) if remote is not None and found else set()
    return {
        digest: Fault(digest=digest, what=what, of=tuple(owners[digest]), is_healed=digest in healed)
        for digest, what in found.items()
    }


def heal(blobs: Blobs, remote: Blobs, digests: Sequence[Digest], scratch: str) -> set[Digest]:
    """Bring these blobs from a remote, verified on the way; those that it had."""
    there = remote.has(digests)
    healed: set[Digest] = set()
    os.makedirs(scratch, exist_ok=True)
    for digest in digests:
        if digest not in there:
            continue
        # Through a file, since a blob may be larger than memory.
        path = os.path.join(scratch, f"heal-{os.getpid()}-{digest[:16]}")
        try:
            remote.fetch(digest, path)
            blobs.put_file(path, move=True)
        except (BlobMissing, BlobDamaged):
            continue
        healed.add(digest)
    blobs.sync()
    return healed
