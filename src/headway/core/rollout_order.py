"""What is asked for on an endpoint, and what came of it, as values. `core/rollout` decides what lies between."""

from typing import Literal

from msgspec import Struct

from headway.core.ids import Digest, RunId
from headway.core.limits import Limits
from headway.core.recording import Recording
from headway.core.strategy import Strategy

Outcome = Literal["released", "already", "baking", "held"]

HELD = 6
"""The exit code of a release that waits for a person."""


class Order(Struct, frozen=True, kw_only=True):
    """What is asked for: put `version` of `model` on `endpoint`.

    `key` makes asking twice harmless: a release that succeeded under it is not made again. `golden` is the blob of the
    golden requests; None: only readiness is checked. `port` 0: the one the endpoint has, or any. `recording` says
    how its predictions are logged, `limits` how much its clients may ask. Without a `strategy` it takes over at once.
    `override` is why it may although no gate passed it. `within_ms`: how long each golden request may take, 0: as long
    as it likes.
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
    strategy: Strategy | None = None
    override: str = ""
    within_ms: float = 0.0


class Released(Struct, frozen=True, kw_only=True):
    """What came of it. `previous` is the version that served until then and can be rolled back to.

    `already`: the version served before, and was only asked its golden requests again. `baking`: it took over, and the
    one before stays warm while labels go on counting. `held`: it waits for a person, for the reason in `why`, and
    `previous` serves beside it. `compared` tells of the rows that it answered as before, `n_compared`, or why there
    were none (`core/vetting`); `override` is why it was released although no gate passed it. `note`: what else is to be
    known of it.
    """

    endpoint: str
    release: int
    model: str
    version: int
    url: str
    outcome: Outcome = "released"
    previous: int | None = None
    n_golden: int = 0
    slowest_ms: float = 0.0
    why: str = ""
    n_compared: int = 0
    compared: str = ""
    override: str = ""
    note: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What whoever released it should be told besides, a sentence each."""
        told = () if self.n_compared or not self.compared else (self.compared,)
        return (*told, f"no gate let it pass; overridden: {self.override}") if self.override else told

    @property
    def exit_code(self) -> int:
        """What a command ends with that did this."""
        return HELD if self.outcome == "held" else 0

    def __str__(self) -> str:
        if self.outcome == "held":
            return f"{self.model}@{self.version} is held on {self.endpoint}: {self.why}"
        checked = f"{self.n_golden} golden requests right" if self.n_golden else "no golden requests"
        if self.n_compared:
            checked += f", {self.compared}"
        elif not self.n_golden:
            checked += ": only readiness"
        verb = "serves already" if self.outcome == "already" else "serves"
        note = f"; {self.note}" * bool(self.note)
        return f"{self.model}@{self.version} {verb} on {self.url} ({self.why or checked}{note})"
