import math
import re
from pathlib import Path
from typing import get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from headway.core.check import COSTS, Check, Form
from headway.core.check_grammar import parse_check, parse_checks
from headway.core.metric import PARAMETERS, WORDS
from headway.errors import CheckUnreadable, FileFaulty
from written_checks import OWN, checks


@pytest.mark.parametrize(
    ("text", "metric", "form", "op", "limit"),
    [
        ("new.accuracy >= 0.8", "accuracy", "value", ">=", 0.8),
        ("  new.recall>.7 ", "recall", "value", ">", 0.7),
        ("new.log_loss - old.log_loss < 0.01", "log_loss", "difference", "<", 0.01),
        ("new.auc-old.auc>-1e-2", "auc", "difference", ">", -0.01),
        ("new.mae <= 12", "mae", "value", "<=", 12),
        ("new.mse - old.mse <= +2.5", "mse", "difference", "<=", 2.5),
        ("new.mse / old.mse <= 1.05", "mse", "ratio", "<=", 1.05),
        ("disagreement(new, old) < 0.1", "disagreement", "disagreement", "<", 0.1),
        ("disagreement( new,old )<=.1", "disagreement", "disagreement", "<=", 0.1),
        ("new.latency_p99_ms < 20", "latency_p99_ms", "value", "<", 20),
        ("new.latency_mean_ms / old.latency_mean_ms <= 1.1", "latency_mean_ms", "ratio", "<=", 1.1),
        ("new.size_mb - old.size_mb <= 5", "size_mb", "difference", "<=", 5),
        ("new.ndcg@10 - old.ndcg@10 > -0.01", "ndcg@10", "difference", ">", -0.01),
        ("new.pinball@0.9/old.pinball@0.9<1", "pinball@0.9", "ratio", "<", 1),
        ("new.profit / old.profit > 1", "profit", "ratio", ">", 1),
    ],
)
def test_a_check_is_read(text: str, metric: str, form: str, op: str, limit: float) -> None:
    check = parse_check(text, own=OWN)
    assert (check.metric, check.form, check.op, check.limit) == (metric, form, op, limit)
    assert check.text == text.strip()
    assert (check.tolerance, check.each, check.by) == (0, (), "")


@pytest.mark.parametrize(
    ("text", "limit", "tolerance"),
    [
        ("new.f1 - old.f1 within 0.1", 0, 0.1),
        ("new.f1 - old.f1 within +/- 0.1", 0, 0.1),
        ("new.f1 - old.f1 within ±.1", 0, 0.1),
        ("new.f1 - old.f1 within 0.2 +/- 0.1", 0.2, 0.1),
        ("new.f1 - old.f1 within -0.2+/-0.1", -0.2, 0.1),
        ("new.mae / old.mae within 0.1", 1, 0.1),
        ("new.mae / old.mae within 1.2 ± 0.1", 1.2, 0.1),
        ("gap(new.f1 by sex) within 0.1", 0, 0.1),
        ("ratio(new.f1 by sex) within 0.1", 1, 0.1),
        ("new.f1 - old.f1 > 0.02 +/- 0.01", 0.02, 0.01),
    ],
)
def test_a_tolerance_is_read(text: str, limit: float, tolerance: float) -> None:
    check = parse_check(text)
    assert (check.limit, check.tolerance) == (limit, tolerance)
    assert (check.op == "within") == ("within" in text)


@pytest.mark.parametrize(
    ("columns", "each"),
    [
        ("region", ("region",)),
        ("region, sex", ("region", "sex")),
        ("age-group,sex", ("age-group", "sex")),
        ('"two words", sex', ("two words", "sex")),
        ("'say \"x\"'", ('say "x"',)),
        ('"a, b"', ("a, b",)),
        ("2nd.half", ("2nd.half",)),
        ("Straße", ("Straße",)),
    ],
)
def test_slices_are_read(columns: str, each: tuple[str, ...]) -> None:
    assert parse_check(f"new.f1 > 0.7 for each {columns}").each == each
    assert parse_check(f"new.f1 - old.f1 within 0.1 for each {columns}").each == each


@pytest.mark.parametrize(
    ("column", "by"), [("sex", "sex"), ('"sex at birth"', "sex at birth"), ("age-group", "age-group")]
)
def test_groups_are_read(column: str, by: str) -> None:
    gap = parse_check(f"gap(new.recall by {column}) <= 0.05 for each region")
    assert (gap.form, gap.metric, gap.by, gap.each) == ("gap", "recall", by, ("region",))
    ratio = parse_check(f"ratio(new.recall by {column}) >= 0.8")
    assert (ratio.form, ratio.by, ratio.limit) == ("gap-ratio", by, 0.8)


