"""What `headway up` does about the run of a firing, and how it is told: values in, decisions out.

`core/trigger` says that a run is due; this says whether its process is to be started, again or at all, and when the
firing has come to its end. Knows no process and no log: what they say is given to it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Literal

from msgspec import Struct

from headway.core import facts as f
from headway.core.ids import RunId
from headway.errors import HeadwayError, Mistake

MOST_STARTS = 5
"""A run whose process ended so often before the run did is given up: no machine gets better by a sixth time."""

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 300.0

INTERRUPTED = 130

Kind = Literal["daemon", "event", "firing", "run", "release", "alarm", "process", "trouble"]


class Told(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of what the daemon does. `about` is a pipeline, an endpoint, a monitor; empty: the daemon itself."""

    at: float
    kind: Kind
    says: str
    about: str = ""
    run: RunId | None = None


class Complaint(Struct, frozen=True, kw_only=True):
    """What a command said that could not do its work, as `--json` has it: `error` is the code."""

    error: str
    problem: str
    at: str = ""
    remedy: str = ""

    @property
    def is_mistake(self) -> bool:
        """Whether somebody wrote something that cannot be meant: trying again does not help."""
        kind = _kind(self.error)
        return kind is not None and issubclass(kind, Mistake)

    @property
    def is_passing(self) -> bool:
        """Whether it may go by itself: a full disk, somebody else at work."""
        kind = _kind(self.error)
        return kind is not None and kind.retry_after_s is not None


class Case(Struct, frozen=True, kw_only=True):
    """How it stands with a firing whose process is not alive.

    `run` was begun for it and is `finished`, as the log says. This daemon started `n_starts` processes for it that did
    not just meet something passing; the last of them ended with `code` and said `complaint`. None: there was none.
    """

    firing: int
    run: RunId | None = None
    finished: f.RunFinished | None = None
    n_starts: int = 0
    code: int | None = None
    complaint: Complaint | None = None


class Begin(Struct, frozen=True, kw_only=True):
    """Start the firing's process, which goes on where the run was left, after a pause, for the reason `why`."""

    pause_s: float = 0.0
    why: str = ""


def decide(case: Case) -> f.FiringEnded | Begin:
    """The end of a firing, or what is to be done for its run."""
    finished = case.finished
    if finished is not None and finished.outcome != "interrupted":
        return f.FiringEnded(firing=case.firing, outcome=finished.outcome, run=case.run, why=finished.why)
    if finished is not None and case.code == INTERRUPTED:
        # Somebody ended the run that this daemon had started. One that ended together with its daemon goes on.
        return f.FiringEnded(firing=case.firing, outcome="interrupted", run=case.run, why="somebody interrupted it")
    return Begin() if case.code is None else _again(case, case.code)


def _again(case: Case, code: int) -> f.FiringEnded | Begin:
    """Whether and when to start anew the process that ended with this code before its run did."""
    said, run = case.complaint, case.run
    if said is not None and said.is_passing:
        return Begin(pause_s=pause_s(case.n_starts + 1), why=said.problem)
    if said is not None and said.is_mistake and run is None:
        return f.FiringEnded(firing=case.firing, outcome="failed", why=f"{said.problem} ({said.at})")
    why = said.problem if said is not None else f"its process {ended(code)}"
    if case.n_starts >= MOST_STARTS:
        return f.FiringEnded(firing=case.firing, outcome="failed", run=run, why=f"{why}, {case.n_starts} times")
    return Begin(pause_s=pause_s(case.n_starts), why=why)


def pause_s(n_tries: int) -> float:
    """How long to wait after so many tries (>= 0) that came to nothing, in seconds.

    >>> [pause_s(n) for n in (0, 1, 2, 3, 20)]
    [0.0, 1.0, 2.0, 4.0, 300.0]
    """
    return 0.0 if n_tries <= 0 else min(FIRST_PAUSE_S * 2 ** min(n_tries - 1, 16), LONGEST_PAUSE_S)


def moment(at: float) -> str:
    """A time as the lines of the daemon begin with it.

    >>> moment(0.9)
    '1970-01-01 00:00:00 UTC'
    """
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"


def ended(code: int) -> str:
    """How a process ended, in words, by its exit code as a shell shows it.

    >>> ended(137), ended(1)
    ('was killed by signal 9', 'ended with exit code 1')
    """
    return f"was killed by signal {code - 128}" if code > 128 else f"ended with exit code {code}"


def _kind(code: str) -> type[HeadwayError] | None:
    return next((kind for kind in _kinds(HeadwayError) if kind.code == code), None)


def _kinds(top: type[HeadwayError]) -> Iterator[type[HeadwayError]]:
    yield top
    for below in top.__subclasses__():
        yield from _kinds(below)
