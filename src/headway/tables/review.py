"""One look at a table: its checks answered, its bad rows written, everything that was opened for it closed again.

What `validate` needs opened, this opens: the table, its reference, the tables that checks name. Knows neither schemas
nor where a name leads: it is handed paths.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from msgspec import Struct

from headway.core.validation import DataCheck, DataVerdict
from headway.errors import SystemRefused, UsageMistaken
from headway.tables.batches import Data, open_data
from headway.tables.one_pass import Progress
from headway.tables.validate import bad_rows, validate


class Asked(Struct, frozen=True, kw_only=True):
    """What is to be looked at: the files and folders of the table, and of its reference (none: there is none yet).

    `bad_rows` is the file into which the bad rows are written, if they are wanted; `examples` are shown of each check.
    """

    paths: tuple[str, ...]
    checks: tuple[DataCheck, ...]
    reference: tuple[str, ...] = ()
    examples: int = 5
    bad_rows: str = ""


class Reviewed(Struct, frozen=True, kw_only=True):
    """The verdict, and how many bad rows were written, where that was asked."""

    verdict: DataVerdict
    n_bad_rows: int | None = None


def review(
    asked: Asked, *, paths_of: Callable[[str], Sequence[str]], now: float, progress: Progress | None = None
) -> Reviewed:
    """Answer all checks. `paths_of` gives the files of a table that a check names; `now` is in UTC seconds.

    Raises FileMissing, TableUnreadable, UsageMistaken and SystemRefused where bad rows cannot be written, and what
    `paths_of` raises; a table that only a check names is that check's error instead.
    """
    if asked.bad_rows:
        _make_room(asked.bad_rows, (*asked.paths, *asked.reference))
    with ExitStack() as opened:
        data = opened.enter_context(open_data(asked.paths))
        reference = opened.enter_context(open_data(asked.reference)) if asked.reference else None
        known: dict[str, Data] = {}

        def other(name: str) -> Data:
            if name not in known:
                known[name] = opened.enter_context(open_data(paths_of(name)))
            return known[name]

        verdict = validate(
            data,
            asked.checks,
            reference=reference,
            others=other,
            now=now,
            examples=asked.examples,
            progress=progress,
        )
        if not asked.bad_rows:
            return Reviewed(verdict=verdict)
        n = bad_rows(data, asked.checks, verdict, asked.bad_rows, reference=reference, others=other)
        return Reviewed(verdict=verdict, n_bad_rows=n)


def _make_room(path: str, data: Sequence[str]) -> None:
    """See before all is read that a file can be written, and over none of the data; its folder is made."""
    real = os.path.realpath(path)
    for one in map(os.path.realpath, data):
        if real == one or real.startswith(one + os.sep):
            raise UsageMistaken("the bad rows would lie among the data", at=path, remedy="name a file elsewhere")
    try:
        os.makedirs(os.path.dirname(real), exist_ok=True)
    except OSError as e:
        raise SystemRefused(f"its folder cannot be made: {e.strerror}", at=path, remedy="name a file elsewhere") from e
    if os.path.isdir(real) or not os.access(os.path.dirname(real), os.W_OK):
        raise SystemRefused("bad rows cannot be written there", at=path, remedy="name a file in a folder of yours")
