"""The processes that `headway up` starts: commands of headway in sessions of their own, which go on when it dies.

Started, told when they end, and found again by whoever leads next. Does not know what each is for: `daemon_firings`,
`daemon_releases` and `daemon_monitors` do.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from headway.core.daemon import Complaint
from headway.ports import Exit, Runner, Task

_TAIL_BYTES = 64 * 1024
"""So much of what a process printed is looked at for its complaint, which is short and comes last."""


class Children:
    """The processes of one daemon. Owned by its loop."""

    __slots__ = ("_alive", "_environ", "_folder", "_logs", "_runner")

    def __init__(self, runner: Runner, *, folder: str, home: str, environ: Mapping[str, str]) -> None:
        """`folder` is the project's, where they work; what they print goes into files of `home`."""
        self._runner = runner
        self._folder = folder
        self._environ = environ
        self._logs = os.path.join(home, "up")
        self._alive: set[str] = set()

    def start(self, key: str, words: Sequence[str]) -> None:
        """Start `headway WORDS` under this key, which names it for whoever leads later.

        Raises StepNotStarted, also while a process of this key lives, whoever started it, and DiskFull.
        """
        path = self._log(key)
        with suppress(FileNotFoundError):
            os.unlink(path)
        # -P: a file of the user's that is named as a module of ours, or of Python's, must not be taken for it.
        argv = (sys.executable, "-P", "-m", "headway", *words)
        task = Task(key=key, argv=argv, cwd=self._folder, env=dict(self._environ), log_path=path)
        self._runner.start(task)
        self._alive.add(key)

    def ended(self) -> list[Exit]:
        """Those that ended since it was asked last. Does not wait."""
        exits = self._runner.wait(0.0)
        self._alive.difference_update(one.key for one in exits)
        return exits

    def is_mine(self, key: str) -> bool:
        """Whether this daemon started it, and was not told of its end."""
        return key in self._alive

    def is_left(self, key: str) -> bool:
        """Whether one of this key, or what it started, lives that another daemon started. Some milliseconds."""
        return key not in self._alive and self._runner.ask(key) == "running"

    def evict(self, key: str, *, grace_s: float) -> None:
        """End one that another daemon started. Raises StepHeld."""
        self._runner.evict(key, grace_s=grace_s)

    def stop(self, key: str, *, grace_s: float) -> None:
        """Ask one of this daemon's to end."""
        self._runner.stop(key, grace_s=grace_s)

    def complaint(self, key: str) -> Complaint | None:
        """What the last process of this key said it could not do; None when it said nothing of the kind."""
        for line in reversed(self.printed(key).splitlines()):
            if line.startswith('{"error"'):
                with suppress(msgspec.MsgspecError):
                    return msgspec.json.decode(line, type=Complaint)
        return None

    def last_words(self, key: str) -> str:
        """The mistake that the last process of this key complained of to people; empty when there was none."""
        told = [line for line in self.printed(key).splitlines() if line.startswith("headway: ")]
        return told[-1].removeprefix("headway: ") if told else ""

    def printed(self, key: str) -> str:
        """The end of what the last process of this key printed."""
        try:
            with open(self._log(key), "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
                return file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def forget(self, key: str) -> None:
        """Remove what it printed: all that matters is in the log."""
        with suppress(FileNotFoundError):
            os.unlink(self._log(key))

    def _log(self, key: str) -> str:
        return os.path.join(self._logs, f"{key.replace('/', '+')}.txt")
