"""One validation of data: each check that is broken with its rows as they stand, and all that were asked.

Shows what the step kept, no more: where it was told to keep no examples (`examples: 0`), there are none here. Columns
that are private now (`data.private`) are so in what was kept before, too.
"""

import msgspec
from msgspec import Struct

from headway.core.ids import Artifact, Digest, RunId
from headway.core.loop import State
from headway.core.private import of_verdict
from headway.core.validation import Example, Finding
from headway.errors import NameUnknown
from headway.steps.validate_data import Record
from headway.web.named import run_of
from headway.web.pages import Asked, Page

_DIGITS = 64

_STATES: dict[str, State] = {"pass": "well", "fail": "trouble", "warn": "waiting", "error": "trouble"}


class FindingShown(Struct, frozen=True, kw_only=True):
    """One check; `columns` are those that its rows are shown with."""

    check: str
    outcome: str
    state: State
    why: str
    remedy: str
    n_bad: int | None
    n_rows: int
    columns: tuple[str, ...] = ()
    examples: tuple[Example, ...] = ()


class ValidationPage(Struct, frozen=True, kw_only=True):
    """What was found in the data: what is broken first, then what holds."""

    run: RunId
    step: str
    data: Artifact
    reference: str
    outcome: str
    state: State
    why: str
    n_rows: int
    broken: tuple[FindingShown, ...]
    others: tuple[FindingShown, ...]


def view(asked: Asked) -> ValidationPage:
    """The validation that a step of a run made."""
    run = run_of(asked)
    step = run.steps.get(asked.path["step"])
    found = None if step is None else _record(asked, step.values.get("report", ""))
    if found is None:
        raise NameUnknown(
            f"run {run.run} validated no data in a step {asked.path['step']!r}",
            at="step",
            remedy=f"see the page of run {run.run}",
        )
    verdict = of_verdict(found.verdict, asked.site.settings.private)
    broken = verdict.broken
    shown = [_shown(one) for one in (*broken, *(one for one in verdict.findings if one not in broken))]
    return ValidationPage(
        run=run.run,
        step=asked.path["step"],
        data=found.data,
        reference=found.reference,
        outcome=verdict.outcome,
        state=_STATES.get(verdict.outcome, "idle"),
        why=verdict.why,
        n_rows=verdict.n_rows,
        broken=tuple(shown[: len(broken)]),
        others=tuple(shown[len(broken) :]),
    )


def _record(asked: Asked, digest: str) -> Record | None:
    """What is kept under this digest; None when it is no validation's. Raises BlobMissing, BlobDamaged."""
    if len(digest) != _DIGITS or not digest.isalnum():
        return None
    try:
        return msgspec.json.decode(asked.parts.blobs.get(Digest(digest)), type=Record)
    except msgspec.MsgspecError:
        return None


def _shown(one: Finding) -> FindingShown:
    return FindingShown(
        check=one.check.name or one.check.at,
        outcome=one.word,
        state=_STATES.get(one.word, "idle"),
        why=one.why,
        remedy=one.remedy,
        n_bad=one.n_bad,
        n_rows=one.n_rows,
        columns=tuple(dict.fromkeys(name for example in one.examples for name in example.values)),
        examples=one.examples,
    )


PAGES = (
    Page(
        path="/runs/{run}/validations/{step}",
        template="validation.html",
        section="/runs",
        gives=ValidationPage,
        view=view,
        title=lambda found: f"Validation of {found.data.path} in run {found.run}",
        command=lambda found: f"headway show {found.run}",
        refresh_s=0,
    ),
)
