"""Writing the ledger of a holdout beside others, and killed between the claim and the answer."""

from collections.abc import Iterator, Sequence

import pytest
from msgspec.structs import replace

from headway.backends import connect
from headway.core.facts import Entry, Fact, HoldoutAnswered, HoldoutAsked
from headway.core.holdout import Asking, Reuse
from headway.core.ids import Digest
from headway.errors import AppendConflict, HoldoutSpent
from headway.flows import holdouts
from headway.ports import Log

HOLDOUT = Digest("a" * 64)


def asking(question: str, budget: int = 32) -> Asking:
    return Asking(
        holdout=HOLDOUT,
        path="h.csv",
        question=Digest(question),
        key=f"run/{question}/gate",
        confidence=0.95,
        reuse=Reuse(budget=budget),
    )


def answered(claim: HoldoutAsked, verdict: str = "d") -> HoldoutAnswered:
    return HoldoutAnswered(
        ask=claim.ask, question=claim.question, outcome="pass", reveal="all", verdict=Digest(verdict)
    )


@pytest.fixture
def log() -> Log:
    return connect("log", "memory:")  # type: ignore[return-value] # connect answers by name


def kinds(log: Log) -> list[str]:
    return [type(entry.fact).__name__ for entry in log.read(f"holdout/{HOLDOUT}")]


def test_a_question_is_claimed_once_and_answered_once(log: Log) -> None:
    first = holdouts.ask(log, asking("q"), now=1.0)
    assert first.answer is None
    again = holdouts.ask(log, asking("q"), now=2.0)
    assert (again.claim, again.answer) == (first.claim, None)
    stands = holdouts.answer(log, first.claim, answered(first.claim), now=3.0)
    assert holdouts.answer(log, first.claim, answered(first.claim, "e"), now=4.0) == stands
    kept = holdouts.ask(log, asking("q"), now=5.0)
    assert kept.answer == stands
    assert "before by run/q/gate, whose answer stands and costs nothing; 31 of 32 asks are left" in kept.promise
    assert kinds(log) == ["HoldoutAsked", "HoldoutAnswered"]


def test_a_spent_holdout_still_gives_its_old_answers(log: Log) -> None:
    claim = holdouts.ask(log, asking("q", budget=1), now=1.0).claim
    holdouts.answer(log, claim, answered(claim), now=1.0)
    with pytest.raises(HoldoutSpent):
        holdouts.ask(log, asking("other", budget=1), now=2.0)
    assert holdouts.ask(log, asking("q", budget=1), now=3.0).answer is not None


def test_other_rows_at_the_same_path_have_a_budget_of_their_own_and_are_told_of(log: Log) -> None:
    holdouts.ask(log, asking("q"), now=1.0)
    fresh = replace(asking("q"), holdout=Digest("b" * 64))
    asked = holdouts.ask(log, fresh, now=2.0)
    assert asked.claim.ask == 1
    assert "What lay at h.csv before was asked 1 time: rows that are still there are not fresh" in asked.promise
    assert "What lay" not in holdouts.ask(log, replace(fresh, path="other.csv", question=Digest("r")), now=3.0).promise
    assert holdouts.read(log, HOLDOUT).left == 31


class Overtaken:
    """A log to which somebody else appends just before us, once."""

    def __init__(self, log: Log, rival: Sequence[Fact]) -> None:
        self._log = log
        self._rival = list(rival)
        self.conflicts = 0

    def append(self, stream: str, facts: Sequence[Fact], *, expect: int, at: float) -> int:
        if self._rival:
            rival, self._rival = self._rival, []
            self._log.append(stream, rival, expect=expect, at=at)
        try:
            return self._log.append(stream, facts, expect=expect, at=at)
        except AppendConflict:
            self.conflicts += 1
            raise

    def read(self, stream: str, *, after: int = 0) -> list[Entry]:
        return self._log.read(stream, after=after)

    def scan(self, kinds: Sequence[str]) -> Iterator[Entry]:
        return self._log.scan(kinds)

    def sync(self) -> None:
        self._log.sync()


def claim_of(question: str, ask: int) -> HoldoutAsked:
    return HoldoutAsked(
        holdout=HOLDOUT,
        path="h.csv",
        ask=ask,
        question=Digest(question),
        key="run/9/gate",
        confidence=1 - 0.05 / 32,
        budget=32,
        passes=1,
    )


def test_of_two_gates_at_once_each_gets_an_ask_of_its_own(log: Log) -> None:
    overtaken = Overtaken(log, [claim_of("theirs", 1)])
    asked = holdouts.ask(overtaken, asking("ours"), now=1.0)  # type: ignore[arg-type] # all of a log that is used
    assert (asked.claim.ask, overtaken.conflicts) == (2, 1)


def test_of_two_gates_at_once_only_one_gets_the_last_ask(log: Log) -> None:
    overtaken = Overtaken(log, [claim_of("theirs", 1)])
    with pytest.raises(HoldoutSpent):
        holdouts.ask(overtaken, asking("ours", budget=1), now=1.0)  # type: ignore[arg-type] # as above
    assert kinds(log) == ["HoldoutAsked"]


def test_two_gates_with_one_question_share_the_ask_and_the_first_answer(log: Log) -> None:
    theirs = claim_of("q", 1)
    asked = holdouts.ask(Overtaken(log, [theirs]), asking("q"), now=1.0)  # type: ignore[arg-type] # as above
    assert asked.claim == theirs
    overtaken = Overtaken(log, [answered(theirs, "theirs")])
    stands = holdouts.answer(overtaken, asked.claim, answered(asked.claim, "ours"), now=2.0)  # type: ignore[arg-type] # as above
    assert stands.verdict == "theirs"
    assert kinds(log) == ["HoldoutAsked", "HoldoutAnswered"]
