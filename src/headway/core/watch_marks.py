"""What happened while windows were measured (releases, alarms), and how far each column moved in each of them.

Decides only; `codec/monitor_svg` draws the marks. Neighbour: `core/watch_view` has the numbers over time.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from headway.core import facts as f
from headway.core.watch import Alarm
from headway.core.watch_detail import Detail
from headway.core.watch_words import day, name

MOST_MARKS = 12
"""Releases and alarms that are marked, the newest: more lines hide what they stand in."""

LEVELS = (0.5, 1.0, 2.0, 4.0)
"""Bounds between the levels of the map: how far a column moved, as a multiple of what is usual for it."""

COLUMNS = 30
"""Columns of the map: those that moved most, beside what is usual, in any window that is shown."""


class Mark(Struct, frozen=True, kw_only=True):
    """Something that happened `at` a time: it stands at the window that had begun by then, `place` counted from 0.

    `words` say what, `why` the reason, if there is any.
    """

    kind: Literal["release", "alarm"]
    at: float
    place: int
    words: str
    why: str = ""


class Cell(Struct, frozen=True, kw_only=True):
    """How far a column moved in a window. `level` counts up to the number of `LEVELS`; `told` says it in words."""

    window: int
    level: int
    psi: float
    is_beyond: bool
    told: str


class Row(Struct, frozen=True, kw_only=True):
    """One column: a cell for each window that is shown, None where it was not measured."""

    of: str
    cells: tuple[Cell | None, ...]


class Map(Struct, frozen=True, kw_only=True):
    """Columns by windows. `windows` are their numbers, `until` when each ended."""

    windows: tuple[int, ...]
    until: tuple[float, ...]
    rows: tuple[Row, ...]


def marks(windows: Sequence[f.WindowClosed], alarms: Iterable[Alarm], releases: Iterable[f.Entry]) -> tuple[Mark, ...]:
    """What is marked on the axis of these windows, the oldest first. `releases` are all facts of the endpoint."""
    if not windows:
        return ()
    found = [
        _mark("alarm", one.at, windows, f"{one.raised.about}: {one.raised.says}", one.raised.why.split("\n")[0])
        for one in alarms
    ]
    started: dict[int, f.ReleaseStarted] = {}
    for entry in releases:
        if isinstance(entry.fact, f.ReleaseStarted):
            started[entry.fact.release] = entry.fact
        elif isinstance(entry.fact, f.ReleaseFinished) and (of := started.get(entry.fact.release)):
            words = f"{of.model}@{of.version} {entry.fact.outcome.replace('-', ' ')}"
            found.append(_mark("release", entry.at, windows, words, entry.fact.why))
    since = windows[0].since
    return tuple(sorted((one for one in found if one.at >= since), key=lambda one: one.at)[-MOST_MARKS:])


def _mark(
    kind: Literal["release", "alarm"], at: float, windows: Sequence[f.WindowClosed], words: str, why: str
) -> Mark:
    place = sum(window.since <= at for window in windows) - 1
    return Mark(kind=kind, at=at, place=max(place, 0), words=words, why=why)


def heat(windows: Sequence[f.WindowClosed], details: Mapping[int, Detail]) -> Map:
    """How far columns moved in these windows, the one that moved furthest first; `details` by a window's number."""
    cells: dict[str, dict[int, Cell]] = {}
    worst: dict[str, float] = {}
    for window in windows:
        detail = details.get(window.number)
        for one in () if detail is None else detail.moved:
            ratio = one.psi / one.psi_usual if one.psi_usual > 0 else 0.0
            worst[one.of] = max(worst.get(one.of, 0.0), ratio)
            cells.setdefault(one.of, {})[window.number] = Cell(
                window=window.number,
                level=sum(ratio >= bound for bound in LEVELS),
                psi=one.psi,
                is_beyond=bool(one.beyond),
                told=f"{name(one.of)}, window {window.number} to {day(window.until)}: "
                f"PSI {one.psi:.3g}, usually up to {one.psi_usual:.3g}",
            )
    names = sorted(cells, key=lambda of: -worst[of])[:COLUMNS]
    rows = (Row(of=name(of), cells=tuple(cells[of].get(window.number) for window in windows)) for of in names)
    return Map(
        windows=tuple(window.number for window in windows),
        until=tuple(window.until for window in windows),
        rows=tuple(rows),
    )
