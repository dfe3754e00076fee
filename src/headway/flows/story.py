"""The story of a project out of its log: the facts that people want to read, oldest first.

`core/story` has the words.
"""

from collections.abc import Iterator
from typing import get_args

from msgspec import Struct, structs

from headway.core import facts as f
from headway.core.story import DETAILS, Line, Releases, is_detail, labels_text, line_of
from headway.errors import UsageMistaken
from headway.ports import Log

ABOUT = ("run", "dataset", "model", "holdout", "endpoint", "trigger", "monitor", "labels", "notices")
"""What a story can be about."""

_OLD_IN_A_ROW = 1000
"""After so many facts that are too old no newer ones come; a clock that was set back leaves a few among newer ones."""

_MILESTONES = tuple(kind.__name__ for kind in get_args(f.Fact) if kind.__name__ not in DETAILS)


class Asked(Struct, frozen=True, kw_only=True):
    """Which part of the story: from `since` (UTC seconds) on, of one kind of thing or one thing, the `last` lines.

    `about` is a word of ABOUT, or with a name behind it (`run 7`, `endpoint/churn`); empty: everything. `every`: the
    small things, too. `last` is 0 for all.
    """

    since: float = 0.0
    about: str = ""
    every: bool = False
    last: int = 0


class Told(Struct, frozen=True, kw_only=True):
    """A line of the story and the fact that it tells of."""

    line: Line
    entry: f.Entry


class Story(Struct, frozen=True, kw_only=True):
    """The lines, oldest first. `is_whole` unless `last` cut off earlier ones."""

    told: tuple[Told, ...]
    is_whole: bool = True


def story(log: Log, asked: Asked) -> Story:
    """The part of the story that is asked for. Reads back from the newest fact. Raises UsageMistaken."""
    known = releases(log)
    found: list[Told] = []
    files: list[f.LabelsAdded] = []
    n_old = 0
    for entry in _newest_first(log, asked):
        n_old = n_old + 1 if entry.at < asked.since else 0
        if n_old > _OLD_IN_A_ROW:
            break
        if n_old:
            continue
        line = None if is_detail(entry.fact) and not asked.every else line_of(entry, known)
        if line is None:
            continue
        files = [entry.fact, *files] if isinstance(entry.fact, f.LabelsAdded) and not asked.every else []
        if len(files) > 1 and found[-1].entry.stream == entry.stream:
            # Many files may come at once, and are one event to people.
            text = labels_text(files, files[0].endpoint)
            found[-1] = Told(line=structs.replace(found[-1].line, text=text), entry=found[-1].entry)
            continue
        files = files[:1]
        if asked.last and len(found) == asked.last:
            return Story(told=tuple(reversed(found)), is_whole=False)
        found.append(Told(line=line, entry=entry))
    return Story(told=tuple(reversed(found)))


def releases(log: Log) -> Releases:
    """How each release began, by which lines tell what a fact of one is about."""
    return {
        (one.endpoint, one.release): one
        for entry in log.scan(("ReleaseStarted",))
        if isinstance(one := entry.fact, f.ReleaseStarted)
    }


def _newest_first(log: Log, asked: Asked) -> Iterator[f.Entry]:
    kind, _, name = asked.about.replace(" ", "/", 1).partition("/")
    if kind and kind not in ABOUT:
        raise UsageMistaken(
            f"there is no story about {asked.about!r}",
            at="--about",
            remedy=f"write one of {', '.join(ABOUT)}, alone or with a name: run/7, endpoint/churn",
        )
    if name:
        yield from reversed(log.read(f"{kind}/{name}"))
        return
    for entry in log.scan(() if asked.every else _MILESTONES, newest_first=True):
        if not kind or entry.stream.partition("/")[0] == kind:
            yield entry


def since_of(text: str, now: float) -> float:
    """The time that is meant, in UTC seconds: so long ago, or a date. Raises UsageMistaken.

    >>> since_of("90m", 10_000.0), since_of("1970-01-02", 0.0), since_of("1970-01-01T01:00", 0.0)
    (4600.0, 86400.0, 3600.0)
    """
    from datetime import UTC, datetime

    from headway.core.units import duration_s

    ago = duration_s(text)
    if ago is not None:
        return now - ago
    try:
        time_ = datetime.fromisoformat(text)
        # Near the first and the last year a time may be none any more in UTC.
        return (time_.astimezone(UTC) if time_.tzinfo else time_.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        remedy = "write how long ago (90m, 12h, 7d) or a date (2026-11-20, 2026-11-20T08:00)"
        raise UsageMistaken(f"{text!r} is no time", at="--since", remedy=remedy) from None
