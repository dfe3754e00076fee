"""Monitors as the log tells them now. Reads; records nothing and asks no target."""

from collections.abc import Sequence
from contextlib import suppress

import msgspec

from headway.core import watch_marks
from headway.core.facts import WindowClosed
from headway.core.problem import did_you_mean
from headway.core.watch import Watch
from headway.core.watch_detail import Detail, Proven, Skewed
from headway.core.watch_marks import Map
from headway.core.watch_view import MonitorView, Newest, view_of
from headway.errors import BlobDamaged, BlobMissing, NameUnknown
from headway.flows.watch_kept import detail_of
from headway.flows.watch_news import names, read
from headway.ports import Blobs, Log

WINDOWS = 30
"""So many windows are shown if nothing else is said."""


def view(log: Log, blobs: Blobs, name: str, *, now: float, most: int = WINDOWS) -> MonitorView:
    """How a monitor stands; of one that did not watch anything yet, that. What the store has lost is left out."""
    watch = read(log, name)
    detail = None if not watch.windows else _detail(blobs, watch)
    newest = Newest(
        detail=detail,
        proven=_proven(blobs, watch),
        skew=_skew(blobs, watch),
        releases=() if watch.began is None else tuple(log.read(f"endpoint/{watch.began.endpoint}")),
    )
    return view_of(name, watch, newest, now=now, most=most)


def heat(blobs: Blobs, windows: Sequence[WindowClosed]) -> Map:
    """How far all columns moved in these windows; what the store has lost is left out."""
    found: dict[int, Detail] = {}
    for window in windows:
        if window.detail is not None:
            with suppress(BlobMissing, BlobDamaged):
                found[window.number] = detail_of(blobs, window)
    return watch_marks.heat(windows, found)


def known(log: Log, name: str, written: tuple[str, ...]) -> str:
    """The name, if a monitor has it: one that the log knows, or one of the file's. Raises NameUnknown."""
    found = sorted({*names(log), *written})
    if name in found:
        return name
    otherwise = f"use one of: {', '.join(found)}" if found else "describe one under `monitors:` (docs/monitoring.md)"
    raise NameUnknown(f"there is no monitor {name!r}", at="NAME", remedy=did_you_mean(name, found, otherwise))


def _detail(blobs: Blobs, watch: Watch) -> Detail | None:
    window = next((one for one in reversed(watch.windows) if one.n_rows), watch.windows[-1])
    if window.detail is None:
        return None
    try:
        return detail_of(blobs, window)
    except (BlobMissing, BlobDamaged):
        return None


def _skew(blobs: Blobs, watch: Watch) -> Skewed | None:
    """What was found when features were last made anew for the version that is watched now."""
    for window in reversed(watch.current):
        if window.detail is not None and any(reading.about == "skew" for reading in window.readings):
            try:
                return detail_of(blobs, window).skew
            except (BlobMissing, BlobDamaged):
                return None
    return None


def _proven(blobs: Blobs, watch: Watch) -> Proven | None:
    seen = [watch.quality[number] for number in sorted(watch.quality)]
    if not seen or seen[-1].detail is None:
        return None
    try:
        return msgspec.msgpack.decode(blobs.get(seen[-1].detail), type=Proven)
    except (BlobMissing, BlobDamaged):
        return None
