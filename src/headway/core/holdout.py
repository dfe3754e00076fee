"""The ledger of a holdout: how often it was asked, what was shown, what is left; folded from the facts of its stream.

Decides whether one more ask is allowed and at which confidence; `flows/holdouts` reads and appends. Does not know what
a gate measures. What so many asks cost is `stats/reuse`'s business.
"""

import math
from typing import Annotated, Literal

from msgspec import Meta, Struct

from headway.core.facts import Entry, HoldoutAnswered, HoldoutAsked
from headway.core.ids import Digest
from headway.errors import HoldoutSpent
from headway.stats.power import rows_to_see
from headway.stats.reuse import confidence_of_ask

Reveal = Literal["verdict", "rounded", "all"]
"""What an ask shows: whether the model passed and nothing else; values rounded to their error; everything."""


class Reuse(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="kebab"):
    """How often a holdout may be asked, how often it may say yes, and what it shows."""

    budget: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Asks in all. It can shrink later, never grow. Default: 32.")
    ] = 32
    passes: Annotated[
        int, Meta(ge=1, description="Passes after which only who tunes nothing on it is promised anything. Default: 1.")
    ] = 1
    reveal: Annotated[
        Reveal,
        Meta(description="all: the numbers; rounded: to their error; verdict: passed or not, no more. Default: all."),
    ] = "all"


class Asking(Struct, frozen=True, kw_only=True):
    """What a gate wants to ask of a holdout.

    `question` is the digest of all that the answer depends on, `confidence` what was asked for all asks together, `key`
    the step's. Without `reuse` no budget is kept.
    """

    holdout: Digest
    path: str
    question: Digest
    key: str
    confidence: float
    reuse: Reuse | None = Reuse()
    by: str = ""


class Ask(Struct, frozen=True, kw_only=True):
    """An ask of the ledger; without an `answer` nothing was shown of it yet (somebody is at it, or was killed)."""

    claim: HoldoutAsked
    answer: HoldoutAnswered | None = None


class Asked(Struct, frozen=True, kw_only=True):
    """The ask that is to be answered, or was: with an `answer` nothing is measured. `promise` is told with it."""

    claim: HoldoutAsked
    promise: str
    answer: HoldoutAnswered | None = None


