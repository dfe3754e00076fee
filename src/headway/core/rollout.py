"""The machine of an endpoint's releases: facts in, actions out. Decides what a release does next and what serves.

A release claims, starts the version without traffic, asks it the golden requests, switches, and finishes. Every action
may be carried out twice: whoever takes up a release that was left in the middle just goes on. Knows no process, no
port and no file; what golden requests are is told in `golden`.
"""

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from headway.core import facts as f
from headway.core.ids import Digest, RunId
from headway.core.limits import Limits
from headway.core.recording import Recording
from headway.errors import NameUnknown


class Order(Struct, frozen=True, kw_only=True):
    """What is asked for: put `version` of `model` on `endpoint`.

    `key` makes asking twice harmless: a release that succeeded under it is not made again. `golden` is the blob of the
    golden requests; None: only readiness is checked. `port` 0: the one the endpoint has, or any. `recording` says
    how its predictions are logged, `limits` how much its clients may ask.
    """

    endpoint: str
    model: str
    version: int
    key: str
    target: str = "local"
    port: int = 0
    golden: Digest | None = None
    cause: Literal["deploy", "rollback"] = "deploy"
    run: RunId | None = None
    why: str = ""
    by: str = ""
    recording: Recording = Recording()
    limits: Limits = Limits()


class Released(Struct, frozen=True, kw_only=True):
    """What came of it: `already` when the version served before, and was only asked its golden requests again.

    `previous` is the version that served until then and can be rolled back to.
    """

    endpoint: str
    release: int
    model: str
    version: int
    url: str
    outcome: Literal["released", "already"] = "released"
    previous: int | None = None
    n_golden: int = 0
    slowest_ms: float = 0.0
    why: str = ""

    def __str__(self) -> str:
        checked = f"{self.n_golden} golden requests right" if self.n_golden else "no golden requests: only readiness"
        verb = "serves already" if self.outcome == "already" else "serves"
        return f"{self.model}@{self.version} {verb} on {self.url} ({self.why or checked})"


class Claim(Struct, frozen=True):
    """Write down that this release begins; nobody else's can then."""

    release: int
    order: Order


class StartVersion(Struct, frozen=True):
    """Bring the version up without traffic."""

    release: f.ReleaseStarted


class AskGolden(Struct, frozen=True):
    """Ask it real predictions."""

    release: f.ReleaseStarted


class Switch(Struct, frozen=True):
    """Let it answer all new requests."""

    release: f.ReleaseStarted


class Finish(Struct, frozen=True):
    """Let the champion's alias mean it, end the versions in nobody's need (all but `keep`), record the end."""

    release: f.ReleaseStarted
    keep: tuple[int, ...]


class Abort(Struct, frozen=True):
    """End the new version, record why; what served before serves on."""

    release: f.ReleaseStarted
    why: str


class Supersede(Struct, frozen=True):
    """Somebody left this release before its switch was recorded: ask the target, then finish or abort it."""

    release: f.ReleaseStarted


Action = Claim | StartVersion | AskGolden | Switch | Finish | Abort | Supersede


