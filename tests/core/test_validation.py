import pytest

from headway.core.validation import DataCheck, Finding, NotNull, Outcome, Severity, Tolerance, conclude


@pytest.mark.parametrize(
    ("tolerance", "n_bad", "n_rows", "allowed"),
    [
        (Tolerance(), 0, 10, True),
        (Tolerance(), 1, 10, False),
        (Tolerance(count=3), 3, 10, True),
        (Tolerance(count=3), 4, 10, False),
        (Tolerance(share=0.5), 5, 10, True),
        (Tolerance(share=0.5), 6, 10, False),
        (Tolerance(share=0.1, count=2), 2, 10, True),
        (Tolerance(share=0.1), 0, 0, True),
        (Tolerance(share=0.29), 29, 100, True),
        (Tolerance(share=0.29), 30, 100, False),
    ],
)
def test_a_tolerance_is_a_share_or_a_count(tolerance: Tolerance, n_bad: int, n_rows: int, allowed: bool) -> None:
    assert tolerance.allows(n_bad, n_rows) is allowed


def _finding(outcome: Outcome, severity: Severity = "error") -> Finding:
    return Finding(check=DataCheck(asks=NotNull(), columns=("a",), severity=severity), outcome=outcome, why="")


@pytest.mark.parametrize(
    ("findings", "outcome", "why"),
    [
        ([], "pass", "all 0 checks hold"),
        ([_finding("pass")], "pass", "the one check holds"),
        ([_finding("pass"), _finding("not-applicable")], "pass", "the one check holds"),
        ([_finding("pass"), _finding("fail")], "fail", "1 of 2 checks failed"),
        ([_finding("error"), _finding("pass")], "error", "1 could not be measured"),
        ([_finding("error"), _finding("fail")], "fail", "1 of 2 checks failed, 1 could not be measured"),
        ([_finding("fail", "warn"), _finding("pass")], "warn", "1 warns"),
        ([_finding("fail", "warn"), _finding("error", "warn")], "warn", "2 warn"),
        ([_finding("fail", "warn"), _finding("fail")], "fail", "1 of 2 checks failed, 1 warns"),
    ],
)
def test_a_verdict_is_as_bad_as_the_worst_serious_finding(findings: list[Finding], outcome: str, why: str) -> None:
    verdict = conclude(findings, 10)
    assert (verdict.outcome, verdict.why) == (outcome, why)
    assert verdict.is_sound is (outcome in ("pass", "warn"))