class Ledger:
    """All asks of one holdout, oldest first. Owned by one reader.

    The first budget that was given for a holdout stands: a later one can make less of it, never more. Asks without a
    budget have used the holdout too, and count.
    """

    __slots__ = ("_answers", "_claims", "holdout", "length")

    def __init__(self, holdout: Digest) -> None:
        self.holdout = holdout
        self.length = 0
        """Facts taken in: what the next append must expect."""
        self._claims: list[HoldoutAsked] = []
        self._answers: dict[int, HoldoutAnswered] = {}

    def after(self, entry: Entry) -> None:
        """Take in the next fact of this holdout's stream. The first answer to an ask stands."""
        self.length = entry.n
        match entry.fact:
            case HoldoutAsked() as claim:
                self._claims.append(claim)
            case HoldoutAnswered() as answer:
                self._answers.setdefault(answer.ask, answer)
            case _:
                pass

    # --- looking in ---------------------------------------------------------------------------------------------

    @property
    def asks(self) -> tuple[Ask, ...]:
        """All asks, oldest first."""
        return tuple(Ask(claim=claim, answer=self._answers.get(claim.ask)) for claim in self._claims)

    @property
    def n_asks(self) -> int:
        """How often it was asked; the same question asked again does not count."""
        return len(self._claims)

    @property
    def n_passes(self) -> int:
        """How often it let a model through."""
        return sum(answer.outcome == "pass" for answer in self._answers.values())

    @property
    def n_uncounted(self) -> int:
        """How often it was asked while no budget was kept."""
        return sum(claim.budget == 0 for claim in self._claims)

    @property
    def budget(self) -> int | None:
        """How often it may be asked in all: the least that was ever given; None while none was."""
        return min((claim.budget for claim in self._claims if claim.budget), default=None)

    @property
    def passes(self) -> int | None:
        """How often it may say yes: the least that was ever given; None while nothing was."""
        return min((claim.passes for claim in self._claims if claim.budget), default=None)

    @property
    def left(self) -> int | None:
        """How often it may still be asked; None while no budget was given."""
        return None if self.budget is None else max(self.budget - self.n_asks, 0)

    def find(self, question: Digest) -> Ask | None:
        """The ask that asked this very question, if one did."""
        return next((ask for ask in self.asks if ask.claim.question == question), None)

    def look(self, asking: Asking) -> Asked | None:
        """The answer that was given to this very question, if there is one; claims nothing.

        Raises what `claim` raises when it is a new question that may not be asked any more.
        """
        found = self.find(asking.question)
        if found is None:
            self.claim(asking)
        if found is None or found.answer is None:
            return None
        left = "" if self.left is None else f"; {self.left} of {self.budget} asks are left"
        told = f"holdout {found.claim.path}: the same was asked of it before by {found.claim.key}, whose answer stands"
        return Asked(claim=found.claim, answer=found.answer, promise=f"{told} and costs nothing{left}")

    # --- deciding -----------------------------------------------------------------------------------------------

    def claim(self, asking: Asking) -> HoldoutAsked:
        """The fact that claims one more ask.

        Raises HoldoutSpent when there is none left, Unmeasurable when the budget leaves each ask too little to pass.
        """
        reuse = asking.reuse
        if reuse is not None:
            budget = min(self.budget or reuse.budget, reuse.budget)
            if self.n_asks >= budget:
                raise self._spent(asking, budget)
        return HoldoutAsked(
            holdout=self.holdout,
            path=asking.path,
            ask=self.n_asks + 1,
            question=asking.question,
            key=asking.key,
            confidence=self.confidence(asking.confidence, reuse),
            budget=0 if reuse is None else reuse.budget,
            passes=0 if reuse is None else reuse.passes,
            by=asking.by,
        )

    def confidence(self, confidence: float, reuse: Reuse | None) -> float:
        """At which confidence an ask is decided, so that all of them together keep `confidence`.

        By the first budget that was given: what has been spent cannot be divided anew.
        """
        if reuse is None:
            return confidence
        asks, passes = self._first(reuse)
        return confidence_of_ask(confidence, asks, passes)

    def _first(self, reuse: Reuse) -> tuple[int, int]:
        return next(
            ((claim.budget, claim.passes) for claim in self._claims if claim.budget), (reuse.budget, reuse.passes)
        )

    def _spent(self, asking: Asking, budget: int) -> HoldoutSpent:
        assert asking.reuse is not None
        confidence = self.confidence(asking.confidence, asking.reuse)
        rows = " and ".join(
            f"{rows_to_see(points / 100, 0.1, confidence):,} to see a gain of {points} points" for points in (2, 3)
        )
        given = f"; a budget can only shrink, and {budget} was given" if budget < asking.reuse.budget else ""
        return HoldoutSpent(
            f"the holdout {asking.path} was asked {self.n_asks} of {budget} times, and may not be asked more{given}",
            at="reuse: budget",
            remedy=f"measure on fresh rows, whose budget is new: {rows}, where the models differ on a tenth of them",
        )

    # --- telling ------------------------------------------------------------------------------------------------

    def promise(self, ask: HoldoutAsked, asking: Asking) -> str:
        """What is promised of this ask, and for whom, in a sentence or two."""
        odds = f"{_plain((1 - asking.confidence) * 100)} times in 100"
        if asking.reuse is None:
            told = f"the holdout {asking.path} keeps no budget (reuse: none): {odds} holds for one question"
            return f"{told} alone, and this is number {ask.ask} that was asked of it"
        before = [one for one in self.asks if one.claim.ask < ask.ask]
        budget = min([self.budget or asking.reuse.budget, asking.reuse.budget])
        passes = min([self.passes or asking.reuse.passes, asking.reuse.passes])
        n_passed = sum(one.answer is not None and one.answer.outcome == "pass" for one in before)
        asks = max(self._first(asking.reuse)[0], 1)
        whom = _whom(before, n_passed, passes, asking.reuse.reveal)
        left = budget - ask.ask
        after = f"{left} left" if left > 0 else "now it is spent"
        passed = f", {n_passed} passed" if n_passed else ""
        level = _plain(ask.confidence * 100)
        return (
            f"holdout {asking.path}: ask {ask.ask} of {budget}{passed}, {after}. Decided at {level} %:"
            f" in all {asks} asks a model that breaks a check gets through at most {odds}{whom}"
        )


def _whom(before: list[Ask], n_passed: int, passes: int, reveal: Reveal) -> str:
    """For whom the promise holds: for anybody only as long as nothing but passed or not was ever shown."""
    shown = [one.answer.reveal for one in before if one.answer is not None]
    without = sum(one.claim.budget == 0 for one in before)
    untuned = ", if none was tuned on its answers"
    if without:
        return f"{untuned}; {without} more asks were made without a budget, which this does not cover"
    if n_passed >= passes:
        return f"{untuned}, for its passes are used up"
    if reveal != "verdict" or any(one != "verdict" for one in shown):
        return f"{untuned}, for they show numbers"
    return ", even if it was tuned on its answers"


def _plain(number: float) -> str:
    """A share of 100 with as many digits as tell it from 100.

    >>> _plain(95.0), _plain(99.84375), _plain(99.9998794)
    ('95', '99.844', '99.999879')
    """
    digits = 2 - min(math.floor(math.log10(100 - number)), 0) if number > 50 else 2
    return f"{number:.{max(digits, 2)}f}".rstrip("0").rstrip(".")
