"""What the prediction log is made of: lines, the labels that arrive for them later, the names of its files.

Values and decisions only. Does not know files: `serving/log_writer` writes them, `tables/prediction_log` reads them.
"""

from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from headway.core.recording import Recording
from headway.core.scalar import Scalar

Kind = Literal["predictions", "labels"]

COPY = "p"
"""What stands before the token of a file that was copied from elsewhere: its own writer seals it there."""

OK = 200

FAILED = frozenset({400, 500, 503, 504})
"""The statuses that say something of the version: it refused the columns or values, failed, was full, was too slow."""


class Label(Struct, frozen=True, array_like=True):
    """The truth about the prediction `request_id`, known since `at` (UTC seconds).

    `row` counts the rows of that request from 0. `received_at` is when it came here.
    """

    request_id: str
    label: Scalar
    at: float
    row: int = 0
    received_at: float = 0.0


# Any: values of rows, labels and classes are whatever the model was trained on.
class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A request as the log keeps it: its rows, and an answer for each. See docs/formats/predictions.md.

    `is_shadow`: the version was asked with a copy of the request, and no client got this answer. `status`: what came
    back as HTTP says it; not 200 is a failed request, which has no `predictions` and, where it could not be read, no
    `rows`. `instead_of`: the version that was to answer and gave no answer; this failure is its own, whoever answered.
    """

    request_id: str
    at: float
    ms: float
    model: str
    version: int
    rows: list[dict[str, Any]]
    predictions: list[Any]
    classes: list[Any] = []
    probabilities: list[list[float | None]] = []
    outputs: dict[str, list[Any]] = {}
    is_shadow: bool = False
    status: int = 200
    instead_of: int = 0

    @property
    def is_failed(self) -> bool:
        """Whether no answer was given."""
        return self.status != OK

    @property
    def n_rows(self) -> int:
        """The rows it has in a table; a failed request of which no row could be read still has one."""
        return max(len(self.rows), len(self.predictions), int(self.is_failed))


class LabelLine(Struct, frozen=True, kw_only=True):
    """A label as the log keeps it; `received_at` is when it came."""

    request_id: str
    row: int
    label: Scalar
    at: float
    received_at: float


class Place(Struct, frozen=True, array_like=True):
    """How far a file was followed: `n_bytes` of it while it is open, which are `n_rows` of it once it is a segment.

    `name` is the first letter of the kind and the token. What was followed lies between `first_at` and `last_at`.
    """

    name: str
    n_bytes: int = 0
    n_rows: int = 0
    version: int = 0
    first_at: float = 0.0
    last_at: float = 0.0
    is_done: bool = False


class Cursor(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a log was followed to, from `since` (UTC seconds) on; it goes into a fact, and so stays small.

    Without more than `since` it is the place before all that was logged from then on.

    Segments that were made before `swept_at` were followed to their end; `places` has all others that were begun, and
    the open files: however long a log is followed, they are few.
    """

    since: float = 0.0
    swept_at: float = 0.0
    places: tuple[Place, ...] = ()


class Segment(Struct, frozen=True, kw_only=True):
    """One file of the log. `first_at` and `last_at` (UTC seconds, whole milliseconds) hold all that is in it.

    `is_open`: lines of JSON that are still written to (or were, when their writer was killed); the times are then
    unknown, from 0 to infinity.
    """

    name: str
    kind: Kind
    token: str
    first_at: float = 0.0
    last_at: float = float("inf")
    version: int = 0
    is_open: bool = False


def open_name(kind: Kind, token: str) -> str:
    """The name of a file that is still written to."""
    return f"{kind}-{token}.jsonl"


def sealed_name(kind: Kind, token: str, *, first_at: float, last_at: float, version: int) -> str:
    """The name of a segment that is whole; sorted by name they are sorted by their first entry.

    >>> sealed_name("predictions", "a1", first_at=1.0005, last_at=2.0, version=3)
    'predictions-0000000001000-0000000002001-v3-a1.parquet'
    """
    return f"{kind}-{int(first_at * 1000):013d}-{int(last_at * 1000) + 1:013d}-v{version}-{token}.parquet"


def sketch_name(sealed: str) -> str:
    """The name of the file that lies beside a segment and has what was counted of it.

    >>> sketch_name("predictions-0000000001000-0000000002001-v3-a1.parquet")
    'predictions-0000000001000-0000000002001-v3-a1.sketch'
    """
    return f"{sealed.removesuffix('.parquet')}.sketch"


def segment(name: str) -> Segment | None:
    """What a file's name says; None when it is no file of the log.

    >>> segment("labels-a1.jsonl").is_open, segment("predictions-0000000001000-0000000002001-v3-a1.parquet").last_at
    (True, 2.001)
    >>> segment("notes.txt")
    """
    stem, _, ending = name.rpartition(".")
    kind, *rest = stem.split("-")
    if kind not in ("predictions", "labels"):
        return None
    # mypy cannot see that `kind` is one of the two by now.
    known: Kind = "predictions" if kind == "predictions" else "labels"
    if ending == "jsonl" and len(rest) == 1:
        return Segment(name=name, kind=known, token=rest[0], is_open=True)
    if ending != "parquet" or len(rest) != 4:
        return None
    first, last, version, token = rest
    if not (first.isdigit() and last.isdigit() and version[:1] == "v" and version[1:].isdigit()):
        return None
    return Segment(
        name=name,
        kind=known,
        token=token,
        first_at=int(first) / 1000,
        last_at=int(last) / 1000,
        version=int(version[1:]),
    )


def segments(names: Iterable[str]) -> list[Segment]:
    """The files of a log in order of time, open ones last; an open one that was sealed meanwhile is left out."""
    found = [one for one in map(segment, names) if one is not None]
    sealed = {one.token for one in found if not one.is_open}
    kept = [one for one in found if not (one.is_open and one.token in sealed)]
    return sorted(kept, key=lambda one: (one.is_open, one.first_at, one.name))


def expired(found: Iterable[tuple[Segment, int]], recording: Recording, *, now: float) -> list[Segment]:
    """The segments that are not kept any longer, oldest first; each is given with its size in bytes."""
    sealed = sorted(((s, size) for s, size in found if not s.is_open), key=lambda pair: pair[0].last_at)
    total = sum(size for _, size in sealed)
    gone = []
    for one, size in sealed:
        if one.last_at >= now - recording.keep_s and total <= recording.keep_bytes:
            break
        gone.append(one)
        total -= size
    return gone
