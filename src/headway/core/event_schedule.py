"""Time tables: which times they mean, by the clock of a place, the nights with two or no hour of that name included.

A table that names a time in an hour that the clock leaps over means the first moment after it; a time that the clock
shows twice is meant once. Tables that repeat within the hour go on through both. So does cron. Knows no clock: times
come in and go out as UTC seconds.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cronsim import CronSim

FIELDS = ("minute", "hour", "day of the month", "month", "day of the week")

_FIRST, _LAST = 0.0, 32503680000.0
"""Times before and behind this count as these: 1970 and 3000."""


class Table:
    """One time table, `cron`, by the clock of `zone`. Raises ValueError for one that `table_problem` tells of."""

    __slots__ = ("_cron", "_zone")

    def __init__(self, cron: str, zone: tzinfo = UTC) -> None:
        problem = table_problem(cron)
        if problem:
            raise ValueError(problem)
        self._cron = cron
        self._zone = zone

    def next_after(self, at: float) -> float:
        """The first time of the table behind `at`; infinity when there is none in fifty years.

        >>> Table("0 3 * * 1").next_after(0.0) / 3600
        99.0
        """
        at = _within(at)
        # In the hour that comes twice a time that was meant is found again.
        return next((time for time in self._from(at) if time > at), math.inf)

    def latest(self, at: float) -> float:
        """The last time of the table up to `at`; minus infinity when there was none in fifty years."""
        found, at = -math.inf, _within(at)
        start = datetime.fromtimestamp(at, self._zone) + timedelta(seconds=1)
        for time in self._walk(start.replace(microsecond=0), is_back=True):
            if time <= at:
                found = time
                break
        if found == -math.inf:
            return found
        # Backwards the first of two hours of one name is passed over.
        for time in self._from(found):
            if time > at:
                break
            found = max(found, time)
        return found

    def _from(self, at: float) -> Iterator[float]:
        return self._walk(datetime.fromtimestamp(at, self._zone), is_back=False)

    def _walk(self, start: datetime, *, is_back: bool) -> Iterator[float]:
        for time in _simulated(self._cron, start, is_back=is_back):
            yield time.timestamp()


def table_problem(cron: str) -> str:
    """What is wrong with a time table, in words that follow `it`; empty when it can be used.

    >>> table_problem("0 3 * * 1"), table_problem("61 3 * * 1"), table_problem("0 0 31 2 *")
    ('', 'says `61`, which is no minute', 'names a day that no month of it has')
    """
    from cronsim import CronSimError

    fields = cron.split()
    if len(fields) != len(FIELDS):
        return f"has {len(fields)} field{'s' * (len(fields) != 1)}, not {len(FIELDS)}"
    for i, (text, name) in enumerate(zip(fields, FIELDS, strict=True)):
        # Each by itself, so that what is wrong can be shown.
        alone = ["*"] * len(FIELDS)
        alone[i] = text
        try:
            _simulated(" ".join(alone), datetime(2000, 1, 1, tzinfo=UTC))
        except (CronSimError, AssertionError, ValueError):
            return f"says `{text}`, which is no {name}"
    try:
        next(_simulated(cron, datetime(2000, 1, 1, tzinfo=UTC)))
    except CronSimError:
        return "names a day that no month of it has"
    except StopIteration:
        return "names a time that does not come in fifty years"
    return ""


def _simulated(cron: str, start: datetime, *, is_back: bool = False) -> "CronSim":
    from cronsim import CronSim

    return CronSim(cron, start, reverse=is_back)


def _within(at: float) -> float:
    return min(max(at, _FIRST), _LAST)
