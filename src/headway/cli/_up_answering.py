"""The web server of `headway up`: hooks are heard, and pages shown, while this process leads."""

import time
from collections.abc import Callable, Sequence
from math import inf
from typing import TYPE_CHECKING

from headway.config import Settings
from headway.core.daemon import Told
from headway.core.facts import Entry
from headway.flows.daemon import Duty
from headway.flows.daemon_bell import Bell
from headway.flows.daemon_files import Watched
from headway.ports import Exit

if TYPE_CHECKING:
    from headway.web.serve import Server

PORT = 8765
"""Where it answers when nothing is said: whoever calls a hook has its address written down somewhere."""


class Answering:
    """Starts the server where it is asked for, or a trigger is to be called. Owned by the daemon's loop."""

    __slots__ = ("_bell", "_files", "_port", "_server", "_settings", "_tell")

    name = ""

    def __init__(
        self, settings: Settings, files: Sequence[str], *, port: int | None, bell: Bell, tell: Callable[[Told], None]
    ) -> None:
        self._settings = settings
        self._files = tuple(files)
        self._port = port
        self._bell = bell
        self._tell = tell
        self._server: Server | None = None

    def duties(self, watched: Sequence[Watched]) -> Sequence[Duty]:
        """Itself, where there is something to answer; once it answers, it goes on."""
        is_called = any("http" in one.pipeline.triggers for one in watched)
        return [self] if self._port is not None or is_called or self._server is not None else []

    def do(self, now: float) -> float:
        """Begin to answer. Raises UsageMistaken when the port cannot be had."""
        if self._server is None:
            from headway.flows import made
            from headway.web.passes import KeptKeys
            from headway.web.serve import Server
            from headway.web.site import Site

            site = Site(
                settings=self._settings,
                files=self._files,
                keys=KeptKeys(self._settings.home),
                steps=made.of_project(self._settings.home, keeps=True),
                heard=lambda _: self._bell.ring(),
                tell=lambda line: self._tell(Told(at=time.time(), kind="trouble", says=line)),
            )
            server = Server(site, port=PORT if self._port is None else self._port)
            url = server.start()
            self._server = server
            self._tell(Told(at=now, kind="daemon", says=f"answers on {url}"))
        return inf

    def after(self, entry: Entry) -> bool:  # noqa: ARG002 (it reads the log when it is asked)
        """Nothing follows from a fact."""
        return False

    def ended(self, exit_: Exit, now: float) -> bool:  # noqa: ARG002 (no process is its own)
        """Nothing here waits for a process."""
        return False

    def rest(self) -> None:
        """Answer no more."""
        if self._server is not None:
            self._server.stop()
            self._server = None
