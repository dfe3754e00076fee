import pytest
from hypothesis import given
from hypothesis import strategies as st

from headway.core.check_grammar import parse_check, parse_checks
from headway.errors import CheckUnreadable, FileFaulty

PAPER = "n - o > 0.02 +/- 0.01 /\\ d < 0.1 +/- 0.01"


def test_the_papers_condition_becomes_two_checks() -> None:
    gain, change = parse_checks([PAPER])
    assert (gain.metric, gain.form, gain.op, gain.limit, gain.tolerance) == ("accuracy", "difference", ">", 0.02, 0.01)
    assert (change.form, change.op, change.limit, change.tolerance) == ("disagreement", "<", 0.1, 0.01)
    assert (gain.text, change.text) == ("n - o > 0.02 +/- 0.01", "d < 0.1 +/- 0.01")


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("n > 0.8", "new.accuracy > 0.8"),
        ("n>=.8+/-.01", "new.accuracy >= 0.8 +/- 0.01"),
        ("n - o > 0.1", "new.accuracy - old.accuracy > 0.1"),
        ("-o + n > 0.1", "new.accuracy - old.accuracy > 0.1"),
        ("o - n < 0.01 +/- 0.02", "new.accuracy - old.accuracy > -0.01 +/- 0.02"),
        ("n * 2 > 1", "new.accuracy > 0.5"),
        ("2 * n > 1 +/- 0.1", "new.accuracy > 0.5 +/- 0.05"),
        ("(n - o) * 2 > 0.5", "new.accuracy - old.accuracy > 0.25"),
        ("2 * n - 2 * o >= 0", "new.accuracy - old.accuracy >= 0"),
        ("3 * 0.1 * n - 0.3 * o > 0", "new.accuracy - old.accuracy > 0"),
        ("n - o + d - d > 0.1", "new.accuracy - old.accuracy > 0.1"),
        ("n + 0.25 > 1", "new.accuracy > 0.75"),
        ("-1 * d > -0.125", "disagreement(new, old) < 0.125"),
        ("d < 0.1", "disagreement(new, old) < 0.1"),
    ],
)
def test_a_clause_means_what_the_check_means(text: str, same: str) -> None:
    meant, said = parse_check(text), parse_check(same)
    assert (meant.metric, meant.form, meant.op, meant.edges, meant.tolerance) == (
        said.metric,
        said.form,
        said.op,
        said.edges,
        said.tolerance,
    )


@given(st.floats(0.1, 4), st.sampled_from([">", "<", ">=", "<="]), st.floats(-0.2, 0.2), st.booleans())
def test_a_multiple_of_a_clause_says_the_same(times: float, op: str, limit: float, turned: bool) -> None:
    plain = parse_check(f"new.accuracy - old.accuracy {op} {limit}")
    turn = {">": "<", "<": ">", ">=": "<=", "<=": ">="}
    text = (
        f"{times} * o - {times} * n {turn[op]} {-limit * times}"
        if turned
        else f"(n - o) * {times} {op} {limit * times}"
    )
    check = parse_check(text)
    assert (check.form, check.op) == (plain.form, plain.op)
    assert check.limit == pytest.approx(plain.limit, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "column", "problem", "remedy"),
    [
        ("n + o > 1", 1, "no check says this", "n - o"),
        ("2 * n - o > 0", 1, "weighs n and o differently", "new.accuracy / old.accuracy OP 0.5"),
        ("n - 1.1 * o > 0.01 +/- 0.01", 1, "weighs n and o differently", "OP 1.1 if 0 stands on the right"),
        ("d < 0.1 /\\ n + d > 1", 12, "no check says this", "joined by /\\"),
        ("o > 0.5", 1, "nothing of the new model", "n - o"),
        ("n - n > 0.5", 1, "nothing is left", "n - o"),
        ("n / o > 1", 3, "does not divide", "new.accuracy / old.accuracy"),
        ("n * o > 1", 5, "two variables are multiplied", "numbers only"),
        ("x - o > 0", 1, "'x' is no variable", "n (new accuracy)"),
        ("n - > 0", 5, "'>' is no variable", "the variables are"),
        ("n -", 4, "a variable is missing", "the variables are"),
        ("(n - o > 0", 8, "bracket is not closed", "close"),
        ("n", 2, "compares once", "n - o > 0.02"),
        ("n within 0.1", 3, "compares once", "n - o > 0.02"),
        ("n > 0.5 > 0.1", 9, "'>' is left over", "/\\"),
        ("n > 0.5 and d < 0.1", 9, "'and' is left over", "/\\"),
        ("n > 0.5 for each region", 9, "'for' is left over", "new.accuracy - old.accuracy > 0.02 for each COLUMN"),
        ("n > 0.5 /\\ new.f1 > 0.5", 12, "'new.f1' is no variable", "the variables are"),
        ("n > 0.5 +/- 0", 13, "no tolerance", "0.01"),
        ("n > 80", 3, "accuracy runs from 0 to 1", "write 0.8"),
        ("n > 0.5 /\\ d > 1", 14, "disagreement runs from 0 to 1", "mend"),
        ("n > 80 %", 5, "written as fractions", "0.8 for 80 %"),
        ("n * 1e999 > 1", 5, "'1e999' is no variable", "the variables are"),
    ],
)
def test_what_has_no_check_is_pointed_at_and_mended(text: str, column: int, problem: str, remedy: str) -> None:
    with pytest.raises(CheckUnreadable) as caught:
        parse_checks([text])
    assert problem in caught.value.problem
    assert caught.value.at == f"checks, column {column}"
    assert remedy in caught.value.remedy


def test_both_languages_stand_in_one_list_and_keep_their_order() -> None:
    read = parse_checks(["new.f1 > 0.5", PAPER, "new.auc > 0.7"])
    assert [check.metric for check in read] == ["f1", "accuracy", "disagreement", "auc"]
    with pytest.raises(FileFaulty, match="2 checks cannot be read"):
        parse_checks(["n + o > 1", PAPER, "new.f2 > 0.7"])


def test_a_text_of_several_clauses_is_not_one_check() -> None:
    with pytest.raises(CheckUnreadable, match="several conditions") as caught:
        parse_check(PAPER)
    assert caught.value.offset == PAPER.index("d <")


@pytest.mark.parametrize("column", ["n", "o", "d"])
def test_columns_may_be_called_like_the_variables(column: str) -> None:
    assert parse_check(f"disagreement(new, old) within 0.1 +/- 0.02 for each {column}").each == (column,)
    assert parse_check(f"gap(new.recall by {column}) < 0.1").by == column
