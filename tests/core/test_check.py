import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.check_grammar import parse_check, parse_checks
from headway.core.metric import WORDS
from headway.errors import CheckUnreadable, FileFaulty


@pytest.mark.parametrize(
    ("text", "metric", "compares", "op", "limit"),
    [
        ("new.accuracy >= 0.8", "accuracy", False, ">=", 0.8),
        ("  new.recall>.7 ", "recall", False, ">", 0.7),
        ("new.log_loss - old.log_loss < 0.01", "log_loss", True, "<", 0.01),
        ("new.auc-old.auc>-1e-2", "auc", True, ">", -0.01),
        ("new.mae <= 12", "mae", False, "<=", 12),
        ("new.mse - old.mse <= +2.5", "mse", True, "<=", 2.5),
    ],
)
def test_a_check_is_read(text: str, metric: str, compares: bool, op: str, limit: float) -> None:
    check = parse_check(text)
    assert (check.metric, check.compares, check.op, check.limit) == (metric, compares, op, limit)
    assert check.text == text.strip()


@given(st.sampled_from(sorted(WORDS)), st.booleans(), st.sampled_from([">=", ">", "<=", "<"]), st.floats(0.01, 0.99))
def test_what_is_written_by_the_rules_is_read_back(metric: str, compares: bool, op: str, limit: float) -> None:
    text = f"new.{metric} - old.{metric} {op} {limit}" if compares else f"new.{metric} {op} {limit}"
    check = parse_check(text)
    assert (check.metric, check.compares, check.op, check.limit) == (metric, compares, op, limit)


@pytest.mark.parametrize(
    ("text", "column", "problem", "remedy"),
    [
        ("", 1, "compares with nothing", "new.METRIC OP NUMBER"),
        ("new.f1", 7, "compares with nothing", "new.METRIC OP NUMBER"),
        ("new.acuracy >= 0.8", 5, "'acuracy' is not a metric", "did you mean 'accuracy'?"),
        ("new.f1 - old.acc > 0", 14, "'acc' is not a metric", "did you mean 'accuracy'?"),
        ("accuracy >= 0.8", 1, "does not say whose accuracy", "write new.accuracy"),
        ("champion.f1 >= 0.8", 1, "neither new.METRIC nor old.METRIC", "new.METRIC"),
        ("new.f1 == 0.8", 8, "comparison is not known", "use one of"),
        ("new.f1 => 0.8", 8, "comparison is not known", "use one of"),
        ("new.f1 <> 0.8", 8, "comparison is not known", "use one of"),
        ("new.f1 ≥ 0.8", 8, "comparison is not known", "use one of"),
        ("new.f1 >=", 10, "number is missing", "0.8"),
        ("new.f1 >= many", 11, "'many' is not a number", "0.8"),
        ("new.f1 >= nan", 11, "nan is no limit", "finite"),
        ("new.mae < inf", 11, "inf is no limit", "finite"),
        ("new.f1 >= 80%", 11, "as a fraction", "0.8 for 80 %"),
        ("new.f1 > 0.8 and new.auc > 0.9", 10, "is not a number", "one condition a line"),
        ("new.accuracy >= 80", 14, "accuracy runs from 0 to 1", "write 0.8 if 80 % was meant"),
        ("new.accuracy - old.accuracy > -2", 29, "runs from -1 to 1", "write -0.02"),
        ("new.f1 > 1", 8, "always or never", "mend"),
        ("new.brier >= 0", 11, "always or never", "mend"),
        ("new.mae > -1", 9, "mae runs from 0 to inf", "mend"),
        ("new.recall - old.precision > 0", 13, "two metrics", "new.recall - old.recall"),
        ("old.f1 - new.f1 < 0", 1, "starts with the new model", "new.f1 - old.f1"),
        ("old.f1 > 0.5", 1, "nothing of the new model", "new.f1"),
        ("new.f1 - old.f1 - new.f1 > 0", 1, "not a form of check", "new.METRIC"),
        ("new.f1 / old.f1 > 1", 8, "'/' is not part of a check yet", "new.METRIC"),
        ("new.f1 > 0.7 for each region", 14, "not built yet", "leave it out"),
        ("new.f1 - old.f1 within +/- 0.1", 17, "not built yet", "leave it out"),
        ("new.latency_p99_ms < 20", 4, "latency is not a metric yet", "leave it out"),
        ("new.rmse < 20", 4, "rmse is not a metric yet", "new.mse"),
        ("new.ece < 0.1", 4, "ece is not a metric", "new.brier"),
    ],
)
def test_what_cannot_be_read_is_pointed_at_and_mended(text: str, column: int, problem: str, remedy: str) -> None:
    with pytest.raises(CheckUnreadable) as caught:
        parse_check(text)
    assert problem in caught.value.problem
    assert caught.value.at == f"checks, column {column}"
    assert remedy in caught.value.remedy


@given(st.text(alphabet="newold.f1accury -+><=!/0123456789%e ", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        check = parse_check(text)
    except CheckUnreadable:
        return
    assert check.metric in WORDS


def test_all_checks_that_cannot_be_read_are_told_at_once() -> None:
    assert len(parse_checks(["new.f1 > 0.5", "new.auc - old.auc > 0"])) == 2
    with pytest.raises(CheckUnreadable):
        parse_checks(["new.f1 > 0.5", "new.f2 > 0.5"])
    with pytest.raises(FileFaulty, match="2 checks cannot be read") as caught:
        parse_checks(["f1 > 0.5", "new.f1 > 0.5", "new.f2 > 0.5"])
    assert [fault.where for fault in caught.value.faults] == ["checks, column 1", "checks, column 5"]
