"""The report of a week, or another span of time: what ran, what was released, what alarmed, and what is still open."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from headway.core import facts as f
from headway.core.report import Report, Table, Words, of_story, section, table, when
from headway.core.story import Line
from headway.core.telling import duration, listed, number

Happened = Sequence[tuple[Line, f.Entry]]
"""What happened in that time, oldest first."""

_OUTCOMES = ("passed", "failed", "refused", "held", "invalid", "rolled-back", "interrupted")


def of_span(happened: Happened, *, since: float, until: float, project: str) -> Report:
    """The report of the time from `since` up to `until`, in UTC seconds."""
    bad = [line for line, _ in happened if line.is_bad]
    sections = (
        section("Still open", *_open(happened)),
        section("What did not go well", *([of_story(bad, about=True)] if bad else [])),
        section("Runs", _runs(happened)),
        section("Releases", _releases(happened)),
        section("Quality that labels proved", _quality(happened)),
        section("Everything", *([of_story([line for line, _ in happened], about=True)] if happened else [])),
    )
    return Report(
        title=f"{project}: {when(since)[:10]} to {when(until)[:10]}",
        headline=_headline(happened, until - since),
        is_bad=bool(_alarms(happened)),
        sections=tuple(one for one in sections if one is not None),
    )


def _headline(happened: Happened, seconds: float) -> str:
    ends = [entry.fact.outcome for _, entry in happened if isinstance(entry.fact, f.RunFinished)]
    released = [entry.fact.outcome for _, entry in happened if isinstance(entry.fact, f.ReleaseFinished)]
    raised = sum(isinstance(entry.fact, f.AlarmRaised) for _, entry in happened)
    parts = [
        _many(len(ends), "run"),
        f"{ends.count('passed')} passed" if ends else "",
        _many(released.count("released"), "version") + " released" if "released" in released else "",
        f"{released.count('rolled-back')} rolled back" if "rolled-back" in released else "",
        _many(raised, "alarm"),
    ]
    return f"In {duration(round(seconds))}: {listed([part for part in parts if part], 9)}"


def _many(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _runs(happened: Happened) -> Table:
    """How many runs of each pipeline ended how."""
    names = {e.stream: e.fact.name for _, e in happened if isinstance(e.fact, f.RunStarted)}
    ends = [(names.get(e.stream, "began before"), e.fact) for _, e in happened if isinstance(e.fact, f.RunFinished)]
    rows = []
    for name, those in groupby(sorted(ends, key=lambda one: one[0]), key=lambda one: one[0]):
        facts = [fact for _, fact in those]
        counts = [sum(fact.outcome == outcome for fact in facts) for outcome in _OUTCOMES]
        rows.append((name, *(str(n) if n else "" for n in counts), f"{sum(fact.seconds for fact in facts):.0f}"))
    numbers = range(1, len(_OUTCOMES) + 2)
    return table("", ["pipeline", *_OUTCOMES, "seconds"], rows, numbers=tuple(numbers))


def _releases(happened: Happened) -> Table:
    lines = [(line, e.fact) for line, e in happened if isinstance(e.fact, f.ReleaseFinished)]
    rows = [(when(line.at), line.about.partition(" ")[2], fact.outcome, line.text) for line, fact in lines]
    return table("Times are UTC", ["ended", "endpoint", "outcome", "what"], rows)


def _quality(happened: Happened) -> Table:
    facts = [entry.fact for _, entry in happened if isinstance(entry.fact, f.QualitySeen)]
    last = {(fact.monitor, fact.number): fact for fact in facts}
    rows = [
        (
            one.monitor,
            str(one.number),
            one.metric,
            f"{number(one.value)} ({number(one.low)} to {number(one.high)})",
            "" if one.expected is None else number(one.expected),
            f"{one.n_labelled:,} of {one.n_rows:,}",
        )
        for one in last.values()
    ]
    return table("", ["monitor", "window", "metric", "value", "promised", "labels"], rows, numbers=(1, 3, 4, 5))


def _alarms(happened: Happened) -> list[f.AlarmRaised]:
    """The alarms that were raised in that time and did not end."""
    raised: dict[tuple[str, int], f.AlarmRaised] = {}
    for _, entry in happened:
        match entry.fact:
            case f.AlarmRaised(monitor=monitor, alarm=alarm) as fact:
                raised[monitor, alarm] = fact
            case f.AlarmEnded(monitor=monitor, alarm=alarm):
                raised.pop((monitor, alarm), None)
            case _:
                pass
    return list(raised.values())


def _open(happened: Happened) -> Iterable[Words]:
    for one in _alarms(happened):
        yield Words(words=f"{one.monitor}, {one.about}: {one.says}. {one.why} `headway monitor {one.monitor}`")
    held: dict[str, Line] = {}
    for line, entry in happened:
        if isinstance(entry.fact, f.ReleaseHeld):
            held[entry.stream] = line
        elif isinstance(entry.fact, f.ReleaseFinished | f.ReleaseDirected | f.StageBegan):
            held.pop(entry.stream, None)
    for stream, line in held.items():
        yield Words(words=f"{line.about}: {line.text} `headway rollout status {stream.partition('/')[2]}`")
