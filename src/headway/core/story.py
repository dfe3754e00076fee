"""The story of a project: each fact as a line that people read, with the numbers that it has.

Neighbours: `core/notice` tells few of them to who did not ask; `core/history` folds a run, `core/rollout_view` a
release. Decides nothing.
"""

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from headway.core import facts as f
from headway.core.telling import listed, number, percent

DETAILS = frozenset({
    "StepStarted", "StepReused", "StepSkipped", "StepLost", "ModelConverted", "ModelJudged", "VersionStarted",
    "GoldenAnswered", "StageLooked", "HoldoutAsked", "HoldoutAnswered", "SourceWatched", "WindowClosed", "NoticeSent",
})  # fmt: skip
"""Facts that a story is told without, unless somebody wants every line."""

Releases = Mapping[tuple[str, int], f.ReleaseStarted]
"""How each release began, by endpoint and number."""


class Line(Struct, frozen=True, kw_only=True):
    """One line: `about` names what it is of (`run 7`, `endpoint churn`). `is_bad`: something did not go well."""

    at: float
    about: str
    text: str
    is_bad: bool = False


class _Told(Struct, frozen=True):
    text: str
    is_bad: bool = False


def is_detail(fact: f.Fact) -> bool:
    """Whether a story is told without it, unless somebody wants every line."""
    match fact:
        case f.StepFinished(outcome=outcome):
            return outcome == "passed"
        case f.QualitySeen(is_beyond=is_beyond):
            return not is_beyond
        case f.LabelsAdded(n_new=n_new, n_corrected=n_corrected):
            return not (n_new or n_corrected)
        case _:
            return f.kind_of(fact) in DETAILS


def line_of(entry: f.Entry, releases: Releases) -> Line | None:
    """The line of a fact; None for what says nothing to people.

    >>> line_of(f.Entry(seq=1, stream="run/7", n=1, at=0.0, fact=f.RunResumed(by="ann")), {}).text
    'taken up again by ann'
    """
    kind, _, name = entry.stream.partition("/")
    told = _TELLERS[kind](entry.fact, name, releases) if kind in _TELLERS else None
    if told is None:
        return None
    about = f"{kind} {name[:12] if kind == 'holdout' else name}".rstrip()
    text = " ".join(told.text.split()) or f.kind_of(entry.fact)
    return Line(at=entry.at, about=about, text=text, is_bad=told.is_bad)


def _why(words: str) -> str:
    return f": {words}" if words else ""


def _by(name: str) -> str:
    return f" by {name}" if name else ""


# --- runs -------------------------------------------------------------------------------------------------------

_ENDS = {
    "refused": "refused by its gate",
    "invalid": "stopped at invalid data",
    "rolled-back": "ended with a release that was rolled back",
}


def _run(fact: f.Fact, name: str, _: Releases) -> _Told | None:
    told: _Told | None = None
    match fact:
        case f.RunStarted(name=pipeline, trigger=trigger, source=source):
            commit = f" at {source.commit[:12]}" if source.commit else ""
            told = _Told(f"{pipeline} began{commit}, started by {'hand' if trigger == 'person' else trigger}")
        case f.RunResumed(by=by):
            told = _Told(f"taken up again{_by(by)}")
        case f.RunFinished(outcome=outcome, seconds=seconds, why=why):
            is_bad = outcome not in ("passed", "interrupted")
            told = _Told(f"{_ENDS.get(outcome, outcome)} after {seconds:.1f} s{_why(why)}", is_bad)
        case f.StepFinished(step=step, outcome=outcome, why=why, metrics=metrics):
            shown = [f"{one.name} {number(one.value)}" for one in metrics[-3:]]
            told = _Told(f"step {step} {outcome}{_why(why)}{_why(listed(shown))}", outcome not in ("passed", "held"))
        case _:
            told = _step(fact)
    del name
    return told


def _step(fact: f.Fact) -> _Told | None:
    match fact:
        case f.StepStarted(step=step, why=why):
            return _Told(f"step {step} began{_why(why)}")
        case f.StepReused(step=step, of_run=run):
            return _Told(f"step {step} was known from run {run}")
        case f.StepSkipped(step=step, why=why):
            return _Told(f"step {step} was skipped{_why(why)}")
        case f.StepLost(step=step, why=why):
            return _Told(f"step {step} was lost{_why(why)}")
        case _:
            return None


# --- data and models --------------------------------------------------------------------------------------------


def _dataset(fact: f.Fact, name: str, _: Releases) -> _Told | None:
    match fact:
        case f.DatasetVersioned(version=version, source=source, by=by, note=note):
            return _Told(f"{name}@{version} is there{f' from {source}' if source else ''}{_by(by)}{_why(note)}")
        case f.DatasetForgotten(version=version, by=by, why=why):
            return _Told(f"{name}@{version} is needed no more{_by(by)}{_why(why)}")
        case _:
            return None


