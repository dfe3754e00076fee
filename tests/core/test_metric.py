import math

import pytest

from headway.core.metric import PARAMETERS, WORDS, is_metric, split_name, what_was_meant, words_of

NOT_WHOLE = ["ndcg", "ndcg@", "ndcg@0", "ndcg@010", "ndcg@2.5", "ndcg@-1", "ndcg@1e1", "ndcg@nan", "ndcg@\u0663"]
NO_SHARES = ["pinball@0", "pinball@1", "pinball@1e-1", "pinball@inf", "coverage@80"]


@pytest.mark.parametrize("parameter", PARAMETERS.values(), ids=lambda parameter: parameter.such_as)
def test_what_a_parameter_looks_like_is_a_metric(parameter: object) -> None:
    name = getattr(parameter, "such_as", "")
    assert is_metric(name)
    assert split_name(name)[0] in PARAMETERS
    assert words_of(name) is getattr(parameter, "words", None)


@pytest.mark.parametrize(
    "name",
    [*NOT_WHOLE, *NO_SHARES, "auc@3", "@3"],
)
def test_a_name_is_spelt_one_way(name: str) -> None:
    assert not is_metric(name)


def test_the_users_own_metric_has_no_bounds() -> None:
    assert (words_of("profit").lowest, words_of("profit").highest) == (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("recal", "did you mean 'recall'?"),
        ("acc", "did you mean 'accuracy'?"),
        ("log-los", "did you mean 'log_loss'?"),
        ("ndgc@10", "did you mean 'ndcg@10'?"),
        ("ndcg", "write it with a whole number from 1: ndcg@10"),
        ("coverage@80", "write it with a share of 1: coverage@0.8"),
        ("prof", "did you mean 'profit'?"),
    ],
)
def test_the_nearest_name_is_told(name: str, said: str) -> None:
    assert what_was_meant(name, ["profit"]) == said


def test_a_name_like_no_other_gets_the_list() -> None:
    assert what_was_meant("zzz").startswith(f"the metrics are {', '.join(WORDS)}")
