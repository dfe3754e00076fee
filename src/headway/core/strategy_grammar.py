"""Reads a strategy as a person writes it: `[shadow: 100% for 2000 requests, canary: 10% for 10000 requests, promote]`.

    STRATEGY = all-at-once | blue-green | list of STAGE
    STAGE    = {shadow: TRAFFIC} | {canary: TRAFFIC} | {pause: TIME | approval ["by" NAME]} | promote | {bake: TIME}
    TRAFFIC  = NUMBER "%" ["by" FIELD] ["for" (COUNT "requests" ["within" TIME] | TIME)]

Beside it stand `rollback` (guards), `checks`, `unsure`, `false-rollbacks`, `slower-than`, `wrong`, `harm`, `burst` and
`slices`. All faults are told at once, each with its path. Knows no file and no line.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, cast, get_args

from headway.core.guard import GUARDS, NOT_READY, Guard, parse_guard_check
from headway.core.problem import Path, Problem, did_you_mean
from headway.core.strategy import WATCHED, Stage, StageKind, Strategy, Unsure
from headway.core.units import duration_s
from headway.errors import CheckUnreadable, UsageMistaken

KEYS = (
    "strategy",
    "rollback",
    "checks",
    "unsure",
    "false-rollbacks",
    "slower-than",
    "wrong",
    "harm",
    "burst",
    "slices",
)
"""The keys that are read here; others are not looked at."""

_TRAFFIC = re.compile(
    r"(?P<share>[0-9]+(?:\.[0-9]+)?)\s*%"
    r"(?:\s+by\s+(?P<by>[\w.-]+))?"
    r"(?:\s+for\s+(?:(?P<count>[0-9][0-9_,]*)\s+requests?(?:\s+within\s+(?P<within>.+))?|(?P<time>.+)))?"
)
_APPROVAL = re.compile(r"approval(?:\s+by\s+(?P<name>\S+))?")
_HARM = re.compile(r"(?:at most\s+)?(?P<count>[0-9]+)(?:\s+(?:extra\s+)?failed requests?)?")
_OFF_BY = re.compile(r"(?:off\s+by\s+)(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<percent>%?)")

_MOST_DIGITS = 15
"""Nobody waits for so many requests; and Python reads no number of more than 4,300 digits."""

_TIMES = "write 30s, 15m, 2h or 14d"
_WRITE_TRAFFIC = "write a share and how long: `10% for 10000 requests`, `10% by user_id for 2h`"
_STAGES = "write shadow, canary, pause, promote or bake"

BLUE_GREEN = (
    Stage(kind="promote", text="blue-green"),
    Stage(kind="bake", text="blue-green", time_s=3600.0),
)
"""The new version takes over whole when it is ready; the old one stays warm for an hour."""

ALL_AT_ONCE = (Stage(kind="promote", text="all-at-once"),)

_NAMED = {"all-at-once": ALL_AT_ONCE, "blue-green": BLUE_GREEN}


class Read(NamedTuple):
    """What was read: a strategy, or why there is none."""

    strategy: Strategy | None
    problems: tuple[Problem, ...]


def read_strategy(values: Mapping[str, object]) -> Read:
    """The strategy that these keys of a step's `with:` say, or all that is wrong with them; paths start at the key.

    >>> read = read_strategy({"strategy": [{"canary": "10% for 10000 requests"}, "promote"], "rollback": ["errors"]})
    >>> read.strategy.stages[0].n_new
    1000.0
    >>> [fault.problem for fault in read_strategy({"strategy": [{"canary": "10 for ever"}, "promote"]}).problems]
    ['`10 for ever` says no traffic']
    """
    problems: list[Problem] = []
    off_by, is_off_relative = _off_by(values.get("wrong"), problems)
    stages = _stages(values.get("strategy", "all-at-once"), problems)
    guards, is_cause = _guards(values, problems)
    strategy = Strategy(
        stages=stages,
        guards=guards,
        is_not_ready_a_cause=is_cause,
        unsure=_unsure(values.get("unsure", "hold"), problems),
        alpha=_number(values, "false-rollbacks", 0.05, problems, between=(1e-6, 0.5)),
        slower_than_s=_slower_than(values.get("slower-than"), problems),
        most_harm=_harm(values.get("harm"), problems),
        burst=int(_number(values, "burst", 1, problems, between=(1, 1000), is_whole=True)),
        n_slices=int(_number(values, "slices", 20, problems, between=(2, 1000), is_whole=True)),
        off_by=off_by,
        is_off_relative=is_off_relative,
    )
    if not problems:
        problems += _of_order(strategy)
    if not problems:
        problems += _of_what_is_seen(strategy, values)
    return Read(None if problems else strategy, tuple(problems))


# --- stages -------------------------------------------------------------------------------------------------------


def _stages(value: object, problems: list[Problem]) -> tuple[Stage, ...]:
    if isinstance(value, str):
        if value in _NAMED:
            return _NAMED[value]
        remedy = did_you_mean(value, _NAMED, "write all-at-once, blue-green or a list of stages")
        if ":" in value:
            # As `headway deploy --strategy` takes it.
            remedy = f"in a file it is a list: `strategy: [{value.strip()}]`"
        problems.append(Problem(path=("strategy",), problem=f"there is no strategy `{value}`", remedy=remedy))
        return ()
    if not isinstance(value, Sequence) or not value:
        problem = "a strategy is all-at-once, blue-green or a list of stages"
        problems.append(Problem(path=("strategy",), problem=problem, remedy=_STAGES))
        return ()
    if len(value) == 1 and isinstance(value[0], str) and value[0] in _NAMED:
        return _NAMED[value[0]]
    read = [_stage(item, ("strategy", i), problems) for i, item in enumerate(value)]
    return tuple(stage for stage in read if stage is not None)


def _stage(item: object, path: Path, problems: list[Problem]) -> Stage | None:
    if item == "promote":
        return Stage(kind="promote", text="promote")
    if not isinstance(item, Mapping) or len(item) != 1:
        name = item if isinstance(item, str) else ""
        problem = f"`{name}` is not a stage by itself" if name else "a stage is one word and what it says"
        remedy = did_you_mean(name, get_args(StageKind), _STAGES)
        word, _, said = name.partition(":")
        if word in _SPOKEN:
            remedy = f"write it without quotation marks: `- {name}`" if said.strip() else f"write `{word}: …`"
        problems.append(Problem(path=path, problem=problem, remedy=remedy))
        return None
    ((kind, said),) = item.items()
    path = (*path, kind)
    try:
        if kind in _SPOKEN:
            text = _shown(said)
            return _SPOKEN[kind](text, f"{kind}: {text}")
        problem, remedy = f"there is no stage `{kind}`", did_you_mean(str(kind), get_args(StageKind), _STAGES)
        if kind == "promote":
            problem, remedy = "`promote` stands by itself", "write `- promote`, with nothing behind it"
        problems.append(Problem(path=path, problem=problem, remedy=remedy, at_key=True))
    except UsageMistaken as fault:
        problems.append(Problem(path=path, problem=fault.problem, remedy=fault.remedy))
    return None


def _unread(problem: str, remedy: str) -> UsageMistaken:
    return UsageMistaken(problem, at="strategy", remedy=remedy)


def _shadow(said: str, text: str) -> Stage:
    return _traffic("shadow", said, text)


def _canary(said: str, text: str) -> Stage:
    stage = _traffic("canary", said, text)
    if stage.share == 1:
        problem = "a canary of 100% leaves the champion nothing to be compared by"
        raise _unread(problem, "write `promote`, with `bake: 2h` behind it to keep the champion warm")
    return stage


def _bake(said: str, text: str) -> Stage:
    return Stage(kind="bake", text=text, time_s=_time(said))


def _traffic(kind: StageKind, said: str, text: str) -> Stage:
    found = _TRAFFIC.fullmatch(said.strip())
    if found is None:
        raise _unread(f"`{said[:80]}` says no traffic", _WRITE_TRAFFIC)
    share = float(found["share"]) / 100
    if not 0 < share <= 1:
        raise _unread(f"`{found['share'][:80]}%` is no share of traffic", "write one from 0.1% to 100%")
    n_requests = _count(found["count"] or "0", _WRITE_TRAFFIC)
    if found["count"] and not n_requests:
        raise _unread("no request tells nothing", _WRITE_TRAFFIC)
    if not found["count"] and not found["time"]:
        raise _unread(f"`{said}` does not say when it ends", _WRITE_TRAFFIC)
    when = found["within"] or found["time"]
    return Stage(
        kind=kind,
        text=text,
        share=share,
        n_requests=n_requests,
        time_s=_time(when) if when else 0.0,
        by=found["by"] or "",
    )


def _count(said: str, remedy: str) -> int:
    digits = said.replace(",", "").replace("_", "")
    if len(digits) > _MOST_DIGITS:
        raise _unread(f"`{digits[:_MOST_DIGITS]}…` has {len(digits):,} digits: so many requests never come", remedy)
    return int(digits)


def _pause(said: str, text: str) -> Stage:
    approval = _APPROVAL.fullmatch(said.strip())
    if approval:
        return Stage(kind="pause", text=text, approver=approval["name"] or "*")
    if duration_s(said) is None:
        raise _unread(f"`{said}` is neither a time nor an approval", "write 30m, `approval` or `approval by NAME`")
    return Stage(kind="pause", text=text, time_s=_time(said))


def _time(said: str) -> float:
    seconds = duration_s(said.strip())
    if not seconds:
        raise _unread(f"`{said}` is not a time", _TIMES)
    return seconds


_SPOKEN: dict[object, Callable[[str, str], Stage]] = {
    "shadow": _shadow,
    "canary": _canary,
    "pause": _pause,
    "bake": _bake,
}


# --- what is watched ----------------------------------------------------------------------------------------------


def _guards(values: Mapping[str, object], problems: list[Problem]) -> tuple[tuple[Guard, ...], bool]:
    """The guards of `rollback` and `checks`, and whether a version that is not ready is rolled back."""
    guards: list[Guard] = []
    causes = _texts(values, "rollback", ["not-ready", "errors"], problems)
    for i, name in enumerate(causes):
        if name in GUARDS:
            guards.append(GUARDS[name])
        elif name != NOT_READY:
            known = [NOT_READY, *GUARDS]
            remedy = did_you_mean(name, known, f"use {', '.join(known)}; conditions of your own stand under `checks`")
            problems.append(Problem(path=("rollback", i), problem=f"`{name}` is no cause known", remedy=remedy))
    for i, text in enumerate(_texts(values, "checks", [], problems)):
        try:
            guards.append(parse_guard_check(text))
        except CheckUnreadable as fault:
            problem = Problem(path=("checks", i), problem=fault.problem, remedy=fault.remedy, offset=fault.offset)
            problems.append(problem)
    return tuple(guards), NOT_READY in causes


def _texts(values: Mapping[str, object], key: str, default: list[str], problems: list[Problem]) -> list[str]:
    value = values.get(key, default)
    some = [value] if isinstance(value, str) else value
    if not isinstance(some, Sequence) or not all(isinstance(text, str) for text in some):
        problems.append(Problem(path=(key,), problem=f"`{key}` is a list of texts", remedy="write one a line"))
        return []
    # Blanks make no other guard: one that is there twice would take in each window twice.
    bare = [str(text).strip() for text in some]
    twice = next((i for i, text in enumerate(bare) if text in bare[:i]), None)
    if twice is not None:
        problem = f"`{bare[twice]}` stands there twice"
        problems.append(Problem(path=(key, twice), problem=problem, remedy="leave one out: it costs budget"))
    return [str(text) for text in some]


def _unsure(value: object, problems: list[Problem]) -> Unsure:
    if value not in get_args(Unsure):
        remedy = "write hold, rollback or promote"
        problems.append(Problem(path=("unsure",), problem=f"`{_shown(value)}` is no way to be unsure", remedy=remedy))
        return "hold"
    return cast("Unsure", value)


def _number(
    values: Mapping[str, object],
    key: str,
    default: float,
    problems: list[Problem],
    *,
    between: tuple[float, float],
    is_whole: bool = False,
) -> float:
    value = values.get(key, default)
    low, high = between
    is_number = isinstance(value, int if is_whole else int | float) and not isinstance(value, bool)
    if not is_number or not low <= cast("float", value) <= high:
        kind = "a whole number" if is_whole else "a number"
        remedy = f"write one from {low:g} to {high:g}; default: {default:g}"
        problems.append(Problem(path=(key,), problem=f"`{_shown(value)}` is not {kind} that fits", remedy=remedy))
        return default
    return cast("float", value)


def _slower_than(value: object, problems: list[Problem]) -> float:
    if value is None:
        return 0.0
    # A mere number would be seconds, and who writes 200 means milliseconds.
    said = value.strip() if isinstance(value, str) else ""
    seconds = duration_s(said) if said[-1:].isalpha() else None
    if not seconds:
        remedy = "write a time with its unit, such as 200ms"
        problems.append(Problem(path=("slower-than",), problem=f"`{_shown(value)}` is not a time", remedy=remedy))
    return seconds or 0.0


def _harm(value: object, problems: list[Problem]) -> float:
    if value is None:
        return 0.0
    said, remedy = _shown(value), "write `at most 20 extra failed requests`, or 20"
    found = _HARM.fullmatch(said.strip())
    try:
        most = _count(found["count"], remedy) if found else 0
    except UsageMistaken as fault:
        problems.append(Problem(path=("harm",), problem=fault.problem, remedy=fault.remedy))
        return 0.0
    if not most:
        problems.append(Problem(path=("harm",), problem=f"`{said}` is no budget of harm", remedy=remedy))
    return float(most)


def _off_by(value: object, problems: list[Problem]) -> tuple[float, bool]:
    """From how far off a number is wrong, and whether that is a part of the truth."""
    if value is None:
        return 0.0, False
    found = _OFF_BY.fullmatch(_shown(value).strip())
    number = float(found["number"]) if found else 0.0
    if found is None or not 0 < number < float("inf"):
        problem, remedy = f"`{_shown(value)}` says of no number that it is wrong", "write `off by 0.5` or `off by 10%`"
        problems.append(Problem(path=("wrong",), problem=problem, remedy=remedy))
        return 0.0, False
    return (number / 100, True) if found["percent"] else (number, False)


def _shown(value: object) -> str:
    """A value as it stands in a sentence: Python writes no number of more than 4,300 digits."""
    if isinstance(value, int) and value.bit_length() > 1000:
        return "a number of hundreds of digits"
    return str(value)


# --- what fits together -------------------------------------------------------------------------------------------


def _of_order(strategy: Strategy) -> Iterator[Problem]:
    stages = strategy.stages
    at = [i for i, stage in enumerate(stages) if stage.kind == "promote"]
    if not at:
        last = len(stages) - 1
        problem = "no stage promotes: the version would never take over"
        yield Problem(path=("strategy", last), problem=problem, remedy="end with `promote`, or `promote, bake: 14d`")
        return
    if len(at) > 1:
        yield Problem(path=("strategy", at[1]), problem="it promotes twice", remedy="leave out one `promote`")
    for i, stage in enumerate(stages):
        if stage.kind == "bake" and i < at[0]:
            problem = "a bake watches a version that took over, and none has"
            yield Problem(path=("strategy", i), problem=problem, remedy="put it behind `promote`")
        if stage.kind in WATCHED and i > at[0]:
            problem = f"a {stage.kind} behind `promote` compares with nothing"
            yield Problem(path=("strategy", i), problem=problem, remedy="put it before `promote`")


def _of_what_is_seen(strategy: Strategy, values: Mapping[str, object]) -> Iterator[Problem]:
    """Checks that no stage can answer: they would leave every release unsure, or pass it unseen."""
    kinds = {stage.kind for stage in strategy.stages}
    n_causes = sum(not guard.must_be_proved for guard in strategy.guards)
    for i, guard in enumerate(strategy.guards):
        path: Path = ("checks", i - n_causes) if guard.must_be_proved else ("rollback", _place(values, guard.text))
        if guard.must_be_proved and not kinds & WATCHED:
            problem = "no stage could prove it: both versions never answer at the same time"
            yield Problem(path=path, problem=problem, remedy="begin with `canary: 10% for 10000 requests`")
        elif guard.metric == "disagreement" and "shadow" not in kinds:
            problem = "only a shadow has the answers of both versions to one request"
            yield Problem(path=path, problem=problem, remedy="begin with `shadow: 100% for 2000 requests`")
        elif guard.metric == "slow" and not strategy.slower_than_s:
            problem = "it is not said from when on a request is slow"
            yield Problem(path=path, problem=problem, remedy="write `slower-than: 200ms` beside it")


def _place(values: Mapping[str, object], name: str) -> int:
    causes = values.get("rollback")
    return list(causes).index(name) if isinstance(causes, Sequence) and not isinstance(causes, str) else 0
