"""Verdicts as a gate's step keeps them, for tests of what lies behind a gate: a version without one is not released.

artifact = trial.bench().artifact("model.pkl")
trial.task = replace(trial.task, values={"gate": {"verdict": kept_verdict(trial.parts.blobs, artifact)}})
trial.run("register", {"model": "model.pkl", "name": "churn"})
"""

import msgspec

from headway.core.check import Evidence
from headway.core.check_grammar import parse_check
from headway.core.gate import conclude, judge
from headway.core.gate_kept import Asked, KeptGate
from headway.core.ids import Artifact, Digest
from headway.core.kept_answers import KeptAnswers
from headway.ports import Blobs

CHECK = "new.accuracy >= 0.8"


def kept_verdict(
    blobs: Blobs, artifact: Artifact, *, accuracy: float = 0.9, answers: KeptAnswers | None = None, exit_code: int = 0
) -> Digest:
    """Keep a gate's record on this content: it passes above 0.85, fails below 0.75, and is unsure between.

    `answers` are kept with it, as the gate of a model that ran does.
    """
    check = parse_check(CHECK)
    evidence = Evidence(
        metric=check.metric,
        estimate=accuracy,
        low=accuracy - 0.05,
        high=accuracy + 0.05,
        n_rows=1000,
        method="Wilson",
        confidence=0.95,
    )
    kept = KeptGate(
        verdict=conclude([judge(check, evidence)]),
        step=Asked(challenger=artifact.path, data="holdout.csv", target="churned"),
        challenger=artifact,
        exit_code=exit_code,
        answers=None if answers is None else blobs.put(msgspec.json.encode(answers)),
    )
    return blobs.put(msgspec.json.encode(kept))