@given(checks())
def test_what_is_written_by_the_rules_is_read_back(check: Check) -> None:
    assert parse_check(check.text, own=OWN) == check


@given(checks())
def test_blanks_between_the_parts_change_nothing(check: Check) -> None:
    if check.each or check.by:
        return
    for spread in (check.text.replace(" ", "  "), f"\t{check.text}  "):
        assert parse_check(spread, own=OWN).edges == check.edges


@pytest.mark.parametrize(
    ("text", "column", "problem", "remedy"),
    [
        ("", 1, "compares with nothing", "new.METRIC OP NUMBER"),
        ("new.f1", 7, "compares with nothing", "new.METRIC OP NUMBER"),
        ("> 0.8", 1, "'>' is neither new.METRIC nor old.METRIC", "new.METRIC"),
        ("new. > 0.8", 5, "'new.' names no metric", "write new.accuracy"),
        ("new.acuracy >= 0.8", 5, "'acuracy' is not a metric", "did you mean 'accuracy'?"),
        ("new.profits >= 0.8", 5, "'profits' is not a metric", "did you mean 'profit'?"),
        ("new.latency < 5", 5, "'latency' is not a metric", "did you mean 'latency_mean_ms'?"),
        ("new.f1 - old.acc > 0", 14, "'acc' is not a metric", "did you mean 'accuracy'?"),
        ("new.ndcg > 0.5", 5, "'ndcg' is not a metric", "ndcg@10"),
        ("new.pinball@2 < 5", 5, "'pinball@2' is not a metric", "a share of 1: pinball@0.9"),
        ("new.xyzzy > 0", 5, "'xyzzy' is not a metric", "the metrics are profit, harm"),
        ("accuracy >= 0.8", 1, "does not say whose accuracy", "write new.accuracy"),
        ("champion.f1 >= 0.8", 1, "neither new.METRIC nor old.METRIC", "new.METRIC"),
        ("2 * new.f1 > 1", 1, "'2' is neither", "new.METRIC"),
        ("new.f1 == 0.8", 8, "comparison is not known", "use one of"),
        ("new.f1 => 0.8", 8, "comparison is not known", "use one of"),
        ("new.f1 <> 0.8", 8, "comparison is not known", "use one of"),
        ("new.f1 ≥ 0.8", 8, "comparison is not known", "use one of"),
        ("new.f1 above 0.8", 8, "'above' is not part of this form", "OP being"),
        ("new.f1 >=", 10, "number is missing", "0.8"),
        ("new.f1 >= many", 11, "'many' is not a number", "0.8"),
        ("new.f1 >= nan", 11, "nan is no limit", "finite"),
        ("new.mae < inf", 11, "inf is no limit", "finite"),
        ("new.mae > -inf", 11, "-inf is no limit", "finite"),
        ("new.mae < 1e999", 11, "1e999 is no limit", "finite"),
        ("new.f1 >= 80%", 11, "written as fractions", "0.8 for 80 %"),
        ("new.f1 - old.f1 > -1 %", 19, "written as fractions", "write -0.01 for -1 %"),
        ("new.f1 - old.f1 within 5%", 24, "written as fractions", "write 0.05 for 5 %"),
        ("new.f1 > 0.2 +/- 5 %", 18, "written as fractions", "write 0.05 for 5 %"),
        ("new.f1 > 0,8", 10, "a comma is no decimal point", "write 0.8"),
        ("new.f1 > 0.8 and new.auc > 0.9", 14, "joins nothing", "one condition a line"),
        ("new.f1 > 0.8 /\\ new.auc > 0.9", 14, "joins nothing", "one condition a line"),
        ("new.f1 and new.auc > 0.9", 8, "one condition", "one condition a line"),
        ("new.f1 > 0.8 for each a and new.auc > 0.9", 25, "joins nothing", "one condition a line"),
        ("new.f1 > 0.8 for each a and b", 25, "joins nothing", "write `for each …, b`"),
        ("new.latency_p99_ms < 20 ms", 25, "a number has no unit", "write the number alone"),
        ("new.f1 > 0.8 0.9", 14, "'0.9' is left over", "+/- TOL"),
        ("new.accuracy >= 80", 14, "accuracy runs from 0 to 1", "write 0.8 if 80 % was meant"),
        ("new.accuracy - old.accuracy > -2", 29, "runs from -1 to 1", "write -0.02"),
        ("new.f1 > 1", 8, "always or never", "mend"),
        ("new.brier >= 0", 11, "always or never", "mend"),
        ("new.mae > -1", 9, "mae runs from 0 to inf", "mend"),
        ("new.recall - old.precision > 0", 18, "two metrics", "new.recall - old.recall"),
        ("old.f1 - new.f1 < 0", 1, "starts with the new model", "new.f1 - old.f1"),
        ("old.f1 / new.f1 < 1", 1, "starts with the new model", "new.f1 / old.f1, and turn the comparison and 1 over"),
        ("old.f1 > 0.5", 1, "nothing of the new model", "new.f1"),
        ("old.f1 - old.f1 > 0.5", 1, "nothing of the new model", "new.f1 - old.f1"),
        ("new.f1 - new.f1 > 0", 10, "compares the new model with itself", "new.f1 - old.f1"),
        ("new.f1 - old.f1 - new.f1 > 0", 17, "'-' is not part of this form", "new.METRIC"),
        ("new.f1 -", 9, "ends where old.METRIC should stand", "new.METRIC"),
        ("new.f1 + old.f1 > 0", 8, "'+' is not part of this form", "new.METRIC"),
        ("new.ece < 0.1", 5, "'ece' is not a metric", "new.brier"),
        # ratios
        ("new.f1 / old.f1 > 0", 17, "is above 0, and so is its limit", "write 1 for no change"),
        ("new.mae / old.mae <= 105", 19, "lets everything through or nothing", "write 1.05 if 105 % was meant"),
        ("new.mae / old.mae within 5", 19, "tolerance of a ratio is smaller", "write 0.05 if 5 % was meant"),
        # tolerances
        ("new.f1 - old.f1 within", 23, "number is missing", "0.8"),
        ("new.f1 - old.f1 within 0", 24, "0 is no tolerance", "0.01"),
        ("new.f1 - old.f1 within -0.1", 24, "-0.1 is no tolerance", "0.01"),
        ("new.f1 - old.f1 within 0.1 +/-", 31, "tolerance is missing", "0.8"),
        ("new.f1 > 0.1 +/- many", 18, "'many' is not a number", "0.8"),
        ("new.f1 - old.f1 within 2", 17, "always or never", "write 0.02 if 2 % was meant"),
        ("new.f1 within 3 +/- 0.1", 8, "always or never", "mend"),
        ("new.f1 > 0.5 +/- 1", 8, "always or never", "mend"),
        # slices
        ("new.f1 > 0.7 for region", 18, "`each` is missing", "for each COLUMN"),
        ("new.f1 > 0.7 for each", 22, "name of a column is missing", "region"),
        ("new.f1 > 0.7 for each a,", 25, "name of a column is missing", "region"),
        ("new.f1 > 0.7 for each a b", 25, "'b' is left over", "end after the column"),
        ("new.f1 > 0.7 for each 'a", 23, "quote is not closed", "region"),
        ("new.f1 > 0.7 for each ''", 23, "name of a column is missing", "region"),
        ("new.f1 > 0.7 for each a, 'a'", 26, "a is named twice", "once"),
        ("new.size_mb < 7 for each a", 26, "no slice has a size_mb", "leave out `for each`"),
        # groups and disagreement
        ("gap(new.f1) < 0.1", 11, "between which groups", "gap(new.f1 by COLUMN)"),
        ("gap(old.f1 by sex) < 0.1", 5, "nothing of the new model", "gap(new.f1 by COLUMN)"),
        ("gap(new.f1 by ) < 0.1", 15, "name of a column is missing", "region"),
        ("gap(new.f1 by sex < 0.1", 19, "bracket is not closed", "gap(new.f1 by COLUMN)"),
        ("gap(new.f1 by sex) > 1", 20, "a gap of f1 runs from 0 to 1", "mend"),
        ("gap(new.f1 by sex) < 5", 20, "a gap of f1 runs from 0 to 1", "write 0.05 if 5 % was meant"),
        ("gap(new.f1 by sex) < 0.1 for each sex", 35, "has but one group", "another column"),
        ("gap(new.size_mb by sex) < 1", 20, "no group of rows", "write new.size_mb"),
        ("gap < 0.1", 1, "'gap' is neither", "write gap(new.METRIC by COLUMN)"),
        ("ratio(new.f1 by sex) > 1", 22, "ratio of groups' f1 runs from 0 to 1", "mend"),
        ("disagreement < 0.1", 1, "'disagreement' is neither", "write disagreement(new, old)"),
        ("disagreement(old, new) < 0.1", 14, "'new' is missing", "write disagreement(new, old)"),
        ("disagreement(new, old) < 10", 24, "disagreement runs from 0 to 1", "write 0.1 if 10 % was meant"),
        ("disagreement(new, old) <= 1", 24, "always or never", "mend"),
    ],
)
def test_what_cannot_be_read_is_pointed_at_and_mended(text: str, column: int, problem: str, remedy: str) -> None:
    with pytest.raises(CheckUnreadable) as caught:
        parse_check(text, own=OWN)
    assert problem in caught.value.problem
    assert caught.value.at == f"checks, column {column}"
    assert caught.value.offset == column - 1
    assert remedy in caught.value.remedy


