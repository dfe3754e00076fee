"""Everything that is needed, read and checked: what is damaged or missing, whose it is; healed from a remote."""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

from headway.core.ids import Artifact, Digest
from headway.errors import BlobDamaged, BlobMissing, RemoteRefused, RemoteUnreachable
from headway.flows.needed import Needed
from headway.flows.store import tree_in
from headway.flows.transfer import bring
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
    """How many blobs were read, and those that cannot be had; `trouble` is what kept the remote from healing them.

    `n_elsewhere` artifacts that only other commits pin were never fetched: they were not looked for.
    """

    n_checked: int
    n_elsewhere: int = 0
    faults: tuple[Fault, ...] = ()
    trouble: str = ""


def verify(blobs: Blobs, needed: Needed, *, remote: Blobs | None = None) -> Verified:
    """Read all that is needed; what a remote has takes the place of what is damaged or missing here.

    The remote is asked only when something is. A folder whose list is lost is looked at again when that is healed.
    """
    heal = _Healer(blobs, remote)
    faults: dict[Digest, Fault] = {}
    checked: set[Digest] = set()
    left = {digest: [why] for digest, why in needed.digests.items()}
    trees: dict[Digest, tuple[Artifact, str]] = {}
    absent = needed.elsewhere - blobs.has(sorted(needed.elsewhere))
    for digest, (artifact, why) in needed.artifacts.items():
        if digest in absent:
            continue
        left.setdefault(digest, []).append(f"{artifact.path} of {why}")
        if artifact.kind == "tree":
            trees[digest] = (artifact, why)
    # The lists of folders first: they say what else there is.
    for chosen in (set(left), None):
        names = chosen if chosen is not None else set(left) - checked
        faults |= _check(blobs, {d: left[d] for d in names}, heal)
        checked |= names
        if chosen is not None:
            for digest, (artifact, why) in trees.items():
                _spread(blobs, digest, f"{artifact.path}", why, left)
    ordered = tuple(sorted(faults.values(), key=lambda one: one.of))
    return Verified(n_checked=len(checked), n_elsewhere=len(absent), faults=ordered, trouble=heal.trouble)


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


def _check(blobs: Blobs, owners: Mapping[Digest, Sequence[str]], heal: "_Healer") -> dict[Digest, Fault]:
    found: dict[Digest, Literal["missing", "damaged"]] = dict(blobs.check(sorted(owners)))
    healed = heal.bring(sorted(found)) if found else set()
    return {
        digest: Fault(digest=digest, what=what, of=tuple(owners[digest]), is_healed=digest in healed)
        for digest, what in found.items()
    }


class _Healer:
    """Brings what a remote has, as long as it answers; `trouble` is why it was not asked further."""

    __slots__ = ("_blobs", "_remote", "trouble")

    def __init__(self, blobs: Blobs, remote: Blobs | None) -> None:
        self._blobs = blobs
        self._remote = remote
        self.trouble = ""

    def bring(self, digests: Sequence[Digest]) -> set[Digest]:
        """Those that can be had from now on."""
        if self._remote is None or self.trouble:
            return set()
        wanted = Needed(artifacts={}, digests=dict.fromkeys(digests, "healing"))
        try:
            bring(self._remote, self._blobs, wanted)
        except (RemoteUnreachable, RemoteRefused) as e:
            # The faults must be told all the same.
            self.trouble = str(e)
        return set(digests) - dict(self._blobs.check(digests)).keys()
