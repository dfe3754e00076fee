"""The registry of models: reading its streams, and appending versions and moves of aliases, each harmless twice.

`core/registry` decides what a request adds; here it is written, against whoever writes at the same time.
"""

from headway.core.facts import AliasMoved, ModelRegistered, ReleaseFinished, ReleaseStarted, StepFinished
from headway.core.ids import Artifact, Digest, ModelRef
from headway.core.registry import Model, Registered, Registration
from headway.errors import AppendConflict, NameUnknown
from headway.ports import Log


def read(log: Log, name: str) -> Model:
    """A model as its stream tells it; one without versions when nothing was ever registered under that name."""
    model = Model(name)
    for entry in log.read(_stream(name)):
        model.after(entry)
    return model


def names(log: Log) -> tuple[str, ...]:
    """All models with a version, sorted."""
    return tuple(sorted({e.fact.model for e in log.scan(("ModelRegistered",)) if isinstance(e.fact, ModelRegistered)}))


def known(log: Log, name: str) -> Model:
    """A model that has a version. Raises NameUnknown, naming the nearest."""
    model = read(log, name)
    if model.newest is not None:
        return model
    from difflib import get_close_matches

    have = names(log)
    close = get_close_matches(name, have, n=1)
    raise NameUnknown(
        f"there is no model {name!r}",
        at=f"model: {name}",
        remedy=f"did you mean {close[0]}?" if close else "`headway models` lists them; a `register` step makes one",
    )


def resolve(log: Log, ref: ModelRef) -> ModelRegistered | None:
    """The version that a number or an alias means now; None when there is none."""
    return read(log, ref.name).resolve(ref)


def register(log: Log, asked: Registration, *, now: float) -> Registered:
    """Make a model version and let its alias mean it; what was done before is found again, and appended never twice.

    Version and alias appear together or not at all. Raises what the log raises.
    """
    while True:
        model = read(log, asked.model)
        decided = model.register(asked)
        try:
            log.append(_stream(asked.model), decided.facts, expect=model.length, at=now)
        except AppendConflict:
            # Somebody else registered in between: the number may be taken, so decide again.
            continue
        return decided


def move_alias(  # noqa: PLR0913 (where, what, when, why and who)
    log: Log, name: str, alias: str, version: int, *, now: float, why: str = "", by: str = ""
) -> AliasMoved | None:
    """Let an alias mean this version; None when it did already. Raises NameUnknown, UsageMistaken."""
    while True:
        model = known(log, name)
        moved = model.move_alias(alias, version, why=why, by=by)
        if moved is None:
            return None
        try:
            log.append(_stream(name), [moved], expect=model.length, at=now)
        except AppendConflict:
            continue
        return moved


def made_here(log: Log, digest: Digest) -> bool:
    """Whether the registry, or a step of a run in this log, made what has this digest. Reads back until it is found."""
    for entry in log.scan(("ModelRegistered", "StepFinished"), newest_first=True):
        match entry.fact:
            case ModelRegistered(artifact=artifact) if artifact.digest == digest:
                return True
            case StepFinished(outputs=outputs) if any(a.digest == digest for a in outputs.values()):
                return True
            case _:
                pass
    return False


def last_released(log: Log, path: str) -> tuple[Artifact, str] | None:
    """What lay at a path of the project when the version was made that was released last: its content, and `churn@3`.

    None when no released version was made of anything there. Reads back until it is found.
    """
    started: dict[str, dict[int, ReleaseStarted]] = {}
    for entry in log.scan(("ReleaseFinished",), newest_first=True):
        finished = entry.fact
        if not isinstance(finished, ReleaseFinished) or finished.outcome != "released":
            continue
        if entry.stream not in started:
            facts = (before.fact for before in log.read(entry.stream))
            started[entry.stream] = {fact.release: fact for fact in facts if isinstance(fact, ReleaseStarted)}
        release = started[entry.stream][finished.release]
        version = resolve(log, ModelRef(name=release.model, version=release.version))
        for artifact in version.data if version is not None else ():
            if artifact.path == path:
                return artifact, f"{release.model}@{release.version}"
    return None


def _stream(name: str) -> str:
    return f"model/{name}"