def read_or_refused_inside(text: str) -> tuple[Check, ...]:
    try:
        return parse_checks([text], own=OWN)
    except CheckUnreadable as trouble:
        refused = trouble
    assert 0 <= refused.offset <= len(text)
    assert refused.at == f"checks, column {refused.offset + 1}"
    assert refused.remedy
    return ()


@given(st.text(max_size=40) | st.text(alphabet="newold.f1accury -+><=!/0123456789%e\"'(),", max_size=40))
def test_any_text_is_read_or_refused_inside_of_it(text: str) -> None:
    read_or_refused_inside(text)


WORDS_OF_CHECKS = [
    "new.f1",
    "old.f1",
    "new.mae",
    "old.mae",
    "new.size_mb",
    "new.profit",
    "new",
    "old",
    "n",
    "o",
    "d",
    "disagreement",
    "gap",
    "ratio",
    "by",
    "for",
    "each",
    "within",
    "and",
    "region",
    "'region'",
    "-",
    "/",
    "(",
    ")",
    ",",
    ">",
    ">=",
    "<",
    "<=",
    "+/-",
    "±",
    "0.1",
    "0.9",
    "1",
    "-0.1",
    "20",
    "%",
    "*",
    "/\\",
    "accuracy",
    "==",
    "nan",
    "1e999",
]