def _model(fact: f.Fact, name: str, _: Releases) -> _Told | None:
    told: _Told | None = None
    match fact:
        case f.ModelRegistered(version=version, run=run, by=by):
            told = _Told(f"{name}@{version} was registered{f' by run {run}' if run is not None else _by(by)}")
        case f.AliasMoved(alias=alias, version=version, previous=previous, why=why):
            before = f", was {previous}" if previous is not None else ""
            told = _Told(f"{name}@{alias} means {version} now{before}{_why(why)}")
        case f.ModelTagged(version=version, name=tag, value=value, by=by):
            told = _Told(f"{name}@{version}: {tag} {'is gone' if value is None else f'is {value}'}{_by(by)}")
        case f.ModelSigned(version=version, key=key):
            told = _Told(f"{name}@{version} was signed with {key[:20]}…")
        case f.ModelTrusted(version=version, by=by):
            told = _Told(f"{name}@{version} is trusted{_by(by)}")
        case f.ModelConverted(version=version, onnx=onnx):
            told = _Told(f"{name}@{version} {'is not converted' if onnx.why else 'is proven as ONNX'}{_why(onnx.why)}")
        case f.ModelJudged(version=version, run=run):
            told = _Told(f"{name}@{version} was judged again{f' by run {run}' if run is not None else ''}")
        case _:
            pass
    return told


def _holdout(fact: f.Fact, name: str, _: Releases) -> _Told | None:
    del name
    match fact:
        case f.HoldoutAsked(path=path, ask=ask, budget=budget):
            return _Told(f"{path} is asked for the {ask}. time{f' of {budget}' if budget else ''}")
        case f.HoldoutAnswered(outcome=outcome):
            return _Told(f"it answered: {outcome}")
        case _:
            return None


# --- production -------------------------------------------------------------------------------------------------

_RELEASED = {"released": "is released", "aborted": "was taken back", "failed": "could not be released"}
_ACTS = {"promote": "go on", "abort": "take it back", "pause": "wait", "resume": "go on after the pause"}


def _endpoint(fact: f.Fact, name: str, releases: Releases) -> _Told | None:
    told: _Told | None = None
    match fact:
        case f.ReleaseStarted(cause=cause, run=run, by=by, why=why):
            what = "goes back" if cause == "rollback" else "is to be released"
            who = f" by run {run}" if run is not None else _by(by)
            told = _Told(f"{_version(fact, name, releases)} {what}{who}{_why(why)}")
        case f.ReleaseFinished(outcome=outcome, why=why):
            what = _RELEASED.get(outcome, "was rolled back")
            told = _Told(f"{_version(fact, name, releases)} {what}{_why(why)}", outcome in ("failed", "rolled-back"))
        case f.ReleaseHeld(cause=cause, why=why):
            what = "waits for an approval" if cause == "approval" else "is held"
            told = _Told(f"{_version(fact, name, releases)} {what}{_why(why)}", cause != "approval")
        case f.ReleaseDirected(act=act, by=by, why=why):
            told = _Told(f"{by or 'headway'} says of {_version(fact, name, releases)}: {_ACTS[act]}{_why(why)}")
        case f.StageBegan():
            told = _Told(f"{_version(fact, name, releases)} begins {_stage(fact, name, releases)}")
        case f.EndpointSwitched():
            told = _Told(f"{_version(fact, name, releases)} answers from here on")
        case f.EndpointStopped(by=by, why=why):
            told = _Told(f"taken down{_by(by)}{_why(why)}")
        case _:
            told = _tried(fact, name, releases)
    return told


def _tried(fact: f.Fact, name: str, releases: Releases) -> _Told | None:
    match fact:
        case f.VersionStarted():
            return _Told(f"{_version(fact, name, releases)} is up, without traffic")
        case f.GoldenAnswered(n_requests=n, n_wrong=n_wrong, n_compared=n_compared, n_unlike=n_unlike):
            asked = f"{n} golden requests, {n_wrong} wrong; {n_compared} rows asked again, {n_unlike} unlike"
            return _Told(f"{_version(fact, name, releases)} was tried: {asked}", not fact.is_right)
        case f.StageLooked(windows=windows):
            n = sum(one.new.requests + one.old.requests for one in windows if not one.slice)
            return _Told(f"{_version(fact, name, releases)}: {number(n)} requests were counted")
        case _:
            return None


_OfRelease = (
    f.ReleaseStarted
    | f.ReleaseFinished
    | f.ReleaseHeld
    | f.ReleaseDirected
    | f.StageBegan
    | f.StageLooked
    | f.EndpointSwitched
    | f.VersionStarted
    | f.GoldenAnswered
)


def _version(fact: _OfRelease, name: str, releases: Releases) -> str:
    """The version that a release puts there, `churn@12`."""
    began = releases.get((name, fact.release))
    return f"release {fact.release}" if began is None else f"{began.model}@{began.version}"


