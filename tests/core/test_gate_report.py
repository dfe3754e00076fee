"""How a verdict is reported: a few lines, a table, numbers."""

from msgspec.structs import replace

from headway.core.check import Evidence
from headway.core.check_grammar import parse_check
from headway.core.gate import CheckVerdict, SliceVerdict, conclude, judge
from headway.core.gate_report import SLICES, Report, lines, markdown, numbers


def evidence(metric: str = "accuracy", estimate: float = 0.9) -> Evidence:
    return Evidence(
        metric=metric,
        estimate=estimate,
        low=estimate - 0.05,
        high=estimate + 0.05,
        n_rows=1000,
        method="exact",
        confidence=0.95,
        new=0.9,
        old=0.6,
    )


def report(*checks: CheckVerdict, promise: str = "holdout h.csv: ask 1 of 32") -> Report:
    verdict = conclude(checks)
    return Report(verdict=replace(verdict, promise=promise), exit_code=0, against="against churn@3")


def sliced(n_slices: int) -> CheckVerdict:
    check = parse_check("new.accuracy > 0.5 for each region")
    slices = tuple(
        SliceVerdict(name=f"region=a|{i}", outcome="pass", why="fine", evidence=evidence()) for i in range(n_slices)
    )
    return CheckVerdict(check=check, outcome="pass", why="no region is shown to break it", slices=slices)


def test_lines_begin_with_the_worst_and_end_with_the_promise() -> None:
    good = judge(parse_check("new.accuracy > 0.5"), evidence())
    bad = judge(parse_check("new.auc > 0.99"), evidence("auc"))
    told = lines(report(good, bad))
    assert told[0].startswith("gate: fail, let through (against churn@3): 1 of 2 checks failed")
    assert [line.split()[0] for line in told[1:]] == ["FAIL", "PASS", "holdout"]
    assert len(lines(report(*[good] * 20))) == 6


def test_a_gain_too_good_to_be_true_is_a_warning_in_both() -> None:
    judged = judge(parse_check("new.accuracy - old.accuracy > 0"), evidence(estimate=0.3))
    assert "look for leakage" in judged.warning
    told = report(judged)
    assert any(line.startswith("WARNING  accuracy went from 60.0 to 90.0 %") for line in lines(told))
    assert "- **warning** accuracy went from" in markdown(told)


def test_the_table_has_the_slices_that_matter_and_says_how_many_more() -> None:
    told = markdown(report(sliced(SLICES + 5)))
    assert "| region=a\\|0 | pass | 0.9 | 0.85 to 0.95 | 1,000 | exact |" in told
    assert f"region=a\\|{SLICES} " not in told
    assert "| and 5 more |" in told
    assert told.count("\n|") == SLICES + 4


def test_each_row_of_the_table_has_six_cells() -> None:
    told = markdown(report(sliced(12), judge(parse_check("new.auc > 0.1"), evidence("auc"))))
    rows = [line for line in told.split("\n") if line.startswith("|")]
    assert {line.replace("\\|", "").count("|") for line in rows} == {7}


def test_numbers_are_the_metrics_of_both_models() -> None:
    compared = judge(parse_check("new.accuracy - old.accuracy > 0"), evidence())
    assert numbers(conclude([compared, sliced(2)])) == {"new.accuracy": 0.9, "old.accuracy": 0.6}
    differ = judge(
        parse_check("disagreement(new, old) < 0.5"), evidence(parse_check("disagreement(new, old) < 0.5").metric)
    )
    assert numbers(conclude([differ])) == {}
