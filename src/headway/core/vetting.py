"""Whether a version may be released, and what is wrong with one that was started: nothing untested ships.

Decides only: `flows/vetting` reads verdicts, asks the started version, and calls this. Neighbours: `golden` judges what
a person wants answered, `kept_answers` holds a server to what the model answered before.
"""

from collections.abc import Collection, Sequence
from statistics import median
from typing import Any

from headway.core.facts import GoldenAnswered
from headway.core.gate_kept import KeptGate, is_about
from headway.core.golden import GoldenReply, GoldenRequest
from headway.core.ids import SHORT, Digest
from headway.core.kept_answers import BY, is_same_label
from headway.core.keyed import duration
from headway.core.signature import LABEL, Kind, Signature

ASKS = 5
"""How often a request is asked whose time counts: of so many the median is told, so that two slow moments of a machine
fail nothing."""

MOST_TOLD = 5
"""Faults that are told one by one."""


def doubt(kept: KeptGate | None, content: Digest) -> str:
    """Why a gate's record is no passing verdict on this content; empty when it is one. None: it is no gate's.

    >>> doubt(None, Digest("d"))
    'what was recorded as its verdict is no record of a gate'
    """
    if kept is None:
        return "what was recorded as its verdict is no record of a gate"
    if kept.challenger is None:
        return "its verdict does not say what it judged"
    if not is_about(kept, content):
        other = f"{kept.challenger.path} ({kept.challenger.digest[:SHORT]})"
        return f"its verdict is about other content, {other}, and it holds {content[:SHORT]}"
    said = kept.verdict
    if said.outcome == "pass":
        return ""
    through = " and let it through" if not kept.exit_code else ""
    return f"its gate said {said.outcome}{through}: {said.why}"


def may_override(by: str, named: Collection[str] | None) -> bool:
    """Whether somebody may release what no gate let pass: anybody who can, unless some are named.

    >>> may_override("bob", None), may_override("bob", ("alice",)), may_override("alice", ("alice",))
    (True, False, True)
    """
    return named is None or by in named


def broken_promise(signature: Signature, reply: GoldenReply) -> str:
    """In which way an answer is not what the registered signature promises; empty when it is.

    >>> broken_promise(Signature(classes=("no", "yes")), GoldenReply(predictions=["no"]))
    'answered without the classes no, yes, which the registered signature promises'
    """
    promised, given = signature.classes, reply.classes or []
    if promised and not (len(promised) == len(given) and all(map(is_same_label, promised, given))):
        named, instead = ", ".join(map(str, promised)), ", ".join(map(str, given))
        told = f"with the classes {instead}, and not {named}" if given else f"without the classes {named}"
        return f"answered {told}, which the registered signature promises"
    if promised and any(len(row) != len(promised) for row in reply.probabilities or [[]]):
        return f"answered without a probability for each of {len(promised)} classes"
    kind = next((one.kind for one in signature.outputs if one.name == LABEL), None)
    other = next((value for value in reply.predictions if not _is_of(value, kind)), None)
    if kind is None or other is None:
        return ""
    return f"answered {other!r}, which is no {kind}, as the registered signature promises"


# Any: a label.
def _is_of(value: Any, kind: Kind | None) -> bool:  # noqa: ANN401 (as above)
    """Whether a label is of a kind; a gap is judged elsewhere, and each of several outputs is looked at."""
    if kind is None or value is None:
        return True
    if isinstance(value, list):
        return all(_is_of(one, kind) for one in value)
    if kind == "BYTES":
        return isinstance(value, str)
    is_number = isinstance(value, int | float)
    return is_number and (kind[0] == "F" or float(value).is_integer())


def bound_of(asked: GoldenRequest, within_ms: float) -> float:
    """How long a request may take: what it says itself, or what holds for all; 0: as long as it likes."""
    return within_ms if asked.within_ms is None else asked.within_ms


def late(taken_ms: Sequence[float], bound_ms: float) -> str:
    """What is told of a request whose median time lies above the bound; empty when it does not.

    >>> late([12.0, 90.0, 11.0], 50), late([12.0, 60.0, 61.0], 50)
    ('', 'took 60 ms (the median of 3), and may take 50')
    """
    typical = median(taken_ms)
    if not bound_ms or typical <= bound_ms:
        return ""
    return f"took {typical:.3g} ms (the median of {len(taken_ms)}), and may take {bound_ms:g}"


# Any: `golden-within:` as a person wrote it.
def read_within(value: Any) -> float | None:  # noqa: ANN401 (as above)
    """Milliseconds of a bound as people write it, `50ms` or a number of seconds; None when it is none.

    >>> read_within("50ms"), read_within(2), read_within("soon"), read_within(0)
    (50.0, 2000.0, None, None)
    """
    seconds = duration(value)
    return seconds * 1000 if seconds else None


def refusal(golden: GoldenAnswered) -> tuple[str, str]:
    """What was wrong with the answers of a started version, and what to do about it."""
    if not golden.n_wrong:
        return answered_otherwise(golden)
    more = "" if golden.n_wrong <= len(golden.wrong) else " …"
    told = "; ".join(golden.wrong)
    problem = f"{golden.n_wrong} of {golden.n_requests} golden requests were answered wrongly: {told}{more}"
    return problem, "mend the model, or the golden requests if they are wrong"


def answered_otherwise(golden: GoldenAnswered) -> tuple[str, str]:
    """What was found when the started version was asked the rows of before, and where to look."""
    where = BY.get(golden.compared_by, "before")
    more = " …" * (golden.n_unlike > len(golden.unlike))
    problem = f"{golden.n_unlike} of {golden.n_compared} rows are answered otherwise than {where}"
    remedy = (
        "look at what differs where it was started: versions of libraries (`headway models show` has those it was made"
        " with), code of the project that the model uses, or answers that are never twice the same"
    )
    return f"{problem}: {'; '.join(golden.unlike)}{more}", remedy


def compared(golden: GoldenAnswered) -> str:
    """What is told of a version whose answers were compared and are the same, or why they were not; maybe nothing.

    >>> compared(GoldenAnswered(release=1, n_requests=0, n_compared=256, compared_by="gate"))
    '256 rows answered as at its gate'
    """
    if golden.n_compared:
        return f"{golden.n_compared} rows answered as {BY.get(golden.compared_by, 'before')}"
    return f"its answers were not compared: {golden.not_compared}" if golden.not_compared else ""
