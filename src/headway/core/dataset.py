"""A dataset's versions, folded from the facts of its stream; what adding or forgetting one would append; references.

Decides only: `flows/dataset` reads files, asks Git and appends. Does not know where content is kept.
"""

from typing import Literal

from msgspec import Struct

from headway.core.facts import DatasetForgotten, DatasetVersioned, Entry
from headway.core.ids import Artifact, Digest, is_name
from headway.errors import NameUnknown, UsageMistaken

MIN_DIGITS = 8
"""Of a digest that stands for a version: fewer could be a word, or be meant for two."""

_HEX = frozenset("0123456789abcdef")


class Pin(Struct, frozen=True, kw_only=True):
    """What headway.lock says of a dataset: the content that belongs to this commit, and its version's number."""

    artifact: Artifact
    version: int = 0
    source: str = ""


class Snapshot(Struct, frozen=True, kw_only=True):
    """What is asked for: everything of a version but its number (see `DatasetVersioned`)."""

    dataset: str
    artifact: Artifact
    source: str = ""
    by: str = ""
    note: str = ""


class Versioned(Struct, frozen=True, kw_only=True):
    """The version that a snapshot is; `facts` must be appended for it, none when this very content was known."""

    version: DatasetVersioned
    facts: tuple[DatasetVersioned, ...] = ()


class VersionCard(Struct, frozen=True, kw_only=True):
    """A version, when it was made (UTC seconds), and whether somebody said that it can go."""

    version: DatasetVersioned
    at: float
    is_forgotten: bool = False


class Dataset:
    """All versions of one dataset. Owned by one reader."""

    __slots__ = ("_at", "_forgotten", "_versions", "length", "name")

    def __init__(self, name: str) -> None:
        self.name = name
        self.length = 0
        """Facts taken in: what the next append must expect."""
        self._versions: dict[int, DatasetVersioned] = {}
        self._at: dict[int, float] = {}
        self._forgotten: set[int] = set()

    def after(self, entry: Entry) -> None:
        """Take in the next fact of this dataset's stream. A version's first fact stands: it never changes."""
        self.length = entry.n
        match entry.fact:
            case DatasetVersioned() as fact:
                self._versions.setdefault(fact.version, fact)
                self._at.setdefault(fact.version, entry.at)
            case DatasetForgotten(version=version):
                self._forgotten.add(version)
            case _:
                pass

    # --- looking in ---------------------------------------------------------------------------------------------

    @property
    def cards(self) -> tuple[VersionCard, ...]:
        """All versions, oldest first, those that were forgotten too."""
        return tuple(
            VersionCard(version=self._versions[n], at=self._at[n], is_forgotten=n in self._forgotten)
            for n in sorted(self._versions)
        )

    @property
    def versions(self) -> tuple[DatasetVersioned, ...]:
        """The versions that stand, oldest first."""
        return tuple(self._versions[n] for n in sorted(self._versions) if n not in self._forgotten)

    @property
    def newest(self) -> DatasetVersioned | None:
        """The version that stands with the highest number."""
        return self.versions[-1] if self.versions else None

    def of(self, artifact: Artifact) -> DatasetVersioned | None:
        """The newest version that is this very content at this path."""
        return next((v for v in reversed(self.versions) if v.artifact == artifact), None)

    def with_content(self, digest: Digest) -> DatasetVersioned | None:
        """The newest version with this content, wherever it lay."""
        return next((v for v in reversed(self.versions) if v.artifact.digest == digest), None)

    def version(self, number: int) -> DatasetVersioned:
        """A version by its number. Raises NameUnknown."""
        found = self._versions.get(number)
        if found is None or number in self._forgotten:
            have = ", ".join(str(v.version) for v in self.versions[-5:]) or "none"
            gone = " any more: it was forgotten" if found is not None else ""
            raise NameUnknown(
                f"{self.name} has no version {number}{gone}",
                at=f"dataset: {self.name}@{number}",
                remedy=f"use one of its versions (newest: {have}); `headway data log {self.name}` lists them",
            )
        return found

    # --- deciding -----------------------------------------------------------------------------------------------

    def add(self, asked: Snapshot, pinned: Pin | None = None) -> Versioned:
        """The version that a snapshot gives: a new number, or the version that has this very content.

        `pinned` is what headway.lock says: of a version that this log never saw (it was made in another clone) it has
        the number, which is then used here too.
        """
        known = self.of(asked.artifact)
        if known is not None:
            return Versioned(version=known)
        floor = pinned.version if pinned is not None else 0
        number = max(max(self._versions, default=0), floor) + 1
        if pinned is not None and floor not in self._versions and floor > 0 and pinned.artifact == asked.artifact:
            number = floor
        version = DatasetVersioned(
            dataset=self.name,
            version=number,
            artifact=asked.artifact,
            source=asked.source,
            by=asked.by,
            note=asked.note,
        )
        return Versioned(version=version, facts=(version,))

    def forget(self, number: int, *, by: str = "", why: str = "") -> DatasetForgotten:
        """The fact by which a version may go. Raises NameUnknown when there is none of that number."""
        self.version(number)
        return DatasetForgotten(dataset=self.name, version=number, by=by, why=why)


