"""Late labels from files, into the prediction log of an endpoint: added once, whatever is done twice.

A file that was added is a fact, so that it is not read again; what it says is held against the labels that are there,
so that reading it again changes nothing. `tables/labels` reads them, `tables/label_news` says what is news and writes
it, `flows/watch_labels` says what they prove.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol

from blake3 import blake3
from msgspec import Struct
from msgspec.structs import replace

from headway.core import facts as f
from headway.core.ids import Digest
from headway.core.problem import did_you_mean
from headway.core.telling import listed
from headway.errors import (
    AppendConflict,
    Conflict,
    FileMissing,
    HeadwayError,
    LeaseHeld,
    NameUnknown,
    SystemRefused,
    UsageMistaken,
)
from headway.flows.predictions import folder_of
from headway.flows.rollout import names
from headway.ports import Leases, Log
from headway.tables.labels import Columns, is_table

if TYPE_CHECKING:
    from headway.tables.labels import Read

LEASE_S = 600.0

SETTLE_S = 2.0
"""A file of a folder that is watched is left alone for so long after it was changed: somebody may be writing it."""

ROWS, FILES = 1_000_000, 1000
"""So many labels, or files, are held against the log at a time: reading it takes longer than they do."""

_BLOCK = 1 << 20


class World(Protocol):
    """What is needed of `flows/delivery.Delivery`: log, leases, clock, and the folder of what is kept."""

    @property
    def log(self) -> Log:
        """The log."""

    @property
    def leases(self) -> Leases:
        """The leases."""

    @property
    def now(self) -> Callable[[], float]:
        """The clock."""

    @property
    def home(self) -> str:
        """The folder `.headway` of the project."""

    @property
    def by(self) -> str:
        """Who asks."""


class Added(Struct, frozen=True, kw_only=True):
    """What became of a file. `was_before`: just this was added already, and nothing was done.

    `n_unasked` of its labels are of requests that the log does not have, None where that was not looked up.
    """

    fact: f.LabelsAdded
    was_before: bool = False
    n_empty: int = 0
    n_repeated: int = 0
    n_unasked: int | None = None


class Swept(Struct, frozen=True, kw_only=True):
    """What a look at a folder of labels came to: the files that were added, and of others why not, by path.

    `n_settling` files are still being written, as it seems. `is_whole`: all others were read, or cannot be.
    """

    added: tuple[Added, ...] = ()
    trouble: dict[str, str] = {}
    n_settling: int = 0
    is_whole: bool = True


class Monitored(Protocol):
    """What is needed of a monitor (`core/monitor_grammar.Plan`): its endpoint, and where its labels arrive."""

    @property
    def endpoint(self) -> str:
        """The endpoint."""

    @property
    def labels(self) -> str:
        """A file or folder, as seen from the project's; empty: nowhere."""

    @property
    def labels_key(self) -> str:
        """The column that holds the request's id."""


def stream(endpoint: str) -> str:
    """The log's stream of the labels of an endpoint."""
    return f"labels/{endpoint}"


def endpoint_of(world: World, name: str | None) -> str:
    """The endpoint that is meant: the one of that name, or the only one. Raises NameUnknown, UsageMistaken."""
    known = list(names(world.log))
    if name is None:
        if len(known) == 1:
            return known[0]
        raise UsageMistaken(
            "there is no endpoint yet" if not known else f"there are {len(known)} endpoints",
            at="--endpoint",
            remedy=f"say whose labels these are: {listed(known, last='or')}" if known else "a `deploy` step makes one",
        )
    if name not in known and not os.path.isdir(folder_of(world.home, name)):
        remedy = did_you_mean(name, known, f"there are {listed(known)}" if known else "a `deploy` step makes one")
        raise NameUnknown(f"there is no endpoint {name!r}", at="--endpoint", remedy=remedy)
    return name


def add(
    world: World, endpoint: str, path: str, columns: Columns, *, source: str = "", is_counted: bool = False
) -> Added:
    """Take the labels of the file at `path` into the prediction log; `source` is what it is called.

    All of them or none; killed anywhere, doing it again does the rest. With `is_counted` those are counted that are of
    no request in the log. Raises FileMissing, SystemRefused, DataUnreadable, ColumnMissing, DiskFull; Conflict while
    somebody else adds labels to that endpoint.
    """
    file = _met(world, endpoint, _Place(source or path, path, _looked(path, source or path)), columns)
    if isinstance(file, Added):
        return file
    with _alone(world, endpoint):
        said = _read(world, file, columns)
        (added,) = _take(world, endpoint, [(file, said)])
    if not is_counted:
        return added
    from headway.tables.label_news import n_unasked

    return replace(added, n_unasked=n_unasked(folder_of(world.home, endpoint), said))


