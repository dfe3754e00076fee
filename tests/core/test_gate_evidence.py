"""Which measurement answers which form of check, on all rows and on slices, and that row order changes nothing."""

import msgspec
import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from headway.core.check_grammar import parse_check, parse_checks
from headway.core.gate import CheckVerdict, Verdict
from headway.core.gate_evidence import Cost, Material, cannot_pass, decide, evidence_of, not_asked, slices_of
from headway.core.gate_slices import Slicing
from headway.errors import Unmeasurable
from headway.stats.answers import Answers, Rows
from headway.stats.metrics import measure
from headway.tables import gate_inputs
from headway.tables.codes import grouping


def world(n_rows: int = 2000, *, worse_in_south: float = 0.0, seed: int = 1) -> tuple[pl.DataFrame, Material]:
    """A holdout of four regions, a new model that is as good as the old one but for the south."""
    rng = np.random.default_rng(seed)
    region = rng.integers(0, 4, n_rows)
    signal = rng.standard_normal(n_rows)
    truth = (signal + 0.5 * rng.standard_normal(n_rows) > 0).astype(np.int64)
    noises = (0.4 + worse_in_south * (region == 0), np.full(n_rows, 0.4))
    chances = [1 / (1 + np.exp(-2 * (signal + noise * rng.standard_normal(n_rows)))) for noise in noises]
    new, old = (Answers(labels=(chance > 0.5).astype(np.int64), chances=chance) for chance in chances)
    names = pl.Series(["south", "north", "east", "west"])
    table = pl.DataFrame({"region": names.gather(region), "sex": rng.integers(0, 2, n_rows)})
    return table, Material(rows=Rows(truth=truth, seed=7), new=new, old=old)


def laid_out(table: pl.DataFrame, material: Material, *texts: str) -> Material:
    checks = parse_checks(texts)
    return gate_inputs.gather(table, material.rows, material.new, material.old, checks)


def judged(material: Material, text: str, slicing: Slicing | None = None, confidence: float = 0.95) -> CheckVerdict:
    return decide(parse_checks([text]), material, confidence, slicing).checks[0]


def test_each_form_is_answered_by_its_own_measurement() -> None:
    table, material = world()
    rows, new, old = material.rows, material.new, material.old
    assert old is not None
    found = evidence_of(parse_check("new.auc >= 0.8"), material, 0.95)
    alone = measure("auc", rows, new, None, 0.95)
    assert (found.estimate, found.low, found.high, found.old) == (alone.value, alone.low, alone.high, None)
    found = evidence_of(parse_check("new.recall - old.recall > -0.02"), material, 0.95)
    apart = measure("recall", rows, new, old, 0.95)
    assert (found.estimate, found.low, found.n_differ) == (apart.value, apart.low, apart.n_differ)
    found = evidence_of(parse_check("disagreement(new, old) < 0.5"), material, 0.95)
    assert found.estimate == np.mean(new.labels != old.labels)
    gap = parse_check("gap(new.recall by region) < 0.9")
    found = evidence_of(gap, laid_out(table, material, gap.text), 0.95)
    assert {name for name, _ in found.groups} == {"south", "north", "east", "west"}
    values = [value for _, value in found.groups]
    assert found.estimate == pytest.approx(max(values) - min(values))
    ratio = parse_check("ratio(new.recall by region) > 0.5")
    assert evidence_of(ratio, laid_out(table, material, ratio.text), 0.95).estimate == min(values) / max(values)


@pytest.mark.parametrize("limit", [0.5, 0.98, 1.0, 1.02, 1.5])
@pytest.mark.parametrize("metric", ["brier", "accuracy", "log_loss"])
def test_a_ratio_is_decided_as_the_difference_that_it_means(metric: str, limit: float) -> None:
    _, material = world(800)
    found = evidence_of(parse_check(f"new.{metric} / old.{metric} < {limit}"), material, 0.95)
    apart = measure(metric, material.rows, material.new, material.old, 0.95, times=limit)
    assert found.low is not None and apart.low is not None  # noqa: PT018 - for mypy
    assert found.high is not None and apart.high is not None  # noqa: PT018 - as above
    assert (found.low > limit, found.high < limit) == (apart.low > 0, apart.high < 0)
    assert apart.old is not None
    assert found.estimate == pytest.approx(apart.new / apart.old)


def test_a_ratio_within_is_shown_from_both_ends() -> None:
    _, material = world(4000)
    found = evidence_of(parse_check("new.brier / old.brier within 0.2"), material, 0.95)
    ends = [measure("brier", material.rows, material.new, material.old, 0.95, times=times) for times in (0.8, 1.2)]
    assert found.old is not None
    assert ends[0].low is not None
    assert ends[1].high is not None
    assert found.low == pytest.approx(0.8 + ends[0].low / found.old)
    assert found.high == pytest.approx(1.2 + ends[1].high / found.old)
    assert judged(material, "new.brier / old.brier within 0.2").outcome == "pass"


