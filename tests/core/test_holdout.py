"""What the ledger of a holdout allows, at which confidence, and for whom it promises anything."""

import pytest

from headway.core.facts import Entry, Fact, HoldoutAnswered, HoldoutAsked
from headway.core.holdout import Asking, Ledger, Reuse, Reveal
from headway.core.ids import Digest
from headway.errors import HoldoutSpent, Unmeasurable

HOLDOUT = Digest("a" * 64)
DEFAULT = Reuse()


def asking(question: str, reuse: Reuse | None = DEFAULT, confidence: float = 0.95) -> Asking:
    return Asking(
        holdout=HOLDOUT,
        path="data/h.csv",
        question=Digest(question),
        key=f"run/{question}/gate",
        confidence=confidence,
        reuse=reuse,
    )


class Told:
    """A ledger and its stream: what is decided is taken in at once."""

    def __init__(self) -> None:
        self.ledger = Ledger(HOLDOUT)
        self.facts: list[Fact] = []

    def ask(self, question: str, outcome: str = "fail", reuse: Reuse | None = DEFAULT) -> HoldoutAsked:
        claim = self.ledger.claim(asking(question, reuse))
        self.take(claim)
        reveal: Reveal = "all" if reuse is None else reuse.reveal
        self.take(
            HoldoutAnswered(
                ask=claim.ask,
                question=claim.question,
                outcome=outcome,  # type: ignore[arg-type] # one of the outcomes
                reveal=reveal,
                verdict=Digest("d"),
            )
        )
        return claim

    def take(self, fact: Fact) -> None:
        self.facts.append(fact)
        n = len(self.facts)
        self.ledger.after(Entry(seq=n, stream=f"holdout/{HOLDOUT}", n=n, at=float(n), fact=fact))

    def promise(self, question: str, reuse: Reuse | None = DEFAULT) -> str:
        asked = asking(question, reuse)
        return self.ledger.promise(self.ledger.claim(asked), asked)


def test_each_ask_is_decided_at_its_share_of_what_was_asked_for() -> None:
    told = Told()
    claims = [told.ask(str(n)) for n in range(3)]
    assert [claim.ask for claim in claims] == [1, 2, 3]
    assert {claim.confidence for claim in claims} == {1 - 0.05 / 32}
    assert (told.ledger.n_asks, told.ledger.n_passes, told.ledger.left) == (3, 0, 29)
    assert told.ledger.claim(asking("q", Reuse(budget=32, passes=4))).confidence == claims[0].confidence
    assert 1 - Ledger(HOLDOUT).claim(asking("q", Reuse(passes=4))).confidence == pytest.approx(0.05 / 41_448, rel=1e-9)


def test_a_spent_budget_asks_for_fresh_rows() -> None:
    told = Told()
    for n in range(2):
        told.ask(str(n), reuse=Reuse(budget=2))
    with pytest.raises(HoldoutSpent, match=r"h\.csv was asked 2 of 2 times") as raised:
        told.ledger.claim(asking("2", Reuse(budget=2)))
    assert "fresh rows" in raised.value.remedy
    assert told.ledger.left == 0


def test_how_many_fresh_rows_it_takes_is_what_the_textbook_says() -> None:
    told = Told()
    for n in range(32):
        told.ask(str(n))
    with pytest.raises(HoldoutSpent) as raised:
        told.ledger.claim(asking("q"))
    assert "3,601 to see a gain of 2 points and 1,599 to see a gain of 3 points" in raised.value.remedy


def test_a_budget_can_shrink_and_never_grow() -> None:
    told = Told()
    told.ask("0", reuse=Reuse(budget=3))
    assert told.ledger.left == 2
    grown = told.ledger.claim(asking("1", Reuse(budget=1000)))
    assert grown.confidence == 1 - 0.05 / 3
    told.ask("1", reuse=Reuse(budget=1000))
    assert (told.ledger.budget, told.ledger.left) == (3, 1)
    with pytest.raises(HoldoutSpent, match="asked 2 of 2 times"):
        told.ledger.claim(asking("2", Reuse(budget=2)))
    # What was spent at a third of alpha cannot be divided anew by 1.
    told = Told()
    told.ask("0", reuse=Reuse(budget=3))
    assert told.ask("1", reuse=Reuse(budget=2)).confidence == 1 - 0.05 / 3
    with pytest.raises(HoldoutSpent, match=r"a budget can only shrink, and 2 was given"):
        told.ledger.claim(asking("2", Reuse(budget=3)))


def test_asks_without_a_budget_have_used_the_holdout_too() -> None:
    told = Told()
    for n in range(3):
        assert told.ask(str(n), reuse=None).confidence == 0.95
    assert (told.ledger.n_uncounted, told.ledger.left) == (3, None)
    with pytest.raises(HoldoutSpent):
        told.ledger.claim(asking("3", Reuse(budget=3)))
    assert "3 more asks were made without a budget" in told.promise("3", Reuse(budget=4))


def test_the_same_question_is_found_again_and_its_first_answer_stands() -> None:
    told = Told()
    claim = told.ask("0", outcome="unsure")
    told.take(HoldoutAnswered(ask=1, question=claim.question, outcome="pass", reveal="all", verdict=Digest("e")))
    found = told.ledger.find(claim.question)
    assert found is not None
    assert found.answer is not None
    assert (found.claim, found.answer.outcome, told.ledger.n_passes) == (claim, "unsure", 0)
    assert told.ledger.find(Digest("other")) is None


@pytest.mark.parametrize(
    ("before", "reuse", "said"),
    [
        ([], Reuse(reveal="verdict"), "even if it was tuned on its answers"),
        (["fail"], Reuse(reveal="verdict"), "even if it was tuned on its answers"),
        (["pass"], Reuse(reveal="verdict"), "if none was tuned on its answers, for its passes are used up"),
        (["pass"], Reuse(reveal="verdict", passes=2), "even if it was tuned on its answers"),
        ([], Reuse(reveal="all"), "if none was tuned on its answers, for they show numbers"),
        ([], Reuse(reveal="rounded"), "if none was tuned on its answers, for they show numbers"),
        ([], None, "holds for one question alone"),
    ],
    ids=["first", "after a fail", "after its pass", "one of two passes", "numbers", "rounded", "no budget"],
)
def test_the_promise_says_for_whom_it_holds(before: list[str], reuse: Reuse | None, said: str) -> None:
    told = Told()
    for n, outcome in enumerate(before):
        told.ask(str(n), outcome, reuse)
    assert said in told.promise("q", reuse)


def test_numbers_that_were_shown_once_stay_known() -> None:
    told = Told()
    told.ask("0", reuse=Reuse(reveal="all"))
    assert "if none was tuned" in told.promise("1", Reuse(reveal="verdict"))


def test_a_budget_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(Unmeasurable, match="nothing could pass"):
        Ledger(HOLDOUT).claim(asking("q", Reuse(budget=1000, passes=1000)))
