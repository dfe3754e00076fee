"""A gate that is wrong in one place is caught: each fault is built into a copy of the source, and its tests must fail.

What is broken here is what would let a worse model through without anybody noticing: a model compared with itself, new
and old swapped, a correction or a budget left out, a bound on the wrong side.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import headway
from headway import config

SOURCE = Path(headway.__file__).parent
TESTS = Path(__file__).parent.parent

GATE = ("core/test_gate.py", "core/test_gate_slices.py", "core/test_gate_evidence.py", "steps/test_gate.py")
LEDGER = ("core/test_holdout.py", "stats/test_reuse.py")
STATS = ("stats/test_compare.py", "stats/test_metrics.py", "stats/test_interval.py", "stats/test_metrics_rows.py")


class Mutant(NamedTuple):
    """A fault: in a file, a text that stands there once, what stands there instead, and who must notice."""

    file: str
    before: str
    after: str
    tests: tuple[str, ...]


MUTANTS = {
    "the new model is compared with itself": Mutant(
        "core/gate_evidence.py", "old = material.old if check.compares else None",
        "old = material.new if check.compares else None", GATE,
    ),
    "new and old are swapped": Mutant(
        "stats/metrics_shares.py", "ours, theirs = hits(rows, new), hits(rows, old)",
        "ours, theirs = hits(rows, old), hits(rows, new)", (*STATS, *GATE),
    ),
    "gains count as losses": Mutant(
        "stats/compare.py", "gained = int(np.count_nonzero(new_right & ~old_right))",
        "gained = int(np.count_nonzero(old_right & ~new_right))", STATS,
    ),
    "the correction for continuity is dropped": Mutant(
        "stats/compare.py", "return _score_interval(pairs, level, step=1.0)",
        "return _score_interval(pairs, level, step=0.0)", STATS,
    ),
    "one side of the interval is forgotten": Mutant(
        "stats/compare.py", "low=_lowest(pairs, z, step), high=-_lowest(mirrored, z, step)",
        "low=_lowest(pairs, z, step), high=-_lowest(mirrored, z / 2, step)", STATS,
    ),
    "a confidence is taken for a two-sided level": Mutant(
        "stats/metrics.py", "level = 2 * confidence - 1", "level = confidence", STATS,
    ),
    "an exact bound is a tail too tight": Mutant(
        "stats/interval.py", "tail = (1 - level) / 2\n    low = 0.0 if hits == 0",
        "tail = 1 - level\n    low = 0.0 if hits == 0", STATS,
    ),
    "the estimate decides, not its range": Mutant(
        "core/gate.py", "low = -math.inf if evidence.low is None else evidence.low", "low = evidence.estimate", GATE,
    ),
    "an unknown bound is taken for a good one": Mutant(
        "core/gate.py", "low = -math.inf if evidence.low is None else evidence.low",
        "low = math.inf if evidence.low is None else evidence.low", GATE,
    ),
    "a limit that is touched is passed": Mutant(
        "core/gate.py", '">": (low > limit, high <= limit)', '">": (low >= limit, high < limit)', GATE,
    ),
    "within looks at one end only": Mutant(
        "core/gate.py", "limit - reach <= low and high <= limit + reach", "limit - reach <= low", GATE,
    ),
    "a fail is outvoted": Mutant(
        "core/gate.py", '("error", "fail", "unsure", "pass")', '("error", "unsure", "fail", "pass")', GATE,
    ),
    "an error is passed over": Mutant(
        "core/gate.py", '("error", "fail", "unsure", "pass")', '("fail", "unsure", "pass", "error")', GATE,
    ),
    "unsure lets through": Mutant(
        "core/gate.py", '{"hold": 6, "fail": 3, "pass": 0}[unsure]', '{"hold": 0, "fail": 3, "pass": 0}[unsure]', GATE,
    ),
    "slices are not corrected for": Mutant(
        "core/gate_slices.py", '"holm": _holm', '"holm": _not_at_all', GATE,
    ),
    "Holm's first step is skipped": Mutant(
        "core/gate_slices.py", "broken_at(open_ones, alpha / (n_slices - n_rejected))", "broken_at(open_ones, alpha)",
        GATE,
    ),
    "small slices count among the corrected": Mutant(
        "core/gate_slices.py", "suspects, len(large), 1 - confidence", "suspects, len(parts), 1 - confidence", GATE,
    ),
    "a slice that is broken does not veto": Mutant(
        "core/gate_slices.py", 'if "fail" in outcomes:', 'if outcomes == {"fail"}:', GATE,
    ),
    "one proven slice proves all": Mutant(
        "core/gate_slices.py", 'if outcomes == {"pass"}', 'if "pass" in outcomes', GATE,
    ),
    "the budget is not divided": Mutant(
        "stats/reuse.py", "return 1 - alpha / n_nodes", "return confidence", LEDGER,
    ),
    "histories with two passes are left out": Mutant(
        "stats/reuse.py", "for j in range(1, min(passes, asks) + 1):", "for j in range(1, 2):", LEDGER,
    ),
    "an ask is decided as if it were the only one": Mutant(
        "core/holdout.py", "return confidence_of_ask(confidence, asks, passes)", "return confidence", (*LEDGER, *GATE),
    ),
    "the ledger is not asked before": Mutant(
        "core/holdout.py", "if self.n_asks >= budget:", "if False:", LEDGER,
    ),
    "a budget may grow": Mutant(
        "core/holdout.py", "budget = min(self.budget or reuse.budget, reuse.budget)", "budget = reuse.budget", LEDGER,
    ),
    "asks without a budget are not counted": Mutant(
        "core/holdout.py", "return len(self._claims)", "return sum(claim.budget > 0 for claim in self._claims)", LEDGER,
    ),
    "the step measures at the file's confidence": Mutant(
        "steps/gate.py", "        asked.claim.confidence,\n", "        step.confidence,\n", GATE,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    shutil.copytree(SOURCE, folder / "headway", ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def outcome_of(copy: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run tests against the copy."""
    names = [str(TESTS / name) for name in tests]
    options = ["-q", "-x", "-n0", "-p", "no:cacheprovider", "-m", "not slow"]
    environ = {**config.load().environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    environ.pop("PYTEST_XDIST_WORKER", None)
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *names],
        cwd=TESTS.parent, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_copy_itself_is_sound(copy: Path) -> None:
    ended = outcome_of(copy, tuple(dict.fromkeys((*GATE, *LEDGER, *STATS))))
    assert ended.returncode == 0, ended.stdout[-3000:]


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", MUTANTS)
def test_a_gate_with_this_fault_is_caught(name: str, copy: Path) -> None:
    file, before, after, tests = MUTANTS[name]
    path = copy / "headway" / file
    sound = path.read_text()
    assert sound.count(before) == 1, f"{file} does not hold once: {before}"
    path.write_text(sound.replace(before, after))
    try:
        ended = outcome_of(copy, tests)
    finally:
        path.write_text(sound)
    assert ended.returncode == 1, f"nobody noticed that {name}"
    assert " failed" in ended.stdout, ended.stdout[-3000:]
