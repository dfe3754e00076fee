import msgspec
import pytest
from hypothesis import given

from headway.core.check import Check
from headway.core.check_grammar import parse_check
from headway.core.check_words import rule
from written_checks import OWN, checks


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("new.accuracy > 0.8", "accuracy must be above 80 %"),
        ("new.accuracy >= 0.805", "accuracy must be at least 80.5 %"),
        ("new.auc >= 0.8", "auc must be at least 0.8"),
        ("new.log_loss < 0.3", "log_loss must be below 0.3"),
        ("new.mae <= 12.5", "mae must be at most 12.5"),
        ("new.mae <= 1250000", "mae must be at most 1,250,000"),
        ("new.profit > -0.1", "profit must be above -0.1"),
        ("new.ndcg@10 > 0.5", "ndcg@10 must be above 0.5"),
        ("new.accuracy - old.accuracy > 0", "accuracy must rise"),
        ("new.accuracy - old.accuracy >= 0", "accuracy may not fall"),
        ("new.brier - old.brier < 0", "brier must fall"),
        ("new.brier - old.brier <= 0", "brier may not rise"),
        ("new.accuracy - old.accuracy > -0.01", "accuracy may not fall by more than 1 point"),
        ("new.accuracy - old.accuracy > -0.02", "accuracy may not fall by more than 2 points"),
        ("new.accuracy - old.accuracy > 0.02", "accuracy must rise by more than 2 points"),
        ("new.accuracy - old.accuracy >= 0.02", "accuracy must rise by at least 2 points"),
        ("new.log_loss - old.log_loss < 0.01", "log_loss may not rise by more than 0.01"),
        ("new.log_loss - old.log_loss < -0.01", "log_loss must fall by more than 0.01"),
        ("new.log_loss - old.log_loss <= -0.01", "log_loss must fall by at least 0.01"),
        ("new.accuracy within 0.8 +/- 0.05", "accuracy must lie within 5 points of 80 %"),
        ("new.profit within -3 +/- 0.5", "profit must lie within 0.5 of -3"),
        ("new.accuracy - old.accuracy within 0.01", "accuracy may rise or fall by at most 1 point"),
        ("new.f1 - old.f1 within 0.02 +/- 0.01", "f1 must rise by 0.02, give or take 0.01"),
        ("new.f1 - old.f1 within -0.02 +/- 0.01", "f1 must fall by 0.02, give or take 0.01"),
        ("new.mae / old.mae < 1", "mae must shrink"),
        ("new.mae / old.mae <= 1", "mae may not grow"),
        ("new.mae / old.mae <= 1.05", "mae may not grow by more than 5 %"),
        ("new.mae / old.mae <= 0.9", "mae must shrink by at least 10 %"),
        ("new.mae / old.mae < 3", "mae must be less than 3 times the old one"),
        ("new.mae / old.mae within 0.05", "mae may grow or shrink by at most 5 %"),
        ("new.mae / old.mae within 1.2 +/- 0.05", "mae must grow by 20 %, give or take 5 points"),
        ("new.recall / old.recall >= 0.95", "recall may not shrink by more than 5 % of its old value"),
        ("new.recall / old.recall within 0.05", "recall may grow or shrink by at most 5 % of its old value"),
        ("new.latency_p99_ms < 20", "p99 latency must be below 20 ms"),
        ("new.latency_p50_ms - old.latency_p50_ms <= 2", "median latency may not rise by more than 2 ms"),
        ("new.size_mb / old.size_mb <= 1.1", "size may not grow by more than 10 %"),
        ("disagreement(new, old) < 0.1", "the models must differ on fewer than 10 % of rows"),
        ("disagreement(new, old) >= 0.1", "the models must differ on at least 10 % of rows"),
        (
            "disagreement(new, old) within 0.1 +/- 0.01",
            "the models must differ on 10 % of rows, give or take 1 point",
        ),
        ("gap(new.recall by sex) <= 0.05", "recall may differ by at most 5 points between groups of sex"),
        ("gap(new.recall by sex) within 0.05", "recall may differ by at most 5 points between groups of sex"),
        ("gap(new.mae by sex) < 0.5", "mae must differ by less than 0.5 between groups of sex"),
        ("gap(new.mae by sex) within 2 +/- 1", "mae must differ by 2 between groups of sex, give or take 1"),
        (
            "ratio(new.recall by sex) > 0.8",
            "the lowest recall among groups of sex must be above 80 % of the highest",
        ),
    ],
)
def test_the_rule_is_told_in_words(text: str, told: str) -> None:
    assert rule(parse_check(text, own=OWN)) == told


def test_the_rule_says_for_which_rows_it_holds() -> None:
    assert rule(parse_check("new.f1 - old.f1 > 0"), " in region=south") == "f1 in region=south must rise"
    check = parse_check("disagreement(new, old) < 0.1")
    assert rule(check, " in region=south") == "the models must differ on fewer than 10 % of rows in region=south"


@given(checks())
def test_every_check_has_a_rule_without_signs_of_the_language(check: Check) -> None:
    told = rule(check)
    assert 10 < len(told) <= 240
    # Names that come from the data and from parameters may hold any sign.
    plain = msgspec.structs.replace(check, by=check.by and "sex")
    assert not set("<>@±") & set(rule(plain).replace(check.metric, ""))
