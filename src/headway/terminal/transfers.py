"""What was sent or fetched, for people: while it goes on, and when it is done. Lines, no escape codes."""

import time

from headway.flows.transfer import Moved, Progress
from headway.terminal.words import size, took
from headway.terminal.working import Working


class Going:
    """Tells `working` how far a transfer is; a text is made only as often as a person could read it."""

    def __init__(self, working: Working, doing: str) -> None:
        self._working = working
        self._doing = doing
        self._begun = time.monotonic()
        self._next = 0.0

    def __call__(self, progress: Progress) -> None:
        """See `transfer.Tell`."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + 0.1
        rate = size(round(progress.n_bytes / max(now - self._begun, 0.001)))
        self._working.label = (
            f"{self._doing}  {progress.n_done:,} of {progress.n_due:,} pieces, {size(progress.n_bytes)}, {rate}/s"
        )


def moved(one: Moved, *, sent: bool) -> str:
    """What a transfer did."""
    n = one.n_artifacts
    whole = f"{n:,} artifact{'s' * (n != 1)}"
    if not one.n_pieces:
        if not n:
            return f"nothing to {'send' if sent else 'fetch'}: nothing is versioned here yet"
        where = "there" if sent else "here"
        return f"nothing to {'send' if sent else 'fetch'}: {whole}, all of {'it' if n == 1 else 'them'} {where} already"
    verb = "sent" if sent else "fetched"
    rate = size(round(one.n_bytes / max(one.seconds, 0.001)))
    pieces = f"{one.n_pieces:,} piece{'s' * (one.n_pieces != 1)}"
    return f"{verb} {one.n_new:,} of {whole}: {pieces}, {size(one.n_bytes)} in {took(one.seconds)} ({rate}/s)"
