"""What a monitor's endpoint serves, and since when: the endpoint's facts, followed from look to look.

Neighbour: `endpoints` asks the target as well. Here only the log counts: what a version answered is in the prediction
log, whether it answers now or not.
"""

from hashlib import blake2b

import msgspec
from msgspec import UNSET, Struct
from msgspec.structs import replace

from headway.core import facts as f
from headway.core.monitor_grammar import Plan
from headway.core.rollout import Rollout
from headway.flows.delivery import stream
from headway.ports import Log


class Served(Struct, frozen=True, kw_only=True):
    """The version that answers all requests, since then (UTC seconds), and the one that a rollback goes to."""

    release: f.ReleaseStarted
    since: float
    previous: int | None = None

    @property
    def name(self) -> str:
        """As people call it."""
        return f"{self.release.model}@{self.release.version}"


def key_of(plan: Plan, served: Served) -> str:
    """Names all that is decided about the watch of a version: a watch of the same key goes on."""
    # How features are made anew says nothing of what they are compared with otherwise.
    told = (replace(plan, skew=UNSET), served.release.model, served.release.version)
    return blake2b(msgspec.json.encode(told, order="deterministic"), digest_size=16).hexdigest()


class Endpoint:
    """An endpoint's releases, as far as they were read. Only what is new is read."""

    __slots__ = ("_log", "_n", "_rollout", "_since", "name")

    def __init__(self, log: Log, name: str) -> None:
        self._log = log
        self.name = name
        self._rollout = Rollout(name)
        self._n = 0
        self._since = 0.0

    def look(self) -> Served | None:
        """What serves now; None where nothing does."""
        for entry in self._log.read(stream(self.name), after=self._n):
            before = self._rollout.serving
            self._rollout.after(entry.fact, entry.at)
            self._n += 1
            if self._rollout.serving != before:
                self._since = entry.at
        release, previous = self._rollout.serving, self._rollout.previous
        if release is None:
            return None
        # To a version of another model nobody rolls back because of a metric.
        is_alike = previous is not None and previous.model == release.model
        return Served(
            release=release,
            since=self._since,
            previous=previous.version if previous is not None and is_alike else None,
        )

    @property
    def was_up(self) -> bool:
        """Whether anything ever served there."""
        return self._rollout.was_up
