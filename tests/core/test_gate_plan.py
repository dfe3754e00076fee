import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headway.core.check_grammar import parse_check, parse_checks
from headway.core.gate_plan import CheckPlan, GatePlan, HoldoutUse, plan, suppositions
from headway.core.gate_plan_words import about, often, tell
from headway.core.gate_ways import Assumed
from headway.errors import CheckUnreadable
from headway.stats.compare import Pairs, tango_corrected
from headway.stats.interval import clopper_pearson
from headway.stats.power import rows_to_decide, rows_within
from headway.stats.power_exact import Region, power_of_pairs, power_of_share
from headway.stats.reuse import confidence_of_ask
from tries import tries


def planned(*texts: str, assumed: Assumed | None = None, holdout: HoldoutUse | None = None) -> GatePlan:
    assumed = assumed or Assumed(asks=1)
    each = confidence_of_ask(assumed.confidence, assumed.asks, assumed.passes)
    return plan(parse_checks(texts), assumed, confidence_of_ask=each, holdout=holdout)


def only(made: GatePlan) -> CheckPlan:
    (one,) = made.checks
    return one


# --- what is supposed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "gaps", "truth"),
    [
        ("new.accuracy - old.accuracy > -0.01", [0.01], "both models are equally good"),
        ("new.mae - old.mae < 0.5", [0.5], "both models are equally good"),
        ("new.mae / old.mae <= 1.05", [0.05], "both models are equally good"),
        ("new.accuracy - old.accuracy > 0.02 +/- 0.01", [0.01], "it is 1 point better than the limit"),
        ("new.accuracy - old.accuracy > 0", [0.01, 0.02, 0.05], "it is 1 point better than the limit"),
        ("new.accuracy >= 0.8", [0.01, 0.02, 0.05], "it is 1 point better than the limit"),
        ("new.accuracy > 0.97", [0.01, 0.02], "it is 1 point better than the limit"),
        ("new.accuracy > 0.995", [0.0025], "it is 0.25 points better than the limit"),
        ("new.accuracy - old.accuracy within 0.03", [0.03], "both models are equally good"),
        ("new.accuracy within 0.8 +/- 0.02", [0.02], "it lies in the middle"),
        ("disagreement(new, old) < 0.15", [0.05], "they differ on 10 % of rows"),
        ("disagreement(new, old) < 0.05", [], ""),
        ("gap(new.recall by sex) <= 0.05", [0.05], "the groups are alike"),
        ("ratio(new.recall by sex) >= 0.8", [0.2], "the groups are alike"),
        ("new.brier <= 0.2", [0.01, 0.02, 0.05], "it is 0.01 better than the limit"),
        ("new.mae <= 7", [0.5, 1.0, 2.0], "it is 0.5 better than the limit"),
    ],
)
def test_what_is_supposed_of_the_truth(text: str, gaps: list[float], truth: str) -> None:
    (check,) = parse_checks([text])
    found = suppositions(check, Assumed(spread=10.0))
    assert [gap for gap, _ in found] == pytest.approx(gaps)
    assert (found[0][1] if found else "") == truth