# --- references -------------------------------------------------------------------------------------------------


class DatasetRef(Struct, frozen=True, kw_only=True):
    """What a person means by `train@7`, `train`, `train@work`, `train@lock`, `train@main`.

    `at` is empty for the newest version, a number for that version; `work` is what lies in the workspace, `lock` what
    headway.lock pins, and anything else the name of a commit, whose headway.lock is asked.
    """

    name: str
    at: str = ""

    @property
    def version(self) -> int | None:
        """The version's number, if it names one."""
        return int(self.at) if self.at.isascii() and self.at.isdecimal() else None

    @property
    def kind(self) -> Literal["newest", "version", "work", "lock", "commit"]:
        """Where to look."""
        if not self.at:
            return "newest"
        if self.version is not None:
            return "version"
        return "work" if self.at == "work" else "lock" if self.at == "lock" else "commit"

    def __str__(self) -> str:
        return f"{self.name}@{self.at}" if self.at else self.name


def parse_dataset_ref(text: str) -> DatasetRef | None:
    """Read `name` or `name@…`; None for what cannot be a dataset's name, such as a path or `HEAD~1`.

    >>> parse_dataset_ref("train@7").version, str(parse_dataset_ref("train@HEAD~1"))
    (7, 'train@HEAD~1')
    >>> parse_dataset_ref("data/train.csv") is None
    True
    """
    name, sign, at = text.partition("@")
    if not is_name(name) or (sign and not at):
        return None
    return DatasetRef(name=name, at=at)


def digest_prefix(text: str) -> str | None:
    """The text, if it may be the beginning of a digest: 8 to 64 hexadecimal digits.

    >>> digest_prefix("98a7ec89"), digest_prefix("98a7ec8"), digest_prefix("train-me")
    ('98a7ec89', None, None)
    """
    lower = text.lower()
    return lower if MIN_DIGITS <= len(lower) <= 64 and _HEX.issuperset(lower) else None


def checked_name(name: str) -> str:
    """The name, if a dataset may have it. Raises UsageMistaken."""
    if is_name(name):
        return name
    raise UsageMistaken(
        f"{name!r} cannot name a dataset", at="--name", remedy="use letters, digits and -_. (not - or . first)"
    )


def name_of_path(path: str) -> str:
    """The name that a dataset gets from its path: the last part without its ending, odd signs as hyphens.

    >>> name_of_path("data/training.csv"), name_of_path("data/My images"), name_of_path("日本")
    ('training', 'My-images', 'data')
    """
    stem = path.rstrip("/").rpartition("/")[2]
    # `a.tar.gz` and `a.csv.zst` lose both of their endings.
    for _ in range(2):
        before, dot, ending = stem.rpartition(".")
        if dot and before and len(ending) <= 7:
            stem = before
    kept = "".join(c if is_name(c) or c in "-_." else " " for c in stem)
    name = "-".join(kept.split()).lstrip("-.")
    return name if is_name(name) else "data"