def test_a_ratio_to_nothing_says_nothing() -> None:
    _, material = world(100)
    perfect = replace(material, old=Answers(labels=material.rows.truth.astype(np.float64)))
    with pytest.raises(Unmeasurable, match="new over old says nothing where mae is 0 for the old model"):
        evidence_of(parse_check("new.mae / old.mae < 1.1"), perfect, 0.95)


def test_what_serving_costs_is_measured_on_the_models() -> None:
    _, material = world(100)
    times = np.linspace(1, 2, 400)
    costly = replace(
        material, new_cost=Cost(times_ms=times, size_mb=3.0), old_cost=Cost(times_ms=times / 2, size_mb=2.0)
    )
    assert judged(costly, "new.latency_p95_ms < 20").outcome == "pass"
    assert judged(costly, "new.latency_p95_ms / old.latency_p95_ms < 1.5").outcome == "fail"
    assert judged(costly, "new.latency_mean_ms - old.latency_mean_ms < 2").outcome == "pass"
    assert judged(costly, "new.size_mb <= 3").outcome == "pass"
    assert judged(costly, "new.size_mb / old.size_mb <= 1.4").outcome == "fail"
    difference = judged(costly, "new.size_mb - old.size_mb <= 1").evidence
    assert difference is not None
    assert (difference.estimate, difference.low, difference.high) == (1.0, 1.0, 1.0)
    for text in ("new.latency_p95_ms < 20", "new.size_mb < 3"):
        assert judged(material, text).outcome == "error"


def test_the_confidence_of_latency_is_that_asked_for_however_often_the_holdout_was() -> None:
    _, material = world(100)
    costly = replace(material, new_cost=Cost(times_ms=np.linspace(1, 2, 400)))
    checks = parse_checks(["new.latency_p50_ms < 20", "new.accuracy > 0.1"])
    found = [one.evidence for one in decide(checks, costly, 0.99, costs_at=0.95).checks]
    assert [one.confidence for one in found if one is not None] == [0.95, 0.99]


# --- slices ------------------------------------------------------------------------------------------------------

EACH = "new.accuracy - old.accuracy > -0.05 for each region"


def test_a_slice_is_measured_on_its_own_rows() -> None:
    table, material = world()
    verdict = judged(laid_out(table, material, EACH), EACH)
    assert {one.name for one in verdict.slices} == {f"region={name}" for name in ("south", "north", "east", "west")}
    for one in verdict.slices:
        mask = (table["region"] == one.name.removeprefix("region=")).to_numpy()
        assert material.old is not None
        alone = measure("accuracy", material.rows.take(mask), material.new.take(mask), material.old.take(mask), 0.95)
        assert one.evidence is not None
        assert one.evidence.estimate == pytest.approx(alone.value)
        assert one.evidence.low == pytest.approx(alone.low)
        assert one.evidence.n_rows == int(mask.sum())


def test_harm_in_one_slice_alone_is_a_veto() -> None:
    table, material = world(worse_in_south=3.0)
    assert judged(material, "new.accuracy - old.accuracy > -0.15").outcome == "pass"
    verdict = judged(laid_out(table, material, EACH), EACH)
    assert verdict.outcome == "fail"
    assert (verdict.slices[0].name, verdict.slices[0].outcome) == ("region=south", "fail")
    assert "south" in verdict.why


def test_combinations_and_missing_values_are_slices_too() -> None:
    table, material = world(400)
    holey = table.with_columns(region=pl.when(pl.col("region") == "west").then(None).otherwise(pl.col("region")))
    text = "new.accuracy - old.accuracy > -0.5 for each region, sex"
    names = {one.name for one in judged(laid_out(holey, material, text), text).slices}
    assert "region is missing, sex=1" in names
    assert len(names) == 8


def test_a_slice_of_one_class_is_unsure_and_never_a_pass_by_itself() -> None:
    table, material = world(400)
    one_class = replace(material, rows=Rows(truth=np.ones(400, dtype=np.int64)))
    text = "new.auc - old.auc > -0.5 for each region"
    verdict = judged(laid_out(table, one_class, text), text)
    assert verdict.outcome == "unsure"
    assert {one.outcome for one in verdict.slices} == {"unsure"}


def test_an_answer_that_is_missing_is_an_error_of_the_whole_check() -> None:
    table, material = world(400)
    labels = material.new.labels.astype(np.float64)
    labels[3] = np.nan
    broken = Material(
        rows=material.rows,
        new=Answers(labels=labels),
        old=material.old,
        groups={("region",): grouping(table, ["region"], at="checks")},
    )
    assert judged(broken, EACH).outcome == "error"