def _stage(fact: f.StageBegan, name: str, releases: Releases) -> str:
    """The stage as it is written."""
    began = releases.get((name, fact.release))
    stages = began.strategy.stages if began is not None and began.strategy is not None else ()
    return f"`{stages[fact.stage].text}`" if 0 <= fact.stage < len(stages) else f"stage {fact.stage + 1}"


# --- by itself --------------------------------------------------------------------------------------------------


def _trigger(fact: f.Fact, name: str, _: Releases) -> _Told | None:
    del name
    told: _Told | None = None
    match fact:
        case f.EventSeen(source=source, why=why, by=by):
            told = _Told(f"{source}{_by(by)}{_why(why)}")
        case f.SourceWatched(source=source):
            told = _Told(f"{source} is watched from now on")
        case f.TriggerFired(firing=firing, why=why):
            told = _Told(f"firing {firing}: a run is started{_why(why)}")
        case f.FiringEnded(firing=firing, run=None, why=why, outcome=outcome):
            told = _Told(f"firing {firing}: no run could be started{_why(why)}", outcome != "passed")
        case f.FiringEnded(firing=firing, run=run, outcome=outcome):
            told = _Told(f"firing {firing}: run {run} ended, {outcome}", outcome != "passed")
        case _:
            pass
    return told


def _monitor(fact: f.Fact, name: str, _: Releases) -> _Told | None:
    del name
    told: _Told | None = None
    match fact:
        case f.MonitorBegan(model=model, version=version, endpoint=endpoint, window=window):
            told = _Told(f"{model}@{version} on {endpoint} is watched, by windows of {window}")
        case f.WindowClosed(number=n, n_rows=n_rows, n_failed=n_failed):
            bad = f", {n_failed:,} failed" if n_failed else ""
            places = [f"{one.of} where {one.slice}" if one.slice else one.of for one in fact.readings if one.is_beyond]
            beyond = list(dict.fromkeys(places))
            told = _Told(f"window {n}: {n_rows:,} rows{bad}{_why(listed(beyond) and f'unusual: {listed(beyond)}')}")
        case f.QualitySeen(number=n, metric=metric, value=value, low=low, high=high):
            labelled = percent(fact.n_labelled / max(fact.n_rows, 1))
            promised = f", promised {number(fact.expected)}" if fact.expected is not None else ""
            proven = f"{metric} {number(value)} ({number(low)} to {number(high)}){promised}"
            told = _Told(f"window {n}: labels of {labelled} prove {proven}", fact.is_beyond)
        case f.AlarmRaised(alarm=alarm, about=about, says=says, why=why, causes=causes):
            cause = f"; {causes[0].words}" if causes and causes[0].words else ""
            told = _Told(f"alarm {alarm}, {about}: {says}{_why(why)}{cause}", True)
        case f.AlarmEnded(alarm=alarm, why=why):
            told = _Told(f"alarm {alarm} is over{_why(why)}")
        case _:
            pass
    return told


def labels_text(files: Sequence[f.LabelsAdded], endpoint: str) -> str:
    """What came in one or more files of labels, the oldest first.

    >>> one = f.LabelsAdded(endpoint="e", source="may.csv", digest="", key="", n_new=900)
    >>> labels_text([one], "e")
    '900 labels of e came in may.csv'
    """
    n_corrected = sum(one.n_corrected for one in files)
    mended = f", {n_corrected:,} corrected," if n_corrected else ""
    first, last = files[0], files[-1]
    where = first.source if len(files) == 1 else f"{len(files):,} files, {first.source} to {last.source}"
    return f"{sum(one.n_new for one in files):,} labels of {endpoint} came{mended} in {where}{_by(last.by)}"


def _labels(fact: f.Fact, name: str, _: Releases) -> _Told | None:
    match fact:
        case f.LabelsAdded():
            return _Told(labels_text([fact], name))
        case _:
            return None


def _notices(fact: f.Fact, name: str, _: Releases) -> _Told | None:
    del name
    match fact:
        case f.NoticeSent(key="", notifier=notifier):
            return _Told(f"{notifier} is told from now on")
        case f.NoticeSent(key=key, notifier=notifier, n_tries=n_tries):
            tries = f" at the {n_tries}. try" if n_tries > 1 else ""
            return _Told(f"{notifier} was told of {key.partition('#')[0].replace('/', ' ')}{tries}")
        case f.NoticeFailed(key=key, notifier=notifier, why=why):
            return _Told(f"{notifier} was not told of {key.partition('#')[0].replace('/', ' ')}{_why(why)}", True)
        case _:
            return None


_TELLERS: Mapping[str, Callable[[f.Fact, str, Releases], _Told | None]] = {
    "run": _run,
    "dataset": _dataset,
    "model": _model,
    "holdout": _holdout,
    "endpoint": _endpoint,
    "trigger": _trigger,
    "monitor": _monitor,
    "labels": _labels,
    "notices": _notices,
}
"""Who tells the facts of a kind of stream; a kind without anybody has no line."""
