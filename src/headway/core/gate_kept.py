"""A gate as people look back at it: what its step kept, where it was found, and what follows for the reader.

Read leniently: what a later headway keeps besides is passed over, what an earlier one did not keep is empty. Neighbour:
`steps/gate` writes it; `flows/gate_show` finds it.
"""

from msgspec import Struct

from headway.core.gate import Verdict
from headway.core.ids import SHORT, Artifact, Digest, RunId


class Asked(Struct, frozen=True, kw_only=True, rename="kebab"):
    """Of the step's keys those that a reader is told."""

    challenger: str = ""
    champion: str | None = None
    data: str = ""
    target: str = ""
    confidence: float = 0.95
    unsure: str = "hold"


class KeptGate(Struct, frozen=True, kw_only=True):
    """What a gate's step keeps as `verdict` (see `steps/gate`)."""

    verdict: Verdict
    step: Asked = Asked()
    challenger: Artifact | None = None
    champion: str | None = None
    data: Artifact | None = None
    exit_code: int = 0
    answers: Digest | None = None


def is_about(kept: KeptGate, content: Digest) -> bool:
    """Whether a gate judged this model: by its file, or by what it answered alone, which names no file."""
    return kept.challenger is not None and (not kept.step.challenger or kept.challenger.digest == content)


class GateView(Struct, frozen=True, kw_only=True):
    """A gate that was found: what it kept, under which digest, and by which run and step if one is known to.

    `asked` says how often its holdout was asked up to now.
    """

    digest: Digest
    kept: KeptGate
    run: RunId | None = None
    step: str = ""
    asked: str = ""


_DONE = {0: "let through", 1: "could not be measured", 3: "refused", 6: "held"}


def headline(view: GateView) -> str:
    """What the gate said and did, in a sentence.

    >>> from headway.core.gate import conclude
    >>> headline(GateView(digest=Digest("ab"), kept=KeptGate(verdict=conclude([]), exit_code=1)))
    'gate: error, could not be measured: the gate has no checks; write some under `checks:`'
    """
    verdict = view.kept.verdict
    done = _DONE.get(view.kept.exit_code, f"exit code {view.kept.exit_code}")
    return f"gate: {verdict.outcome}, {done}: {verdict.why}"


def record(view: GateView) -> list[tuple[str, str]]:
    """What was asked of which models and rows, and where it is kept: words and values."""
    kept = view.kept
    against = kept.champion or (f"none: {kept.step.champion} meant no version" if kept.step.champion else "none named")
    found = [
        ("challenger", _artifact(kept.challenger, kept.step.challenger)),
        ("champion", against),
        ("holdout", _artifact(kept.data, kept.step.data)),
        ("asked so far", view.asked),
        ("true values", f"column {kept.step.target}" if kept.step.target else ""),
        ("confidence", f"{kept.step.confidence:g}"),
        ("if unsure", kept.step.unsure),
        ("run", f"{view.run}, step {view.step}" if view.run is not None else ""),
        ("verdict", view.digest),
    ]
    return [(word, value) for word, value in found if value]


def _artifact(artifact: Artifact | None, path: str) -> str:
    return f"{artifact.path} ({artifact.digest[:SHORT]})" if artifact is not None else path


def next_steps(view: GateView) -> list[str]:
    """What to do now, for somebody who does not know gates."""
    kept = view.kept
    against = kept.champion is not None
    match kept.verdict.outcome:
        case "pass":
            return ["Nothing: the challenger may go on, and the steps behind the gate see to the rest."]
        case "fail":
            stay = f"{kept.champion} goes on serving" if against else "Nothing is put into production"
            return [f"{stay}. Train another challenger: what each check that failed asks for stands beside it."]
        case "unsure":
            label = "`headway gate label` writes the rows whose labels tell the models apart."
            held = {0: "It was let through all the same", 3: "It was refused for it"}.get(kept.exit_code, "It is held")
            advice = "measure on more rows, or accept the limit that is named beside an unsure check."
            return [f"{held}: {advice}", "`headway gate plan` says how many rows decide." + (f" {label}" * against)]
        case "error":
            return ["Mend what could not be measured and run again: nothing is known of the model yet."]
