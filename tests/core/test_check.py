import pytest

from headway.core.check import COSTS, Check
from headway.core.check_grammar import parse_check


def test_a_check_knows_what_it_compares_and_where_good_ends() -> None:
    difference, ratio = parse_check("new.f1 - old.f1 > -0.01"), parse_check("new.mae / old.mae within 0.05")
    assert difference.compares
    assert difference.wants_more
    assert difference.edges == (-0.01,)
    assert ratio.compares
    assert not ratio.wants_more
    assert ratio.edges == (0.95, 1.05)
    assert not parse_check("gap(new.recall by sex) < 0.1").compares


@pytest.mark.parametrize("metric", COSTS)
def test_what_serving_costs_is_no_metric_of_answers(metric: str) -> None:
    check = parse_check(f"new.{metric} < 20")
    assert check.costs
    assert not check.words.percent
    assert not parse_check("new.mae < 20").costs


def test_disagreement_is_told_as_a_share_of_rows() -> None:
    check = parse_check("disagreement(new, old) < 0.1")
    assert (check.words.percent, check.words.lowest, check.words.highest) == (True, 0, 1)
    assert check.compares


def test_a_metric_of_the_users_own_has_no_bounds() -> None:
    check = Check(text="", metric="profit", op=">", limit=1e9)
    assert check.words.highest == float("inf")
