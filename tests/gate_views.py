"""Verdicts for tests of what is drawn of them: judged by the gate's own rules on evidence that is made up."""

from msgspec.structs import replace

from headway.core.check import Check, Evidence
from headway.core.check_grammar import parse_check
from headway.core.gate import CheckVerdict, SliceVerdict, conclude, exit_code, judge, side, unmeasured, without_champion
from headway.core.gate_kept import Asked, GateView, KeptGate
from headway.core.ids import Artifact, Digest, RunId
from headway.errors import Unmeasurable

_WHY = {
    "pass": "must be at least 80 %: it is 84.1 %, range 82.4 to 85.7 (2,000 rows). A model that breaks this rule gets "
    "through at most 5 times in 100.",
    "fail": "must fall: it moved by +0.0210. Keep the champion, or train a better challenger.",
    "unsure": "may not fall by more than 2 points: it moved by -1.0 points, range -3.5 to +1.4. About 5,300 more rows "
    "would decide it 4 times in 5.",
}


def evidence(check: Check, *, estimate: float, low: float | None, high: float | None, n_rows: int) -> Evidence:
    return Evidence(
        metric=check.metric, estimate=estimate, low=low, high=high, n_rows=n_rows, method="Tango", confidence=0.95,
        n_differ=n_rows // 10 if check.compares else None, spread=0.3,
    )  # fmt: skip


def judged(text: str, estimate: float, low: float | None, high: float | None, n_rows: int = 2000) -> CheckVerdict:
    check = parse_check(text)
    found = judge(check, evidence(check, estimate=estimate, low=low, high=high, n_rows=n_rows))
    # How it is told is tested elsewhere, and what is drawn must not change with it.
    return replace(found, why=f"{check.metric} {_WHY[found.outcome]}")


def sliced(verdict: CheckVerdict, values: dict[str, tuple[float, int]]) -> CheckVerdict:
    """The verdict with slices of such estimates and numbers of rows; of fewer than 30 rows they are small."""
    parts = []
    for name, (estimate, n_rows) in values.items():
        half = 1 / n_rows**0.5
        found = evidence(verdict.check, estimate=estimate, low=estimate - half, high=estimate + half, n_rows=n_rows)
        outcome = side(verdict.check, found) if n_rows >= 30 else "small"
        parts.append(SliceVerdict(name=name, outcome=outcome, why=f"{name}: {outcome}", evidence=found))
    return replace(verdict, slices=tuple(parts))


GOOD = judged("new.accuracy >= 0.8", 0.841, 0.824, 0.857)
OPEN = judged("new.recall - old.recall > -0.02", -0.01, -0.035, 0.014, 310)
BAD = judged("new.log_loss - old.log_loss < 0", 0.021, 0.012, 0.03)
UNBOUNDED = judged("new.auc >= 0.9", 0.87, None, None, 20)
HALF = judged("new.mae <= 12.5", 11.2, None, 13.0)
BROKEN = unmeasured(parse_check("new.precision >= 0.5"), Unmeasurable("none is positive", at="data", remedy="add some"))
APART = without_champion(parse_check("new.f1 - old.f1 > -0.01"))
ALL = (GOOD, OPEN, BAD, UNBOUNDED, HALF, BROKEN, APART)
SLICED = sliced(
    OPEN,
    {"region=south": (-0.1, 4000), "region=north": (-0.05, 400), "region=东京": (0.0, 20), "region=east": (0.1, 4000)},
)


def view(*checks: CheckVerdict, promise: str = "") -> GateView:
    verdict = replace(conclude(checks), promise=promise)
    return GateView(
        digest=Digest("ab" * 32),
        run=RunId(12),
        step="gate",
        asked="31 times, 1 of 32 left",
        kept=KeptGate(
            verdict=verdict,
            step=Asked(challenger="models/model.pkl", champion="churn@champion", target="churned"),
            champion="churn@7",
            challenger=Artifact(path="models/model.pkl", digest=Digest("cd" * 32)),
            data=Artifact(path="data/holdout.csv", digest=Digest("ef" * 32)),
            exit_code=exit_code(verdict.outcome, "hold"),
        ),
    )
