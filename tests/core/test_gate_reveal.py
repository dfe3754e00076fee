"""What is shown of a verdict, and that nothing else can be read out of what is kept."""

import msgspec
import pytest

from headway.core.check import Evidence
from headway.core.check_grammar import parse_check
from headway.core.gate import CheckVerdict, SliceVerdict, Verdict, conclude
from headway.core.gate_reveal import revealed


def evidence(estimate: float) -> Evidence:
    return Evidence(
        metric="accuracy",
        estimate=estimate,
        low=estimate - 0.0123,
        high=estimate + 0.0123,
        n_rows=1600,
        method="exact",
        confidence=0.95,
        new=estimate,
        old=0.77777,
        n_differ=123,
        spread=0.4,
    )


def told(outcome: str, estimate: float = 0.81234) -> CheckVerdict:
    return CheckVerdict(
        check=parse_check("new.accuracy - old.accuracy > 0"),
        outcome=outcome,  # type: ignore[arg-type] # one of the outcomes
        why=f"it is {estimate}",
        evidence=evidence(estimate),
        slices=(SliceVerdict(name="region=a", outcome="pass", why=f"{estimate}", evidence=evidence(estimate)),),
        warning=f"from {estimate}",
    )


def verdict(*outcomes: str) -> Verdict:
    return conclude([told(outcome) for outcome in outcomes])


def test_all_is_all() -> None:
    whole = verdict("pass", "fail")
    assert revealed(whole, "all") is whole


def test_of_whether_it_passed_every_other_answer_looks_alike() -> None:
    shown = {msgspec.json.encode(revealed(verdict(*outcomes), "verdict")) for outcomes in (
        ("fail", "pass"), ("unsure", "pass"), ("pass", "fail"), ("fail", "fail"), ("unsure", "unsure"))}  # fmt: skip
    assert len(shown) == 1
    one = revealed(verdict("unsure", "pass"), "verdict")
    assert one.outcome == "fail"
    assert revealed(verdict("pass", "pass"), "verdict").outcome == "pass"


@pytest.mark.parametrize("outcomes", [("pass", "pass"), ("fail", "pass"), ("unsure", "pass")])
def test_of_whether_it_passed_no_number_is_kept(outcomes: tuple[str, ...]) -> None:
    kept = msgspec.json.encode(revealed(verdict(*outcomes), "verdict")).decode()
    assert not any(number in kept for number in ("0.8", "0.7", "123", "1600", "region"))


def test_an_error_stays_one_and_hides_the_others() -> None:
    error = CheckVerdict(check=parse_check("new.auc > 0.5"), outcome="error", why="no positive row")
    shown = revealed(conclude([error, told("pass")]), "verdict")
    assert shown.outcome == "error"
    assert shown.checks[0] == error
    assert shown.checks[1].evidence is None
    assert shown.checks[1].outcome == "unsure"


def test_rounded_values_are_multiples_of_their_error_and_nothing_more() -> None:
    shown = revealed(verdict("fail"), "rounded").checks[0]
    # 0.4 / sqrt(1600) is 0.01.
    assert shown.evidence is not None
    assert shown.evidence.estimate == pytest.approx(0.81)
    assert (shown.evidence.low, shown.evidence.high, shown.evidence.new, shown.evidence.n_differ) == (None,) * 4
    assert shown.outcome == "fail"
    kept = msgspec.json.encode(shown).decode()
    assert "0.81234" not in kept
    assert "region=a: pass" in kept


def test_what_serving_costs_is_always_shown() -> None:
    size = CheckVerdict(check=parse_check("new.size_mb < 3"), outcome="pass", why="it is 2 MB", evidence=evidence(2.0))
    for reveal in ("verdict", "rounded", "all"):
        assert revealed(conclude([size, told("fail")]), reveal).checks[0] == size
