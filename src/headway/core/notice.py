"""What people are told without asking: alarms, runs and releases that need somebody, data that were stopped.

Each notice gives the reason and the one command to act. Neighbours: `core/story` tells everything, to who asks for it;
`codec/notices` writes a notice as chats and mail want it. Knows nobody who is told.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from headway.core import facts as f
from headway.core.ids import slug
from headway.core.notifier import Topic

KINDS = ("AlarmRaised", "AlarmEnded", "RunFinished", "FiringEnded", "ReleaseHeld", "ReleaseFinished")
"""The facts that may be worth a notice."""

FEW = 5
"""So many notices are told one by one; of more that are due at once, one tells of all."""

LONGEST_TEXT = 1500
"""Signs of a notice's text: a chat cuts off what is longer than 3,000, and a telephone shows a tenth of it."""


class Notice(Struct, frozen=True, kw_only=True):
    """What is to be told. `key` is the same for the same thing for ever; `about` names it (`run 12`, `monitor live`).

    `title` fits on a line, `text` says why, `command` is what to type next. `link` is a path on the page of `headway
    up`. `at` is when it happened (UTC seconds). `is_good`: there is nothing to be done.
    """

    key: str
    topic: Topic
    about: str
    title: str
    text: str
    command: str
    link: str = ""
    at: float = 0.0
    is_good: bool = False


def notice_of(entry: f.Entry, stream: Sequence[f.Entry]) -> Notice | None:
    """What to tell of a fact, given the facts of its stream up to it; None when nobody needs to know."""
    match entry.fact:
        case f.AlarmRaised() | f.AlarmEnded() as alarm:
            return _raised(alarm, entry) if isinstance(alarm, f.AlarmRaised) else _ended(alarm, entry)
        case f.RunFinished() as finished:
            return _run(finished, entry, stream)
        case f.FiringEnded(run=None) as firing:
            return _not_started(firing, entry)
        case f.ReleaseHeld() | f.ReleaseFinished() as fact:
            started = _started(fact.release, stream)
            return None if started is None else _release(fact, started, entry)
        case _:
            return None


def digest(notices: Sequence[Notice]) -> Notice:
    """One notice in place of many that are due at once."""
    bad = [one for one in notices if not one.is_good]
    shown = (bad or list(notices))[:FEW]
    left = len(notices) - len(shown)
    told = [f"- {one.title}" for one in shown] + ([f"- and {left} more"] if left else [])
    return Notice(
        key=f"{notices[0].key}..{notices[-1].key}",
        topic=shown[0].topic,
        about="the project",
        title=f"{len(notices)} things happened",
        text="\n".join(told),
        command="headway log",
        link="/story",
        at=max(one.at for one in notices),
        is_good=not bad,
    )


def _told(entry: f.Entry, topic: Topic, about: str, title: str, *, text: str, command: str) -> Notice:
    return Notice(
        key=f"{entry.stream}#{entry.n}",
        topic=topic,
        about=about,
        title=title,
        text=text if len(text) <= LONGEST_TEXT else text[: LONGEST_TEXT - 1] + "…",
        command=command,
        # Runs have a page of their own, releases too; what has none stands in the story.
        link=f"/runs/{entry.stream[4:]}" if entry.stream.startswith("run/") else f"/story?about={entry.stream}",
        at=entry.at,
    )


# --- monitors ---------------------------------------------------------------------------------------------------


def _raised(fact: f.AlarmRaised, entry: f.Entry) -> Notice:
    causes = [f"- {one.words or f'{one.of} moved by {one.moved:.2g}'}" for one in fact.causes[:3]]
    commands = {"look": f"headway monitor {fact.monitor}", "retrain": "headway run"}
    commands["roll back"] = f"headway rollback {fact.endpoint}" if fact.endpoint else f"headway monitor {fact.monitor}"
    served = f" of {fact.model}@{fact.version}" if fact.model and fact.version else ""
    return _told(
        entry,
        "alarm",
        f"monitor {fact.monitor}",
        f"{fact.monitor}: {fact.about} alarm{served}, {fact.says}",
        text="\n".join([fact.why, *causes]),
        command=commands[fact.says],
    )


