"""Whether files came to rest, so that nobody reads half of them: what is seen of them in, how long to wait out.

Knows no file and no clock.
"""

STILL_S = 1.0
"""Where nobody can tell whether a file is open, it must not have changed for so long."""

FOLDER_STILL_S = 0.5
"""A folder must not have changed for so long, though all its files are closed: the next one may be about to come."""

OPEN_STILL_S = 10.0
"""A file that somebody has open for writing counts as written when it did not change for so long."""

RESTLESS_S = 60.0
"""A folder that changes without end is taken as it is after so long, provided that none of its files is open."""


class Rest:
    """Follows one file or folder from look to look."""

    __slots__ = ("_began", "_mark", "_since")

    def __init__(self) -> None:
        self._mark: bytes | None = None
        self._since = 0.0
        self._began: float | None = None

    def wait_s(self, mark: bytes, now: float, *, changed_at: float, is_open: bool | None, is_folder: bool) -> float:
        """How long to wait before looking again; 0 when what has this `mark` may be read.

        `changed_at` is when something in it changed last; `is_open` whether somebody has something of it open for
        writing, None where nobody can tell.
        """
        if self._began is None or now < self._since:
            self._began, self._since, self._mark = now, now, mark
        if mark != self._mark:
            self._mark, self._since = mark, now
        still_s = now - self._since
        if changed_at <= now:
            still_s = max(still_s, now - changed_at)
        if is_open:
            wanted_s = OPEN_STILL_S
        elif is_folder:
            wanted_s = STILL_S if is_open is None else FOLDER_STILL_S
            wanted_s = 0.0 if now - self._began >= RESTLESS_S else wanted_s
        else:
            wanted_s = STILL_S if is_open is None else 0.0
        if still_s < wanted_s:
            return wanted_s - still_s
        self._began = None
        return 0.0
