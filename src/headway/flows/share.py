"""What of a project is to be sent to a remote or fetched from it: what somebody names, or what is needed now.

Reads headway.lock, the log and Git; `flows/transfer` carries it out.
"""

import os
from collections.abc import Callable, Sequence

from headway.codec.lock import Lock
from headway.core.facts import ModelRegistered
from headway.core.ids import Artifact, parse_model_ref
from headway.errors import NameUnknown, UsageMistaken
from headway.flows import contents, registry
from headway.flows import dataset as datasets
from headway.flows.dataset import Project
from headway.flows.needed import Needed, needed
from headway.flows.transfer import artifacts

_FORMS = f"{contents.FORMS}, or MODEL@VERSION"


def to_send(project: Project) -> Needed:
    """What headway.lock pins, the newest version of each dataset, and every registered model version."""
    found = pinned(project)
    for one in datasets.read_all(project.log).values():
        if one.newest is not None:
            found.artifact(one.newest.artifact, f"dataset {one.newest.dataset}@{one.newest.version}")
    for entry in project.log.scan(("ModelRegistered",)):
        if isinstance(entry.fact, ModelRegistered):
            _add_model(found, entry.fact)
    return found


def pinned(project: Project) -> Needed:
    """What headway.lock pins here. Raises FileFaulty."""
    lock = project.pins.read() or Lock()
    return artifacts((artifact, _what(lock, what)) for artifact, what in lock.artifacts().values())


def everything(project: Project) -> Needed:
    """All that `headway gc` would keep, but for the outputs of runs that nothing pins. Raises FileFaulty."""
    return needed(project.log, project.folder, keep_runs=0)


def meant(
    project: Project, words: Sequence[str], *, is_all: bool, otherwise: Callable[[Project], Needed] = pinned
) -> Needed:
    """What a command is about: `everything`, or what its words mean, or without any what it takes `otherwise`."""
    if is_all:
        return everything(project)
    return named(project, words) if words else otherwise(project)


def named(project: Project, words: Sequence[str]) -> Needed:
    """What these words mean: versions of datasets and models, commits, digests, pinned paths and folders above them.

    Raises NameUnknown, UsageMistaken, FileFaulty.
    """
    found = Needed(artifacts={}, digests={})
    for word in words:
        try:
            side = contents.resolve(project, word)
        except NameUnknown as e:
            if _add_version(project, word, found) or _add_below(project, word, found):
                continue
            if e.remedy != contents.FORMS:
                # It knows better what was meant.
                raise
            problem = f"{word!r} names no dataset, model, version, commit or pinned path"
            raise NameUnknown(problem, at=word, remedy=_FORMS) from None
        if side.is_work:
            raise UsageMistaken(
                f"{word} is what lies in the workspace, and no version of it",
                at=word,
                remedy="make one: headway data add PATH",
            )
        for artifact in side.artifacts.values():
            found.artifact(artifact, side.label)
    return found


def _what(lock: Lock, what: str) -> str:
    pin = lock.data.get(what.removeprefix("dataset ")) if what.startswith("dataset ") else None
    return f"{what}@{pin.version}" if pin is not None and pin.version else what


def _add_model(found: Needed, made: ModelRegistered) -> None:
    name = f"{made.model}@{made.version}"
    found.artifact(made.artifact, f"model {name}")
    found.digest(made.verdict, f"the verdict on {name}")
    found.digest(made.answers, f"what {name} answered")
    found.digest(made.source.diff, f"the code of {name}")
    found.digest(made.place.packages, f"the packages of {name}")
    found.digest(made.origin, f"where {name} came from")


def _add_version(project: Project, word: str, found: Needed) -> bool:
    """A model's version, or of a model's name alone its newest."""
    made = None
    if "@" in word:
        try:
            made = registry.resolve(project.log, parse_model_ref(word))
        except UsageMistaken:
            return False
    elif word in registry.names(project.log):
        made = registry.read(project.log, word).newest
    if made is not None:
        _add_model(found, made)
    return made is not None


def _add_below(project: Project, word: str, found: Needed) -> bool:
    """What is pinned in a folder."""
    path = os.path.normpath(word)
    lock = project.pins.read() or Lock()
    below: list[tuple[Artifact, str]] = [
        value for p, value in lock.artifacts().items() if path == "." or datasets.is_below(p, path)
    ]
    for artifact, what in below:
        found.artifact(artifact, _what(lock, what))
    return bool(below)