# --- what is reckoned ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("new.accuracy - old.accuracy > -0.02", Region(low=-0.02)),
        ("new.recall - old.recall within 0.03", Region(low=-0.03, high=0.03)),
        ("new.accuracy@5 - old.accuracy@5 >= -0.02", Region(low=-0.02)),
    ],
)
def test_a_difference_of_shares_is_planned_by_the_rule_that_decides_it(text: str, shown: Region) -> None:
    one = only(planned(text, assumed=Assumed(asks=1, rows=1000)))
    (supposed,) = one.supposed
    assert supposed.rows is not None
    assert power_of_pairs(supposed.rows, 0.1, 0.0, shown, 0.95) >= 0.8
    assert power_of_pairs(supposed.rows * 19 // 20, 0.1, 0.0, shown, 0.95) < 0.8
    assert supposed.chance == power_of_pairs(1000, 0.1, 0.0, shown, 0.95)


@pytest.mark.parametrize("text", ["new.accuracy >= 0.8 +/- 0.05", "new.precision >= 0.8 +/- 0.05"])
def test_a_share_is_planned_by_the_exact_interval(text: str) -> None:
    one = only(planned(text, assumed=Assumed(asks=1, rows=300)))
    (supposed,) = one.supposed
    assert supposed.rows is not None
    assert power_of_share(supposed.rows, 0.85, Region(low=0.8), 0.95) >= 0.8
    assert one.method == "Clopper-Pearson"
    assert one.smallest is not None
    assert power_of_share(300, 0.8 + one.smallest, Region(low=0.8), 0.95) == pytest.approx(0.8, abs=0.02)


def test_only_rows_on_which_the_models_differ_need_a_label() -> None:
    made = planned("new.accuracy - old.accuracy > -0.02", "disagreement(new, old) < 0.15")
    pairs, differ = made.checks
    assert pairs.supposed[0].rows is not None
    assert pairs.supposed[0].labels == -(-pairs.supposed[0].rows // 10)
    assert differ.supposed[0].labels == 0
    assert made.labels == pairs.supposed[0].labels
    # Which rows are positive only labels tell.
    recall = only(planned("new.recall - old.recall > -0.02"))
    assert recall.supposed[0].labels == recall.supposed[0].rows


def test_rows_of_positive_ones_are_translated_where_their_share_is_said() -> None:
    unsaid = planned("new.recall - old.recall > -0.02")
    said = planned("new.recall - old.recall > -0.02", assumed=Assumed(asks=1, positives=0.25, rows=4000))
    one, needed = only(said), only(unsaid).supposed[0].rows
    assert needed is not None
    assert unsaid.rows is None
    assert one.supposed[0].rows == needed
    assert said.rows == 4 * needed
    assert one.n_rows == 1000
    negative = only(planned("new.specificity >= 0.8", assumed=Assumed(asks=1, positives=0.25, rows=4000)))
    assert negative.n_rows == 3000


def test_means_go_by_the_spread_that_is_said() -> None:
    assert "--spread" in only(planned("new.mae - old.mae < 0.5")).unplanned
    one = only(planned("new.mae - old.mae < 0.5", assumed=Assumed(asks=1, spread=8.0)))
    assert one.supposed[0].rows == rows_to_decide(0.5, 8.0, 0.95)
    within = only(planned("new.mae - old.mae within 0.5", assumed=Assumed(asks=1, spread=8.0)))
    assert within.supposed[0].rows == rows_within(0.5, 8.0, 0.95)
    # So few rows give no range by an approximate method.
    large = only(planned("new.mae - old.mae < 50", assumed=Assumed(asks=1, spread=8.0, rows=20)))
    assert large.supposed[0].rows == 30
    assert large.supposed[0].chance == 0
    assert large.smallest is None


def test_a_ranked_recall_is_a_mean_over_queries_and_no_share() -> None:
    assert "--spread" in only(planned("new.recall@10 - old.recall@10 > -0.02")).unplanned
    assert only(planned("new.hit_rate@10 - old.hit_rate@10 > -0.02")).method.startswith("Tango")


def test_areas_under_curves_take_more_rows_the_rarer_the_positive_ones() -> None:
    rare, half = (
        only(planned("new.auc >= 0.8 +/- 0.05", assumed=Assumed(asks=1, positives=share))).supposed[0].rows
        for share in (0.02, 0.5)
    )
    assert rare is not None
    assert half is not None
    assert rare > 10 * half
    # Ten of either class at least.
    assert (
        only(planned("new.auc >= 0.6 +/- 0.39", assumed=Assumed(asks=1, positives=0.01))).supposed[0].rows or 0
    ) >= 1000


def test_an_upper_end_of_a_quantile_takes_rows_that_lie_above_it() -> None:
    one = only(planned("new.latency_p99_ms < 20"))
    assert one.supposed[0].rows == 299
    assert 0.99**299 <= 0.05 < 0.99**298
    assert only(planned("new.size_mb < 20")).supposed == ()


@pytest.mark.parametrize(
    "assumed",
    [Assumed(asks=1, method="hoeffding"), Assumed(asks=1, method="bennett")],
    ids=["hoeffding", "bennett"],
)
def test_the_bounds_of_the_paper_speak_of_accuracy_only(assumed: Assumed) -> None:
    made = planned("new.auc >= 0.8", "new.accuracy >= 0.8 for each region", assumed=assumed)
    assert all("use exact" in one.unplanned for one in made.checks)


def test_the_first_pattern_of_the_paper_as_it_is_printed() -> None:
    made = planned(r"n - o > 0.02 +/- 0.01 /\ d < 0.1 +/- 0.01", assumed=Assumed(asks=1, method="bennett"))
    difference, disagreement = made.checks
    assert (difference.supposed[0].rows, difference.supposed[0].labels) == (9052, 906)
    assert disagreement.supposed[0].labels == 0
    strict = planned(
        r"n - o > 0.02 +/- 0.01 /\ d < 0.1 +/- 0.01", assumed=Assumed(asks=32, confidence=0.9999, method="bennett")
    )
    assert strict.checks[0].supposed[0].rows == 29_048


def test_the_second_pattern_and_hoeffding_take_more() -> None:
    texts = "n - o > 0.02 +/- 0.01"
    exact, bennett, hoeffding = (
        only(planned(texts, assumed=Assumed(asks=32, method=method))).supposed[0].rows
        for method in ("exact", "bennett", "hoeffding")
    )
    assert exact is not None
    assert bennett is not None
    assert hoeffding is not None
    assert exact < bennett < hoeffding
    one = only(planned(texts, assumed=Assumed(asks=32, method="hoeffding", rows=hoeffding)))
    assert one.smallest == pytest.approx(0.01, rel=1e-3)


# --- the budget ---------------------------------------------------------------------------------------------------


def test_more_asks_take_more_rows_and_one_more_as_many_as_is_said() -> None:
    def rows(asks: int) -> int:
        found = planned("new.accuracy - old.accuracy > -0.02", assumed=Assumed(asks=asks)).rows
        assert found is not None
        return found

    assert rows(1) < rows(2) < rows(32) < rows(64)
    made = planned("new.accuracy - old.accuracy > -0.02", assumed=Assumed(asks=32))
    assert only(made).supposed[0].rows_once == rows(1)
    assert made.next_ask == pytest.approx((rows(64) - rows(32)) / 32, rel=0.5)


@pytest.mark.parametrize("assumed", [Assumed(rows=200, passes=32), Assumed(rows=200, passes=4), Assumed(rows=60)])
def test_a_budget_that_so_many_rows_never_pass_is_told(assumed: Assumed) -> None:
    # Twenty (six) rows differ; if all are gains the most certain table there is still does not pass.
    texts = ("new.accuracy - old.accuracy > 0", "new.accuracy >= 0.98")
    made = planned(*texts, assumed=assumed)
    rows = assumed.rows or 0
    best = Pairs(gained=rows // 10, lost=0, n_rows=rows)
    level = 2 * made.confidence_of_ask - 1
    assert made.checks[0].hopeless == (tango_corrected(best, level).low <= 0)
    assert made.checks[1].hopeless == (clopper_pearson(rows, rows, level).low <= 0.98)
    assert any(one.hopeless for one in made.checks)
    assert any("it can never pass" in line for line in tell(made))


def test_enough_rows_are_not_hopeless() -> None:
    assert not only(planned("new.accuracy - old.accuracy > 0", assumed=Assumed(rows=2000))).hopeless


# --- words --------------------------------------------------------------------------------------------------------

ALL = (
    "new.accuracy - old.accuracy > -0.01",
    "new.recall - old.recall > -0.02 for each region",
    "new.auc >= 0.8",
    "new.auc - old.auc > 0",
    "new.mae / old.mae <= 1.05",
    "disagreement(new, old) < 0.2",
    "gap(new.recall by sex) <= 0.05",
    "new.latency_p99_ms / old.latency_p99_ms <= 1.05",
    "new.size_mb <= 50",
    "new.accuracy within 0.8 +/- 0.02",
)


@pytest.mark.parametrize(
    "assumed", [Assumed(), Assumed(asks=1, rows=500), Assumed(rows=10**5, spread=2.0, positives=0.1)]
)
def test_every_check_is_told_in_few_lines_and_none_is_forgotten(assumed: Assumed) -> None:
    for text in ALL:
        lines = tell(planned(text, assumed=assumed))
        assert lines[0] == text
        assert sum(line.startswith("  ") for line in lines) <= 6
        assert all(len(line) < 190 for line in lines)
    together = tell(planned(*ALL, assumed=assumed))
    assert [line for line in together if line in ALL] == list(ALL)
    assert not [line for line in together if "None" in line or "nan" in line or "e-" in line]


def test_the_whole_plan_in_words() -> None:
    made = planned(
        "new.accuracy - old.accuracy > 0 +/- 0.02",
        assumed=Assumed(rows=2000),
        holdout=HoldoutUse(path="churn-2026-09", n_asks=31, n_passes=1, budget=32, left=1),
    )
    expected = """
new.accuracy - old.accuracy > 0 +/- 0.02
  accuracy must rise
  if it is 2 points better than the limit: 3,675 rows; labels for 368, those on which the models differ
  2,000 rows: it passes 42 times in 100 then, and 4 times in 5 only if it is 2.72 points better than the limit
Each check is decided 4 times in 5, each ask at 99.84 %: in all 32 asks of one holdout, which end with a first pass,
 a model that breaks one gets through at most 5 times in 100.
Asked only once, 1,631 rows would do; one ask more than 32 takes about 19 rows more.
Taken for granted: the models differ on 10 % of rows (--differ).
Holdout churn-2026-09: asked 31 of 32 times, 1 pass. After the next ask it is spent."""
    assert tell(made) == expected.replace("\n a", " a").splitlines()[1:]


@pytest.mark.parametrize(
    ("use", "words"),
    [
        (HoldoutUse(path="h", n_asks=0, n_passes=0, budget=None, left=None), "was never asked"),
        (HoldoutUse(path="h", n_asks=3, n_passes=0, budget=None, left=None), "asked 3 times without a budget"),
        (HoldoutUse(path="h", n_asks=32, n_passes=0, budget=32, left=0), "It is spent: fresh rows start a new budget"),
        (HoldoutUse(path="h", n_asks=2, n_passes=0, budget=32, left=30), "30 asks are left"),
    ],
)
def test_a_holdouts_state_is_told(use: HoldoutUse, words: str) -> None:
    assert words in tell(planned("new.accuracy >= 0.8", holdout=use))[-1]


def test_a_plan_is_a_value() -> None:
    made = planned(*ALL, assumed=Assumed(rows=500))
    assert msgspec.json.decode(msgspec.json.encode(made), type=GatePlan) == made


def test_numbers_are_told_as_what_they_are() -> None:
    assert (about(9_999), about(10_001), about(999_999), about(123_456_789)) == (
        "9,999",
        "10,100",
        "1,000,000",
        "124,000,000",
    )
    assert (often(0.8), often(0.9)) == ("4 times in 5", "90 times in 100")


# --- whatever is asked --------------------------------------------------------------------------------------------

METRICS = st.sampled_from(
    [
        "accuracy",
        "recall",
        "precision",
        "f1",
        "auc",
        "log_loss",
        "mae",
        "ndcg@10",
        "hit_rate@5",
        "coverage@0.8",
        "bias",
        "mcc",
        "latency_p99_ms",
        "size_mb",
    ]
)
LIMITS = st.sampled_from([0, 0.001, -0.01, 0.02, -0.5, 0.5, 0.8, 0.999, 1, 1.05, 5])
REACHES = st.sampled_from([0.0001, 0.01, 0.3, 0.9])
FORMS = st.sampled_from(
    [
        "new.{m} {op} {limit}",
        "new.{m} - old.{m} {op} {limit}",
        "new.{m} / old.{m} {op} {limit}",
        "gap(new.{m} by g) {op} {limit}",
        "ratio(new.{m} by g) {op} {limit}",
        "disagreement(new, old) {op} {limit}",
        "new.{m} within {limit} +/- {reach}",
        "new.{m} - old.{m} within {limit} +/- {reach}",
        "new.{m} - old.{m} {op} {limit} +/- {reach} for each a, b",
    ]
)


@st.composite
def texts(draw: st.DrawFn) -> str:
    op = draw(st.sampled_from([">=", ">", "<=", "<"]))
    return draw(FORMS).format(m=draw(METRICS), op=op, limit=draw(LIMITS), reach=draw(REACHES))


ASSUMED = st.builds(
    Assumed,
    confidence=st.sampled_from([0.9, 0.95, 0.999]),
    power=st.sampled_from([0.5, 0.8, 0.99]),
    asks=st.sampled_from([1, 32]),
    passes=st.sampled_from([1, 4]),
    method=st.sampled_from(["exact", "exact", "hoeffding", "bennett"]),
    rows=st.sampled_from([None, 1, 10, 100, 5000]),
    differ=st.sampled_from([0.0, 0.001, 0.1, 0.5, 1.0]),
    spread=st.sampled_from([None, 0.01, 1.0, 100.0]),
    positives=st.sampled_from([None, 0.01, 0.5, 0.99]),
)


@settings(max_examples=tries(150))
@given(texts(), ASSUMED)
def test_whatever_can_be_read_is_planned_without_contradiction(text: str, assumed: Assumed) -> None:
    try:
        check = parse_check(text)
    except CheckUnreadable:
        return
    made = planned(text, assumed=assumed)
    one = only(made)
    assert bool(one.supposed) != bool(one.unplanned)
    assert not any(word in line for line in tell(made) for word in ("nan", "None", "infinity"))
    for supposed in one.supposed:
        if supposed.rows is None or supposed.chance is None or one.n_rows is None or check.costs:
            continue
        # What so many rows see, and how many it takes, are two ways to say one thing.
        if one.n_rows >= supposed.rows * 1.02:
            assert supposed.chance >= assumed.power - 0.03
        if one.n_rows <= supposed.rows * 0.95 - 2:
            assert supposed.chance <= assumed.power + 0.03
