"""What the outside world must be able to do, and no more: Blobs, Log, Leases, Runner, Target, Source, Notifier.

Each docstring states what may be called twice, what is atomic and what raises. Contract suites for all of them ship
in `headway.testing`. The clock is not a port: `now` is passed.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal, Protocol

from msgspec import Struct

from headway.core.facts import Entry, Fact, Row
from headway.core.ids import Digest
from headway.core.limits import Limits
from headway.core.recording import Recording
from headway.core.routing import Table
from headway.core.signature import Signature
from headway.core.source_state import SourceState

if TYPE_CHECKING:
    # Every run imports this file, and few tell anybody.
    from headway.core.courier import Receipt
    from headway.core.notice import Notice

Tell = Callable[[int], None]
"""Hears of so many things more that are done."""


class BlobInfo(Struct, frozen=True, kw_only=True):
    """A stored blob: its size, and when it was stored last (UTC seconds; for `gc`'s grace)."""

    digest: Digest
    size_bytes: int
    at: float


class Piece(Struct, frozen=True, gc=False):
    """What one store hands to another: a blob's content or, when `is_list`, the list of the pieces of a larger one.

    `size_bytes` is the size of the whole blob. `codec/pack` says how a list is written. `is_verified` when who gives it
    has just seen that this content has this digest: who takes it need not do so again.
    """

    digest: Digest
    data: bytes
    size_bytes: int
    is_list: bool = False
    is_verified: bool = False


class Batch(Protocol):
    """Many things stored as one, small ones together: a hundred thousand small files take seconds, not minutes."""

    def put(self, data: bytes) -> Digest:
        """Store bytes; returns their digest."""

    def put_file(self, path: str) -> tuple[Digest, int]:
        """Store a file's content; returns digest and size."""

    def add(self, piece: Piece) -> None:
        """Store what another store gave. Pieces come before the list that names them. Raises BlobDamaged."""


class Blobs(Protocol):
    """Content, written once and named by its BLAKE3.

    Storing twice is harmless and cheap. A blob is visible whole or not at all, also after SIGKILL. What was stored
    is durable against power loss once `sync` has returned. DiskFull when there is no room: nothing is left behind.
    A large blob may be kept in pieces, which are blobs themselves and shared between those that hold the same.
    """

    def put(self, data: bytes) -> Digest:
        """Store bytes; returns their digest."""

    def put_file(self, path: str, *, move: bool = False) -> tuple[Digest, int]:
        """Store a file's content, streamed; returns digest and size. With `move` the file itself may be used up."""

    def batch(self) -> AbstractContextManager[Batch]:
        """Store many things; all of them are visible when the block is left, also by an exception."""

    def get(self, digest: Digest) -> bytes:
        """The content, verified. Raises BlobMissing, BlobDamaged."""

    def slice(self, digest: Digest, start: int, size: int) -> bytes:
        """Up to `size` bytes of the content from byte `start`, fewer at its end; of a large one no more is read.

        What is kept in pieces is verified piece by piece; of a large file of its own, a part cannot be. Raises
        BlobMissing, BlobDamaged.
        """

    def fetch(self, digest: Digest, path: str, *, executable: bool = False) -> None:
        """Write the content to `path`, verified, atomically, replacing what is there. Raises BlobMissing, BlobDamaged.

        The file is the caller's own (changing it never changes the store). Its folder must exist.
        """

    def fetch_all(self, wanted: Sequence[tuple[Digest, str, bool]], tell: Tell | None = None) -> None:
        """Write many blobs, each to a new file: digest, path, and whether it is executable. Verified. Quicker each.

        No path may exist yet; their folders must. Not atomic: for a folder that nobody looks at before it is whole.
        `tell` hears now and then, from whichever thread, how many more are written; of all in the end. Raises
        BlobMissing, BlobDamaged.
        """

    def has(self, digests: Sequence[Digest]) -> set[Digest]:
        """Those of `digests` that are in the store (present and of plausible size; not read)."""

    def renew(self, digests: Sequence[Digest], *, before: float) -> set[Digest]:
        """As `has`, for one who relies on them: those stored last before then (UTC seconds) count as stored now.

        So `gc` leaves them alone for as long as if they had been stored again. Pieces are asked for by themselves.
        """

    def pieces(self, digests: Sequence[Digest]) -> Iterator[Piece]:
        """These blobs, in the order that is quickest: content, verified, or a list. Raises BlobMissing, BlobDamaged."""

    def parts(self, digests: Sequence[Digest]) -> Iterator[tuple[Digest, Sequence[Digest]]]:
        """Of those that are kept in pieces: which these are, in order. Others, and absent ones, are passed over."""

    def check(self, digests: Sequence[Digest]) -> Iterator[tuple[Digest, Literal["missing", "damaged"]]]:
        """Read these blobs whole, also in pieces; tells those that cannot be had, and puts damaged ones aside."""

    def delete(self, digests: Collection[Digest], *, before: float) -> int:
        """Forget those that were stored last before then (UTC seconds); returns the bytes that this freed.

        Whoever stores one of them meanwhile keeps it. Deleting what is not there is harmless, and so is deleting a
        part again. Only `headway gc` calls this.
        """

    def list(self) -> Iterator[BlobInfo]:
        """All blobs and pieces, in no order; those stored while listing may be missed."""

    def sweep(self, *, before: float) -> int:
        """Remove what writers that were killed left half done before then (UTC seconds); returns its bytes.

        Also what was put aside as damaged. Only `headway gc` calls this.
        """

    def sync(self) -> None:
        """Make all that was stored through this object durable. Cheap when nothing is pending."""


class Log(Protocol):
    """The append-only log of facts, one chain of hashes over all streams.

    Appending is atomic: all facts of a call or none. Facts are visible to other processes when `append` returned
    and survive SIGKILL; they are durable against power loss once `sync` has returned. Raises LogDamaged when the
    log cannot be read, LogNewer for facts of a later version, DiskFull when there is no room.
    """

    def append(self, stream: str, facts: Sequence[Fact], *, expect: int, at: float) -> int:
        """Append to a stream that has `expect` facts; returns its new length.

        Raises AppendConflict (and appends nothing) when it has another length. No facts: nothing happens.
        """

    def read(self, stream: str, *, after: int = 0) -> list[Entry]:
        """The facts of a stream with `n` > `after`, in order; empty for an unknown stream."""

    def scan(
        self,
        kinds: Sequence[str] = (),
        *,
        after_seq: int = 0,
        before_seq: int | None = None,
        newest_first: bool = False,
        limit: int | None = None,
    ) -> Iterator[Entry]:
        """Facts of all streams with `seq` > `after_seq` and < `before_seq`, of these kinds (all, when empty).

        What is not asked for is not read, at either end.
        """

    def find(self, kind: str, keys: Sequence[str]) -> dict[str, Entry]:
        """The newest fact of `kind` for each of `keys` (see `facts.key_of`); unknown keys are absent."""

    def raw(self, *, after_seq: int = 0) -> Iterator[Row]:
        """All rows as they lie there, in order of `seq`, not decoded: for audit and export."""

    def sync(self) -> None:
        """Make all that was appended through this object durable. Cheap when nothing is pending."""

    def close(self) -> None:
        """Let go of files and connections; syncs first. May be called twice."""


class Leases(Protocol):
    """Who may act on what.

    A lease ends when released, when its holder's process dies (where that can be seen), or when `ttl_s` went by
    without `renew`.
    """

    def acquire(self, name: str, *, holder: str, ttl_s: float, now: float) -> None:
        """Take the lease. Taking one's own again renews it. Raises LeaseHeld (naming the holder) otherwise."""

    def renew(self, name: str, *, holder: str, ttl_s: float, now: float) -> None:
        """Keep the lease. Raises LeaseHeld when it was lost to somebody, or to nobody (then holder is '')."""

    def release(self, name: str, *, holder: str) -> None:
        """Give it back. Releasing what one does not hold is harmless."""

    def holder(self, name: str, *, now: float) -> str | None:
        """Who holds it, or None."""


class Task(Struct, frozen=True, kw_only=True):
    """A command to run. `key` names it for ever (`run/12/train-model/1`); `env` is the whole environment.

    `log_path`: where stdout and stderr go, appended. The command gets a process group of its own.
    `fallback` is used when `argv[0]` is not an executable that can be found: the same command through a shell.
    """

    key: str
    argv: tuple[str, ...]
    cwd: str
    env: Mapping[str, str]
    log_path: str
    fallback: tuple[str, ...] = ()


class Exit(Struct, frozen=True, kw_only=True):
    """A task's end: `code` as a shell shows it (128 + signal when killed). `seconds` of wall time."""

    key: str
    code: int
    seconds: float
    max_rss_bytes: int = 0
    cpu_s: float = 0.0


class Runner(Protocol):
    """Runs tasks somewhere, several at a time. Not thread-safe; one object, one owner."""

    def start(self, task: Task) -> None:
        """Start a task. Raises StepNotStarted (nothing runs then), also when `key` is running already here."""

    def wait(self, timeout_s: float | None) -> list[Exit]:
        """Wait until at least one task ended, `wake` was called, or the time is over; None waits for ever.

        Each end is told once. Returns at once, empty, when nothing runs.
        """

    def stop(self, key: str, *, grace_s: float) -> None:
        """Ask the task's whole process group to end, and after `grace_s` make it; its end comes from `wait`.

        Unknown or ended keys are harmless. Calling again with a shorter grace brings the end forward.
        """

    def wake(self) -> None:
        """Make a `wait` that is under way return; may be called from a signal handler."""

    def ask(self, key: str) -> Literal["running", "gone"]:
        """What is left of a task that an earlier process started: anything of it that is alive counts as running."""

    def evict(self, key: str, *, grace_s: float) -> None:
        """End all that is left of such a task. Raises StepHeld when it survives."""

    def close(self) -> None:
        """Kill what still runs and let go. May be called twice."""


class Serving(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model version to be served: `path` is its file or folder, `format` the name of a file in `formats/`.

    `recording` says how its predictions are logged, `limits` how much its clients may ask and for how long.
    `signature` is what requests are held to (empty: to what the model says); `onnx` is the file of its proven
    conversion, which answers in its place (empty: there is none).
    """

    endpoint: str
    model: str
    version: int
    path: str
    format: str
    digest: Digest
    recording: Recording = Recording()
    limits: Limits = Limits()
    signature: Signature = Signature()
    onnx: str = ""
    onnx_digest: Digest = Digest("")


class ProcessEnd(Struct, frozen=True, kw_only=True):
    """A version's processes ended by themselves `n` times since it was started; `words` say how the last one did."""

    version: int
    n: int
    words: str = ""


class EndpointState(Struct, frozen=True, kw_only=True):
    """What a target holds of an endpoint now; `versions` are those with a live process.

    `table` says who answers beside the one that serves; None: nobody does. `ends` tells of processes that ended by
    themselves, as far as the target knows, also where others took their place since. `held` are the versions of which
    anything is left, ready or not.
    """

    url: str
    serving: int | None
    versions: tuple[int, ...] = ()
    healthy: bool = False
    detail: str = ""
    table: Table | None = None
    ends: tuple[ProcessEnd, ...] = ()
    held: tuple[int, ...] = ()


class Answer(Struct, frozen=True, kw_only=True):
    """What a version answered to one request; `outputs` is the decoded JSON body's text when `status` is 200."""

    status: int
    body: bytes
    ms: float


class Target(Protocol):
    """Where endpoints live. Every act may be done twice."""

    def start(self, serving: Serving, *, port: int, timeout_s: float) -> str:
        """Bring up a version without traffic; returns its own address. Raises VersionNotReady, TargetUnavailable.

        One that runs already goes on with the `recording` and `limits` that are given now, and loses no request.
        """

    def ask(self, endpoint: str, version: int, requests: Sequence[bytes], *, timeout_s: float) -> list[Answer]:
        """Send real requests to a version that was started, past the endpoint's traffic."""

    def switch(self, endpoint: str, version: int) -> str:
        """Let this version answer all new requests; returns the endpoint's URL. No request is lost.

        A table that was in force ends.
        """

    def route(self, endpoint: str, table: Table | None) -> None:
        """Let the versions of a table answer from now on, or with None the one that serves alone. No request is lost.

        The version that serves is one of its routes (a weight of 0 will do), and answers for any of them that cannot.
        A version that is stopped leaves the table. The table outlives all processes. Raises VersionNotReady when one of
        its versions has no live process, and nothing is changed then; UsageMistaken when the table makes no sense.
        """

    def stop(self, endpoint: str, version: int | None) -> None:
        """Drain and end one version, or with None the whole endpoint."""

    def state(self, endpoint: str) -> EndpointState | None:
        """What is there now; None when the target knows nothing of it."""

    def collect(self, endpoint: str) -> list[str]:
        """Bring what its versions logged elsewhere into the endpoint's prediction log here, each byte once.

        Cheap when nothing is new. Returns what could not be brought now, in words; the next call tries it again.
        Nothing to do, and nothing told, where versions log here in the first place. Raises TargetUnavailable.
        """


class Source(Protocol):
    """Where data comes from that lies outside: object stores, the web, folders, databases. Nothing is changed there."""

    def snapshot(self, wanted: str, folder: str) -> list[str]:
        """Write what `wanted` names as files into `folder`, which is empty; returns their names in it, in order.

        `wanted` is a URL or a pattern of URLs (`s3://bucket/events/*.parquet`), of databases a query. The files are
        whole and those of one moment as far as the place can promise it; the same data gives the same bytes where it
        can. May be called again, with another empty folder. When it raises, what lies in `folder` means nothing:
        SourceUnreachable, SourceRefused, NothingMatches, QueryMistaken, DiskFull, ExtraMissing.
        """

    def state(self, wanted: str) -> SourceState:
        """What `wanted` (as in `snapshot`) names is like now, as far as the place tells without handing it over.

        Of a database `wanted` is asked, and all of its answer counts: it should be small. Nothing there is a state of
        its own, not an error. Raises as `snapshot` but NothingMatches.
        """


class Notifier(Protocol):
    """Somebody who is told: a chat, a mailbox, a command."""

    def send(self, notice: "Notice") -> "Receipt":
        """Tell them. What goes wrong out there is in the receipt; nothing is raised for it.

        Returns within half a minute as far as that can be had. Telling the same notice again is harmless: who hears it
        finds the same `key`. May be called from another thread than the one that made it, by one at a time.
        """