class _Place(NamedTuple):
    """A file: what it is called, where it is, what it is like."""

    source: str
    path: str
    look: os.stat_result


class _File(NamedTuple):
    """A file that is to be added: its content and its key."""

    place: _Place
    digest: Digest
    key: str


def _met(world: World, endpoint: str, place: _Place, columns: Columns) -> _File | Added:
    """The file, or what became of it if just this was added before."""
    digest = _digest(place.path, place.source)
    words = (endpoint, digest, columns.key, columns.label, columns.at, columns.row)
    key = blake3("\n".join(words).encode()).hexdigest()[:32]
    before = world.log.find("LabelsAdded", [key]).get(key)
    if before is not None and isinstance(before.fact, f.LabelsAdded):
        return Added(fact=before.fact, was_before=True)
    return _File(place, digest, key)


def _read(world: World, file: _File, columns: Columns) -> "Read":
    from headway.tables.labels import read

    # Of a clock that was ahead no label may look newer than all that will ever correct it.
    at = min(file.place.look.st_mtime, world.now())
    return read(file.place.path, columns, name=file.place.source, at=at)


def _take(world: World, endpoint: str, files: "Sequence[tuple[_File, Read]]") -> list[Added]:
    """Put what is news of these files into the prediction log, and tell of each."""
    from headway.tables.label_news import news, put

    folder = folder_of(world.home, endpoint)
    found = news(folder, [said for _, said in files])
    put(folder, found, received_at=world.now())
    facts = [
        f.LabelsAdded(
            endpoint=endpoint,
            source=file.place.source,
            digest=file.digest,
            key=file.key,
            n_new=counts.n_new,
            n_corrected=counts.n_corrected,
            n_known=counts.n_known,
            n_older=counts.n_older,
            size_bytes=file.place.look.st_size,
            mtime_ns=file.place.look.st_mtime_ns,
            by=world.by,
        )
        for (file, _), counts in zip(files, found.counts, strict=True)
    ]
    _append(world, endpoint, facts)
    return [
        Added(fact=fact, n_empty=said.n_empty, n_repeated=said.n_repeated)
        for fact, (_, said) in zip(facts, files, strict=True)
    ]


Seen = tuple[str, int, int]
"""A file as it was seen: its name, its size, its time."""


class Sweep:
    """The labels that arrive in a file or folder for one monitor. Remembers what it saw: looking again is cheap."""

    __slots__ = ("_columns", "_endpoint", "_known", "_n", "_place", "_root", "_trouble", "_world")

    def __init__(self, world: World, monitor: Monitored) -> None:
        self._world = world
        self._endpoint = monitor.endpoint
        self._root = os.path.dirname(world.home)
        self._place = monitor.labels
        self._columns = Columns(key=monitor.labels_key)
        self._known: set[Seen] = set()
        self._n = 0
        self._trouble: dict[Seen, str] = {}

    def new(self) -> list[Seen]:
        """The files that a look would read. Cheap: nothing is read for that."""
        return [_seen(place) for place in self._new()[0]] if self._place else []

    def told(self, asked: Sequence[Seen], swept: Swept) -> None:
        """Take in what the look of another process came to, which was to read at least these files."""
        for one in asked:
            if one[0] in swept.trouble:
                self._trouble[one] = swept.trouble[one[0]]
            elif swept.is_whole:
                self._known.add(one)

    def look(self) -> Swept:
        """Add what is new there. One file that cannot be read holds up no other; it is read again when it changed."""
        if not self._place:
            return Swept()
        new, n_settling = self._new()
        added, unwritten = list[Added](), dict[str, str]()
        is_whole = True
        try:
            while new:
                with _alone(self._world, self._endpoint):
                    new = self._some(new, added)
        except Conflict:
            # What somebody else adds just now is there the next time.
            is_whole = False
        except HeadwayError as e:
            # A disk that is full, say: nothing of these files was taken, and the next look takes them.
            unwritten = {self._place: f"{e.problem}; {e.remedy}"}
        self._known |= {(one.fact.source, one.fact.size_bytes, one.fact.mtime_ns) for one in added}
        trouble = {source: why for (source, _, _), why in self._trouble.items()}
        return Swept(
            added=tuple(added),
            trouble=trouble | unwritten,
            n_settling=n_settling,
            is_whole=is_whole and not unwritten,
        )

    def _new(self) -> tuple[list[_Place], int]:
        """The files that were not seen as they are, and how many others are being written."""
        for entry in self._world.log.read(stream(self._endpoint), after=self._n):
            self._n += 1
            if isinstance(entry.fact, f.LabelsAdded):
                self._known.add((entry.fact.source, entry.fact.size_bytes, entry.fact.mtime_ns))
        now, known = self._world.now(), self._known
        places = list(_places(self._root, self._place))
        there = {_seen(place) for place in places}
        self._trouble = {seen: why for seen, why in self._trouble.items() if seen in there}
        unseen = [one for one in places if _seen(one) not in known and _seen(one) not in self._trouble]
        quiet = [one for one in unseen if not 0 <= now - one.look.st_mtime < SETTLE_S]
        return quiet, len(unseen) - len(quiet)

    def _some(self, places: Sequence[_Place], added: list[Added]) -> list[_Place]:
        """Add as many files as are read at a time; gives back those that are left."""
        files: list[tuple[_File, Read]] = []
        n_rows = 0
        left = deque(places)
        while left and n_rows < ROWS and len(files) < FILES:
            place = left.popleft()
            try:
                file = _met(self._world, self._endpoint, place, self._columns)
                if isinstance(file, Added):
                    # The same content under another name, or with another time.
                    self._mark(place)
                    continue
                files.append((file, _read(self._world, file, self._columns)))
            except FileMissing:
                continue
            except HeadwayError as e:
                self._trouble[_seen(place)] = f"{e.problem}; {e.remedy}"
                continue
            n_rows += files[-1][1].frame.height
        if files:
            added += _take(self._world, self._endpoint, files)
        return list(left)

    def _mark(self, place: _Place) -> None:
        self._known.add(_seen(place))