class Rollout:
    """All releases of one endpoint. Owned by one loop, or by one reader."""

    __slots__ = (
        "_golden",
        "_is_taken",
        "_order",
        "_phase",
        "_released",
        "_stack",
        "_url",
        "ended",
        "endpoint",
        "n_releases",
        "open",
    )

    def __init__(self, endpoint: str, order: Order | None = None) -> None:
        """With `order` the machine wants that release; without, it only wants what was left open brought to an end."""
        self.endpoint = endpoint
        self._order = order
        self._is_taken = False
        self.n_releases = 0
        self.open: f.ReleaseStarted | None = None
        """The release under way: claimed, not ended."""
        self.ended: f.ReleaseFinished | None = None
        """How the newest ended release ended."""
        self._phase = "ended"
        self._golden: f.GoldenAnswered | None = None
        self._url = ""
        self._stack: list[int] = []
        self._released: dict[int, f.ReleaseStarted] = {}

    # --- looking in ---------------------------------------------------------------------------------------------

    @property
    def serving(self) -> f.ReleaseStarted | None:
        """The release whose version serves; None before the first one and after the endpoint was taken down."""
        return self._released[self._stack[-1]] if self._stack else None

    @property
    def previous(self) -> f.ReleaseStarted | None:
        """What a rollback goes to."""
        return self._released[self._stack[-2]] if len(self._stack) > 1 else None

    @property
    def latest(self) -> f.ReleaseStarted | None:
        """The newest release that took over there, also when the endpoint was taken down since."""
        return next(reversed(self._released.values()), None)

    @property
    def was_up(self) -> bool:
        """Whether anything ever served there."""
        return bool(self._released)

    @property
    def url(self) -> str:
        """Where the endpoint was at its last switch; empty before."""
        return self._url

    @property
    def golden(self) -> f.GoldenAnswered | None:
        """What the newest release's version answered to the golden requests."""
        return self._golden

    def last(self, version: int) -> f.ReleaseStarted:
        """The newest release that put `version` there. Raises NameUnknown."""
        for release in reversed(self._released.values()):
            if release.version == version:
                return release
        have = ", ".join(str(v) for v in sorted({r.version for r in self._released.values()})) or "none"
        raise NameUnknown(
            f"version {version} was never released on {self.endpoint}",
            at=f"endpoint: {self.endpoint}",
            remedy=f"choose one that was ({have}), or deploy it through a pipeline, which gates it",
        )

    def succeeded(self, key: str) -> f.ReleaseStarted | None:
        """The release that was made under this key, if it reached its end well."""
        return next((r for r in self._released.values() if r.key == key), None)

    # --- facts --------------------------------------------------------------------------------------------------

    def after(self, fact: f.Fact, at: float) -> None:  # noqa: ARG002 (all machines are told the time)
        """Take in what happened."""
        match fact:
            case f.ReleaseStarted():
                self.n_releases = fact.release
                self.open = fact
                self._phase = "claimed"
                self._golden = None
            case f.VersionStarted():
                self._phase = "started"
            case f.GoldenAnswered():
                self._phase = "wrong" if fact.n_wrong else "right"
                self._golden = fact
            case f.EndpointSwitched():
                self._phase = "switched"
                self._url = fact.url
                self._switched()
            case f.ReleaseFinished():
                self.open = None
                self.ended = fact
                self._phase = "ended"
            case f.EndpointStopped():
                self._stack.clear()
            case _:
                pass

    def _switched(self) -> None:
        """The open release serves now. Going back takes off what is above it, so a second rollback goes deeper."""
        release = self.open
        if release is None:
            return
        self._released[release.release] = release
        if release.cause == "rollback":
            back = [i for i, number in enumerate(self._stack) if self._released[number].version == release.version]
            del self._stack[back[-1] if back else len(self._stack) :]
        elif self._stack and self._released[self._stack[-1]].version == release.version:
            # The same version again (its process was gone): it does not become its own predecessor.
            self._stack.pop()
        self._stack.append(release.release)

    # --- deciding -----------------------------------------------------------------------------------------------

    def next(self, now: float) -> tuple[Action, ...]:  # noqa: ARG002 (all machines are told the time)
        """What to do now; nothing when all is done."""
        release = self.open
        if release is None:
            return self._claim()
        is_mine = self._order is not None and self._order.key == release.key
        self._is_taken |= is_mine
        if self._phase == "switched":
            return (Finish(release, self._keep()),)
        if self._phase == "wrong" and self._golden is not None:
            n, wrong = self._golden.n_requests, self._golden.n_wrong
            return (Abort(release, f"{wrong} of {n} golden requests were answered wrongly"),)
        if not is_mine:
            return (Supersede(release),)
        return (_NEXT[self._phase](release),)

    def _claim(self) -> tuple[Action, ...]:
        if self._order is None or self._is_taken:
            return ()
        # Whatever comes of it: an order is carried out once.
        self._is_taken = True
        return (Claim(self.n_releases + 1, self._order),)

    def _keep(self) -> tuple[int, ...]:
        kept = (self.serving, self.previous)
        return tuple(r.version for r in kept if r is not None)


_NEXT: dict[str, Callable[[f.ReleaseStarted], Action]] = {
    "claimed": StartVersion,
    "started": AskGolden,
    "right": Switch,
}
