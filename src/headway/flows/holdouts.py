"""The ledgers of holdouts: a claim before anything is measured, and what was shown afterwards; each harmless twice.

`core/holdout` decides whether one more ask is allowed; here it is written, against whoever asks at the same time. The
same question finds its ask again: answered, its answer stands; claimed by somebody who was killed, it is finished.
"""

from headway.core.facts import HoldoutAnswered, HoldoutAsked
from headway.core.holdout import Asked, Asking, Ledger
from headway.core.ids import Digest
from headway.errors import AppendConflict
from headway.ports import Log


def read(log: Log, holdout: Digest) -> Ledger:
    """The ledger of the holdout that has this digest; an empty one when nobody ever asked it."""
    ledger = Ledger(holdout)
    for entry in log.read(_stream(holdout)):
        ledger.after(entry)
    return ledger


def ask(log: Log, asking: Asking, *, now: float) -> Asked:
    """Claim an ask, durably, or find the one of the same question. Raises HoldoutSpent, Unmeasurable."""
    while True:
        ledger = read(log, asking.holdout)
        if (answered := ledger.look(asking)) is not None:
            return answered
        found = ledger.find(asking.question)
        if found is not None:
            return Asked(claim=found.claim, promise=ledger.promise(found.claim, asking) + _others(log, asking))
        claim = ledger.claim(asking)
        try:
            log.append(_stream(asking.holdout), [claim], expect=ledger.length, at=now)
        except AppendConflict:
            # Somebody asked in between: that may have been the last ask, or this very question.
            continue
        # What is shown must not be forgotten by a loss of power.
        log.sync()
        return Asked(claim=claim, promise=ledger.promise(claim, asking) + _others(log, asking))


def answer(log: Log, claim: HoldoutAsked, answered: HoldoutAnswered, *, now: float) -> HoldoutAnswered:
    """Write what an ask showed; if it was answered by somebody else meanwhile, that answer stands and is returned."""
    while True:
        ledger = read(log, claim.holdout)
        found = ledger.find(claim.question)
        if found is not None and found.answer is not None:
            return found.answer
        try:
            log.append(_stream(claim.holdout), [answered], expect=ledger.length, at=now)
        except AppendConflict:
            continue
        log.sync()
        return answered


def _others(log: Log, asking: Asking) -> str:
    """What is said where other rows lay at the same path before: rows of theirs that are still there are not fresh."""
    claims = [entry.fact for entry in log.scan(("HoldoutAsked",))]
    n = sum(
        isinstance(claim, HoldoutAsked) and claim.path == asking.path and claim.holdout != asking.holdout
        for claim in claims
    )
    if not n:
        return ""
    times = f"{n} time{'s' * (n != 1)}"
    return f". What lay at {asking.path} before was asked {times}: rows that are still there are not fresh"


def _stream(holdout: Digest) -> str:
    return f"holdout/{holdout}"