def _ended(fact: f.AlarmEnded, entry: f.Entry) -> Notice:
    name = fact.monitor
    title = f"{name}: alarm {fact.alarm} is over"
    told = _told(entry, "alarm", f"monitor {name}", title, text=fact.why, command=f"headway monitor {name}")
    return replace(told, is_good=True)


# --- runs -------------------------------------------------------------------------------------------------------

_RUNS = {
    "failed": ("failed", "headway logs {run} {step}"),
    "refused": ("was refused by its gate", "headway show {run}"),
    "held": ("is held", "headway show {run}"),
    "invalid": ("was stopped at invalid data", "headway logs {run} {step}"),
}
"""How the ends of a run that somebody should know of are told, and what to type. A release tells of its end itself."""


def _run(fact: f.RunFinished, entry: f.Entry, stream: Sequence[f.Entry]) -> Notice | None:
    first = stream[0].fact if stream else None
    if fact.outcome not in _RUNS or not isinstance(first, f.RunStarted):
        return None
    ended, command = _RUNS[fact.outcome]
    step = _stopped_at(fact, stream)
    by = "" if first.trigger in ("", "person") else f"\nIt was started by itself: {first.trigger}"
    return _told(
        entry,
        "data" if fact.outcome == "invalid" else "run",
        f"run {first.run}",
        f"run {first.run} of {first.name} {ended}",
        text=(fact.why or f"exit code {fact.exit_code}") + by,
        command=command.format(run=first.run, step=step).strip(),
    )


def _stopped_at(fact: f.RunFinished, stream: Sequence[f.Entry]) -> str:
    """The step whose end was the run's: the one that the reason begins with, or the last that did not pass."""
    steps = [one.fact for one in stream if isinstance(one.fact, f.StepFinished) and one.fact.outcome != "passed"]
    named = [one.step for one in steps if slug(fact.why.removesuffix(f": {one.why or one.outcome}")) == one.step]
    return (named or [one.step for one in steps[-1:]] or [""])[0]


def _not_started(fact: f.FiringEnded, entry: f.Entry) -> Notice | None:
    if fact.outcome == "passed":
        return None
    name = entry.stream.partition("/")[2]
    return _told(
        entry,
        "run",
        f"pipeline {name}",
        f"{name}: no run could be started",
        text=fact.why or fact.outcome,
        command="headway triggers",
    )


# --- releases ---------------------------------------------------------------------------------------------------


def _started(release: int, stream: Sequence[f.Entry]) -> f.ReleaseStarted | None:
    found = (one.fact for one in reversed(stream) if isinstance(one.fact, f.ReleaseStarted))
    return next((one for one in found if one.release == release), None)


_RELEASES = {
    "rolled-back": "was rolled back",
    "failed": "could not be released",
    "aborted": "was taken back",
}


def _release(fact: f.ReleaseHeld | f.ReleaseFinished, started: f.ReleaseStarted, entry: f.Entry) -> Notice:
    name = started.endpoint
    version = f"{started.model}@{started.version}"
    command = f"headway rollout status {name} --release {fact.release}"
    text = fact.why
    is_good = False
    if isinstance(fact, f.ReleaseHeld):
        is_asked = fact.cause == "approval"
        ended = "waits for an approval" if is_asked else "is held"
        command = f"headway rollout promote {name}" if is_asked else command
    else:
        is_good = fact.outcome == "released"
        again = "answers again" if started.cause == "rollback" else "is released"
        ended = again if is_good else _RELEASES[fact.outcome]
        text = text or started.why
    told = _told(
        entry,
        "release",
        f"endpoint {name}",
        f"{name}: {version} {ended}",
        text=text or f"release {fact.release}",
        command=command,
    )
    return replace(told, is_good=is_good, link=f"/releases/{name}/{fact.release}")
