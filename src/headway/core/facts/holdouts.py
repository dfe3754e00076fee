"""Facts of a holdout, the ledger of what was asked of it: stream `holdout/<digest>`."""

from typing import Literal

from headway.core.facts.shared import FactBase
from headway.core.ids import Digest


class HoldoutAsked(FactBase, frozen=True, kw_only=True):
    """A claim: a gate is about to ask this holdout. Written before anything is measured; `ask` counts from 1.

    `question` names all that the answer depends on, so that the same question is never asked twice; `key` is that of
    the step. `budget` and `passes` are what the file allowed then, 0 where it kept no budget; `confidence` is that at
    which this ask is decided.
    """

    holdout: Digest
    path: str
    ask: int
    question: Digest
    key: str
    confidence: float
    budget: int = 0
    passes: int = 0
    by: str = ""


class HoldoutAnswered(FactBase, frozen=True, kw_only=True):
    """What an ask revealed: the outcome, and in `verdict` (a blob) all that was shown of it.

    `answers` is a blob too: some of the rows and what the challenger answered to them, of which nothing was shown.
    """

    ask: int
    question: Digest
    outcome: Literal["pass", "fail", "unsure", "error"]
    reveal: Literal["verdict", "rounded", "all"]
    verdict: Digest
    answers: Digest | None = None
