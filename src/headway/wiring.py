"""Settings to parts: the only place that chooses back-ends. Each part is made when first asked for."""

import os
from typing import TYPE_CHECKING, Self

from headway.backends import connect
from headway.config import Settings
from headway.flows import home
from headway.ports import Blobs, Leases, Log, Runner, Source, Target

if TYPE_CHECKING:
    from headway.flows.rollout import Delivery


class Parts:
    """The ports of one project, opened lazily; `close` lets go of all that was opened."""

    __slots__ = ("_opened", "settings")

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._opened: dict[str, object] = {}

    def _open(self, port: str, url: str) -> object:
        if port not in self._opened:
            home.make(self.settings.home)
            self._opened[port] = connect(port, url)
        return self._opened[port]

    @property
    def log(self) -> Log:
        """The log of facts."""
        return self._open("log", self.settings.log_url)  # type: ignore[return-value] # connect answers by name

    @property
    def blobs(self) -> Blobs:
        """The store of content."""
        return self._open("blobs", self.settings.store_url)  # type: ignore[return-value] # connect answers by name

    @property
    def leases(self) -> Leases:
        """Who may act in this folder: always local, since it is about this working tree."""
        return self._open("leases", f"file:{self.settings.home}/leases")  # type: ignore[return-value] # as above

    @property
    def runner(self) -> Runner:
        """What runs steps."""
        return self._open("runner", f"local:{self.settings.home}/runs")  # type: ignore[return-value] # as above

    def target(self, name: str) -> Target:
        """Where endpoints live; `name` is the scheme of a target back-end. Raises NameUnknown."""
        return self._open("target", f"{name}:{self.settings.home}/endpoints")  # type: ignore[return-value] # as above

    def source(self, url: str) -> Source:
        """Where data is snapshotted from; the scheme of `url` says how. Raises NameUnknown, SourceUnreachable."""
        # Not kept open: each snapshot names a place of its own.
        return connect("source", url, self.settings.environ)  # type: ignore[return-value] # connect answers by name

    def delivery(self, *, by: str = "") -> "Delivery":
        """What a release works with, asked for by `by` (default: whoever runs this)."""
        import time

        from headway.flows.rollout import Delivery

        return Delivery(
            log=self.log,
            blobs=self.blobs,
            leases=self.leases,
            target=self.target,
            models=os.path.join(self.settings.home, "models"),
            now=time.time,
            by=by or self.settings.environ.get("USER") or f"user {os.getuid()}",
        )

    def close(self) -> None:
        """Let go of the log and the runner; the others hold nothing open."""
        for name in ("runner", "log"):
            part = self._opened.pop(name, None)
            if part is not None:
                part.close()  # type: ignore[attr-defined] # both ports have it

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open(settings: Settings) -> Parts:  # noqa: A001 (`wiring.open` reads as what it does)
    """The parts that these settings ask for; nothing is touched yet."""
    return Parts(settings)
