"""The registry of models: reading its streams, and appending versions and moves of aliases, each harmless twice.

`core/registry` decides what a request adds; here it is written, against whoever writes at the same time.
"""

from collections.abc import Callable
from typing import TypeVar

import msgspec

from headway.core.facts import (
    AliasMoved,
    Fact,
    ModelConverted,
    ModelRegistered,
    ModelSigned,
    ModelTagged,
    ModelTrusted,
    Place,
    ReleaseFinished,
    ReleaseStarted,
    RunStarted,
    StepFinished,
)
from headway.core.ids import Artifact, Digest, ModelRef, RunId, parse_model_ref
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


def named(log: Log, text: str) -> tuple[Model, ModelRegistered]:
    """The model and version that `churn@3` or `churn@champion` names. Raises UsageMistaken, NameUnknown."""
    wanted = parse_model_ref(text)
    model = known(log, wanted.name)
    version = model.version(wanted.version) if wanted.version is not None else model.resolve(wanted)
    if version is None:
        have = ", ".join(sorted(model.aliases)) or "none"
        raise NameUnknown(
            f"{wanted.name} has no alias {wanted.alias!r}", at=f"model: {text}", remedy=f"its aliases: {have}"
        )
    return model, version


Sign = Callable[[ModelRegistered], ModelSigned | None]
"""Vouches for a version that is about to be made; None when there is no key to do it with."""


def register(log: Log, asked: Registration, *, now: float, sign: Sign | None = None) -> Registered:
    """Make a model version and let its alias mean it; what was done before is found again, and appended never twice.

    Version, signature and alias appear together or not at all. Raises what the log raises, and what `sign` raises.
    """
    if asked.run is not None and asked.place == Place():
        asked = msgspec.structs.replace(asked, place=_place(log, asked.run))
    while True:
        model = read(log, asked.model)
        decided = model.register(asked)
        facts: list[Fact] = list(decided.facts)
        if sign is not None and decided.version in facts:
            signed = sign(decided.version)
            facts[1:1] = [] if signed is None else [signed]
        try:
            log.append(_stream(asked.model), facts, expect=model.length, at=now)
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


def tag(  # noqa: PLR0913 (where, what, when and who)
    log: Log, name: str, version: int, tag: str, value: str | None, *, now: float, by: str = ""
) -> ModelTagged | None:
    """Set a tag of a version, or with None take it off; None when it was so. Raises NameUnknown, UsageMistaken."""
    return _decided(log, name, lambda model: model.tag(version, tag, value, by=by), now=now)


def trust(log: Log, name: str, version: int, *, now: float, by: str = "") -> ModelTrusted | None:
    """Let what a version holds be loaded here; None when it may be already. Raises NameUnknown."""
    return _decided(log, name, lambda model: model.trust(version, by=by), now=now)


def sign(log: Log, name: str, version: int, sign: Sign, *, now: float) -> ModelSigned | None:
    """Vouch for a version by one more signature; None when this key did before. Raises NameUnknown."""

    def decide(model: Model) -> ModelSigned | None:
        signed = sign(model.version(version))
        before = {(one.key, one.signature) for one in model.signatures_of(version)}
        return None if signed is None or (signed.key, signed.signature) in before else signed

    return _decided(log, name, decide, now=now)


def converted(log: Log, fact: ModelConverted, *, now: float) -> ModelConverted:
    """Write down what became of a version's conversion; each try is a fact of its own. Raises NameUnknown."""

    def decide(model: Model) -> ModelConverted:
        model.version(fact.version)
        return fact

    return _decided(log, fact.model, decide, now=now) or fact


Made = TypeVar("Made", ModelTagged, ModelSigned, ModelTrusted, ModelConverted)


def _decided(log: Log, name: str, decide: Callable[[Model], Made | None], *, now: float) -> Made | None:
    while True:
        model = known(log, name)
        fact = decide(model)
        if fact is None:
            return None
        try:
            log.append(_stream(name), [fact], expect=model.length, at=now)
        except AppendConflict:
            continue
        return fact


def _place(log: Log, run: RunId) -> Place:
    """What a run ran on, as it told when it began."""
    for entry in log.read(f"run/{run}"):
        if isinstance(entry.fact, RunStarted):
            return entry.fact.place
    return Place()


def made_here(log: Log, digest: Digest) -> bool:
    """Whether a run in this log or its registry made what has this digest, or somebody here vouched for it.

    What was imported from another project is neither. Reads back until it is found.
    """
    for entry in log.scan(("ModelRegistered", "ModelTrusted", "StepFinished"), newest_first=True):
        match entry.fact:
            case ModelRegistered(artifact=artifact, origin=None) if artifact.digest == digest:
                return True
            case ModelTrusted(digest=trusted) if trusted == digest:
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