def test_slices_are_views_of_rows_that_were_put_in_order_once() -> None:
    table, material = world(1000)
    whole = laid_out(table, material, EACH)
    slices = slices_of(whole, ("region",))
    assert slices_of(whole, ("region",)) is slices
    assert sum(part.n_rows for part, _ in slices) == 1000
    bases = {id(one.rows.truth.base) for _, one in slices}
    assert len(bases) == 1


ALL = (
    "new.accuracy - old.accuracy > -0.02",
    "new.f1 - old.f1 > -0.02",
    "new.auc - old.auc > -0.02",
    "new.log_loss - old.log_loss < 0.02",
    "new.mcc - old.mcc > -0.02",
    "new.brier / old.brier within 0.2",
    "gap(new.recall by sex) < 0.1",
    "new.brier - old.brier < 0.02 for each region",
    "new.log_loss - old.log_loss < 0.1 for each region, sex",
)


def verdict_on(table: pl.DataFrame, material: Material) -> bytes:
    verdict: Verdict = decide(parse_checks(ALL), laid_out(table, material, *ALL), 0.95)
    return msgspec.json.encode(verdict)


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 2**31))
def test_the_order_of_the_rows_changes_no_byte_of_the_verdict(seed: int) -> None:
    table, material = world(600)
    order = np.random.default_rng(seed).permutation(600)
    assert verdict_on(table[order], material.take(order)) == verdict_on(table, material)


def test_swapping_the_models_mirrors_the_difference() -> None:
    _, material = world()
    assert material.old is not None
    swapped = replace(material, new=material.old, old=material.new)
    for metric in ("accuracy", "auc", "brier"):
        check = parse_check(f"new.{metric} - old.{metric} > -0.02")
        one, other = (evidence_of(check, each, 0.95) for each in (material, swapped))
        assert one.low is not None and other.high is not None  # noqa: PT018 - for mypy
        assert one.estimate == pytest.approx(-other.estimate)
        assert one.low == pytest.approx(-other.high)


def test_a_model_against_its_double_is_never_better() -> None:
    table, material = world()
    twin = laid_out(table, replace(material, old=material.new), *ALL)
    for text in ("new.accuracy - old.accuracy > 0", "new.auc - old.auc > 0", "new.brier / old.brier < 1"):
        assert judged(twin, text).outcome != "pass"


# --- what could never pass ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "n_rows", "confidence", "never"),
    [
        ("new.accuracy >= 0.9", 20, 0.95, True),
        ("new.accuracy >= 0.9", 40, 0.95, False),
        ("new.accuracy >= 0.9", 40, 1 - 0.05 / 32, True),
        ("new.recall >= 0.9", 20, 0.95, True),
        ("new.auc >= 0.99", 20, 0.95, False),
        ("new.accuracy <= 0.9", 20, 0.95, False),
        ("new.accuracy >= 0.9 for each region", 20, 0.95, False),
    ],
)
def test_rows_that_could_not_show_it_even_if_all_were_right_are_told(
    text: str, n_rows: int, confidence: float, *, never: bool
) -> None:
    truth = np.arange(n_rows) % 2
    material = Material(rows=Rows(truth=truth), new=Answers(labels=truth))
    assert bool(cannot_pass(parse_check(text), material, confidence)) == never
    if never:
        # It is so: what is flawless does not pass.
        assert judged(material, text, confidence=confidence).outcome == "unsure"


@pytest.mark.parametrize(("n_differ", "never"), [(0, True), (4, True), (12, False)])
def test_models_that_differ_on_too_few_rows_cannot_show_a_gain(n_differ: int, *, never: bool) -> None:
    truth = np.ones(500, dtype=np.int64)
    worse = truth.copy()
    worse[:n_differ] = 0
    material = Material(rows=Rows(truth=truth), new=Answers(labels=truth), old=Answers(labels=worse))
    check = parse_check("new.accuracy - old.accuracy > 0")
    assert bool(cannot_pass(check, material, 0.99)) == never
    assert (judged(material, check.text, confidence=0.99).outcome == "unsure") == never


def test_what_was_not_asked_says_so() -> None:
    checks = parse_checks(["new.accuracy >= 0.9", "new.recall >= 0.1"])
    verdict = not_asked(checks, {"new.accuracy >= 0.9": "20 rows could not show it"})
    assert verdict.outcome == "unsure"
    assert "20 rows could not show it; measure on more rows" in verdict.checks[0].why
    assert "not measured, to spare the holdout" in verdict.checks[1].why