@given(st.lists(st.sampled_from(WORDS_OF_CHECKS), max_size=12))
def test_any_words_in_any_order_are_read_or_refused_inside_of_them(words: list[str]) -> None:
    for check in read_or_refused_inside(" ".join(words)):
        assert all(map(math.isfinite, check.edges))
        # What was read is read again from its own text.
        assert parse_check(check.text, own=OWN) == check


@given(checks(), st.data())
def test_a_check_cut_anywhere_is_read_or_refused_inside_of_it(check: Check, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(check.text)))
    read_or_refused_inside(check.text[:at])
    read_or_refused_inside(check.text[:at] + data.draw(st.characters()) + check.text[at + 1 :])


def test_a_text_too_deep_for_the_stack_is_refused() -> None:
    for text in ("(" * 5000 + "n > 0.5", "-" * 5000 + "n > 0.5", "new.f1 > " + "-" * 5000 + "1"):
        with pytest.raises(CheckUnreadable):
            parse_check(text)


def test_all_checks_that_cannot_be_read_are_told_at_once() -> None:
    assert len(parse_checks(["new.f1 > 0.5", "new.auc - old.auc > 0"])) == 2
    with pytest.raises(CheckUnreadable):
        parse_checks(["new.f1 > 0.5", "new.f2 > 0.5"])
    with pytest.raises(FileFaulty, match="2 checks cannot be read") as caught:
        parse_checks(["f1 > 0.5", "new.f1 > 0.5", "new.f2 > 0.5"])
    assert [fault.where for fault in caught.value.faults] == ["checks, column 1", "checks, column 5"]


def test_a_metric_of_the_users_own_is_known_where_it_is_named() -> None:
    assert parse_check("new.profit > 1e6", own=("profit",)).limit == 1e6
    assert parse_check("new.profit / old.profit > 1.05", own=("profit",)).form == "ratio"
    with pytest.raises(CheckUnreadable, match="'profit' is not a metric"):
        parse_check("new.profit > 1e6")


DOCS = Path(__file__).parents[2] / "docs/gates.md"


def test_every_check_of_the_docs_is_read() -> None:
    block = DOCS.read_text().split("## What a check says")[1].split("```")[1]
    texts = yaml.safe_load(block.removeprefix("yaml"))["checks"]
    read = parse_checks(texts)
    assert {check.form for check in read} == set(get_args(Form))
    assert {check.op for check in read} >= {">=", ">", "<=", "<", "within"}
    assert len(read) == len(texts) + 1, "a text in the language of ease.ml/ci holds two"


def test_every_metric_stands_in_the_docs() -> None:
    told = set(re.findall(r"`([a-z0-9_]+)(?:@[0-9.]+)?`", DOCS.read_text()))
    assert {*WORDS, *PARAMETERS, *COSTS} <= told