def _seen(place: _Place) -> Seen:
    return place.source, place.look.st_size, place.look.st_mtime_ns


def sweep(world: World, monitor: Monitored) -> Swept:
    """Add the labels that arrived for a monitor, once. Who looks again and again keeps a `Sweep`."""
    return Sweep(world, monitor).look()


def _places(root: str, place: str) -> Iterator[_Place]:
    """The tables at a place, also in folders below it, in order of name."""
    place = os.path.normpath(place)
    top = os.path.join(root, place)
    found = []
    if os.path.isdir(top):
        for folder, folders, inside in os.walk(top):
            folders[:] = [one for one in folders if not one.startswith(".")]
            found += [os.path.join(folder, one) for one in inside if is_table(one)]
    elif os.path.exists(top):
        found.append(top)
    for path in sorted(found):
        try:
            look = os.stat(path)
        except FileNotFoundError:
            continue
        yield _Place(place + path[len(top) :], path, look)


def _looked(path: str, source: str) -> os.stat_result:
    try:
        look = os.stat(path)
    except FileNotFoundError as e:
        raise FileMissing(f"there is no {source}", at="FILE", remedy="name a file of labels, as seen from here") from e
    if not os.path.isfile(path):
        raise UsageMistaken(f"{source} is no file", at="FILE", remedy="name the files in it")
    return look


def _digest(path: str, source: str) -> Digest:
    hasher = blake3()
    try:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                hasher.update(block)
    except OSError as e:
        raise SystemRefused(f"{source} cannot be read: {e.strerror}", at="FILE", remedy="check the file") from e
    return Digest(hasher.hexdigest())


@contextmanager
def _alone(world: World, endpoint: str) -> Iterator[None]:
    """Nobody else holds labels against those that are there meanwhile."""
    holder = f"process {os.getpid()} on {os.uname().nodename}"
    try:
        world.leases.acquire(stream(endpoint), holder=holder, ttl_s=LEASE_S, now=world.now())
    except LeaseHeld as e:
        raise Conflict(
            f"labels are being added to {endpoint} just now by {e.holder or 'another process'}",
            at=f"endpoint: {endpoint}",
            remedy="try again when that has ended",
        ) from e
    try:
        yield
    finally:
        world.leases.release(stream(endpoint), holder=holder)


def _append(world: World, endpoint: str, facts: Sequence[f.LabelsAdded]) -> None:
    name = stream(endpoint)
    while True:
        try:
            world.log.append(name, facts, expect=len(world.log.read(name)), at=world.now())
        except AppendConflict:
            continue
        return
