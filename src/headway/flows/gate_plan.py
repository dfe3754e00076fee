"""What a plan must know of a holdout: which content it is, how many rows it has, how often it was asked.

`core/gate_plan` reckons with it; `flows/holdouts` keeps the ledgers.
"""

import os

from msgspec import Struct

from headway.core.dataset import digest_prefix
from headway.core.facts import HoldoutAsked
from headway.core.holdout import Ledger
from headway.core.ids import Digest
from headway.errors import FileMissing, NameUnknown, UsageMistaken
from headway.flows import contents, holdouts
from headway.flows.dataset import Project


class Holdout(Struct, frozen=True):
    """A holdout as somebody names it, with its ledger; `path` is where it lies, empty if only its digest is known."""

    name: str
    ledger: Ledger
    path: str = ""


def find(project: Project, text: str, *, base: str = "") -> Holdout:
    """The holdout that `text` means: a path as seen from `base`, a version of a dataset, 8 digits or more of a digest.

    Raises FileMissing, UsageMistaken, and OutputUnreadable for a path that cannot be read.
    """
    here = os.path.abspath(os.path.join(base or project.folder, text))
    if os.path.exists(here):
        artifact = contents.here(project, os.path.relpath(here, project.folder))
        assert artifact is not None, "what is there has a digest"
        return Holdout(text, holdouts.read(project.log, artifact.digest), here)
    digest = _asked(project, text) or _version(project, text)
    return Holdout(text, holdouts.read(project.log, digest))


def n_rows(holdout: Holdout) -> int | None:
    """How many rows it has; None where it does not lie here. Raises TableUnreadable."""
    if not holdout.path:
        return None
    from headway.tables.batches import open_data

    with open_data([holdout.path]) as data:
        if data.n_rows is not None:
            return data.n_rows
        return sum(batch.n_rows for batch in data.batches([column.name for column in data.columns[:1]]))


def _asked(project: Project, text: str) -> Digest | None:
    """The holdout with such a digest that was ever asked, though nothing else may know it any more."""
    prefix = digest_prefix(text)
    if prefix is None:
        return None
    asked = (entry.fact for entry in project.log.scan(("HoldoutAsked",)))
    found = {fact.holdout for fact in asked if isinstance(fact, HoldoutAsked) and fact.holdout.startswith(prefix)}
    if len(found) > 1:
        raise NameUnknown(f"{len(found)} holdouts begin with {prefix}", at="--holdout", remedy="give more digits of it")
    return next(iter(found), None)


def _version(project: Project, text: str) -> Digest:
    try:
        side = contents.resolve(project, text)
    except NameUnknown as e:
        if "@" in text:
            raise
        raise FileMissing(
            f"there is no {text}", at="--holdout", remedy="name the gate's data: a file, a dataset version or a digest"
        ) from e
    if side.is_whole or len(side.artifacts) != 1:
        raise UsageMistaken(
            f"{text} is more than one table", at="--holdout", remedy="name one of its paths or datasets"
        )
    (artifact,) = side.artifacts.values()
    return artifact.digest
